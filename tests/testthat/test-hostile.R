# A seeded sample of the calls of helper-hostile.R: the right answer or a condition of this package, never R's own
# error, a loop, or a 'fault of the package'.

expect_classed <- function(calls, size) {
  set.seed(20)
  calls <- calls[sample(length(calls), size)]
  swept <- hostile_sweep(calls, limit = 20)
  bad <- swept[!swept$kind %in% c("value", "classed", "none"), ]
  expect(!nrow(bad), paste(c("These calls end otherwise:", paste(bad$what, bad$kind, bad$message)), collapse = "\n"))
  expect_gt(sum(swept$kind == "classed"), size / 3)
}

test_that("wrong arguments end in classed conditions", {
  methods <- Filter(function(entry) entry$generic != "[", hostile_methods(foreign = FALSE))
  expect_classed(hostile_calls(methods = methods), 300)
})

test_that("methods of damaged objects end in classed conditions", {
  expect_classed(hostile_damaged_calls(methods = hostile_methods(foreign = FALSE)), 300)
})

test_that("the options of a session change how numbers are shown, not what they are", {
  plain <- hostile_subjects()
  old <- options(OutDec = ",", warn = 2, width = 40, useFancyQuotes = FALSE, scipen = 20)
  on.exit(options(old))
  for (digits in c(1, 3, 15, 22)) {
    options(digits = digits)
    for (subject in plain) expect_output(print(subject), "[0-9]")
  }
  options(digits = 7)
  under <- hostile_subjects()
  same <- function(x) {
    if (inherits(x, "lmm")) return(c(x[c("beta", "theta", "vcov", "factors")], lapply(x$random, function(term) term$b)))
    Filter(is.numeric, as.list(as.data.frame(x)))
  }
  tables <- setdiff(names(plain), c("contest", "lmm_plan"))
  for (name in tables) expect_equal(same(under[[name]]), same(plain[[name]]), info = name, tolerance = 1e-8)
  limits <- confint(under[[1L]], method = "Wald", parm = "age", level = 0.95)
  expect_identical(colnames(limits), c("2.5 %", "97.5 %"))
})

test_that("numeric levels are found again under a decimal comma, whichever option the fit was made under", {
  data <- data.frame(g = rep(c(0.1, 0.25, 1.5, 3), each = 6), y = sin(1:24), x = cos(1:24))
  fit <- suppressMessages(lmm(y ~ x + (1 | g), data))
  old <- options(OutDec = ",")
  on.exit(options(old))
  expect_equal(predict(fit, data), fitted(fit), ignore_attr = TRUE)
  other <- suppressMessages(lmm(y ~ x + (1 | g), data))
  expect_identical(other$factors, fit$factors)
})

test_that("a covariate may have the name of a parameter or of a column of a result", {
  plain <- nlme::Orthodont
  plain <- data.frame(y = plain$distance, x = plain$age, g = factor(as.character(plain$Subject)))
  fit <- lmm(y ~ x + (x | g), plain, REML = FALSE)
  numbers <- function(fit) {
    boot <- bootstrap(fit, nsim = 40, seed = 1, progress = FALSE)
    expect_output(print(boot), "[0-9]")
    expect_output(print(VarCorr(fit)), "[0-9]")
    profiled <- profile(fit, points = 1)
    expect_output(print(profiled), "[0-9]")
    list(
      unname(boot$replicates), unname(unclass(confint(boot))[, 1:2]), unname(summary(boot)$estimate), profiled$value,
      unname(unclass(confint(fit))[, 1:2]), unname(unclass(confint(fit, method = "Wald"))[, 1:2]),
      if (requireNamespace("generics", quietly = TRUE)) {
        generics::tidy(fit, conf.int = TRUE, conf.method = "profile")[c("estimate", "conf.low", "conf.high")]
      }
    )
  }
  expected <- suppressMessages(numbers(fit))
  names <- c("sigma", "theta", "Residual", "value", "term", "group", "level", "n", "estimate", "sd_(Intercept)|g")
  for (name in names) {
    data <- stats::setNames(plain, c("y", name, "g"))
    formula <- stats::as.formula(sprintf("y ~ `%1$s` + (`%1$s` | g)", name))
    own <- lmm(formula, data, REML = FALSE)
    expect_equal(suppressMessages(numbers(own)), expected, info = name, tolerance = 1e-6)
  }
  boot <- bootstrap(lmm(y ~ sigma + (1 | g), stats::setNames(plain, c("y", "sigma", "g"))), nsim = 3, seed = 1)
  expect_identical(names(boot$estimate), c("sd_(Intercept)|g", "sigma", "(Intercept)", "`sigma`"))
  for (name in c("(weights)", "(offset)")) {
    data <- stats::setNames(plain, c("y", name, "g"))
    formula <- stats::as.formula(sprintf("y ~ `%s` + (1 | g)", name))
    expect_error(lmm(formula, data), "model frame adds", class = "ferrite_error_variable")
  }
})

test_that("text that is not valid in its encoding is shown in the error, by bytes", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  text <- "caf\xe9"
  Encoding(text) <- "UTF-8"
  for (call in list(quote(residuals(fit, type = text)), quote(summary(fit, ddf = text)), quote(confint(fit, text)))) {
    condition <- expect_error(eval(call), class = "ferrite_error_argument")
    expect_match(conditionMessage(condition), "caf<e9>", fixed = TRUE)
  }
})
