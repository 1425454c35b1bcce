# The methods for marginaleffects, called as marginaleffects calls them: estimates, predictions, and standard errors by
# the delta method from predictions with other estimates.

# What marginaleffects does with the methods: d prediction / d coefficient by differences.
delta_errors <- function(fit, newdata, ..., vcov = NULL) {
  beta <- get_coef_lmm(fit)
  base <- get_predict_lmm(fit, newdata, type = "response", ..., normalize_dydx = TRUE)$estimate
  jacobian <- vapply(names(beta), function(name) {
    step <- 1e-4
    moved <- beta
    moved[name] <- moved[name] + step
    (get_predict_lmm(set_coef_lmm(fit, moved), newdata, type = NULL, ...)$estimate - base) / step
  }, base)
  variance <- get_vcov_lmm(fit, vcov = vcov)
  expect_identical(dimnames(variance), list(names(beta), names(beta)))
  sqrt(rowSums((jacobian %*% variance) * jacobian))
}

test_that("predictions and their delta-method errors are those of the fixed effects", {
  for (name in c("slope", "dropped")) {
    fit <- shared_fit(name)
    new <- nlme::Orthodont[c(1, 60, 108), ]
    new$rowid <- c(5L, 2L, 9L)
    found <- get_predict_lmm(fit, new, type = "response")
    expect_identical(names(found), c("rowid", "estimate"))
    expect_identical(found$rowid, new$rowid)
    expect_equal(found$estimate, unname(predict(fit, new)))
    x <- fixed_matrix(fit, model.frame(fit)[c(1, 60, 108), ])[, fit$kept]
    expect_equal(delta_errors(fit, new), unname(sqrt(diag(x %*% fit$vcov %*% t(x)))), tolerance = 1e-6)
    # the random effects count as known
    expect_equal(delta_errors(fit, new, re.form = NA), delta_errors(fit, new), tolerance = 1e-6)
    expect_equal(get_predict_lmm(fit, new, re.form = NA)$estimate, unname(predict(fit, new, re.form = NA)))
  }
  unknown <- data.frame(age = 8, Sex = "Male", Subject = "new")
  fit <- shared_fit("slope")
  expect_equal(get_predict_lmm(fit, unknown, allow.new.levels = TRUE)$estimate,
               unname(predict(fit, unknown, re.form = NA)))
  expect_error(get_predict_lmm(fit, unknown), class = "ferrite_error_new_levels")
})

test_that("the covariance matrix is the one asked for", {
  fit <- shared_fit("nested")
  expect_null(get_vcov_lmm(fit, vcov = FALSE))
  for (vcov in list(NULL, TRUE, "satterthwaite")) expect_identical(get_vcov_lmm(fit, vcov = vcov), fit$vcov)
  expect_equal(get_vcov_lmm(fit, vcov = 4 * fit$vcov), 4 * fit$vcov)
  expect_equal(get_vcov_lmm(fit, vcov = function(m) 4 * vcov(m)), 4 * fit$vcov)
  unbalanced <- suppressMessages(lmm(yield ~ nitro + Variety + (1 | Block / Variety), nlme::Oats[-(1:9), ]))
  adjusted <- get_vcov_lmm(unbalanced, vcov = "kenward-roger")
  rows <- contest(unbalanced, diag(4), joint = FALSE, ddf = "Kenward-Roger")
  expect_equal(unname(sqrt(diag(adjusted))), rows[["Std. Error"]])
  expect_identical(dimnames(adjusted), dimnames(unbalanced$vcov))
  refused <- function(expr) expect_three_lines(tryCatch(expr, error = identity), "ferrite_error_argument")
  refused(get_vcov_lmm(fit, vcov = "HC3"))
  refused(get_vcov_lmm(fit, vcov = diag(7)))
  refused(set_coef_lmm(fit, c(MachineD = 1)))
  refused(set_coef_lmm(fit, 1:3))
  refused(get_predict_lmm(fit, nlme::Machines, type = "class"))
})

test_that("the class is offered to marginaleffects when that package is loaded", {
  old <- options(marginaleffects_model_classes = "other")
  on.exit(options(old))
  hooks <- getHook(packageEvent("marginaleffects", "onLoad"))
  expect_true(length(hooks) > 0L)
  for (i in 1:2) for (hook in hooks) try(hook("marginaleffects", NULL), silent = TRUE)
  expect_identical(getOption("marginaleffects_model_classes"), c("other", "lmm"))
})
