test_that("covariance matrices carry standard deviations and correlations", {
  components <- VarCorr(shared_fit("slope"))
  matrix <- components$Subject
  expect_close(as.vector(matrix), c(5.7864331439394, -0.289627167508417, -0.289627167508417, 0.0325244739057239), 1e-5)
  expect_equal(attr(matrix, "stddev"), sqrt(diag(matrix)), ignore_attr = TRUE)
  expect_equal(attr(matrix, "correlation")[2, 1], matrix[2, 1] / sqrt(matrix[1, 1] * matrix[2, 2]))
  expect_close(attr(components, "sc"), 1.31003958096834, 1e-7)
  expect_identical(sigma(shared_fit("slope")), attr(components, "sc"))
})

test_that("several terms of a factor are numbered", {
  expect_named(VarCorr(shared_fit("uncorrelated")), c("Subject", "Subject.1"))
})

test_that("the data frame has lme4's columns and orders", {
  fit <- shared_fit("slope")
  table <- as.data.frame(VarCorr(fit))
  expect_named(table, c("grp", "var1", "var2", "vcov", "sdcor"))
  expect_identical(table$var1, c("(Intercept)", "age", "(Intercept)", NA))
  expect_identical(table$var2, c(NA, NA, "age", NA))
  expect_identical(table$grp[4], "Residual")
  expect_identical(as.data.frame(VarCorr(fit), order = "lower.tri")$var2, c(NA, "age", NA, NA))
  theirs <- lme4_fit(distance ~ age * Sex + (age | Subject), nlme::Orthodont)
  expect_equal(table, as.data.frame(lme4::VarCorr(theirs)), tolerance = 1e-4)
})

test_that("print chooses the columns", {
  components <- VarCorr(shared_fit("slope"))
  expect_match(printed(components), "Groups +Name +Std.Dev. +Corr")
  expect_match(printed(components, comp = c("Variance", "Std.Dev.")), "Variance Std.Dev. +Corr")
  expect_match(printed(components), "-0.67")
})

test_that("figures keep their digits whatever their size", {
  expect_identical(format_column(c(24.74066, 5.92214, 25.5918), 4), c("24.741", " 5.922", "25.592"))
  expect_identical(format_column(c(1e-9, 25), 4), c("1e-09", "25"))
  expect_identical(trimws(format_column(c(0, 3.7157), 4)), c("0", "3.716"))
})

test_that("a multiplier scales all standard deviations", {
  fit <- shared_fit("slope")
  expect_equal(attr(VarCorr(fit, sigma = 2), "sc"), 2 * sigma(fit))
})
