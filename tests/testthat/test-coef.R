test_that("coefficients by group are fixed plus random effects", {
  fit <- shared_fit("slope")
  table <- coef(fit)$Subject
  expect_named(table, names(fixef(fit)))
  expect_equal(table[["age"]], fixef(fit)[["age"]] + ranef(fit)$Subject$age)
  expect_true(all(table$SexFemale == fixef(fit)[["SexFemale"]]))
})

test_that("an effect that is only random counts from zero", {
  fit <- lmm(distance ~ 1 + (0 + age | Subject), nlme::Orthodont)
  table <- coef(fit)$Subject
  expect_named(table, c("age", "(Intercept)"))
  expect_equal(table$age, ranef(fit)$Subject$age)
})

test_that("dropped columns are left out", {
  expect_named(coef(shared_fit("dropped"))$Subject, c("(Intercept)", "age"))
})
