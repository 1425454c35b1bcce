# Generics of nlme beside nlme's own fits of the same models.

tight <- nlme::lmeControl(msTol = 1e-12, tolerance = 1e-10, returnObject = TRUE)

orthodont_pair <- function() {
  list(
    theirs = nlme::lme(distance ~ age, nlme::Orthodont, ~ age | Subject, control = tight),
    ours = shared_slope()
  )
}

shared_slope <- function() lmm(distance ~ age + (age | Subject), nlme::Orthodont)

test_that("covariance matrices are those of lme()", {
  pair <- orthodont_pair()
  theirs <- nlme::getVarCov(pair$theirs)
  ours <- nlme::getVarCov(pair$ours)
  expect_equal(unclass(ours), unclass(theirs), tolerance = 1e-5, ignore_attr = TRUE)
  expect_s3_class(ours, class(theirs))
  for (type in c("marginal", "conditional")) {
    for (child in c("M01", "F05")) {
      theirs <- nlme::getVarCov(pair$theirs, child, type = type)
      ours <- nlme::getVarCov(pair$ours, child, type = type)
      expect_equal(ours[[child]], theirs[[child]], tolerance = 1e-5)
      expect_identical(class(ours), class(theirs))
    }
  }
  ovary <- nlme::Ovary
  theirs <- nlme::lme(follicles ~ sin(2 * pi * Time), ovary, ~ 1 | Mare, correlation = nlme::corAR1(), control = tight)
  ours <- lmm(follicles ~ sin(2 * pi * Time) + (1 | Mare), ovary, correlation = ar1(~ 1 | Mare))
  expect_equal(nlme::getVarCov(ours, "4", type = "marginal")[["4"]],
    nlme::getVarCov(theirs, "4", type = "marginal")[["4"]], tolerance = 1e-4)
  nested <- nlme::getVarCov(lmm(score ~ Machine + (1 | Worker / Machine), nlme::Machines))
  expect_equal(unname(vapply(nested, as.numeric, 0)), c(13.90946, 22.85849), tolerance = 1e-5)
})

test_that("autocorrelation and variogram are those of lme()", {
  pair <- orthodont_pair()
  for (type in c("pearson", "response", "normalized")) {
    theirs <- nlme::ACF(pair$theirs, resType = type)
    ours <- nlme::ACF(pair$ours, resType = type)
    expect_equal(ours$ACF, theirs$ACF, tolerance = 1e-5)
    expect_equal(attr(ours, "n.used"), attr(theirs, "n.used"))
    expect_s3_class(ours, "ACF")
  }
  expect_identical(nrow(nlme::ACF(pair$ours, maxLag = 2)), 3L)
  for (form in list(~1, ~age)) {
    expect_equal(as.data.frame(nlme::Variogram(pair$ours, form = form)),
      as.data.frame(nlme::Variogram(pair$theirs, form = form)), tolerance = 1e-5, ignore_attr = TRUE)
  }
})

test_that("normalized residuals are those of dense algebra, whatever the order of the levels", {
  # the levels of Mare are not in the order of the data; there nlme takes the lengths of its series in the order of
  # the levels for rows in the order of the data, and its normalized residuals are whitened across mares
  model <- follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time)
  ovary <- nlme::Ovary
  theirs <- nlme::lme(model, ovary, ~ 1 | Mare, correlation = nlme::corAR1(form = ~ 1 | Mare))
  ours <- lmm(update(model, . ~ . + (1 | Mare)), ovary, correlation = ar1(~ 1 | Mare))
  rho <- ours$residual$rho
  whitened <- function(residual, series) {
    stats::ave(as.numeric(residual), series, FUN = function(r) {
      solve(t(chol(rho^abs(outer(seq_along(r), seq_along(r), "-")))), r)
    })
  }
  raw <- unname(residuals(ours)) / sigma(ours)
  mare <- as.character(ovary$Mare)
  found <- unname(residuals(ours, type = "normalized"))
  expect_equal(found, whitened(raw, mare), tolerance = 1e-8)
  lengths <- as.vector(table(ovary$Mare))
  expect_equal(as.numeric(residuals(theirs, type = "normalized")), whitened(raw, rep(seq_along(lengths), lengths)),
    tolerance = 1e-4)
  by_hand <- vapply(0:5, function(k) {
    pairs <- lapply(split(found, mare), function(r) cbind(r[seq_len(length(r) - k)], r[seq_len(length(r) - k) + k]))
    pairs <- do.call(rbind, pairs)
    mean(pairs[, 1] * pairs[, 2]) / mean(found^2)
  }, 0)
  expect_equal(nlme::ACF(ours, resType = "normalized")$ACF[1:6], by_hand)
  # with the levels in the order of the data both are the same
  ovary$Mare <- factor(mare, unique(mare))
  sorted <- nlme::lme(model, ovary, ~ 1 | Mare, correlation = nlme::corAR1(form = ~ 1 | Mare))
  expect_equal(as.numeric(residuals(sorted, type = "normalized")), found, tolerance = 1e-4)
})

test_that("intervals: fixed effects by t, variances by profile, in nlme's shape", {
  fit <- shared_slope()
  theirs <- nlme::intervals(orthodont_pair()$theirs)
  ours <- nlme::intervals(fit)
  expect_identical(names(ours), names(theirs))
  expect_identical(class(ours), class(theirs))
  expect_identical(dimnames(ours$reStruct$Subject), dimnames(theirs$reStruct$Subject))
  expect_equal(ours$fixed[, "est."], theirs$fixed[, "est."], tolerance = 1e-8)
  expect_equal(ours$reStruct$Subject$est., theirs$reStruct$Subject$est., tolerance = 1e-4)
  profile <- confint(fit, c("sd_age|Subject", "sigma"))
  expect_equal(unlist(ours$reStruct$Subject["sd(age)", c("lower", "upper")]), profile[1, ], ignore_attr = TRUE)
  expect_equal(unname(ours$sigma[c("lower", "upper")]), unname(profile[2, ]))
  expect_named(nlme::intervals(fit, which = "fixed"), "fixed")
  expect_false("fixed" %in% names(nlme::intervals(fit, which = "var-cov")))
  expect_output(print(ours), "Within-group standard error")
  both <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, dispersion = ~Sex,
    correlation = ar1(~ 1 | Subject))
  found <- nlme::intervals(both, which = "var-cov")
  expect_equal(found$corStruct[, "est."], both$residual$rho, ignore_attr = TRUE)
  expect_equal(found$varStruct[, "est."], exp(both$residual$phi[[1]]), ignore_attr = TRUE)
})

test_that("data, groups and response", {
  pair <- orthodont_pair()
  expect_identical(as.character(nlme::getGroups(pair$ours)), as.character(nlme::getGroups(pair$theirs)))
  expect_equal(as.vector(nlme::getResponse(pair$ours)), as.vector(nlme::getResponse(pair$theirs)))
  expect_equal(as.data.frame(nlme::getData(pair$ours)), as.data.frame(nlme::Orthodont), ignore_attr = TRUE)
  nested <- lmm(score ~ Machine + (1 | Worker / Machine), nlme::Machines)
  expect_identical(nlevels(nlme::getGroups(nested)), 18L)
  expect_identical(as.character(nlme::getGroups(nested, level = 1)), as.character(nlme::Machines$Worker))
})

test_that("wrong arguments are classed errors", {
  fit <- shared_slope()
  wrong <- list(
    quote(nlme::intervals(fit, level = 2)), quote(nlme::intervals(fit, which = "x")),
    quote(nlme::intervals(fit, x = 1)),
    quote(nlme::getVarCov(fit, "Q", type = "marginal")), quote(nlme::getVarCov(fit, 99, type = "marginal")),
    quote(nlme::ACF(fit, maxLag = -1)), quote(nlme::ACF(fit, resType = "q")), quote(nlme::getGroups(fit, level = 3)),
    quote(nlme::Variogram(fit, form = ~Sex)), quote(nlme::Variogram(fit, form = 1)),
    quote(nlme::Variogram(fit, nint = 0))
  )
  for (one in wrong) expect_three_lines(tryCatch(eval(one), error = identity), "ferrite_error_argument")
  expect_three_lines(tryCatch(nlme::Variogram(fit, form = ~nothing), error = identity), "ferrite_error")
})
