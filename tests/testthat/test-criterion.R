test_that("criteria of a REML fit match the reference", {
  fit <- shared_fit("slope")
  expect_equal(REMLcrit(fit), 432.581661502608, tolerance = 1e-9)
  expect_equal(as.numeric(logLik(fit)), -216.290830751304, tolerance = 1e-9)
  expect_equal(AIC(fit), 448.581661502608, tolerance = 1e-9)
  expect_equal(BIC(fit), 470.038711319602, tolerance = 1e-9)
  expect_equal(attr(logLik(fit), "df"), 8)
  expect_equal(attr(logLik(fit), "nobs"), 108)
  expect_equal(df.residual(fit), 100)
  expect_equal(nobs(fit), 108)
})

test_that("criteria of an ML fit match the reference", {
  fit <- shared_fit("ml")
  expect_equal(deviance(fit), 427.805950799718, tolerance = 1e-9)
  expect_equal(AIC(fit), 443.805950799718, tolerance = 1e-9)
  expect_equal(BIC(fit), 465.263000616712, tolerance = 1e-9)
})

test_that("the other criterion is the likelihood computed from its definition", {
  # log of the normal density of y with V = Z G Z' + R; REML adds log|X'V^-1 X| less the constant
  for (name in c("slope", "ml", "weighted")) {
    fit <- shared_fit(name)
    v <- component(fit, "V")
    x <- component(fit, "X")
    residual <- component(fit, "y") - drop(x %*% component(fit, "beta"))
    reml <- drop(determinant(v)$modulus) + sum(residual * solve(v, residual)) +
      (nobs(fit) - ncol(x)) * log(2 * pi) + drop(determinant(crossprod(x, solve(v, x)))$modulus)
    # deviance() and REMLcrit() profile sigma out, each with its own divisor
    nu <- if (isREML(fit)) nobs(fit) - ncol(x) else nobs(fit)
    expect_equal(fit$criterion, if (isREML(fit)) as.numeric(reml) else
      as.numeric(drop(determinant(v)$modulus) + sum(residual * solve(v, residual)) + nu * log(2 * pi)),
    tolerance = 1e-8)
  }
})

test_that("deviance of a REML fit and REMLcrit of an ML fit are lme4's", {
  reml <- shared_fit("slope")
  theirs <- lme4_fit(distance ~ age * Sex + (age | Subject), nlme::Orthodont)
  expect_equal(deviance(reml), deviance(theirs, REML = FALSE), tolerance = 1e-7)
  expect_equal(as.numeric(logLik(reml, REML = FALSE)), -deviance(reml) / 2)
  ml <- shared_fit("ml")
  theirs <- lme4_fit(distance ~ I(age - 11) * Sex + (I(age - 11) | Subject), nlme::Orthodont, REML = FALSE)
  expect_equal(REMLcrit(ml), lme4::REMLcrit(theirs), tolerance = 1e-7)
})
