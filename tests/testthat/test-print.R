test_that("print shows method, formula, components, sizes, estimates and convergence", {
  text <- printed(shared_fit("slope"))
  expect_match(text, "Linear mixed model fit by REML", fixed = TRUE)
  expect_match(text, "Formula: distance ~ age * Sex + (age | Subject)", fixed = TRUE)
  expect_match(text, "   Data: nlme::Orthodont", fixed = TRUE)
  expect_match(text, "REML criterion: 432.58")
  expect_match(text, "Number of obs: 108, groups: Subject 27", fixed = TRUE)
  expect_match(text, "Convergence: certified optimum")
  expect_match(printed(shared_fit("ml")), "maximum likelihood")
  expect_match(printed(shared_fit("dropped")), "Dropped.*I\\(2 \\* age\\)")
})

test_that("digits are the user's", {
  expect_match(printed(shared_fit("singular"), digits = 7), "5.6656")
  expect_match(printed(shared_fit("singular"), digits = 3), "5.67")
})

test_that("rows set aside are counted, and data given as a value is not printed", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[1:2] <- NA
  fit <- do.call(lmm, list(distance ~ age + (1 | Subject), data))
  expect_match(printed(fit), "2 rows")
  expect_match(printed(fit), "<data.frame>", fixed = TRUE)
})

test_that("a model without fixed effects prints", {
  fit <- lmm(distance ~ 0 + (1 | Subject), nlme::Orthodont)
  expect_match(printed(fit), "No fixed effects")
  expect_match(printed(summary(fit)), "No fixed effects")
})
