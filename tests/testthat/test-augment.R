# The rules of broom: all columns of the data first, one row for each row, `.fitted` and `.resid` next.

inner <- c(".fitted", ".resid", ".hat", ".cooksd", ".fixed", ".mu", ".offset", ".sqrtXwt", ".sqrtrwt", ".weights",
           ".wtres")

holed <- function() {
  data <- plain(nlme::Orthodont)
  data$distance[c(2, 50)] <- NA
  data$extra <- seq_len(nrow(data))
  data
}

test_that("the model frame and what the fit says of it", {
  fit <- shared_fit("weighted")
  table <- augment.lmm(fit)
  expect_identical(names(table), c(names(fit$frame), inner))
  expect_identical(nrow(table), nobs(fit))
  expect_equal(table$.fitted, unname(fitted(fit)))
  expect_equal(table$.resid, unname(residuals(fit)))
  expect_equal(table$.hat, unname(hatvalues(fit)))
  expect_equal(table$.cooksd, unname(cooks.distance(fit)))
  expect_equal(table$.fixed, unname(predict(fit, re.form = NA)))
  expect_equal(table$.wtres, unname(residuals(fit, "pearson")))
  expect_equal(table$.weights, unname(weights(fit)))
})

test_that("the columns are those of the generics, whatever the residuals are", {
  data <- plain(nlme::Orthodont)
  data$visit <- (data$age - 6) / 2
  for (fit in list(
    lmm(distance ~ age + (1 | Subject), data),
    lmm(distance ~ age + (1 | Subject), data, weights = age),
    lmm(distance ~ age + (1 | Subject), data, weights = age, dispersion = ~ Sex),
    lmm(distance ~ age + (1 | Subject), data, dispersion = ~ power(age)),
    lmm(distance ~ age + (1 | Subject), data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject)),
    lmm(distance ~ age + (0 + age | Subject), data, correlation = cs(~ 1 | Subject))
  )) {
    table <- augment.lmm(fit)
    expect_equal(table$.hat, unname(hatvalues(fit)))
    expect_equal(table$.cooksd, unname(cooks.distance(fit)))
    expect_equal(table$.wtres, unname(residuals(fit, "pearson")))
    expect_equal(table$.wtres, table$.resid * table$.sqrtrwt)
    expect_equal(table$.resid, unname(residuals(fit)))
    expect_equal(table$.weights, unname(weights(fit)))
  }
})

test_that("columns are those of broom.mixed for the fit of lme4", {
  skip_if_not_installed("broom.mixed")
  skip_if_not_installed("lme4")
  data <- holed()
  formula <- log(distance) ~ log(age) + offset(extra / 1000) + (1 | Subject)
  ours <- lmm(formula, data, weights = age, na.action = na.exclude)
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12))
  theirs <- do.call(lme4::lmer, list(formula, data, weights = quote(age), na.action = na.exclude, control = control))
  augment <- getExportedValue("generics", "augment")
  expect_equal(as.data.frame(augment(ours, data)), as.data.frame(broom.mixed::augment(theirs, data)),
    tolerance = 1e-5, ignore_attr = TRUE)
})

test_that("rows left out follow the rule of broom: gone after na.omit, NA after na.exclude", {
  data <- holed()
  omitted <- augment.lmm(lmm(distance ~ age + (1 | Subject), data), data)
  expect_identical(omitted$extra, setdiff(seq_len(nrow(data)), c(2L, 50L)))
  expect_true("extra" %in% names(omitted))
  excluded <- augment.lmm(lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude), data)
  expect_identical(excluded$extra, seq_len(nrow(data)))
  expect_identical(which(is.na(excluded$.fitted)), c(2L, 50L))
  expect_equal(excluded$.hat[-c(2, 50)], omitted$.hat)
})

test_that("a tibble, a data frame and one with row names give the same", {
  data <- holed()
  named <- data
  rownames(named) <- paste0("row", seq_len(nrow(named)))
  fit <- lmm(distance ~ age + (1 | Subject), named, na.action = na.exclude)
  first <- augment.lmm(fit, data)
  second <- augment.lmm(fit, named)
  expect_identical(names(second)[1], ".rownames")
  expect_identical(second$.rownames[2], "row2")
  expect_equal(second[-1], first)
  skip_if_not_installed("tibble")
  expect_equal(augment.lmm(fit, tibble::as_tibble(data)), first)
  expect_s3_class(first, "tbl_df")
})

test_that("rows chosen by `subset` are found by their names", {
  data <- holed()
  fit <- lmm(distance ~ age + (1 | Subject), data, subset = age > 8)
  table <- augment.lmm(fit, data)
  expect_identical(nrow(table), nobs(fit))
  expect_true(all(table$age > 8))
  expect_equal(table$.resid, table$distance - table$.fitted)
})

test_that("new data without the response get .fitted only, with it .resid as well", {
  fit <- shared_fit("slope")
  new <- nlme::Orthodont[1:3, c("age", "Subject", "Sex")]
  table <- augment.lmm(fit, newdata = new)
  expect_identical(names(table), c(".rownames", names(new), ".fitted")[-1])
  expect_equal(table$.fitted, unname(predict(fit, new)))
  table <- augment.lmm(fit, newdata = nlme::Orthodont[1:3, ])
  expect_identical(utils::tail(names(table), 2), c(".fitted", ".resid"))
  expect_equal(table$.resid, unname(residuals(fit)[1:3]))
})

test_that("new levels, standard errors and intervals are those of predict()", {
  fit <- shared_fit("slope")
  new <- data.frame(age = 9, Sex = "Male", Subject = "new")
  expect_error(augment.lmm(fit, newdata = new), class = "ferrite_error_new_levels")
  table <- augment.lmm(fit, newdata = new, allow.new.levels = TRUE, se_fit = TRUE, interval = "prediction")
  expected <- predict(fit, new, allow.new.levels = TRUE, se.fit = TRUE, interval = "prediction")
  expect_identical(utils::tail(names(table), 4), c(".fitted", ".lower", ".upper", ".se.fit"))
  expect_equal(table$.upper, expected$fit[[1, "upr"]])
  expect_equal(table$.se.fit, expected$se.fit[[1]])
  own <- augment.lmm(fit, re.form = NA, se_fit = TRUE)
  expect_equal(own$.fitted, own$.fixed)
  expect_equal(own$.resid, own$distance - own$.fitted)
  expect_equal(own$.mu, unname(fitted(fit)))
})

test_that("other data than those of the fit are an error", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  condition <- expect_error(augment.lmm(fit, nlme::Orthodont[1:10, ]), class = "ferrite_error_data")
  expect_three_lines(condition, "ferrite_error_data")
  changed <- transform(as.data.frame(nlme::Orthodont), distance = distance + 1)
  expect_error(augment.lmm(fit, changed), "distance", class = "ferrite_error_data")
  expect_error(augment.lmm(fit, data = 3), class = "ferrite_error_newdata")
  expect_error(augment.lmm(fit, interval = "both"), class = "ferrite_error_argument")
  expect_warning(augment.lmm(fit, type = "x"), class = "ferrite_warning_argument")
})

test_that("columns of a table that was augmented before are replaced", {
  fit <- lmm(distance ~ age + (1 | Subject), plain(nlme::Orthodont))
  once <- augment.lmm(fit)
  expect_identical(augment.lmm(fit, once), once)
})
