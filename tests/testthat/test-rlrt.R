# The spectrum against dense matrices; draws against closed forms and RLRsim.

unequal_rows <- function() {
  size <- c(1:9, 9, 4, 4)
  data <- data.frame(g = factor(rep(1:12, size)))
  i <- seq_len(nrow(data))
  data$x <- cos(i)
  data$h <- sin(as.integer(data$g))
  data$w <- 1 + i %% 3 / 2
  data$y <- sin(3 * i) + data$h + 2 * cos(as.integer(data$g)^2)
  data
}

dense_spectrum <- function(z, x, w = 1) {
  z <- sqrt(w) * z
  x <- sqrt(w) * x
  m <- diag(nrow(x)) - x %*% solve(crossprod(x), t(x))
  values <- eigen(crossprod(z, m %*% z), symmetric = TRUE, only.values = TRUE)$values
  values[values > 1e-9 * max(values)]
}

test_that("the spectrum from sums by level is that of the dense matrix", {
  data <- unequal_rows()
  z <- model.matrix(~ 0 + g, data)
  plain <- lmm(y ~ x + (1 | g), data)
  expect_equal(rlrt_spectrum(plain, 1)$mu, dense_spectrum(z, model.matrix(~x, data)))
  weighted <- lmm(y ~ x + h + (1 | g), data, weights = w)
  expect_equal(rlrt_spectrum(weighted, 1)$mu, dense_spectrum(z, model.matrix(~ x + h, data), data$w))
  slope <- suppressMessages(lmm(y ~ x + (0 + x | g), data))
  expect_equal(rlrt_spectrum(slope, 1)$mu, dense_spectrum(z * data$x, model.matrix(~x, data)))
  expect_equal(rlrt_spectrum(lmm(y ~ 0 + (1 | g), data), 1)$mu, sort(as.vector(table(data$g)), decreasing = TRUE) + 0)
})

test_that("many levels are put into classes that keep the trace nearly", {
  sums <- term_sums(lmm(y ~ x + h + (1 | g), unequal_rows(), weights = w), 1)
  exact <- term_spectrum(sums)
  rounded <- term_spectrum(sums, limit = 9L)
  expect_false(exact$rounded)
  expect_true(rounded$rounded)
  expect_equal(sum(rounded$mu), sum(exact$mu), tolerance = 0.02)
})

test_that("the likelihood without random terms is that of lm", {
  data <- unequal_rows()
  line <- lm(y ~ x + h, data, weights = w, offset = x / 2)
  fit <- lmm(y ~ x + h + (1 | g), data, weights = w, offset = x / 2)
  expect_equal(null_criterion(fit), -2 * as.numeric(logLik(line, REML = TRUE)))
  expect_equal(null_criterion(fit, FALSE), -2 * as.numeric(logLik(line)))
})

test_that("sums of squares by level are those of dense projections", {
  data <- unequal_rows()
  sums <- term_sums(lmm(y ~ x + h + (1 | g), data, weights = w), 1)
  x <- sqrt(data$w) * model.matrix(~ x + h, data)
  z <- sqrt(data$w) * model.matrix(~ 0 + g, data)
  y <- sqrt(data$w) * data$y
  within <- deviance(lm(y ~ x + h + g, data, weights = w))
  expect_equal(term_squares(sums)$within, within)
  for (ratio in c(0, 0.3, 5, 1e3)) {
    v <- diag(length(y)) + ratio * tcrossprod(z)
    residual <- y - x %*% solve(crossprod(x, solve(v, x)), crossprod(x, solve(v, y)))
    expect_equal(weighed_between(sums, ratio), sum(residual * solve(v, residual)) - within, tolerance = 1e-7)
  }
})

test_that("a large mean costs no digits", {
  data <- unequal_rows()
  small <- term_f_test(term_sums(lmm(y ~ x + (1 | g), data), 1))$statistic
  # y is rounded to 2^-13 at this mean: 1.2e-4 of 1
  data$y <- data$y + 1e12
  expect_close(term_f_test(term_sums(lmm(y ~ x + (1 | g), data), 1))$statistic, small, 1e-3)
})

test_that("null distributions are those of RLRsim", {
  skip_if_not_installed("RLRsim")
  sleep <- sleep_data()
  z <- model.matrix(~ 0 + g, sleep)
  spectrum <- rlrt_spectrum(lmm(y ~ x + (1 | g), sleep), 1)
  at <- c(0.75, 0.9, 0.95, 0.99)
  set.seed(11)
  ours <- simulate_rlrt(spectrum$mu, numeric(), spectrum$n, spectrum$p, 0, 2e5)
  theirs <- RLRsim::RLRTSim(cbind(1, sleep$x), z, sqrt.Sigma = diag(18), nsim = 2e5)
  # standard error of the 99 % point: 0.03 each; RLRsim's grid of lambda adds up to 0.005
  expect_lt(max(abs(quantile(ours, at) - quantile(theirs, at)) / c(0.01, 0.02, 0.03, 0.06)), 3)
  expect_lt(abs(mean(ours < 1e-8) - mean(theirs < 1e-8)), 0.006)
  ours <- simulate_rlrt(spectrum$mu, spectrum$xi, spectrum$n, spectrum$p, 0, 2e5)
  theirs <- RLRsim::LRTSim(cbind(1, sleep$x), z, q = 0, sqrt.Sigma = diag(18), nsim = 2e5)
  expect_lt(max(abs(quantile(ours, at) - quantile(theirs, at)) / c(0.01, 0.02, 0.03, 0.06)), 3)
})

test_that("p-values agree with RLRsim, by itself and beside other terms", {
  skip_if_not_installed("RLRsim")
  skip_if_not_installed("lme4")
  pastes <- reference_data("Pastes")
  set.seed(12)
  ours <- ranova(lmm(strength ~ 1 + (1 | batch) + (1 | sample), pastes), nsim = 20000)
  full <- lme4::lmer(strength ~ 1 + (1 | batch) + (1 | sample), pastes)
  alone <- suppressMessages(lme4::lmer(strength ~ 1 + (1 | batch), pastes))
  rest <- lme4::lmer(strength ~ 1 + (1 | sample), pastes)
  theirs <- RLRsim::exactRLRT(alone, full, rest, nsim = 20000)
  expect_equal(ours["(1 | batch)", "LRT"], unname(theirs$statistic), tolerance = 1e-4)
  # three standard errors of the difference
  expect_lt(abs(ours["(1 | batch)", "Pr(>RLRT)"] - theirs$p.value), 0.012)
})
