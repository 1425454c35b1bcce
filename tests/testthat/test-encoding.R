# Text in other encodings: valid text works whatever its encoding, bytes that are no text are a classed error.

wrong_text <- function() {
  text <- "b\xff\xfed"
  Encoding(text) <- "UTF-8"
  text
}

latin_text <- function() {
  text <- "gr\xf6\xdfe"
  Encoding(text) <- "latin1"
  text
}

named_formula <- function(name, at = c(3L, 2L)) {
  formula <- distance ~ age + (1 | Subject)
  formula[[at]] <- as.name(name)
  formula
}

test_that("bytes that are no text are a classed error wherever they stand", {
  data <- as.data.frame(nlme::Orthodont)
  data$Subject <- as.character(data$Subject)
  data$Sex <- as.character(data$Sex)
  fit <- lmm(distance ~ age + (1 | Subject), data)
  wrong <- wrong_text()
  # as.name() refuses such text in some locales: then no formula can have it
  formulas <- tryCatch(list(named_formula(wrong), named_formula(wrong, 2L)), error = function(e) list())
  for (formula in formulas) {
    expect_three_lines(tryCatch(lmm(formula, data), error = identity), "ferrite_error_formula")
  }
  expect_three_lines(tryCatch(lmm(wrong, data), error = identity), "ferrite_error_formula")
  expect_three_lines(tryCatch(update(fit, wrong), error = identity), "ferrite_error_formula")
  level <- data
  level$Subject[data$Subject == "M01"] <- wrong
  expect_three_lines(tryCatch(lmm(distance ~ age + (1 | Subject), level), error = identity), "ferrite_error_data")
  fixed <- data
  fixed$Sex[fixed$Sex == "Male"] <- wrong
  expect_three_lines(tryCatch(lmm(distance ~ Sex + (1 | Subject), fixed), error = identity), "ferrite_error_data")
  expect_three_lines(
    tryCatch(lmm(distance ~ age + (1 | Subject), fixed, dispersion = ~ Sex), error = identity), "ferrite_error_data"
  )
  columns <- stats::setNames(data, c("distance", wrong, "Subject", "Sex"))
  expect_three_lines(tryCatch(lmm(distance ~ . + (1 | Subject), columns), error = identity), "ferrite_error_data")
  expect_three_lines(tryCatch(plot_data(fit, wrong), error = identity), "ferrite_error_argument")
  expect_three_lines(tryCatch(contest(fit, wrong), error = identity), "ferrite_error_contrast")
  argument <- stats::setNames(list(distance ~ age + (1 | Subject), data, 1), c("formula", "data", wrong))
  expect_three_lines(tryCatch(do.call(lmm, argument), error = identity), "ferrite_error_argument")
  new <- data[1:2, ]
  new$Subject <- wrong
  expect_three_lines(tryCatch(predict(fit, new), error = identity), "ferrite_error_new_levels")
})

test_that("text in another encoding is text", {
  data <- as.data.frame(nlme::Orthodont)
  data$Subject <- as.character(data$Subject)
  plain <- lmm(distance ~ age + (1 | Subject), data)
  level <- data
  level$Subject[level$Subject == "M01"] <- latin_text()
  fit <- lmm(distance ~ age + (1 | Subject), level)
  expect_equal(fit$theta, plain$theta, tolerance = 1e-8)
  # the same level in UTF-8
  new <- level[1:4, ]
  new$Subject <- enc2utf8(new$Subject)
  expect_equal(predict(fit, new), predict(fit, level[1:4, ]))
})
