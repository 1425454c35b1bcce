test_that("fitted values match the reference, and residuals complete them", {
  fit <- shared_fit("slope")
  expect_close(fitted(fit)[1:3], c(24.8457177624271, 26.57648599272, 28.3072542230128), 1e-6)
  expect_equal(unname(fitted(fit) + residuals(fit)), nlme::Orthodont$distance)
})

test_that("pearson residuals carry the weights, scaled ones sigma", {
  fit <- shared_fit("weighted")
  expect_equal(residuals(fit, "pearson"), residuals(fit) * sqrt(weights(fit)))
  expect_equal(residuals(fit, scaled = TRUE), residuals(fit) / sigma(fit))
})

test_that("na.exclude pads, na.omit does not", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[c(3, 50)] <- NA
  padded <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  plain <- lmm(distance ~ age + (1 | Subject), data, na.action = na.omit)
  expect_identical(which(is.na(unname(residuals(padded)))), c(3L, 50L))
  expect_length(fitted(plain), 106L)
  expect_equal(fitted(padded)[-c(3, 50)], fitted(plain))
})

test_that("the offset is part of the fitted values", {
  data <- transform(as.data.frame(nlme::Orthodont), o = seq_along(age))
  plain <- lmm(distance ~ age + (1 | Subject), data)
  moved <- lmm(I(distance + o) ~ age + offset(o) + (1 | Subject), data)
  expect_equal(fitted(moved), fitted(plain) + data$o, tolerance = 1e-6)
})

test_that("normalized residuals are those of errors with variance one", {
  for (name in c("slope", "weighted", "crossed")) {
    fit <- shared_fit(name)
    root <- sqrt(diag(component(fit, "R")))
    expect_close(residuals(fit, "normalized"), unname(residuals(fit)) / root, 1e-12)
    expect_identical(residuals(fit, "normalized", scaled = TRUE), residuals(fit, "normalized"))
  }
  expect_error(residuals(fit, "student"), class = "ferrite_error_argument")
})

test_that("residuals of models of many shapes are those of lme4", {
  for (name in names(shape_fits())) {
    pair <- shape_fits()[[name]]
    for (type in c("response", "pearson")) {
      for (scaled in c(FALSE, TRUE)) {
        expect_lt(
          largest_difference(residuals(pair$ours, type, scaled), residuals(pair$theirs, type, scaled)), 1e-6,
          label = paste(name, type)
        )
      }
    }
  }
})
