test_that("coefficients by group are long, as random effects are", {
  fit <- shared_fit("slope")
  table <- as.data.frame(coef(fit))
  wide <- coef(fit)$Subject
  expect_named(table, c("grpvar", "term", "grp", "value"))
  expect_identical(nrow(table), nrow(wide) * ncol(wide))
  expect_identical(levels(table$grp), rownames(wide))
  expect_equal(table$value[table$term == "age"], wide$age)
})

test_that("a summary is its table of tests", {
  object <- summary(shared_fit("slope"))
  table <- as.data.frame(object)
  expect_identical(table$term, rownames(coef(object)))
  expect_equal(table[["Pr(>|t|)"]], unname(coef(object)[, "Pr(>|t|)"]))
  expect_identical(rownames(table), as.character(1:4))
})

test_that("intervals are their two columns under the names of their percents, as of any matrix", {
  limits <- confint(shared_fit("slope"), c("sigma", "age"), level = 0.99)
  table <- as.data.frame(limits)
  expect_named(table, c("0.5 %", "99.5 %"))
  expect_identical(rownames(table), c("sigma", "age"))
  expect_equal(as.matrix(table), limits, ignore_attr = TRUE)
  expect_identical(table["age", "0.5 %"], limits["age", 1])
  boot <- confint(bootstrap(shared_fit("slope"), nsim = 50, seed = 1), level = 0.5)
  expect_named(as.data.frame(boot), c("25 %", "75 %"))
  ordinary <- confint(lm(distance ~ age, nlme::Orthodont))
  expect_identical(names(as.data.frame(confint(shared_fit("slope"), "age"))), names(as.data.frame(ordinary)))
})

test_that("convergence is one row", {
  fit <- shared_fit("slope")
  table <- as.data.frame(convergence(fit))
  expect_identical(dim(table), c(1L, 9L))
  expect_identical(table$status, "converged")
  expect_equal(table$criterion, REMLcrit(fit))
})

test_that("every table of the package is a data frame by as.data.frame()", {
  fit <- shared_fit("nested")
  tables <- list(
    summary(fit), VarCorr(fit), ranef(fit), coef(fit), anova(fit), drop1(fit), contest(fit, "MachineB"),
    ranova(fit, nsim = 50), icc(fit), varcomp_anova(fit), confint(fit, method = "Wald", parm = "beta_"),
    profile(fit, "sigma", points = 1), bootstrap(fit, nsim = 20, seed = 1), convergence(fit),
    shrinkage(fit), influence(fit, "Worker"), refit_many(fit, simulate(fit, 3, seed = 1)),
    lmm_plan(score ~ 1 + (1 | Worker), nlme::Machines)
  )
  for (table in tables) {
    plain <- as.data.frame(table)
    expect_identical(class(plain), "data.frame", info = class(table)[1])
    expect_gt(nrow(plain), 0)
  }
})

test_that("a part of a table with notes is an ordinary data frame", {
  fit <- shared_fit("slope")
  table <- ranova(fit, nsim = 50)
  expect_identical(class(table[2, ]), "data.frame")
  expect_identical(table[2, "Df"], table$Df[2])
  expect_identical(names(table["LRT"]), "LRT")
  pair <- anova(fit, update(fit, . ~ . - (age | Subject) + (1 | Subject)))
  expect_identical(class(pair[2, c("Chisq", "Df")]), "data.frame")
  expect_identical(lapply(list(pair), `[`, 2, "Df")[[1]], pair$Df[2])
})
