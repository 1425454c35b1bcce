# The same questions to a fit of lmm() and to that of lmerTest; figures agree to 1e-4 or better.

lmer_twin <- function(formula, data, ...) {
  skip_if_not_installed("lmerTest")
  call <- match.call()
  call[[1]] <- quote(lmerTest::lmer)
  call$control <- quote(lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12)))
  eval(call, parent.frame())
}

# Data frames without attributes and kinds of factors.
bare_table <- function(x) {
  if (!is.data.frame(x)) return(x)
  lapply(as.list(x), function(column) if (is.factor(column)) as.character(column) else as.vector(column))
}

asked <- c(
  "find_formula", "find_random", "find_predictors", "find_response", "find_terms", "find_variables", "find_parameters",
  "find_weights", "find_offset", "find_interactions", "find_random_slopes", "get_data", "get_deviance",
  "get_intercept", "get_parameters", "get_predictors", "get_random", "get_response", "get_statistic", "get_sigma",
  "get_varcov", "get_weights", "is_mixed_model", "is_nullmodel", "model_info", "n_obs", "n_grouplevels",
  "n_parameters", "get_df", "get_residuals", "get_loglikelihood", "clean_parameters", "get_modelmatrix"
)

expect_same_answers <- function(ours, theirs, questions) {
  for (question in questions) {
    ask <- getExportedValue("insight", question)
    mine <- suppressWarnings(ask(ours))
    other <- suppressWarnings(ask(theirs))
    attr(other, "per_obs") <- attr(other, "msgScaleX") <- NULL
    attr(mine, "data") <- attr(other, "data") <- NULL
    if (inherits(mine, "logLik")) class(mine) <- class(other)
    expect_equal(bare_table(mine), bare_table(other), tolerance = 1e-4, info = question, ignore_formula_env = TRUE,
                 ignore_function_env = TRUE)
  }
}

test_that("insight's answers are those for the same model of lmerTest", {
  skip_if_not_installed("insight")
  orthodont <<- plain(nlme::Orthodont)
  on.exit(rm(orthodont, envir = globalenv()))
  expect_same_answers(
    lmm(distance ~ age * Sex + (age | Subject), orthodont),
    lmer_twin(distance ~ age * Sex + (age | Subject), orthodont), c(asked, "get_variance", "get_predicted")
  )
  expect_same_answers(
    lmm(distance ~ age + (1 | Subject), orthodont, REML = FALSE),
    lmer_twin(distance ~ age + (1 | Subject), orthodont, REML = FALSE), c(asked, "get_variance", "get_predicted")
  )
})

test_that("so they are with weights, transformations and nested factors", {
  skip_if_not_installed("insight")
  oats <<- plain(nlme::Oats)
  oats$w <<- rep(1:2, 36)
  on.exit(rm(oats, envir = globalenv()))
  expect_same_answers(
    lmm(log(yield) ~ poly(nitro, 2) * Variety + (1 | Block / Variety), oats, weights = w),
    lmer_twin(log(yield) ~ poly(nitro, 2) * Variety + (1 | Block / Variety), oats, weights = w),
    c(setdiff(asked, c("get_random", "get_data")), "get_variance")
  )
})

test_that("links, degrees of freedom and covariance matrices", {
  skip_if_not_installed("insight")
  fit <- shared_fit("nested")
  expect_identical(insight::link_inverse(fit)(3), 3)
  expect_identical(insight::link_function(fit)(3), 3)
  expect_equal(insight::get_df(fit, "satterthwaite"), coef(summary(fit))[, "df"])
  expect_equal(insight::get_df(fit, "kenward"), coef(summary(fit, ddf = "Kenward-Roger"))[, "df"])
  expect_identical(insight::get_df(fit, "model"), fit$npar)
  expect_identical(insight::get_df(fit, "normal"), Inf)
  new <- data.frame(Machine = c("A", "C"), Worker = "1")
  rows <- insight::get_df(fit, "satterthwaite", df_per_obs = TRUE, data = new)
  expect_equal(rows[1], unname(coef(summary(fit))[1, "df"]))
  expect_equal(sqrt(diag(insight::get_varcov(fit, vcov = "kenward-roger"))),
    coef(summary(fit, ddf = "Kenward-Roger"))[, "Std. Error"])
  expect_identical(insight::find_algorithm(fit), list(algorithm = "REML", optimizer = "ferrite"))
  expect_true(insight::is_converged(fit)[1])
  expect_s3_class(insight::null_model(fit), "lmm")
})

test_that("variables inside of terms are found again, or the frame is given with a warning", {
  skip_if_not_installed("insight")
  make <- function() {
    local <- transform(plain(nlme::Orthodont), z = exp(age / 10), more = 1)
    lmm(distance ~ log(z) + (1 | Subject), local)
  }
  fit <- make()
  expect_identical(names(insight::get_data(fit)), c("distance", "z", "Subject"))
  expect_identical(names(insight::get_data(fit, additional_variables = "more")), c("distance", "z", "Subject", "more"))
  expect_true("Sex" %in% names(insight::get_data(fit, additional_variables = TRUE)))
  expect_identical(names(insight::get_data(fit, effects = "random")), "Subject")
  rm(list = "local", envir = environment(fit$formula))
  expect_warning(found <- insight::get_data(fit), class = "ferrite_warning_recover")
  expect_identical(names(found), c("distance", "log(z)", "Subject"))
})

test_that("random slopes count in the variance whether or not they are fixed effects, and with `||`", {
  skip_if_not_installed("insight")
  fit <- shared_fit("uncorrelated")
  parts <- insight::get_variance(fit, tolerance = 0)
  terms <- as.data.frame(VarCorr(fit))$vcov
  expect_equal(parts$var.random, terms[1] + terms[2] * mean(nlme::Orthodont$age^2))
  expect_equal(insight::get_variance_slope(fit, tolerance = 0), c(var.slope.Subject.age = terms[2]))
  expect_equal(insight::get_variance_residual(fit), c(var.residual = sigma(fit)^2))
  unfixed <- suppressMessages(lmm(distance ~ 1 + (0 + age | Subject), nlme::Orthodont))
  expect_equal(insight::get_variance_random(unfixed),
    c(var.random = unfixed$random[[1]]$varcov[1] * mean(nlme::Orthodont$age^2)))
})

test_that("a singular fit has no variance of random effects, unless the tolerance is zero", {
  skip_if_not_installed("insight")
  fit <- shared_fit("singular")
  condition <- expect_warning(parts <- insight::get_variance(fit), class = "ferrite_warning_singular")
  expect_three_lines(condition, "ferrite_warning_singular")
  expect_null(parts$var.random)
  expect_identical(insight::get_variance(fit, tolerance = 0)$var.random, 0)
})

test_that("dropped columns are left out everywhere", {
  skip_if_not_installed("insight")
  fit <- shared_fit("dropped")
  expect_identical(insight::get_parameters(fit)$Parameter, c("(Intercept)", "age"))
  expect_identical(dim(insight::get_varcov(fit)), c(2L, 2L))
  expect_identical(attr(insight::get_modelmatrix(fit), "assign"), 0:1)
})

test_that("predictions", {
  skip_if_not_installed("insight")
  fit <- lmm(distance ~ age + (1 | Subject), plain(nlme::Orthodont))
  new <- data.frame(age = c(9, 11))
  expect_equal(as.numeric(insight::get_predicted(fit)), unname(fitted(fit)))
  expect_equal(as.numeric(insight::get_predicted(fit, new)), unname(predict(fit, new, re.form = NA)))
  known <- as.data.frame(insight::get_predicted(fit, data.frame(age = 9, Subject = "M01"), ci = 0.9))
  expect_equal(known$Predicted, predict(fit, data.frame(age = 9, Subject = "M01"))[[1]])
  mean <- as.data.frame(insight::get_predicted(fit, new, ci = 0.9))
  expect_equal(mean$CI_high - mean$Predicted, qt(0.95, df.residual(fit)) * mean$SE)
  few <- as.data.frame(insight::get_predicted(fit, new, ci = 0.9, ci_method = "satterthwaite"))
  expected <- predict(fit, new, re.form = NA, interval = "confidence", level = 0.9, ddf = "Satterthwaite")
  expect_equal(few$CI_low, unname(expected[, "lwr"]))
  wide <- as.data.frame(insight::get_predicted(fit, new, predict = "prediction", ci = 0.9, ci_method = "normal"))
  expected <- predict(fit, new, re.form = NA, interval = "prediction", level = 0.9)
  expect_equal(wide$CI_low, unname(expected[, "lwr"]))
  grid <- insight::get_datagrid(fit, at = "age", length = 3)
  expect_identical(grid$age, c(8, 11, 14))
})

test_that("the likelihood of a transformed response is that of the response", {
  skip_if_not_installed("insight")
  data <- plain(nlme::Orthodont)
  fit <- lmm(log(distance) ~ age + (1 | Subject), data)
  adjusted <- insight::get_loglikelihood(fit, check_response = TRUE)
  expect_equal(as.numeric(adjusted), as.numeric(logLik(fit)) - sum(log(data$distance)))
  expect_identical(attr(adjusted, "df"), fit$npar)
})

test_that("a wrong word is a classed error", {
  fit <- shared_fit("nested")
  expect_error(insight_variance(fit, "vari"), class = "ferrite_error_argument")
  expect_error(insight_df(fit, "x"), class = "ferrite_error_argument")
  expect_error(insight_predicted(fit, predict = "class"), class = "ferrite_error_argument")
})

test_that("every method is found by the generic of its package", {
  for (entry in c(tidy_methods(), insight_methods(), performance_methods(), parameters_methods())) {
    expect_type(entry[[4]], "closure")
    if (!requireNamespace(entry[[1]], quietly = TRUE)) next
    found <- utils::getS3method(entry[[2]], entry[[3]], optional = TRUE, envir = asNamespace(entry[[1]]))
    expect_type(found, "closure")
  }
})

test_that("with a dispersion the residual variance is the mean over the rows; a grid needs no times", {
  skip_if_not_installed("insight")
  data <- plain(nlme::Orthodont)
  data$visit <- (data$age - 6) / 2
  formula <- distance ~ age + (1 | Subject)
  strata <- lmm(formula, data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  expected <- mean(attr(VarCorr(strata), "residual")$strata$sd[as.integer(data$Sex)]^2)
  expect_equal(insight_variance(strata)$var.residual, expected)
  power <- lmm(formula, data, dispersion = ~ power(age))
  expect_equal(insight_variance(power)$var.residual,
    mean((sigma(power) * data$age^power$residual$phi[[1L]])^2))
  expect_equal(insight_variance(lmm(formula, data))$var.residual, sigma(lmm(formula, data))^2)
  grid <- data.frame(age = c(8, 10), Subject = data$Subject[1L])
  found <- insight_predicted(strata, grid)
  expect_equal(as.vector(found), unname(predict(strata, grid, serial = FALSE)))
  expect_equal(as.vector(insight_predicted(strata, data)), unname(predict(strata, data)))
  draws <- r2_limits(strata, 0.9, 50L)
  expect_true(all(draws > 0 & draws < 1))
  expect_equal(mean_residual_variance(power, rbind(0, 0.5)), c(1, mean(data$age)))
})

test_that("weights are in the data and residuals, not in the grid, as for the model of lme4", {
  skip_if_not_installed("insight")
  data <- plain(nlme::Orthodont)
  data$w <- rep(c(1, 2, 3), 36)
  ours <- lmm(distance ~ age * Sex + (1 | Subject), data, weights = w)
  skip_if_not_installed("lme4")
  theirs <- lme4::lmer(distance ~ age * Sex + (1 | Subject), data, weights = w)
  same <- function(ask, ...) expect_equal(ask(ours, ...), ask(theirs, ...), tolerance = 1e-4, ignore_attr = TRUE)
  same(insight::get_residuals, weighted = TRUE)
  same(insight::get_residuals)
  same(insight::get_data, effects = "random")
  same(insight::get_datagrid, at = "age", length = 3)
  expect_equal(insight::get_residuals(ours, weighted = TRUE), unname(residuals(ours) * sqrt(data$w)))
})
