# The one-way layouts SmLs01 to SmLs09 of NIST's Statistical Reference Datasets (Simon and Lesage 1989), by their rule:
# nine treatments with levels .4, .3, .5, .3, ... above 1, 1e6 or 1e12; the first value of a treatment is its level, the
# others alternate 0.1 below and above it. Reference: balanced analysis of variance of the doubles as stored, centred by
# a subtraction that is exact, so 1e-9 relative is what the stored data allow of nine digits.

smls <- function(offset, replicates) {
  level <- c(4, 3, 5, 3, 5, 3, 5, 3, 5)
  step <- c(0, rep(c(-1, 1), (replicates - 1) / 2))
  # Decimal text to the nearest double, as one reads the published file.
  digits <- as.vector(outer(step, level, "+"))
  text <- paste0(format(offset, scientific = FALSE), ".", digits)
  data.frame(g = factor(rep(1:9, each = replicates)), y = as.numeric(text))
}

anova_components <- function(data, centre) {
  y <- data$y - centre
  means <- tapply(y, data$g, mean)
  replicates <- nrow(data) / 9
  within <- sum((y - means[data$g])^2) / (nrow(data) - 9)
  between <- replicates * sum((means - mean(means))^2) / 8
  c(g = (between - within) / replicates, residual = within)
}

for (offset in c(1, 1e6, 1e12)) {
  for (replicates in c(21, 201, 2001)) {
    test_that(paste("one-way components with", offset, "in front and", replicates, "replicates"), {
      data <- smls(offset, replicates)
      expected <- anova_components(data, offset)
      fit <- lmm(y ~ 1 + (1 | g), data)
      found <- c(fit$random[[1]]$varcov, sigma(fit)^2)
      expect_lt(max(abs(found / expected - 1)), 1e-9)
      expect_identical(fit$convergence$status, "converged")
    })
  }
}

test_that("certified components are reached where the leading digits leave room", {
  # Certified mean squares for SmLs01: 1.68 / 8 between, 0.01 within; so (0.21 - 0.01) / 21.
  fit <- lmm(y ~ 1 + (1 | g), smls(1, 21))
  expect_equal(fit$random[[1]]$varcov[[1]], (1.68 / 8 - 0.01) / 21, tolerance = 1e-12)
  expect_equal(sigma(fit)^2, 0.01, tolerance = 1e-12)
})
