test_that("the small questions are answered", {
  expect_true(isREML(shared_fit("slope")))
  expect_false(isREML(shared_fit("ml")))
  expect_identical(ngrps(shared_fit("crossed")), c("Dog:Side" = 20L, Dog = 10L))
  expect_identical(ngrps(shared_fit("uncorrelated")), c(Subject = 27L))
  expect_true(isSingular(shared_fit("singular")))
  expect_false(isSingular(shared_fit("slope")))
})

test_that("nearly singular does not depend on the origin or unit of a covariate", {
  near <- shared_fit("slope")
  moved <- lmm(distance ~ I(10 * age + 200) * Sex + (I(10 * age + 200) | Subject), nlme::Orthodont)
  expect_equal(smallest_spread(near), smallest_spread(moved), tolerance = 1e-3)
  expect_true(isSingular(near, tol = 10))
  expect_error(isSingular(near, tol = -1), class = "ferrite_error_argument")
})

test_that("something else is refused by name", {
  condition <- expect_error(isREML(3), class = "ferrite_error_argument")
  expect_match(conditionMessage(condition), "isREML\\(\\)")
  expect_error(convergence(lm(distance ~ age, nlme::Orthodont)), class = "ferrite_error_argument")
})

test_that("models of lme4 are answered by lme4, and ours by lme4's generics", {
  theirs <- lme4_fit(distance ~ age + (1 | Subject), nlme::Orthodont)
  ours <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  expect_true(ferrite::isREML(theirs))
  expect_false(ferrite::isSingular(theirs))
  expect_identical(ferrite::ngrps(theirs), lme4::ngrps(theirs))
  expect_identical(ferrite::REMLcrit(theirs), lme4::REMLcrit(theirs))
  expect_true(lme4::isREML(ours))
  expect_identical(lme4::ngrps(ours), c(Subject = 27L))
  expect_false(lme4::isSingular(ours))
  expect_true(lme4::isLMM(ours))
  expect_identical(lme4::getME(ours, "theta"), component(ours, "theta"))
  expect_equal(lme4::getME(ours, "fixef"), fixef(ours))
})
