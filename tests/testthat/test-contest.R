machines <- function() shared_fit("nested")

test_that("a joint test of a balanced factor is the F test of its stratum", {
  strata <- summary(aov(score ~ Machine + Error(Worker / Machine), nlme::Machines))
  row <- strata[["Error: Worker:Machine"]][[1]][1, ]
  for (method in c("Satterthwaite", "Kenward-Roger")) {
    test <- contest(machines(), c("MachineB", "MachineC"), ddf = method)
    expect_s3_class(test, c("contest", "data.frame"), exact = TRUE)
    expect_named(test, c("Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"))
    expect_close(unlist(test[3:6]), c(2, 10, row$`F value`, row$`Pr(>F)`), 1e-6)
  }
})

test_that("rows have estimate, error, degrees of freedom, t, limits and p", {
  test <- contest(machines(), c("C - B" = "MachineC - MachineB", "MachineB"), joint = FALSE, level = 0.9)
  expect_named(test, c("Estimate", "Std. Error", "df", "t value", "lower", "upper", "Pr(>|t|)"))
  expect_identical(rownames(test), c("C - B", "MachineB"))
  # by hand: difference of means of 18, variance 2 MS / 18 with the mean square of Worker:Machine on 10 df
  means <- tapply(nlme::Machines$score, nlme::Machines$Machine, mean)
  strata <- summary(aov(score ~ Machine + Error(Worker / Machine), nlme::Machines))
  error <- sqrt(2 * strata[["Error: Worker:Machine"]][[1]][2, "Mean Sq"] / 18)
  estimate <- means[["C"]] - means[["B"]]
  limits <- estimate + c(-1, 1) * qt(0.95, 10) * error
  expect_close(unlist(test[1, 1:6]), c(estimate, error, 10, estimate / error, limits), 1e-6)
  expect_equal(unlist(test[2, c(1:4, 7)]), coef(summary(machines()))["MachineB", ])
  expect_equal(as.numeric(contest(machines(), "MachineB", joint = FALSE, ddf = "asymptotic")$df), Inf)
})

test_that("all forms of L say the same", {
  fit <- shared_fit("slope")
  by <- function(L) contest(fit, L, joint = FALSE)[["Estimate"]] # nolint: object_name_linter.
  value <- fixef(fit)[["age"]] + fixef(fit)[["age:SexFemale"]] / 2
  expect_equal(by(c(0, 1, 0, 0.5)), value)
  expect_equal(by(matrix(c(0, 1, 0, 0.5), 1)), value)
  expect_equal(by(c("age:SexFemale" = 0.5, age = 1)), value)
  expect_equal(by("age + 0.5 * age:SexFemale"), value)
  expect_equal(by("(`age` * 2 + `age:SexFemale`) / 2"), value)
  expect_equal(by("-(-age - age:SexFemale/2)"), value)
})

test_that("the right-hand side is where the estimate is compared with", {
  fit <- shared_fit("slope")
  one <- contest(fit, "age = 0.5", joint = FALSE)
  expect_equal(one[["t value"]], (fixef(fit)[["age"]] - 0.5) / sqrt(vcov(fit)["age", "age"]))
  expect_equal(contest(fit, "age", rhs = 0.5)[["F value"]], one[["t value"]]^2)
  expect_equal(contest(fit, "age - 0.5 = 0")[["F value"]], one[["t value"]]^2)
  expect_equal(contest(fit, c("age", "SexFemale"), rhs = fixef(fit)[2:3])[["F value"]], 0)
  expect_match(printed(one), "Right-hand side: 0.5", fixed = TRUE)
})

test_that("a row that follows from others changes nothing", {
  for (method in c("Satterthwaite", "Kenward-Roger", "asymptotic")) {
    one <- contest(machines(), c("MachineB", "MachineC"), ddf = method)
    more <- contest(machines(), c("MachineB", "MachineC", "MachineB - MachineC", "2 * MachineB"), ddf = method)
    expect_equal(as.data.frame(one), as.data.frame(more), tolerance = 1e-7, ignore_attr = TRUE)
  }
})

test_that("in a fit with dropped columns only estimable contrasts are tested", {
  fit <- shared_fit("dropped") # I(2 * age) is dropped
  expect_equal(contest(fit, "age")[["F value"]], contest(fit, c(0, 1))[["F value"]])
  # age + 2 I(2 age) is what the one slope stands for
  expect_equal(contest(fit, c(0, 1, 2))[["F value"]], contest(fit, "age")[["F value"]])
  condition <- expect_error(contest(fit, "I(2 * age)"), class = "ferrite_error_contrast")
  expect_match(conditionMessage(condition), "estimable")
})

test_that("a wrong L is an error with the remedy", {
  fit <- shared_fit("slope")
  wrong <- list(
    1:3, rep(0, 4), c(a = 1), c(age = 1, age = 2), c(NA, 1, 0, 0), "agee", "age *", "age * SexFemale", "age + 1",
    "log(age)", "age / 0", "age = 1 = 2", "", character(), NULL, list(1), matrix(1, 2, 5), NA_character_
  )
  for (L in wrong) { # nolint: object_name_linter.
    condition <- expect_error(contest(fit, L), class = "ferrite_error_contrast")
    expect_three_lines(condition, "ferrite_error_contrast")
  }
  expect_error(contest(fit), class = "ferrite_error_contrast")
  expect_error(contest(fit, rbind(1:4, 2:5), rhs = 1:3), class = "ferrite_error_contrast")
  expect_error(contest(fit, rbind(1:4, 2 * 1:4), rhs = c(1, 1)), class = "ferrite_error_contrast")
  expect_match(conditionMessage(expect_error(contest(fit, c(Age = 1)))), "Did you mean `age`")
})

test_that("other arguments are checked", {
  fit <- shared_fit("slope")
  expect_error(contest(fit, "age", joint = NA), class = "ferrite_error_argument")
  expect_error(contest(fit, "age", level = 95), class = "ferrite_error_argument")
  expect_error(contest(fit, "age", lvel = 0.9), class = "ferrite_error_argument")
  expect_error(contest(lm(distance ~ age, nlme::Orthodont), 1:2), class = "ferrite_error_argument")
})

test_that("contrasts print and knit", {
  expect_match(printed(contest(machines(), "MachineB")), "F test of all contrasts together, Satterthwaite's method")
  expect_match(printed(contest(machines(), c(x = "MachineB"), joint = FALSE)), "Intervals: 95 %")
  skip_if_not_installed("knitr")
  text <- as.character(knitr::knit_print(contest(machines(), c(x = "MachineB"), joint = FALSE)))
  expect_match(text, "|x", fixed = TRUE)
})

test_that("contest works on the models of lmerTest as well", {
  skip_if_not_installed("lmerTest")
  data <- as.data.frame(nlme::Orthodont)
  data$Subject <- factor(data$Subject, ordered = FALSE)
  theirs <- lmerTest::lmer(distance ~ age * Sex + (1 | Subject), data)
  ours <- lmm(distance ~ age * Sex + (1 | Subject), data)
  L <- rbind(c(0, 1, 0, 0), c(0, 1, 0, 1)) # nolint: object_name_linter.
  expect_equal(contest(theirs, L)$DenDF, lmerTest::contest(ours, L)$DenDF, tolerance = 1e-5)
})

test_that("lmerTest's words: lists, confint, collect, contest1D() and contestMD()", {
  skip_if_not_installed("lmerTest")
  data <- plain(nlme::Machines)[-(1:3), ]
  formula <- score ~ Machine + (1 | Worker) + (1 | Worker:Machine)
  ours <- lmm(formula, data)
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12))
  theirs <- do.call(lmerTest::lmer, list(formula, data, control = control))
  same <- function(a, b) {
    expect_identical(names(a), names(b))
    expect_equal(lapply(as.list(a), unname), lapply(as.list(b), unname), tolerance = 1e-4, ignore_attr = TRUE)
  }
  several <- list(a = diag(3)[2:3, ], b = c(0, 1, -1))
  for (joint in c(TRUE, FALSE)) {
    same(contest(ours, several, joint = joint), lmerTest::contest(theirs, several, joint = joint))
    apart <- contest(ours, several, joint = joint, collect = FALSE)
    expect_named(apart, c("a", "b"))
    Map(same, apart, lmerTest::contest(theirs, several, joint = joint, collect = FALSE))
  }
  same(contest(ours, diag(3), joint = FALSE, confint = FALSE, rhs = 1),
    lmerTest::contest(theirs, diag(3), joint = FALSE, confint = FALSE, rhs = 1))
  expect_identical(rownames(contest(ours, several)), c("a", "b"))
  expect_identical(rownames(contest(ours, several, joint = FALSE)), c("L1", "L2", "b"))
  expect_match(printed(contest(ours, several)), "F tests of hypotheses")
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    same(lmerTest::contest1D(ours, c(0, 1, -1), ddf = ddf, confint = TRUE),
      lmerTest::contest1D(theirs, c(0, 1, -1), ddf = ddf, confint = TRUE))
    same(lmerTest::contestMD(ours, diag(3)[2:3, ], ddf = ddf), lmerTest::contestMD(theirs, diag(3)[2:3, ], ddf = ddf))
  }
  expect_identical(nrow(lmerTest::contestMD(ours, matrix(0, 0, 3))), 0L)
  method <- getS3method("contest", "lmm", envir = asNamespace("lmerTest"))
  expect_identical(as.data.frame(method(model = ours, L = diag(3))), as.data.frame(contest(ours, diag(3))))
  refused <- function(expr, class = "argument") {
    expect_three_lines(tryCatch(expr, error = identity), paste0("ferrite_error_", class))
  }
  refused(lmerTest::contest1D(ours, diag(3)), "contrast")
  refused(lmerTest::contest1D(ours, c(0, 1, 0), ddf = "x"))
  refused(contest(ours, list()), "contrast")
  refused(contest(ours, diag(3), confint = 1))
  refused(contest(ours, diag(3), collect = NA))
})
