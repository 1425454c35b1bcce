# bootstrap(): draws, statistics, intervals.

growth <- function(...) lmm(distance ~ age + (age | Subject), nlme::Orthodont, ...)

test_that("results follow the seed and not the number of threads", {
  fit <- growth()
  set.seed(11)
  one <- bootstrap(fit, nsim = 100, threads = 1)
  set.seed(11)
  two <- bootstrap(fit, nsim = 100, threads = 2)
  expect_identical(one$replicates, two$replicates)
  state <- .Random.seed
  seeded <- bootstrap(fit, nsim = 100, seed = 11)
  expect_identical(.Random.seed, state)
  expect_identical(seeded$replicates, one$replicates)
  expect_false(identical(bootstrap(fit, nsim = 100)$replicates, one$replicates))
})

test_that("mean and covariance of the coefficients are those of the model within Monte Carlo error", {
  fit <- growth()
  n <- 4000
  boot <- bootstrap(fit, nsim = n, seed = 5)
  beta <- boot$replicates[, names(fixef(fit))]
  error <- sqrt(diag(vcov(fit)) / n)
  expect_true(all(abs(colMeans(beta) - fixef(fit)) < 4 * error))
  # in a balanced design generalised least squares is ordinary, so that the covariance matrix is exact
  ratio <- diag(cov(beta)) / diag(vcov(fit))
  expect_true(all(abs(ratio - 1) < 4 * sqrt(2 / n)))
  expect_lt(abs(cor(beta)[1, 2] - cov2cor(vcov(fit))[1, 2]), 4 / sqrt(n))
})

test_that("the share of zero variances in the one-way layout is that of the F distribution", {
  fit <- suppressMessages(lmm(yield ~ 1 + (1 | batch), dyestuff2()))
  n <- 4000
  share <- mean(bootstrap(fit, nsim = n, seed = 6)$replicates[, 1] == 0)
  expected <- pf(1, 5, 24)
  expect_lt(abs(share - expected), 4 * sqrt(expected * (1 - expected) / n))
})

test_that("a statistic sees the parameters of each replicate", {
  fit <- growth()
  all <- function(fit) {
    c(table = as.data.frame(VarCorr(fit))$sdcor[c(1, 3, 2, 4)], fixef(fit), theta = fit$theta[[2]],
      scaled = attr(VarCorr(fit), "sc") / sigma(fit), other = sum(is.na(ranef(fit)$Subject)))
  }
  own <- bootstrap(fit, all, nsim = 40, seed = 3)
  plain <- bootstrap(fit, nsim = 40, seed = 3)
  expect_equal(unname(own$replicates[, 1:6]), unname(plain$replicates))
  expect_identical(unname(own$replicates[, "scaled"]), rep(1, 40))
  expect_identical(unname(own$replicates[, "other"]), rep(54, 40))
  expect_equal(unname(own$estimate[1:6]), unname(plain$estimate))
  expect_identical(names(bootstrap(fit, function(fit) unname(fixef(fit)), nsim = 2)$estimate), c("t1", "t2"))
})

test_that("tables and print show what there is", {
  fit <- growth()
  boot <- bootstrap(fit, nsim = 60, seed = 1)
  table <- summary(boot)
  expect_named(table, c("estimate", "mean", "bias", "se", "n"))
  expect_identical(rownames(table), rownames(confint(fit)))
  expect_equal(table$bias, table$mean - table$estimate)
  expect_equal(table$estimate[4:6], unname(c(sigma(fit), fixef(fit))))
  expect_identical(dim(as.data.frame(boot)), c(60L, 6L))
  expect_named(as.data.frame(boot), rownames(table))
  expect_match(printed(boot), "Parametric bootstrap of a linear mixed model fit by REML")
  expect_match(printed(boot), "60 replicates")
  dropped <- bootstrap(shared_fit("dropped"), nsim = 5)
  expect_identical(colnames(dropped$replicates)[3:4], c("(Intercept)", "age"))
})

test_that("percentile, basic and BCa limits are those of their definitions", {
  fit <- lmm(travel ~ 1 + (1 | Rail), nlme::Rail)
  boot <- bootstrap(fit, nsim = 999, seed = 8)
  sigma <- sort(boot$replicates[, "sigma"])
  expect_equal(unname(confint(boot, "sigma")[1, ]), sigma[c(25, 975)])
  expect_equal(unname(confint(boot, "sigma", type = "basic")[1, ]), 2 * sigma(fit) - sigma[c(975, 25)])
  # sigma^2 is MSW with 12 degrees of freedom: acceleration sqrt(8 / 12) / 6
  a <- sqrt(8 / 12) / 6
  z0 <- qnorm(mean(sigma < sigma(fit)))
  z <- z0 + qnorm(c(0.025, 0.975))
  shares <- pnorm(z0 + z / (1 - a * z))
  expect_equal(unname(confint(boot, "sigma", type = "bca")[1, ]), quantile(sigma, shares, type = 6, names = FALSE),
    tolerance = 1e-5
  )
  expect_match(printed(confint(boot, type = "bca")), "BCa intervals, 999 replicates")
  expect_identical(attr(confint(boot), "method"), "boot")
  set.seed(8)
  expect_equal(c(confint(fit, method = "boot", nsim = 999, type = "basic")), c(confint(boot, type = "basic")))
  zero <- bootstrap(suppressMessages(lmm(yield ~ 1 + (1 | batch), dyestuff2())), nsim = 200, seed = 2)
  expect_identical(confint(zero, type = "basic")[1, 1], 0)
})

test_that("accelerations are those of the balanced one-way layout", {
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  means <- summary(aov(y ~ person, estrone))[[1]][, 3]
  statistic <- function(fit) c(sigma(fit)^2, VarCorr(fit)$person, fixef(fit))
  # the score in the least favourable direction is MSW, and MSB - MSW: cumulants of chi-square
  second <- 2 * means[1]^2 / 4 + 2 * means[2]^2 / 75
  third <- 8 * means[1]^3 / 4^2 - 8 * means[2]^3 / 75^2
  expect_equal(accelerations(fit, statistic, 3), c(sqrt(8 / 75) / 6, third / second^1.5 / 6, 0), tolerance = 1e-6)
})

test_that("accelerations are those of dense matrices, with slopes, weights and mixed statistics", {
  data <- transform(nlme::Orthodont, w = rep(c(0.5, 2, 7), 36))
  statistic <- function(fit) c(sigma(fit)^2, VarCorr(fit)$Subject[2:1, 2], VarCorr(fit)$Subject[2, 2] + fixef(fit)[[2]])
  gradients <- list(c(0, 0, 0, 1), c(0, 0, 1, 0), c(0, 1, 0, 0), c(0, 0, 1, 0))
  for (w in list(rep(1, 108), data$w)) {
    data$w <- w
    fit <- lmm(distance ~ age + (I(age - 11) | Subject), data, weights = w)
    inverse <- solve(component(fit, "V"))
    x <- component(fit, "X")
    phi <- solve(t(x) %*% inverse %*% x)
    projected <- inverse - inverse %*% x %*% phi %*% t(x) %*% inverse
    z <- cbind(1, data$age - 11)
    same <- outer(data$Subject, data$Subject, "==")
    units <- list(matrix(c(1, 0, 0, 0), 2), matrix(c(0, 1, 1, 0), 2), matrix(c(0, 0, 0, 1), 2))
    slopes <- c(lapply(units, function(unit) (z %*% unit %*% t(z)) * same), list(diag(1 / w)))
    products <- lapply(slopes, function(slope) projected %*% slope)
    information <- outer(1:4, 1:4, Vectorize(function(i, j) sum(products[[i]] * t(products[[j]])) / 2))
    expected <- vapply(1:4, function(k) {
      d_psi <- solve(information, gradients[[k]])
      g_beta <- c(0, as.numeric(k == 4))
      d_beta <- drop(phi %*% g_beta)
      slope <- Reduce(`+`, Map(`*`, slopes, d_psi))
      own <- projected %*% slope
      cross <- inverse %*% x %*% d_beta
      third <- sum(diag(own %*% own %*% own)) + 3 * sum(cross * (slope %*% cross))
      third / (sum(d_psi * gradients[[k]]) + sum(d_beta * g_beta))^1.5 / 6
    }, 0)
    expect_equal(accelerations(fit, statistic, 4), expected, tolerance = 1e-5)
  }
})

test_that("an interrupt keeps what is done and says so", {
  done <- 0
  statistic <- function(fit) {
    done <<- done + 1
    # once for the fit itself
    if (done == 32) signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
    c(sigma = sigma(fit))
  }
  fit <- growth()
  expect_warning(boot <- bootstrap(fit, statistic, nsim = 50), class = "ferrite_warning_interrupted")
  expect_identical(nrow(boot$replicates), 30L)
  expect_identical(length(boot$index), 30L)
  expect_match(printed(boot), "30 replicates of 50 (interrupted)", fixed = TRUE)
})

test_that("too few replicates for a level are said", {
  boot <- bootstrap(growth(), nsim = 20, seed = 1)
  said <- tryCatch(confint(boot), ferrite_warning_interval = identity)
  expect_three_lines(said, "ferrite_warning_interval")
  expect_match(conditionMessage(said), "39 replicates")
  expect_silent(confint(boot, level = 0.9))
})

test_that("wrong arguments are errors in three lines", {
  fit <- growth()
  boot <- bootstrap(fit, nsim = 50)
  wrong <- list(
    quote(bootstrap(fit, nsim = 0)), quote(bootstrap(fit, nsim = 2.5)), quote(bootstrap(fit, type = "wild")),
    quote(bootstrap(fit, statistic = "sigma")), quote(bootstrap(fit, seed = "a")), quote(bootstrap(fit, threads = 0)),
    quote(bootstrap(fit, progress = NA)), quote(bootstrap(fit, nsims = 5)), quote(bootstrap(1:3)),
    quote(bootstrap(lm(distance ~ age, nlme::Orthodont))), quote(confint(boot, "sgma")),
    quote(confint(boot, level = 1)), quote(confint(boot, type = "student"))
  )
  for (call in wrong) expect_three_lines(tryCatch(eval(call), error = identity), "ferrite_error_argument")
  bad <- list(
    function(fit) stop("no such thing"), function(fit) "a", function(fit) numeric(),
    function(fit) if (anyNA(ranef(fit)$Subject)) stop("not here") else 1
  )
  for (statistic in bad) {
    expect_three_lines(tryCatch(bootstrap(fit, statistic, nsim = 3), error = identity), "ferrite_error_statistic")
  }
  calls <- 0
  growing <- function(fit) {
    calls <<- calls + 1
    seq_len(calls)
  }
  expect_three_lines(tryCatch(bootstrap(fit, growing, nsim = 3), error = identity), "ferrite_error_statistic")
})
