refused <- function(formula, data = front_data(), ...) {
  expect_three_lines(tryCatch(design_for(formula, data, ...), error = identity), "ferrite_error_unidentified")
}

test_that("a column that enters a grouping factor twice is refused", {
  refused(y ~ x + (1 | g) + (1 | g))
  refused(y ~ x + (x | g) + (1 | g))
  refused(y ~ x + (x || g) + (0 + x | g))
  refused(y ~ x + (1 | a / b) + (1 | a))
  refused(y ~ x + (1 | a:b) + (1 | b:a))
  expect_no_error(design_for(y ~ x + (1 | g) + (0 + x | g), front_data()))
})

test_that("one partition under two names is refused", {
  data <- front_data()
  data$h <- paste0("level", 99 - data$g)
  refused(y ~ x + (1 | g) + (1 | h), data)
  refused(y ~ x + (1 | g) + (x | factor(g)), data)
  expect_no_error(design_for(y ~ x + (1 | g) + (0 + x | h), data))
})

test_that("one level for each row is refused when the products of the columns make up the residual variance", {
  data <- front_data()
  data$id <- sample(48)
  data$sign <- rep(c(-1, 1), 24)
  data$w <- 1 + data$rep
  refused(y ~ x + (1 | id), data)
  refused(y ~ x + (x | id), data)
  refused(y ~ x + (0 + f | id), data)
  refused(y ~ x + (1 | z), data)
  refused(y ~ x + (0 + sign | id), data)
  refused(y ~ x + (1 | a / id), data)
  refused(y ~ x + (1 | id), data, weights = rep(3, 48))
  refused(y ~ x + (0 + I(1 / sqrt(w)) | id), data, weights = data$w)
  expect_no_error(design_for(y ~ x + (0 + x | id), data))
  expect_no_error(design_for(y ~ x + (1 | id), data, weights = data$w))
})

# Directions that only the sums show: the engine's rank, in the user's names -----------------------------------------

# 12 groups of 5 rows and a factor `f` that is constant within them, with two levels.
constant_data <- function(seed) {
  seeded(seed, {
    data <- data.frame(g = factor(rep(1:12, each = 5)), x = stats::rnorm(60))
    data$f <- factor(ifelse(as.integer(data$g) %% 2 == 0, "one", "two"))
    data$two <- as.double(data$f == "two")
    data$h <- factor(rep(1:5, 12))
    sd <- stats::runif(3, 0, 2)
    data$y <- data$x + sd[1] * stats::rnorm(12)[data$g] + sd[2] * data$two * stats::rnorm(12)[data$g] +
      sd[3] * stats::rnorm(5)[data$h] + stats::rnorm(60)
    data
  })
}

unidentified <- function(...) {
  error <- signalled(lmm(...))
  expect_three_lines(error, "ferrite_error_unidentified")
  error
}

test_that("a factor that is constant within the groups has no slope, and the error names a model that works", {
  data <- constant_data(1)
  for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
    for (start in list(NULL, c(1, 0, 1), c(0.3, -0.9, 0), c(2, 1.5, 0.1))) {
      error <- unidentified(y ~ x + (f | g), data, REML = REML, start = start)
      expect_match(conditionMessage(error), "In `(f | g)`", fixed = TRUE)
      expect_match(conditionMessage(error), "`ftwo` does not vary within `g`", fixed = TRUE)
      expect_match(conditionMessage(error), "Write `(0 + f || g)`", fixed = TRUE)
      expect_identical(error$suggestion, "(0 + f || g)")
      expect_identical(error$columns, "ftwo")
    }
  }
  fit <- suppressMessages(lmm(y ~ x + (0 + f || g), data))
  expect_true(fit$convergence$status %in% c("converged", "on_boundary"))
  # the intercepts and the difference make the same matrices; a covariance of zero leaves fewer of them
  restricted <- suppressMessages(lmm(y ~ x + (two || g), data))
  expect_lt(fit$criterion, restricted$criterion + 1e-8)
})

test_that("sixty data sets of that kind are all refused, whatever their estimates would be", {
  for (seed in 1:60) {
    data <- constant_data(seed)
    error <- unidentified(y ~ x + (f | g), data)
    expect_identical(error$suggestion, "(0 + f || g)")
    other <- unidentified(y ~ x + (1 | h) + (x + two | g), data)
    expect_match(conditionMessage(other), "`two` does not vary within `g`", fixed = TRUE)
    expect_match(conditionMessage(other), "for `(x + two | g)`", fixed = TRUE)
    expect_no_error(suppressWarnings(suppressMessages(
      lmm(stats::as.formula(paste("y ~ x + (1 | h) +", other$suggestion)), data)
    )))
  }
})

test_that("Gender of carrots is refused, and the model that is named has the likelihood that all correlations had", {
  skip_if_not_installed("lmerTest")
  carrots <- lmerTest::carrots
  error <- unidentified(Preference ~ sens2 + (Gender | Consumer), carrots)
  expect_identical(error$suggestion, "(0 + Gender || Consumer)")
  fit <- lmm(Preference ~ sens2 + (0 + Gender || Consumer), carrots)
  # lme4 1.1-31 has this deviance for (Gender | Consumer) at every correlation from -0.9 to 0.9
  expect_lt(abs(-2 * as.numeric(logLik(fit)) - 3752.46953769), 1e-7)
})

test_that("aliases between terms are named with the term to remove, and what is left works", {
  data <- constant_data(3)
  data$both <- interaction(data$f, data$h)
  data$cell <- interaction(data$g, data$h)
  error <- unidentified(y ~ x + (1 | g) + (1 | f:g) + (1 | h), data)
  expect_match(conditionMessage(error), "group the rows differently", fixed = TRUE)
  error <- unidentified(y ~ x + (1 | g) + (0 + two | g) + (0 + I(1 - two) | g), data)
  expect_identical(length(error$terms), 3L)
  expect_match(conditionMessage(error), "Remove `", fixed = TRUE)
  error <- unidentified(y ~ x + f + (1 | g) + (1 | f), data)
  expect_match(conditionMessage(error), "made from the fixed part", fixed = TRUE)
  error <- unidentified(y ~ g + (x | g), data)
  expect_identical(error$suggestion, "(0 + x | g)")
  expect_no_error(suppressMessages(lmm(y ~ g + (0 + x | g), data)))
})

test_that("slopes that the data can tell apart are fitted", {
  data <- constant_data(5)
  data$level <- as.double(data$g)
  # a covariate of the groups with many values: the variance between groups is a parabola in it
  expect_no_error(suppressWarnings(suppressMessages(lmm(y ~ x + (level | g), data))))
  expect_no_error(suppressMessages(lmm(y ~ x + (x | g) + (f | h), data)))
  data$y[1:20] <- NA
  expect_no_error(suppressMessages(lmm(y ~ x + (x | g), data)))
})

test_that("more parameters than rows, or than the rows within groups can tell apart, are refused at once", {
  of <- function(n, levels, q) {
    data <- seeded(4, data.frame(y = stats::rnorm(n), g = rep(seq_len(levels), each = n / levels),
                                 matrix(stats::rnorm(n * (q - 1)), n)))
    left <- paste(names(data)[-(1:2)], collapse = " + ")
    time <- system.time(error <- unidentified(stats::as.formula(paste("y ~ 1 + (", left, "| g)")), data))[["elapsed"]]
    expect_lt(time, 5)
    conditionMessage(error)
  }
  for (levels in c(4, 10, 20)) expect_match(of(80, levels, 34), "80 observations and 595 variances", fixed = TRUE)
  # three rows a level tell six products, enough for six parameters over 36 levels
  data <- seeded(6, data.frame(y = stats::rnorm(108), g = rep(1:36, each = 3), matrix(stats::rnorm(108 * 13), 108)))
  expect_no_error(suppressWarnings(suppressMessages(lmm(y ~ 1 + (X1 + X2 | g), data))))
})
