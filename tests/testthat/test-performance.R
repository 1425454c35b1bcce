# The same measures and checks for a fit of lmm() and that of lme4.

measured_pair <- function(formula, data, ...) {
  list(lmm(formula, data, ...), lme4_fit(formula, data, ...))
}

test_that("R2 and ICC are those of the same model of lme4", {
  skip_if_not_installed("performance")
  data <- plain(nlme::Orthodont)
  for (formula in list(distance ~ age * Sex + (1 | Subject), distance ~ age + (age | Subject))) {
    for (reml in c(TRUE, FALSE)) {
      pair <- measured_pair(formula, data, REML = reml)
      expect_equal(performance::r2(pair[[1]]), performance::r2(pair[[2]]), tolerance = 1e-4)
      expect_equal(performance::icc(pair[[1]]), performance::icc(pair[[2]]), tolerance = 1e-4)
    }
  }
  pair <- measured_pair(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), plain(nlme::Machines))
  expect_equal(performance::r2(pair[[1]]), performance::r2(pair[[2]]), tolerance = 1e-4)
  expect_equal(performance::icc(pair[[1]], by_group = TRUE), performance::icc(pair[[2]], by_group = TRUE),
    tolerance = 1e-4)
})

test_that("the ICC of performance is that of icc()", {
  skip_if_not_installed("performance")
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  expect_equal(performance::icc(fit)$ICC_adjusted, 0.8431522, tolerance = 1e-6)
  expect_equal(performance::icc(fit)$ICC_adjusted, icc(fit)$table$icc)
})

test_that("the row of measures is that of the same model of lme4", {
  skip_if_not_installed("performance")
  data <- plain(nlme::Orthodont)
  for (formula in list(distance ~ age * Sex + (1 | Subject), log(distance) ~ age + (age | Subject))) {
    pair <- measured_pair(formula, data)
    theirs <- suppressWarnings(performance::model_performance(pair[[2]]))
    expect_equal(performance::model_performance(pair[[1]]), theirs, tolerance = 1e-4, ignore_attr = TRUE)
    expect_named(performance::model_performance(pair[[1]]), names(theirs))
    for (criterion in c("performance_aic", "performance_aicc")) {
      measure <- getExportedValue("performance", criterion)
      expect_equal(measure(pair[[1]], estimator = "ML"), suppressWarnings(measure(pair[[2]], estimator = "ML")),
        tolerance = 1e-6)
    }
  }
  some <- performance::model_performance(pair[[1]], metrics = c("RMSE", "AIC"))
  expect_named(some, c("AIC", "RMSE"))
  expect_error(performance::model_performance(pair[[1]], metrics = "best"), class = "ferrite_error_argument")
})

test_that("criteria are those of the fit", {
  skip_if_not_installed("performance")
  fit <- shared_fit("ml")
  expect_equal(performance::model_performance(fit)$AIC, AIC(fit))
  expect_equal(performance::model_performance(fit)$BIC, BIC(fit))
})

test_that("the checks are those of the same model of lme4", {
  skip_if_not_installed("performance")
  pair <- measured_pair(distance ~ age + Sex + (1 | Subject), plain(nlme::Orthodont))
  checks <- c("check_collinearity", "check_heteroscedasticity", "check_normality", "check_singularity",
              "check_homogeneity", "performance_rmse", "performance_mae")
  for (name in checks) {
    check <- getExportedValue("performance", name)
    expect_equal(c(check(pair[[1]])), c(check(pair[[2]])), tolerance = 1e-4, info = name, ignore_attr = TRUE)
  }
  outliers <- performance::check_outliers(pair[[1]])
  expect_identical(sum(outliers), sum(performance::check_outliers(pair[[2]])))
  random <- performance::check_normality(pair[[1]], effects = "random")
  expect_equal(as.numeric(random), as.numeric(performance::check_normality(pair[[2]], effects = "random")),
    tolerance = 1e-4)
  expect_identical(attr(random, "re_groups"), "Subject: (Intercept)")
  expect_named(attr(random, "re_qq")$Subject, c("x", "y", "conf.low", "conf.high", "facet"))
})

test_that("singular and converged", {
  skip_if_not_installed("performance")
  expect_true(performance::check_singularity(shared_fit("singular")))
  expect_false(performance::check_singularity(shared_fit("slope")))
  expect_true(performance::check_convergence(shared_fit("slope"))[1])
  expect_warning(found <- performance::icc(shared_fit("singular")), class = "ferrite_warning_singular")
  expect_true(is.na(found))
  expect_identical(performance::icc(shared_fit("singular"), tolerance = 0)$ICC_adjusted, 0)
})

test_that("R2 has limits by the bootstrap", {
  skip_if_not_installed("performance")
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  set.seed(1)
  found <- performance::r2(fit, ci = 0.9, iterations = 200)
  expect_named(found$R2_marginal, c("Marginal R2", "CI_low", "CI_high"))
  for (limits in found[c("R2_conditional", "R2_marginal")]) {
    expect_gt(limits[1], limits[2])
    expect_lt(limits[1], limits[3])
  }
  set.seed(1)
  draws <- bootstrap(fit, function(fit) unlist(insight_variance(fit, tolerance = 0)[1:3]), nsim = 200)$replicates
  marginal <- draws[, "var.fixed"] / rowSums(draws)
  expect_equal(unname(found$R2_marginal[2:3]), unname(quantile(marginal, c(0.05, 0.95))))
})

test_that("the page of checks can be made", {
  skip_if_not_installed("performance")
  fit <- lmm(distance ~ age + Sex + (1 | Subject), plain(nlme::Orthodont))
  page <- suppressMessages(performance::check_model(fit))
  expect_true(all(c("QQ", "REQQ", "NCV", "HOMOGENEITY", "OUTLIERS") %in% names(page)))
})

test_that("several models are compared as those of lme4", {
  skip_if_not_installed("performance")
  data <- plain(nlme::Orthodont)
  small <- measured_pair(distance ~ age + (1 | Subject), data)
  large <- measured_pair(distance ~ age * Sex + (1 | Subject), data)
  slope <- measured_pair(distance ~ age * Sex + (age | Subject), data)
  same <- function(ours, theirs) {
    ours <- as.data.frame(ours)
    theirs <- as.data.frame(theirs)
    kept <- setdiff(names(theirs), c("Name", "Model"))
    expect_identical(names(ours), names(theirs))
    expect_equal(ours[kept], theirs[kept], tolerance = 1e-4, ignore_attr = TRUE)
  }
  both <- function(of) {
    quiet <- function(expr) suppressMessages(suppressWarnings(expr))
    same(quiet(of(small[[1]], large[[1]])), quiet(of(small[[2]], large[[2]])))
  }
  both(performance::compare_performance)
  both(performance::test_performance)
  both(performance::test_likelihoodratio)
  both(performance::test_bf)
  both(function(a, b) performance::compare_performance(a, b, rank = TRUE, metrics = "common"))
  expect_identical(performance::compare_performance(small[[1]], large[[1]])$Model, c("lmm", "lmm"))
  # the same fixed part by REML: restricted likelihoods
  quiet <- function(expr) suppressMessages(expr)
  a <- large[[1]]
  b <- slope[[1]]
  ours <- quiet(performance::test_likelihoodratio(a, b))
  same(ours, quiet(performance::test_likelihoodratio(large[[2]], slope[[2]])))
  expect_identical(ours$Name, c("a", "b"))
  expect_equal(ours$Chi2[2], a$criterion - b$criterion)
  expect_three_lines(tryCatch(performance::test_wald(a, b), error = identity), "ferrite_error_argument")
})
