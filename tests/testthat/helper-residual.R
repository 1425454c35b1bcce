# Fits of lmm() beside those of nlme and by the definition of the model.

# nlme's fit of the same model, pushed to its optimum.
lme_fit <- function(fixed, data, random, REML = TRUE, weights = NULL, # nolint: object_name_linter.
                    correlation = NULL) {
  control <- nlme::lmeControl(
    maxIter = 500, msMaxIter = 500, niterEM = 100, tolerance = 1e-9, msTol = 1e-10, returnObject = TRUE
  )
  do.call(nlme::lme, list(
    fixed, data = data, random = random, method = if (REML) "REML" else "ML", weights = weights,
    correlation = correlation, control = control
  ))
}

# By REML and ML: the criterion within 1e-6 of nlme's and not above it, estimates within 1e-4.
expect_as_lme <- function(formula, fixed, random, data, dispersion = NULL, correlation = NULL, weights = NULL,
                          serial = NULL) {
  for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
    fit <- suppressMessages(
      do.call(lmm, list(formula, data, REML = REML, dispersion = dispersion, correlation = correlation))
    )
    other <- lme_fit(fixed, data, random, REML, weights, serial)
    above <- fit$criterion + 2 * as.numeric(logLik(other))
    testthat::expect_lt(above, 1e-8 * abs(fit$criterion))
    testthat::expect_gt(above, -1e-6)
    testthat::expect_equal(unname(fixef(fit)), unname(nlme::fixef(other)), tolerance = 1e-4)
    testthat::expect_equal(fit$sigma, other$sigma, tolerance = 1e-4)
    testthat::expect_equal(unname(vcov(fit)), unname(other$varFix), tolerance = 1e-4, ignore_attr = TRUE)
    if (!is.null(serial)) {
      rho <- coef(other$modelStruct$corStruct, unconstrained = FALSE)
      testthat::expect_equal(fit$residual$rho, unname(rho), tolerance = 1e-4)
    }
    if (!is.null(weights)) {
      sd <- other$sigma / nlme::varWeights(other$modelStruct$varStruct)
      own <- fit$sigma * residual_sd(fit)
      # varWeights() are in the order of nlme's groups
      testthat::expect_equal(sort(own), sort(as.vector(sd)), tolerance = 1e-4)
    }
    testthat::expect_identical(as.integer(fit$npar), as.integer(attr(logLik(other), "df")))
  }
}

# Minus twice the (restricted) log-likelihood at the estimates of all but sigma, from dense matrices.
dense_criterion <- function(fit, REML = fit$REML) { # nolint: object_name_linter.
  design <- design_of(fit)
  n <- length(design$y)
  x <- dense_blocks(design$x, n)
  v <- matrix(0, n, n)
  for (k in seq_along(design$terms)) {
    z <- dense_blocks(design$terms[[k]]$basis, n)
    codes <- design$factors[[design$terms[[k]]$factor]]$codes
    v <- v + outer(codes, codes, "==") * (z %*% fit$random[[k]]$varcov %*% t(z))
  }
  sd <- fit$sigma * residual_sd(fit)
  v <- v + residual_correlation(fit) * outer(sd, sd)
  df <- if (REML) n - ncol(x) else n
  v <- v * fit$pwrss / (df * fit$sigma^2)
  log_det <- function(m) as.numeric(determinant(m)$modulus)
  inverse <- solve(v)
  information <- t(x) %*% inverse %*% x
  r <- design$y - x %*% solve(information, t(x) %*% inverse %*% design$y)
  df * log(2 * pi) + log_det(v) + sum(r * (inverse %*% r)) + if (REML) log_det(information) else 0
}

# The correlation matrix of the residuals.
residual_correlation <- function(fit) {
  n <- nrow(fit$frame)
  blocks <- residual_blocks(fit)
  all <- diag(n)
  for (k in seq_along(blocks$rows)) {
    all[blocks$rows[[k]], blocks$rows[[k]]] <- blocks$correlation(blocks$times[[k]])
  }
  all
}

# Two crossed factors, three strata, and an order of the rows that is that of nothing; `t` counts within `a`.
crossed_data <- function(seed = 7, n_a = 12, n_b = 15) {
  data <- seeded(seed, {
    data <- expand.grid(t = seq_len(n_b), a = seq_len(n_a))
    n <- nrow(data)
    data$s <- factor(sample(c("low", "mid", "high"), n, TRUE), levels = c("low", "mid", "high"))
    data$x <- stats::rnorm(n)
    data$w <- stats::runif(n, 0.5, 2)
    e <- stats::rnorm(n) * c(low = 0.5, mid = 1, high = 2)[as.character(data$s)]
    e <- unlist(lapply(split(e, data$a), function(own) as.vector(stats::filter(own, 0.6, "recursive"))))
    data$y <- 1 + data$x + stats::rnorm(n_a)[data$a] + stats::rnorm(n_b, 0, 0.7)[data$t] + e
    data[sample(n), ]
  })
  data$a <- factor(data$a)
  data$b <- factor(data$t)
  data
}

# R's generator is left as it was.
seeded <- function(seed, code) {
  old <- if (exists(".Random.seed", globalenv())) get(".Random.seed", globalenv())
  on.exit(if (!is.null(old)) assign(".Random.seed", old, globalenv()))
  set.seed(seed)
  code
}

# What `code` signals; the fit itself when nothing.
signalled <- function(code) tryCatch(code, error = identity)
