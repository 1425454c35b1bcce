# Whether the search finds the lowest optimum, whatever it starts from, and at what cost.
#
# Source of the numbers: minimisation from random starts and lme4's own optimisers. bench/search.R does the same for
# many more data sets.

quiet_fit <- function(...) suppressMessages(lmm(...))

two_minima <- function() {
  data.frame(s = c(1, 1, 2, 2, 3, 3, 3, 4, 4, 4), b = c(1, 4, 3, 4, 4, 2, 3, 2, 2, 2),
             y = c(2.97, -.0213, .0188, .725, .396, -.405, .515, 1.68, .0815, 1.82))
}

# Few rows, unequal levels, tied values, effects that move together.
messy <- function(seed) {
  with_seed(seed, NULL, {
    n <- sample(12:40, 1L)
    pick <- function(levels) sample.int(levels, n, TRUE, stats::rexp(levels) + 0.1)
    data <- data.frame(s = pick(sample(3:8, 1L)), b = pick(sample(3:6, 1L)), x = sample(0:3, n, TRUE))
    u <- stats::rnorm(8L)[data$s]
    effects <- sample(0:2, 1L) * u + sample(-1:1, 1L) * u * data$x + stats::rnorm(6L)[data$b]
    data$y <- signif(stats::rnorm(n) + effects, 3L)
    formula <- list(y ~ 1 + (1 | s) + (1 | b), y ~ x + (x | s), y ~ 1 + (x | s) + (1 | b), y ~ 1 + (1 | s / b))
    list(formula = formula[[seed %% 4L + 1L]], data = data)
  })
}

test_that("the lower of two minima is found, and a start does not change it", {
  formula <- y ~ 1 + (1 | s) + (1 | b)
  fit <- quiet_fit(formula, two_minima())
  expect_close(fit$criterion, 28.79706047, 1e-8)
  expect_true(convergence(fit)$global)
  for (start in list(c(0, 0.8), c(0, 0), c(5, 0), c(30, 30))) {
    expect_close(quiet_fit(formula, two_minima(), start = start)$criterion, fit$criterion, 1e-10)
  }
  skip_if_not_installed("lme4")
  theirs <- suppressMessages(lme4::lmer(formula, two_minima()))
  expect_lt(fit$criterion, lme4::REMLcrit(theirs) + 1e-6)
})

test_that("no random start leads lower, nor do the optimisers of lme4", {
  for (seed in 1:60) {
    case <- messy(seed)
    fit <- tryCatch(quiet_fit(case$formula, case$data), error = identity)
    if (inherits(fit, "ferrite_error_unidentified") || inherits(fit, "ferrite_error_perfect_fit")) next
    expect_s3_class(fit, "lmm")
    size <- 1e-6 * (1 + abs(fit$criterion))
    starts <- with_seed(seed, NULL, replicate(4L, stats::rnorm(length(fit$theta), 0, sample(c(0.3, 1, 4), 1L)), FALSE))
    for (start in starts) {
      other <- quiet_fit(case$formula, case$data, start = start)
      expect_lt(fit$criterion, other$criterion + size, label = paste("seed", seed))
    }
    if (requireNamespace("lme4", quietly = TRUE)) {
      theirs <- tryCatch(
        suppressWarnings(suppressMessages(lme4::lmer(case$formula, case$data))), error = function(e) NULL
      )
      if (!is.null(theirs)) expect_lt(fit$criterion, lme4::REMLcrit(theirs) + size, label = paste("seed", seed))
    }
  }
})

test_that("the certificate says whether other optima were looked for", {
  # Balanced, one term: the criterion has one minimum.
  balanced <- convergence(shared_fit("slope"))
  expect_true(balanced$global)
  expect_identical(balanced$faces, c(looked = 0, of = 0))
  expect_match(printed(balanced), "Other optima: +there are none")

  # Two variances, each zero or not, and one start far out.
  small <- convergence(quiet_fit(y ~ 1 + (1 | s) + (1 | b), two_minima()))
  expect_identical(small$faces, c(looked = 5, of = 5))
  expect_match(printed(small), "looked for from 5 of 5 faces\n")

  # 300 crossed with 250 levels: an evaluation is dear.
  data <- with_seed(1, NULL, {
    data.frame(a = sample(300, 2000, TRUE), b = sample(250, 2000, TRUE), y = stats::rnorm(2000))
  })
  data$y <- data$y + with_seed(2, NULL, stats::rnorm(300))[data$a] + with_seed(3, NULL, stats::rnorm(250))[data$b]
  large <- lmm(y ~ 1 + (1 | a) + (1 | b), data)
  expect_false(convergence(large)$global)
  expect_match(convergence_line(large), "certified optimum (local, ", fixed = TRUE)
  expect_match(printed(convergence(large)), "a local optimum")
})

test_that("a looser tolerance takes fewer evaluations, and the certificate shows it", {
  data <- with_seed(4, NULL, data.frame(g = sample(30, 300, TRUE), h = sample(20, 300, TRUE), x = stats::rnorm(300)))
  data$y <- with_seed(5, NULL, stats::rnorm(300) + stats::rnorm(30)[data$g] + stats::rnorm(20)[data$h])
  tight <- quiet_fit(y ~ x + (x | g) + (1 | h), data)
  loose <- quiet_fit(y ~ x + (x | g) + (1 | h), data, control = lmm_control(tolerance = 0.01))
  expect_lt(loose$convergence$evaluations, tight$convergence$evaluations)
  expect_lte(loose$convergence$decrement, 0.01)
  expect_gt(loose$convergence$decrement, tight$convergence$decrement)
  expect_lt(loose$criterion - tight$criterion, 0.01)
})

test_that("near singular fits take at most 100 evaluations, nested factors and all", {
  # Two of four variances are zero: the score leads to the boundary, and second derivatives are exact in nested factors.
  for (seed in 1:20) {
    data <- with_seed(seed, NULL, {
      data <- data.frame(school = rep(1:50, each = 30), cls = rep(rep(1:5, each = 6), 50), x = stats::rnorm(1500),
                         z = stats::rnorm(1500))
      u <- matrix(stats::rnorm(100), 50)
      data$y <- 1 + data$x + 0.5 * u[data$school, 1] + 0.3 * u[data$school, 2] * data$x + stats::rnorm(1500)
      data
    })
    fit <- quiet_fit(y ~ x + z + (x + z | school) + (1 | school:cls), data)
    expect_true(fit$convergence$status %in% c("converged", "on_boundary"), label = paste("seed", seed))
    expect_lte(fit$convergence$evaluations, 100, label = paste("seed", seed))
  }
})
