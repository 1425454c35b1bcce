# Closed forms of the balanced one-way layout with a = 5 women and n = 16 measurements, and the figures published for
# these data: total and residual sum of squares 137.672 and 24.40768, ML variances 0.325 and 1.395.

one_way <- function() {
  table <- stats::anova(stats::aov(y ~ person, ferrite::estrone))
  list(msb = table[["Mean Sq"]][1], mse = table[["Mean Sq"]][2])
}

test_that("estrone has the documented columns", {
  expect_identical(names(estrone), c("person", "rep", "estrone", "y"))
  expect_identical(dim(estrone), c(80L, 4L))
  expect_identical(levels(estrone$person), as.character(1:5))
  expect_identical(estrone$rep, rep(1:16, 5))
  expect_type(estrone$estrone, "integer")
  expect_identical(estrone$y, 10 * log10(estrone$estrone))
  expect_true(all(table(estrone$person) == 16))
})

test_that("data() loads it too", {
  place <- new.env()
  utils::data("estrone", package = "ferrite", envir = place)
  expect_identical(place$estrone, estrone)
})

test_that("the copy reproduces the published sums of squares", {
  squares <- stats::anova(stats::aov(y ~ person, estrone))[["Sum Sq"]]
  expect_equal(round(sum(squares), 3), 137.672)
  expect_equal(round(squares[2], 5), 24.40768)
})

test_that("REML is the analysis of variance", {
  ms <- one_way()
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  between <- VarCorr(fit)$person[1, 1]
  expect_close(c(between, sigma(fit)^2), c((ms$msb - ms$mse) / 16, ms$mse), 1e-9)
  expect_close(between / (between + sigma(fit)^2), 0.8431522, 1e-6)
  expect_close(c(fixef(fit), sqrt(vcov(fit))), c(mean(estrone$y), sqrt(ms$msb / 80)), 1e-9)
  raw <- tapply(estrone$y, estrone$person, mean) - mean(estrone$y)
  expect_close(ranef(fit)$person[["(Intercept)"]], as.vector(raw) * (1 - ms$mse / ms$msb), 1e-9)
})

test_that("ML divides the sum of squares between women by their number", {
  ms <- one_way()
  fit <- lmm(y ~ 1 + (1 | person), estrone, REML = FALSE)
  expect_close(VarCorr(fit)$person[1, 1], (0.8 * ms$msb - ms$mse) / 16, 1e-9)
  expect_equal(round(VarCorr(fit)$person[1, 1], 3), 1.395)
  expect_equal(round(sigma(fit)^2, 3), 0.325)
})
