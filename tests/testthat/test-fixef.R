test_that("fixed effects and their standard errors match the reference", {
  fit <- shared_fit("slope")
  expect_close(fixef(fit), c(16.340625, 0.784375, 1.03210227272727, -0.304829545454545), 1e-7)
  expect_close(sqrt(diag(vcov(fit))), c(1.01853192381464, 0.0859995127496768, 1.5957328483233, 0.134735342335163), 1e-5)
  expect_named(fixef(fit), c("(Intercept)", "age", "SexFemale", "age:SexFemale"))
  expect_identical(dimnames(vcov(fit)), list(names(fixef(fit)), names(fixef(fit))))
})

test_that("a dropped column is NA, as in lm(), unless complete = FALSE", {
  fit <- shared_fit("dropped")
  expect_identical(names(which(is.na(fixef(fit)))), "I(2 * age)")
  expect_identical(dim(vcov(fit)), c(3L, 3L))
  expect_true(all(is.na(vcov(fit)[3, ])))
  expect_named(fixef(fit, complete = FALSE), c("(Intercept)", "age"))
  expect_identical(dim(vcov(fit, complete = FALSE)), c(2L, 2L))
})

test_that("fixef is nlme's generic, so that the packages can be attached together", {
  expect_identical(ferrite::fixef, nlme::fixef)
  expect_identical(ferrite::ranef, nlme::ranef)
  expect_identical(ferrite::VarCorr, nlme::VarCorr)
})
