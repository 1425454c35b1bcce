# Backward elimination beside lmerTest on the same models. p-values of random terms are smaller here (mixtures), so the
# cases are those in which both make the same decisions.

step_pair <- function(formula, data, ...) {
  skip_if_not_installed("lmerTest")
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore")
  theirs <- do.call(lmerTest::lmer, list(formula, data, control = control))
  list(ours = eliminate(lmm(formula, data), ...), theirs = lmerTest::step(theirs, ...))
}

expect_same_steps <- function(pair) {
  table <- function(x) {
    x <- as.data.frame(x)
    x[order(-x$Eliminated, rownames(x)), ]
  }
  random <- lapply(pair, function(x) table(x$random)[c("Eliminated", "npar", "logLik", "AIC", "LRT", "Df")])
  expect_equal(random$ours, random$theirs, tolerance = 1e-5, ignore_attr = c("row.names", "heading"))
  expect_identical(rownames(random$ours), rownames(random$theirs))
  p <- lapply(pair, function(x) table(x$random)[["Pr(>Chisq)"]])
  expect_true(all(p$ours <= p$theirs + 1e-6, na.rm = TRUE))
  fixed <- lapply(pair, function(x) as.data.frame(x$fixed))
  expect_equal(fixed$ours, fixed$theirs, tolerance = 1e-4, ignore_attr = "heading")
  labels <- lapply(pair, function(x) sort(attr(terms(formula(attr(x, "model"))), "term.labels")))
  expect_identical(labels$ours, labels$theirs)
}

test_that("tables and final model are those of lmerTest", {
  ham <- from_package("lmerTest", "ham")
  expect_same_steps(step_pair(
    Informed.liking ~ Product * Information * Gender + (1 | Consumer) + (1 | Consumer:Product) +
      (1 | Consumer:Information), ham
  ))
  orthodont <- plain(nlme::Orthodont)
  expect_same_steps(step_pair(distance ~ age * Sex + (age | Subject), orthodont))
  expect_same_steps(step_pair(distance ~ age * Sex + (age | Subject), orthodont, ddf = "Kenward-Roger",
    alpha.fixed = 1e-9, keep = "age"))
  expect_same_steps(step_pair(distance ~ age * Sex + (age | Subject), orthodont, reduce.random = FALSE,
    reduce.fixed = FALSE))
})

test_that("the model found is the fit of its formula, and the fit of every step was one", {
  found <- eliminate(lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont))
  expect_s3_class(found, "lmm_step")
  expect_equal(deparse(formula(get_model(found))), "distance ~ age * Sex + (1 | Subject)")
  again <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
  expect_equal(fixef(get_model(found)), fixef(again))
  expect_equal(found$random["age in (age | Subject)", "LRT"],
    as.numeric(2 * (logLik(lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont)) - logLik(again))))
  expect_equal(as.data.frame(attr(found, "drop1")), as.data.frame(drop1(again)))
  expect_output(print(found), "Model found:\ndistance ~ age \\* Sex \\+ \\(1 \\| Subject\\)")
  skip_if_not_installed("lmerTest")
  expect_identical(lmerTest::get_model(found), get_model(found))
})

test_that("the parts of || and of nested factors are written as formulas", {
  data <- plain(nlme::Orthodont)
  found <- eliminate(lmm(distance ~ age + (age || Subject), data), alpha.random = 1e-4)
  expect_identical(deparse(formula(get_model(found))), "distance ~ age + (0 + age | Subject)")
  data$sure <- factor(data$age > 10)
  fit <- lmm(distance ~ age + (sure || Subject), data)
  left <- random_reductions(fit, design_of(fit), TRUE)[[1]]$terms
  expect_three_lines(tryCatch(random_texts(fit, left, quote(eliminate())), error = identity), "ferrite_error_step")
  pastes <- eliminate(lmm(strength ~ 1 + (1 | batch / cask), from_package("lme4", "Pastes")))
  expect_identical(deparse(formula(get_model(pastes))), "strength ~ 1 + (1 | cask:batch)")
})

test_that("the last random term stays, with a message", {
  set.seed(1)
  data <- data.frame(y = rnorm(60), x = rnorm(60), g = gl(12, 5))
  fit <- suppressMessages(lmm(y ~ x + (1 | g), data))
  expect_message(found <- eliminate(fit), class = "ferrite_message_step")
  expect_identical(found$random$Eliminated, c(NA, 0))
  expect_identical(deparse(formula(get_model(suppressMessages(found)))), "y ~ 1 + (1 | g)")
})

test_that("lmerTest's step() is the same, and its models are handed on", {
  skip_if_not_installed("lmerTest")
  fit <- shared_fit("slope")
  expect_equal(unclass(lmerTest::step(fit, alpha.fixed = 0.01))[1:2], unclass(eliminate(fit, alpha.fixed = 0.01))[1:2])
  theirs <- lmerTest::lmer(distance ~ age + (1 | Subject), nlme::Orthodont)
  expect_s3_class(eliminate(theirs), "step_list")
  expect_s4_class(get_model(lmerTest::step(theirs)), "lmerModLmerTest")
})

test_that("wrong input and lost rows are errors in three lines", {
  fit <- shared_fit("slope")
  refused <- function(expr, class = "argument") {
    expect_three_lines(tryCatch(expr, error = identity), paste0("ferrite_error_", class))
  }
  refused(eliminate(fit, keep = "agee"))
  refused(eliminate(fit, keep = 1))
  refused(eliminate(fit, alpha.random = 2))
  refused(eliminate(fit, alpha.fixed = "a"))
  refused(eliminate(fit, reduce.fixed = NA))
  refused(eliminate(fit, ddf = "asymptotic"))
  refused(eliminate(fit, trace = 1))
  refused(get_model(fit))
  refused(eliminate(lm(dist ~ speed, cars)))
  set.seed(2)
  data <- data.frame(y = rnorm(40) + rep(rnorm(8), each = 5), x = c(NA, rnorm(39)), g = gl(8, 5))
  fit <- lmm(y ~ x + (1 | g), data)
  refused(eliminate(fit, alpha.random = 1, alpha.fixed = 0), "step")
})
