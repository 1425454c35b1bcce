# What is done with a fit whose residuals are not alike: against nlme, and against dense matrices.

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
  expect_output(print(gone), "dfbetas coefficient +change +parameter")
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
