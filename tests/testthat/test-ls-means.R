# Least squares means beside lmerTest on the same models, and emmeans where lmerTest fails.

lmertest_fit <- function(formula, data, ...) {
  skip_if_not_installed("lmerTest")
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore")
  do.call(lmerTest::lmer, list(formula, data, control = control, ...))
}

means_cases <- function() {
  list(
    list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), plain(nlme::Machines)[-c(1:3, 20), ]),
    list(distance ~ age * Sex + (1 | Subject), plain(nlme::Orthodont)[-c(1:5), ]),
    list(yield ~ 0 + Variety * nitro + (1 | Block / Variety), plain(nlme::Oats))
  )
}

expect_same_means <- function(ours, theirs) {
  expect_equal(as.data.frame(ours), as.data.frame(theirs), tolerance = 1e-4)
  expect_equal(attr(ours, "hypotheses"), attr(theirs, "hypotheses"), tolerance = 1e-8)
}

test_that("means and differences are those of lmerTest", {
  for (case in means_cases()) {
    theirs <- lmertest_fit(case[[1]], case[[2]])
    ours <- lmm(case[[1]], case[[2]])
    for (ddf in c("Satterthwaite", "Kenward-Roger")) {
      expect_same_means(ls_means(ours, ddf = ddf), lmerTest::ls_means(theirs, ddf = ddf))
      expect_same_means(
        difflsmeans(ours, ddf = ddf, level = 0.9), lmerTest::difflsmeans(theirs, ddf = ddf, level = 0.9)
      )
    }
    expect_identical(lmerTest::ls_means(ours), ls_means(ours))
    expect_identical(lmerTest::difflsmeans(ours), ls_means(ours, pairwise = TRUE))
    expect_identical(lsmeansLT(ours), ls_means(ours))
    expect_s3_class(ls_means(theirs), "ls_means")
  }
})

test_that("functions of covariates and logical variables are as in emmeans", {
  skip_if_not_installed("emmeans")
  data <- plain(nlme::Orthodont)
  data$tall <- data$distance > 24
  data$text <- rep(c("v", "u", "w"), 36)
  fit <- lmm(distance ~ log(age) + poly(age, 2) + Sex * tall + text + (1 | Subject), data)
  for (term in c("Sex", "tall", "text", "Sex:tall")) {
    theirs <- as.data.frame(emmeans::emmeans(fit, strsplit(term, ":")[[1]], mode = "satterthwaite"))
    ours <- ls_means(fit, term)
    expect_equal(ours$Estimate, theirs$emmean, tolerance = 1e-8)
    expect_equal(ours[["Std. Error"]], theirs$SE, tolerance = 1e-8)
    expect_equal(ours$df, theirs$df, tolerance = 1e-6)
  }
})

test_that("what is not estimable is NA, and a model without factors has no rows", {
  data <- expand.grid(a = factor(1:3), b = factor(1:2), g = factor(1:8))
  data$y <- sin(seq_len(nrow(data))) + as.integer(data$a)
  data <- data[!(data$a == 3 & data$b == 2), ]
  fit <- suppressMessages(lmm(y ~ a * b + (1 | g), data))
  means <- ls_means(fit)
  expect_identical(rownames(means)[is.na(means$Estimate)], c("a3", "b2", "a3:b2"))
  expect_equal(means["a1:b1", "Estimate"], fixef(fit)[["(Intercept)"]])
  none <- ls_means(lmm(distance ~ age + (1 | Subject), nlme::Orthodont))
  expect_identical(nrow(none), 0L)
  expect_output(print(none), "no term of factors")
  expect_output(print(means), "Intervals: 95 %; Satterthwaite tests")
})

test_that("names and levels of any spelling are told apart", {
  data <- plain(nlme::Machines)
  data$k <- factor(c(A = "kick", B = "k", C = "a:b")[as.character(data$Machine)])
  names(data)[names(data) == "Worker"] <- "Worker ID"
  fit <- lmm(score ~ k + (1 | `Worker ID`), data)
  expect_identical(as.data.frame(ls_means(fit))$levels, levels(data$k))
  expect_identical(as.data.frame(difflsmeans(fit))$levels[1], paste(levels(data$k)[1], "-", levels(data$k)[2]))
  expect_identical(as.data.frame(ls_means(fit))$term, rep("k", 3))
  names(data)[names(data) == "k"] <- "my factor"
  other <- lmm(score ~ `my factor` + (1 | `Worker ID`), data)
  expect_equal(ls_means(other)$Estimate, ls_means(fit)$Estimate)
  expect_identical(rownames(eliminate(other)$fixed), "`my factor`")
})

test_that("show_tests() gives the matrices, as numbers or fractions", {
  fit <- shared_fit("nested")
  rows <- show_tests(ls_means(fit))$Machine
  expect_equal(drop(rows %*% fixef(fit)), setNames(ls_means(fit)$Estimate, rownames(rows)))
  expect_identical(show_tests(anova(fit)), attr(anova(fit), "hypotheses"))
  data <- plain(nlme::Oats)
  means <- ls_means(lmm(yield ~ Variety + factor(nitro) + (1 | Block), data))
  expect_identical(unname(show_tests(means, fractions = TRUE)$Variety[1, ]), c("1", "0", "0", "1/4", "1/4", "1/4"))
  expect_null(dimnames(show_tests(means, names = FALSE)$Variety))
  skip_if_not_installed("lmerTest")
  expect_identical(lmerTest::show_tests(means), show_tests(means))
})

test_that("wrong input is an error in three lines", {
  fit <- shared_fit("nested")
  refused <- function(expr) expect_three_lines(tryCatch(expr, error = identity), "ferrite_error_argument")
  refused(ls_means(fit, "Worker"))
  refused(ls_means(fit, 1))
  refused(ls_means(fit, level = 2))
  refused(ls_means(fit, ddf = "x"))
  refused(ls_means(fit, pairwise = "yes"))
  refused(ls_means(fit, test = 1))
  refused(difflsmeans(fit, "x"))
  refused(ls_means(lm(score ~ Machine, nlme::Machines)))
  refused(show_tests(fit))
  refused(show_tests(anova(fit), fractions = 1))
})
