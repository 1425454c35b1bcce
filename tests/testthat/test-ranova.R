# Exact F tests by hand and by aov(); likelihood ratios beside lmerTest and lme4, exact tests beside RLRsim.

test_that("the one-way layout has the likelihood ratio, the mixture, the exact tests", {
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  set.seed(1)
  table <- ranova(fit, nsim = 2000)
  null <- logLik(lm(y ~ 1, estrone), REML = TRUE)
  expect_equal(table$LRT[2], 2 * as.numeric(logLik(fit) - null), tolerance = 1e-9)
  expect_equal(table[2, "Pr(>Chisq)"], pchisq(table$LRT[2], 1, lower.tail = FALSE) / 2)
  expect_identical(table$Method[2], "exact")
  expect_equal(table[2, "Pr(>RLRT)"], 1 / 2001)
  f <- attr(table, "F")
  # MSB 28.3160798929 / MSE 0.325435753583
  expect_close(f$statistic, 28.3160798929 / 0.325435753583, 1e-9)
  expect_equal(c(f$df1, f$df2), c(4, 75))
  expect_match(printed(table), "F(4, 75) = 87.00974", fixed = TRUE)
  set.seed(1)
  expect_identical(ranova(fit, nsim = 2000, threads = 1), table)
})

test_that("a variance estimated as zero has p-values of one", {
  table <- ranova(shared_fit("singular"))
  expect_equal(table$LRT[2], 0)
  expect_identical(table[2, "Pr(>Chisq)"], 1)
  expect_identical(table[2, "Pr(>RLRT)"], 1)
})

test_that("the exact F test holds with covariates, weights and unequal groups", {
  data <- subset(as.data.frame(nlme::Orthodont), !(Subject %in% c("M01", "F03") & age > 10))
  data$w <- 1 + (seq_len(nrow(data)) %% 3)
  data$Subject <- factor(data$Subject, ordered = FALSE)
  f <- attr(ranova(lmm(distance ~ age * Sex + (1 | Subject), data, weights = w), nsim = 10), "F")
  both <- anova(lm(distance ~ age * Sex, data, weights = w), lm(distance ~ age * Sex + Subject, data, weights = w))
  expect_close(c(f$statistic, f$df1, f$df2), c(both$F[2], both$Df[2], both$Res.Df[2]), 1e-9)
})

test_that("terms are removed or reduced as lmerTest does", {
  sleep <- sleep_data()
  set.seed(2)
  table <- ranova(lmm(y ~ x + (x | g), sleep))
  expect_identical(rownames(table), c("<none>", "x in (x | g)"))
  expect_identical(table$npar, c(6L, 4L))
  expect_null(table$Method)
  whole <- ranova(lmm(y ~ x + (x | g), sleep), reduce.terms = FALSE)
  expect_identical(rownames(whole)[2], "(x | g)")
  expect_identical(whole$Reference[2], "chi2(2:3) bound")
  split <- ranova(lmm(y ~ x + (x || g), sleep), nsim = 500)
  expect_identical(rownames(split)[-1], c("(Intercept) in (x || g)", "x in (x || g)"))
  expect_identical(split$Method[-1], rep("conditional", 2))
  expect_equal(split$LRT[3], 2 * as.numeric(logLik(lmm(y ~ x + (x || g), sleep)) - logLik(lmm(y ~ x + (1 | g), sleep))))
  skip_if_not_installed("lmerTest")
  theirs <- lmerTest::ranova(lmerTest::lmer(y ~ x + (x | g), sleep))
  expect_equal(table$LRT[2], theirs$LRT[2], tolerance = 1e-6)
  data <- transform(as.data.frame(nlme::Orthodont), z = cos(seq_along(age)))
  ours <- suppressMessages(ranova(lmm(distance ~ age + (age + z | Subject), data)))
  theirs <- suppressMessages(lmerTest::ranova(lmerTest::lmer(distance ~ age + (age + z | Subject), data)))
  expect_identical(rownames(ours), rownames(theirs))
  expect_equal(ours$LRT[-1], theirs$LRT[-1], tolerance = 1e-4)
})

test_that("ML fits are tested by the full likelihood", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, REML = FALSE)
  table <- ranova(fit, nsim = 200)
  expect_true("Pr(>LRT)" %in% names(table))
  null <- logLik(lm(distance ~ age, nlme::Orthodont))
  expect_equal(table$LRT[2], 2 * as.numeric(logLik(fit) - null), tolerance = 1e-9)
})

test_that("wrong arguments are refused", {
  fit <- shared_fit("singular")
  expect_error(ranova(fit, nsim = 0), class = "ferrite_error_argument")
  expect_error(ranova(fit, reduce = 1), class = "ferrite_error_argument")
  expect_error(ranova(lm(1 ~ 1)), class = "ferrite_error_argument")
})
