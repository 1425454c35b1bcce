# glht() on our fits beside glht() on the same fits by lme4.

test_that("Tukey's and other contrasts are those of the lme4 fit", {
  skip_if_not_installed("multcomp")
  data <- plain(nlme::Machines)
  ours <- lmm(score ~ Machine + (1 | Worker / Machine), data)
  theirs <- lme4_fit(score ~ Machine + (1 | Worker / Machine), data)
  for (linfct in list(
    multcomp::mcp(Machine = "Tukey"), multcomp::mcp(Machine = c("B - A = 0", "C - 0.5 * A - 0.5 * B = 1")),
    c("MachineB = 0", "MachineC - MachineB = 2"), cbind(0, diag(2))
  )) {
    for (df in list(NULL, 10)) {
      tests <- lapply(list(ours, theirs), function(fit) {
        set.seed(1)
        summary(multcomp::glht(fit, linfct, df = df))
      })
      expect_equal(tests[[1]]$linfct, tests[[2]]$linfct, ignore_attr = "class")
      expect_identical(tests[[1]]$df, tests[[2]]$df)
      for (part in c("coefficients", "sigma", "tstat")) {
        expect_equal(tests[[1]]$test[[part]], tests[[2]]$test[[part]], tolerance = 1e-6)
      }
      # the multivariate probabilities are integrated by random points
      expect_equal(as.vector(tests[[1]]$test$pvalues), as.vector(tests[[2]]$test$pvalues), tolerance = 1e-2)
    }
  }
  tukey <- multcomp::glht(ours, multcomp::mcp(Machine = "Tukey"))
  expect_identical(unname(multcomp::cld(tukey)$mcletters$Letters), c("a", "b", "c"))
  # all pairs of three by the studentised range: 2.344 standard errors
  expect_equal(attr(stats::confint(tukey)$confint, "calpha"), stats::qtukey(0.95, 3, Inf) / sqrt(2), tolerance = 1e-3)
  together <- summary(tukey, test = multcomp::Chisqtest())$test
  expect_equal(as.vector(together$fstat)[1], 41.1525 / 2, tolerance = 1e-4)
})

test_that("emmeans' linear functions bring their degrees of freedom", {
  skip_if_not_installed("multcomp")
  skip_if_not_installed("emmeans")
  fit <- shared_fit("nested")
  expect_message(found <- multcomp::glht(fit, emmeans::emm(pairwise ~ Machine)), "df set to 10")
  expect_equal(found$df, 10)
})

test_that("dropped columns, another covariance matrix and wrong degrees of freedom are dealt with", {
  skip_if_not_installed("multcomp")
  fit <- shared_fit("dropped")
  expect_warning(found <- multcomp::glht(fit, rbind(age = c(0, 1, 0))), "1 out of 3 coefficients not estimable")
  expect_equal(as.vector(stats::coef(found)), fixef(fit)[["age"]])
  pieces <- multcomp::modelparm(fit)
  expect_identical(pieces$estimable, c(TRUE, TRUE, FALSE))
  expect_equal(pieces$vcov, vcov(fit, complete = FALSE))
  expect_identical(multcomp::modelparm(fit, vcov. = vcov)$vcov, pieces$vcov)
  expect_equal(multcomp::modelparm(fit, vcov. = function(m) 4 * vcov(m), df = 5)[c("vcov", "df")],
               list(vcov = 4 * pieces$vcov, df = 5))
  for (df in list("Kenward-Roger", -1, c(2, 3))) {
    expect_three_lines(tryCatch(multcomp::modelparm(fit, df = df), error = identity), "ferrite_error_argument")
  }
  expect_error(multcomp::glht(shared_fit("nested"), multcomp::mcp(Worker = "Tukey")), "Worker")
})
