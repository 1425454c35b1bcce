test_that("only terms that no other term contains are dropped", {
  fit <- shared_fit("slope")
  table <- drop1(fit)
  expect_s3_class(table, "anova")
  expect_identical(rownames(table), "age:Sex")
  expect_equal(table$`F value`, coef(summary(fit))["age:SexFemale", "t value"]^2)
  expect_match(printed(table), "Single term deletions with Satterthwaite's method")
})

test_that("in a balanced design these are the F tests of the strata", {
  fit <- lmm(effort ~ Type + (1 | Subject), nlme::ergoStool)
  row <- summary(aov(effort ~ Type + Error(Subject), nlme::ergoStool))[["Error: Within"]][[1]][1, ]
  for (method in c("Satterthwaite", "Kenward-Roger")) {
    expect_close(unlist(drop1(fit, ddf = method)[3:6]), c(3, 24, row$`F value`, row$`Pr(>F)`), 1e-5)
  }
})

test_that("scope names terms, as text or as a formula, in any order of variables", {
  fit <- shared_fit("uncorrelated")
  expect_identical(rownames(drop1(fit)), c("age", "Sex"))
  expect_identical(rownames(drop1(fit, "Sex")), "Sex")
  expect_identical(rownames(drop1(fit, ~ Sex + age)), c("Sex", "age"))
  expect_identical(rownames(drop1(shared_fit("slope"), "Sex:age")), "age:Sex")
})

test_that("a term that cannot be dropped is an error that names those that can", {
  fit <- shared_fit("slope")
  for (scope in list("age", "x", ~ x, 1, character())) {
    condition <- expect_error(drop1(fit, scope), class = "ferrite_error_argument")
    expect_three_lines(condition, "ferrite_error_argument")
    expect_match(conditionMessage(condition), "`age:Sex`")
  }
  expect_error(drop1(fit, test = "LRT"), class = "ferrite_error_argument")
})

test_that("the hypothesis is that of the smaller formula, also without intercept and with dropped columns", {
  data <- as.data.frame(nlme::Machines)
  data$half <- factor(rep(1:2, length.out = 54))
  with <- drop1(lmm(score ~ Machine + half + (1 | Worker), data))
  without <- drop1(lmm(score ~ 0 + Machine + half + (1 | Worker), data))
  expect_equal(without$NumDF, c(2, 1))
  expect_equal(without$`F value`, with$`F value`, tolerance = 1e-6)
  # age and 2 age: without either the model stays the same
  dropped <- drop1(shared_fit("dropped"))
  expect_true(all(is.na(dropped$`F value`)))
})

test_that("empty cells agree with lmerTest", {
  skip_if_not_installed("lmerTest")
  data <- subset(as.data.frame(nlme::Machines), !(Machine == "C" & Worker %in% c("1", "2")))
  data$Worker <- factor(data$Worker, ordered = FALSE)
  data$old <- factor(data$Worker %in% c("1", "2"))
  data$run <- factor(rep(1:8, length.out = nrow(data)))
  theirs <- suppressMessages(lmerTest::lmer(score ~ Machine * old + (1 | run), data))
  ours <- suppressMessages(lmm(score ~ Machine * old + (1 | run), data))
  expect_close(unlist(drop1(ours)[1:5]), unname(unlist(drop1(theirs)[1:5])), 1e-4)
})
