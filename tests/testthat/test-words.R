# The words of lme4, nlme and stats on the methods: what they give is compared with lme4 1.1 side by side. Fits of lme4
# are pushed to the end of their optimiser, so that estimates agree to 1e-6 and what is drawn from them to 1e-5.

word_fits <- function(REML = TRUE) { # nolint: object_name_linter.
  name <- paste0("words", REML)
  if (is.null(shared_fits[[name]])) {
    tooth <- as.data.frame(nlme::Orthodont)
    tooth$Subject <- factor(as.character(tooth$Subject))
    formula <- distance ~ age * Sex + (age | Subject)
    # where drop1() and update() look for the data
    environment(formula) <- list2env(list(tooth = tooth), parent = globalenv())
    shared_fits[[name]] <- list(
      ours = do.call(lmm, list(formula, quote(tooth), REML = REML)),
      theirs = peer_fit(formula, tooth, REML = REML), data = tooth
    )
  }
  shared_fits[[name]]
}

# lme4's fit with a call that can be evaluated again: everything but the data is in it as a value.
peer_fit <- function(formula, data, ...) {
  skip_if_not_installed("lme4")
  control <- lme4::lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore"
  )
  space <- environment(formula)
  name <- if (is.null(space$tooth)) quote(data) else quote(tooth)
  call <- as.call(c(list(quote(lme4::lmer), formula, data = name, control = control), list(...)))
  suppressWarnings(eval(call, if (is.null(space$tooth)) environment() else space))
}

expect_argument_error <- function(...) {
  for (call in as.list(substitute(list(...)))[-1L]) {
    condition <- expect_error(eval(call, parent.frame()), class = "ferrite_error", info = deparse(call))
    expect_three_lines(condition, "ferrite_error")
  }
}

# Intervals ---------------------------------------------------------------------------------------------------------

test_that("confint() gives lme4's row names and columns, and finds rows by them", {
  skip_if_not_installed("lme4")
  # ML fits: both profile the same criterion, and lme4 interpolates
  fits <- list(
    ours = lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, REML = FALSE),
    theirs = lme4_fit(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, REML = FALSE)
  )
  limits <- confint(fits$ours, oldNames = TRUE)
  theirs <- suppressWarnings(confint(fits$theirs, quiet = TRUE))
  expect_identical(rownames(limits), rownames(theirs))
  expect_equal(as.data.frame(limits), as.data.frame(theirs), tolerance = 1e-3)
  expect_equal(limits["Days", 1], theirs["Days", 1], tolerance = 1e-3)
  expect_identical(names(as.data.frame(limits)), names(as.data.frame(theirs)))
  expect_identical(rownames(as.data.frame(limits)), rownames(as.data.frame(theirs)))
  expect_equal(confint(fits$ours, signames = TRUE, parm = 4), limits[4, , drop = FALSE], ignore_attr = TRUE)
  some <- confint(fits$ours, parm = c(".sig03", ".sigma"))
  expect_identical(rownames(some), c(".sig03", ".sigma"))
  expect_equal(some[1, ], limits[3, ])
  own <- confint(fits$ours, parm = c("sd_Days|Subject", "sigma"))
  expect_equal(own, some, ignore_attr = TRUE)
  expect_identical(rownames(own), c("sd_Days|Subject", "sigma"))
  expect_identical(levels(profile(fits$ours, ".sigma", points = 1)$par), "sigma")
})

test_that("kinds of bootstrap intervals have lme4's names and the quantiles of the replicates", {
  fit <- shared_fit("slope")
  wanted <- list(perc = "percentile", basic = "basic", norm = "normal")
  for (word in names(wanted)) {
    by_word <- suppressMessages(confint(fit, method = "boot", nsim = 100, seed = 1, boot.type = word))
    by_type <- suppressMessages(confint(fit, method = "boot", nsim = 100, seed = 1, type = wanted[[word]]))
    expect_identical(by_word, by_type, info = word)
  }
  boot <- bootstrap(fit, nsim = 100, seed = 1)
  age <- boot$replicates[, "age"]
  expect_equal(confint(boot, "age", type = "normal")[1, ],
    2 * boot$estimate[["age"]] - mean(age) + c(-1, 1) * qnorm(0.975) * sd(age), ignore_attr = TRUE)
  # not below zero, where no standard deviation is
  expect_true(all(confint(boot, "sd_age|Subject", level = 0.98, type = "normal") >= 0))
})

test_that("FUN is the statistic of the bootstrap", {
  fit <- shared_fit("slope")
  doubled <- function(f) c(twice = 2 * sigma(f), age = fixef(f)[[2]])
  limits <- confint(fit, method = "boot", nsim = 60, seed = 3, FUN = doubled)
  expect_identical(rownames(limits), c("twice", "age"))
  own <- confint(fit, method = "boot", nsim = 60, seed = 3, parm = c("sigma", "age"))
  expect_equal(limits[1, ], 2 * own[1, ], tolerance = 1e-10)
  expect_equal(limits[2, ], own[2, ])
  expect_identical(rownames(confint(fit, "twice", method = "boot", nsim = 60, seed = 3,
    FUN = function(f) c(twice = 2 * sigma(f), 1))), "twice")
  expect_message(confint(fit, "age", method = "Wald", FUN = fixef), "`FUN`", class = "ferrite_message_argument")
})

test_that("quiet is quiet; words without a meaning are one message, others errors", {
  fit <- shared_fit("slope")
  expect_message(confint(fit, method = "Wald"), class = "ferrite_message_interval")
  expect_no_message(confint(fit, method = "Wald", quiet = TRUE))
  heard <- character()
  withCallingHandlers(confint(fit, "age", method = "Wald", zeta = 3, parallel = "no"), message = function(m) {
    heard <<- c(heard, conditionMessage(m))
    invokeRestart("muffleMessage")
  })
  expect_length(heard, 1L)
  expect_match(heard, "`zeta` has none")
  expect_match(heard, "`parallel` has none")
  expect_message(profile(fit, "sigma", points = 1, signames = FALSE), class = "ferrite_message_argument")
  expect_argument_error(
    confint(fit, zta = 3), confint(fit, quiet = 2), confint(fit, oldNames = "yes"), confint(fit, signames = NA),
    confint(fit, method = "boot", boot.type = "student"),
    confint(fit, method = "boot", boot.type = "perc", type = "bca"),
    confint(fit, method = "boot", FUN = 3), confint(fit, ".sig09"), confint(fit, 1, 0.95, "Wald", 3, "bca", 1, 1, TRUE,
      "perc", NULL, FALSE, FALSE, FALSE, 7)
  )
})

# Residuals, likelihood -----------------------------------------------------------------------------------------------

test_that("residuals of every type of lme4, and weighted.residuals(), are lme4's", {
  skip_if_not_installed("lme4")
  data <- transform(lme4::sleepstudy, w = 1 + (seq_len(180) %% 7) / 4)
  ours <- lmm(Reaction ~ Days + (Days | Subject), data, weights = w)
  theirs <- peer_fit(Reaction ~ Days + (Days | Subject), data, weights = quote(w))
  for (type in c("response", "working", "deviance", "pearson")) {
    for (scaled in c(TRUE, FALSE)) {
      expect_equal(residuals(ours, type, scaled), residuals(theirs, type, scaled), tolerance = 1e-5, info = type)
    }
  }
  expect_equal(weighted.residuals(ours), weighted.residuals(theirs), tolerance = 1e-5)
  expect_error(residuals(ours, type = "devance"), "Did you mean \"deviance\"", class = "ferrite_error_argument")
})

test_that("REML = 1 and 0 are TRUE and FALSE, as in lme4; other values are errors", {
  for (fits in list(word_fits(), word_fits(FALSE))) {
    for (value in list(1, 0, TRUE, FALSE, NULL, NA)) {
      expect_equal(logLik(fits$ours, REML = value), logLik(fits$theirs, REML = value), tolerance = 1e-8)
    }
    # deviance() of lme4 1.1 gives the ML value whatever it is told
    for (value in list(1, 0, TRUE, FALSE, NULL)) {
      theirs <- -2 * as.numeric(logLik(fits$theirs, REML = value))
      expect_equal(deviance(fits$ours, REML = value), theirs, tolerance = 1e-8)
    }
  }
  fit <- fits$ours
  expect_argument_error(
    logLik(fit, REML = 2), logLik(fit, REML = "yes"), logLik(fit, REML = c(TRUE, FALSE)), logLik(fit, reml = TRUE),
    deviance(fit, REML = -1), deviance(fit, REML = list(1)), deviance(fit, TRUE, 3)
  )
})

# Dropping terms, refitting -----------------------------------------------------------------------------------------

test_that("drop1() by likelihood ratios, extractAIC() and dropterm() are lme4's", {
  skip_if_not_installed("MASS")
  for (fits in list(word_fits(), word_fits(FALSE))) {
    ours <- fits$ours
    theirs <- fits$theirs
    expect_equal(extractAIC(ours), extractAIC(theirs), tolerance = 1e-8)
    expect_equal(extractAIC(ours, k = log(108)), extractAIC(theirs, k = log(108)), tolerance = 1e-8)
    for (test in c("Chisq", "none")) {
      here <- drop1(ours, test = test, k = 3)
      there <- drop1(theirs, test = test, k = 3)
      expect_equal(as.data.frame(here), as.data.frame(there), tolerance = 1e-5, ignore_attr = "heading")
      expect_s3_class(here, "anova")
    }
    tooth <- fits$data
    there <- as.data.frame(MASS::dropterm(theirs, test = "Chisq"))
    expect_equal(as.data.frame(MASS::dropterm(ours, test = "Chisq")), there, tolerance = 1e-5, ignore_attr = "heading")
  }
  main <- lmm(distance ~ age + Sex + (1 | Subject), fits$data)
  expect_equal(drop1(main, ~ Sex, test = "Chisq")[2, "LRT"],
    deviance(refitML(lmm(distance ~ age + (1 | Subject), fits$data))) - deviance(refitML(main)), tolerance = 1e-8)
})

test_that("drop1() works on fits with offset, weights and residuals that are not alike", {
  data <- transform(as.data.frame(nlme::Orthodont), w = 1 + (seq_len(108) %% 3), o = seq_len(108) / 50)
  fit <- lmm(distance ~ age + Sex + offset(o) + (1 | Subject), data, weights = w, dispersion = ~ Sex)
  smaller <- lmm(distance ~ age + offset(o) + (1 | Subject), data, weights = w, dispersion = ~ Sex, REML = FALSE)
  table <- drop1(fit, test = "Chisq")
  expect_equal(table["Sex", "AIC"], AIC(smaller), tolerance = 1e-8)
  expect_equal(table["<none>", "AIC"], AIC(refitML(fit)), tolerance = 1e-8)
})

test_that("drop1() without a test is that of F, of step() that of AIC, and a user's function is asked", {
  fit <- word_fits()$ours
  expect_named(drop1(fit), c("Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"))
  expect_identical(drop1(fit, test = "F"), drop1(fit))
  expect_named(drop1(fit, k = 2), c("Df", "AIC"))
  gain <- function(object, objectDrop, ...) {
    if (missing(objectDrop)) c(gain = NA_real_) else c(gain = deviance(objectDrop) - deviance(object))
  }
  expect_gt(drop1(fit, test = "user", sumFun = gain)["age:Sex", "gain"], 0)
  expect_message(drop1(fit, ddf = "Kenward-Roger", test = "none"), "`ddf`", class = "ferrite_message_argument")
  expect_message(drop1(fit, force_get_contrasts = TRUE), class = "ferrite_message_argument")
  expect_argument_error(
    drop1(fit, test = "chi"), drop1(fit, k = -1), drop1(fit, test = "user"), drop1(fit, sumFun = 3),
    drop1(fit, tst = "F"), drop1(fit, test = "user", sumFun = function(a, b, ...) "x"), extractAIC(fit, k = "a")
  )
})

test_that("step() and stepAIC() go the way of AIC, and keep the random part", {
  skip_if_not_installed("MASS")
  data <- as.data.frame(nlme::Orthodont)
  fit <- lmm(distance ~ age + Sex + I(age^2) + (1 | Subject), data)
  trace <- utils::capture.output(chosen <- stats::step(fit))
  expect_identical(formula(chosen), distance ~ Sex + I(age^2) + (1 | Subject), ignore_formula_env = TRUE)
  expect_match(trace[1], "AIC=446.14", fixed = TRUE)
  direct <- lmm(distance ~ Sex + I(age^2) + (1 | Subject), data)
  expect_equal(chosen$criterion, direct$criterion)
  by_mass <- MASS::stepAIC(fit, trace = 0)
  expect_equal(fixef(by_mass), fixef(chosen))
  expect_equal(by_mass$anova$AIC, c(extractAIC(fit)[2], extractAIC(chosen)[2]))
  # also where nothing goes: they write the terms of the fixed part in place of the formula
  small <- lmm(distance ~ age + (1 | Subject), data)
  for (kept in list(stats::step(small, trace = 0), MASS::stepAIC(small, trace = 0), chosen, by_mass)) {
    whole <- deparse1(formula(kept))
    expect_match(whole, "(1 | Subject)", fixed = TRUE)
    expect_identical(deparse1(kept$formula), whole)
    expect_identical(deparse1(kept$call$formula), whole)
    expect_identical(deparse1(summary(kept)$formula), whole)
    for (shown in list(kept, summary(kept), icc(kept), drop1(kept), ranova(kept))) {
      expect_match(paste(utils::capture.output(print(shown)), collapse = "\n"), "(1 | Subject)", fixed = TRUE)
    }
    expect_equal(update(kept, REML = FALSE)$criterion, refitML(kept)$criterion)
    expect_equal(update(kept, . ~ . - (1 | Subject) + (age | Subject))$npar, kept$npar + 2L)
  }
})

test_that("fields of a fit can be set", {
  fit <- word_fits()$ours
  same <- fit
  same$sigma <- NULL
  expect_false("sigma" %in% names(same))
  expect_error(print(same), class = "ferrite_error_object")
  same$note <- "mine"
  expect_identical(same$note, "mine")
  same$formula <- formula(fit)
  expect_identical(same$formula, fit$formula)
})

test_that("refit() without a response, with control, and refitML() are lme4's", {
  fits <- word_fits()
  again <- refit(fits$ours)
  expect_equal(again$criterion, fits$ours$criterion, tolerance = 1e-10)
  expect_equal(fixef(again), fixef(lme4::refit(fits$theirs)), tolerance = 1e-6)
  expect_equal(update(again, . ~ . - age:Sex)$criterion, update(fits$ours, . ~ . - age:Sex)$criterion)
  expect_identical(refit(fits$ours, control = lmm_control(threads = 1))$control$threads, 1L)
  for (generic in list(refitML, lme4::refitML)) {
    ours <- generic(fits$ours)
    expect_false(isREML(ours))
    expect_equal(logLik(ours), logLik(lme4::refitML(fits$theirs)), tolerance = 1e-8)
  }
  expect_identical(refitML(word_fits(FALSE)$ours), word_fits(FALSE)$ours)
  expect_equal(logLik(refitML(fits$theirs)), logLik(ours), tolerance = 1e-8)
  expect_message(refit(fits$ours, rename.response = TRUE), class = "ferrite_message_argument")
  fit <- fits$ours
  expect_argument_error(
    refit(fit, control = 3), refit(fit, newwts = 1), refitML(fit, 3), refitML(1), rePCA(fit, 2), rePCA(3)
  )
})

test_that("lme4::bootMer() works, and gives the replicates that it gives of lme4's fit", {
  fits <- word_fits()
  ours <- lme4::bootMer(fits$ours, function(f) c(fixef(f), sigma = sigma(f)), nsim = 10, seed = 4)
  theirs <- lme4::bootMer(fits$theirs, function(f) c(lme4::fixef(f), sigma = sigma(f)), nsim = 10, seed = 4)
  expect_false(anyNA(ours$t))
  # the refits of lme4 stop earlier
  expect_equal(ours$t, theirs$t, tolerance = 1e-3)
  own <- bootstrap(fits$ours, function(f) c(fixef(f), sigma = sigma(f)), nsim = 400, seed = 4)
  many <- lme4::bootMer(fits$ours, fixef, nsim = 100, seed = 5)
  expect_equal(apply(many$t, 2, sd), apply(own$replicates[, 1:4], 2, sd), tolerance = 0.25, ignore_attr = TRUE)
})

test_that("principal components of random effects are lme4's", {
  skip_if_not_installed("lme4")
  sleep <- lme4::sleepstudy
  for (formula in list(Reaction ~ Days + (Days | Subject), Reaction ~ Days + (Days || Subject))) {
    ours <- lmm(formula, sleep)
    theirs <- lme4::rePCA(lme4_fit(formula, sleep))
    for (generic in list(rePCA, lme4::rePCA)) {
      found <- generic(ours)
      expect_s3_class(found, "prcomplist")
      expect_equal(found$Subject$sdev, theirs$Subject$sdev, tolerance = 1e-5)
      expect_equal(abs(found$Subject$rotation), abs(theirs$Subject$rotation), tolerance = 1e-4)
    }
    expect_equal(summary(found)$Subject$importance, summary(theirs)$Subject$importance, tolerance = 1e-4)
  }
})

# Comparisons ---------------------------------------------------------------------------------------------------------

test_that("names of models may be given, and the tests of other models' anova() are understood", {
  fits <- word_fits(FALSE)
  small <- update(fits$ours, . ~ . - age:Sex)
  table <- anova(small, fits$ours, model.names = c("main", "full"), test = "Chisq")
  expect_identical(rownames(table), c("main", "full"))
  theirs <- anova(update(fits$theirs, . ~ . - age:Sex), fits$theirs, model.names = c("main", "full"))
  expect_identical(rownames(theirs), rownames(table))
  expect_equal(table$Chisq, theirs$Chisq, tolerance = 1e-5)
  expect_equal(table[["Pr(>Chisq)"]], theirs[["Pr(>Chisq)"]], tolerance = 1e-5)
  full <- fits$ours
  expect_message(anova(small, full, type = 2), "`type`", class = "ferrite_message_argument")
  expect_argument_error(
    anova(small, full, model.names = "one"), anova(small, full, model.names = c("a", "a")),
    anova(small, full, test = "F"), anova(small, full, refit = "no")
  )
})

test_that("REML criteria with different fixed parts are compared under protest, under a right title, not below zero", {
  data <- as.data.frame(nlme::Orthodont)
  m0 <- lmm(distance ~ age + (1 | Subject), data)
  # a covariate in a small unit: log|X'X| makes the larger model's REML criterion the larger one
  data$noise <- 1e4 * sin(seq_len(108))
  m1 <- lmm(distance ~ age + noise + (1 | Subject), data)
  condition <- expect_warning(table <- anova(m0, m1, refit = FALSE), class = "ferrite_warning_comparison")
  expect_three_lines(condition, "ferrite_warning_comparison")
  expect_gt(REMLcrit(m1), REMLcrit(m0))
  expect_identical(table$Chisq[2], 0)
  expect_match(printed(table), "different fixed parts: not comparable", fixed = TRUE)
  ml <- lmm(distance ~ age + (1 | Subject), data, REML = FALSE)
  m2 <- lmm(distance ~ age + (age | Subject), data)
  expect_warning(anova(ml, m2, refit = FALSE), "Only `m2` is fitted by REML", class = "ferrite_warning_comparison")
  expect_no_warning(anova(m0, m2, refit = FALSE))
})

test_that("models that are not nested have AIC and BIC, and no test", {
  data <- as.data.frame(nlme::Orthodont)
  a <- lmm(distance ~ age + (1 | Subject), data, REML = FALSE)
  b <- lmm(distance ~ Sex + (1 | Subject), data, REML = FALSE)
  c <- lmm(distance ~ Sex + (age | Subject), data, REML = FALSE)
  for (table in list(anova(a, b), anova(a, c))) {
    expect_true(is.na(table$Chisq[2]) && is.na(table[2, "Pr(>Chisq)"]))
    expect_identical(table$Reference[2], "not nested")
    expect_match(printed(table), "Not nested: there is no likelihood ratio test", fixed = TRUE)
  }
  expect_equal(anova(a, b)$AIC, c(AIC(a), AIC(b)))
  expect_equal(anova(a, c)$BIC, c(BIC(a), BIC(c)))
  # other columns of one span are the same model
  d <- lmm(distance ~ I(age - 11) + (1 | Subject), data, REML = FALSE)
  expect_equal(anova(a, d)$Chisq[2], 0)
})

# Predictions and simulations -----------------------------------------------------------------------------------------

test_that("predictions of the random part, at other parameters and by old words are lme4's", {
  fits <- word_fits()
  new <- transform(fits$data[c(1, 30, 77), ], age = age + 1)
  params <- list(beta = c(20, 1, 0, 0.5), theta = c(1, 0.1, 0.2), sigma = 2)
  both <- function(..., tolerance = 1e-5) {
    expect_equal(predict(fits$ours, ...), suppressMessages(predict(fits$theirs, ...)), tolerance = tolerance,
      ignore_attr = TRUE)
  }
  both(random.only = TRUE, tolerance = 1e-4)
  both(newdata = new, random.only = TRUE, tolerance = 1e-4)
  both(newparams = params, tolerance = 1e-4)
  both(newdata = new, newparams = params, re.form = NA)
  both(newdata = new, re.form = ~ 0)
  both(newdata = new, re.form = NULL, type = "link")
  both(newdata = new, re.form = NULL, type = "response")
  expect_identical(predict(fits$ours, new, ReForm = NA), predict(fits$ours, new, re.form = NA))
  expect_identical(predict(fits$ours, new, REform = ~ (1 | Subject)),
    predict(fits$ours, new, re.form = ~ (1 | Subject)))
  expect_identical(simulate(fits$ours, seed = 1, REForm = NULL), simulate(fits$ours, seed = 1, re.form = NULL))
  # neither the fixed part nor the offset counts, and its variables may be absent
  offset <- lmm(distance ~ factor(Sex) + offset(age) + (1 | Subject), fits$data)
  expect_equal(predict(offset, data.frame(Subject = "M01"), random.only = TRUE),
    c("1" = ranef(offset)$Subject["M01", 1]))
  named <- list(theta = c("Subject.age" = 0.2, "Subject.(Intercept)" = 1, "Subject.age.(Intercept)" = 0.1))
  expect_equal(predict(fits$ours, newparams = named), predict(fits$ours, newparams = params["theta"]))
})

test_that("simulations at other parameters, of means, and of formulas are lme4's under the same seed", {
  fits <- word_fits()
  params <- list(beta = c(20, 1, 0, 0.5), theta = c(1, 0.1, 0.2), sigma = 2)
  both <- function(...) {
    expect_equal(simulate(fits$ours, nsim = 2, seed = 7, ...),
      suppressMessages(simulate(fits$theirs, nsim = 2, seed = 7, ...)), tolerance = 1e-4, ignore_attr = TRUE)
  }
  both(newparams = params)
  both(newparams = params, use.u = TRUE)
  suppressWarnings(both(newparams = params["sigma"]))
  both(cond.sim = FALSE)
  both(re.form = NULL)
  both(re.form = NA, family = gaussian)
  new <- expand.grid(age = 8:12, Subject = factor(c("b", "a")), Sex = "Male")
  drawn <- suppressMessages(lme4::simulate.formula(~ age + (age | Subject), nsim = 3, seed = 2, newdata = new,
    newparams = list(beta = c(20, 1), theta = c(1, 0.1, 0.2), sigma = 2), family = gaussian))
  # the default method is asked when lme4 is not loaded
  ours <- simulate.default(~ age + (age | Subject), nsim = 3, seed = 2, newdata = new,
    newparams = list(beta = c(20, 1), theta = c(1, 0.1, 0.2), sigma = 2), family = "gaussian")
  expect_equal(ours, drawn, ignore_attr = TRUE)
  crossed <- expand.grid(g = factor(1:3), h = factor(1:4), k = 1:2)
  drawn <- suppressMessages(lme4::simulate.formula(~ 1 + (1 | g) + (1 | h), nsim = 1, seed = 2, newdata = crossed,
    newparams = list(beta = 3, theta = c(1, 2), sigma = 0.5), family = gaussian))
  ours <- simulate.default(y ~ 1 + (1 | g) + (1 | h), 1, 2, crossed, list(beta = 3, theta = c(1, 2), sigma = 0.5))
  expect_equal(ours, drawn, ignore_attr = TRUE)
})

test_that("a formula is simulated in a session without lme4, and in one that loads it first or last", {
  skip_on_cran()
  run <- function(...) {
    code <- paste(c(..., "d <- data.frame(x = 1:6, g = gl(2, 3))",
      "p <- list(beta = c(1, 2), theta = 1, sigma = 1)",
      "s <- simulate(~ x + (1 | g), seed = 1, newdata = d, newparams = p, nsim = 1)",
      "writeLines(format(s$sim_1, digits = 12))"), collapse = "; ")
    script <- file_of(code)
    system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", script), stdout = TRUE, stderr = FALSE,
      env = paste0("R_LIBS=", paste(.libPaths(), collapse = .Platform$path.sep)))
  }
  alone <- run("library(ferrite)")
  expect_length(alone, 6L)
  skip_if_not_installed("lme4")
  expect_identical(run("library(ferrite)", "library(lme4)"), alone)
  expect_identical(run("library(lme4)", "library(ferrite)"), alone)
})

test_that("what predict() and simulate() cannot use is an error in three lines", {
  fit <- word_fits()$ours
  data <- word_fits()$data
  expect_argument_error(
    predict(fit, random.only = "yes"), predict(fit, random.only = TRUE, se.fit = TRUE), predict(fit, terms = "age"),
    predict(fit, newparams = list(beta = 1)), predict(fit, newparams = 3), predict(fit, newparams = list(bta = 1)),
    predict(fit, newparams = list(sigma = -1)), predict(fit, newparams = list(sigma = 1), interval = "confidence"),
    predict(fit, newparams = list(theta = c(a = 1, b = 2, c = 3))), predict(fit, weights = "a"),
    predict(fit, weights = NaN), predict(fit, weights = NA_real_), predict(fit, data, weights = -1),
    predict(fit, na.action = mean), simulate(fit, weights = NaN), simulate(fit, weights = factor(1)),
    simulate(fit, na.action = "nothing"), simulate(fit, na.action = mean), simulate(fit, cond.sim = 2),
    simulate(fit, family = "binomial"), simulate(fit, family = poisson), simulate(fit, newparams = list(beta = "a")),
    simulate(fit, use.u = NA), simulate(fit, use.u = TRUE, re.form = NA), simulate.default(3),
    simulate.default(~ age + (1 | Subject), newdata = data), simulate.default(~ age + (1 | Subject)),
    simulate.default(~ age, newdata = data, newparams = list(beta = 1:2, theta = 1, sigma = 1)),
    simulate.default(~ age + (1 | Subject), newdata = data, newparams = list(beta = 1:2, theta = 1)),
    simulate.default(~ age + (1 | Subject), newdata = data, newparams = list(beta = 1, theta = 1, sigma = 1)),
    simulate.default(~ age + (1 | Subject), newdata = data, newparams = list(beta = 1:2, theta = 1, sigma = 1),
      family = binomial)
  )
  short <- list(beta = 1, theta = 1, sigma = 1)
  expect_error(simulate.default(~ age + (1 | Subject), newdata = data, newparams = short),
    "(Intercept) and age", fixed = TRUE, class = "ferrite_error_argument")
})

# Reading methods -----------------------------------------------------------------------------------------------------

test_that("influence() knows lme4's words", {
  fits <- word_fits()
  expect_equal(influence(fits$ours, do.coef = FALSE)$hat, influence(fits$theirs, do.coef = FALSE)$hat, tolerance = 1e-5)
  expect_message(by_word <- influence(fits$ours, "Subject", maxfun = 100, ncores = 1, progress = FALSE), "`maxfun`",
    class = "ferrite_message_argument")
  expect_equal(by_word[["fixed.effects[-Subject]"]], influence(fits$ours, "Subject")[["fixed.effects[-Subject]"]])
  fit <- fits$ours
  expect_argument_error(
    influence(fit, data = 3), influence(fit, data = "a"), influence(fit, do.coef = 2), influence(fit, ncores = 0),
    influence(fit, maxfn = 3)
  )
})

test_that("fixef(add.dropped) is complete, ranef() has lme4's words", {
  skip_if_not_installed("lme4")
  data <- transform(as.data.frame(nlme::Orthodont), twice = 2 * age)
  ours <- suppressMessages(lmm(distance ~ age + twice + Sex + (1 | Subject), data))
  theirs <- suppressMessages(lme4::lmer(distance ~ age + twice + Sex + (1 | Subject), data))
  for (add in c(TRUE, FALSE)) {
    expect_equal(fixef(ours, add.dropped = add), lme4::fixef(theirs, add.dropped = add), tolerance = 1e-6)
  }
  fits <- word_fits()
  for (variance in c(TRUE, FALSE)) {
    here <- attributes(ranef(fits$ours, condVar = variance)$Subject)
    there <- attributes(lme4::ranef(fits$theirs, condVar = variance)$Subject)
    expect_identical("postVar" %in% names(here), "postVar" %in% names(there))
  }
  expect_identical(ranef(ours, postVar = FALSE), ranef(ours, condVar = FALSE))
  theirs <- lme4::ranef(theirs, drop = TRUE)$Subject
  expect_equal(ranef(ours, drop = TRUE)$Subject[["M01"]], theirs[["M01"]], tolerance = 1e-5)
  fit <- ours
  expect_argument_error(
    fixef(fit, complete = 3), fixef(fit, add.dropped = "a"), vcov(fit, complete = NA), ranef(fit, condVar = "a"),
    ranef(fit, drop = 1), ranef(fit, whichel = 1), ranef(fit, whichel = "s"), ranef(fit, postVar = NULL),
    VarCorr(fit, sigma = "a"), VarCorr(fit, sigma = c(1, 2)), VarCorr(fit, sigma = 0), VarCorr(fit, sigma = NA)
  )
})

test_that("levels of the long table of random effects are ordered by effect, as lme4's", {
  skip_if_not_installed("lme4")
  for (formula in list(strength ~ 1 + (1 | batch / cask), strength ~ 1 + (1 | sample))) {
    ours <- as.data.frame(ranef(lmm(formula, lme4::Pastes)))
    theirs <- as.data.frame(lme4::ranef(lme4_fit(formula, lme4::Pastes)))
    expect_identical(ours$grp, theirs$grp)
    expect_identical(ours$term, theirs$term)
  }
  fits <- word_fits()
  expect_identical(as.data.frame(ranef(fits$ours))$grp, as.data.frame(lme4::ranef(fits$theirs))$grp)
  # coefficients by group keep the order of the fit
  expect_identical(levels(as.data.frame(coef(fits$ours))$grp), rownames(coef(fits$ours)$Subject))
})

test_that("a summary has every element of lme4's, with its values", {
  for (fits in list(word_fits(), word_fits(FALSE))) {
    ours <- summary(fits$ours)
    theirs <- summary(fits$theirs)
    expect_identical(setdiff(names(theirs), names(ours)), character())
    same <- c("devcomp", "useScale", "isLmer", "ngrps", "sigma", "logLik", "residuals", "family", "link", "fitMsgs")
    for (name in same) {
      expect_equal(ours[[name]], theirs[[name]], tolerance = 1e-5, info = name)
    }
    expect_equal(ours$AICtab[names(theirs$AICtab)], c(theirs$AICtab), tolerance = 1e-8, ignore_attr = TRUE)
    expect_equal(ours$coefficients[, 1:2], theirs$coefficients[, 1:2], tolerance = 1e-6)
    expect_equal(ours$vcov, as.matrix(theirs$vcov), tolerance = 1e-5, ignore_attr = TRUE)
    expect_equal(as.data.frame(ours$varcor)$vcov, as.data.frame(theirs$varcor)$vcov, tolerance = 1e-5)
    expect_identical(names(theirs$optinfo), names(ours$optinfo))
    expect_equal(ours$optinfo$val, theirs$optinfo$val, tolerance = 1e-4)
    expect_identical(ours$optinfo$conv$lme4, list())
    expect_equal(ours$optinfo$derivs$Hessian, unname(theirs$optinfo$derivs$Hessian), tolerance = 1e-2)
  }
})

test_that("print(summary()) prints what is asked for, and nothing else", {
  fit <- word_fits()$ours
  object <- summary(fit)
  expect_match(printed(object), "Correlation of fixed effects", fixed = TRUE)
  expect_no_match(printed(object, correlation = FALSE), "Correlation of fixed", fixed = TRUE)
  expect_no_match(printed(summary(fit, correlation = FALSE)), "Correlation of fixed", fixed = TRUE)
  expect_match(printed(summary(fit, correlation = FALSE), correlation = TRUE), "Correlation of fixed", fixed = TRUE)
  expect_no_match(printed(object, show.resids = FALSE), "Scaled residuals", fixed = TRUE)
  expect_no_match(printed(object), "***", fixed = TRUE)
  expect_match(printed(object, signif.stars = TRUE), "***", fixed = TRUE)
  expect_no_match(printed(object, ranef.comp = "Variance"), "Std.Dev.", fixed = TRUE)
  expect_match(printed(object, symbolic.cor = TRUE), "legend", fixed = TRUE)
  expect_match(printed(fit, ranef.comp = c("Variance", "Std.Dev.")), "Variance", fixed = TRUE)
  expect_message(summary(fit, use.hessian = FALSE), class = "ferrite_message_argument")
  expect_argument_error(
    summary(fit, correlation = "yes"), summary(fit, correlation = c(TRUE, FALSE)), print(object, correlation = 3),
    print(object, symbolic.cor = "a"), print(object, signif.stars = 2), print(object, ranef.comp = "sd"),
    print(object, show.resids = NULL), print(object, digits = "a"), print(fit, digits = 0),
    print(fit, digits = c(3, 4)),
    print(VarCorr(fit), digits = NA), print(VarCorr(fit), formatter = "format"), print(ranef(fit), n = "a"),
    print(ranef(fit), n = -1), print(coef(fit), digits = Inf)
  )
  expect_identical(conditionCall(expect_error(print(object, digits = 99)))[[1]], quote(print))
})

test_that("variance components are printed by the user's formatter, and both columns when asked", {
  fits <- word_fits()
  bracket <- function(x, digits) sprintf("<%.2f>", x)
  text <- printed(VarCorr(fits$ours), comp = c("Variance", "Std.Dev."), formatter = bracket)
  theirs <- as.data.frame(lme4::VarCorr(fits$theirs))
  sd <- theirs$sdcor[is.na(theirs$var2)]
  for (value in c(sd, sd^2)) expect_match(text, sprintf("<%.2f>", value), fixed = TRUE)
  expect_match(printed(VarCorr(fits$ours)), "Std.Dev.", fixed = TRUE)
})
