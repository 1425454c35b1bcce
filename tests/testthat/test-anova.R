test_that("balanced designs have the F tests of their strata", {
  oats <- as.data.frame(nlme::Oats)
  oats$nitro <- factor(oats$nitro)
  oats$Block <- factor(oats$Block, ordered = FALSE)
  fit <- lmm(yield ~ Variety * nitro + (1 | Block / Variety), oats)
  strata <- summary(aov(yield ~ Variety * nitro + Error(Block / Variety), oats))
  plots <- strata[["Error: Block:Variety"]][[1]]
  within <- strata[["Error: Within"]][[1]]
  for (type in c("I", "II", "III")) {
    for (method in c("Satterthwaite", "Kenward-Roger")) {
      table <- anova(fit, type = type, ddf = method)
      expect_s3_class(table, "anova")
      expect_identical(rownames(table), c("Variety", "nitro", "Variety:nitro"))
      expect_close(table$`F value`, c(plots[1, 4], within[1:2, 4]), 1e-6)
      expect_close(table$DenDF, c(10, 45, 45), 1e-6)
      expect_close(table$`Sum Sq`[2:3], within[1:2, 2], 1e-6)
      expect_close(table$`Pr(>F)`, c(plots[1, 5], within[1:2, 5]), 1e-5)
    }
  }
})

test_that("the square of t is F for a term with one coefficient", {
  fit <- shared_fit("crossed")
  for (method in c("Satterthwaite", "Kenward-Roger", "asymptotic")) {
    table <- anova(fit, ddf = method)
    rows <- contest(fit, c("day", "I(day^2)"), joint = FALSE, ddf = method)
    expect_equal(table$`F value`, rows$`t value`^2)
    expect_equal(table$DenDF, rows$df)
    expect_equal(table$`Pr(>F)`, rows$`Pr(>|t|)`, tolerance = 1e-6)
  }
})

test_that("the table says type and method, and keeps the hypotheses", {
  table <- anova(shared_fit("slope"), type = 2, ddf = "Kenward-Roger")
  expect_match(printed(table), "Type II Analysis of Variance Table with Kenward-Roger's method")
  expect_named(attr(table, "hypotheses"), c("age", "Sex", "age:Sex"))
})

test_that("a term without estimated coefficients is NA", {
  table <- anova(shared_fit("dropped"))
  expect_identical(is.na(table$`F value`), c(FALSE, TRUE))
})

test_that("a model with an intercept alone has an empty table", {
  expect_identical(dim(anova(shared_fit("singular"))), c(0L, 6L))
  expect_match(printed(anova(shared_fit("singular"))), "There are no terms")
})

test_that("a wrong type or argument is an error with the remedy", {
  fit <- shared_fit("slope")
  for (type in list(4, "IV", NULL, c(1, 2), NA)) {
    condition <- expect_error(anova(fit, type = type), class = "ferrite_error_argument")
    expect_three_lines(condition, "ferrite_error_argument")
  }
  expect_error(anova(fit, tpye = "II"), class = "ferrite_error_argument")
})

test_that("several models are compared", {
  small <- update(shared_fit("ml"), . ~ . - I(age - 11):Sex)
  table <- anova(small, shared_fit("ml"))
  expect_equal(table$Chisq[2], as.numeric(2 * (logLik(shared_fit("ml")) - logLik(small))))
})

test_that("unbalanced designs agree with lmerTest and pbkrtest", {
  skip_if_not_installed("lmerTest")
  set.seed(9)
  n <- 140
  data <- data.frame(
    g = factor(sample(14, n, TRUE)), h = factor(sample(5, n, TRUE)), a = factor(sample(c("p", "q", "r"), n, TRUE)),
    b = factor(sample(c("u", "v"), n, TRUE, c(0.7, 0.3))), o = factor(sample(4, n, TRUE), ordered = TRUE),
    x = rnorm(n, 3), k = sample(c("s", "t"), n, TRUE)
  )
  data$y <- rnorm(14)[data$g] + 0.8 * rnorm(5)[data$h] + 0.3 * as.integer(data$a) + 0.2 * data$x + rnorm(n)
  data$twice <- 2 * data$x + 1
  empty <- subset(data, !(a == "r" & b == "v"))
  designs <- list(
    list(y ~ a + b + x + (1 | g), data), list(y ~ a * b + (1 | g) + (1 | h), data), list(y ~ a * b * x + (1 | g), data),
    list(y ~ o * a + (1 | g), data), list(y ~ a * poly(x, 2) + (1 | g), data), list(y ~ k * b + (1 | g), data),
    list(y ~ 0 + a + x + (1 | g), data), list(y ~ a + (1 | g), data), list(y ~ a + x + twice + b + (1 | g), data),
    list(y ~ a * b + x + (1 | g), empty), list(y ~ a * b * o + (1 | g), empty)
  )
  methods <- c("Satterthwaite", if (requireNamespace("pbkrtest", quietly = TRUE)) "Kenward-Roger")
  for (design in designs) {
    control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11), check.conv.singular = "ignore")
    theirs <- suppressMessages(eval(bquote(lmerTest::lmer(.(design[[1]]), design[[2]], control = control))))
    ours <- suppressMessages(lmm(design[[1]], design[[2]]))
    for (type in c("I", "II", "III")) {
      for (method in methods) {
        reference <- suppressMessages(as.matrix(anova(theirs, type = type, ddf = method)))
        table <- suppressMessages(as.matrix(anova(ours, type = type, ddf = method)))
        expect_setequal(rownames(table), rownames(reference))
        expect_close(table[rownames(reference), 1:5], unname(reference[, 1:5]), 1e-4)
      }
    }
  }
})

test_that("type = \"marginal\", \"sequential\" and ddf = \"lme4\" are as in lmerTest", {
  skip_if_not_installed("lmerTest")
  ham <- from_package("lmerTest", "ham")
  formula <- Informed.liking ~ Product * Information + (1 | Consumer)
  ours <- lmm(formula, ham)
  theirs <- do.call(lmerTest::lmer, list(formula, ham))
  same <- function(a, b) {
    expect_identical(dimnames(a), dimnames(b))
    expect_equal(as.matrix(a), as.matrix(b), tolerance = 1e-4)
  }
  same(anova(ours, type = "marginal"), anova(theirs, type = "marginal"))
  expect_match(attr(anova(ours, type = "marginal"), "heading"), "Marginal Analysis of Variance")
  same(anova(ours, ddf = "lme4"), anova(theirs, ddf = "lme4"))
  expect_identical(anova(ours, type = "sequential"), anova(ours, type = 1))
  expect_identical(anova(ours, type = "2"), anova(ours, type = "II"))
  shown <- summary(ours, ddf = "lme4")
  expect_equal(coef(shown), coef(summary(theirs, ddf = "lme4")), tolerance = 1e-4)
  expect_output(print(shown), "Fixed effects \\(no tests\\)")
  skip_if_not_installed("broom.mixed")
  tidied <- lapply(list(ours, theirs), broom.mixed::tidy, ddf.method = "lme4", conf.int = TRUE)
  expect_named(tidied[[1]], names(tidied[[2]]))
  expect_equal(as.data.frame(tidied[[1]]), as.data.frame(tidied[[2]]), tolerance = 1e-4)
  expect_three_lines(tryCatch(anova(ours, type = "yates"), error = identity), "ferrite_error_argument")
})
