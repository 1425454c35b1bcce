same_fit <- function(a, b) {
  expect_equal(a$beta, b$beta)
  expect_equal(a$theta, b$theta, tolerance = 1e-6)
  expect_equal(a$criterion, b$criterion)
}

# REML of the sleep data: a dense likelihood with Newton polish, confirmed in 40-digit arithmetic.
test_that("the sleep data give the reference values", {
  fit <- lmm(y ~ x + (x | g), sleep_data())
  expect_close(fit$criterion, 1743.628271959, 1e-9)
  expect_close(fit$beta, c(251.405104848485, 10.467285959596), 1e-9)
  expect_close(fit$sigma, 25.59182, 1e-6)
  expect_close(random_sd(fit), c(24.74045, 5.922133))
  expect_identical(fit$convergence$status, "converged")
  expect_named(fit$theta, c("g.(Intercept)", "g.x.(Intercept)", "g.x"))
})

test_that("a fit is complete, plain data", {
  fit <- lmm(y ~ x + (x || g), sleep_data())
  expect_s3_class(fit, "lmm")
  fields <- c(
    "call", "formula", "REML", "terms", "frame", "na.action", "contrasts", "xlevels", "x_names", "beta", "kept", "vcov",
    "theta", "sigma", "random", "factors", "criterion", "ld_l", "ld_rx", "pwrss", "nobs", "rank", "npar",
    "weights_used", "residual", "convergence", "control"
  )
  expect_named(fit, fields)
  expect_identical(fit$nobs, 180L)
  expect_identical(fit$npar, 5L)
  expect_identical(dim(fit$vcov), c(2L, 2L))
  expect_length(fit$random, 2)
  expect_identical(dim(fit$random[[2]]$b), c(18L, 1L))
  expect_identical(dimnames(fit$random[[2]]$condvar), list("x", "x", levels(sleep_data()$g)))
  expect_identical(fit$call, quote(lmm(formula = y ~ x + (x || g), data = sleep_data())))
  again <- unserialize(serialize(fit, NULL))
  expect_equal(again$theta, fit$theta)
  expect_false(any(rapply(unclass(fit), typeof, how = "unlist") == "externalptr"))
})

test_that("weights, offset and subset are evaluated in the data, then where the formula is, then with the caller", {
  data <- sleep_data()
  data$w <- 1 + data$x
  reference <- lmm(y ~ x + (1 | g), data, weights = w, offset = x, subset = x > 1)
  outer <- 1 + data$x
  same_fit(lmm(y ~ x + (1 | g), data, weights = outer, offset = data$x, subset = which(x > 1)), reference)
  inside <- function(rows) {
    own <- 1 + rows$x
    limit <- 1
    lmm(y ~ x + (1 | g), rows, weights = own, offset = x, subset = x > limit)
  }
  same_fit(inside(data), reference)
  formula <- y ~ x + (1 | g)
  elsewhere <- function(f, rows) {
    private <- 1 + rows$x
    lmm(f, data = rows, weights = private, offset = rows$x, subset = rows$x > 1)
  }
  same_fit(elsewhere(formula, data), reference)
  passed <- function(...) lmm(...)
  same_fit(passed(formula, data, weights = w, offset = x, subset = x > 1), reference)
  same_fit(do.call(lmm, list(formula, data, weights = quote(w), offset = quote(x), subset = quote(x > 1))), reference)
  expect_error(lmm(formula, data, weights = nosuch), "`nosuch`", class = "ferrite_error_weights")
  expect_error(lmm(formula, data, weights = log("a")), class = "ferrite_error_weights")
})

test_that("data may be missing, the formula a variable or text", {
  data <- sleep_data()
  reference <- lmm(y ~ x + (1 | g), data)
  y <- data$y
  x <- data$x
  g <- data$g
  same_fit(lmm(y ~ x + (1 | g)), reference)
  formula <- y ~ x + (1 | g)
  same_fit(lmm(formula, data), reference)
  same_fit(lmm("y ~ x + (1 | g)", data), reference)
  same_fit(lmm(y ~ . + (1 | g), data), reference)
  same_fit(lmm(y ~ x + (1 | g), data, weights = NULL, offset = NULL, subset = NULL), reference)
})

test_that("the offset argument and offset() are the same thing", {
  data <- sleep_data()
  a <- lmm(y ~ x + offset(3 * x) + (1 | g), data)
  b <- lmm(y ~ x + (1 | g), data, offset = 3 * x)
  reference <- lmm(y ~ x + (1 | g), data)
  same_fit(a, b)
  expect_close(a$beta, unname(reference$beta) - c(0, 3), 1e-8)
})

test_that("a fit with the defaults of dispersion and correlation is the fit without them", {
  data <- sleep_data()
  plain <- lmm(y ~ x + (1 | g), data)
  same_fit(lmm(y ~ x + (1 | g), data, dispersion = ~ 1, correlation = NULL), plain)
  expect_null(plain$residual)
  expect_null(design_of(plain)$residual)
})

test_that("arguments are checked, and the call of an error is the user's", {
  data <- sleep_data()
  expect_three_lines(tryCatch(lmm(y ~ x + (1 | g), data, REML = "yes"), error = identity), "ferrite_error_argument")
  expect_three_lines(tryCatch(lmm(data, y ~ x + (1 | g)), error = identity), "ferrite_error_formula")
  error <- tryCatch(lmm(y ~ x + (1 | g), data, na.action = "nosuch"), error = identity)
  expect_three_lines(error, "ferrite_error_missing")
  expect_three_lines(tryCatch(lmm(), error = identity), "ferrite_error_formula")
  expect_three_lines(tryCatch(lmm(y ~ x + (1 | g), nosuch_data), error = identity), "ferrite_error_data")
  expect_error(lmm(y ~ x + (1 | g), data, weights = "x"), "`weights = x`", class = "ferrite_error_weights")
  expect_error(lmm(y ~ x + (1 | g), data, weights = ~ x), "`weights = x`", class = "ferrite_error_weights")
  error <- tryCatch(lmm(y ~ x, data), error = identity)
  expect_identical(conditionCall(error), quote(lmm(formula = y ~ x, data = data)))
})

test_that("starting values do not change the result", {
  data <- sleep_data()
  reference <- lmm(y ~ x + (x | g), data)
  same_fit(lmm(y ~ x + (x | g), data, start = c(2, 0.1, 1)), reference)
  expect_error(lmm(y ~ x + (x | g), data, start = 1), "3 finite numbers", class = "ferrite_error_start")
})

test_that("a fit that is stopped early is returned with a warning", {
  expect_warning(
    fit <- lmm(y ~ x + (x | g), sleep_data(), control = lmm_control(max_evaluations = 2)),
    class = "ferrite_warning_not_converged"
  )
  expect_identical(fit$convergence$status, "max_evaluations")
})
