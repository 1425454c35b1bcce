# What is done with a fit whose residuals are not alike: against nlme, and against dense matrices.

cycles <- function() {
  data <- as.data.frame(nlme::Ovary)
  # nlme's normalized residuals take the series in the order of their levels to be the order of the rows
  data$Mare <- factor(as.character(data$Mare), levels = unique(as.character(data$Mare)))
  data$step <- stats::ave(seq_len(nrow(data)), data$Mare, FUN = seq_along)
  data
}

growth <- function() {
  data <- as.data.frame(nlme::Orthodont)
  data$Subject <- factor(as.character(data$Subject), levels = unique(as.character(data$Subject)))
  data
}

# Crossed factors, unsorted rows, gaps in time, strata across series, weights.
crossed <- function() {
  set.seed(4)
  data <- expand.grid(station = paste0("s", 1:6), day = 1:12)
  data <- data[sample(nrow(data), 60L), ]
  data$kind <- factor(ifelse(data$station %in% c("s1", "s2"), "old", "new"))
  data$x <- stats::rnorm(60)
  data$w <- stats::runif(60, 0.5, 2)
  data$y <- 1 + data$x + stats::rnorm(6)[data$station] + stats::rnorm(12)[data$day] +
    stats::rnorm(60) * ifelse(data$kind == "old", 2, 1)
  data
}

# The errors' covariance matrix from its definition.
dense_errors <- function(series, sd, rho, time = NULL) {
  distance <- if (is.null(time)) 1 - diag(length(series)) else abs(outer(time, time, "-"))
  outer(sd, sd) * outer(series, series, "==") * rho^distance
}

# Best linear unbiased prediction of a target with covariances `c` with y and variance `v`, covariates x.
dense_blup <- function(fit, x, c, v) {
  y <- component(fit, "y")
  X <- component(fit, "X") # nolint: object_name_linter.
  inverse <- solve(component(fit, "V"))
  phi <- solve(t(X) %*% inverse %*% X)
  beta <- phi %*% t(X) %*% inverse %*% y
  rest <- x - c %*% inverse %*% X
  list(
    fit = drop(x %*% beta + c %*% inverse %*% (y - X %*% beta)),
    variance = v - rowSums((c %*% inverse) * c) + rowSums((rest %*% phi) * rest)
  )
}

test_that("normalized and pearson residuals are nlme's", {
  data <- cycles()
  fixed <- follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time)
  fit <- lmm(follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), data, correlation = ar1(~ step | Mare))
  peer <- nlme::lme(fixed, data, ~ 1 | Mare, correlation = nlme::corAR1(form = ~ step | Mare))
  expect_equal(unname(residuals(fit, "normalized")), as.vector(residuals(peer, type = "normalized")), tolerance = 1e-3)

  fit <- lmm(follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), data, correlation = car1(~ Time | Mare))
  peer <- nlme::lme(fixed, data, ~ 1 | Mare, correlation = nlme::corCAR1(form = ~ Time | Mare))
  expect_equal(unname(residuals(fit, "normalized")), as.vector(residuals(peer, type = "normalized")), tolerance = 1e-3)

  data <- growth()
  fit <- lmm(distance ~ age + (1 | Subject), data, dispersion = ~ Sex)
  peer <- nlme::lme(distance ~ age, data, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex))
  expected <- as.vector(residuals(peer, type = "pearson"))
  expect_equal(unname(residuals(fit, "normalized")), expected, tolerance = 1e-3)
  expect_equal(unname(residuals(fit, "pearson", scaled = TRUE)), expected, tolerance = 1e-3)
  expect_equal(residuals(fit, "pearson") / sigma(fit), residuals(fit, "normalized"))

  fit <- lmm(distance ~ age + (0 + age | Subject), data, correlation = cs(~ 1 | Subject), dispersion = ~ Sex)
  peer <- nlme::lme(distance ~ age, data, ~ 0 + age | Subject, correlation = nlme::corCompSymm(form = ~ 1 | Subject),
    weights = nlme::varIdent(form = ~ 1 | Sex))
  R <- component(fit, "R") # nolint: object_name_linter.
  white <- residuals(fit, "normalized")
  raw <- residuals(fit)
  expect_equal(sum(white^2), drop(raw %*% solve(R, raw)))
  # nlme's factor of compound symmetry is another one: the same sum of squares in each series
  theirs <- as.vector(residuals(peer, type = "normalized"))
  expect_equal(c(tapply(white^2, data$Subject, sum)), c(tapply(theirs^2, data$Subject, sum)), tolerance = 1e-3)
})

test_that("normalized residuals are the Cholesky factor's, rows of a series in the order of time", {
  data <- crossed()
  fit <- lmm(y ~ x + (1 | station) + (1 | day), data, weights = w, dispersion = ~ kind,
    correlation = ar1(~ day | station))
  R <- component(fit, "R") # nolint: object_name_linter.
  order <- order(data$station, data$day)
  expected <- forwardsolve(t(chol(R[order, order])), residuals(fit)[order])
  expect_equal(unname(residuals(fit, "normalized")[order]), expected)
  fit <- lmm(y ~ x + (1 | day), data, correlation = cs(~ 1 | station))
  R <- component(fit, "R") # nolint: object_name_linter.
  order <- order(data$station)
  expected <- forwardsolve(t(chol(R[order, order])), residuals(fit)[order])
  expect_equal(unname(residuals(fit, "normalized")[order]), expected)
})

test_that("R and V are the dense ones, and V gives the covariance matrix of the coefficients", {
  data <- crossed()
  fits <- list(
    lmm(y ~ x + (1 | station) + (1 | day), data, weights = w, dispersion = ~ kind, correlation = ar1(~ day | station)),
    lmm(y ~ x + (1 | day), data, dispersion = ~ x, correlation = car1(~ day | station)),
    lmm(y ~ x + (1 | day), data, correlation = cs(~ 1 | station)),
    lmm(y ~ x + (1 | day), data, dispersion = ~ kind)
  )
  for (fit in fits) {
    phi <- fit$residual$phi
    sd <- sigma(fit) / sqrt(component(fit, "weights"))
    if ("kindold" %in% names(phi)) sd <- sd * exp(phi[["kindold"]] * (data$kind == "old"))
    if ("x" %in% names(phi)) sd <- sd * exp(phi[["x"]] * data$x)
    serial <- fit$residual$correlation
    series <- if (is.null(serial)) seq_along(sd) else as.integer(data$station)
    rho <- if (is.null(serial)) 0 else fit$residual$rho
    R <- dense_errors(series, sd, rho, if (!is.null(serial$time)) data$day) # nolint: object_name_linter.
    expect_equal(component(fit, "R"), R, ignore_attr = TRUE)
    Z <- component(fit, "Z") # nolint: object_name_linter.
    V <- Z %*% component(fit, "G") %*% t(Z) + R # nolint: object_name_linter.
    expect_equal(component(fit, "V"), V, ignore_attr = TRUE)
    X <- component(fit, "X") # nolint: object_name_linter.
    expect_equal(solve(t(X) %*% solve(V, X)), vcov(fit), ignore_attr = TRUE)
    W <- fit$sigma^2 * solve(R) # nolint: object_name_linter.
    ZL <- Z %*% component(fit, "Lambda") # nolint: object_name_linter.
    expect_equal(tcrossprod(component(fit, "L")), t(ZL) %*% W %*% ZL + diag(ncol(ZL)), ignore_attr = TRUE)
  }
})

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

test_that("normalized residuals of a long simulated series are white", {
  set.seed(8)
  data <- data.frame(g = gl(20, 100), t = rep(1:100, 20), s = gl(2, 1, 2000))
  e <- replicate(20, as.vector(stats::arima.sim(list(ar = 0.7), 100)))
  data$y <- as.vector(e) * ifelse(data$s == "1", 1, 3) + stats::rnorm(20)[data$g]
  fit <- lmm(y ~ 1 + (1 | g), data, dispersion = ~ s, correlation = ar1(~ t | g))
  white <- residuals(fit, "normalized")
  lagged <- stats::ave(white, data$g, FUN = function(v) c(NA, utils::head(v, -1L)))
  expect_lt(abs(stats::cor(white, lagged, use = "complete")), 0.05)
  expect_equal(stats::sd(white), 1, tolerance = 0.02)
  expect_equal(unname(tapply(white, data$s, stats::sd)), c(1, 1), tolerance = 0.05, ignore_attr = TRUE)
})

test_that("leverages are those of the weighted, and of the whitened, rows", {
  data <- crossed()
  fits <- list(
    lmm(y ~ x + (1 | station) + (1 | day), data, weights = w, dispersion = ~ kind),
    lmm(y ~ x + (1 | station) + (1 | day), data, weights = w, dispersion = ~ kind, correlation = ar1(~ day | station)),
    lmm(y ~ x + (1 | day), data, correlation = cs(~ 1 | station))
  )
  for (fit in fits) {
    order <- order(data$station, data$day)
    if (identical(fit$residual$correlation$form, "cs")) order <- order(data$station)
    R <- component(fit, "R")[order, order] / sigma(fit)^2 # nolint: object_name_linter.
    M <- cbind(component(fit, "X"), component(fit, "Z") %*% component(fit, "Lambda"))[order, ] # nolint
    M <- forwardsolve(t(chol(R)), M) # nolint: object_name_linter.
    inner <- crossprod(M) + diag(c(rep(0, fit$rank), rep(1, ncol(M) - fit$rank)))
    h <- rowSums((M %*% solve(inner)) * M)
    expect_equal(unname(hatvalues(fit)[order]), h)
    r <- unname(residuals(fit, "normalized")[order])
    expect_equal(unname(rstandard(fit)[order]), r / sqrt(1 - h))
    expect_equal(unname(cooks.distance(fit)[order]), r^2 * h / (1 - h)^2 / fit$rank)
  }
})

test_that("where a series lies in one level of every factor, leverages are the same", {
  data <- growth()
  data$visit <- (data$age - 6) / 2
  for (fit in list(
    lmm(distance ~ age + (1 | Subject), data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject)),
    lmm(distance ~ age + (0 + age | Subject), data, dispersion = ~ Sex, correlation = cs(~ 1 | Subject))
  )) {
    R <- component(fit, "R") / sigma(fit)^2 # nolint: object_name_linter.
    M <- cbind(component(fit, "X"), component(fit, "Z") %*% component(fit, "Lambda")) # nolint
    M <- forwardsolve(t(chol(R)), M) # nolint: object_name_linter.
    inner <- crossprod(M) + diag(c(rep(0, fit$rank), rep(1, ncol(M) - fit$rank)))
    expect_equal(unname(hatvalues(fit)), rowSums((M %*% solve(inner)) * M))
  }
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

test_that("deletions and refits estimate the parameters of the residuals again", {
  data <- growth()
  data$visit <- (data$age - 6) / 2
  fit <- lmm(distance ~ age + (1 | Subject), data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  gone <- influence(fit, "Subject", progress = FALSE)
  one <- gone$deleted[5L]
  again <- lmm(distance ~ age + (1 | Subject), data[data$Subject != one, ], dispersion = ~ Sex,
    correlation = ar1(~ visit | Subject))
  found <- gone[["residual[-Subject]"]][5L, ]
  expect_equal(found[["ratio_SexFemale"]], exp(again$residual$phi[["SexFemale"]]), tolerance = 1e-5)
  expect_equal(found[["rho_ar1|Subject"]], again$residual$rho, tolerance = 1e-5)
  expect_equal(gone[["fixed.effects[-Subject]"]][5L, ], fixef(again), tolerance = 1e-6)
  table <- as.data.frame(gone)
  expect_equal(table[["change_rho_ar1|Subject"]][5L], again$residual$rho - fit$residual$rho, tolerance = 1e-4)
  expect_output(print(gone), "sigma")
  expect_named(gone$residual, c("ratio_SexFemale", "rho_ar1|Subject"))

  drawn <- simulate(fit, nsim = 3, seed = 1)
  refits <- refit_many(fit, drawn, progress = FALSE)
  single <- refit(fit, drawn[[2L]])
  expect_equal(refits$phi[2L, ], single$residual$phi, tolerance = 1e-4)
  expect_equal(as.data.frame(refits)[["rho_ar1|Subject"]][2L], single$residual$rho, tolerance = 1e-4)
  expect_null(refit_many(lmm(distance ~ age + (1 | Subject), data), drawn, progress = FALSE)$phi)
})

test_that("deletions without a correlation of equal length: compound symmetry", {
  data <- crossed()
  fit <- lmm(y ~ x + (1 | day), data, correlation = cs(~ 1 | station))
  gone <- influence(fit, "station", progress = FALSE)
  for (k in seq_along(gone$deleted)) {
    again <- lmm(y ~ x + (1 | day), data[data$station != gone$deleted[k], ], correlation = cs(~ 1 | station))
    if (gone$status[k] == "ok") {
      expect_equal(gone[["residual[-station]"]][k, 1L], again$residual$rho, tolerance = 1e-3, ignore_attr = TRUE)
    }
  }
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

test_that("structured random effects are used as others are", {
  data <- growth()
  data$visit <- factor(data$age)
  for (fit in list(
    lmm(distance ~ age + cs(1 + age | Subject), data), lmm(distance ~ age + ar1(0 + visit | Subject), data),
    lmm(distance ~ age + diag(1 + age | Subject), data)
  )) {
    X <- component(fit, "X") # nolint: object_name_linter.
    expect_equal(solve(t(X) %*% solve(component(fit, "V"), X)), vcov(fit), ignore_attr = TRUE)
    expect_equal(predict(fit, data), fitted(fit), ignore_attr = TRUE)
    expect_equal(dim(simulate(fit, 2, seed = 1, newdata = data)), c(108L, 2L))
    gone <- as.data.frame(influence(fit, "Subject", progress = FALSE))
    expect_equal(nrow(gone), 27L)
  }
})
