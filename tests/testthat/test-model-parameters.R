# The tables of the package parameters for a fit of lmm() and that of lmerTest.

parameters_pair <- function(formula, data) {
  skip_if_not_installed("parameters")
  skip_if_not_installed("lmerTest")
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore")
  list(lmm(formula, data), do.call(lmerTest::lmer, list(formula, data, control = control)))
}

expect_same_parameters <- function(pair, ask) {
  ours <- as.data.frame(ask(pair[[1]]))
  theirs <- as.data.frame(suppressMessages(ask(pair[[2]])))
  expect_identical(names(ours), names(theirs))
  expect_equal(lapply(ours, as.vector), lapply(theirs, as.vector), tolerance = 1e-4, ignore_attr = TRUE)
}

test_that("coefficients and variance parameters are those for the model of lmerTest", {
  for (model in list(
    list(distance ~ age * Sex + (age | Subject), plain(nlme::Orthodont)),
    list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), plain(nlme::Machines))
  )) {
    pair <- parameters_pair(model[[1]], model[[2]])
    expect_same_parameters(pair, parameters::model_parameters)
    for (method in c("satterthwaite", "kenward")) {
      expect_same_parameters(pair, function(fit) parameters::model_parameters(fit, ci_method = method))
    }
    expect_same_parameters(pair, function(fit) parameters::model_parameters(fit, group_level = TRUE))
    expect_same_parameters(pair, function(fit) parameters::model_parameters(fit, effects = "fixed", ci = c(0.5, 0.9)))
    expect_same_parameters(pair, function(fit) {
      parameters::model_parameters(fit, effects = "fixed", exponentiate = TRUE, drop = "Intercept")
    })
    for (name in c("ci", "standard_error", "p_value", "dof_satterthwaite", "se_satterthwaite", "p_value_satterthwaite",
                   "p_value_kenward", "degrees_of_freedom")) {
      ask <- getExportedValue("parameters", name)
      expect_equal(ask(pair[[1]]), ask(pair[[2]]), tolerance = 1e-4, info = name, ignore_attr = TRUE)
    }
    expect_equal(parameters::standard_error(pair[[1]], effects = "random"),
      parameters::standard_error(pair[[2]], effects = "random"), tolerance = 1e-4, ignore_attr = TRUE)
  }
})

test_that("profile limits are those of confint()", {
  skip_if_not_installed("parameters")
  fit <- shared_fit("nested")
  limits <- confint(fit)[c(4:6, 1:3), ]
  table <- parameters::model_parameters(fit, ci_method = "profile")
  expect_equal(table$CI_low, unname(limits[, 1]))
  random <- parameters::model_parameters(fit, ci_random = TRUE)
  expect_equal(random$CI_high[4:6], unname(limits[4:6, 2]))
  half <- qt(0.975, df.residual(fit)) * random$SE[1:3]
  expect_equal(random$CI_high[1:3], random$Coefficient[1:3] + half)
})

test_that("the table prints, and several stand side by side", {
  skip_if_not_installed("parameters")
  fit <- shared_fit("nested")
  table <- parameters::model_parameters(fit, ci_method = "kenward")
  text <- suppressMessages(printed(table))
  expect_match(text, "# Fixed Effects")
  expect_match(text, "SD (Intercept: Worker:Machine)", fixed = TRUE)
  expect_identical(attr(table, "ci_method"), "Kenward")
  expect_identical(attr(table, "object_name"), "fit")
  both <- parameters::compare_parameters(table, parameters::model_parameters(fit))
  expect_s3_class(both, "compare_parameters")
})

test_that("bootstrap and standardised coefficients", {
  skip_if_not_installed("parameters")
  skip_if_not_installed("datawizard")
  data <- plain(nlme::Orthodont)
  fit <- lmm(distance ~ age + Sex + (1 | Subject), data, subset = age > 8)
  draws <- parameters::bootstrap_model(fit, iterations = 20)
  expect_identical(dim(draws), c(20L, 3L))
  own <- data[data$age > 8, ]
  scaled <- datawizard::standardize(fit)
  expect_equal(fixef(scaled)[["age"]], fixef(fit)[["age"]] * sd(own$age) / sd(own$distance))
  table <- parameters::standardize_parameters(fit)
  expect_equal(table$Std_Coefficient, unname(fixef(scaled)))
  expect_identical(curved_variables(log(y) ~ x + sqrt(z + 1) + offset(o)), c("y", "z", "o"))
})

test_that("wrong words are classed errors", {
  fit <- shared_fit("nested")
  expect_error(parameters_table(fit, ci_method = "bayes"), class = "ferrite_error_argument")
  expect_error(parameters_table(fit, ci = 95), class = "ferrite_error_argument")
  expect_error(parameters_p(fit, method = "x"), class = "ferrite_error_argument")
})

test_that("standardised coefficients are those for the model of lmerTest, or an error", {
  data <- plain(nlme::Orthodont)
  pair <- parameters_pair(distance ~ age * Sex + (age | Subject), data)
  quietly <- function(expr) suppressWarnings(suppressMessages(expr))
  for (method in c("refit", "posthoc", "smart", "basic", "pseudo")) {
    expect_same_parameters(pair, function(fit) {
      quietly(parameters::model_parameters(fit, standardize = method, effects = "fixed"))
    })
    expect_same_parameters(pair, function(fit) quietly(parameters::model_parameters(fit, standardize = method)))
    expect_same_parameters(pair, function(fit) quietly(parameters::standardize_parameters(fit, method = method)))
  }
  # by hand: the model of the scaled variables
  scaled <- data
  scaled[c("distance", "age")] <- lapply(data[c("distance", "age")], function(x) as.vector(scale(x)))
  own <- parameters::model_parameters(pair[[1]], standardize = "refit", effects = "fixed", verbose = FALSE)
  expect_equal(own$Coefficient, unname(fixef(lmm(distance ~ age * Sex + (age | Subject), scaled))), tolerance = 1e-6)
  expect_message(parameters::model_parameters(pair[[1]], standardize = "basic"), class = "ferrite_message_standardize")
  refused <- function(expr) expect_three_lines(tryCatch(expr, error = identity), "ferrite_error_argument")
  refused(parameters::model_parameters(pair[[1]], standardize = "both"))
  refused(parameters::model_parameters(pair[[1]], robust = TRUE))
  expect_identical(
    parameters::model_parameters(pair[[1]], df_method = "kenward")$df_error,
    parameters::model_parameters(pair[[1]], ci_method = "kenward")$df_error
  )
  expect_equal(as.data.frame(parameters::equivalence_test(pair[[1]])),
    as.data.frame(parameters::equivalence_test(pair[[2]])), tolerance = 1e-4, ignore_attr = TRUE)
})
