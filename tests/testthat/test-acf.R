# The autocorrelation of residuals and its band. Right models are simulated; a hit is an autocorrelation within its
# 95 % band, so hits are binomial.

acf_hits <- function(make, sets, draws = 60L) {
  options <- list(level = 0.95, group = NULL, call = NULL)
  Reduce(`+`, lapply(seq_len(sets), function(i) {
    table <- acf_data(suppressMessages(make()), options, draws)
    within <- table$acf >= table$lower & table$acf <= table$upper
    cbind(now = within, independent = abs(table$acf) <= qnorm(0.975) / sqrt(table$pairs))
  }))
}

growth <- function(groups, times) {
  data <- expand.grid(t = seq_len(times), g = seq_len(groups))
  data$b <- stats::rnorm(groups)[data$g]
  data
}

test_that("independent errors and random slopes: every lag is within its band as often as it says", {
  skip_on_cran()
  set.seed(11)
  hits <- acf_hits(function() {
    data <- growth(27, 4)
    data$y <- data$b + stats::rnorm(27, 0, 0.3)[data$g] * data$t + stats::rnorm(nrow(data))
    lmm(y ~ t + (t | g), data)
  }, 80L)
  expect_true(all(hits[, "now"] >= stats::qbinom(5e-4, 80, 0.95)))
  # the band for independent values, around zero, does not hold: the residuals are taken after two effects of 4 rows
  expect_lt(hits[1, "independent"], 20)
})

test_that("AR(1) fitted to AR(1): no more correlation is suggested", {
  skip_on_cran()
  set.seed(12)
  hits <- acf_hits(function() {
    data <- growth(30, 6)
    data$y <- data$b + as.vector(replicate(30, stats::arima.sim(list(ar = 0.5), 6))) + 0.2 * data$t
    lmm(y ~ t + (1 | g), data, correlation = ar1(~ t | g))
  }, 60L, 40L)
  expect_true(all(hits[, "now"] >= stats::qbinom(5e-4, 60, 0.95)))
})

test_that("correlation that is there is found", {
  set.seed(13)
  data <- growth(20, 15)
  data$y <- data$b + as.vector(replicate(20, stats::arima.sim(list(ar = 0.6), 15)))
  table <- plot_data(lmm(y ~ t + (1 | g), data), "acf")
  expect_gt(table$acf[1], table$upper[1])
  expect_true(all(is.na(table$model)))
})

test_that("the expected autocorrelation of residuals after group means is -1 / (n - 1), the closed form", {
  # balanced one-way layout with a large variance of groups: the residuals are deviations from means of 5 rows, whose
  # correlation is -1/4 at every lag
  set.seed(14)
  data <- growth(60, 5)
  data$y <- 100 * data$b + stats::rnorm(nrow(data))
  table <- plot_data(lmm(y ~ 1 + (1 | g), data), "acf")
  expect_equal(table$expected, rep(-0.25, 4), tolerance = 0.06)
  expect_identical(attr(table, "draws"), 199L)
})

test_that("a band is the same again, and the generator of the user is left alone", {
  fit <- shared_fit("slope")
  set.seed(5)
  before <- .Random.seed
  first <- plot_data(fit, "acf")
  expect_identical(.Random.seed, before)
  set.seed(99, kind = "Wichmann-Hill")
  second <- plot_data(fit, "acf")
  expect_identical(RNGkind()[1], "Wichmann-Hill")
  RNGkind("default")
  expect_identical(first, second)
  rm(".Random.seed", envir = globalenv())
  plot_data(fit, "acf")
  expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
  set.seed(1)
})

test_that("rows in any order and with gaps have the products of the definition", {
  set.seed(15)
  data <- growth(12, 9)
  data$y <- data$b + stats::rnorm(nrow(data))
  data <- data[sample(nrow(data), 90), ]
  fit <- suppressMessages(lmm(y ~ 1 + (1 | g), data, correlation = ar1(~ t | g)))
  table <- plot_data(fit, "acf")
  white <- residuals(fit, type = "normalized")
  for (k in table$lag) {
    pairs <- outer(data$g, data$g, "==") & outer(data$t, data$t, "-") == k
    at <- which(pairs, arr.ind = TRUE)
    expect_identical(nrow(at), table$pairs[table$lag == k])
    expect_equal(table$acf[table$lag == k], mean(white[at[, 1]] * white[at[, 2]]) / mean(white^2))
  }
})

test_that("draws differ between data of a shape, and not between units of the response", {
  set.seed(14)
  data <- growth(10, 6)
  data$y <- data$b + stats::rnorm(60)
  first <- plot_data(lmm(y ~ t + (1 | g), data), "acf")
  scaled <- plot_data(lmm(I(1024 * y) ~ t + (1 | g), data), "acf")
  expect_equal(scaled$lower, first$lower, tolerance = 1e-6)
  seeds <- vapply(1:20, function(i) {
    data$y <- data$b + stats::rnorm(60)
    response_seed(lmm(y ~ t + (1 | g), data))
  }, 0L)
  expect_false(anyDuplicated(seeds) > 0)
  data$y <- rep(0:1, 30)
  expect_false(is.na(response_seed(suppressMessages(lmm(y ~ t + (1 | g), data)))))
})
