# Degrees of freedom. Closed forms first; then models of many shapes against the figures of
# helper-reference-inference.R (1e-4 relative between programs; 1e-6 where a formula gives the number).

expect_relative <- function(value, reference, tolerance) {
  expect_close(as.numeric(value), as.numeric(reference), tolerance)
}

test_that("sleepstudy has 17 degrees of freedom by both methods", {
  # balanced random slopes: the estimates are means over 18 subjects of per-subject estimates
  fit <- inference_fit("sleep_slope_reml")
  for (method in c("Satterthwaite", "Kenward-Roger")) {
    table <- coef(summary(fit, ddf = method))
    expect_relative(table[, "df"], c(17, 17), 1e-6)
    expect_relative(table[, "Std. Error"], c(6.82455656542209, 1.54578890917864), 1e-6)
    test <- t.test(coef(nlme::lmList(Reaction ~ Days | Subject, reference_data("sleepstudy")))$Days)
    expect_relative(table["Days", c("df", "t value", "Pr(>|t|)")], c(test$parameter, test$statistic, test$p.value),
                    1e-6)
  }
})

test_that("the mean of a balanced one-way layout has the degrees of freedom between groups", {
  for (method in c("Satterthwaite", "Kenward-Roger")) {
    table <- coef(summary(inference_fit("rail_reml"), ddf = method))
    means <- tapply(nlme::Rail$travel, as.character(nlme::Rail$Rail), mean)
    expect_relative(table[, "df"], 5, 1e-6)
    expect_relative(table[, "t value"], t.test(means)$statistic, 1e-6)
  }
})

test_that("a balanced within-subject factor has the residual degrees of freedom", {
  fit <- inference_fit("machines_int_reml")
  expect_relative(coef(summary(fit))[-1, "df"], c(46, 46), 1e-6)
  expect_relative(coef(summary(fit, ddf = "Kenward-Roger"))[-1, "df"], c(46, 46), 1e-6)
})

test_that("asymptotic tests have z values and no degrees of freedom", {
  table <- coef(summary(inference_fit("sleep_slope_reml"), ddf = "asymptotic"))
  expect_identical(colnames(table), c("Estimate", "Std. Error", "z value", "Pr(>|z|)"))
  expect_equal(table[, 4], 2 * pnorm(-abs(table[, 3])))
})

for (id in names(reference_inference)) {
  test_that(paste("reference inference", id), {
    reference <- reference_inference[[id]]
    fit <- inference_fit(id)
    if (!is.null(reference$df)) expect_relative(coef(summary(fit))[, "df"], reference$df, 1e-4)
    if (!is.null(reference$kr_se)) {
      table <- coef(summary(fit, ddf = "Kenward-Roger"))
      expect_relative(table[, "Std. Error"], reference$kr_se, 1e-4)
      expect_relative(table[, "df"], reference$kr_df, 1e-4)
    }
    if (!is.null(reference$kr_all)) {
      all_but_intercept <- diag(fit$rank)[-1, , drop = FALSE]
      test <- contest(fit, all_but_intercept, ddf = "Kenward-Roger")
      expect_relative(unlist(test[c("F value", "NumDF", "DenDF", "Pr(>F)")]), reference$kr_all, 1e-4)
    }
  })
}

test_that("Kenward-Roger takes the weights into account", {
  # a fit with weights is the fit of sqrt(w) y on sqrt(w) X and sqrt(w) Z without weights
  data <- reference_data("sleepstudy_x")
  data$s <- sqrt(data$w)
  data$sy <- data$s * data$Reaction
  data$sx <- data$s * data$Days
  plain <- lmm(sy ~ 0 + s + sx + (0 + s + sx | Subject), data)
  weighted <- coef(summary(inference_fit("sleep_weights_reml"), ddf = "Kenward-Roger"))
  expect_equal(unname(weighted), unname(coef(summary(plain, ddf = "Kenward-Roger"))), tolerance = 1e-6)
})

test_that("an ML fit has Satterthwaite's degrees of freedom under its own criterion", {
  # balanced: Var(v) is that of ML, and v is (n - 1) / n of the REML one, so that 17 becomes 18
  fit <- update(inference_fit("sleep_slope_reml"), REML = FALSE)
  expect_relative(coef(summary(fit))[, "df"], c(18, 18), 1e-5)
})

test_that("Kenward-Roger for an ML fit is that of the REML refit, and says so", {
  reml <- inference_fit("orthodont_slope_reml")
  ml <- update(reml, REML = FALSE)
  condition <- expect_message(table <- coef(summary(ml, ddf = "Kenward-Roger")), class = "ferrite_message_ddf")
  expect_three_lines(condition, "ferrite_message_ddf")
  expect_equal(table, coef(summary(reml, ddf = "Kenward-Roger")), tolerance = 1e-7)
})

test_that("where Kenward-Roger does not fit in memory, Satterthwaite is used and the figure is told", {
  fit <- inference_fit("penicillin_reml")
  fit$control$memory <- 2e4
  condition <- expect_message(result <- summary(fit, ddf = "Kenward-Roger"), class = "ferrite_message_ddf")
  expect_three_lines(condition, "ferrite_message_ddf")
  expect_match(conditionMessage(condition), "[0-9.]+ (kB|MB|GB)")
  expect_gt(condition$bytes, 2e4)
  expect_identical(result$ddf, "Satterthwaite")
  expect_relative(coef(result)[, "df"], reference_inference$penicillin_reml$df, 1e-4)
})

test_that("the average of degrees of freedom is that of the F distribution with the same mean", {
  expect_identical(average_df(c(7, 7)), 7)
  nu <- c(5, 12, 30)
  average <- average_df(nu)
  expect_equal(average / (average - 2), mean(nu / (nu - 2)))
  expect_identical(average_df(c(1.5, 10)), 2)
  expect_identical(average_df(c(Inf, Inf)), Inf)
  expect_equal(average_df(c(10, Inf)), 18)
})

test_that("the unit of a covariate changes no test", {
  data <- as.data.frame(nlme::Orthodont)
  data$month <- data$age * 1e6
  one <- anova(lmm(distance ~ age * Sex + (1 | Subject), data))
  other <- anova(lmm(distance ~ month * Sex + (1 | Subject), data))
  expect_equal(unname(as.matrix(one)), unname(as.matrix(other)), tolerance = 1e-6)
  L <- rbind(c(0, 1, 0, 0), c(0, 0, 1, 0)) # nolint: object_name_linter.
  fits <- list(lmm(distance ~ age * Sex + (1 | Subject), data), lmm(distance ~ month * Sex + (1 | Subject), data))
  tests <- lapply(fits, contest, L, ddf = "Kenward-Roger")
  expect_equal(tests[[1]]$DenDF, tests[[2]]$DenDF, tolerance = 1e-6)
})

test_that("a misspelt method is an error with the remedy", {
  fit <- inference_fit("sleep_slope_reml")
  condition <- expect_error(summary(fit, ddf = "Satterthwait3"), class = "ferrite_error_argument")
  expect_three_lines(condition, "ferrite_error_argument")
  expect_match(conditionMessage(condition), "Kenward-Roger")
  for (test in list(anova, drop1)) expect_error(test(fit, ddf = "none"), class = "ferrite_error_argument")
  expect_error(contest(fit, "Days", ddf = c("a", "b")), class = "ferrite_error_argument")
})

test_that("a model without fixed effects has an empty table", {
  fit <- lmm(distance ~ 0 + (1 | Subject), nlme::Orthodont)
  expect_identical(dim(coef(summary(fit))), c(0L, 5L))
})

test_that("nothing of it is stored in the fit", {
  fit <- inference_fit("rail_reml")
  before <- names(fit)
  summary(fit)
  expect_identical(names(fit), before)
})
