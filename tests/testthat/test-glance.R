test_that("one row with the columns of broom.mixed", {
  fit <- shared_fit("slope")
  table <- glance.lmm(fit)
  expect_named(table, c("nobs", "sigma", "logLik", "AIC", "BIC", "REMLcrit", "df.residual"))
  expect_identical(dim(table), c(1L, 7L))
  expect_identical(table$nobs, nobs(fit))
  expect_equal(table$logLik, as.numeric(logLik(fit)))
  expect_equal(table$BIC, BIC(fit))
  expect_equal(table$REMLcrit, REMLcrit(fit))
})

test_that("a fit by maximum likelihood has a deviance", {
  fit <- shared_fit("ml")
  table <- glance.lmm(fit)
  expect_named(table, c("nobs", "sigma", "logLik", "AIC", "BIC", "deviance", "df.residual"))
  expect_equal(table$deviance, deviance(fit))
})

test_that("it is the row of broom.mixed for the fit of lme4", {
  skip_if_not_installed("broom.mixed")
  for (reml in c(TRUE, FALSE)) {
    ours <- lmm(distance ~ age + (age | Subject), nlme::Orthodont, REML = reml)
    theirs <- lme4_fit(distance ~ age + (age | Subject), nlme::Orthodont, REML = reml)
    glance <- getExportedValue("generics", "glance")
    expect_equal(as.data.frame(glance(ours)), as.data.frame(broom.mixed::glance(theirs)),
      tolerance = 1e-6, ignore_attr = TRUE)
  }
})

test_that("an unknown argument is named", {
  expect_warning(glance.lmm(shared_fit("slope"), what = 1), "what", class = "ferrite_warning_argument")
})
