# car on our fits beside car on the same fits by lme4 (F tests there by pbkrtest).

car_cases <- function() {
  orthodont <- plain(nlme::Orthodont)[-c(1:3, 50, 60), ]
  cake <- from_package("lme4", "cake")[-c(1:7, 20, 33, 100:130), ]
  list(
    list(score ~ Machine + (1 | Worker / Machine), plain(nlme::Machines)),
    list(angle ~ recipe * temp + (1 | recipe:replicate), cake),
    list(distance ~ Sex * poly(age, 2) + (age | Subject), orthodont),
    list(distance ~ 0 + Sex * age + (1 | Subject), orthodont),
    list(yield ~ nitro + Variety + (1 | Block / Variety), plain(nlme::Oats)[-(1:5), ])
  )
}

expect_same_tests <- function(ours, theirs) {
  expect_identical(dimnames(ours), dimnames(theirs))
  expect_equal(as.matrix(ours), as.matrix(theirs), tolerance = 1e-5)
}

test_that("Anova() and linearHypothesis() are those of the lme4 fit", {
  skip_if_not_installed("car")
  skip_if_not_installed("pbkrtest")
  for (case in car_cases()) {
    data <- case[[2]]
    ours <- lmm(case[[1]], data)
    theirs <- do.call("lme4_fit", case)
    names <- names(fixef(ours))
    p <- length(names)
    for (test in c("Chisq", "F")) {
      for (type in 2:3) {
        tables <- lapply(list(ours, theirs), car::Anova, type = type, test.statistic = test)
        do.call(expect_same_tests, tables)
        expect_identical(attr(tables[[1]], "heading"), attr(tables[[2]], "heading"))
      }
      for (hypothesis in list(paste(names[p], "=", names[p - 1]), diag(p)[-1, , drop = FALSE])) {
        do.call(expect_same_tests, lapply(list(ours, theirs), car::linearHypothesis, hypothesis, test = test))
      }
    }
    one <- paste("2 *", names[p], "= 1")
    expect_same_tests(car::linearHypothesis(ours, one), car::linearHypothesis(theirs, one))
  }
})

test_that("an F test is that of contest(), with a right-hand side and on an ML fit too", {
  skip_if_not_installed("car")
  fit <- shared_fit("slope")
  for (ddf in c("Kenward-Roger", "Satterthwaite")) {
    found <- car::linearHypothesis(fit, c("age = 0.7", "SexFemale"), test = "F", ddf = ddf)
    ours <- contest(fit, c("age = 0.7", "SexFemale"), ddf = ddf)
    expect_equal(found[["F"]][2], ours[["F value"]])
    expect_equal(found$Res.Df, ours$DenDF + c(2, 0))
    expect_equal(found[["Pr(>F)"]][2], ours[["Pr(>F)"]])
  }
  expect_message(car::Anova(shared_fit("ml"), test.statistic = "F"), class = "ferrite_message_ddf")
  # types II and III of a balanced model with one factor: the F of anova()
  fit <- shared_fit("nested")
  found <- car::Anova(fit, test.statistic = "F", ddf = "Satterthwaite")
  expect_equal(found[["F"]], anova(fit)[["F value"]])
  expect_equal(car::Anova(fit)$Chisq, 41.15242, tolerance = 1e-5)
})

test_that("deltaMethod() and vif() are those of the lme4 fit", {
  skip_if_not_installed("car")
  data <- plain(nlme::Orthodont)
  ours <- lmm(distance ~ Sex * poly(age, 2) + (1 | Subject), data)
  theirs <- lme4_fit(distance ~ Sex * poly(age, 2) + (1 | Subject), data)
  expect_equal(car::vif(ours), car::vif(theirs), tolerance = 1e-6)
  ours <- lmm(distance ~ age + Sex + (1 | Subject), data)
  theirs <- lme4_fit(distance ~ age + Sex + (1 | Subject), data)
  expect_equal(car::vif(ours), car::vif(theirs), tolerance = 1e-6)
  for (g in c("age / (Intercept)", "exp(age * k) + SexFemale")) {
    expect_equal(
      as.matrix(car::deltaMethod(ours, g, constants = c(k = 0.5), rhs = 1)),
      as.matrix(car::deltaMethod(theirs, g, constants = c(k = 0.5), rhs = 1)), tolerance = 1e-6
    )
  }
  expect_equal(
    car::deltaMethod(ours, "b1 / b0", parameterNames = c("b0", "b1", "b2"))$SE,
    car::deltaMethod(theirs, "b1 / b0", parameterNames = c("b0", "b1", "b2"))$SE, tolerance = 1e-6
  )
})

test_that("another covariance matrix is used as given", {
  skip_if_not_installed("car")
  fit <- shared_fit("slope")
  four <- function(fit) 4 * vcov(fit)
  plain <- car::linearHypothesis(fit, "age = 1")
  found <- car::linearHypothesis(fit, "age = 1", vcov. = four)
  expect_equal(found$Chisq, plain$Chisq / 4)
  expect_match(attr(found, "heading"), "covariance matrix supplied", all = FALSE)
  expect_equal(car::Anova(fit, vcov. = four(fit))$Chisq, car::Anova(fit)$Chisq / 4)
  expect_equal(car::deltaMethod(fit, "age^2", vcov. = four)$SE, 2 * car::deltaMethod(fit, "age^2")$SE)
})

test_that("dropped columns: a test of what can be estimated, or an error", {
  skip_if_not_installed("car")
  fit <- shared_fit("dropped")
  found <- car::Anova(fit)
  expect_identical(found$Df, c(1, 0))
  expect_equal(found$Chisq[1], car::linearHypothesis(fit, "age")$Chisq[2])
  expect_identical(is.na(found$Chisq), c(FALSE, TRUE))
  expect_three_lines(tryCatch(car::Anova(fit, type = 3), error = identity), "ferrite_error_aliased")
  expect_error(car::linearHypothesis(fit, "age", singular.ok = FALSE), class = "ferrite_error_aliased")
  expect_error(car::linearHypothesis(fit, "I(2 * age)"), class = "ferrite_error_contrast")
  expect_error(car::vif(fit), class = "ferrite_error_aliased")
  expect_equal(car::deltaMethod(fit, "age^2")$Estimate, fixef(fit)[["age"]]^2)
})

test_that("wrong input is an error in three lines", {
  skip_if_not_installed("car")
  fit <- shared_fit("slope")
  refused <- function(expr, class) expect_three_lines(tryCatch(expr, error = identity), paste0("ferrite_error_", class))
  refused(car::linearHypothesis(fit), "contrast")
  refused(car::linearHypothesis(fit, "agee = 1"), "contrast")
  refused(car::linearHypothesis(fit, "age = 1", test = "LR"), "argument")
  refused(car::linearHypothesis(fit, "age = 1", vcov. = diag(2)), "argument")
  refused(car::linearHypothesis(fit, "age = 1", vcov. = "HC3"), "argument")
  refused(car::linearHypothesis(fit, "age = 1", vcov. = vcov, test = "F"), "argument")
  refused(car::Anova(fit, type = 1), "argument")
  refused(car::Anova(fit, test.statistic = "LR"), "argument")
  refused(car::vif(lmm(distance ~ age + (1 | Subject), nlme::Orthodont)), "argument")
})

test_that("the table says what was tested", {
  skip_if_not_installed("car")
  fit <- shared_fit("slope")
  found <- car::linearHypothesis(fit, c("2 * age - (Intercept) = -15", "SexFemale = 0"))
  expect_identical(attr(found, "heading")[4:5], c("-(Intercept) + 2 age = -15", "SexFemale = 0"))
  expect_output(print(found), "Model 1: restricted model")
  expect_output(car::linearHypothesis(fit, "age = 1", verbose = TRUE), "Hypothesis matrix")
})

test_that("Confint(), brief(), matchCoefs() and the plots of influence are those of the lme4 fit", {
  skip_if_not_installed("car")
  data <- plain(nlme::Orthodont)
  ours <- lmm(distance ~ age + Sex + (1 | Subject), data)
  theirs <- lme4_fit(distance ~ age + Sex + (1 | Subject), data)
  same <- function(ask) expect_equal(ask(ours), ask(theirs), tolerance = 1e-4)
  same(car::Confint)
  same(function(fit) car::Confint(fit, level = 0.9, estimate = FALSE))
  expect_equal(car::Confint(ours, vcov. = 4 * vcov(ours))[, "97.5 %"],
    fixef(ours) + 2 * qnorm(0.975) * sqrt(diag(vcov(ours))))
  same(function(fit) car::matchCoefs(fit, "Sex"))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  # leverages are tied: the two with the largest residuals are in both tables
  same(function(fit) car::influencePlot(fit)[c("35", "49"), ])
  same(function(fit) car::outlierTest(fit)[c("rstudent", "p", "bonf.p", "signif")])
  expect_null(car::infIndexPlot(ours))
  # brief() of a lme4 fit without an interaction has the same rows
  expect_identical(capture.output(car::brief(ours)), capture.output(car::brief(theirs)))
  table <- capture.output(found <- car::brief(ours, ~ age, pvalues = TRUE, horizontal = FALSE))
  expect_match(table[2], "^age")
  expect_identical(found$coefficients, coef(summary(ours)))
  expect_identical(coef(car::S(ours, KR = TRUE)), coef(summary(ours, ddf = "Kenward-Roger")))
})

test_that("what car cannot do with a mixed model is an error in three lines", {
  skip_if_not_installed("car")
  fit <- shared_fit("slope")
  refused <- function(expr) expect_three_lines(tryCatch(expr, error = identity), "ferrite_error_argument")
  refused(car::Boot(fit))
  refused(car::brief(fit, ~ agee))
  refused(car::Confint(fit, level = 2))
  refused(car::Confint(fit, vcov. = diag(2)))
  refused(car::S(fit, KR = 1))
  dropped <- shared_fit("dropped")
  expect_identical(unname(is.na(car::Confint(dropped)[, 2])), is.na(unname(fixef(dropped))))
})
