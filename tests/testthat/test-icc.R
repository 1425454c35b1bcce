# Closed forms of the one-way layout: MSB 28.3160798929 and MSE 0.325435753583 on 4 and 75 degrees of freedom (estrone).

test_that("the balanced one-way layout has Searle's limits", {
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  table <- as.data.frame(icc(fit))
  expect_close(table$icc, 0.8431522, 1e-7)
  expect_close(table$ratio, (28.3160798929 - 0.325435753583) / 16 / 0.325435753583, 1e-7)
  f <- 28.3160798929 / 0.325435753583 / qf(c(0.975, 0.025), 4, 75)
  expect_close(c(table$lower, table$upper), (f - 1) / (f + 15), 1e-8)
  expect_identical(icc(fit)$method, "exact")
  expect_equal(table$correlation, table$icc)
  f <- 28.3160798929 / 0.325435753583 / qf(c(0.95, 0.05), 4, 75)
  expect_close(unlist(icc(fit, level = 0.9)$table[c("lower", "upper")]), (f - 1) / (f + 15), 1e-8)
})

test_that("a variance estimated as zero has an exact interval that starts there", {
  table <- icc(shared_fit("singular"))$table
  expect_identical(c(table$icc, table$lower), c(0, 0))
  means <- tapply(dyestuff2()$yield, dyestuff2()$batch, mean)
  within <- sum((dyestuff2()$yield - means[dyestuff2()$batch])^2) / 24
  f <- 5 * var(means) / within / qf(0.025, 5, 24)
  expect_close(table$upper, (f - 1) / (f + 4), 1e-8)
})

test_that("limits of unequal groups solve Wald's equation", {
  data <- estrone[-c(1:9, 17:20, 40), ]
  limits <- unlist(icc(lmm(y ~ 1 + (1 | person), data))$table[c("lower", "upper")])
  means <- tapply(data$y, data$person, mean)
  n <- as.vector(table(data$person))
  within <- sum((data$y - means[data$person])^2) / (nrow(data) - 5)
  wald <- function(icc) {
    ratio <- icc / (1 - icc)
    w <- n / (1 + n * ratio)
    sum(w * (means - sum(w * means) / sum(w))^2) / 4 / within
  }
  expect_close(c(wald(limits[1]), wald(limits[2])), qf(c(0.975, 0.025), 4, nrow(data) - 5), 1e-7)
})

test_that("logit limits are those of numerical derivatives", {
  fit <- shared_fit("slope")
  parts <- variance_parts(fit)
  share <- function(theta) {
    t <- matrix(c(theta[1:2], 0, theta[3]), 2)
    v <- sum(parts$mean[[1]] * t %*% t(t))
    c(v / (1 + v), log(v))
  }
  h <- 1e-6
  gradient <- vapply(1:3, function(i) {
    step <- replace(numeric(3), i, h)
    (share(fit$theta + step)[2] - share(fit$theta - step)[2]) / (2 * h)
  }, 0)
  se <- sqrt(sum(gradient * (2 * solve(fit$convergence$hessian)) %*% gradient))
  table <- icc(fit)$table
  expect_identical(table$type, c("adjusted", "conditional"))
  expect_close(table$icc[1], share(fit$theta)[1], 1e-10)
  expect_close(c(table$lower[1], table$upper[1]), plogis(qlogis(table$icc[1]) + c(-1, 1) * qnorm(0.975) * se), 1e-6)
  expect_lt(table$lower[2], table$icc[2])
  expect_lt(table$icc[2], table$icc[1])
  fixed <- drop(model.matrix(fit) %*% fixef(fit))
  expect_close(table$icc[2], table$variance[1] / (table$variance[1] + sigma(fit)^2 + var(fixed)), 1e-10)
  # the mean over the rows: Johnson (2014)
  x <- cbind(1, nlme::Orthodont$age)
  expect_close(table$variance[1], mean(rowSums((x %*% VarCorr(fit)$Subject) * x)), 1e-10)
})

test_that("the gradient of the penalised sum of squares is right", {
  skip_if_not_installed("lme4")
  sleep <- sleep_data()
  fit <- lmm(y ~ x + (x | g), sleep)
  deviance <- lme4::lmer(y ~ x + (x | g), sleep, devFunOnly = TRUE)
  space <- environment(deviance)
  pwrss <- function(theta) {
    deviance(theta)
    space$pp$sqrL(1) + space$resp$wrss()
  }
  numeric <- vapply(1:3, function(i) {
    step <- replace(numeric(3), i, 1e-5)
    (pwrss(fit$theta + step) - pwrss(fit$theta - step)) / 2e-5
  }, 0)
  expect_close(pwrss_gradient(fit, design_of(fit)), numeric, 1e-5)
})

test_that("nested and crossed factors have shares, covariances and a joint row", {
  pastes <- reference_data("Pastes")
  nested <- icc(lmm(strength ~ 1 + (1 | batch / cask), pastes))
  table <- nested$table
  expect_identical(table$group, c("cask:batch", "batch", "all"))
  expect_equal(sum(table$icc[1:2]), table$icc[3])
  expect_equal(table$covariance, c(sum(table$variance[1:2]), table$variance[2], table$variance[3]))
  expect_identical(nested$method, "logit")
  crossed <- icc(lmm(diameter ~ 1 + (1 | plate) + (1 | sample), reference_data("Penicillin")))$table
  expect_equal(crossed$covariance[1:2], crossed$variance[1:2])
  expect_true(all(crossed$lower < crossed$icc & crossed$icc < crossed$upper))
})

test_that("the bootstrap is reproducible and near the exact interval's centre", {
  fit <- lmm(y ~ x + (x | g), sleep_data())
  set.seed(3)
  first <- icc(fit, method = "boot", nsim = 200)
  set.seed(3)
  expect_equal(icc(fit, method = "boot", nsim = 200)$table, first$table)
  expect_true(all(first$table$lower < first$table$icc & first$table$icc < first$table$upper))
  logit <- icc(fit)$table
  expect_equal(first$table$lower, logit$lower, tolerance = 0.15)
  expect_equal(first$table$upper, logit$upper, tolerance = 0.15)
})

test_that("shares of bootstrap draws are those of the formula", {
  theta <- rbind(c(1, 0.5, 2), c(0.3, -1, 0))
  mean <- matrix(c(1, 2, 2, 7), 2)
  direct <- apply(theta, 1, function(p) {
    t <- matrix(c(p[1:2], 0, p[3]), 2)
    sum(t %*% t(t) * mean)
  })
  expect_equal(template_means(theta, mean), direct)
})

test_that("wrong requests are refused", {
  fit <- shared_fit("slope")
  expect_error(icc(fit, method = "exact"), class = "ferrite_error_icc")
  expect_error(icc(shared_fit("singular"), method = "logit"), class = "ferrite_error_icc")
  expect_error(icc(fit, level = 95), class = "ferrite_error_argument")
  expect_error(icc(fit, method = "wald"), class = "ferrite_error_argument")
  expect_error(icc(fit, nsim = 0), class = "ferrite_error_argument")
  expect_error(icc(lm(1 ~ 1)), class = "ferrite_error_argument")
})

test_that("print says which interval and what the figures are", {
  text <- printed(icc(shared_fit("slope")))
  expect_match(text, "conditional 0[.]")
  expect_match(text, "delta method on the logit scale")
  expect_match(text, "means over the rows")
})
