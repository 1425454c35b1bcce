test_that("the table of coefficients matches the reference", {
  table <- coef(summary(shared_fit("slope")))
  expect_identical(colnames(table), c("Estimate", "Std. Error", "df", "t value", "Pr(>|t|)"))
  expect_close(table[, "Std. Error"], c(1.01853192381464, 0.0859995127496768, 1.5957328483233, 0.134735342335163), 1e-5)
  expect_close(table[, "df"], rep(25, 4), 1e-6) # balanced random slopes of 27 in two groups
  expect_equal(table[, 4], table[, 1] / table[, 2])
  expect_equal(table[, 5], 2 * pt(-abs(table[, 4]), table[, 3]))
})

test_that("the summary prints all of its parts", {
  text <- printed(summary(shared_fit("slope")))
  for (part in c("Scaled residuals:", "Random effects:", "Number of obs: 108",
                 "Fixed effects (t tests, Satterthwaite's method):", "Correlation of fixed effects:", "Convergence:")) {
    expect_match(text, part, fixed = TRUE)
  }
  expect_match(printed(summary(shared_fit("ml"))), "AIC +BIC +logLik")
  expect_no_match(printed(summary(shared_fit("slope"), correlation = FALSE)), "Correlation of fixed")
})

test_that("an argument that would have no effect is an error", {
  condition <- expect_error(summary(shared_fit("slope"), other = 1), class = "ferrite_error_argument")
  expect_match(conditionMessage(condition), "`other`")
})
