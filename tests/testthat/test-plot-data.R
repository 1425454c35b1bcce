test_that("the tables have the columns that the help promises", {
  fit <- shared_fit("slope")
  expect_named(plot_data(fit, "residuals"), c("row", "fitted", "residual", "trend"))
  quantiles <- plot_data(fit, "qq")
  expect_named(quantiles, c("row", "theoretical", "residual", "line"))
  expect_false(is.unsorted(quantiles$residual))
})

test_that("intervals and ranks of the caterpillar follow from ranef()", {
  fit <- shared_fit("crossed")
  table <- plot_data(fit, "caterpillar", level = 0.9)
  long <- as.data.frame(ranef(fit))
  expect_equal(table$upper - table$lower, 2 * qnorm(0.95) * long$condsd)
  expect_identical(sort(table$position[table$grpvar == "Dog" & table$term == "day"]), as.numeric(1:10))
  expect_error(plot_data(fit, "caterpillar", level = 2), class = "ferrite_error_argument")
})

test_that("constant fitted values and zero variances are no trouble", {
  fit <- shared_fit("singular")
  expect_identical(nrow(plot_data(fit, "residuals")), 30L)
  expect_true(all(plot_data(fit, "caterpillar")$condsd == 0))
})

test_that("the line of the quantile plot goes through the quartiles", {
  table <- plot_data(shared_fit("slope"), "qq")
  slope <- unname(diff(quantile(table$residual, c(0.25, 0.75)))) / (2 * qnorm(0.75))
  expect_equal(diff(table$line[c(1, 108)]) / diff(table$theoretical[c(1, 108)]), slope)
  expect_equal(stats::approx(table$theoretical, table$line, qnorm(0.25))$y, quantile(table$residual, 0.25)[[1]])
})
