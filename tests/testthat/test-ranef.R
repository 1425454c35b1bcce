test_that("conditional means and variances match the reference", {
  fit <- shared_fit("slope")
  effects <- ranef(fit)
  expect_s3_class(effects, "ranef.lmm")
  expect_named(effects, "Subject")
  expect_close(unlist(effects$Subject["M16", ]), c(-0.783256271685459, -0.0886470416179617), 1e-5)
  expect_close(unlist(effects$Subject[27, ]), c(2.19630267650979, 0.101480077229422), 1e-5)
  expect_close(as.vector(attr(effects$Subject, "postVar")[, , 1]),
    c(3.02991274461108, -0.246585468028983, -0.246585468028983, 0.0229322047022627), 1e-5)
})

test_that("terms of one factor stand side by side, with a list of variances", {
  effects <- ranef(shared_fit("uncorrelated"))
  expect_named(effects$Subject, c("(Intercept)", "age"))
  variance <- attr(effects$Subject, "postVar")
  expect_type(variance, "list")
  expect_close(c(variance[[1]][1], variance[[2]][1]), c(0.918078201334539, 0.00642616689715203), 1e-5)
  expect_close(unlist(effects$Subject[1, ]), c(-0.999600568757542, -0.0560803824747974), 1e-5)
})

test_that("the long table has one row per level and effect", {
  long <- as.data.frame(ranef(shared_fit("crossed")))
  expect_named(long, c("grpvar", "term", "grp", "condval", "condsd"))
  expect_identical(nrow(long), 20L + 2L * 10L)
  expect_close(long$condval[1], -5.96610617261957, 1e-5)
  expect_close(long$condsd[1], sqrt(118.742975887855), 1e-5)
  expect_false("condsd" %in% names(as.data.frame(ranef(shared_fit("crossed"), condVar = FALSE))))
})

test_that("the long table agrees with lme4's", {
  ours <- as.data.frame(ranef(shared_fit("slope")))
  theirs <- as.data.frame(lme4::ranef(lme4_fit(distance ~ age * Sex + (age | Subject), nlme::Orthodont)))
  expect_equal(ours[c("condval", "condsd")], theirs[c("condval", "condsd")], tolerance = 1e-4)
  expect_identical(as.character(ours$grp), as.character(theirs$grp))
})

test_that("whichel and drop choose and simplify; an unknown factor is named", {
  fit <- shared_fit("crossed")
  expect_named(ranef(fit, whichel = "Dog"), "Dog")
  expect_type(ranef(fit, drop = TRUE)[["Dog:Side"]], "double")
  expect_equal(as.data.frame(ranef(fit, drop = TRUE))$condsd, as.data.frame(ranef(fit))$condsd)
  condition <- expect_error(ranef(fit, whichel = "dog"), class = "ferrite_error_argument")
  expect_match(conditionMessage(condition), "`dog`.*\n.*`Dog`")
})

test_that("print shows the first levels and counts the others", {
  expect_match(printed(ranef(shared_fit("slope")), n = 3), "and 24 more levels")
})
