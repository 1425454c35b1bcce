# Random terms that update() removes. Reference: the model fitted to the formula as it should be, and lme4's update().

messages_of <- function(expr) {
  found <- list()
  withCallingHandlers(expr, message = function(m) {
    found[[length(found) + 1L]] <<- m
    invokeRestart("muffleMessage")
  })
  found
}

changed <- function(fit, change) suppressMessages(update(fit, change))

test_that("each part of a term with two bars can be removed, as with lme4", {
  skip_if_not_installed("lme4")
  d <- sleep_data()
  d$h <- gl(3, 1, 180)
  fit <- lmm(y ~ x + (x || g), d)
  peer <- lme4::lmer(y ~ x + (x || g), d)
  cases <- list(
    list(. ~ . - (0 + x | g), y ~ x + (1 | g)),
    list(. ~ . - (1 | g), y ~ x + (0 + x | g)),
    list(. ~ . - (1 | g) - (0 + x | g) + (1 | h), y ~ x + (1 | h))
  )
  for (case in cases) {
    own <- changed(fit, case[[1L]])
    expect_identical(formula(own), case[[2L]], ignore_formula_env = TRUE)
    theirs <- suppressMessages(update(peer, case[[1L]]))
    expect_equal(own$criterion, as.double(lme4::REMLcrit(theirs)), tolerance = 1e-7)
  }
})

test_that("terms are found by what they are, however they are written", {
  d <- sleep_data()
  d$f <- gl(2, 1, 180)
  d$z <- cos(seq_len(180))
  written <- function(formula, change) formula(changed(suppressMessages(lmm(formula, d)), change))
  same <- function(a, b) expect_identical(a, b, ignore_formula_env = TRUE)
  same(written(y ~ x + (x | g), . ~ . - (1 + x | g) + (1 | g)), y ~ x + (1 | g))
  same(written(y ~ x * f + (1 | g / f), . ~ . - (1 | g:f) - f:x), y ~ x + f + (1 | g))
  same(written(y ~ x + (1 | g / f), . ~ . - (1 | g)), y ~ x + (1 | f:g))
  same(written(y ~ x + (x + z || g), . ~ . - (0 + z | g)), y ~ x + (1 + x || g))
  same(written(y ~ x + (x + z || g), . ~ . - (x || g)), y ~ x + (0 + z | g))
  same(written(y ~ (z + (x || g)), . ~ . - (0 + x | g)), y ~ z + (1 | g))
  same(written(y ~ diag(x | g), . ~ . - (0 + x | g)), y ~ (1 | g))
  same(written(y ~ x + cs(f | g) + (0 + x | g), . ~ . - cs(f | g)), y ~ x + (0 + x | g))
  # a factor stays several columns with a variance each
  same(written(y ~ (x + f || g), . ~ . - (1 | g) - (0 + x | g)), y ~ (0 + f || g))
  same(written(y ~ x | g, . ~ . + x), y ~ (x | g) + x)
})

test_that("names that are no names in R do not matter", {
  d <- stats::setNames(sleep_data(), c("my y", "x:1", "g | h"))
  fit <- lmm(`my y` ~ `x:1` + (`x:1` || `g | h`), d)
  expect_identical(
    formula(update(fit, . ~ . - (0 + `x:1` | `g | h`))), `my y` ~ `x:1` + (1 | `g | h`), ignore_formula_env = TRUE
  )
})

test_that("a removal that removes nothing says so and leaves the model as it is", {
  d <- sleep_data()
  d$z <- cos(seq_len(180))
  fit <- lmm(y ~ x + (x | g), d)
  absent <- list(. ~ . - (0 + x | g), . ~ . - (x || g), . ~ . - (1 | z), . ~ . - z, . ~ . - x:z, . ~ . - offset(z))
  for (change in absent) {
    found <- messages_of(same <- update(fit, change))
    expect_length(found, 1L)
    expect_three_lines(found[[1L]], "ferrite_message_update")
    expect_match(conditionMessage(found[[1L]]), "nothing is removed")
    expect_equal(same$criterion, fit$criterion, tolerance = 1e-12)
  }
  expect_match(conditionMessage(messages_of(update(fit, . ~ . - (0 + x | g)))[[1L]]), "`(x | g)`", fixed = TRUE)
  for (change in list(. ~ . - x, . ~ . - 1, . ~ . + z - z, . ~ . - (x | g) + (1 | g), y ~ 1 + (1 | g))) {
    expect_length(messages_of(update(fit, change)), 0L)
  }
  expect_error(update(fit, . ~ . - (x | g)), class = "ferrite_error_formula")
})

test_that("the arguments of update() are checked", {
  fit <- lmm(y ~ x + (1 | g), sleep_data())
  for (flag in list(NA, "yes", NULL, 1, c(TRUE, TRUE))) {
    expect_three_lines(tryCatch(update(fit, evaluate = flag), error = identity), "ferrite_error_argument")
  }
  for (change in list(3, NULL, NA, "y ~ ~", quote(x), . ~ . - (1 | g) * 2)) {
    expect_three_lines(tryCatch(update(fit, change), error = identity), "ferrite_error_formula")
  }
  expect_identical(formula(update(fit, "~ . - x")), y ~ (1 | g), ignore_formula_env = TRUE)
})
