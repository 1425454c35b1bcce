# Kenward and Roger's method with residual structures and patterned random terms.
#
# Source: its definition in n x n matrices. V is written by its elements in natural parameters (variances, standard
# deviations of strata, rho), its derivatives are differences, V^-1 is formed. The adjustment is that of first order,
# with the inverse of the observed information. Tolerance: 1e-3 of the adjustment (second derivatives by differences).

# `v_of(psi)`: V; `psi`: the estimates of all variance parameters. A list: phi, adjusted, df of every coefficient.
dense_kenward_roger <- function(fit, psi, v_of) {
  x <- model.matrix(fit)
  y <- fit$frame[[1L]]
  m <- length(psi)
  step <- 1e-3 * (abs(psi) + 0.05)
  at <- function(...) {
    moves <- list(...)
    for (move in moves) psi[move[1L]] <- psi[move[1L]] + move[2L] * step[move[1L]]
    v_of(psi)
  }
  slopes <- lapply(seq_len(m), function(i) {
    (8 * (at(c(i, 1)) - at(c(i, -1))) - at(c(i, 2)) + at(c(i, -2))) / (12 * step[i])
  })
  inverse <- solve(v_of(psi))
  a <- inverse %*% x
  phi <- solve(t(x) %*% a)
  p <- inverse - a %*% phi %*% t(a)
  e <- drop(p %*% y)
  turned <- lapply(slopes, function(s) p %*% s)
  bread <- lapply(slopes, function(s) -t(a) %*% s %*% a)
  hessian <- matrix(0, m, m)
  for (i in seq_len(m)) {
    for (j in seq_len(m)) {
      bend <- (at(c(i, 1), c(j, 1)) + at(c(i, -1), c(j, -1)) - at(c(i, 1), c(j, -1)) - at(c(i, -1), c(j, 1))) /
        (4 * step[i] * step[j])
      hessian[i, j] <- 2 * sum((slopes[[i]] %*% e) * (p %*% slopes[[j]] %*% e)) - sum(turned[[i]] * t(turned[[j]])) +
        sum(p * bend) - sum(e * (bend %*% e))
    }
  }
  w <- 2 * solve(hessian)
  inner <- 0
  for (i in seq_len(m)) {
    for (j in seq_len(m)) {
      q <- t(slopes[[i]] %*% a) %*% inverse %*% slopes[[j]] %*% a
      inner <- inner + w[i, j] * (q - bread[[i]] %*% phi %*% bread[[j]])
    }
  }
  gradient <- vapply(bread, function(b) diag(phi %*% b %*% phi), numeric(ncol(x)))
  df <- 2 * diag(phi)^2 / diag(gradient %*% w %*% t(gradient))
  list(phi = phi, adjusted = phi + 2 * phi %*% inner %*% phi, df = df)
}

expect_dense <- function(fit, psi, v_of) {
  table <- coef(summary(fit, ddf = "Kenward-Roger"))
  dense <- dense_kenward_roger(fit, psi, v_of)
  testthat::expect_equal(unname(vcov(fit)), unname(dense$phi), tolerance = 1e-6)
  larger <- unname(diag(dense$adjusted) / diag(dense$phi) - 1)
  found <- unname(table[, "Std. Error"]^2 / diag(dense$phi) - 1)
  testthat::expect_lt(max(abs(found - larger)), 1e-3 * max(larger) + 1e-6)
  testthat::expect_equal(unname(table[, "df"]), unname(dense$df), tolerance = 2e-3)
  # what all structures have in common
  testthat::expect_true(all(table[, "Std. Error"] >= (1 - 1e-9) * sqrt(diag(vcov(fit)))))
  testthat::expect_equal(table[, "df"], coef(summary(fit))[, "df"], tolerance = 1e-6)
}

same <- function(f) outer(as.integer(f), as.integer(f), "==")

test_that("strata of residuals count", {
  data <- as.data.frame(nlme::Orthodont)
  fit <- lmm(distance ~ age * Sex + (1 | Subject), data, dispersion = ~ Sex)
  v_of <- function(psi) {
    psi[1] * same(data$Subject) + diag(psi[2] * exp(2 * psi[3] * (data$Sex == "Female")))
  }
  expect_dense(fit, unname(c(fit$random[[1]]$varcov, fit$sigma^2, fit$residual$phi)), v_of)
})

test_that("autocorrelation counts", {
  data <- as.data.frame(nlme::Ovary)
  data <- data[data$Mare %in% 1:5, ]
  data$Mare <- factor(data$Mare)
  data$k <- ave(data$Time, data$Mare, FUN = seq_along)
  fit <- lmm(follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), data, correlation = ar1(~ k | Mare))
  lag <- abs(outer(data$k, data$k, "-"))
  v_of <- function(psi) same(data$Mare) * (psi[1] + psi[2] * psi[3]^lag)
  expect_dense(fit, unname(c(fit$random[[1]]$varcov, fit$sigma^2, fit$residual$rho)), v_of)
})

test_that("patterns of random terms count", {
  data <- as.data.frame(nlme::Machines)
  fit <- lmm(score ~ Machine + cs(0 + Machine | Worker, hom = TRUE), data)
  worker <- same(data$Worker)
  machine <- same(data$Machine)
  v_of <- function(psi) worker * psi[1] * (machine + psi[2] * !machine) + psi[3] * diag(nrow(data))
  varcov <- fit$random[[1]]$varcov
  expect_dense(fit, c(varcov[1, 1], varcov[1, 2] / varcov[1, 1], fit$sigma^2), v_of)
  # the same model as two random intercepts, balanced: the method of plain fits, whose two kinds of information agree
  plain <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), data)
  expect_equal(coef(summary(fit, ddf = "Kenward-Roger")), coef(summary(plain, ddf = "Kenward-Roger")), tolerance = 0.02)
})

test_that("the order of rows and the reference stratum do not matter", {
  data <- as.data.frame(nlme::Orthodont)
  set.seed(3)
  fit_to <- function(data) {
    lmm(distance ~ age * Sex + (1 | Subject), data, dispersion = ~ Sex, correlation = ar1(~ age | Subject))
  }
  table <- function(data) coef(summary(fit_to(data), ddf = "Kenward-Roger"))
  one <- table(data)
  expect_equal(table(data[sample(nrow(data)), ]), one, tolerance = 1e-5)
  turned <- data
  turned$Stratum <- factor(turned$Sex, rev(levels(turned$Sex)))
  other <- lmm(distance ~ age * Sex + (1 | Subject), turned, dispersion = ~ Stratum, correlation = ar1(~ age | Subject))
  expect_equal(coef(summary(other, ddf = "Kenward-Roger")), one, tolerance = 1e-5)
})

test_that("anova(), contest(), drop1() and emmeans take the method", {
  data <- as.data.frame(nlme::Orthodont)
  fit <- lmm(distance ~ age * Sex + (1 | Subject), data, dispersion = ~ Sex)
  expect_no_message(table <- anova(fit, ddf = "Kenward-Roger"))
  expect_true(all(is.finite(as.matrix(table))))
  test <- contest(fit, c("age:SexFemale"), ddf = "Kenward-Roger")
  by_row <- coef(summary(fit, ddf = "Kenward-Roger"))["age:SexFemale", ]
  expect_equal(test[["F value"]], by_row[["t value"]]^2)
  expect_equal(test[["DenDF"]], by_row[["df"]])
  expect_equal(table["age:Sex", "F value"], test[["F value"]], tolerance = 1e-6)
  expect_equal(drop1(fit, ddf = "Kenward-Roger")["age:Sex", "F value"], test[["F value"]], tolerance = 1e-6)
  skip_if_not_installed("emmeans")
  slopes <- as.data.frame(emmeans::emtrends(fit, "Sex", var = "age", mode = "kenward-roger"))
  male <- coef(summary(fit, ddf = "Kenward-Roger"))["age", ]
  expect_equal(slopes$SE[1], male[["Std. Error"]], tolerance = 1e-5)
  expect_equal(slopes$df[1], male[["df"]], tolerance = 1e-4)
})

test_that("a fit by maximum likelihood is refitted by REML, with its structure", {
  data <- as.data.frame(nlme::Orthodont)
  reml <- lmm(distance ~ age * Sex + (1 | Subject), data, dispersion = ~ Sex)
  ml <- update(reml, REML = FALSE)
  expect_message(table <- coef(summary(ml, ddf = "Kenward-Roger")), class = "ferrite_message_ddf")
  expect_equal(table, coef(summary(reml, ddf = "Kenward-Roger")), tolerance = 1e-5)
})

test_that("BCa intervals of a fit with strata have an acceleration", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, dispersion = ~ Sex)
  statistic <- function(fit) fit$sigma
  expect_true(is.finite(accelerations(fit, statistic, 1)))
})
