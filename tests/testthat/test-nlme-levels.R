# `level` of nlme, and the predictions by groups that rest on it, against nlme's own fits of the same models.

level_fits <- function() {
  skip_if_not_installed("nlme")
  list(
    slopes = lmm(distance ~ age + Sex + (age | Subject), nlme::Orthodont),
    of_slopes = nlme::lme(distance ~ age + Sex, nlme::Orthodont, ~ age | Subject),
    nested = lmm(Thickness ~ 1 + (1 | Lot / Wafer), nlme::Oxide),
    of_nested = nlme::lme(Thickness ~ 1, nlme::Oxide, ~ 1 | Lot / Wafer)
  )
}

test_that("predict() at levels is nlme's, and level = 0 the population", {
  fits <- level_fits()
  expect_equal(predict(fits$slopes, level = 0:1), predict(fits$of_slopes, level = 0:1), tolerance = 1e-4)
  expect_equal(predict(fits$nested, level = 0:2), predict(fits$of_nested, level = 0:2), tolerance = 1e-6)
  expect_equal(predict(fits$nested, level = 1:2), predict(fits$of_nested, level = 1:2), tolerance = 1e-6)
  new <- as.data.frame(nlme::Orthodont)[c(3, 50, 108), ]
  of_new <- predict(fits$of_slopes, new, level = 0:1)
  expect_equal(lapply(predict(fits$slopes, new, level = 0:1)[2:3], c), lapply(of_new[2:3], c), tolerance = 1e-4)
  expect_identical(as.character(predict(fits$slopes, new, level = 0:1)$Subject), as.character(of_new$Subject))
  expect_identical(predict(fits$slopes, new, level = 0), predict(fits$slopes, new, re.form = NA))
  alone <- cbind(new["age"], Sex = "Male")
  expect_identical(predict(fits$slopes, alone, level = 0, se.fit = TRUE)$fit, predict(fits$slopes, alone, re.form = NA))
  expect_identical(predict(fits$slopes, level = 1), predict(fits$slopes))
  expect_identical(predict(fits$slopes, level = 0.9), predict(fits$slopes))
})

test_that("fitted(), residuals(), ranef() and coef() at levels are nlme's", {
  fits <- level_fits()
  values <- function(x) unname(as.matrix(x))
  expect_equal(fitted(fits$nested, level = 0:2), fitted(fits$of_nested, level = 0:2), tolerance = 1e-6,
    ignore_attr = "label")
  expect_equal(fitted(fits$nested, level = 2), fitted(fits$nested), tolerance = 1e-13)
  for (type in c("response", "pearson", "normalized")) {
    expect_equal(
      values(residuals(fits$nested, type, scaled = type == "pearson", level = 0:2)),
      values(residuals(fits$of_nested, level = 0:2, type = type)), tolerance = 1e-6
    )
  }
  expect_equal(values(ranef(fits$nested, level = 1)), values(nlme::ranef(fits$of_nested, level = 1)), tolerance = 1e-4)
  expect_named(ranef(fits$nested, level = 1:2), c("Lot", "Wafer:Lot"))
  expect_equal(values(coef(fits$nested, level = 1)), values(coef(fits$of_nested, level = 1)), tolerance = 1e-6)
  inner <- coef(fits$nested, level = 2)
  rows <- sub("^(.*):(.*)$", "\\2/\\1", rownames(inner))
  expect_equal(inner[[1]], coef(fits$of_nested, level = 2)[rows, 1], tolerance = 1e-6)
})

test_that("rows that na.exclude set aside stay", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[c(2, 9)] <- NA
  fit <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  expect_identical(which(is.na(residuals(fit, level = 0))), c(`2` = 2L, `9` = 9L))
  expect_identical(dim(fitted(fit, level = 0:1)), c(108L, 2L))
  expect_identical(predict(fit, level = 0:1)$predict.fixed, unname(predict(fit, re.form = NA)))
})

test_that("a level that is none is refused", {
  fits <- level_fits()
  refused <- function(code) expect_error(code, class = "ferrite_error_argument")
  refused(predict(fits$slopes, level = 2))
  refused(predict(fits$slopes, level = -1))
  refused(predict(fits$slopes, level = 1, interval = "confidence"))
  refused(predict(fits$slopes, level = 0, re.form = NA))
  refused(predict(fits$slopes, level = 0:1, se.fit = TRUE))
  refused(fitted(fits$slopes, level = "Subject"))
  refused(residuals(fits$slopes, level = 0.5))
  refused(ranef(fits$slopes, level = 0))
  refused(coef(fits$nested, level = 1:2))
  skip_if_not_installed("lme4")
  crossed <- lmm(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin)
  refused(fitted(crossed, level = 1))
  expect_equal(fitted(crossed, level = 2), fitted(crossed), tolerance = 1e-13)
})

test_that("augPred() and comparePred() are those of lme() fits, and nlme draws them", {
  fits <- level_fits()
  for (level in list(NULL, 0:1, 0)) {
    ours <- nlme::augPred(fits$slopes, length.out = 5, level = level)
    theirs <- nlme::augPred(fits$of_slopes, length.out = 5, level = if (is.null(level)) 1 else level)
    expect_s3_class(ours, class(theirs), exact = TRUE)
    expect_equal(as.list(ours), as.list(theirs), tolerance = 1e-4, ignore_attr = TRUE)
    expect_identical(levels(ours$.type), levels(theirs$.type))
    expect_identical(attr(ours, "labels"), attr(theirs, "labels"))
    expect_s3_class(plot(ours), "trellis")
  }
  straight <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  of_straight <- nlme::lme(distance ~ age, nlme::Orthodont, ~ 1 | Subject)
  ours <- nlme::comparePred(straight, fits$slopes, length.out = 4)
  theirs <- nlme::comparePred(of_straight, fits$of_slopes, length.out = 4)
  expect_equal(lapply(ours[1:3], c), lapply(theirs[1:3], c), tolerance = 1e-4, ignore_attr = TRUE)
  expect_identical(as.integer(ours$.type), as.integer(theirs$.type))
  expect_identical(levels(ours$.type), c("straight", "fits$slopes", "original"))
  expect_s3_class(plot(ours), "trellis")
  plain <- lmm(distance ~ age + (1 | Subject), as.data.frame(nlme::Orthodont))
  expect_error(nlme::augPred(plain), class = "ferrite_error_argument")
  expect_error(nlme::augPred(plain, ~ Age), class = "ferrite_error_argument")
  expect_error(nlme::comparePred(plain, fits$nested, ~ age), class = "ferrite_error")
  expect_identical(nlme::augPred(plain, ~ age)$distance, nlme::augPred(plain, "age")$distance)
  # compareFits() is no generic function: it takes the data frames that `level` gives
  steep <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
  of_steep <- nlme::lme(distance ~ age, nlme::Orthodont, ~ age | Subject)
  expect_equal(
    c(nlme::compareFits(coef(straight, level = 1), coef(steep, level = 1))),
    c(nlme::compareFits(coef(of_straight), coef(of_steep))), tolerance = 1e-4
  )
})
