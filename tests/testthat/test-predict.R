test_that("predictions for the data of the fit are its fitted values", {
  for (name in c("slope", "uncorrelated", "nested", "crossed", "weighted")) {
    fit <- shared_fit(name)
    expect_equal(predict(fit), fitted(fit), info = name)
    expect_equal(predict(fit, model.frame(fit)), fitted(fit), info = name)
    expect_equal(unname(predict(fit, re.form = NA)), drop(component(fit, "X") %*% component(fit, "beta")),
      ignore_attr = TRUE, info = name)
  }
})

test_that("population means follow from the coefficients", {
  fit <- shared_fit("slope")
  new <- data.frame(age = c(9, 13), Sex = c("Male", "Female"))
  beta <- unname(fixef(fit))
  expect_close(predict(fit, new, re.form = NA), c(beta[1] + 9 * beta[2], beta[1] + beta[3] + 13 * (beta[2] + beta[4])))
  expect_equal(predict(fit, new, re.form = ~0), predict(fit, new, re.form = NA))
})

test_that("transformations remember the data, factors their levels", {
  data <- transform(as.data.frame(nlme::Orthodont), sex = as.character(Sex))
  fit <- lmm(distance ~ poly(age, 2) * sex + (scale(age) | Subject), data)
  expect_equal(predict(fit, data[c(3, 70), ]), fitted(fit)[c(3, 70)])
  expect_equal(predict(fit, data[7, ]), fitted(fit)[7])
})

test_that("re.form can choose effects", {
  fit <- shared_fit("slope")
  rows <- as.data.frame(nlme::Orthodont)[1:2, ]
  expect_equal(predict(fit, rows, re.form = ~ (1 | Subject)),
    predict(fit, rows, re.form = NA) + ranef(fit)$Subject["M01", "(Intercept)"])
  expect_equal(predict(fit, rows, re.form = ~ (age | Subject)), predict(fit, rows))
  expect_error(predict(fit, rows, re.form = ~ (1 | Dog)), class = "ferrite_error_re_form")
  expect_error(predict(fit, rows, re.form = ~ (Sex | Subject)), class = "ferrite_error_re_form")
  expect_error(predict(fit, rows, re.form = ~age), class = "ferrite_error_re_form")
  expect_error(predict(fit, rows, re.form = TRUE), class = "ferrite_error_re_form")
})

test_that("new levels of a grouping factor are named, or count as zero", {
  fit <- shared_fit("slope")
  new <- data.frame(age = 9, Sex = "Male", Subject = c("M01", "Z9"))
  condition <- expect_error(predict(fit, new), class = "ferrite_error_new_levels")
  expect_identical(condition$levels, "Z9")
  expect_equal(predict(fit, new, allow.new.levels = TRUE)[[2]], predict(fit, new, re.form = NA)[[2]])
  nested <- shared_fit("nested")
  crossing <- data.frame(Machine = "A", Worker = c("6", "7"))
  expect_error(predict(nested, crossing), class = "ferrite_error_new_levels")
  expect_equal(predict(nested, crossing, allow.new.levels = TRUE)[[2]], predict(nested, crossing, re.form = NA)[[2]])
})

test_that("missing columns, unknown levels and wrong kinds are named", {
  fit <- shared_fit("slope")
  condition <- expect_error(predict(fit, data.frame(age = 9, Sex = "Male")), class = "ferrite_error_newdata")
  expect_identical(condition$missing, "Subject")
  expect_error(predict(fit, data.frame(Age = 9, Sex = "Male"), re.form = NA), class = "ferrite_error_newdata")
  new <- data.frame(age = 9, Sex = "X")
  condition <- expect_error(predict(fit, new, re.form = NA), class = "ferrite_error_new_levels")
  expect_identical(condition$variable, "Sex")
  expect_error(predict(fit, data.frame(age = "9", Sex = "Male"), re.form = NA), class = "ferrite_error_newdata")
  expect_error(predict(fit, 1:3), class = "ferrite_error_newdata")
  expect_error(predict(fit, se.fit = TRUE), class = "ferrite_error_argument")
})

test_that("a missing value predicts NA, no rows predict nothing", {
  fit <- shared_fit("slope")
  new <- data.frame(age = c(9, NA, 9), Sex = "Male", Subject = c("M01", "M01", NA))
  expect_identical(unname(is.na(predict(fit, new))), c(FALSE, TRUE, TRUE))
  expect_length(predict(fit, new[0, ]), 0L)
})

test_that("offsets are found in the new data", {
  data <- transform(as.data.frame(nlme::Orthodont), o = seq_along(age))
  inside <- lmm(distance ~ age + offset(o) + (1 | Subject), data)
  outside <- lmm(distance ~ age + (1 | Subject), data, offset = o)
  expect_equal(predict(inside, data[9:12, ]), fitted(inside)[9:12])
  expect_equal(predict(outside, data[9:12, ]), fitted(outside)[9:12])
  expect_error(predict(outside, data.frame(age = 9, Subject = "M01")), class = "ferrite_error_newdata")
})

test_that("what the data do not determine is not predicted", {
  fit <- suppressMessages(lmm(distance ~ age + twice + (1 | Subject), transform(nlme::Orthodont, twice = 2 * age)))
  expect_equal(predict(fit, data.frame(age = 9, twice = 18), re.form = NA)[[1]],
    predict(shared_fit("dropped"), data.frame(age = 9), re.form = NA)[[1]], tolerance = 1e-6)
  expect_warning(value <- predict(fit, data.frame(age = 9, twice = 1), re.form = NA),
    class = "ferrite_warning_not_estimable")
  expect_true(is.na(value))
})
