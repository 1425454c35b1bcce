test_that("a choice may be left out or begun, and the first is the default", {
  expect_identical(choose_one(c("a1", "b"), c("a1", "b"), "type", NULL), "a1")
  expect_identical(choose_one(NULL, c("a1", "b"), "type", NULL), "a1")
  expect_identical(choose_one("a", c("a1", "b"), "type", NULL), "a1")
  expect_identical(choose_several(c("b", "a", "b"), c("a1", "b"), "comp", NULL), c("b", "a1"))
})

test_that("a wrong choice is an error in three lines that names the choices", {
  fit <- shared_fit("slope")
  wrong <- list(
    quote(residuals(fit, type = "partial")), quote(residuals(fit, type = c("pearson", "working"))),
    quote(model.matrix(fit, type = "randm")), quote(plot_data(fit, "histogram")), quote(plot_data(fit, 2)),
    quote(plot(fit, which = c("qq", "pairs"))), quote(plot(fit, which = character())),
    quote(print(VarCorr(fit), comp = "sd")), quote(as.data.frame(VarCorr(fit), order = "first"))
  )
  for (call in wrong) {
    condition <- expect_error(eval(call), class = "ferrite_error_argument")
    expect_three_lines(condition, "ferrite_error_argument")
  }
  condition <- expect_error(model.matrix(fit, type = "randm"), class = "ferrite_error_argument")
  expect_match(conditionMessage(condition), "`type` must be \"fixed\" or \"random\".\nx It is \"randm\".", fixed = TRUE)
  expect_match(conditionMessage(condition), "Did you mean \"random\"?", fixed = TRUE)
  expect_identical(conditionCall(condition), quote(model.matrix(fit, type = "randm")))
})

test_that("an argument that would have no effect is an error of the reading methods", {
  fit <- shared_fit("slope")
  unknown <- list(
    quote(VarCorr(fit, rdig = 3)), quote(ranef(fit, levels = 1)), quote(fixef(fit, effects = "fixed")),
    quote(coef(fit, levels = 0)), quote(fitted(fit, levels = 0)), quote(residuals(fit, scale = 2)),
    quote(model.matrix(fit, data = nlme::Orthodont)), quote(convergence(fit, 2)), quote(plot_data(fit, "qq", n = 2)),
    quote(plot(fit, conf = 0.9)), quote(plot(fit, "qq", 0.9, FALSE, 7))
  )
  for (call in unknown) expect_three_lines(expect_error(eval(call)), "ferrite_error_argument")
  expect_error(plot(fit, levels = 0.9), "Did you mean `level`", class = "ferrite_error_argument")
})

test_that("a level is one number between 0 and 1, whatever is drawn", {
  fit <- shared_fit("slope")
  for (level in list(0, 1, 95, NA, "0.9", c(0.5, 0.9))) {
    expect_error(plot(fit, level = level), "`level`", class = "ferrite_error_argument")
    expect_error(plot_data(fit, "qq", level = level), "`level`", class = "ferrite_error_argument")
  }
})

test_that("an argument that lmm() does not know is a classed error that says what was meant", {
  data <- nlme::Orthodont
  formula <- distance ~ age + (1 | Subject)
  said <- function(call, text) {
    condition <- expect_error(eval(call), class = "ferrite_error_argument")
    expect_three_lines(condition, "ferrite_error_argument")
    expect_match(conditionMessage(condition), text, fixed = TRUE)
    expect_identical(conditionCall(condition)[[1L]], call[[1L]])
  }
  said(quote(lmm(formula, data, family = binomial)), "Gaussian models only")
  said(quote(lmm(formula, data, weigths = age)), "Did you mean `weights`?")
  said(quote(lmm(formula, data, disperson = ~ Sex)), "Did you mean `dispersion`?")
  said(quote(lmm(formula, data, threads = 1)), "`control = lmm_control(threads = )`")
  said(quote(lmm(distance ~ age, data, random = ~ 1 | Subject)), "distance ~ age + (1 | Subject)")
  said(quote(lmm(formula, data, method = "ML")), "`REML = FALSE`")
  said(
    quote(lmm(formula, data, FALSE, NULL, NULL, NULL, NULL, NULL, ~ 1, NULL, NULL, lmm_control(), 3)), "by their names"
  )
  said(quote(lmm_plan(formula, data, family = binomial)), "Gaussian models only")
  said(quote(lmm_plan(formula, data, corelation = 1)), "Did you mean `correlation`?")
  # the value of an argument that is not known is not asked for
  said(quote(lmm(formula, data, verbos = stop("no"))), "`verbos`")
  # the beginning of a name is enough, as before
  expect_equal(fixef(lmm(formula, data, disp = ~ Sex)), fixef(lmm(formula, data, dispersion = ~ Sex)))
})
