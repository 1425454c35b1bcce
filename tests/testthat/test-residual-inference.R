# Intervals, profiles and tests of models with dispersion, correlation and structured random terms.

skip_if_not_installed("nlme")

orthodont <- as.data.frame(nlme::Orthodont)
strata <- lmm(distance ~ age * Sex + (1 | Subject), orthodont, dispersion = ~ Sex)
serial <- lmm(distance ~ age * Sex + (1 | Subject), orthodont, dispersion = ~ Sex,
  correlation = ar1(~ 1 | Subject))
serial_only <- lmm(distance ~ age * Sex + (1 | Subject), orthodont, correlation = ar1(~ 1 | Subject))

test_that("every parameter has a name, a kind and a target", {
  table <- parameter_table(serial)
  expect_identical(table$name[1:4], c("sd_(Intercept)|Subject", "sigma", "ratio_SexFemale", "rho_ar1|Subject"))
  expect_identical(table$kind[1:4], c("sd", "sigma", "ratio", "rho"))
  expect_equal(table$estimate[3L], exp(serial$residual$phi[[1L]]))
  expect_equal(table$estimate[4L], serial$residual$rho)
  smooth <- lmm(distance ~ age + (1 | Subject), orthodont, dispersion = ~ age)
  expect_identical(parameter_table(smooth)$name[3L], "dispersion_age")
})

test_that("rho as a function of phi is that of the engine", {
  for (form in c("ar1(~ 1 | Subject)", "car1(~ age | Subject)", "cs(~ 1 | Subject)")) {
    fixed <- if (form == "cs(~ 1 | Subject)") distance ~ age + (0 + age | Subject) else distance ~ age + (1 | Subject)
    fit <- lmm(fixed, orthodont, correlation = str2lang(form))
    expect_equal(drop(unname(residual_columns(fit, rbind(fit$residual$phi)))), fit$residual$rho, tolerance = 1e-8)
  }
})

test_that("a common parameter of a structured term stands once", {
  fit <- lmm(distance ~ age + ar1(0 + factor(age) | Subject), orthodont, dispersion = ~ Sex)
  table <- parameter_table(fit)
  expect_identical(table$name[1:4], c("sd_ar1|Subject", "cor_ar1|Subject", "sigma", "ratio_SexFemale"))
  varcov <- fit$random[[1L]]$varcov
  expect_equal(table$estimate[1L], sqrt(varcov[1L, 1L]))
  expect_equal(table$estimate[2L], varcov[1L, 2L] / varcov[1L, 1L])
  equal <- lmm(distance ~ age + diag(0 + Sex | Subject, hom = TRUE), orthodont)
  expect_identical(parameter_table(equal)$name[1:2], c("sd_diag|Subject", "sigma"))
  # every child has one sex: the same model as (1 | Subject)
  expect_equal(
    unclass(confint(equal, "sd_diag|Subject"))[1L, ],
    unclass(confint(lmm(distance ~ age + (1 | Subject), orthodont), 1))[1L, ], tolerance = 1e-6
  )
})

test_that("profile limits of ratios and correlations are where refits say", {
  limits <- confint(serial, c("ratio_SexFemale", "rho_ar1|Subject"))
  rise <- qchisq(0.95, 1)
  # with the ratio held, the model is one with weights
  for (value in limits["ratio_SexFemale", ]) {
    data <- transform(orthodont, w = ifelse(Sex == "Female", value^-2, 1))
    held <- lmm(distance ~ age * Sex + (1 | Subject), data, weights = w, correlation = ar1(~ 1 | Subject))
    expect_equal(held$criterion - serial$criterion, rise, tolerance = 1e-5)
    expect_equal(criterion_held(serial, 1L, log(value), NULL), held$criterion, tolerance = 1e-9)
  }
  expect_lt(limits["rho_ar1|Subject", 1L], serial$residual$rho)
  expect_gt(limits["rho_ar1|Subject", 2L], serial$residual$rho)
  # without a correlation: the profile at zero
  z <- sqrt(strata$criterion - serial$criterion)
  zero <- profile_engine(serial, list(6L), z)[[1L]]
  expect_lt(min(abs(c(zero$lower, zero$upper))), 1e-5)
})

test_that("limits agree with nlme's approximate ones", {
  theirs <- nlme::lme(distance ~ age * Sex, orthodont, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex))
  ours <- confint(strata, "ratio_SexFemale")
  expect_equal(as.vector(ours), unname(nlme::intervals(theirs)$varStruct[c(1, 3)]), tolerance = 0.02)
})

test_that("car1() ends at a correlation of zero", {
  fit <- lmm(distance ~ age * Sex + (1 | Subject), orthodont, dispersion = ~ Sex, correlation = car1(~ age | Subject))
  expect_lt(strata$criterion - fit$criterion, qchisq(0.95, 1))
  limits <- confint(fit, "rho_car1|Subject")
  expect_identical(limits[1L], 0)
  points <- profile(fit, "rho_car1|Subject", points = 4L)
  expect_equal(points$value[1L], 0)
  expect_lt(abs(points$zeta[1L] + sqrt(strata$criterion - fit$criterion)), 0.01)
})

test_that("a ratio whose likelihood is finite at zero has that limit", {
  fit <- lmm(distance ~ age + ar1(0 + factor(age) | Subject), orthodont, dispersion = ~ Sex)
  limits <- confint(fit, "ratio_SexFemale")
  expect_identical(limits[1L], 0)
  expect_lt(criterion_held(fit, 1L, -10, NULL) - fit$criterion, qchisq(0.95, 1))
})

test_that("the bootstrap has all parameters", {
  boot <- suppressWarnings(bootstrap(serial, nsim = 200, seed = 1))
  expect_identical(colnames(boot$replicates), parameter_table(serial)$name)
  limits <- confint(boot)
  expect_true(all(limits[, 1L] < boot$estimate & boot$estimate < limits[, 2L]))
  one <- replicate_at(light_fit(serial), list(
    theta = cbind(serial$theta), beta = rbind(serial$beta), sigma = serial$sigma, phi = rbind(serial$residual$phi)
  ), 1L)
  expect_equal(one$residual$rho, serial$residual$rho, tolerance = 1e-8)
})

test_that("the structure is tested in one line", {
  plain <- lmm(distance ~ age * Sex + (1 | Subject), orthodont)
  table <- anova(plain, strata, serial)
  theirs <- lapply(list(
    nlme::lme(distance ~ age * Sex, orthodont, ~ 1 | Subject),
    nlme::lme(distance ~ age * Sex, orthodont, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex)),
    nlme::lme(distance ~ age * Sex, orthodont, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex),
      correlation = nlme::corAR1(form = ~ 1 | Subject))
  ), function(fit) as.numeric(logLik(fit)))
  expect_equal(table$logLik, unlist(theirs), tolerance = 1e-6)
  expect_identical(table$Df[-1L], c(1L, 1L))
  expect_identical(table$Reference[-1L], c("chi2(1)", "chi2(1)"))
  continuous <- lmm(distance ~ age * Sex + (1 | Subject), orthodont, dispersion = ~ Sex,
    correlation = car1(~ age | Subject))
  expect_identical(anova(strata, continuous)$Reference[2L], "chi2(0:1)")
  # neither is a case of the other
  slopes <- lmm(distance ~ age * Sex + (age | Subject), orthodont)
  expect_identical(anova(strata, slopes)$Reference[2L], "not nested")
})

test_that("ranova() keeps dispersion and correlation", {
  table <- ranova(serial)
  without <- nlme::gls(distance ~ age * Sex, orthodont, weights = nlme::varIdent(form = ~ 1 | Sex),
    correlation = nlme::corAR1(form = ~ 1 | Subject))
  expect_equal(table$logLik[2L], as.numeric(logLik(without)), tolerance = 1e-6)
  expect_identical(table$Df[2L], 1L)
  expect_false("Pr(>RLRT)" %in% names(table))
  expect_null(attr(table, "F"))
  two <- lmm(distance ~ age + (age | Subject), orthodont, dispersion = ~ Sex, REML = FALSE)
  one <- lmm(distance ~ age + (1 | Subject), orthodont, dispersion = ~ Sex, REML = FALSE)
  expect_equal(ranova(two)$logLik[2L], -one$criterion / 2, tolerance = 1e-9)
  continuous <- lmm(distance ~ age + (1 | Subject), orthodont, REML = FALSE, dispersion = ~ age,
    correlation = cs(~ 1 | Sex))
  theirs <- nlme::gls(distance ~ age, orthodont, weights = nlme::varExp(form = ~ age), method = "ML",
    correlation = nlme::corCompSymm(form = ~ 1 | Sex))
  expect_lte(-2 * ranova(continuous)$logLik[2L], -2 * as.numeric(logLik(theirs)) + 1e-6)
  common <- suppressMessages(lmm(distance ~ age + cs(0 + factor(age) | Subject), orthodont, dispersion = ~ Sex))
  # four variances and one correlation against one variance
  expect_identical(ranova(common)$Df[2L], 4L)
})

test_that("tidy rows name strata, coefficients and the correlation", {
  table <- tidy.lmm(serial, "ran_pars", conf.int = TRUE, conf.method = "profile")
  expect_identical(table$term, c("sd__(Intercept)", "sd__Male", "sd__Female", "cor__ar1"))
  expect_equal(table$estimate[3L], serial$sigma * exp(serial$residual$phi[[1L]]))
  expect_equal(table$conf.low[c(1, 2, 4)], unname(confint(serial, "theta_")[c(1, 2, 4), 1L]))
  smooth <- lmm(distance ~ age + (1 | Subject), orthodont, dispersion = ~ age)
  expect_identical(tidy.lmm(smooth, "ran_pars")$term[3L], "dispersion__age")
  expect_equal(nrow(glance.lmm(serial)), 1L)
})

test_that("what does not hold is refused with the reason", {
  expect_error(icc(strata), class = "ferrite_error_icc")
  expect_error(icc(serial_only, method = "exact"), class = "ferrite_error_icc")
  expect_error(icc(serial_only, method = "logit"), class = "ferrite_error_icc")
  expect_identical(icc(serial_only, nsim = 50)$method, "boot")
  expect_error(varcomp_anova(strata), class = "ferrite_error_varcomp")
  expect_message(confint(strata, method = "Wald"), class = "ferrite_message_interval")
})

test_that("plots of strata and autocorrelation have their tables", {
  by_stratum <- plot_data(strata, "strata")
  expect_identical(levels(by_stratum$stratum), c("Male", "Female"))
  expect_equal(unique(by_stratum$sd[by_stratum$stratum == "Female"]), exp(strata$residual$phi[[1L]]))
  lags <- plot_data(serial, "acf")
  expect_identical(lags$lag, c(1, 2, 3))
  expect_identical(as.integer(lags$pairs), c(81L, 54L, 27L))
  white <- residuals(serial, type = "normalized")
  ordered <- split(white, orthodont$Subject)
  products <- unlist(lapply(ordered, function(e) e[-1] * e[-4]))
  expect_equal(lags$acf[1L], mean(products) / mean(white^2), tolerance = 1e-10)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_silent(plot(serial, which = c("strata", "acf")))
  expect_silent(plot(lmm(distance ~ age + (1 | Subject), orthodont), which = "acf"))
  expect_silent(plot(serial, which = "varcomp"))
})
