# Models of different shape, for comparisons with lme4 and with dense algebra. Data sets are those of lme4 and nlme.

model_shapes <- function() {
  testthat::skip_if_not_installed("lme4")
  sleep <- lme4::sleepstudy
  i <- seq_len(nrow(sleep))
  sleep <- transform(sleep, w = 1 + (i %% 7) / 4, o = 20 * sin(i), f = factor(letters[1 + i %% 3]))
  tooth <- as.data.frame(nlme::Orthodont)
  tooth$Subject <- factor(as.character(tooth$Subject))
  machines <- as.data.frame(nlme::Machines)
  list(
    slope = list(Reaction ~ Days + (Days | Subject), sleep),
    uncorrelated = list(Reaction ~ Days + (Days || Subject), sleep),
    nested = list(strength ~ 1 + (1 | batch / cask), lme4::Pastes),
    crossed = list(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin),
    cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), lme4::cake),
    weighted = list(Reaction ~ Days + (Days | Subject), sleep, weights = quote(w)),
    offset = list(Reaction ~ Days + offset(o) + (1 | Subject), sleep),
    basis = list(Reaction ~ poly(Days, 2) * f + splines::ns(o, 3) + (1 | Subject), sleep),
    dropped = list(Reaction ~ poly(Days, 2) + splines::ns(Days, 3):f + (1 | Subject), sleep),
    factor = list(score ~ Machine + (Machine | Worker), machines),
    interaction = list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), machines),
    ml = list(distance ~ age * Sex + (age | Subject), tooth, REML = FALSE),
    singular = list(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2)
  )
}

# Each shape fitted here and by lme4: list(ours, theirs, data), made once.
shape_fits <- function() {
  if (is.null(shared_fits$shapes)) {
    control <- lme4::lmerControl(
      optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore"
    )
    shared_fits$shapes <- lapply(model_shapes(), function(shape) {
      ours <- suppressMessages(do.call(lmm, shape))
      theirs <- suppressMessages(suppressWarnings(do.call(lme4::lmer, c(shape, control = quote(control)))))
      list(ours = ours, theirs = theirs, data = shape[[2L]])
    })
  }
  shared_fits$shapes
}

# The largest difference of two sets of numbers, relative to the largest of the second.
largest_difference <- function(a, b) {
  a <- unname(as.matrix(a))
  b <- unname(as.matrix(b))
  testthat::expect_identical(dim(a), dim(b))
  testthat::expect_identical(is.na(a), is.na(b))
  max(abs(a - b), na.rm = TRUE) / max(abs(b), na.rm = TRUE)
}

# Var(x'beta_hat + z'b_hat - x'beta - z'b) by its definition from V, X, Z and G, for rows of x and z. For known
# variances, b_hat = G Z'V^-1 (y - X beta_hat) and beta_hat by generalised least squares.
dense_variance <- function(fit, x, z) {
  piece <- component(fit, c("V", "X", "Z", "G"))
  inverse <- solve(piece$V)
  phi <- solve(t(piece$X) %*% inverse %*% piece$X)
  weights_of_y <- z %*% piece$G %*% t(piece$Z) %*% inverse
  left <- x - weights_of_y %*% piece$X
  unexplained <- piece$G - piece$G %*% t(piece$Z) %*% inverse %*% piece$Z %*% piece$G
  rowSums((left %*% phi) * left) + rowSums((z %*% unexplained) * z)
}
