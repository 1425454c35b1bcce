test_that("the formula and its fixed part come back", {
  fit <- shared_fit("slope")
  expect_equal(formula(fit), distance ~ age * Sex + (age | Subject), ignore_formula_env = TRUE)
  expect_identical(deparse(formula(fit, fixed.only = TRUE)), "distance ~ age * Sex")
  expect_s3_class(terms(fit), "terms")
  expect_identical(attr(terms(fit), "term.labels"), c("age", "Sex", "age:Sex"))
})

test_that("the model matrix is that of lm(), with its attributes", {
  fit <- shared_fit("slope")
  reference <- model.matrix(lm(distance ~ age * Sex, as.data.frame(nlme::Orthodont)))
  expect_equal(model.matrix(fit), reference, ignore_attr = "dimnames")
  expect_identical(attr(model.matrix(fit), "assign"), 0:3)
  expect_identical(ncol(model.matrix(shared_fit("dropped"))), 3L)
  expect_identical(dim(model.matrix(fit, "random")), c(108L, 54L))
})

test_that("the frame holds fixed, random and grouping variables", {
  expect_setequal(names(model.frame(shared_fit("slope"))), c("distance", "age", "Sex", "Subject"))
  expect_setequal(names(model.frame(shared_fit("slope"), fixed.only = TRUE)), c("distance", "age", "Sex"))
})

test_that("weights are ones or those given, padded after na.exclude", {
  expect_identical(weights(shared_fit("slope")), rep(1, 108))
  expect_equal(weights(shared_fit("weighted")), nlme::Orthodont$age / 10)
  data <- transform(as.data.frame(nlme::Orthodont), w = age)
  data$distance[5] <- NA
  fit <- lmm(distance ~ age + (1 | Subject), data, weights = w, na.action = na.exclude)
  expect_identical(which(is.na(weights(fit))), 5L)
})

test_that("family and call are those of the fit", {
  expect_identical(family(shared_fit("slope"))$link, "identity")
  expect_identical(as.character(getCall(shared_fit("slope"))[[1]]), "lmm")
})

test_that("the random part comes back, and its flags are checked", {
  fit <- shared_fit("slope")
  expect_equal(formula(fit, random.only = TRUE), distance ~ (age | Subject), ignore_formula_env = TRUE)
  expect_identical(attr(terms(fit, random.only = TRUE), "term.labels"), c("age", "Subject"))
  expect_identical(attr(terms(fit, fixed.only = FALSE), "term.labels"), c("age", "Sex", "Subject", "age:Sex"))
  expect_setequal(names(model.frame(fit, random.only = TRUE)), c("distance", "age", "Subject"))
  several <- suppressMessages(lmm(distance ~ (age + (1 | Sex)) + diag(age | Subject), nlme::Orthodont))
  expect_equal(formula(several, random.only = TRUE), distance ~ (1 | Sex) + diag(age | Subject),
    ignore_formula_env = TRUE)
  for (f in list(formula, terms, model.frame)) {
    expect_three_lines(tryCatch(f(fit, TRUE, TRUE), error = identity), "ferrite_error_argument")
    for (flag in list(NA, 1, "yes", NULL, c(TRUE, FALSE))) {
      expect_three_lines(tryCatch(f(fit, fixed.only = flag), error = identity), "ferrite_error_argument")
      expect_three_lines(tryCatch(f(fit, random.only = flag), error = identity), "ferrite_error_argument")
    }
  }
})

test_that("formulas and terms are those of lme4", {
  skip_if_not_installed("lme4")
  data <- as.data.frame(nlme::Orthodont)
  models <- list(distance ~ age * Sex + (age | Subject), log(distance) ~ age + (1 | Subject) + (0 + age | Subject))
  for (model in models) {
    fit <- lmm(model, data)
    peer <- lme4::lmer(model, data)
    for (part in list(list(), list(fixed.only = TRUE), list(random.only = TRUE))) {
      expect_equal(do.call(formula, c(list(fit), part)), do.call(formula, c(list(peer), part)),
        ignore_formula_env = TRUE)
    }
    labels <- function(m, ...) attr(terms(m, ...), "term.labels")
    expect_identical(labels(fit), labels(peer))
    expect_identical(labels(fit, fixed.only = FALSE), labels(peer, fixed.only = FALSE))
    expect_identical(labels(fit, random.only = TRUE), labels(peer, fixed.only = FALSE, random.only = TRUE))
    expect_identical(names(model.frame(fit, fixed.only = TRUE)), names(model.frame(peer, fixed.only = TRUE)))
  }
})
