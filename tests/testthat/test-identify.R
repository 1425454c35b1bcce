refused <- function(formula, data = front_data(), ...) {
  expect_three_lines(tryCatch(design_for(formula, data, ...), error = identity), "ferrite_error_unidentified")
}

test_that("a column that enters a grouping factor twice is refused", {
  refused(y ~ x + (1 | g) + (1 | g))
  refused(y ~ x + (x | g) + (1 | g))
  refused(y ~ x + (x || g) + (0 + x | g))
  refused(y ~ x + (1 | a / b) + (1 | a))
  refused(y ~ x + (1 | a:b) + (1 | b:a))
  expect_no_error(design_for(y ~ x + (1 | g) + (0 + x | g), front_data()))
})

test_that("one partition under two names is refused", {
  data <- front_data()
  data$h <- paste0("level", 99 - data$g)
  refused(y ~ x + (1 | g) + (1 | h), data)
  refused(y ~ x + (1 | g) + (x | factor(g)), data)
  expect_no_error(design_for(y ~ x + (1 | g) + (0 + x | h), data))
})

test_that("one level for each row is refused when the products of the columns make up the residual variance", {
  data <- front_data()
  data$id <- sample(48)
  data$sign <- rep(c(-1, 1), 24)
  data$w <- 1 + data$rep
  refused(y ~ x + (1 | id), data)
  refused(y ~ x + (x | id), data)
  refused(y ~ x + (0 + f | id), data)
  refused(y ~ x + (1 | z), data)
  refused(y ~ x + (0 + sign | id), data)
  refused(y ~ x + (1 | a / id), data)
  refused(y ~ x + (1 | id), data, weights = rep(3, 48))
  refused(y ~ x + (0 + I(1 / sqrt(w)) | id), data, weights = data$w)
  expect_no_error(design_for(y ~ x + (0 + x | id), data))
  expect_no_error(design_for(y ~ x + (1 | id), data, weights = data$w))
})
