# Predictions and simulated responses of fits whose residuals are not alike: against dense matrices.

test_that("forecasts in a series are the best linear unbiased predictions, with their variance", {
  data <- cycles()
  fit <- lmm(follicles ~ cos(2 * pi * Time) + (1 | Mare), data, correlation = car1(~ step | Mare), dispersion = ~ Time)
  new <- data.frame(Mare = c("1", "1", "2", "7", "7"), step = c(31, 35.5, 3.25, -2, 12.5))
  new$Time <- c(1, 1.1, 0, 0.5, 0.3)
  got <- predict(fit, new, interval = "prediction", se.fit = TRUE)
  sd <- sigma(fit) * exp(fit$residual$phi[["Time"]] * new$Time)
  old_sd <- sqrt(diag(component(fit, "R")))
  same <- outer(new$Mare, as.character(data$Mare), "==")
  c_e <- same * fit$residual$rho^abs(outer(new$step, data$step, "-")) * outer(sd, old_sd)
  g <- fit$random[[1L]]$varcov[1L]
  x <- cbind(1, cos(2 * pi * new$Time))
  one <- dense_blup(fit, x, c_e + g * same, g + sd^2)
  expect_equal(unname(got$fit[, "fit"]), one$fit)
  expect_equal(unname(got$fit[, "upr"] - got$fit[, "fit"]), stats::qnorm(0.975) * sqrt(one$variance))
  expect_true(all(got$se.fit^2 < one$variance))
  known <- drop(x %*% fixef(fit)) + fit$random[[1L]]$b[new$Mare, 1L]
  expect_equal(predict(fit, new, serial = FALSE), known, ignore_attr = TRUE)
  expect_equal(predict(fit, data), fitted(fit), ignore_attr = TRUE)
})

test_that("forecasts with crossed factors, weights and strata are those of dense matrices", {
  data <- crossed()
  fit <- lmm(y ~ x + (1 | station) + (1 | day), data, weights = w, dispersion = ~ kind,
    correlation = ar1(~ day | station))
  gone <- setdiff(paste(rep(paste0("s", 1:6), each = 12), rep(1:12, 6)), paste(data$station, data$day))[1:8]
  new <- data.frame(station = sub(" .*", "", gone), day = as.integer(sub(".* ", "", gone)))
  new$x <- seq(-1, 1, length.out = 8)
  new <- rbind(new, data.frame(station = "s3", day = 14L, x = 0))
  new$kind <- ifelse(new$station %in% c("s1", "s2"), "old", "new")
  got <- predict(fit, new, interval = "prediction", weights = 2, allow.new.levels = TRUE)
  sd <- sigma(fit) * exp(fit$residual$phi[["kindold"]] * (new$kind == "old")) / sqrt(2)
  old_sd <- sqrt(diag(component(fit, "R")))
  station <- outer(new$station, as.character(data$station), "==")
  day <- outer(new$day, data$day, "==")
  g <- stats::setNames(lapply(fit$random, function(term) term$varcov[1L]), vapply(fit$random, `[[`, "", "group"))
  c <- g$station * station + g$day * day +
    station * fit$residual$rho^abs(outer(new$day, data$day, "-")) * outer(sd, old_sd)
  one <- dense_blup(fit, cbind(1, new$x), c, g$station + g$day + sd^2)
  expect_equal(unname(got[, "fit"]), one$fit)
  expect_equal(unname(got[, "upr"] - got[, "fit"]), stats::qnorm(0.975) * sqrt(one$variance))

  fit <- lmm(y ~ x + (1 | day), data, correlation = cs(~ 1 | station))
  new <- data.frame(station = c("s1", "s5", "s9"), day = 3L, x = 0:2)
  expect_equal(predict(fit, data), fitted(fit), ignore_attr = TRUE)
  got <- predict(fit, new, interval = "prediction", serial = TRUE)
  station <- outer(new$station, as.character(data$station), "==")
  g <- fit$random[[1L]]$varcov[1L]
  c <- g * outer(new$day, data$day, "==") + station * fit$residual$rho * sigma(fit)^2
  one <- dense_blup(fit, cbind(1, new$x), c, g + sigma(fit)^2)
  expect_equal(unname(got[, "fit"]), one$fit)
  expect_equal(unname(got[, "upr"] - got[, "fit"]), stats::qnorm(0.975) * sqrt(one$variance))
})

test_that("where the order of the rows is the time, new rows follow if asked to", {
  data <- cycles()
  fit <- lmm(follicles ~ cos(2 * pi * Time) + (1 | Mare), data, correlation = ar1(~ 1 | Mare))
  timed <- lmm(follicles ~ cos(2 * pi * Time) + (1 | Mare), data, correlation = ar1(~ step | Mare))
  last <- tapply(data$step, data$Mare, max)
  new <- data.frame(Mare = c("3", "1", "3"), Time = c(1.1, 1.1, 1.2))
  new$step <- last[new$Mare] + c(1, 1, 2)
  expect_equal(predict(fit, new, serial = TRUE), predict(timed, new))
  expect_equal(predict(fit, data), fitted(fit), ignore_attr = TRUE)
})

test_that("prediction intervals have the residual variance of the row's stratum", {
  data <- growth()
  fit <- lmm(distance ~ age + (1 | Subject), data, dispersion = ~ Sex)
  new <- data.frame(Subject = "M01", age = 9, Sex = c("Male", "Female"))
  got <- predict(fit, new, interval = "prediction", se.fit = TRUE)
  sd <- sigma(fit) * c(1, exp(fit$residual$phi[["SexFemale"]]))
  expect_equal(unname(got$fit[, "upr"] - got$fit[, "fit"]), unname(stats::qnorm(0.975) * sqrt(got$se.fit^2 + sd^2)))
  new$Sex[1] <- "other"
  expect_error(predict(fit, new, interval = "prediction"), class = "ferrite_error_new_levels")
  expect_error(simulate(fit, newdata = new), class = "ferrite_error_new_levels")
  expect_length(predict(fit, new), 2L)
  expect_error(predict(fit, new[c("Subject", "age")], interval = "prediction"), class = "ferrite_error_newdata")
  expect_length(predict(fit, new[c("Subject", "age")]), 2L)
})

test_that("simulated responses have the covariance matrix of the model", {
  data <- crossed()
  fit <- lmm(y ~ x + (1 | station), data, weights = w, dispersion = ~ kind, correlation = ar1(~ day | station))
  drawn <- as.matrix(simulate(fit, nsim = 4000, seed = 2, use.u = TRUE))
  R <- component(fit, "R") # nolint: object_name_linter.
  white <- chol2inv(chol(R)) %*% stats::cov(t(drawn))
  expect_equal(mean(diag(white)), 1, tolerance = 0.02)
  expect_lt(max(abs(stats::cov2cor(stats::cov(t(drawn))) - stats::cov2cor(R))), 0.08)
  V <- component(fit, "V") # nolint: object_name_linter.
  drawn <- as.matrix(simulate(fit, nsim = 4000, seed = 3))
  expect_lt(max(abs(stats::cov2cor(stats::cov(t(drawn))) - stats::cov2cor(V))), 0.08)
  expect_equal(rowMeans(drawn), predict(fit, re.form = NA), tolerance = 0.1)

  new <- data.frame(station = rep(c("s1", "z"), each = 3), day = c(3, 1, 2, 1, 3, 2), x = 0, kind = "old")
  drawn <- as.matrix(suppressWarnings(simulate(fit, nsim = 4000, seed = 3, newdata = new)))
  g <- fit$random[[1L]]$varcov[1L]
  expected <- g * outer(new$station, new$station, "==") +
    dense_errors(new$station, rep(sigma(fit) * exp(fit$residual$phi[["kindold"]]), 6), fit$residual$rho, new$day)
  expect_lt(max(abs(stats::cov(t(drawn)) - expected)) / max(expected), 0.08)
  new$day[1] <- 1
  expect_error(suppressWarnings(simulate(fit, newdata = new)), class = "ferrite_error_tied_times")

  fit <- lmm(y ~ x + (1 | day), data, correlation = cs(~ 1 | station))
  drawn <- as.matrix(simulate(fit, nsim = 4000, seed = 2, use.u = TRUE))
  expect_lt(max(abs(stats::cov2cor(stats::cov(t(drawn))) - stats::cov2cor(component(fit, "R")))), 0.08)
})

test_that("times may be dates and factors, series interactions; missing values stay so", {
  data <- crossed()
  data$region <- factor(ifelse(data$station %in% c("s1", "s2", "s3"), "a", "b"))
  data$date <- as.Date("2024-02-27") + data$day
  data$level <- factor(data$day)
  new <- data.frame(station = c("s1", "s5"), day = c(13L, 14L), x = c(0, NA), kind = c("old", "new"))
  new$region <- ifelse(new$station == "s1", "a", "b")
  new$date <- as.Date("2024-02-27") + new$day
  new$level <- new$day
  plain <- lmm(y ~ x + (1 | station), data, correlation = ar1(~ day | station), dispersion = ~ kind)
  expected <- predict(plain, new, interval = "prediction")
  expect_true(is.na(expected[2L, "fit"]) && !is.na(expected[1L, "fit"]))
  for (fit in list(
    lmm(y ~ x + (1 | station), data, correlation = ar1(~ date | station), dispersion = ~ kind),
    lmm(y ~ x + (1 | station), data, correlation = ar1(~ level | station), dispersion = ~ kind),
    lmm(y ~ x + (1 | station), data, correlation = ar1(~ day | station:region), dispersion = ~ kind:region)
  )) {
    got <- predict(fit, new, interval = "prediction")
    if (length(fit$residual$phi) == 2L) expect_equal(got, expected, tolerance = 1e-6)
    expect_identical(is.na(got), is.na(expected))
  }
  expect_error(
    predict(lmm(y ~ x + (1 | station), data, correlation = ar1(~ date | station)), transform(new, date = 13)),
    class = "ferrite_error_newdata"
  )
  new$station[1L] <- "s9"
  expect_equal(
    predict(plain, new, allow.new.levels = TRUE), predict(plain, new, allow.new.levels = TRUE, serial = FALSE)
  )
  data$x[3L] <- NA
  fit <- lmm(y ~ x + (1 | station), data, correlation = ar1(~ day | station), na.action = stats::na.exclude)
  white <- residuals(fit, "normalized")
  expect_length(white, 60L)
  expect_identical(which(is.na(unname(white))), 3L)
  fit <- lmm(y ~ x + (1 | station), data, correlation = ar1(~ day | station))
  expect_equal(white[!is.na(white)], residuals(fit, "normalized"))
})

test_that("wrong input is a classed error", {
  data <- cycles()
  fit <- lmm(follicles ~ cos(2 * pi * Time) + (1 | Mare), data, correlation = ar1(~ step | Mare))
  new <- data.frame(Mare = "1", Time = 1.2, step = 31)
  expect_error(predict(fit, new[-3L]), class = "ferrite_error_newdata")
  expect_length(predict(fit, new[-3L], serial = FALSE), 1L)
  expect_length(predict(fit, new[-3L], re.form = NA), 1L)
  expect_error(predict(fit, new, re.form = NA, serial = TRUE), class = "ferrite_error_argument")
  expect_error(predict(fit, new, serial = "yes"), class = "ferrite_error_argument")
  expect_error(predict(fit, transform(new, step = 31.5)), class = "ferrite_error_newdata")
  expect_error(predict(fit, transform(new, step = "a")), class = "ferrite_error_newdata")
  expect_identical(unname(predict(fit, transform(new, step = NA_real_))), NA_real_)
  powers <- lmm(follicles ~ cos(2 * pi * Time) + (1 | Mare), data, dispersion = ~ power(step))
  expect_error(predict(powers, transform(new, step = 0), interval = "prediction"), class = "ferrite_error_dispersion")
})

test_that("a variable of the residuals that stands in the session is not taken for one of new rows", {
  data <- as.data.frame(nlme::Orthodont)
  size <- rep(1:4, 27) + 0.5
  fit <- suppressMessages(lmm(distance ~ age + (1 | Subject), data, dispersion = ~ log(size)))
  new <- data[1:4, c("age", "Subject")]
  expect_error(predict(fit, new, interval = "prediction"), "no column `size`", class = "ferrite_error_newdata")
  # rows that are missing make no difference
  data$distance[3] <- NA
  fit <- suppressMessages(lmm(distance ~ age + (1 | Subject), data, dispersion = ~ log(size)))
  expect_error(predict(fit, new, interval = "prediction"), "no column `size`", class = "ferrite_error_newdata")
})
