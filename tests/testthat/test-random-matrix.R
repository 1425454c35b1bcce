test_that("random effects are ordered by term, level, effect", {
  fit <- shared_fit("crossed")
  labels <- names(component(fit, "b"))
  expect_identical(labels[c(1, 21, 22)], c("Dog:Side.1:L.(Intercept)", "Dog.1.(Intercept)", "Dog.1.day"))
  expect_identical(dim(component(fit, "Z")), c(102L, 40L))
  expect_equal(drop(component(fit, "Z") %*% component(fit, "b")), random_part(fit, design_of(fit)), ignore_attr = TRUE)
})
