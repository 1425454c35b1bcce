# Random terms with a structured covariance matrix, in the words of lme4 2.0.
#
# Sources: the same models written otherwise, glmmTMB, the definition of the model by dense matrices.

structured_data <- function() {
  data <- as.data.frame(nlme::Orthodont)
  data$v <- factor(data$age)
  data
}

term_read <- function(text) {
  parsed <- parse_formula(stats::as.formula(paste("y ~ x +", text)))
  lapply(parsed$random, `[`, c("lhs", "group", "uncorrelated", "structure", "text"))
}

test_that("words become structures, with the defaults of lme4 2.0", {
  kind <- function(text) term_read(text)[[1]]$structure
  expect_null(kind("us(x | g)"))
  expect_null(kind("diag(x | g)"))
  expect_true(term_read("diag(x | g)")[[1]]$uncorrelated)
  expect_identical(kind("diag(f | g, hom = TRUE)"), list(kind = "diag", hom = TRUE))
  expect_identical(kind("cs(x | g)"), list(kind = "cs", hom = FALSE))
  expect_identical(kind("cs(x | g, hom = T)"), list(kind = "cs", hom = TRUE))
  expect_identical(kind("ar1(0 + f | g)"), list(kind = "ar1", hom = TRUE))
  expect_identical(kind("(ar1(0 + f | g, hom = FALSE))"), list(kind = "ar1", hom = FALSE))
  nested <- term_read("cs(x | a/b)")
  expect_identical(vapply(nested, `[[`, "", "text"), c("cs(x | b:a)", "cs(x | a)"))
  expect_identical(nested[[2]]$structure, list(kind = "cs", hom = FALSE))
  expect_identical(parse_formula(y ~ cs(x, z) + (1 | g))$fixed, quote(cs(x, z)))
})

test_that("terms that need no structure are the ordinary ones", {
  data <- sleep_data()
  same_fit <- function(a, b) expect_identical(a$criterion, b$criterion)
  same_fit(lmm(y ~ x + us(x | g), data), lmm(y ~ x + (x | g), data))
  same_fit(lmm(y ~ x + diag(x | g), data), lmm(y ~ x + (x || g), data))
  expect_equal(lmm(y ~ x + cs(x | g), data)$criterion, lmm(y ~ x + (x | g), data)$criterion, tolerance = 1e-11)
  expect_equal(lmm(y ~ x + diag(1 | g, hom = TRUE), data)$criterion, lmm(y ~ x + (1 | g), data)$criterion)
})

test_that("structured terms have the likelihood of the model and the right number of parameters", {
  data <- structured_data()
  data$y <- data$distance
  twice <- rbind(data, data)
  twice$y <- twice$y + seeded(3, stats::rnorm(nrow(twice), 0, 0.5))
  terms <- list(
    list(quote(cs(0 + v | Subject)), 5L, 2L), list(quote(cs(0 + v | Subject, hom = TRUE)), 2L, 2L),
    list(quote(ar1(0 + v | Subject)), 2L, 2L), list(quote(ar1(0 + v | Subject, hom = FALSE)), 5L, 2L),
    list(quote(diag(0 + v | Subject, hom = TRUE)), 1L, 2L)
  )
  for (term in terms) {
    formula <- stats::as.formula(call("~", quote(y), call("+", quote(age), term[[1]])))
    for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
      fit <- suppressMessages(lmm(formula, twice, REML = REML))
      expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
      expect_identical(fit$npar, term[[2]] + term[[3]] + 1L)
    }
  }
})

test_that("covariance matrices have their pattern", {
  data <- structured_data()
  ar1 <- lmm(distance ~ age + ar1(0 + v | Subject), data, dispersion = ~ Sex)
  correlation <- attr(VarCorr(ar1)$Subject, "correlation")
  rho <- correlation[1, 2]
  expect_equal(unname(correlation), rho^abs(outer(1:4, 1:4, "-")), tolerance = 1e-10)
  expect_equal(diff(diag(ar1$random[[1]]$varcov)), c(v10 = 0, v12 = 0, v14 = 0), tolerance = 1e-10)
  twice <- rbind(data, data)
  twice$distance <- twice$distance + seeded(3, stats::rnorm(nrow(twice), 0, 0.5))
  cs <- lmm(distance ~ age + cs(0 + v | Subject), twice)
  correlation <- attr(VarCorr(cs)$Subject, "correlation")
  expect_equal(correlation[lower.tri(correlation)], rep(correlation[2, 1], 6), tolerance = 1e-8)
})

test_that("structured terms fit as in glmmTMB", {
  skip_if_not_installed("glmmTMB")
  data <- structured_data()
  as_other <- function(formula, other = formula, dispersion = ~ 1) {
    for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
      fit <- suppressMessages(lmm(formula, data, REML = REML, dispersion = dispersion))
      tmb <- suppressWarnings(glmmTMB::glmmTMB(other, data, REML = REML, dispformula = dispersion))
      value <- -2 * as.numeric(logLik(tmb))
      if (is.na(value)) next
      expect_lt(fit$criterion - value, 1e-6)
      expect_gt(fit$criterion - value, -1e-4)
      expect_identical(as.integer(fit$npar), as.integer(attr(logLik(tmb), "df")))
    }
  }
  as_other(distance ~ age + ar1(0 + v | Subject))
  as_other(distance ~ age + ar1(0 + v | Subject), dispersion = ~ Sex)
  as_other(distance ~ age + diag(age | Subject))
  as_other(distance ~ age * Sex + cs(Sex | v) + (1 | Subject))
})

test_that("a term is printed in few rows", {
  data <- structured_data()
  fit <- lmm(distance ~ age + ar1(0 + v | Subject), data, dispersion = ~ Sex)
  text <- capture.output(print(fit))
  expect_match(text, "^ Subject  v8, ..., v14 +2\\.2[0-9]+ 0\\.9[0-9] \\(ar1\\)$", all = FALSE)
  expect_identical(nrow(as.data.frame(VarCorr(fit))), 12L)
  fit <- lmm(y ~ x + cs(x | g), sleep_data())
  expect_match(capture.output(print(fit)), "0.07 (cs)", fixed = TRUE, all = FALSE)
  expect_no_match <- function(x, pattern) expect_false(any(grepl(pattern, x)))
  fit <- lmm(y ~ x + diag(x | g, hom = TRUE), sleep_data())
  expect_no_match(capture.output(print(fit)), "Corr")
  expect_match(capture.output(print(fit)), "(Intercept), x", fixed = TRUE, all = FALSE)
  expect_identical(convergence(fit)$parameters, 1L)
})

test_that("update keeps structured terms", {
  data <- sleep_data()
  fit <- lmm(y ~ x + cs(x | g, hom = TRUE), data)
  expect_equal(update(fit, REML = FALSE)$criterion, lmm(formula(fit), data, REML = FALSE)$criterion)
  expect_identical(update(fit, . ~ . + I(x^2))$random[[1]]$structure, list(kind = "cs", hom = TRUE))
  expect_three_lines(signalled(update(fit, . ~ . * x)), "ferrite_error_formula")
})

test_that("wrong terms are named", {
  data <- structured_data()
  said <- function(error, text, class = "structure") {
    expect_three_lines(error, paste0("ferrite_error_", class))
    expect_match(conditionMessage(error), text, fixed = TRUE)
  }
  said(signalled(lmm(distance ~ cs(1 | Subject), data)), "Write `(1 | Subject)`")
  said(signalled(lmm(distance ~ cs(age | Subject, TRUE), data)), "hom = TRUE")
  said(signalled(lmm(distance ~ cs(age | Subject, hom = 2), data)), "hom = TRUE")
  said(signalled(lmm(distance ~ cs(age || Subject), data)), "one bar")
  said(signalled(lmm(distance ~ us(age | Subject, hom = TRUE), data)), "one argument")
  said(signalled(lmm(distance ~ ar1(age | Subject), data)), "no factor")
  said(signalled(lmm(distance ~ ar1(v | Subject), data)), "0 + f")
  said(signalled(lmm(distance ~ toep(0 + v | Subject), data)), "toep")
  said(signalled(lmm(distance ~ homcs(0 + v | Subject), data)), "Write `cs(0 + v | Subject, hom = TRUE)`.")
  said(signalled(lmm(distance ~ cs(0 + v | Subject, hom = TRUE), data)), "one row for each effect", "unidentified")
  said(signalled(lmm(distance ~ age * cs(0 + v | Subject), data)), "`+`", "formula")
  data$v2 <- factor(data$v, levels = c("10", "8", "12", "14"))
  expect_warning(lmm(distance ~ age + ar1(0 + v2 | Subject), data), class = "ferrite_warning_levels")
})

test_that("variances that a dispersion or a correlation leaves unidentified are refused, not searched", {
  data <- structured_data()
  refused <- function(...) expect_three_lines(signalled(lmm(...)), "ferrite_error_unidentified")
  refused(distance ~ age + cs(0 + v | Subject, hom = TRUE), data, dispersion = ~ Sex)
  refused(distance ~ age + diag(0 + v | Subject, hom = TRUE), data, dispersion = ~ Sex)
  refused(distance ~ age + cs(0 + v | Subject, hom = TRUE), data, correlation = cs(~ 1 | Subject))
  fit <- lmm(distance ~ age + cs(0 + v | Subject, hom = TRUE), data, correlation = ar1(~ 1 | Subject))
  expect_identical(fit$convergence$status, "on_boundary")
})

test_that("a correlation at its limit is exactly there, and its interval ends there", {
  data <- structured_data()
  fit <- suppressMessages(lmm(distance ~ age + cs(0 + v | Subject), data))
  expect_lt(max(abs(attr(VarCorr(fit)$Subject, "correlation") - 1)), 1e-12)
  expect_identical(fit$random[[1]]$rank, 1L)
  expect_gt(convergence(fit)$iterations, 0)
  fit <- lmm(distance ~ age + ar1(0 + v | Subject), data, dispersion = ~ Sex)
  limits <- confint(fit, "cor_ar1|Subject")
  expect_gt(limits[1L], 0.5)
  expect_identical(limits[2L], 1)
})
