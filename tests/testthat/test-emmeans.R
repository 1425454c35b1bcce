# emmeans on our fits beside emmeans on the same fits by lmerTest and pbkrtest, and what emmeans asks of a model.

# The same model by lmerTest, its optimiser pushed to the end.
lmertest_fit <- function(formula, data, ...) {
  skip_if_not_installed("lmerTest")
  skip_if_not_installed("pbkrtest")
  control <- lme4::lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore",
    check.rankX = "silent.drop.cols"
  )
  suppressWarnings(do.call(lmerTest::lmer, list(formula, data, control = control, ...)))
}

# Every number of two tables of emmeans, relative to its size; characters and headings must be the same.
expect_same_table <- function(ours, theirs, tolerance = 1e-5) {
  ours <- as.data.frame(ours)
  theirs <- as.data.frame(theirs)
  expect_identical(names(ours), names(theirs))
  for (name in names(theirs)) {
    if (is.numeric(theirs[[name]])) {
      expect_identical(is.na(ours[[name]]), is.na(theirs[[name]]))
      expect_equal(ours[[name]], theirs[[name]], tolerance = tolerance)
    } else {
      expect_identical(as.character(ours[[name]]), as.character(theirs[[name]]))
    }
  }
}

quiet <- function(expr) suppressMessages(expr)

# Split plot, random slopes, polynomial contrasts, a matrix of variances, unbalanced, log response, no intercept.
emmeans_cases <- function() {
  oats <- plain(nlme::Oats)
  orthodont <- plain(nlme::Orthodont)
  cake <- from_package("lme4", "cake")
  list(
    list(yield ~ factor(nitro) * Variety + (1 | Block / Variety), oats, ~ nitro | Variety, NULL),
    list(Reaction ~ Days + (Days | Subject), from_package("lme4", "sleepstudy"), ~ Days, list(Days = c(0, 3, 9))),
    list(distance ~ Sex * age + (age | Subject), orthodont, ~ Sex | age, list(age = c(8, 11, 14))),
    list(angle ~ recipe * temperature + (1 | recipe:replicate), cake, ~ recipe, NULL),
    list(score ~ Machine + (Machine | Worker), plain(nlme::Machines), ~ Machine, NULL),
    list(angle ~ recipe * temp + (1 | recipe:replicate), cake[-c(1:7, 20, 33, 100:130), ], ~ recipe | temp,
         list(temp = c(180, 220))),
    list(log(yield) ~ nitro + Variety + (1 | Block / Variety), oats[-(1:9), ], ~ Variety, NULL),
    list(distance ~ 0 + Sex * poly(age, 2) + (1 | Subject), orthodont[-(3:9), ], ~ Sex | age, list(age = c(8, 13)))
  )
}

test_that("means and pairwise differences are those of the lmerTest fit, with every method for degrees of freedom", {
  skip_if_not_installed("emmeans")
  for (case in emmeans_cases()) {
    data <- case[[2]]
    ours <- quiet(lmm(case[[1]], data))
    theirs <- lmertest_fit(case[[1]], data)
    for (mode in c("satterthwaite", "kenward-roger", if (nrow(data) < 60) "asymptotic")) {
      means <- lapply(list(ours, theirs), function(fit) {
        at <- if (length(case[[4]])) list(at = case[[4]])
        quiet(do.call(emmeans::emmeans, c(list(fit, case[[3]], mode = mode), at)))
      })
      expect_same_table(means[[1]], means[[2]])
      if (nrow(as.data.frame(means[[1]])) > 1L) expect_same_table(pairs(means[[1]]), pairs(means[[2]]))
    }
    if (nrow(data) > 110) next
    # these round F and its degrees of freedom
    expect_same_table(quiet(emmeans::joint_tests(ours)), quiet(emmeans::joint_tests(theirs)), 1e-3)
  }
})

test_that("a contrast of emmeans is the same contrast of contest()", {
  skip_if_not_installed("emmeans")
  fit <- shared_fit("nested")
  for (ddf in c("Satterthwaite", "Kenward-Roger")) {
    found <- as.data.frame(pairs(emmeans::emmeans(fit, "Machine", ddf = ddf), reverse = TRUE))
    ours <- contest(fit, c("MachineB", "MachineC", "MachineC - MachineB"), joint = FALSE, ddf = ddf)
    expect_equal(found$estimate, ours$Estimate)
    expect_equal(found$SE, ours[["Std. Error"]])
    expect_equal(found$df, ours$df)
    # balanced: standard error sqrt(2 MS / 18) with MS of Worker:Machine, 10 degrees of freedom
    expect_equal(found$df, rep(10, 3), tolerance = 1e-6)
  }
})

test_that("slopes, transformed responses, offsets, weights and other covariance matrices are as on the lmerTest fit", {
  skip_if_not_installed("emmeans")
  data <- plain(nlme::Orthodont)
  data$text <- as.character(data$Sex)
  data$big <- as.integer(factor(data$Subject)) %% 2 == 0
  both <- function(formula, ...) list(lmm(formula, data, ...), lmertest_fit(formula, data, ...))
  same <- function(fits, of) do.call(expect_same_table, lapply(fits, function(fit) quiet(of(fit))))

  fits <- both(log(distance) ~ Sex * age + (1 | Subject))
  same(fits, function(fit) emmeans::emmeans(fit, ~ Sex, type = "response"))
  same(fits, function(fit) summary(pairs(emmeans::emmeans(fit, ~ Sex)), type = "response", infer = TRUE))
  same(fits, function(fit) pairs(emmeans::emtrends(fit, ~ Sex, var = "age", mode = "satterthwaite")))
  same(fits, function(fit) emmeans::emmeans(fit, ~ Sex, regrid = "response"))

  fits <- both(sqrt(distance) ~ poly(age, 2) + text * big + offset(age / 100) + (1 | Subject))
  same(fits, function(fit) emmeans::emmeans(fit, ~ text * big, at = list(age = 9)))
  same(fits, function(fit) emmeans::emmeans(fit, ~ text, submodel = ~ text))
  same(fits, function(fit) emmeans::emmeans(fit, ~ text, df = 12))
  double <- function(model, ...) 2 * as.matrix(vcov(model))
  same(fits, function(fit) emmeans::emmeans(fit, ~ text, mode = "satt", vcov. = double))

  # pbkrtest leaves prior weights out
  fits <- list(
    lmm(distance ~ Sex * log(age) + (1 | Subject), data, weights = age),
    lmertest_fit(distance ~ Sex * log(age) + (1 | Subject), data, weights = quote(age))
  )
  same(fits, function(fit) emmeans::emmeans(fit, ~ Sex, mode = "satterthwaite"))
  same(both(distance ~ Sex * age + (1 | Subject), REML = FALSE), function(fit) {
    emmeans::emmeans(fit, ~ Sex, lmer.df = "satterthwaite")
  })
})

test_that("cells that cannot be estimated are shown as such, nested factors are found", {
  skip_if_not_installed("emmeans")
  cake <- from_package("lme4", "cake")
  cake$t <- factor(cake$temp)
  cake$cell <- factor(paste(cake$recipe, cake$temp))
  cake <- cake[!(cake$recipe == "B" & cake$temp == 205), ]
  ours <- quiet(lmm(angle ~ recipe * t + (1 | recipe:replicate), cake))
  theirs <- lmertest_fit(angle ~ recipe * t + (1 | recipe:replicate), cake)
  means <- emmeans::emmeans(ours, ~ recipe | t)
  found <- as.data.frame(means)
  expect_identical(paste(found$recipe, found$t)[is.na(found$emmean)], "B 205")
  expect_match(printed(means), "nonEst")
  expect_same_table(means, emmeans::emmeans(theirs, ~ recipe | t))
  expect_same_table(pairs(means), pairs(emmeans::emmeans(theirs, ~ recipe | t)))
  expect_same_table(quiet(emmeans::emmeans(ours, ~ recipe)), quiet(emmeans::emmeans(theirs, ~ recipe)))
  nested <- quiet(lmm(angle ~ recipe / cell + (1 | recipe:replicate), cake))
  expect_message(means <- emmeans::emmeans(nested, ~ cell), "nesting")
  expect_same_table(means, quiet(emmeans::emmeans(
    lmertest_fit(angle ~ recipe / cell + (1 | recipe:replicate), cake), ~ cell
  )))
})

test_that("there are degrees of freedom for more than 3,000 rows", {
  skip_if_not_installed("emmeans")
  set.seed(7)
  data <- expand.grid(f = c("a", "b", "c"), i = 1:40, g = factor(1:40))
  data$h <- factor(sample(50, nrow(data), TRUE))
  data$y <- stats::rnorm(40)[data$g] + stats::rnorm(50)[data$h] + stats::rnorm(nrow(data))
  fit <- quiet(lmm(y ~ f + (f | g) + (1 | h), data))
  expect_gt(nobs(fit), 3000)
  for (mode in c("satterthwaite", "kenward-roger")) {
    found <- as.data.frame(pairs(emmeans::emmeans(fit, ~ f, mode = mode)))
    expect_true(all(is.finite(found$df)))
    ddf <- c(satterthwaite = "Satterthwaite", "kenward-roger" = "Kenward-Roger")[[mode]]
    expect_equal(found$df[1:2], contest(fit, c("fb", "fc"), joint = FALSE, ddf = ddf)$df)
  }
})

test_that("Kenward and Roger's method on an ML fit is that of the REML refit, with a message", {
  skip_if_not_installed("emmeans")
  fit <- shared_fit("ml")
  expect_message(found <- emmeans::emmeans(fit, ~ Sex), class = "ferrite_message_ddf")
  reml <- update(fit, REML = TRUE)
  expect_same_table(found, quiet(emmeans::emmeans(reml, ~ Sex)), 1e-10)
  fit <- shared_fit("nested")
  expect_message(emmeans::emmeans(fit, ~ Machine, vcov. = vcov(fit)), class = "ferrite_message_ddf")
})

test_that("the data are found where they are, whatever happened to them since", {
  skip_if_not_installed("emmeans")
  inside <- function(data) lmm(log(distance) ~ log(age) * Sex + (1 | Subject), data[data$age > 8, ])
  fit <- inside(nlme::Orthodont)
  reference <- as.data.frame(quiet(emmeans::emmeans(fit, ~ Sex)))
  at_mean <- data.frame(age = 12, Sex = levels(nlme::Orthodont$Sex))
  expect_equal(reference$emmean, unname(predict(fit, at_mean, re.form = NA)))
  local <- nlme::Orthodont
  fit <- lmm(log(distance) ~ log(age) * Sex + (1 | Subject), local, subset = age > 8)
  expect_same_table(quiet(emmeans::emmeans(fit, ~ Sex)), reference)
  local <- local[sample(nrow(local)), ]
  expect_same_table(quiet(emmeans::emmeans(fit, ~ Sex)), reference)
  local$age <- local$age + 1
  expect_error(emmeans::emmeans(fit, ~ Sex), "`age` is no longer the same in `local`")
  local <- NULL
  expect_error(emmeans::emmeans(fit, ~ Sex), "`age` is not found in `local`")
  given <- subset(nlme::Orthodont, age > 8)
  expect_same_table(quiet(emmeans::emmeans(fit, ~ Sex, data = given)), reference)
  # without functions in the terms, the frame of the fit is enough
  gone <- plain(nlme::Orthodont)
  fit <- lmm(distance ~ age + Sex + (1 | Subject), gone)
  rm(gone)
  expect_equal(as.data.frame(emmeans::emmeans(fit, ~ Sex))$emmean, c(24.96875, 22.64773), tolerance = 1e-6)
})

test_that("constants inside of terms and variables of the session are told apart", {
  skip_if_not_installed("emmeans")
  degree <- 2
  y <- nlme::Orthodont$distance
  age <- nlme::Orthodont$age
  sex <- nlme::Orthodont$Sex
  g <- nlme::Orthodont$Subject
  fit <- lmm(y ~ poly(age, degree) + sex + (1 | g))
  table <- recover_variables(fit, list(fit$terms), NULL)
  expect_identical(names(table), c("y", "age", "sex"))
  expect_identical(attr(table, "constants"), "degree")
  expect_identical(table$age, age)
  at_mean <- data.frame(age = 11, sex = levels(sex))
  expect_equal(as.data.frame(emmeans::emmeans(fit, ~ sex))$emmean, unname(predict(fit, at_mean, re.form = NA)))
})

test_that("a wrong method or an unknown factor is an error", {
  skip_if_not_installed("emmeans")
  fit <- shared_fit("nested")
  found <- tryCatch(emmeans::emmeans(fit, ~ Machine, mode = "wald"), error = identity)
  expect_three_lines(found, "ferrite_error_argument")
  expect_error(emmeans::emmeans(fit, ~ Machine, ddf = 3), class = "ferrite_error_argument")
  expect_error(emmeans::emmeans(fit, ~ Worker), "Worker")
})
