test_that("the pieces fit together as the theory says", {
  for (name in c("slope", "uncorrelated", "nested", "crossed", "weighted", "dropped")) {
    fit <- shared_fit(name)
    v <- component(fit, "V")
    x <- component(fit, "X")
    expect_equal(solve(crossprod(x, solve(v, x))), vcov(fit, complete = FALSE), tolerance = 1e-6, info = name)
    b <- component(fit, "G") %*% component(fit, "Zt") %*% solve(v, component(fit, "y") - x %*% component(fit, "beta"))
    expect_equal(drop(b), component(fit, "b"), tolerance = 1e-6, ignore_attr = TRUE, info = name)
    expect_equal(drop(component(fit, "Lambda") %*% component(fit, "u")), unname(component(fit, "b")), tolerance = 1e-8)
    expect_equal(2 * sum(log(diag(component(fit, "L")))), fit$ld_l, tolerance = 1e-8, info = name)
    expect_equal(2 * sum(log(diag(component(fit, "RX")))), fit$ld_rx, tolerance = 1e-8, info = name)
    expect_equal(component(fit, "mu"), unname(fitted(fit)), info = name)
  }
})

test_that("theta, its bounds and its templates have one order", {
  fit <- shared_fit("crossed")
  reference <- c(1.87152081917966, 3.15585897065637, -0.113772125052183, 0.170648869785646)
  expect_close(component(fit, "theta"), reference, 1e-5)
  expect_named(component(fit, "theta"), c("Dog:Side.(Intercept)", "Dog.(Intercept)", "Dog.day.(Intercept)", "Dog.day"))
  expect_identical(component(fit, "lower"), c(0, 0, -Inf, 0))
  expect_equal(sigma(fit)^2 * tcrossprod(component(fit, "T")$Dog), VarCorr(fit)$Dog, ignore_attr = TRUE)
})

test_that("several names give a named list", {
  expect_named(component(shared_fit("slope"), c("n", "p", "q")), c("n", "p", "q"))
  expect_identical(unlist(component(shared_fit("slope"), c("n", "p", "q")), use.names = FALSE), c(108, 4, 54))
})

test_that("a wrong name lists the right ones", {
  condition <- expect_error(component(shared_fit("slope"), "lambda"), class = "ferrite_error_component")
  expect_three_lines(condition, "ferrite_error_component")
  expect_match(conditionMessage(condition), "Lambda")
  expect_error(component(shared_fit("slope"), 1), class = "ferrite_error_component")
})

test_that("a matrix above the limit is refused with its size", {
  condition <- expect_error(component(shared_fit("slope"), "V", limit = 1e4), class = "ferrite_error_too_large")
  expect_identical(condition$bytes, 8 * 108^2)
  expect_match(conditionMessage(condition), "93.3 kB")
})

test_that("without a name the names are listed", {
  fit <- shared_fit("slope")
  condition <- expect_error(component(fit), "The names are y, offset", class = "ferrite_error_component")
  expect_three_lines(condition, "ferrite_error_component")
})
