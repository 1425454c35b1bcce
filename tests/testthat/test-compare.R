# Chi-squares: each likelihood by its definition, dense, Newton-polished; lme4 1.1-31 agrees to 1e-9 in the chi-square.

orthodont <- function() as.data.frame(nlme::Orthodont)

test_that("REML fits with one fixed part are compared by REML, against the mixture", {
  m0 <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
  m1 <- shared_fit("slope")
  table <- anova(m1, m0)
  expect_identical(rownames(table), c("m0", "m1"))
  expect_equal(table$Chisq[2], REMLcrit(m0) - REMLcrit(m1))
  p <- (pchisq(table$Chisq[2], 1, lower.tail = FALSE) + pchisq(table$Chisq[2], 2, lower.tail = FALSE)) / 2
  expect_equal(table[2, "Pr(>Chisq)"], p)
  expect_identical(table$Reference, c(NA, "chi2(1:2)"))
  expect_equal(compare_models(m0, m1, boundary = FALSE)[2, "Pr(>Chisq)"],
    pchisq(table$Chisq[2], 2, lower.tail = FALSE))
})

test_that("different fixed parts are refitted by ML, with a message", {
  m0 <- lmm(distance ~ age + Sex + (1 | Subject), nlme::Orthodont)
  m1 <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
  expect_message(table <- anova(m0, m1), class = "ferrite_message_refit")
  expect_close(table$deviance, c(434.856485093663, 428.63905801951))
  expect_close(table$Chisq[2], 6.21742707415274)
  expect_close(table[2, "Pr(>Chisq)"], 0.0126498813439564)
  expect_identical(table$Reference[2], "chi2(1)")
  expect_equal(table$AIC[2], 428.63905801951 + 2 * 6, tolerance = 1e-8)
  expect_equal(table$BIC[2], 428.63905801951 + log(108) * 6, tolerance = 1e-8)
})

test_that("a component, a covariance and several variances have their own distributions", {
  sleep <- sleep_data()
  models <- lapply(
    list(y ~ x + (1 | g), y ~ x + (x || g), y ~ x + (x | g)), lmm, data = sleep, REML = FALSE
  )
  table <- do.call(anova, models)
  expect_identical(rownames(table), paste("Model", 1:3))
  expect_identical(table$Reference, c(NA, "chi2(0:1)", "chi2(1)"))
  expect_close(table$Chisq[3], 0.0639106766852819, 1e-5)
  expect_close(table[3, "Pr(>Chisq)"], 0.800418431976803, 1e-5)
  none <- anova(models[[3]], lm(y ~ x, sleep))
  expect_identical(none$Reference[2], "chi2(2:3) bound")
  expect_close(anova(models[[1]], models[[3]])$Chisq[2], 42.139298542028)
  oats <- anova(
    lmm(score ~ Machine + (1 | Worker), nlme::Machines, REML = FALSE),
    lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines, REML = FALSE)
  )
  expect_close(oats$Chisq[2], 68.4338088616965)
  expect_close(2 * oats[2, "Pr(>Chisq)"], 1.31208627797156e-16, 1e-5)
})

test_that("columns of one span count as nested whatever they are called", {
  m0 <- lmm(score ~ Machine + (1 | Worker), nlme::Machines)
  m1 <- lmm(score ~ Machine + (0 + Machine | Worker), nlme::Machines)
  expect_identical(anova(m0, m1)$Reference[2], "chi2(4:5) bound")
  m2 <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
  expect_match(anova(m2, m1)$Reference[2], "nested?", fixed = TRUE)
})

test_that("an lm is the smallest model", {
  data <- orthodont()
  fit <- lmm(distance ~ age + (1 | Subject), data)
  line <- lm(distance ~ age, data)
  table <- anova(fit, line)
  expect_identical(rownames(table), c("line", "fit"))
  expect_equal(table$logLik[1], as.numeric(logLik(line, REML = TRUE)))
  expect_equal(table$Chisq[2], 2 * as.numeric(logLik(fit) - logLik(line, REML = TRUE)), ignore_attr = TRUE)
  expect_identical(table$Reference[2], "chi2(0:1)")
  expect_message(anova(fit, lm(distance ~ 1, data)), class = "ferrite_message_refit")
})

test_that("models on other rows, responses or weights are refused, with the difference named", {
  data <- orthodont()
  fit <- lmm(distance ~ age + (1 | Subject), data)
  refusal <- function(other) {
    conditionMessage(expect_error(anova(fit, other), class = "ferrite_error_comparison"))
  }
  fewer <- lmm(distance ~ age + (1 | Subject), data, subset = age < 14)
  expect_match(refusal(fewer), "Rows 4, 8, 12, 16, 20 and 22 more")
  expect_match(refusal(lmm(log(distance) ~ age + (1 | Subject), data)), "`log(distance)`", fixed = TRUE)
  changed <- transform(data, distance = replace(distance, 7, 99))
  expect_match(refusal(lmm(distance ~ age + (1 | Subject), changed)), "first in row 7")
  expect_match(refusal(lmm(distance ~ age + (1 | Subject), data, weights = age)), "weights")
  expect_match(refusal(glm(distance ~ age, data = data)), "class glm")
  sorted <- data[order(data$distance), ]
  expect_equal(anova(fit, lmm(distance ~ age + (age | Subject), sorted))$Chisq[2],
    anova(fit, lmm(distance ~ age + (age | Subject), data))$Chisq[2], tolerance = 1e-7)
})

test_that("print names models, criterion and distribution", {
  m0 <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
  m1 <- shared_fit("slope")
  text <- printed(anova(m0, m1))
  expect_match(text, "by REML (same fixed part)", fixed = TRUE)
  expect_match(text, "m1: distance ~ age * Sex + (age | Subject)", fixed = TRUE)
  expect_match(text, "chi2(1:2): the equal", fixed = TRUE)
  expect_identical(class(as.data.frame(anova(m0, m1))), "data.frame")
})
