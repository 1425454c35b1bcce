# Leverages and what is made of them: against dense algebra, and against lme4 on models of different shape.

# diag of the hat matrix, from its definition: cov(y_hat, y) / var(e), with C^-1 of the joint equations.
dense_leverages <- function(fit) {
  x <- component(fit, "X")
  x <- x[, fit$kept, drop = FALSE]
  z <- component(fit, "Z") %*% component(fit, "Lambda")
  w <- weights(fit)
  both <- sqrt(w) * cbind(x, z)
  inner <- crossprod(both)
  diag(inner) <- diag(inner) + rep(0:1, c(ncol(x), ncol(z)))
  rowSums((both %*% solve(inner)) * both)
}

test_that("leverages are those of the joint equations", {
  for (name in c("slope", "uncorrelated", "nested", "crossed", "singular", "dropped", "weighted")) {
    fit <- shared_fit(name)
    expect_equal(unname(hatvalues(fit)), unname(dense_leverages(fit)), tolerance = 1e-9, info = name)
  }
})

test_that("the balanced one-way layout has closed leverages", {
  # 1/N for the mean and, within a group of n, factor * (1/n - 1/N) for its deviation
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  factor <- shrinkage(fit)$factor[1]
  expect_equal(unname(hatvalues(fit)), rep(1 / 80 + factor * (1 / 16 - 1 / 80), 80), tolerance = 1e-10)
})

test_that("leverages, Cook's distances and standardised residuals are lme4's", {
  skip_if_not_installed("lme4")
  sleep <- transform(sleep_data(), w = 1 + (seq_along(y) %% 4) / 2, off = 5 * x)
  machines <- as.data.frame(nlme::Machines)
  ortho <- as.data.frame(nlme::Orthodont)
  cases <- list(
    list(y ~ x + (x | g), sleep), list(y ~ x + (1 | g), sleep, weights = sleep$w),
    list(y ~ x + offset(off) + (x || g), sleep), list(distance ~ age * Sex + (age | Subject), ortho, REML = FALSE),
    list(distance ~ poly(age, 2) + (1 | Subject), ortho), list(distance ~ age + I(2 * age) + (1 | Subject), ortho),
    list(score ~ Machine + (1 | Worker / Machine), machines), list(score ~ Machine + (0 + Machine | Worker), machines),
    list(diameter ~ 1 + (1 | plate) + (1 | sample), from_package("lme4", "Penicillin")),
    list(strength ~ 1 + (1 | batch / cask), from_package("lme4", "Pastes")),
    list(Yield ~ 1 + (1 | Batch), from_package("lme4", "Dyestuff2"))
  )
  for (case in cases) {
    more <- case[-(1:2)]
    fit <- suppressMessages(do.call(lmm, c(list(case[[1]], case[[2]]), more)))
    other <- suppressMessages(do.call(lme4_fit, c(list(case[[1]], case[[2]]), more)))
    info <- deparse(case[[1]])
    expect_lt(max(abs(hatvalues(fit) - hatvalues(other))), 1e-6, label = info)
    expect_lt(max(abs(cooks.distance(fit) - cooks.distance(other))), 1e-6, label = info)
    expect_equal(rstudent(fit), rstudent(other), tolerance = 1e-6, info = info)
    expect_identical(names(hatvalues(fit)), names(hatvalues(other)))
  }
})

test_that("standardised residuals have variance one under the model", {
  fit <- shared_fit("weighted")
  v <- component(fit, "V")
  x <- component(fit, "X")
  inverse <- solve(v)
  p <- inverse - inverse %*% x %*% solve(t(x) %*% inverse %*% x, t(x) %*% inverse)
  r <- component(fit, "R")
  sd <- sqrt(diag(r %*% p %*% r))
  expect_equal(unname(rstandard(fit)), unname(residuals(fit) / sd), tolerance = 1e-8)
  expect_identical(rstudent(fit), rstandard(fit))
})

test_that("rows set aside by na.exclude come back as NA", {
  data <- sleep_data()
  data$y[c(3, 40)] <- NA
  fit <- lmm(y ~ x + (1 | g), data, na.action = na.exclude)
  plain <- lmm(y ~ x + (1 | g), data)
  for (f in list(hatvalues, cooks.distance, rstandard, rstudent)) {
    expect_length(f(fit), 180L)
    expect_identical(which(is.na(unname(f(fit)))), c(3L, 40L))
    expect_equal(f(fit)[-c(3, 40)], f(plain))
  }
})

test_that("a leverage of one leaves nothing to divide by; no fixed part has no distance", {
  data <- transform(estrone, one = as.numeric(seq_len(80) == 7))
  fit <- lmm(y ~ one + (1 | person), data)
  expect_equal(hatvalues(fit)[[7]], 1)
  expect_true(is.nan(cooks.distance(fit)[[7]]) && is.nan(rstandard(fit)[[7]]))
  expect_false(anyNA(cooks.distance(fit)[-7]))
  expect_true(all(is.na(cooks.distance(lmm(y ~ 0 + (1 | person), estrone)))))
  expect_error(hatvalues(fit, fullHatMatrix = TRUE), class = "ferrite_error_argument")
})
