# effects on our fits beside effects on the same fits by lme4.

effect_numbers <- function(x) {
  tables <- if (inherits(x, "efflist")) x else list(x)
  do.call(rbind, lapply(unname(tables), function(table) as.data.frame(table)[c("fit", "se", "lower", "upper")]))
}

test_that("effects, their standard errors and intervals are those of the lme4 fit", {
  skip_if_not_installed("effects")
  skip_if_not_installed("lme4")
  data <- plain(nlme::Orthodont)
  data$text <- as.character(data$Sex)
  data$shift <- data$age / 10
  cases <- list(
    distance ~ age * Sex + (age | Subject), log(distance) ~ poly(age, 2) + Sex + (1 | Subject),
    distance ~ log(age) * Sex + offset(shift) + (1 | Subject), distance ~ age + text + (1 | Subject)
  )
  for (formula in cases) {
    fits <- list(do.call(lmm, list(formula, data)), do.call("lme4_fit", list(formula, data)))
    fits[[2]]@call <- call("lmer", formula = formula, data = data)
    for (of in list(effects::allEffects, effects::predictorEffects, function(fit) {
      effects::Effect("age", fit, xlevels = list(age = c(8, 14)), se = list(level = 0.9))
    })) {
      expect_equal(effect_numbers(of(fits[[1]])), effect_numbers(of(fits[[2]])), tolerance = 1e-6)
    }
  }
})

test_that("an effect is a prediction for the population", {
  skip_if_not_installed("effects")
  new <- expand.grid(age = c(8, 14), Sex = levels(nlme::Orthodont$Sex))
  local <- nlme::Orthodont
  fit <- lmm(distance ~ age * Sex + (1 | Subject), local)
  rm(local)
  found <- as.data.frame(effects::Effect(c("age", "Sex"), fit, xlevels = list(age = c(8, 14))))
  expect_equal(found$fit, unname(predict(fit, new, re.form = NA)))
  x <- stats::model.matrix(~ age * Sex, new)
  expect_equal(found$se, unname(sqrt(diag(x %*% vcov(fit) %*% t(x)))))
  adjusted <- function(model, ...) 4 * vcov(fit)
  doubled <- effects::Effect(c("age", "Sex"), fit, xlevels = list(age = c(8, 14)), vcov. = adjusted)
  expect_equal(as.data.frame(doubled)$se, 2 * found$se)
})

test_that("fits inside of functions, with contrasts, an offset and dropped columns have effects", {
  skip_if_not_installed("effects")
  inside <- function(data) {
    fit <- suppressMessages(lmm(
      distance ~ log(age) * Sex + I(2 * log(age)) + (1 | Subject), data, offset = age / 10,
      contrasts = list(Sex = "contr.sum")
    ))
    list(fit = fit, effects = effects::Effect(c("age", "Sex"), fit, xlevels = list(age = c(8, 14))))
  }
  found <- inside(plain(nlme::Orthodont))
  plain_fit <- lmm(I(distance - age / 10) ~ log(age) * Sex + (1 | Subject), nlme::Orthodont)
  new <- expand.grid(age = c(8, 14), Sex = levels(nlme::Orthodont$Sex))
  # the offset at its mean, 11 / 10
  expect_equal(as.data.frame(found$effects)$fit, unname(predict(plain_fit, new, re.form = NA)) + 1.1, tolerance = 1e-7)
})

test_that("a variable that is gone, or not in the model, is an error", {
  skip_if_not_installed("effects")
  local <- nlme::Orthodont
  fit <- lmm(log(distance) ~ age + (1 | Subject), local)
  rm(local)
  expect_three_lines(tryCatch(effects::Effect("age", fit), error = identity), "ferrite_error_recover")
  expect_error(effects::Effect("Subject", shared_fit("slope")), "not in the model")
})
