# Words of lme4 and nlme in a call of lmm(). References: the same fit in the words of lmm(), and lme4 where installed.

said_by <- function(expr) {
  found <- list()
  value <- withCallingHandlers(expr, message = function(m) {
    found[[length(found) + 1L]] <<- m
    invokeRestart("muffleMessage")
  })
  list(value = value, messages = found)
}

orthodont <- as.data.frame(nlme::Orthodont)
model <- distance ~ age + (age | Subject)
plain <- lmm(model, orthodont)

test_that("REML is a flag, or 1 or 0 as for lmer()", {
  expect_true(lmm(model, orthodont, REML = 1)$REML)
  expect_false(lmm(model, orthodont, REML = 0)$REML)
  expect_false(update(plain, REML = 0)$REML)
  for (wrong in list(2, NA, "yes", NULL, c(TRUE, TRUE), mean)) {
    expect_three_lines(tryCatch(lmm(model, orthodont, REML = wrong), error = identity), "ferrite_error_argument")
  }
  skip_if_not_installed("lme4")
  for (reml in 0:1) {
    peer <- lme4::lmer(model, orthodont, REML = reml)
    expect_equal(logLik(lmm(model, orthodont, REML = reml))[1], logLik(peer)[1], tolerance = 1e-7)
  }
})

test_that("verbose shows progress and says that there is no trace", {
  found <- said_by(lmm(model, orthodont, verbose = 2))
  expect_length(found$messages, 1L)
  expect_three_lines(found$messages[[1L]], "ferrite_message_argument")
  expect_true(found$value$control$progress)
  expect_identical(found$value$theta, plain$theta)
  for (none in list(0L, FALSE, -1)) expect_silent(lmm(model, orthodont, verbose = none))
  for (wrong in list("a", NA, 1:2, NULL)) expect_error(lmm(model, orthodont, verbose = wrong), "`verbose`",
    class = "ferrite_error_argument")
  expect_length(said_by(update(plain, verbose = 1))$messages, 1L)
})

test_that("devFunOnly gives the criterion as a function of theta, lme4's", {
  skip_if_not_installed("lme4")
  slopes <- distance ~ age + (age | Subject)
  for (reml in c(TRUE, FALSE)) {
    ours <- lmm(slopes, orthodont, REML = reml, devFunOnly = TRUE)
    theirs <- lme4::lmer(slopes, orthodont, REML = reml, devFunOnly = TRUE)
    for (theta in list(c(1, 0, 0.3), c(2, -0.1, 0.1), c(0, 0, 0))) {
      expect_equal(ours(theta), theirs(theta), tolerance = 1e-10)
    }
  }
  expect_silent(lmm(model, orthodont, devFunOnly = FALSE))
  expect_error(ours(1), class = "ferrite_error_argument")
  condition <- expect_error(lmm(model, orthodont, devFunOnly = "a"), class = "ferrite_error_argument")
  expect_three_lines(condition, "ferrite_error_argument")
  fit <- lmm(slopes, orthodont)
  theta <- c(1, 0.1, 0.2)
  expect_equal(as.function(fit)(theta), lme4::lmer(slopes, orthodont, devFunOnly = TRUE)(theta), tolerance = 1e-10)
  expect_equal(as.function(fit)(fit$theta), fit$criterion, tolerance = 1e-12)
})

test_that("columns may be taken by $ in the formula, without data", {
  skip_if_not_installed("lme4")
  d <- as.data.frame(lme4::sleepstudy)
  ours <- lmm(d$Reaction ~ d$Days + (1 | d$Subject))
  # lme4 finds such columns in the global environment only
  theirs <- lme4::lmer(Reaction ~ Days + (1 | Subject), d)
  expect_named(fixef(ours), c("(Intercept)", "d$Days"))
  expect_equal(unname(fixef(ours)), unname(fixef(theirs)), tolerance = 1e-8)
  expect_equal(logLik(ours), logLik(theirs), tolerance = 1e-9)
  expect_equal(fitted(ours), fitted(theirs), tolerance = 1e-6)
  expect_identical(names(ranef(ours)), "d$Subject")
  expect_equal(logLik(update(ours, REML = FALSE)), logLik(lme4::refitML(theirs)), tolerance = 1e-9)
  expect_error(predict(ours, d[1:3, ]), class = "ferrite_error_newdata")
  expect_error(lmm(d$Wrong ~ d$Days + (1 | d$Subject)), class = "ferrite_error")
  expect_error(lmm(nowhere$Reaction ~ d$Days + (1 | d$Subject)), "nowhere", class = "ferrite_error_variable")
  plain <- lmm(Reaction ~ log(Days + 1) + (1 | Subject), d)
  expect_equal(lmm(Reaction ~ base::log(Days + 1) + (1 | Subject), d)$criterion, plain$criterion)
})

test_that("start may be a list, may have names, and may come from lme4", {
  theta <- plain$theta
  with_names <- lmm(model, orthodont, start = rev(theta))
  expect_identical(with_names$theta, lmm(model, orthodont, start = theta)$theta)
  expect_identical(lmm(model, orthodont, start = list(theta = unname(theta)))$theta, with_names$theta)
  found <- said_by(lmm(model, orthodont, start = list(theta = theta, fixef = c(1, 2))))
  expect_length(found$messages, 1L)
  expect_three_lines(found$messages[[1L]], "ferrite_message_start")
  for (wrong in list(list(theta), list(thet = theta), list(theta = "a"), list(), "a", theta[1:2], theta * NA)) {
    expect_three_lines(tryCatch(lmm(model, orthodont, start = wrong), error = identity), "ferrite_error_start")
  }
  skip_if_not_installed("lme4")
  peer <- lme4::lmer(model, orthodont)
  expect_silent(own <- lmm(model, orthodont, start = lme4::getME(peer, "theta")))
  expect_equal(own$criterion, plain$criterion, tolerance = 1e-9)
})

test_that("a list of settings is one of lmm_control()", {
  expect_identical(lmm(model, orthodont, control = list(threads = 1, tolerance = 1e-8))$control[1:2],
    list(threads = 1L, tolerance = 1e-8))
  expect_silent(lmm(model, orthodont, control = list()))
  for (wrong in list(list(thread = 1), list(1), list(threads = -1), 3, NULL, orthodont)) {
    expect_three_lines(tryCatch(lmm(model, orthodont, control = wrong), error = identity), "ferrite_error_control")
  }
  condition <- tryCatch(lmm(model, orthodont, control = list(threads = -1)), error = identity)
  expect_identical(conditionCall(condition)[[1L]], quote(lmm))
})

test_that("settings of nlme are named in one message", {
  found <- said_by(lmm(model, orthodont, control = nlme::lmeControl(opt = "optim", msMaxIter = 200)))
  expect_length(found$messages, 1L)
  expect_identical(found$messages[[1L]]$settings, c("msMaxIter", "opt"))
  expect_silent(default <- lmm(model, orthodont, control = nlme::lmeControl()))
  expect_identical(default$control$tolerance, 1e-10)
  expect_identical(said_by(lmm(model, orthodont, control = list(opt = "optim")))$messages[[1L]]$settings, "opt")
})

test_that("settings of lme4 are named in one message, and its limit of evaluations holds", {
  skip_if_not_installed("lme4")
  expect_silent(lmm(model, orthodont, control = lme4::lmerControl()))
  settings <- lme4::lmerControl("bobyqa", optCtrl = list(maxfun = 2e5), check.nobs.vs.nlev = "ignore")
  found <- said_by(lmm(model, orthodont, control = settings))
  expect_length(found$messages, 1L)
  expect_three_lines(found$messages[[1L]], "ferrite_message_control")
  expect_identical(found$messages[[1L]]$settings, c("optimizer", "check.nobs.vs.nlev"))
  expect_identical(found$value$control$max_evaluations, 200000L)
  expect_identical(found$value$theta, plain$theta)
  expect_length(said_by(update(plain, control = settings))$messages, 1L)
  # every argument that lmerControl() has is known
  known <- names(formals(lme4::lmerControl))
  expect_identical(setdiff(known, c(lmer_settings, "...")), character())
  for (name in setdiff(known, c("optCtrl", "..."))) {
    one <- stats::setNames(list("x"), name)
    expect_identical(said_by(lmm(model, orthodont, control = one))$messages[[1L]]$settings, name)
  }
})

test_that("the random part of lme() is an error that gives the formula", {
  pd <- function(word, form) getExportedValue("nlme", word)(form)
  cases <- list(
    list(quote(lmm(fixed = distance ~ age, data = orthodont, random = ~ age | Subject)),
      "distance ~ age + (age | Subject), data)"),
    list(quote(lmm(distance ~ age, orthodont, ~ 1 | Subject)), "distance ~ age + (1 | Subject), data)"),
    list(quote(lmm(distance ~ age, orthodont, random = list(Subject = pd("pdDiag", ~ age)), method = "ML")),
      "distance ~ age + (age || Subject), data, REML = FALSE)"),
    list(quote(lmm(yield ~ 1, nlme::Oats, random = list(Block = ~ 1, Variety = ~ 1))),
      "yield ~ 1 + (1 | Block) + (1 | Variety:Block), data)"),
    list(quote(lmm(yield ~ 1, nlme::Oats, random = list(Block = pd("pdIdent", ~ Variety - 1)))),
      "diag(Variety - 1 | Block, hom = TRUE)"),
    list(quote(lmm(yield ~ 1, nlme::Oats, random = ~ 1 | Block / Variety)), "(1 | Block/Variety)"),
    list(quote(lmm(distance ~ age, orthodont, random = ~ 1)), "stands in the formula"),
    list(quote(lmm(distance ~ age, orthodont, random = no_such_thing)), "stands in the formula"),
    list(quote(lmm(fixed = distance ~ age, orthodont)), "formula with its random part")
  )
  for (case in cases) {
    condition <- expect_error(eval(case[[1L]]), class = "ferrite_error_argument")
    expect_three_lines(condition, "ferrite_error_argument")
    expect_match(conditionMessage(condition), case[[2L]], fixed = TRUE)
  }
  # what it says to write is the model of lme()
  peer <- nlme::lme(yield ~ 1, nlme::Oats, random = list(Block = ~ 1, Variety = ~ 1))
  own <- lmm(yield ~ 1 + (1 | Block) + (1 | Variety:Block), nlme::Oats)
  expect_equal(own$criterion, -2 * logLik(peer)[1], tolerance = 1e-8)
})

test_that("a subset is all rows, some or none; nothing else", {
  expect_identical(nobs(lmm(model, orthodont, subset = TRUE)), 108L)
  expect_error(lmm(model, orthodont, subset = FALSE), class = "ferrite_error_rows")
  for (wrong in list(mean, ~ age, list(1), quote(age), factor(orthodont$age), NA, c(TRUE, FALSE))) {
    expect_three_lines(tryCatch(lmm(model, orthodont, subset = wrong), error = identity), "ferrite_error_subset")
  }
})
