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
  expect_error(predict(fit, random = TRUE, fixed = 1), class = "ferrite_error_argument")
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

test_that("predictions and fitted values of models of many shapes are those of lme4", {
  for (name in names(shape_fits())) {
    pair <- shape_fits()[[name]]
    expect_lt(largest_difference(fitted(pair$ours), fitted(pair$theirs)), 1e-6, label = name)
    expect_lt(largest_difference(predict(pair$ours, re.form = NA), predict(pair$theirs, re.form = NA)), 1e-6,
      label = name)
    if (name == "offset") next # lme4 leaves the offset out for new data
    rows <- pair$data[c(5, 9, 20, 21), ]
    expect_lt(largest_difference(predict(pair$ours, rows), predict(pair$theirs, rows)), 1e-6, label = name)
    expect_lt(largest_difference(predict(pair$ours, rows, re.form = ~0), predict(pair$theirs, rows, re.form = ~0)),
      1e-6, label = name)
  }
})

test_that("standard errors and intervals are those of dense algebra", {
  half <- qnorm(0.95)
  for (name in names(shape_fits())) {
    fit <- shape_fits()[[name]]$ours
    x <- component(fit, "X")
    z <- component(fit, "Z")
    residual <- diag(component(fit, "R"))
    known <- predict(fit, se.fit = TRUE, interval = "prediction", level = 0.9)
    variance <- dense_variance(fit, x, z)
    expect_lt(largest_difference(known$se.fit, sqrt(variance)), 1e-9, label = name)
    limits <- fitted(fit) + outer(sqrt(variance + residual), c(-half, half))
    expect_lt(largest_difference(known$fit[, 2:3], limits), 1e-9, label = name)
    mean <- predict(fit, re.form = NA, se.fit = TRUE, interval = "confidence", level = 0.9)
    variance <- dense_variance(fit, x, 0 * z)
    expect_lt(largest_difference(mean$se.fit, sqrt(variance)), 1e-9, label = name)
    expect_lt(largest_difference(mean$se.fit^2, diag(x %*% vcov(fit, complete = FALSE) %*% t(x))), 1e-9, label = name)
    limits <- predict(fit, re.form = NA) + outer(sqrt(variance), c(-half, half))
    expect_lt(largest_difference(mean$fit[, 2:3], limits), 1e-9, label = name)
    # a new observation in new groups
    new <- predict(fit, re.form = NA, interval = "prediction", level = 0.9)
    limits <- predict(fit, re.form = NA) + outer(sqrt(variance + diag(component(fit, "V"))), c(-half, half))
    expect_lt(largest_difference(new[, 2:3], limits), 1e-9, label = name)
  }
})

test_that("a new level adds the variance of its effects, a level that is known does not", {
  fit <- shared_fit("slope")
  new <- data.frame(age = c(9, 13), Sex = "Male", Subject = c("M01", "Z9"))
  result <- predict(fit, new, allow.new.levels = TRUE, se.fit = TRUE, interval = "prediction")
  x <- rbind(c(1, 9, 0, 0), c(1, 13, 0, 0))
  z <- matrix(0, 2, ncol(component(fit, "Z")), dimnames = list(NULL, colnames(component(fit, "Z"))))
  z[1, c("Subject.M01.(Intercept)", "Subject.M01.age")] <- c(1, 9)
  columns <- c(1, 13)
  added <- c(0, columns %*% VarCorr(fit)$Subject %*% columns)
  variance <- dense_variance(fit, x, z) + added
  expect_close(result$se.fit, sqrt(variance), 1e-9)
  expect_close(result$fit[, "upr"] - result$fit[, "fit"], qnorm(0.975) * sqrt(variance + sigma(fit)^2), 1e-9)
  # the same row where no effect counts: a new observation in a new group
  none <- predict(fit, new[2, c("age", "Sex")], re.form = NA, interval = "prediction")
  expect_equal(result$fit[2, ], none[1, ], tolerance = 1e-10)
})

test_that("levels that never met are predicted jointly", {
  machines <- subset(nlme::Machines, !(Worker == "1" & Machine == "A"))
  fit <- lmm(score ~ 1 + (1 | Worker) + (1 | Machine), machines)
  z <- matrix(0, 1, ncol(component(fit, "Z")), dimnames = list(NULL, colnames(component(fit, "Z"))))
  z[, c("Worker.1.(Intercept)", "Machine.A.(Intercept)")] <- 1
  row <- data.frame(Worker = "1", Machine = "A")
  expect_close(predict(fit, row, se.fit = TRUE)$se.fit^2, dense_variance(fit, matrix(1), z), 1e-9)
})

test_that("columns that do not count vary as drawn anew", {
  fit <- shared_fit("slope")
  rows <- as.data.frame(nlme::Orthodont)[c(2, 80), ]
  result <- predict(fit, rows, re.form = ~ (1 | Subject), se.fit = TRUE, interval = "prediction")
  x <- component(fit, "X")[c(2, 80), ]
  z <- component(fit, "Z")[c(2, 80), ]
  z[, grepl("age", colnames(z))] <- 0
  variance <- dense_variance(fit, x, z)
  expect_close(result$se.fit, unname(sqrt(variance)), 1e-9)
  spread <- sqrt(variance + rows$age^2 * VarCorr(fit)$Subject[2, 2] + sigma(fit)^2)
  expect_close(result$fit[, "upr"] - result$fit[, "fit"], unname(qnorm(0.975) * spread), 1e-9)
  # at a new level all effects are one draw, whichever count
  rows$Subject <- "Z9"
  part <- predict(fit, rows, re.form = ~ (1 | Subject), allow.new.levels = TRUE, interval = "prediction")
  expect_equal(part, predict(fit, rows, re.form = NA, interval = "prediction"), tolerance = 1e-10)
})

test_that("closed form: one random intercept, balanced", {
  # 5 women with 16 values each; the variance of mean + b_i by hand, see Searle, Casella and McCulloch (1992), 7.2
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  between <- c(VarCorr(fit)$person)
  within <- sigma(fit)^2
  shrink <- between / (between + within / 16)
  expected <- between * (1 - shrink) + (1 - shrink)^2 * (between + within / 16) / 5
  result <- predict(fit, data.frame(person = "1"), se.fit = TRUE)
  expect_close(result$se.fit^2, expected, 1e-9)
  expect_identical(result$df, Inf)
  expect_identical(result$residual.scale, sigma(fit))
})

test_that("population means can have t quantiles", {
  fit <- shared_fit("slope")
  new <- data.frame(age = c(9, 13), Sex = c("Male", "Female"))
  tested <- contest(fit, rbind(c(1, 9, 0, 0), c(1, 13, 1, 13)), joint = FALSE)
  result <- predict(fit, new, re.form = NA, se.fit = TRUE, interval = "confidence", ddf = "Satterthwaite")
  expect_equal(unname(result$fit[, "lwr"]), tested$lower, tolerance = 1e-10)
  expect_equal(unname(result$df), tested$df, tolerance = 1e-10)
  adjusted <- contest(fit, rbind(c(1, 9, 0, 0), c(1, 13, 1, 13)), joint = FALSE, ddf = "Kenward-Roger")
  result <- predict(fit, new, re.form = NA, se.fit = TRUE, interval = "confidence", ddf = "Kenward-Roger")
  expect_equal(unname(result$se.fit), adjusted[["Std. Error"]], tolerance = 1e-10)
  expect_equal(unname(result$fit[, "upr"]), adjusted$upper, tolerance = 1e-10)
  expect_error(predict(fit, ddf = "Satterthwaite", se.fit = TRUE), class = "ferrite_error_argument")
  expect_error(predict(fit, re.form = NA, ddf = "K", interval = "p"), class = "ferrite_error_argument")
})

test_that("weights of new rows scale their residual variance", {
  fit <- shared_fit("weighted")
  new <- data.frame(age = c(8, 10), Subject = "M01", w = c(4, 0.5))
  expect_warning(one <- predict(fit, new, interval = "prediction"), class = "ferrite_warning_weights")
  expect_equal(predict(fit, new, interval = "prediction", weights = 1), one)
  error <- predict(fit, new, se.fit = TRUE)$se.fit
  expected <- qnorm(0.975) * sqrt(error^2 + sigma(fit)^2 / new$w)
  for (weights in list(new$w, ~w)) {
    result <- predict(fit, new, interval = "prediction", weights = weights)
    expect_close(result[, "upr"] - result[, "fit"], unname(expected))
  }
  own <- predict(fit, interval = "prediction")
  expected <- qnorm(0.975) * sqrt(predict(fit, se.fit = TRUE)$se.fit^2 + sigma(fit)^2 / weights(fit))
  expect_close(own[, "upr"] - own[, "fit"], unname(expected))
  for (wrong in list(-1, c(1, 2, 3), "w", ~nothing, Inf)) {
    expect_error(predict(fit, new, interval = "prediction", weights = wrong), class = "ferrite_error_weights")
  }
})

test_that("shape and names are those of predict.lm()", {
  fit <- shared_fit("slope")
  rows <- as.data.frame(nlme::Orthodont)[c(7, 3), ]
  result <- predict(fit, rows, interval = "confidence")
  expect_identical(dimnames(result), list(c("7", "3"), c("fit", "lwr", "upr")))
  all <- predict(fit, rows, interval = "prediction", se.fit = TRUE)
  expect_named(all, c("fit", "se.fit", "df", "residual.scale"))
  expect_named(all$se.fit, c("7", "3"))
  expect_identical(dim(predict(fit, rows[0, ], interval = "confidence")), c(0L, 3L))
  expect_equal(predict(fit, rows, type = "link"), predict(fit, rows))
  one <- predict(fit, rows[1, ], interval = "prediction")
  expect_equal(one["7", ], predict(fit, rows, interval = "prediction")["7", ])
  expect_error(predict(fit, rows, interval = "both"), class = "ferrite_error_argument")
  expect_error(predict(fit, rows, interval = "c", level = 95), class = "ferrite_error_argument")
  expect_error(predict(fit, rows, se.fit = 1), class = "ferrite_error_argument")
  expect_error(predict(fit, rows, allow.new.levels = NA), class = "ferrite_error_argument")
  expect_error(predict(fit, rows, type = "terms"), class = "ferrite_error_argument")
})

test_that("na.action says what becomes of incomplete rows", {
  fit <- shared_fit("slope")
  new <- data.frame(age = c(9, NA, 9), Sex = "Male", Subject = c("M01", "M01", NA), row.names = c("a", "b", "c"))
  result <- predict(fit, new, interval = "prediction", se.fit = TRUE)
  expect_identical(unname(is.na(result$fit[, "upr"])), c(FALSE, TRUE, TRUE))
  expect_identical(is.na(result$se.fit), c(a = FALSE, b = TRUE, c = TRUE))
  expect_named(predict(fit, new, na.action = na.omit), "a")
  expect_named(predict(fit, new, na.action = na.omit, re.form = NA), c("a", "c"))
  expect_length(predict(fit, new, na.action = na.exclude), 3L)
  expect_error(predict(fit, new, na.action = na.fail), class = "ferrite_error_missing")
  expect_error(predict(fit, new, na.action = identity), class = "ferrite_error_argument")
  # an incomplete grouping factor stays NA where new levels are allowed
  expect_identical(unname(is.na(predict(fit, new, allow.new.levels = TRUE))), c(FALSE, TRUE, TRUE))
})

test_that("na.exclude pads standard errors and intervals", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[c(3, 50)] <- NA
  fit <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  result <- predict(fit, interval = "confidence", se.fit = TRUE)
  expect_identical(which(is.na(unname(result$se.fit))), c(3L, 50L))
  expect_identical(which(is.na(unname(result$fit[, "lwr"]))), c(3L, 50L))
})

test_that("a prediction interval needs the covariates of all effects, but no group", {
  fit <- lmm(distance ~ 1 + (age | Subject), nlme::Orthodont)
  expect_equal(predict(fit, data.frame(x = 1), re.form = NA)[[1]], fixef(fit)[[1]])
  condition <- expect_error(predict(fit, data.frame(x = 1), re.form = NA, interval = "prediction"),
    class = "ferrite_error_newdata")
  expect_identical(condition$missing, "age")
  expect_length(predict(fit, data.frame(age = 9), re.form = NA, interval = "prediction"), 3L)
})

test_that("what is not estimable has no interval, and a model without fixed effects has one", {
  fit <- suppressMessages(lmm(distance ~ age + twice + (1 | Subject), transform(nlme::Orthodont, twice = 2 * age)))
  new <- data.frame(age = 9, twice = c(18, 1))
  expect_warning(result <- predict(fit, new, re.form = NA, interval = "confidence"),
    class = "ferrite_warning_not_estimable")
  expect_identical(unname(is.na(result[, "lwr"])), c(FALSE, TRUE))
  expect_equal(result[1, ], predict(shared_fit("dropped"), new[1, ], re.form = NA, interval = "confidence")[1, ],
    tolerance = 1e-6)
  empty <- lmm(distance ~ 0 + (1 | Subject), nlme::Orthodont)
  expect_identical(unname(predict(empty, re.form = NA, se.fit = TRUE)$se.fit), numeric(108))
  expect_lt(predict(empty, interval = "prediction")[1, "lwr"], fitted(empty)[1])
})
