test_that("the table of coefficients matches the reference", {
  table <- coef(summary(shared_fit("slope")))
  expect_identical(colnames(table), c("Estimate", "Std. Error", "t value"))
  expect_close(table[, "Std. Error"], c(1.01853192381464, 0.0859995127496768, 1.5957328483233, 0.134735342335163), 1e-5)
  expect_equal(table[, 3], table[, 1] / table[, 2])
})

test_that("the summary prints all of its parts", {
  text <- printed(summary(shared_fit("slope")))
  for (part in c("Scaled residuals:", "Random effects:", "Number of obs: 108", "Fixed effects:",
                 "Correlation of fixed effects:", "Convergence:")) {
    expect_match(text, part, fixed = TRUE)
  }
  expect_match(printed(summary(shared_fit("ml"))), "AIC +BIC +logLik")
  expect_no_match(printed(summary(shared_fit("slope"), correlation = FALSE)), "Correlation of fixed")
})

test_that("an argument that would have no effect is an error", {
  condition <- expect_error(summary(shared_fit("slope"), other = 1), class = "ferrite_error_argument")
  expect_match(conditionMessage(condition), "`other`")
})
