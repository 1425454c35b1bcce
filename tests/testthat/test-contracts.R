# What MuMIn, DHARMa and texreg ask of a model, by calling the methods they use (none of them is needed), and arm.

with_seed_one <- function(expr) {
  set.seed(1)
  expr
}

test_that("the R2 for MuMIn is Nakagawa's", {
  fit <- lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont)
  found <- nakagawa_shares(fit)
  expect_identical(dimnames(found), list(NULL, c("R2m", "R2c")))
  # by hand: variance of the fixed part, mean of z'Gz over the rows, sigma^2
  z <- cbind(1, nlme::Orthodont$age)
  random <- mean(rowSums((z %*% VarCorr(fit)$Subject[1:2, 1:2]) * z))
  fixed <- var(predict(fit, re.form = NA))
  expect_equal(found[1, ], c(R2m = fixed, R2c = fixed + random) / (fixed + random + sigma(fit)^2))
  expect_identical(plain_estimates(fit), fixef(fit))
  skip_if_not_installed("performance")
  theirs <- performance::r2_nakagawa(lme4_fit(distance ~ age * Sex + (age | Subject), plain(nlme::Orthodont)))
  expect_equal(unname(found[1, ]), unname(c(theirs$R2_marginal, theirs$R2_conditional)), tolerance = 1e-4)
})

test_that("simulated responses, means and refits for DHARMa are those of the fit", {
  fit <- shared_fit("slope")
  expect_identical(observed_response(fit), nlme::Orthodont$distance)
  draws <- with_seed_one(simulated_responses(fit, 4))
  expect_identical(dim(draws), c(108L, 4L))
  expect_identical(draws, with_seed_one(data.matrix(simulate(fit, nsim = 4))))
  expect_identical(population_means(fit), predict(fit, re.form = NA))
  expect_equal(fixef(refit_response(fit, draws[, 1])), fixef(refit(fit, draws[, 1])))
  expect_identical(plain_residuals(fit), residuals(fit))
  expect_three_lines(tryCatch(simulated_responses(fit, type = "x"), error = identity), "ferrite_error_argument")
})

test_that("the column for texreg has the numbers of the summary", {
  fit <- shared_fit("slope")
  found <- texreg_arguments(fit, "Kenward-Roger", TRUE, TRUE, TRUE, TRUE)
  reference <- coef(summary(fit, ddf = "Kenward-Roger"))
  expect_identical(found$coef.names, rownames(reference))
  expect_equal(cbind(found$coef, found$se, found$pvalues), unname(reference[, c(1, 2, 5)]))
  expect_identical(length(found$gof), length(found$gof.names))
  values <- setNames(found$gof, found$gof.names)
  expect_equal(values[["AIC"]], AIC(fit))
  expect_equal(values[["Num. groups: Subject"]], 27)
  expect_equal(values[["Var: Residual"]], sigma(fit)^2)
  expect_identical(found$gof.decimal[found$gof.names == "Num. obs."], FALSE)
  expect_identical(texreg_arguments(fit, "asymptotic", FALSE, FALSE, TRUE, FALSE)$gof.names, "Num. obs.")
})

test_that("an S4 generic of a package that is loaded later finds the method", {
  skip_if_not_installed("arm")
  fit <- shared_fit("slope")
  theirs <- lme4_fit(formula(fit), plain(nlme::Orthodont))
  expect_equal(arm::se.coef(fit), arm::se.coef(theirs), tolerance = 1e-3, ignore_attr = TRUE)
  expect_equal(arm::se.ranef(fit), arm::se.ranef(theirs), tolerance = 1e-3, ignore_attr = TRUE)
  expect_output(arm::display(fit), "number of obs: 108, groups: Subject, 27")
  expect_output(arm::display(fit, detail = TRUE), "z value")
})
