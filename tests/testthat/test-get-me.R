# Every piece that lme4's getME() has, against lme4 1.1 for the same models. Figures are lme4's, with its optimiser
# pushed to the end, so that theta agrees to 1e-6 and what depends on it to 1e-5.

me_models <- function() {
  sleep <- transform(lme4::sleepstudy, w = 1 + (seq_len(180) %% 7) / 4, o = seq_len(180) / 9)
  list(
    slope = list(Reaction ~ Days + (Days | Subject), sleep),
    crossed = list(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin),
    nested = list(strength ~ 1 + (1 | batch / cask), lme4::Pastes, REML = FALSE),
    uncorrelated = list(Reaction ~ Days + (Days || Subject), sleep),
    weighted = list(Reaction ~ Days + offset(o) + (Days | Subject), sleep, weights = quote(w))
  )
}

both_fits <- function(model) {
  control <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), calc.derivs = FALSE)
  list(
    ours = do.call(lmm, model), theirs = suppressWarnings(do.call(lme4::lmer, c(model, control = list(control))))
  )
}

plain <- function(x) {
  if (inherits(x, "CHMfactor")) x <- methods::as(x, "sparseMatrix")
  if (isS4(x)) x <- as.matrix(x)
  if (is.matrix(x)) {
    attributes(x) <- attributes(x)[c("dim", "dimnames")]
    if (all(lengths(dimnames(x)) == 0L)) dimnames(x) <- NULL
  }
  x
}

test_that("every piece of lme4's getME() has lme4's value, names and kind", {
  skip_if_not_installed("lme4")
  names <- setdiff(eval(formals(utils::getS3method("getME", "merMod", envir = asNamespace("lme4")))$name), "devfun")
  for (model in names(me_models())) {
    fits <- both_fits(me_models()[[model]])
    for (name in names) {
      ours <- lme4::getME(fits$ours, name)
      theirs <- lme4::getME(fits$theirs, name)
      label <- paste(model, name)
      expect_identical(isS4(ours), isS4(theirs), info = label)
      if (name %in% c("flist", "y")) {
        expect_equal(as.list(ours), as.list(theirs), info = label, ignore_attr = "assign")
        expect_equal(attr(ours, "assign"), attr(theirs, "assign"), info = label)
      } else if (name == "devcomp") {
        expect_equal(ours, theirs, tolerance = 1e-5, info = label)
      } else if (is.list(theirs)) {
        expect_equal(lapply(ours, plain), lapply(theirs, plain), tolerance = 1e-5, info = label)
      } else {
        expect_equal(plain(ours), plain(theirs), tolerance = 1e-5, info = label)
      }
    }
  }
})

test_that("the generic here finds both, and all names come in one list", {
  skip_if_not_installed("lme4")
  fits <- both_fits(me_models()$slope)
  expect_equal(getME(fits$theirs, "theta"), getME(fits$ours, "theta"), tolerance = 1e-5)
  all <- getME(fits$ours, "ALL")
  expect_identical(setdiff(names(lme4::getME(fits$theirs, "ALL")), names(all)), character())
  expect_identical(names(getME(fits$ours, c("n", "is_REML"))), c("n", "is_REML"))
  expect_identical(component(fits$ours, "Gp"), c(0L, 36L))
  expect_true(is.matrix(component(fits$ours, "Z")))
  expect_s4_class(component(fits$ours, "A"), "dgCMatrix")
})

test_that("the criterion as a function of theta is lme4's, and the fit's at its estimate", {
  skip_if_not_installed("lme4")
  for (model in me_models()) {
    fits <- both_fits(model)
    ours <- getME(fits$ours, "devfun")
    theirs <- lme4::getME(fits$theirs, "devfun")
    expect_equal(ours(fits$ours$theta), fits$ours$criterion, tolerance = 1e-12)
    for (factor in c(0.3, 1, 2)) {
      theta <- factor * unname(fits$ours$theta)
      expect_equal(ours(theta), as.numeric(theirs(theta)), tolerance = 1e-9)
    }
  }
  expect_error(ours(1:9), class = "ferrite_error_argument")
})

test_that("the criterion with residuals that are not alike is that of the fit, and least there", {
  fit <- lmm(follicles ~ sin(2 * pi * Time) + (1 | Mare), nlme::Ovary, correlation = ar1(~ 1 | Mare))
  skip_if_not_installed("Matrix")
  value <- getME(fit, "devfun")
  expect_equal(value(fit$theta), fit$criterion, tolerance = 1e-12)
  expect_gt(value(1.2 * fit$theta), fit$criterion)
  expect_gt(value(0.8 * fit$theta), fit$criterion)
  # the borders of the factor, by their definition from dense pieces
  lambda <- component(fit, "Lambda")
  expect_equal(as.matrix(getME(fit, "Lambda")), lambda, ignore_attr = TRUE)
  expect_equal(crossprod(getME(fit, "RX")), fit$sigma^2 * solve(vcov(fit)), tolerance = 1e-8)
})

test_that("a name that is not known, and a limit that is none, are errors in three lines", {
  fit <- shared_fit("slope")
  for (call in list(quote(getME(fit, "Lamda")), quote(getME(fit)), quote(getME(fit, 3)), quote(getME(fit, character())),
    quote(component(fit, NA_character_)))) {
    expect_three_lines(expect_error(eval(call)), "ferrite_error_component")
  }
  expect_error(getME(fit, "Lamda"), "Did you mean `Lambda`", class = "ferrite_error_component")
  for (limit in list(-1, NA, "a", NULL, c(1, 2), 0)) {
    condition <- expect_error(component(fit, "Z", limit = limit), class = "ferrite_error_argument")
    expect_three_lines(condition, "ferrite_error_argument")
  }
  expect_identical(dim(component(fit, "Z", limit = Inf)), c(108L, 54L))
  expect_error(getME(lm(distance ~ age, nlme::Orthodont), "X"), class = "ferrite_error_argument")
})
