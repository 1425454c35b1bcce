# clubSandwich's tests on our fits beside those on the same fits by lme4 and nlme.

test_that("coef_test(), conf_int() and Wald_test() of all types are those of the lme4 fit", {
  skip_if_not_installed("clubSandwich")
  data <- plain(nlme::Orthodont)[-c(1:2, 50), ]
  cases <- list(
    list(distance ~ age * Sex + (age | Subject), data),
    list(score ~ Machine + (1 | Worker / Machine), plain(nlme::Machines)[-(1:4), ])
  )
  for (case in cases) {
    ours <- lmm(case[[1]], case[[2]])
    theirs <- do.call("lme4_fit", case)
    for (type in c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")) {
      found <- lapply(list(ours, theirs), clubSandwich::coef_test, vcov = type, test = "All")
      expect_equal(as.data.frame(found[[1]]), as.data.frame(found[[2]]), tolerance = 1e-4, ignore_attr = TRUE)
      for (test in c("z", "naive-t", "Satterthwaite")) {
        found <- lapply(list(ours, theirs), clubSandwich::conf_int, vcov = type, test = test, level = 0.9)
        expect_equal(as.data.frame(found[[1]]), as.data.frame(found[[2]]), tolerance = 1e-4, ignore_attr = TRUE)
      }
      found <- lapply(list(ours, theirs), clubSandwich::Wald_test, clubSandwich::constrain_zero(2:3), vcov = type,
        test = "All")
      expect_equal(as.data.frame(found[[1]]), as.data.frame(found[[2]]), tolerance = 1e-4, ignore_attr = TRUE)
    }
  }
})

test_that("correlated residuals are as in the nlme fit, and other clusters and targets are used", {
  skip_if_not_installed("clubSandwich")
  data <- plain(nlme::Orthodont)
  ours <- lmm(distance ~ age + (1 | Subject), data, correlation = ar1(~ age | Subject), dispersion = ~ Sex)
  theirs <- nlme::lme(distance ~ age, data, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex),
    correlation = nlme::corAR1(form = ~ 1 | Subject))
  skip_if(abs(as.numeric(logLik(ours) - logLik(theirs))) > 1e-6)
  for (type in c("CR0", "CR2", "CR3")) {
    found <- lapply(list(ours, theirs), clubSandwich::coef_test, vcov = type)
    expect_equal(as.data.frame(found[[1]])[-1], as.data.frame(found[[2]])[-1], tolerance = 1e-3, ignore_attr = TRUE)
  }
  fit <- shared_fit("slope")
  own <- clubSandwich::vcovCR(fit, cluster = nlme::Orthodont$Subject, type = "CR2")
  expect_equal(as.matrix(own), as.matrix(clubSandwich::vcovCR(fit)))
  expect_error(clubSandwich::vcovCR(fit, cluster = seq_len(108)), class = "ferrite_error_cluster")
  expect_three_lines(tryCatch(clubSandwich::vcovCR(fit, type = "CR9"), error = identity), "ferrite_error_argument")
})
