# Correlation of residuals within series.
#
# Sources: nlme's lme() on its own data sets, the definition of the model by dense matrices.

test_that("AR(1) is nlme's corAR1()", {
  season <- follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time)
  expect_as_lme(
    follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), season, ~ 1 | Mare, nlme::Ovary,
    correlation = quote(ar1(~ 1 | Mare)), serial = nlme::corAR1(form = ~ 1 | Mare)
  )
  expect_as_lme(
    rate ~ (pressure + I(pressure^2)) * QB + (1 | Subject), rate ~ (pressure + I(pressure^2)) * QB, ~ 1 | Subject,
    nlme::Dialyzer, correlation = quote(ar1(~ index | Subject)), serial = nlme::corAR1(form = ~ index | Subject)
  )
})

test_that("CAR(1) is nlme's corCAR1()", {
  expect_as_lme(
    height ~ age + I(age^2) + (age | Subject), height ~ age + I(age^2), ~ age | Subject, nlme::Oxboys,
    correlation = quote(car1(~ age | Subject)), serial = nlme::corCAR1(form = ~ age | Subject)
  )
  expect_as_lme(
    weight ~ Time * Diet + (Time | Rat), weight ~ Time * Diet, ~ Time | Rat, nlme::BodyWeight,
    dispersion = ~ power(Time), weights = nlme::varPower(form = ~ Time),
    correlation = quote(car1(~ Time | Rat)), serial = nlme::corCAR1(form = ~ Time | Rat)
  )
})

test_that("compound symmetry is nlme's corCompSymm()", {
  expect_as_lme(
    distance ~ age * Sex + (0 + age | Subject), distance ~ age * Sex, ~ 0 + age | Subject, nlme::Orthodont,
    correlation = quote(cs(~ 1 | Subject)), serial = nlme::corCompSymm(form = ~ 1 | Subject)
  )
})

test_that("strata and AR(1) together are nlme's", {
  expect_as_lme(
    weight ~ Time * Diet + (Time | Rat), weight ~ Time * Diet, ~ Time | Rat, nlme::BodyWeight,
    dispersion = ~ Diet, weights = nlme::varIdent(form = ~ 1 | Diet),
    correlation = quote(ar1(~ 1 | Rat)), serial = nlme::corAR1(form = ~ 1 | Rat)
  )
})

test_that("series crossed with random effects have the likelihood of the model, in any order of rows", {
  data <- crossed_data()
  data <- data[-c(4, 40, 41, 100), ]
  for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
    fit <- lmm(y ~ x + (1 | a) + (1 | b), data, REML = REML, weights = w, dispersion = ~ s, correlation = ar1(~ t | a))
    expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
    expect_equal(criterion_at_fit(fit, !REML), dense_criterion(fit, !REML), tolerance = 1e-10)
    sorted <- data[order(data$a, data$t), ]
    again <- lmm(y ~ x + (1 | a) + (1 | b), sorted, REML = REML, weights = w, dispersion = ~ s,
                 correlation = ar1(~ t | a))
    expect_equal(again$criterion, fit$criterion, tolerance = 1e-11)
    fit <- lmm(y ~ x + (1 | b), data, REML = REML, dispersion = ~ x, correlation = cs(~ 1 | a))
    expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
    fit <- lmm(y ~ x + (1 | b), data, REML = REML, correlation = car1(~ t | a))
    expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
  }
})

test_that("an effect for each row beside a series is measurement error", {
  data <- seeded(4, {
    data <- data.frame(s = gl(8, 40), t = rep(1:40, 8), id = gl(320, 1), x = rnorm(320))
    data$y <- data$x + rnorm(320) + as.vector(replicate(8, stats::filter(rnorm(40), 0.8, "recursive")))
    data
  })
  fit <- lmm(y ~ x + (1 | id), data, correlation = ar1(~ t | s))
  expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
  expect_gt(fit$random[[1]]$varcov, 0.3)
  expect_three_lines(signalled(lmm(y ~ x + (1 | id), data, dispersion = ~ s)), "ferrite_error_unidentified")
})

test_that("times are numbers, days, factors, or the order of rows", {
  data <- crossed_data()
  data$day <- as.Date("2024-02-20") + data$t
  data$level <- factor(data$t)
  data$word <- factor(paste0("day", data$t), levels = paste0("day", 1:15))
  data$double <- as.double(data$t)
  formula <- y ~ x + (1 | b)
  fit <- lmm(formula, data, correlation = ar1(~ t | a))
  sorted <- data[order(data$a, data$t), ]
  others <- list(
    lmm(formula, data, correlation = ar1(~ day | a)), lmm(formula, data, correlation = ar1(~ level | a)),
    lmm(formula, data, correlation = ar1(~ word | a)), lmm(formula, data, correlation = ar1(~ double | a)),
    lmm(formula, data, correlation = ar1(~ I(t + 100) | a)), lmm(formula, sorted, correlation = ar1(~ 1 | a)),
    lmm(formula, data, correlation = nlme::corAR1(form = ~ t | a)), lmm(formula, data, correlation = car1(~ t | a))
  )
  for (other in others) expect_equal(other$criterion, fit$criterion, tolerance = 1e-10)
  expect_identical(design_of(others[[2]])$residual$correlation$time, as.double(data$t))
  gaps <- lmm(formula, data, correlation = car1(~ I(t / 2) | a))
  expect_equal(gaps$residual$rho, fit$residual$rho^2, tolerance = 1e-5)
})

test_that("the words can be handed on quoted, by do.call() and through dots", {
  data <- crossed_data()
  fit <- lmm(y ~ x + (1 | b), data, correlation = ar1(~ t | a))
  word <- quote(ar1(~ t | a))
  wrapped <- function(...) lmm(...)
  later <- function(how) lmm(y ~ x + (1 | b), data, correlation = how)
  same <- list(
    lmm(y ~ x + (1 | b), data, correlation = word), wrapped(y ~ x + (1 | b), data, correlation = ar1(~ t | a)),
    do.call(lmm, list(y ~ x + (1 | b), data, correlation = word)), later(word),
    update(lmm(y ~ x + (1 | b), data), correlation = ar1(~ t | a)), update(fit, . ~ .)
  )
  for (other in same) expect_identical(other$criterion, fit$criterion)
  expect_null(update(fit, correlation = NULL)$residual)
  expect_equal(update(fit, dispersion = ~ s)$npar, fit$npar + 2L)
  kept <- local({
    here <- data
    lmm(y ~ x + (1 | b), here, correlation = ar1(~ t | a))
  })
  expect_equal(update(kept, REML = FALSE)$criterion, update(fit, REML = FALSE)$criterion)
})

test_that("the fit is read as it was written", {
  data <- crossed_data()
  fit <- lmm(y ~ x + (1 | b), data, dispersion = ~ s, correlation = ar1(~ t | a))
  expect_identical(names(fit$residual$phi), c("smid", "shigh", "ar1"))
  table <- as.data.frame(VarCorr(fit))
  expect_identical(table$var1, c("(Intercept)", "low", "mid", "high", "ar1"))
  expect_identical(table$var2[5], "a")
  expect_identical(table$sdcor[5], fit$residual$rho)
  text <- capture.output(print(summary(fit)))
  expect_match(text, "Errors: dispersion = ~s, correlation = ar1(~t | a)", fixed = TRUE, all = FALSE)
  expect_match(text, "^Residual correlation: ar1\\(~t \\| a\\), rho 0\\.", all = FALSE)
  expect_identical(convergence(fit)$parameters, 4L)
  test <- anova(lmm(y ~ x + (1 | b), data), fit)
  expect_identical(test$Df[2], 3L)
  expect_match(attr(test, "formulas")[2], "correlation = ar1(~t | a)", fixed = TRUE)
  alone <- lmm(y ~ x + (1 | b), data[order(data$t), ], correlation = car1(~ I(seq_along(t))))
  expect_identical(tail(as.data.frame(VarCorr(alone))$var2, 1), "all rows")
})

test_that("whitening and colouring are the Cholesky factor of the correlations", {
  data <- crossed_data()
  data <- data[-c(4, 40, 41, 100), ]
  z <- seeded(1, matrix(rnorm(2 * nrow(data)), ncol = 2))
  for (fit in list(
    lmm(y ~ x + (1 | b), data, correlation = ar1(~ t | a)), lmm(y ~ x + (1 | b), data, correlation = cs(~ 1 | a)),
    lmm(y ~ x + (1 | b), data, dispersion = ~ s, correlation = ar1(~ 1 | a))
  )) {
    order <- residual_blocks(fit)$order
    factor <- t(chol(residual_correlation(fit)[order, order]))
    expect_equal(whiten_rows(fit, z)[order, ], solve(factor, z[order, ]), tolerance = 1e-12)
    expect_equal(colour_rows(fit, z)[order, ], factor %*% z[order, ], tolerance = 1e-12)
    expect_equal(colour_rows(fit, whiten_rows(fit, z[, 1])), z[, 1], tolerance = 1e-12)
  }
  plain <- lmm(y ~ x + (1 | b), data)
  expect_null(residual_blocks(plain))
  expect_identical(whiten_rows(plain, z), z)
})

test_that("rows, series and times are named in errors", {
  data <- as.data.frame(nlme::Orthodont)
  data$third <- data$age / 3
  data$end <- ifelse(data$age == 14, Inf, data$age)
  data$stamp <- as.POSIXct("2024-01-01", tz = "UTC") + data$age
  data$text <- as.character(data$age)
  data$alone <- seq_len(nrow(data))
  f <- distance ~ age + (1 | Subject)
  said <- function(error, class, text) {
    expect_three_lines(error, paste0("ferrite_error_", class))
    expect_match(conditionMessage(error), text, fixed = TRUE)
  }
  said(signalled(lmm(f, data, correlation = ar1(~ third | Subject))), "correlation", "rows 1, 2, 4, 5, 6")
  said(signalled(lmm(f, data, correlation = car1(~ end | Subject))), "correlation", "infinite in rows 4, 8")
  said(signalled(lmm(f, data, correlation = ar1(~ stamp | Subject))), "correlation", "units = \"hours\"")
  said(signalled(lmm(f, data, correlation = ar1(~ text | Subject))), "correlation", "character")
  said(signalled(lmm(f, data, correlation = ar1(~ 1 | alone))), "correlation", "has one row")
  said(signalled(lmm(f, data, correlation = ar1(~ age))), "tied_times", "ar1(~ age | series)")
  twice <- rbind(data, data[7, ])
  rownames(twice) <- paste0("r", seq_len(nrow(twice)))
  said(signalled(lmm(f, twice, correlation = ar1(~ age | Subject))), "tied_times",
       "Rows r7 and r109 have the same `age`, 12, in series \"M02\" of `Subject`.")
  said(signalled(lmm(f, data, correlation = ar1(~ age | Subjct))), "variable", "Did you mean `Subject`?")
  said(signalled(lmm(f, data, correlation = ar1(~ distance | Subject))), "correlation", "`distance`")
  said(signalled(lmm(f, data, correlation = cs(~ 1 | Subject))), "unidentified", "`(1 | Subject)`")
})

test_that("series of one row, strong and negative correlations are fitted; one that cannot be negative is told", {
  data <- crossed_data()
  alone <- rbind(data, transform(data[1:3, ], a = c("u", "v", "w"), y = y + 1))
  fit <- suppressMessages(lmm(y ~ x + (1 | b), alone, correlation = ar1(~ t | a)))
  expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-10)
  walk <- seeded(3, transform(data[order(data$a, data$t), ], y = as.vector(replicate(12, cumsum(rnorm(15))))))
  fit <- suppressMessages(lmm(y ~ x + (1 | b), walk, correlation = ar1(~ t | a)))
  expect_gt(fit$residual$rho, 0.9)
  expect_equal(fit$criterion, dense_criterion(fit), tolerance = 1e-9)
  turns <- seeded(3, transform(walk, y = rnorm(180) + 2 * (-1)^t * rep(rnorm(12), each = 15)))
  fit <- suppressMessages(lmm(y ~ x + (1 | b), turns, correlation = ar1(~ t | a)))
  expect_lt(fit$residual$rho, -0.2)
  expect_message(
    expect_gt(lmm(y ~ x + (1 | b), turns, correlation = ar1(~ I(2 * t) | a))$criterion, fit$criterion),
    class = "ferrite_message_time_step"
  )
  expect_lt(suppressMessages(lmm(y ~ x + (1 | b), turns, correlation = car1(~ t | a)))$residual$rho, 1e-8)
  wide <- signalled(suppressMessages(lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont,
                                         correlation = car1(~ age | Subject))))
  if (inherits(wide, "error")) expect_three_lines(wide, "ferrite_error_residual_scale")
  else expect_lt(wide$residual$rho, 0.1)
  series <- seeded(5, transform(walk, y = rnorm(12)[a] + rnorm(15)[t]))
  error <- signalled(lmm(y ~ 1 + (1 | b), series, correlation = cs(~ 1 | a)))
  expect_three_lines(error, "ferrite_error_residual_scale")
  expect_match(conditionMessage(error), "random intercept `(1 | a)`", fixed = TRUE)
})

test_that("words that are not known are answered with those that are", {
  data <- as.data.frame(nlme::Orthodont)
  f <- distance ~ age + (1 | Subject)
  said <- function(error, text) {
    expect_three_lines(error, "ferrite_error_correlation")
    expect_match(conditionMessage(error), text, fixed = TRUE)
  }
  said(signalled(lmm(f, data, correlation = ar1)), "quote(ar1(")
  said(signalled(lmm(f, data, correlation = "ar1")), "without quotes")
  said(signalled(lmm(f, data, correlation = ~ age | Subject)), "Write `ar1(~age | Subject)`")
  said(signalled(lmm(f, data, correlation = AR1(~ age | Subject))), "Did you mean `ar1`?")
  said(signalled(lmm(f, data, correlation = arma(~ age | Subject))), "corARMA")
  said(signalled(lmm(f, data, correlation = ar1(age | Subject))), "no one-sided formula")
  said(signalled(lmm(f, data, correlation = ar1())), "has no formula")
  said(signalled(lmm(f, data, correlation = ar1(~ age | Subject, 0.3))), "other arguments")
  said(signalled(lmm(f, data, correlation = ar1(~ age + 1 | Subject))), "`age + 1`")
  said(signalled(lmm(f, data, correlation = ar1(~ age | Subject + Sex))), "`Subject + Sex`")
  said(signalled(lmm(f, data, correlation = cs(~ age | Subject))), "cs(~ 1 | Subject)")
  said(signalled(lmm(f, data, correlation = cs(~ 1))), "names no series")
  said(signalled(lmm(f, data, correlation = nlme::corAR1(0.2, form = ~ 1 | Subject, fixed = TRUE))), "fixed")
})

test_that("the unit of time does not matter to car1(), nor distances that are far below it", {
  data <- as.data.frame(nlme::Ovary)
  fits <- lapply(c(1, 1e-3, 400), function(unit) {
    data$t <- data$Time * unit
    lmm(follicles ~ 1 + (1 | Mare), data, correlation = car1(~ t | Mare))
  })
  for (k in 2:3) {
    expect_equal(fits[[k]]$criterion, fits[[1]]$criterion, tolerance = 1e-9)
    expect_equal(fits[[k]]$residual$unit_rho, fits[[1]]$residual$unit_rho, tolerance = 1e-5)
    expect_equal(residuals(fits[[k]], type = "normalized"), residuals(fits[[1]], type = "normalized"), tolerance = 1e-5)
  }
  expect_equal(fits[[3]]$residual$rho^400, fits[[1]]$residual$rho, tolerance = 1e-4)
  limits <- lapply(fits[c(1, 3)], function(fit) confint(fit, "rho_car1|Mare"))
  expect_equal(limits[[2]]^400, limits[[1]], tolerance = 1e-3)
  # A random effect that is left out looks like noise: only the shortest distances are correlated.
  crossed <- seeded(3, {
    n <- 600
    d <- data.frame(s = gl(20, 30), k = sample(10, n, TRUE), t = unlist(lapply(1:20, function(i) sort(runif(30)))))
    e <- stats::rnorm(n)
    for (i in 2:n) if (d$s[i] == d$s[i - 1]) {
      r <- 0.5^(20 * (d$t[i] - d$t[i - 1]))
      e[i] <- r * e[i - 1] + sqrt(1 - r^2) * e[i]
    }
    d$y <- stats::rnorm(20)[d$s] + 0.5 * stats::rnorm(10)[d$k] + e
    d
  })
  fit <- lmm(y ~ 1 + (1 | s), crossed, correlation = car1(~ t | s))
  expect_identical(fit$convergence$status, "converged")
  theirs <- nlme::lme(y ~ 1, crossed, ~ 1 | s, nlme::corCAR1(form = ~ t | s))
  expect_lte(fit$criterion, -2 * as.numeric(logLik(theirs)) + 1e-6)
})
