# What a fit will cost. The structure is the engine's and is compared with that of the fit; figures by hand where there
# are any: the elements of theta are sums of q (q + 1) / 2, those of a dense factor n (n + 1) / 2.

test_that("the structure of the plan is that of the fit", {
  formulas <- list(
    distance ~ age + (age | Subject), distance ~ age * Sex + (1 | Subject), distance ~ 1 + (age || Subject)
  )
  for (formula in formulas) {
    plan <- lmm_plan(formula, nlme::Orthodont)
    fit <- suppressMessages(lmm(formula, nlme::Orthodont))
    expect_identical(plan$structure, convergence(fit)$structure)
    expect_identical(plan$n_theta, length(fit$theta))
    expect_identical(plan$nobs, 108L)
    expect_identical(plan$p, length(fixef(fit)))
    expect_true(plan$fits)
  }
})

test_that("one factor leaves no trailing matrix, crossed factors leave that of the smaller one", {
  one <- lmm_plan(score ~ Machine + (Machine | Worker), nlme::Machines)
  expect_identical(one$order, 0L)
  expect_identical(one$n_theta, 6L)
  expect_identical(one$groups, data.frame(group = "Worker", levels = 6L, effects = 3L))
  crossed <- lmm_plan(log(decrease) ~ treatment + (1 | rowpos) + (1 | colpos), OrchardSprays)
  expect_identical(crossed$order, 8L)
  expect_true(crossed$dense)
  expect_equal(crossed$fill, 8 * 9 / 2)
  expect_identical(crossed$groups$levels, c(8L, 8L))
})

test_that("weights, subset, missing values and contrasts are read as by lmm()", {
  data <- nlme::Orthodont
  data$distance[3] <- NA
  data$w <- rep(c(1, 0, 2, 3), 27)
  plan <- suppressMessages(lmm_plan(distance ~ age + (1 | Subject), data, weights = w, subset = Sex == "Male"))
  fit <- suppressMessages(lmm(distance ~ age + (1 | Subject), data, weights = w, subset = Sex == "Male"))
  expect_identical(plan$nobs, nobs(fit))
  expect_identical(plan$groups$levels, 16L)
  inside <- function(threshold) lmm_plan(distance ~ age + (1 | Subject), data, subset = age > threshold)$nobs
  expect_identical(inside(9), 80L)
  expect_identical(lmm_plan("distance ~ Sex + (1 | Subject)", data, contrasts = list(Sex = "contr.sum"))$p, 2L)
})

test_that("wrong input is an error before any work, as by lmm(), and names lmm_plan()", {
  error <- tryCatch(lmm_plan(distance ~ age + (1 | Subjet), nlme::Orthodont), error = identity)
  expect_three_lines(error, "ferrite_error_variable")
  expect_identical(as.character(conditionCall(error)[[1]]), "lmm_plan")
  expect_error(lmm_plan(distance ~ age, nlme::Orthodont), class = "ferrite_error_formula")
  expect_error(lmm_plan(distance ~ age + (1 | Subject), nlme::Orthodont, REML = NA), class = "ferrite_error_argument")
  expect_error(lmm_plan(distance ~ age + (1 | Subject), nlme::Orthodont, control = 3),
               class = "ferrite_error_control")
})

test_that("what does not fit in memory is said and is no error", {
  plan <- lmm_plan(distance ~ age + (age | Subject), nlme::Orthodont, control = lmm_control(memory = 3000))
  expect_false(plan$fits)
  expect_match(printed(plan), "lmm() will refuse", fixed = TRUE)
  expect_error(lmm(distance ~ age + (age | Subject), nlme::Orthodont, control = lmm_control(memory = 3000)),
               class = "ferrite_error_too_large")
})

test_that("time adds up: the work at the rate of its kind, times the evaluations", {
  rates <- list(blocks = 20, update = 10, dense = 100, sparse = 50, overhead = 0.5, call = 7, fixed = 4, each = 2)
  dense <- planned_time(list(order = 10L, dense = TRUE, fill = 55, work = 1040, n_theta = 3L), 1, 2, rates)
  expect_equal(dense$evaluations, 10)
  expect_equal(dense$seconds[["evaluation"]], 0.5 + 40 / 10 + 1000 / 100)
  expect_equal(dense$seconds[["total"]], 7 + 2 + 1 + 10 * 14.5)
  expect_equal(dense$seconds[c("lower", "upper")], dense$seconds[["total"]] * c(lower = 0.5, upper = 2))
  sparse <- planned_time(list(order = 12L, dense = FALSE, fill = 20, work = 110, n_theta = 1L), 0, 0, rates)
  expect_equal(sparse$seconds[["evaluation"]], 0.5 + 10 / 10 + 100 / 50)
  # 4 effects that meet all of 200 columns: 3 * 200^2 operations each, at twice the rate
  groups <- data.frame(levels = c(4L, 200L), effects = 1L)
  filled <- list(order = 200L, dense = TRUE, fill = 20100, work = 8e6 + 4 * 3 * 200^2, n_theta = 2L, groups = groups)
  found <- planned_time(filled, 0, 0, rates)
  expect_equal(found$seconds[["evaluation"]], 0.5 + 4 * 3 * 200^2 / 20 + 8e6 / 100)
  none <- planned_time(list(order = 0L, dense = TRUE, fill = 0, work = 20, n_theta = 1L), 0, 0, rates)
  expect_equal(none$seconds[["evaluation"]], 0.5 + 20 / 20)
})

test_that("print is a few lines, as.data.frame one row", {
  plan <- lmm_plan(distance ~ age + (1 | Subject), nlme::Orthodont)
  text <- strsplit(printed(plan), "\n")[[1]]
  expect_identical(sub(":.*", "", text[-1]), c("Formula", "Size", "Structure", "Memory", "Time"))
  expect_match(text[3], "108 rows, 2 fixed effects, 27 random effects, 1 variance parameter besides sigma")
  table <- as.data.frame(plan)
  expect_identical(dim(table), c(1L, 13L))
  expect_identical(table$random_effects, 27)
  both <- rbind(table, as.data.frame(lmm_plan(distance ~ age + (age | Subject), nlme::Orthodont)))
  expect_identical(both$n_theta, c(1L, 3L))
})

test_that("durations have the unit that suits them", {
  expect_identical(duration(c(0.00012, 0.5, 12, 200, 9000)), c("0.12 ms", "0.5 s", "12 s", "3.3 min", "2.5 h"))
})

test_that("residuals that are not alike are counted: parameters, kinds of rows, memory, time", {
  data <- as.data.frame(nlme::Orthodont)
  data$visit <- (data$age - 6) / 2
  formula <- distance ~ age + (1 | Subject)
  plain <- lmm_plan(formula, data)
  expect_null(plain$residual)
  strata <- lmm_plan(formula, data, dispersion = ~ Sex)
  found <- strata$residual[c("parameters", "classes", "kept")]
  expect_identical(found, list(parameters = 1L, classes = 2, kept = TRUE))
  # rows, their sides and pairs of neighbours, each of boys and of girls
  both <- lmm_plan(formula, data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  expect_identical(both$residual$classes, 6)
  expect_identical(both$residual$parameters, 2L)
  # 27 levels with 1 + 3 elements each, and the triangle of 3 x 3
  expect_equal(both$residual$elements, 27 * 4 + 9)
  # lengths of series 4 (26) and 3 (1), one kind of row
  symmetric <- lmm_plan(distance ~ age + (0 + age | Subject), data[-1, ], correlation = cs(~ 1 | Subject))
  expect_identical(symmetric$residual$classes, 3)
  mixed <- lmm_plan(distance ~ age + (0 + age | Subject), data, dispersion = ~ factor(age),
    correlation = cs(~ 1 | Subject))
  expect_false(mixed$residual$kept)
  expect_identical(lmm_plan(formula, data, dispersion = ~ age + Sex)$residual$classes, 8)
  for (plan in list(strata, both, mixed)) {
    expect_gt(plan$evaluations, plain$evaluations)
    expect_gt(plan$seconds[["evaluation"]], plain$seconds[["evaluation"]])
    expect_gt(plan$residual$bytes, 0)
  }
  text <- strsplit(printed(both), "\n")[[1]]
  expect_match(text[4], "Residuals:  dispersion = ~Sex, correlation = ar1(~visit | Subject)", fixed = TRUE)
  expect_match(text[5], "2 parameters, 6 kinds of rows, summed once for each", fixed = TRUE)
  expect_match(printed(mixed), "every evaluation reads the rows", fixed = TRUE)
  expect_identical(dim(rbind(as.data.frame(plain), as.data.frame(both))), c(2L, 13L))
})

test_that("a correlation that ties the levels of a factor leaves them to the trailing matrix, as in the fit", {
  set.seed(4)
  data <- expand.grid(g = factor(1:6), t = 1:30)
  data$day <- factor(data$t)
  data$y <- stats::rnorm(180) + stats::rnorm(6)[data$g] + stats::rnorm(30)[data$t]
  plan <- lmm_plan(y ~ 1 + (1 | g) + (1 | day), data, correlation = ar1(~ t | g))
  fit <- suppressMessages(lmm(y ~ 1 + (1 | g) + (1 | day), data, correlation = ar1(~ t | g)))
  expect_identical(plan$order, 30L)
  expect_identical(plan$structure, convergence(fit)$structure)
  expect_identical(lmm_plan(y ~ 1 + (1 | g) + (1 | day), data)$order, 6L)
})

test_that("wrong residuals are errors of lmm_plan() as of lmm()", {
  formula <- distance ~ age + (1 | Subject)
  expect_error(lmm_plan(formula, nlme::Orthodont, dispersion = ~ Sexx), "Did you mean `Sex`",
               class = "ferrite_error_variable")
  expect_error(lmm_plan(formula, nlme::Orthodont, correlation = ar2(~ age | Subject)), "Did you mean `ar1`",
               class = "ferrite_error_correlation")
  expect_identical(lmm_plan(formula, nlme::Orthodont, start = 1)$n_theta, 1L)
})
