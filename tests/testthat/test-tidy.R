# Columns and words of broom.mixed; figures from summary(), confint() and, where it is installed, broom.mixed on the
# same model of lmerTest.

report_fit <- function(formula, data, ...) {
  skip_if_not_installed("lmerTest")
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore")
  lmerTest::lmer(formula, data, ..., control = control)
}

orthodont <- function() plain(nlme::Orthodont)

expect_same_table <- function(ours, theirs, tolerance = 1e-4) {
  expect_identical(names(ours), names(theirs))
  expect_equal(as.data.frame(ours), as.data.frame(theirs), tolerance = tolerance, ignore_attr = TRUE)
}

test_that("fixed effects and variance parameters have the columns of broom.mixed, in its order", {
  table <- tidy.lmm(shared_fit("slope"), conf.int = TRUE)
  expect_named(table, c("effect", "group", "term", "estimate", "std.error", "statistic", "df", "p.value", "conf.low",
                        "conf.high"))
  expect_identical(table$effect, rep(c("fixed", "ran_pars"), each = 4))
  expect_identical(table$term[5:8],
    c("sd__(Intercept)", "cor__(Intercept).age", "sd__age", "sd__Observation"))
  expect_identical(table$group, c(rep(NA, 4), rep("Subject", 3), "Residual"))
  tests <- coef(summary(shared_fit("slope")))
  expect_equal(table$estimate[1:4], unname(tests[, "Estimate"]))
  expect_equal(table$p.value[1:4], unname(tests[, 5]))
  half <- qt(0.975, tests[, "df"]) * tests[, "Std. Error"]
  expect_equal(table$conf.high[1:4], unname(tests[, 1] + half))
  expect_true(all(is.na(table$conf.low[5:8])))
  expect_identical(attr(table, "row.names"), 1:8)
})

test_that("it is a tibble where tibble is installed", {
  skip_if_not_installed("tibble")
  expect_s3_class(tidy.lmm(shared_fit("slope")), "tbl_df")
  expect_s3_class(glance.lmm(shared_fit("slope")), "tbl_df")
})

test_that("tables are those of broom.mixed on the fit of lmerTest", {
  skip_if_not_installed("broom.mixed")
  models <- list(
    list(distance ~ age * Sex + (age | Subject), orthodont()),
    list(distance ~ age + (1 | Subject), orthodont()),
    list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), plain(nlme::Machines))
  )
  for (model in models) {
    ours <- lmm(model[[1]], model[[2]])
    theirs <- report_fit(model[[1]], model[[2]])
    tidy <- getExportedValue("generics", "tidy")
    expect_same_table(tidy(ours), broom.mixed::tidy(theirs))
    expect_same_table(tidy(ours, conf.int = TRUE, conf.level = 0.9),
      broom.mixed::tidy(theirs, conf.int = TRUE, conf.level = 0.9))
    all <- c("fixed", "ran_pars", "ran_vals")
    expect_same_table(tidy(ours, all, conf.int = TRUE), broom.mixed::tidy(theirs, all, conf.int = TRUE))
    expect_same_table(tidy(ours, "ran_coefs"), broom.mixed::tidy(theirs, "ran_coefs"))
    expect_same_table(tidy(ours, "ran_pars", scales = "vcov"), broom.mixed::tidy(theirs, "ran_pars", scales = "vcov"))
  }
})

test_that("degrees of freedom are as asked for; none and z tests without", {
  fit <- shared_fit("nested")
  expect_equal(tidy.lmm(fit, "fixed", ddf.method = "Kenward-Roger")$df,
    unname(coef(summary(fit, ddf = "Kenward-Roger"))[, "df"]))
  expect_equal(tidy.lmm(fit, "fixed", ddf = "Kenward-Roger"), tidy.lmm(fit, "fixed", ddf.method = "Kenward-Roger"))
  plain <- tidy.lmm(fit, "fixed", ddf.method = "asymptotic", conf.int = TRUE)
  expect_false("df" %in% names(plain))
  expect_equal(plain$conf.high - plain$estimate, qnorm(0.975) * plain$std.error)
})

test_that("profile and bootstrap limits are those of confint(), also on the scale of variances", {
  fit <- shared_fit("nested")
  limits <- confint(fit)
  table <- tidy.lmm(fit, conf.int = TRUE, conf.method = "profile")
  order <- c(4:6, 1:3)
  expect_equal(table$conf.low, unname(limits[order, 1]))
  expect_equal(table$conf.high, unname(limits[order, 2]))
  variances <- tidy.lmm(fit, "ran_pars", scales = "vcov", conf.int = TRUE, conf.method = "profile")
  expect_equal(variances$conf.high, unname(limits[1:3, 2]^2))
  expect_equal(variances$estimate, as.data.frame(VarCorr(fit))$vcov)
  boot <- tidy.lmm(fit, conf.int = TRUE, conf.method = "boot", nsim = 50, seed = 1)
  expect_equal(boot$conf.low, unname(confint(fit, method = "boot", nsim = 50, seed = 1)[order, 1]))
})

test_that("covariances have no limits, and undefined correlations are NA", {
  table <- tidy.lmm(shared_fit("slope"), "ran_pars", scales = "vcov", conf.int = TRUE, conf.method = "profile")
  expect_true(is.na(table$conf.low[2]))
  expect_false(anyNA(table$conf.low[-2]))
})

test_that("coefficients of a response on the log scale", {
  fit <- lmm(log(distance) ~ age + (1 | Subject), nlme::Orthodont)
  raw <- tidy.lmm(fit, conf.int = TRUE)
  table <- tidy.lmm(fit, conf.int = TRUE, exponentiate = TRUE)
  expect_equal(table$estimate[1:2], exp(raw$estimate[1:2]))
  expect_equal(table$conf.low[1:2], exp(raw$conf.low[1:2]))
  expect_equal(table$std.error[1:2], raw$std.error[1:2] * exp(raw$estimate[1:2]))
  expect_equal(table[3:4, ], raw[3:4, ])
})

test_that("dropped columns have no row; a singular fit has a limit at zero", {
  expect_identical(tidy.lmm(shared_fit("dropped"), "fixed")$term, c("(Intercept)", "age"))
  table <- tidy.lmm(shared_fit("singular"), "ran_pars", conf.int = TRUE, conf.method = "profile")
  expect_identical(table$estimate[1], 0)
  expect_identical(table$conf.low[1], 0)
})

test_that("conditional modes and coefficients of each level", {
  fit <- shared_fit("crossed")
  values <- tidy.lmm(fit, "ran_vals", conf.int = TRUE)
  expected <- as.data.frame(ranef(fit))
  expect_named(values, c("effect", "group", "level", "term", "estimate", "std.error", "conf.low", "conf.high"))
  expect_identical(values$level, as.character(expected$grp))
  expect_equal(values$conf.high, expected$condval + qnorm(0.975) * expected$condsd)
  coefficients <- tidy.lmm(fit, "ran_coefs")
  expect_identical(nrow(coefficients), 20L * 3L + 10L * 3L)
  expect_equal(coefficients$estimate[coefficients$group == "Dog" & coefficients$term == "day"], coef(fit)$Dog$day)
  expect_message(none <- tidy.lmm(fit, "ran_coefs", conf.int = TRUE), class = "ferrite_message_interval")
  expect_true(all(is.na(none$conf.low)))
})

test_that("wrong arguments are classed errors, unknown ones warnings", {
  fit <- shared_fit("nested")
  expect_error(tidy.lmm(fit, "random"), class = "ferrite_error_argument")
  expect_error(tidy.lmm(fit, conf.int = "yes"), class = "ferrite_error_argument")
  expect_error(tidy.lmm(fit, conf.int = TRUE, conf.level = 95), class = "ferrite_error_argument")
  expect_error(tidy.lmm(fit, conf.int = TRUE, conf.method = "bayes"), class = "ferrite_error_argument")
  expect_error(tidy.lmm(fit, scales = c("vcov", "sdcor", "vcov")), class = "ferrite_error_argument")
  expect_error(tidy.lmm(fit, "ran_pars", ran_prefix = "s"), class = "ferrite_error_argument")
  condition <- expect_warning(tidy.lmm(fit, conf.lvl = 0.9), class = "ferrite_warning_argument")
  expect_match(conditionMessage(condition), "conf.lvl")
  expect_identical(tidy.lmm(fit, "ran_pars", ran_prefix = c("s", "r"))$term[1], "s__(Intercept)")
})

test_that("the generics of broom reach the methods, and a table for each group can be made in a loop", {
  skip_if_not_installed("generics")
  tidy <- getExportedValue("generics", "tidy")
  fits <- lapply(split(nlme::Orthodont, nlme::Orthodont$Sex), function(part) {
    lmm(distance ~ age + (1 | Subject), part)
  })
  tables <- do.call(rbind, lapply(fits, tidy, effects = "fixed"))
  expect_identical(dim(tables), c(4L, 7L))
  expect_equal(tables$estimate[2], fixef(fits$Male)[["age"]])
})

test_that("tables of tests and intervals have the words of broom", {
  fit <- shared_fit("ml")
  intervals <- tidy.lmm_confint(confint(fit, "beta_", method = "Wald"))
  expect_named(intervals, c("term", "conf.low", "conf.high"))
  expect_identical(intervals$term, names(fixef(fit)))
  each <- tidy_contest(contest(fit, c(slope = "I(age - 11) = 1"), joint = FALSE))
  expect_named(each, c("contrast", "null.value", "estimate", "std.error", "statistic", "df", "p.value", "conf.low",
                       "conf.high"))
  expect_identical(each$contrast, "slope")
  expect_identical(each$null.value, 1)
  joint <- tidy_contest(contest(fit, "I(age - 11)"))
  expect_named(joint, c("sumsq", "meansq", "NumDF", "DenDF", "statistic", "p.value"))
  smaller <- update(fit, . ~ . - I(age - 11):Sex)
  both <- tidy_tests(anova(smaller, fit))
  expect_named(both, c("term", "npar", "AIC", "BIC", "logLik", "deviance", "statistic", "df", "p.value", "reference"))
  expect_identical(tidy_tests(ranova(shared_fit("slope"), nsim = 100))$term[1], "<none>")
  expect_equal(tidy_icc(icc(lmm(y ~ 1 + (1 | person), estrone)))$estimate, 0.8431522, tolerance = 1e-6)
})

test_that("broom itself knows the tables of anova() and drop1()", {
  skip_if_not_installed("broom")
  table <- suppressWarnings(broom::tidy(anova(shared_fit("nested"))))
  expect_named(table, c("term", "sumsq", "meansq", "NumDF", "DenDF", "statistic", "p.value"))
  expect_equal(table$statistic, 20.576, tolerance = 1e-4)
})

test_that("each stratum has limits: those of sigma where it is the reference", {
  data <- plain(nlme::Orthodont)
  data$visit <- (data$age - 6) / 2
  formula <- distance ~ age + (1 | Subject)
  data$Sex <- factor(data$Sex, c("Male", "Female"))
  fit <- lmm(formula, data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  profiled <- tidy.lmm(fit, "ran_pars", conf.int = TRUE, conf.method = "profile")
  row <- profiled[profiled$term == "sd__Female", ]
  turned <- data
  turned$Sex <- factor(data$Sex, c("Female", "Male"))
  other <- lmm(formula, turned, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  expect_equal(c(row$conf.low, row$conf.high), as.vector(confint(other, "sigma")), tolerance = 1e-6)
  expect_equal(row$estimate, sigma(other), tolerance = 1e-6)
  squared <- tidy.lmm(fit, "ran_pars", scales = "vcov", conf.int = TRUE, conf.method = "profile")
  expect_equal(squared$conf.low[squared$term == "var__Female"], row$conf.low^2)

  # strata with parameters in common, and by maximum likelihood
  data$half <- factor(data$age > 11)
  turned <- data
  turned$Sex <- factor(data$Sex, c("Female", "Male"))
  turned$half <- factor(data$half, c("TRUE", "FALSE"))
  fit <- lmm(formula, data, REML = FALSE, dispersion = ~ Sex + half)
  other <- lmm(formula, turned, REML = FALSE, dispersion = ~ Sex + half)
  profiled <- tidy.lmm(fit, conf.int = TRUE, conf.method = "profile")
  row <- profiled[grepl("Female.*TRUE", profiled$term), ]
  expect_equal(c(row$conf.low, row$conf.high), as.vector(confint(other, "sigma")), tolerance = 1e-6)
  expect_false(anyNA(profiled$conf.low))

  booted <- tidy.lmm(fit, "ran_pars", conf.int = TRUE, conf.method = "boot", nsim = 99, seed = 1)
  draws <- bootstrap(fit, nsim = 99, seed = 1)$replicates
  sd <- draws[, "sigma"] * draws[, "ratio_SexFemale"] * draws[, "ratio_halfTRUE"]
  row <- booted[grepl("Female.*TRUE", booted$term), ]
  expect_equal(c(row$conf.low, row$conf.high), unname(stats::quantile(sd, c(0.025, 0.975), type = 6)))
})
