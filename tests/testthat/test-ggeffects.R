# ggeffects on our fits: by emmeans and effects, and its method for ggpredict() called directly.

test_that("ggemmeans() and ggeffect() give the population means", {
  skip_if_not_installed("ggeffects")
  skip_if_not_installed("emmeans")
  skip_if_not_installed("effects")
  data <- plain(nlme::Orthodont)
  fit <- lmm(distance ~ age * Sex + (1 | Subject), data)
  new <- expand.grid(Sex = levels(data$Sex), age = c(8, 14))
  reference <- predict(fit, new, re.form = NA, se.fit = TRUE)
  for (of in list(ggeffects::ggemmeans, ggeffects::ggeffect)) {
    found <- as.data.frame(of(fit, c("age [8, 14]", "Sex")))
    expect_identical(as.character(found$group), as.character(new$Sex))
    expect_equal(found$predicted, unname(reference$fit), tolerance = 1e-6)
    expect_equal(found$std.error, unname(reference$se.fit), tolerance = 1e-6)
    expect_true(all(found$conf.low < found$predicted & found$predicted < found$conf.high))
  }
})

test_that("the method for ggpredict() predicts a population mean, a group, and a new observation", {
  fit <- shared_fit("slope")
  grid <- expand.grid(age = c(8, 14), Sex = c("Male", "Female"), Subject = "M16")
  found <- get_predictions_lmm(fit, grid, c("age [8,14]", "Sex"), 0.9, "fixed", typical = "mean")
  reference <- predict(fit, grid, re.form = NA, interval = "confidence", level = 0.9)
  expect_identical(names(found), c(names(grid), "predicted", "conf.low", "conf.high"))
  expect_equal(unname(as.matrix(found[4:6])), unname(reference))
  expect_equal(attr(found, "std.error"), unname(predict(fit, grid, re.form = NA, se.fit = TRUE)$se.fit))

  found <- get_predictions_lmm(fit, grid, c("age", "Subject [M16]"), type = "random", interval = "prediction")
  expect_equal(unname(as.matrix(found[4:6])), unname(predict(fit, grid, interval = "prediction")))

  # a new subject: the population mean, with the variance of its effects
  found <- get_predictions_lmm(fit, grid, "age", type = "random")
  expect_equal(found$predicted, unname(reference[, "fit"]))
  z <- cbind(1, grid$age)
  variance <- predict(fit, grid, re.form = NA, se.fit = TRUE)$se.fit^2 +
    rowSums((z %*% VarCorr(fit)$Subject[1:2, 1:2]) * z)
  expect_equal(attr(found, "std.error"), unname(sqrt(variance)))

  # a grouping variable that is a predictor as well keeps its level; numbers can be groups
  oats <- plain(nlme::Oats)
  oats$Block <- as.integer(oats$Block)
  nested <- suppressMessages(lmm(yield ~ nitro + Variety + (1 | Block / Variety), oats))
  grid <- data.frame(nitro = 0.2, Variety = levels(oats$Variety), Block = 2)
  found <- get_predictions_lmm(nested, grid, "Variety", type = "random")
  expect_equal(found$predicted, unname(predict(nested, grid, re.form = NA)))

  found <- get_predictions_lmm(fit, data.frame(age = 8, Sex = "Male"), "age", ci_level = NA)
  expect_true(all(is.na(found$conf.low)))
  expect_three_lines(tryCatch(get_predictions_lmm(fit, grid, "age", type = "simulate"), error = identity),
                     "ferrite_error_argument")
})

test_that("ggpredict() predicts the population as for the model of lme4, in every version", {
  skip_if_not_installed("ggeffects")
  data <- plain(nlme::Orthodont)
  ours <- lmm(distance ~ age * Sex + (age | Subject), data)
  theirs <- lme4_fit(distance ~ age * Sex + (age | Subject), data)
  same <- function(ask, columns = c("x", "predicted", "conf.low", "conf.high", "group"), tolerance = 1e-4) {
    expect_equal(as.data.frame(ask(ours))[columns], as.data.frame(ask(theirs))[columns], tolerance = tolerance,
      ignore_attr = TRUE)
  }
  same(function(fit) ggeffects::ggpredict(fit, "age [8]"))
  same(function(fit) ggeffects::ggpredict(fit, c("age [8, 11]", "Sex")))
  same(function(fit) ggeffects::ggpredict(fit, c("age", "Sex"), ci.lvl = 0.5))
  one <- c("x", "predicted", "group")
  # version 1.2 takes the standard error at the reference level there
  same(function(fit) ggeffects::ggpredict(fit, "age [9]", condition = c(Sex = "Female")), one)
  same(function(fit) ggeffects::ggpredict(fit, c("age [8, 11]", "Subject [M16, F02]"), type = "random"), one)
  same(function(fit) ggeffects::ggpredict(fit, "age [8]", type = "random"), one)
  grid <- data.frame(age = 8, Sex = "Male")
  found <- as.data.frame(ggeffects::ggpredict(ours, "age [8]"))
  expect_equal(found$predicted, unname(predict(ours, grid, re.form = NA)))
})
