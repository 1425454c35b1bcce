# Objects that are not whole are known before every method begins. The fields are those that fit-object.R lists.

whole_fit <- function() lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont)

test_that("every method of the classes of this package has the check in front, those of other packages too", {
  space <- asNamespace("ferrite")
  known <- names(space$object_faults)
  own <- getNamespaceInfo(space, "S3methods")
  own <- own[own[, 2L] %in% known, ]
  guarded <- vapply(own[, 3L], function(name) "check_object" %in% all.names(body(space[[name]])), NA)
  # an assignment may leave a fit that is not whole: the next method says so
  expect_identical(own[!guarded, 3L], "$<-.lmm")
  classes <- setdiff(own[, 2L], "default")
  expect_setequal(intersect(known, classes), known)
  skip_if_not_installed("generics")
  table <- get(".__S3MethodsTable__.", envir = asNamespace("generics"))
  for (name in c("tidy.lmm", "glance.lmm", "augment.lmm", "tidy.icc_lmm")) {
    expect_true("check_object" %in% all.names(body(table[[name]])), info = name)
  }
})

test_that("a field that was taken away or replaced is named, with what was found and a way out", {
  fit <- whole_fit()
  at <- function(path, value) {
    put <- function(x, path) {
      x[[path[[1L]]]] <- if (length(path) == 1L) value else put(x[[path[[1L]]]], path[-1L])
      x
    }
    function(f) put(f, path)
  }
  edits <- list(
    theta = function(f) replace(f, "theta", list(NULL)), beta = function(f) replace(f, "beta", "a"),
    frame = function(f) replace(f, "frame", list(f$frame[1:3, ])), sigma = function(f) replace(f, "sigma", -1),
    REML = function(f) replace(f, "REML", NA), nobs = function(f) replace(f, "nobs", "a"),
    vcov = function(f) replace(f, "vcov", list(diag(2))), npar = function(f) replace(f, "npar", 3),
    "control$tolerance" = at(list("control", "tolerance"), -1),
    "control$max_evaluations" = at(list("control", "max_evaluations"), 1e300),
    "convergence$hessian" = at(list("convergence", "hessian"), 1),
    "random[[1]]$u" = at(list("random", 1L, "u"), NULL),
    "random[[1]]$condvar" = at(list("random", 1L, "condvar"), fit$random[[1L]]$condvar[, , 1:3]),
    "factors[[1]]" = at(list("factors", 1L, "levels"), "a")
  )
  for (field in names(edits)) {
    damaged <- edits[[field]](unclass(fit))
    class(damaged) <- "lmm"
    for (method in list(print, summary, ranef, logLik, confint, bootstrap, predict, plot, function(x) anova(fit, x))) {
      condition <- expect_error(method(damaged), class = "ferrite_error_object")
      expect_identical(condition$field, field)
    }
    expect_three_lines(condition, "ferrite_error_object")
  }
  fit$theta <- NULL
  condition <- expect_error(fixef(fit), class = "ferrite_error_object")
  expect_identical(conditionCall(condition), quote(fixef(fit)))
  expect_match(conditionMessage(condition), "The field `theta`.*It is missing: .*another version.*readRDS\\(\\)")
})

test_that("a class without content is an error of this package", {
  for (content in list(list(), NULL, 1, "a", mean, data.frame())) {
    if (is.null(content)) content <- list(NULL)
    for (class in setdiff(names(object_faults), c("ranef.lmm", "coef.lmm", "lmm_shrinkage"))) {
      damaged <- structure(content, class = class)
      expect_error(print(damaged), class = "ferrite_error_object", info = class)
    }
  }
})

test_that("columns of the frame that changed are named when a design is made of them", {
  fit <- whole_fit()
  for (value in list("a", NA, Inf, factor("a"))) {
    damaged <- fit
    damaged$frame$age <- value
    condition <- expect_error(fitted(damaged), class = "ferrite_error_object")
    expect_identical(condition$field, "frame$age")
  }
  damaged <- fit
  damaged$frame$Sex <- factor(as.character(fit$frame$Sex))
  expect_error(anova(damaged), "`frame\\$Sex`.*levels", class = "ferrite_error_object")
})

test_that("a result that lost a part is an error of this package", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  boot <- bootstrap(fit, nsim = 3, seed = 1, progress = FALSE)
  boot$fit$beta <- NULL
  condition <- expect_error(print(boot), class = "ferrite_error_object")
  expect_identical(condition$field, "fit$beta")
  table <- summary(fit)
  table$coefficients <- NULL
  expect_error(print(table), "`coefficients`", class = "ferrite_error_object")
  profiled <- profile(fit, "sigma", points = 1)
  attr(profiled, "fits") <- NULL
  expect_error(confint(profiled), "attribute `fits`", class = "ferrite_error_object")
})

test_that("a part of a table is an ordinary data frame", {
  tested <- contest(whole_fit(), diag(4), joint = FALSE)
  expect_identical(class(tested[1:2, c("lower", "upper")]), "data.frame")
  expect_identical(tested[["lower"]][2], tested[2, "lower"])
})

test_that("the check takes no longer for more rows", {
  small <- suppressMessages(lmm(y ~ x + (x | g), data.frame(y = sin(1:60), x = cos(3 * 1:60), g = gl(6, 10))))
  large <- suppressMessages(lmm(y ~ x + (x | g), data.frame(y = sin(1:6e4), x = cos(3 * 1:6e4), g = gl(6, 1e4))))
  time <- function(fit) {
    times <- vapply(1:5, function(i) system.time(for (k in 1:400) fit_fault(fit))[["elapsed"]], 0)
    min(times) / 400
  }
  time(small)
  expect_null(fit_fault(large))
  expect_lt(time(large), 5 * time(small) + 1e-4)
})

test_that("the fit that was seen last is known again at once, an edited one is not, and none is kept alive", {
  fit <- whole_fit()
  sigma(fit)
  time <- function(fun) min(vapply(1:7, function(i) system.time(for (k in 1:2000) fun())[["elapsed"]], 0)) / 2000
  again <- time(function() sigma(fit))
  forget()
  anew <- time(function() {
    forget()
    sigma(fit)
  })
  expect_lt(again, anew / 3)
  sigma(fit)
  edited <- fit
  edited$sigma <- -1
  expect_error(sigma(edited), "`sigma`", class = "ferrite_error_object")
  edited <- fit
  edited$random[[1L]]$b[1L] <- 0
  expect_silent(sigma(edited))
  edited$random[[1L]]$b <- NULL
  expect_error(fixef(edited), "b` of an object", class = "ferrite_error_object")
  sigma(fit)
  for (k in 1:3) gc()
  expect_null(seen$fit)
  rows <- data.frame(y = sin(1:10002), x = cos(3 * 1:10002), g = gl(6, 1667))
  sigma(suppressMessages(lmm(y ~ x + (1 | g), rows)))
  expect_null(seen$fit)
})

test_that("cells of tables and random effects that are missing are named", {
  fit <- whole_fit()
  for (name in c("b", "u", "condvar")) {
    edited <- fit
    edited$random[[1L]][[name]][2L] <- NA
    field <- paste0("random[[1]]$", name)
    for (method in list(ranef, plot, function(x) plot(x, "caterpillar"), predict, print)) {
      condition <- expect_error(method(edited), "without missing values", class = "ferrite_error_object")
      expect_identical(condition$field, field)
    }
  }
  moments <- varcomp_anova(lmm(distance ~ age + (1 | Subject), nlme::Orthodont))
  plan <- lmm_plan(distance ~ age + (1 | Subject), nlme::Orthodont)
  expect_output(print(moments), "Mean Sq")
  expect_output(print(plan), "27")
  for (value in list("a", list(1), NULL)) {
    for (name in c("Pr(>F)", "Error Df", "Df")) {
      if (is.null(value)) next
      edited <- moments
      edited$table[[name]] <- rep(value, 3L)
      expect_error(print(edited), paste0("table$", name), fixed = TRUE, class = "ferrite_error_object")
    }
    edited <- plan
    edited$groups$levels <- value
    expect_error(print(edited), "groups$levels", fixed = TRUE, class = "ferrite_error_object")
  }
})

test_that("digits, rows shown and row names are checked in every method that has them", {
  fit <- whole_fit()
  results <- list(
    fit, summary(fit), VarCorr(fit), ranef(fit), shrinkage(fit), contest(fit, c(0, 1, 0, 0)), convergence(fit)
  )
  for (result in results) {
    for (digits in list("a", NA, 0, 23, 1:2)) {
      expect_error(print(result, digits = digits), "`digits` must be", class = "ferrite_error_argument")
    }
    for (digits in c(1, 17, 22)) expect_output(print(result, digits = digits))
  }
  expect_error(print(ranef(fit), n = -1), "`n` must be", class = "ferrite_error_argument")
  expect_error(as.data.frame(ranef(fit), row.names = "a"), "`row.names` must be", class = "ferrite_error_argument")
  expect_identical(rownames(as.data.frame(summary(fit), row.names = letters[1:4])), letters[1:4])
})
