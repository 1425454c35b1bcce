# bootstrap(type = "residual") and "cases": what is drawn, what is fitted.

growth <- function(...) lmm(distance ~ age + (age | Subject), nlme::Orthodont, ...)

resampled <- function(fit, ...) suppressMessages(bootstrap(fit, ...))

test_that("resampling follows the seed and not the number of threads, and leaves the generator alone", {
  fit <- growth()
  for (type in c("residual", "cases")) {
    set.seed(11)
    one <- bootstrap(fit, nsim = 60, type = type, threads = 1)
    set.seed(11)
    two <- bootstrap(fit, nsim = 60, type = type, threads = 2)
    expect_identical(one$replicates, two$replicates)
    state <- .Random.seed
    seeded <- bootstrap(fit, nsim = 60, type = type, seed = 11)
    expect_identical(.Random.seed, state)
    expect_identical(seeded$replicates, one$replicates)
    expect_false(identical(bootstrap(fit, nsim = 60, type = type)$replicates, one$replicates))
  }
})

test_that("resampled random effects and residuals have exactly the estimated covariance matrices", {
  data <- transform(as.data.frame(nlme::Orthodont), w = rep(c(0.5, 2, 7, 1), 27))
  fits <- list(
    lmm(distance ~ age + (I(age - 11) | Subject), data, weights = w), shared_fit("uncorrelated"),
    shared_fit("crossed"), shared_fit("singular")
  )
  for (fit in fits) {
    pool <- residual_pool(fit, NULL)
    for (effect in pool$effects) {
      expect_equal(colMeans(effect$modes), rep(0, ncol(effect$modes)), tolerance = 1e-8)
    }
    found <- lapply(pool$effects, function(effect) crossprod(effect$modes) / nrow(effect$modes))
    owner <- vapply(fit$random, function(term) term$factor, 0L)
    for (k in seq_along(found)) {
      wanted <- lapply(fit$random[owner == unique(owner)[k]], `[[`, "varcov")
      diagonal <- matrix(0, ncol(found[[k]]), ncol(found[[k]]))
      at <- 0
      for (one in wanted) {
        diagonal[at + seq_len(ncol(one)), at + seq_len(ncol(one))] <- one
        at <- at + ncol(one)
      }
      expect_lt(max(abs(found[[k]] - diagonal)), 1e-9 * max(abs(diagonal), fit$sigma^2))
    }
    expect_equal(mean(pool$noise), 0, tolerance = 1e-12)
    expect_equal(mean(pool$noise^2), 1)
  }
})

test_that("a rank-deficient covariance matrix of random effects is kept as it is", {
  s <- tcrossprod(c(1, 2, 0), c(1, 2, 0))
  expect_equal(tcrossprod(semidefinite_root(s)), s)
  s <- crossprod(matrix(sin((1:12)^2), 4))
  expect_equal(tcrossprod(semidefinite_root(s)), s)
  expect_equal(semidefinite_root(s), t(chol(s)))
  data <- transform(nlme::Orthodont, one = as.integer(Subject) %% 2)
  few <- suppressMessages(lmm(distance ~ 1 + (age | one), data))
  few$random[[1]]$varcov[] <- diag(2)
  said <- tryCatch(bootstrap(few, type = "residual", nsim = 3), error = identity)
  expect_three_lines(said, "ferrite_error_bootstrap")
})

test_that("responses of the residual bootstrap have the mean and the covariance matrix of the model", {
  ovary <- as.data.frame(nlme::Ovary)[1:75, ]
  ovary$step <- ave(ovary$Time, ovary$Mare, FUN = seq_along)
  fits <- list(
    lmm(travel ~ 1 + (1 | Rail), nlme::Rail),
    suppressMessages(lmm(follicles ~ Time + (1 | Mare), ovary, correlation = ar1(~ step | Mare), dispersion = ~ step))
  )
  for (fit in fits) {
    n <- 20000
    drawn <- with_seed(3, NULL, draw_residual(fit, residual_pool(fit, NULL), n))
    v <- component(fit, "V")
    mean <- drop(component(fit, "X") %*% fixef(fit))
    # 5 standard errors: of a mean, and of a covariance (a fourth moment of at most 6 V_ii V_jj)
    expect_true(all(abs(rowMeans(drawn) - mean) < 5 * sqrt(diag(v) / n)))
    expect_true(all(abs(cov(t(drawn)) - v) < 5 * sqrt(6 * outer(diag(v), diag(v)) / n)))
  }
})

test_that("the residual bootstrap keeps the skewness of residuals, which the parametric one does not have", {
  i <- seq_len(400)
  data <- data.frame(g = rep(1:40, each = 10), y = qexp((i * 0.6180339887) %% 1) + 0.8 * sin(9 * rep(1:40, each = 10)))
  fit <- suppressMessages(lmm(y ~ 1 + (1 | g), data))
  pool <- residual_pool(fit, NULL)
  drawn <- with_seed(4, NULL, draw_residual(fit, pool, 500))
  skewness <- mean(pool$noise^3) * fit$sigma^3 + mean(pool$effects[[1]]$modes^3)
  expect_gt(skewness, 0.5)
  expect_equal(mean((drawn - fixef(fit))^3), skewness, tolerance = 0.1)
})

test_that("the mean of crossed and nested balanced layouts has its standard error", {
  skip_if_not_installed("lme4")
  fit <- lmm(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin)
  n <- 2000
  boot <- bootstrap(fit, nsim = n, type = "residual", seed = 5)
  # the mean is that of 24 plates, 6 samples and 144 residuals, each with the estimated variance
  expect_lt(abs(var(boot$replicates[, "(Intercept)"]) / c(vcov(fit)) - 1), 4 * sqrt(2 / n))
  expect_lt(abs(mean(boot$replicates[, "(Intercept)"]) - fixef(fit)), 4 * sqrt(c(vcov(fit)) / n))
  nested <- lmm(strength ~ 1 + (1 | batch / cask), lme4::Pastes)
  means <- tapply(lme4::Pastes$strength, lme4::Pastes$batch, mean)
  cases <- bootstrap(nested, nsim = n, type = "cases", seed = 6)
  expected <- mean((means - mean(means))^2) / 10
  expect_lt(abs(var(cases$replicates[, "(Intercept)"]) / expected - 1), 4 * sqrt(2 / n))
  # casks drawn within batches too: 30 casks, 3 of each drawn batch
  both <- resampled(nested, nsim = n, type = "cases", resample = c(TRUE, TRUE, FALSE), seed = 6)
  casks <- tapply(lme4::Pastes$strength, lme4::Pastes$sample, mean)
  inner <- mean(tapply(casks, sub(":.*", "", names(casks)), function(v) mean((v - mean(v))^2)))
  expected <- expected + inner / 30
  expect_lt(abs(var(both$replicates[, "(Intercept)"]) / expected - 1), 4 * sqrt(2 / n))
})

test_that("a resample of cases is fitted as the same rows with new levels are", {
  skip_if_not_installed("lme4")
  data <- transform(lme4::Pastes, x = sin(seq_len(60)), w = 1 + seq_len(60) %% 3, o = cos(seq_len(60)))
  fit <- suppressMessages(lmm(strength ~ x + (x | batch) + (1 | cask:batch), data, weights = w, offset = o))
  for (resample in list(NULL, c(batch = TRUE, rows = TRUE), c(TRUE, TRUE, TRUE), c(FALSE, TRUE, FALSE))) {
    scheme <- case_scheme(fit, resample, NULL, NULL)
    drawn <- with_seed(8, NULL, draw_cases(scheme))
    expect_length(drawn$rows, 60)
    new <- data[drawn$rows, ]
    new$batch <- drawn$copies[[1]]
    new$inner <- drawn$copies[[2]]
    expect_identical(as.integer(rowSums(table(new$inner, new$batch) > 0)), rep(1L, 30))
    ours <- case_refit(fit, resampled_design(scheme, drawn), unname(fit$theta), lmm_control(progress = FALSE), NULL)
    theirs <- suppressMessages(lmm(strength ~ x + (x | batch) + (1 | inner), new, weights = w, offset = o))
    expect_equal(ours$criterion, theirs$criterion, tolerance = 1e-8)
    expect_equal(ours$beta, unname(fixef(theirs)), tolerance = 1e-5)
  }
})

test_that("series of correlated residuals are drawn whole and kept apart", {
  ovary <- as.data.frame(nlme::Ovary)
  ovary$step <- ave(ovary$Time, ovary$Mare, FUN = seq_along)
  ovary$part <- interaction(ovary$Mare, ovary$step > 12)
  fit <- suppressMessages(lmm(follicles ~ Time + (1 | Mare), ovary, correlation = ar1(~ step | part)))
  scheme <- case_scheme(fit, NULL, NULL, NULL)
  drawn <- with_seed(8, NULL, draw_cases(scheme))
  new <- ovary[drawn$rows, ]
  new$Mare <- drawn$copies[[1]]
  new$part <- interaction(new$Mare, new$step > 12)
  ours <- case_refit(fit, resampled_design(scheme, drawn), unname(fit$theta), lmm_control(progress = FALSE), NULL)
  theirs <- suppressMessages(lmm(follicles ~ Time + (1 | Mare), new, correlation = ar1(~ step | part)))
  expect_equal(ours$criterion, theirs$criterion, tolerance = 1e-7)
  said <- tryCatch(bootstrap(fit, type = "cases", resample = c(TRUE, TRUE)), error = identity)
  expect_three_lines(said, "ferrite_error_argument")
  # each replicate has its own correlation
  for (type in c("residual", "cases")) {
    boot <- bootstrap(fit, function(fit) c(rho = fit$residual$rho), nsim = 20, type = type, seed = 1)
    expect_equal(unname(boot$estimate), fit$residual$rho)
    expect_gt(sd(boot$replicates), 0.01)
  }
})

test_that("cases see slopes that differ, which the model does not know", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  boot <- bootstrap(fit, nsim = 1000, type = "cases", seed = 1)
  # the sandwich has the same limit; the standard error of the model is 0.0616
  error <- sd(boot$replicates[, "age"])
  expect_lt(abs(error / sqrt(vcov(fit, type = "CR0")["age", "age"]) - 1), 0.1)
  expect_gt(error, 1.08 * sqrt(vcov(fit)["age", "age"]))
})

test_that("the acceleration of resampled cases is that of the jackknife over groups", {
  fit <- lmm(travel ~ 1 + (1 | Rail), nlme::Rail)
  boot <- bootstrap(fit, nsim = 200, type = "cases", seed = 1)
  means <- tapply(nlme::Rail$travel, as.character(nlme::Rail$Rail), mean)
  apart <- means - mean(means)
  expect_equal(case_accelerations(boot)[["(Intercept)"]], sum(apart^3) / (6 * sum(apart^2)^1.5), tolerance = 1e-6)
  own <- bootstrap(fit, function(fit) c(m = fixef(fit)[[1]]), nsim = 200, type = "cases", seed = 1)
  expect_equal(case_accelerations(own)[["m"]], case_accelerations(boot)[["(Intercept)"]])
  expect_equal(confint(own, type = "bca"), confint(boot, "(Intercept)", type = "bca"), ignore_attr = TRUE)
})

test_that("what was drawn is shown, and what could not be fitted is said", {
  fit <- growth()
  expect_match(printed(bootstrap(fit, nsim = 5, type = "residual")), "Residual bootstrap of a linear mixed model")
  boot <- bootstrap(fit, nsim = 50, type = "cases", seed = 1)
  expect_match(printed(boot), "Cases bootstrap (drawn: 27 of Subject) of a linear mixed model", fixed = TRUE)
  expect_match(printed(confint(boot, level = 0.9)), "[Cc]ases bootstrap")
  expect_named(boot$drawn$resample, c("Subject", "rows"))
  data <- transform(nlme::Orthodont, pair = as.integer(Subject) <= 2)
  rare <- lmm(distance ~ age + pair + (1 | Subject), data)
  said <- tryCatch(bootstrap(rare, nsim = 100, type = "cases", seed = 1), warning = identity)
  expect_three_lines(said, "ferrite_warning_bootstrap")
  expect_match(conditionMessage(said), "a coefficient could not be estimated")
  boot <- suppressWarnings(bootstrap(rare, nsim = 100, type = "cases", seed = 1))
  expect_lt(nrow(boot$replicates), 100)
  expect_false(boot$interrupted)
  expect_false(anyNA(boot$replicates))
})

test_that("replicates without a fit are told from those that were not begun", {
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  drawn <- bootstrap_engine(fit, 10L)
  expect_identical(drawn[c("failed", "stopped")], list(failed = 0L, stopped = 0L))
  constant <- cbind(estrone$y, 1, rev(estrone$y))
  drawn <- refit_engine(fit, constant)
  expect_identical(drawn[c("failed", "stopped", "index")], list(failed = 1L, stopped = 0L, index = c(1L, 3L)))
})

test_that("wrong schemes of resampling are errors in three lines", {
  fit <- growth()
  wrong <- list(
    quote(bootstrap(fit, resample = TRUE)), quote(bootstrap(fit, type = "residual", cluster = ~ Sex)),
    quote(bootstrap(fit, type = "cases", resample = TRUE)), quote(bootstrap(fit, type = "cases", resample = "Subject")),
    quote(bootstrap(fit, type = "cases", resample = c(FALSE, FALSE))),
    quote(bootstrap(fit, type = "cases", resample = c(Sbject = TRUE))),
    quote(bootstrap(fit, type = "cases", resample = c(rows = TRUE, rows = TRUE))),
    quote(bootstrap(fit, type = "cases", seed = "a")), quote(bootstrap(fit, type = "residual", nsim = 0))
  )
  for (call in wrong) expect_three_lines(tryCatch(eval(call), error = identity), "ferrite_error_argument")
  crossed <- suppressMessages(lmm(yield ~ 1 + (1 | a) + (1 | b), data.frame(
    yield = sin(1:24), a = rep(1:6, 4), b = rep(1:4, each = 6)
  )))
  said <- tryCatch(bootstrap(crossed, type = "cases"), error = identity)
  expect_three_lines(said, "ferrite_error_cluster")
  expect_match(conditionMessage(said), "residual")
})
