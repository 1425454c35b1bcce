# Residual standard deviations that depend on factors and covariates.
#
# Sources: nlme's lme() on its own data sets, glmmTMB for crossed factors, the definition of the model by dense
# matrices.

test_that("strata are those of nlme's varIdent()", {
  expect_as_lme(
    distance ~ age * Sex + (age | Subject), distance ~ age * Sex, ~ age | Subject, nlme::Orthodont,
    dispersion = ~ Sex, weights = nlme::varIdent(form = ~ 1 | Sex)
  )
  expect_as_lme(
    conc ~ age + (1 | Lot), conc ~ age, ~ 1 | Lot, nlme::IGF,
    dispersion = ~ Lot, weights = nlme::varIdent(form = ~ 1 | Lot)
  )
})

test_that("functions of covariates are those of nlme's varPower() and varExp()", {
  expect_as_lme(
    weight ~ Time * Diet + (Time | Rat), weight ~ Time * Diet, ~ Time | Rat, nlme::BodyWeight,
    dispersion = ~ power(Time), weights = nlme::varPower(form = ~ Time)
  )
  expect_as_lme(
    rate ~ (pressure + I(pressure^2) + I(pressure^3)) * QB + (1 | Subject),
    rate ~ (pressure + I(pressure^2) + I(pressure^3)) * QB, ~ 1 | Subject, nlme::Dialyzer,
    dispersion = ~ power(pressure), weights = nlme::varPower(form = ~ pressure)
  )
  expect_as_lme(
    distance ~ age * Sex + (1 | Subject), distance ~ age * Sex, ~ 1 | Subject, nlme::Orthodont,
    dispersion = ~ age, weights = nlme::varExp(form = ~ age)
  )
})

test_that("strata and covariates together are nlme's varComb()", {
  expect_as_lme(
    distance ~ age + (1 | Subject), distance ~ age, ~ 1 | Subject, nlme::Orthodont, dispersion = ~ Sex + power(age),
    weights = nlme::varComb(nlme::varIdent(form = ~ 1 | Sex), nlme::varPower(form = ~ age))
  )
  expect_as_lme(
    distance ~ age + (1 | Subject), distance ~ age, ~ 1 | Subject, nlme::Orthodont, dispersion = ~ Sex:power(age),
    weights = nlme::varPower(form = ~ age | Sex)
  )
})

test_that("crossed factors with strata and weights have the likelihood of the model", {
  data <- crossed_data()
  for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
    fit <- lmm(y ~ x + (1 | a) + (1 | b), data, REML = REML, weights = w, dispersion = ~ s)
    expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
    expect_equal(criterion_at_fit(fit, !REML), dense_criterion(fit, !REML), tolerance = 1e-10)
    fit <- lmm(y ~ x + (x | a) + (1 | b), data, REML = REML, weights = w, dispersion = ~ s + x)
    expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
  }
})

test_that("crossed factors with strata fit at least as well as in glmmTMB", {
  skip_if_not_installed("glmmTMB")
  data <- crossed_data()
  for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
    fit <- lmm(y ~ x + (1 | a) + (1 | b), data, REML = REML, dispersion = ~ s)
    other <- suppressWarnings(glmmTMB::glmmTMB(y ~ x + (1 | a) + (1 | b), data, dispformula = ~ s, REML = REML))
    expect_equal(fit$criterion, -2 * as.numeric(logLik(other)), tolerance = 1e-6 / fit$criterion)
    expect_lt(fit$criterion + 2 * as.numeric(logLik(other)), 1e-7)
    expect_identical(as.integer(fit$npar), as.integer(attr(logLik(other), "df")))
  }
})

test_that("strata are the levels that occur, whatever the kind of the variable and the reference", {
  data <- as.data.frame(nlme::Orthodont)
  data$text <- as.character(data$Sex)
  data$girl <- data$Sex == "Female"
  data$other <- factor(data$text, levels = c("Female", "nobody", "Male"))
  formula <- distance ~ age * Sex + (1 | Subject)
  first <- lmm(formula, data, dispersion = ~ Sex)
  for (dispersion in list(~ text, ~ girl, ~ other, ~ factor(text), ~ 0 + Sex, ~ interaction(Sex, drop = TRUE))) {
    fit <- lmm(formula, data, dispersion = dispersion)
    expect_equal(fit$criterion, first$criterion, tolerance = 1e-11)
    expect_equal(sort(residual_strata(fit)$sd), sort(residual_strata(first)$sd), tolerance = 1e-6)
  }
  expect_identical(residual_strata(lmm(formula, data, dispersion = ~ other))$level, c("Female", "Male"))
  expect_identical(residual_strata(first)$n, c(64L, 44L))
})

test_that("combinations have a standard deviation each, sums of factors have ratios", {
  data <- crossed_data()
  data$h <- data$x > 0
  each <- lmm(y ~ x + (1 | a), data, dispersion = ~ s:h)
  expect_identical(names(each$residual$phi), residual_strata(each)$level[-1])
  expect_equal(lmm(y ~ x + (1 | a), data, dispersion = ~ s * h)$criterion, each$criterion)
  one <- lmm(y ~ x + (1 | a), data, dispersion = ~ interaction(s, h))
  expect_equal(one$criterion, each$criterion, tolerance = 1e-10)
  sums <- lmm(y ~ x + (1 | a), data, dispersion = ~ s + h)
  expect_identical(names(sums$residual$phi), c("smid", "shigh", "hTRUE"))
  sd <- matrix(residual_strata(sums)$sd, 2)
  expect_equal(sd[1, ] / sd[2, ], rep(sd[1, 1] / sd[2, 1], 3), tolerance = 1e-12)
  expect_gt(sums$criterion, each$criterion)
  expect_equal(each$npar - sums$npar, 2L)
})

test_that("rows with a missing stratum are dropped, in any order of rows", {
  data <- crossed_data()
  data$s[c(3, 50)] <- NA
  fit <- lmm(y ~ x + (1 | a), data, dispersion = ~ s)
  expect_identical(fit$nobs, nrow(data) - 2L)
  sorted <- lmm(y ~ x + (1 | a), data[order(data$s, data$x), ], dispersion = ~ s)
  expect_equal(sorted$criterion, fit$criterion, tolerance = 1e-11)
})

test_that("what is kept gives the standard deviations of all rows and of others", {
  data <- crossed_data()
  fit <- lmm(y ~ x + (1 | a), data, weights = w, dispersion = ~ s)
  ratio <- c(low = 1, exp(fit$residual$phi))
  names(ratio) <- levels(data$s)
  expect_equal(residual_sd(fit), unname(ratio[as.character(data$s)]) / sqrt(data$w))
  other <- data.frame(s = c("high", "new", NA, "low"))
  expect_equal(residual_sd(fit, other), c(ratio[["high"]], NA, NA, 1))
  fit <- lmm(y ~ x + (1 | a), data, dispersion = ~ power(w) + poly(x, 2))
  expect_identical(names(fit$residual$phi), c("power(w)", "poly(x, 2)1", "poly(x, 2)2"))
  expect_equal(refit_frame(fit)$criterion, fit$criterion, tolerance = 1e-11)
  expect_equal(residual_sd(fit, fit$frame), residual_sd(fit))
  expect_length(design_of(fit)$residual$scale, 1L)
})

test_that("the fit is read as it was written", {
  fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont, dispersion = ~ Sex)
  expect_identical(sigma(fit), residual_strata(fit)$sd[1])
  table <- as.data.frame(VarCorr(fit))
  expect_identical(table$grp, c("Subject", "Residual", "Residual"))
  expect_identical(table$var1, c("(Intercept)", "Male", "Female"))
  expect_equal(table$sdcor[2:3], residual_strata(fit)$sd)
  expect_equal(as.data.frame(VarCorr(fit, sigma = 10))$sdcor, 10 * table$sdcor)
  text <- capture.output(print(fit))
  expect_match(text, "Errors: dispersion = ~Sex", fixed = TRUE, all = FALSE)
  expect_match(text, "^ Residual Male +1.66", all = FALSE)
  expect_match(text, "^ +Female +0.78", all = FALSE)
  long <- capture.output(print(summary(fit)))
  expect_identical(grep("Errors", long, value = TRUE), grep("Errors", text, value = TRUE))
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, dispersion = ~ Sex + power(age))
  expect_match(capture.output(print(fit)), "^Residual sd: .* \\* exp\\(-.* SexFemale\\) \\* \\|age\\|\\^", all = FALSE)
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, dispersion = ~ Subject)
  expect_match(capture.output(print(fit)), "15 more strata", all = FALSE)
  expect_length(grep("^ +[MF][0-9]", capture.output(print(VarCorr(fit)))), 26)
})

test_that("one line tests whether strata are needed, and updates keep or change them", {
  m0 <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
  m1 <- update(m0, dispersion = ~ Sex)
  test <- anova(m0, m1)
  l0 <- lme_fit(distance ~ age * Sex, nlme::Orthodont, ~ 1 | Subject)
  l1 <- lme_fit(distance ~ age * Sex, nlme::Orthodont, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex))
  expect_equal(test$Chisq[2], as.numeric(2 * (logLik(l1) - logLik(l0))), tolerance = 1e-6)
  expect_identical(test$Df[2], 1L)
  expect_equal(AIC(m1), AIC(l1), tolerance = 1e-9)
  expect_equal(AIC(m0, m1)$df, c(6, 7))
  expect_false(identical(update(m1, REML = FALSE)$residual$phi, m1$residual$phi))
  expect_identical(update(m1, . ~ . - age:Sex)$residual$scale$text, "~Sex")
  expect_null(update(m1, dispersion = NULL)$residual)
  expect_equal(refit(m1, nlme::Orthodont$distance)$criterion, m1$criterion, tolerance = 1e-11)
})

test_that("a wrong dispersion is said before the fit", {
  data <- as.data.frame(nlme::Orthodont)
  data$zero <- data$age - 8
  data$one <- "a"
  data$copy <- 2 * data$age + 1
  data$year <- 2000 + data$age
  wrong <- list(
    "Sex" = "character vector", ~ 1 | Sex, y ~ Sex, ~ ., ~ power(fitted(.)), ~ power(age, 2), ~ 0, ~ offset(age),
    ~ one, ~ I(0 * age), ~ age + copy, ~ Sex + factor(Sex), ~ power(zero), ~ log(zero), ~ distance, ~ year
  )
  wrong[[1]] <- "Sex"
  for (dispersion in wrong) {
    error <- signalled(lmm(distance ~ age + (1 | Subject), data, dispersion = dispersion))
    expect_three_lines(error, "ferrite_error_dispersion")
  }
  expect_match(conditionMessage(signalled(lmm(distance ~ age + (1 | Subject), data, dispersion = ~ power(zero)))),
               "`zero` is zero in rows 1, 5, 9, 13, 17", fixed = TRUE)
  error <- signalled(lmm(distance ~ age + (1 | Subject), data, dispersion = nlme::varIdent(form = ~ 1 | Sex)))
  expect_match(conditionMessage(error), "Write `dispersion = ~ Sex`.", fixed = TRUE)
  error <- signalled(lmm(distance ~ age + (1 | Subject), data, dispersion = ~ sex))
  expect_three_lines(error, "ferrite_error_variable")
})

test_that("a standard deviation that tends to zero is named, not printed as digits", {
  data <- crossed_data()
  data$y[data$s == "mid"] <- 2 * data$x[data$s == "mid"]
  error <- signalled(lmm(y ~ x * s + (1 | a), data, dispersion = ~ s))
  expect_three_lines(error, "ferrite_error_residual_scale")
  expect_match(conditionMessage(error), "In the stratum \"mid\" of `s` it tends to zero", fixed = TRUE)
  data <- seeded(7, {
    data <- data.frame(g = gl(12, 6), s = rep(c("a", "b", "c"), 24), x = rnorm(72))
    data$y <- data$x + rnorm(12)[data$g] + rnorm(72)
    data
  })
  data$s[1] <- "lone"
  for (levels in list(c("a", "b", "c", "lone"), c("lone", "a", "b", "c"))) {
    error <- signalled(suppressWarnings(lmm(y ~ x + (1 | g), data, dispersion = ~ factor(s, levels))))
    expect_three_lines(error, "ferrite_error_residual_scale")
    expect_match(conditionMessage(error), "In the stratum \"lone\" .* \\(1 row\\)")
  }
})
