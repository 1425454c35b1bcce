# The package car: linearHypothesis(), Anova(), deltaMethod(), vif(); Confint(), S(), brief(), matchCoefs(),
# influencePlot(), infIndexPlot(), outlierTest(), Boot().
#
# Reads   a fit; the tests are those of infer-df.R.
# Writes  tables of class `anova` with the columns that car gives for mixed models; what car gives for models of lme4.
# Registered by util-load.R when car is loaded. Plots and outlier tests are car's own, of our residuals and leverages.
# car's type II and III differ from those of infer-anova.R: type II adjusts a term for those that do not contain it in
# the metric of the model (V), not of the columns of X; type III tests the coefficients of a term as they are coded.

#' Linear hypotheses by car
#'
#' The functions `linearHypothesis()`, `Anova()`, `deltaMethod()` and `vif()` of the package car work on the models of
#' `lmm()`, with the hypotheses, columns and headings that they have for models of lme4.
#'
#' @section car::linearHypothesis(model, hypothesis.matrix, rhs, vcov., test, singular.ok, verbose, ddf):
#'   `hypothesis.matrix` is what [contest()] takes as L: a matrix, or expressions such as `"MachineB = MachineC"`.
#'   `test` is `"Chisq"` (default, Wald) or `"F"`. Where columns were dropped as linearly dependent, a hypothesis has to
#'   be estimable; `singular.ok = FALSE` makes any dropped column an error.
#' @section car::Anova(mod, type, test.statistic, vcov., singular.ok, ddf):
#'   `type` is 2 or `"II"` (default), or 3 or `"III"`. Type II tests a term after all terms that do not contain it, in
#'   the metric of the covariance matrix of the estimates. Type III tests whether all coefficients of the term are zero:
#'   that depends on the contrasts of the factors, `contr.sum` being the usual choice. [anova.lmm()] has the hypotheses
#'   of SAS under these names.
#' @section F tests:
#'   `ddf` says by which method, `"Kenward-Roger"` (default, as in car) or `"Satterthwaite"`; see [contest()].
#'   `vcov. = `, another covariance matrix or a function that computes one, is for `"Chisq"`.
#' @section car::deltaMethod(object, g., vcov., parameterNames, ...):
#'   Functions of the fixed effects, with standard errors by the delta method.
#' @section Other functions of car:
#'   `Confint()`, `matchCoefs()`, `influencePlot()`, `infIndexPlot()` and `outlierTest()` have the numbers that they
#'   have for models of lme4. `S()` is our [summary()], `brief()` its estimates and standard errors. `Boot()` is an
#'   error: use [bootstrap()]. `compareCoefs()` does not know the class: use `parameters::compare_parameters()` of what
#'   `model_parameters()` gave.
#' @section Conditions:
#'   `ferrite_error_contrast` (see [contest()]), `ferrite_error_argument`, `ferrite_error_aliased` (columns were
#'   dropped, and `singular.ok` is not `TRUE`).
#' @references Fox and Weisberg (2019) An R Companion to Applied Regression, third edition.
#' @seealso [contest()], [anova.lmm()].
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
#' if (requireNamespace("car", quietly = TRUE)) {
#'   print(car::linearHypothesis(fit, "MachineB = MachineC", test = "F")) # F 7.47 on 1 and 10
#'   print(car::Anova(fit)) # chi-square 41.15 on 2
#'   car::deltaMethod(fit, "MachineC / MachineB") # 1.747
#' }
#' @name linearHypothesis
NULL

# Method of car::linearHypothesis().
linear_hypothesis_lmm <- function(model, hypothesis.matrix, rhs = NULL, vcov. = NULL, # nolint: object_name_linter.
                                  test = c("Chisq", "F"), singular.ok = TRUE, # nolint: object_name_linter.
                                  verbose = FALSE, ddf = c("Kenward-Roger", "Satterthwaite"), ...) {
  call <- method_call()
  test <- choose_one(test, c("Chisq", "F"), "test", call)
  check_aliased(model, singular.ok, call)
  tested <- restriction_of(model, if (!missing(hypothesis.matrix)) hypothesis.matrix, or_else(rhs, 0), call)
  inference <- wald_inference(model, test, ddf, vcov., call)
  value <- drop(tested$L %*% inference$beta) - tested$rhs
  variance <- tested$L %*% inference$variance %*% t(tested$L)
  if (isTRUE(verbose)) print_hypothesis(tested, value, variance)
  found <- f_test(inference, tested$L, tested$rhs)
  heading <- c(
    "Linear hypothesis test", "", "Hypothesis:", hypothesis_text(tested), "",
    paste0("Model 1: restricted model\nModel 2: ", paste(deparse(model$formula), collapse = "\n")),
    if (is.null(vcov.)) "" else "\nNote: Coefficient covariance matrix supplied.\n"
  )
  df <- found[["ndf"]]
  table <- if (test == "Chisq") {
    statistic <- found[["F"]] * df
    data.frame(Df = c(NA, df), Chisq = c(NA, statistic), p = c(NA, chi_tail(statistic, df)))
  } else {
    ddf <- found[["ddf"]] + c(df, 0)
    data.frame(Res.Df = ddf, Df = c(NA, df), F = c(NA, found[["F"]]), p = c(NA, upper_tail(found)))
  }
  names(table)[ncol(table)] <- sprintf("Pr(>%s)", test)
  structure(table, heading = heading, value = value, vcov = variance, class = c("anova", "data.frame"))
}

# Method of car::Anova().
car_anova_lmm <- function(mod, type = c("II", "III", 2, 3), test.statistic = c("Chisq", "F"), # nolint
                          vcov. = NULL, singular.ok = NULL, # nolint: object_name_linter.
                          ddf = c("Kenward-Roger", "Satterthwaite"), ...) {
  call <- method_call()
  type <- if (missing(type)) "II" else check_type(type, call)
  if (type == "I") {
    bad_choice(type, c("II", "III"), "type", "", call)
  }
  test <- choose_one(test.statistic, c("Chisq", "F"), "test.statistic", call)
  check_aliased(mod, or_else(singular.ok, type == "II"), call)
  inference <- wald_inference(mod, test, ddf, vcov., call)
  hypotheses <- if (type == "II") conjugate_hypotheses(mod, inference$variance) else coefficient_hypotheses(mod)
  tests <- vapply(hypotheses, function(L) { # nolint: object_name_linter.
    if (nrow(L)) f_test(inference, L) else c(F = NA, scale = NA, ndf = 0, ddf = NA)
  }, c(F = 0, scale = 0, ndf = 0, ddf = 0))
  wald_table(tests, test, type, inference, deparse_one(attr(mod$terms, "variables")[[2L]]))
}

wald_table <- function(tests, test, type, inference, response) {
  df <- tests["ndf", ]
  if (test == "Chisq") {
    statistic <- tests["F", ] * df
    table <- data.frame(statistic, df, chi_tail(statistic, df))
    names(table) <- c("Chisq", "Df", "Pr(>Chisq)")
    title <- "Wald chisquare tests"
  } else {
    table <- data.frame(tests["F", ], df, tests["ddf", ], apply(tests, 2L, upper_tail))
    names(table) <- c("F", "Df", "Df.res", "Pr(>F)")
    title <- sprintf("Wald F tests with %s df", inference$method)
  }
  rownames(table) <- colnames(tests)
  heading <- c(sprintf("Analysis of Deviance Table (Type %s %s)\n", type, title), paste("Response:", response))
  structure(table, heading = heading, class = c("anova", "data.frame"))
}

chi_tail <- function(statistic, df) stats::pchisq(statistic, df, lower.tail = FALSE)

# What the tests start from: chi-square with the covariance matrix of the fit or a given one, F by `ddf`.
wald_inference <- function(fit, test, ddf, given, call) {
  if (test == "F") {
    method <- choose_one(ddf, c("Kenward-Roger", "Satterthwaite"), "ddf", call)
    if (is.null(given)) return(inference_of(fit, method, call))
    abort_ferrite("argument", "`vcov.` must be left out with F tests.",
      "Their degrees of freedom are those of the covariance matrix of the fit.",
      hint = "Use the chi-square test.", call = call, data = list(argument = "vcov.")
    )
  }
  inference <- inference_of(fit, "asymptotic", call)
  if (!is.null(given)) inference$variance <- inference$vcov_beta <- given_variance(fit, given, call)
  inference
}

# A covariance matrix of the estimated coefficients given as a matrix or as a function of the fit.
given_variance <- function(fit, given, call) unname(given_matrix(fit, given, call))

given_matrix <- function(fit, given, call) {
  if (is.function(given)) given <- given(fit)
  variance <- tryCatch(as.matrix(given), error = function(e) NULL)
  p <- length(fit$x_names)
  if (is.numeric(variance) && all(dim(variance) == p)) {
    variance <- variance[fit$kept, fit$kept, drop = FALSE]
  }
  if (is.numeric(variance) && all(dim(variance) == fit$rank) && all(is.finite(variance))) {
    return(variance)
  }
  abort_ferrite("argument", "`vcov.` must be a covariance matrix of the coefficients, or a function that computes it.",
    if (is.numeric(variance)) sprintf("It is a %s matrix for %s.", paste(dim(variance), collapse = " x "),
                                      counted(fit$rank, "coefficient"))
    else paste0("It is ", a_kind(given), "."),
    hint = "Leave it out to use `vcov()` of the fit.", call = call, data = list(argument = "vcov.")
  )
}

check_aliased <- function(fit, ok, call, hint = "Use `singular.ok = TRUE` for the other ones, or `anova()`.") {
  dropped <- setdiff(seq_along(fit$x_names), fit$kept)
  if (!length(dropped) || isTRUE(ok)) {
    return(invisible())
  }
  abort_ferrite("aliased", "The model must have no dropped coefficients.",
    paste0(quoted_list(fit$x_names[dropped]), if (length(dropped) == 1L) " was" else " were",
           " dropped as linearly dependent."),
    hint = hint, call = call, data = list(columns = fit$x_names[dropped])
  )
}

# Type II: the coefficients of a term in the model without the terms that contain it. With these coefficients s and
# those of the containing terms r: beta_s - V_sr V_rr^-1 beta_r.
conjugate_hypotheses <- function(fit, variance) {
  inside <- attr(fit$terms, "factors") > 0
  assign <- attr(kept_matrix(fit), "assign")
  terms <- stats::setNames(seq_len(ncol(inside)), attr(fit$terms, "term.labels"))
  lapply(terms, function(term) {
    relatives <- setdiff(which(colSums(!inside & inside[, term]) == 0), term)
    own <- which(assign == term)
    others <- which(assign %in% relatives)
    rows <- diag(length(assign))[own, , drop = FALSE]
    if (length(own) && length(others)) {
      rows[, others] <- -t(solve(variance[others, others], variance[others, own, drop = FALSE]))
    }
    rows
  })
}

# Type III: the coefficients of each term, the intercept first.
coefficient_hypotheses <- function(fit) {
  assign <- attr(kept_matrix(fit), "assign")
  labels <- c(if (attr(fit$terms, "intercept") == 1L) "(Intercept)", attr(fit$terms, "term.labels"))
  numbers <- stats::setNames(match(labels, c("(Intercept)", attr(fit$terms, "term.labels"))) - 1L, labels)
  lapply(numbers, function(term) diag(length(assign))[assign == term, , drop = FALSE])
}

# "MachineB - MachineC = 0" for each row.
hypothesis_text <- function(tested) {
  vapply(seq_len(nrow(tested$L)), function(i) {
    used <- tested$L[i, ] != 0
    row <- stats::setNames(tested$L[i, used], colnames(tested$L)[used])
    size <- ifelse(abs(row) == 1, "", paste0(format_each(abs(row)), " "))
    sign <- ifelse(row < 0, " - ", " + ")
    text <- paste0(sign, size, names(row), collapse = "")
    paste0(sub("^ - ", "-", sub("^ [+] ", "", text)), " = ", format_each(tested$rhs[i]))
  }, "")
}

format_each <- function(x) vapply(x, format, "", digits = 7L)

print_hypothesis <- function(tested, value, variance) {
  print_part <- function(title, x) {
    cat("\n", title, "\n", sep = "")
    print(x)
  }
  print_part("Hypothesis matrix:", tested$L)
  print_part("Right-hand side:", tested$rhs)
  print_part("Estimates less the right-hand side:", value)
  print_part("Their covariance matrix:", variance)
  cat("\n")
}

# Method of car::deltaMethod().
delta_method_lmm <- function(object, g., vcov. = NULL, parameterNames = names(fixef(object)), ..., # nolint
                             envir = parent.frame()) {
  call <- method_call()
  if (length(parameterNames) != length(object$x_names)) {
    bad_setting(parameterNames, "parameterNames", counted(length(object$x_names), "word"), call, "argument")
  }
  names <- stats::setNames(parameterNames, object$x_names)[object$kept]
  beta <- stats::setNames(fixef(object, complete = FALSE), names)
  variance <- if (is.null(vcov.)) vcov(object, complete = FALSE) else given_variance(object, vcov., call)
  getExportedValue("car", "deltaMethod")(beta, g., unname(variance), ..., envir = envir)
}

# Method of car::vif(): generalised variance inflation factors (Fox and Monette 1992) of the terms.
vif_lmm <- function(mod, ...) {
  call <- method_call()
  check_aliased(mod, FALSE, call, "Remove the redundant terms from the formula.")
  assign <- attr(kept_matrix(mod), "assign")
  used <- assign > 0L
  labels <- attr(mod$terms, "term.labels")
  if (length(labels) < 2L) {
    abort_ferrite("argument", "`vif()` must be given a model with at least two terms.",
      sprintf("It has %s.", counted(length(labels), "term")), hint = "With one term there is nothing to compare.",
      call = call
    )
  }
  r <- stats::cov2cor(mod$vcov[used, used, drop = FALSE])
  own <- lapply(seq_along(labels), function(term) assign[used] == term)
  log_det <- function(rows) as.vector(determinant(r[rows, rows, drop = FALSE])$modulus)
  inflation <- vapply(own, function(rows) exp(log_det(rows) + log_det(!rows) - log_det(rows | !rows)), 0)
  df <- vapply(own, sum, 0L)
  if (all(df == 1L)) {
    return(stats::setNames(inflation, labels))
  }
  matrix(c(inflation, df, inflation^(1 / (2 * df))), length(labels),
         dimnames = list(labels, c("GVIF", "Df", "GVIF^(1/(2*Df))")))
}

# Other functions ------------------------------------------------------------------------------------------------------

car_methods <- function() {
  c(list(list("car", "infIndexPlot", "influence.lmm", car_index_plot)), listed_methods("car", list(
    Confint = car_confint, S = car_summary, brief = print_car_brief, matchCoefs = car_match,
    influencePlot = car_own("influencePlot"), infIndexPlot = car_own("infIndexPlot"),
    outlierTest = car_own("outlierTest"), Boot = car_boot
  )))
}

# car's own plot of models of lme4, whose result has the fields of ours.
car_index_plot <- function(model, ...) {
  utils::getS3method("infIndexPlot", "influence.merMod", envir = asNamespace("car"))(model, ...)
}

# Method of car::Confint(): normal limits of the fixed effects, beside their estimates.
car_confint <- function(object, estimate = TRUE, level = 0.95, vcov. = NULL, ...) { # nolint: object_name_linter.
  call <- quote(Confint())
  check_flag(estimate, "estimate", call, "argument")
  check_level(level, call)
  variance <- if (is.null(vcov.)) vcov(object, complete = FALSE) else given_variance(object, vcov., call)
  beta <- fixef(object)
  half <- rep(NA_real_, length(beta))
  half[object$kept] <- stats::qnorm((1 + level) / 2) * sqrt(diag(variance))
  limits <- cbind(beta, beta - half, beta + half)
  dimnames(limits) <- list(names(beta), c("Estimate", percent_names(level)))
  if (estimate) limits else limits[, -1L, drop = FALSE]
}

percent_names <- function(level) {
  paste(format(100 * c(1 - level, 1 + level) / 2, trim = TRUE, scientific = FALSE, digits = 3L), "%")
}

# Method of car::S(): our summary, with t tests.
car_summary <- function(object, brief = FALSE, KR = FALSE, correlation = FALSE, ...) { # nolint: object_name_linter.
  call <- quote(S())
  check_flag(brief, "brief", call, "argument")
  check_flag(KR, "KR", call, "argument")
  summary(object, ddf = if (KR) "Kenward-Roger" else "Satterthwaite", correlation = isTRUE(correlation), ...)
}

# Method of car::brief(): coefficients and standard errors side by side.
print_car_brief <- function(object, terms = ~ ., intercept = missing(terms), pvalues = FALSE, digits = 3,
                            horizontal = TRUE, ...) {
  call <- quote(brief())
  check_flag(pvalues, "pvalues", call, "argument")
  check_flag(horizontal, "horizontal", call, "argument")
  found <- summary(object)
  labels <- attr(object$terms, "term.labels")
  fixed <- stats::update.formula(stats::formula(object, fixed.only = TRUE), terms)
  chosen <- attr(stats::terms(fixed), "term.labels")
  wrong <- chosen[is.na(match_terms(chosen, labels))]
  if (length(wrong)) {
    abort_ferrite("argument", "`terms` must have terms of the model.", paste0("It has ", quoted_list(wrong), "."),
      hint = name_hint(wrong[1L], labels, "Terms"), call = call, data = list(argument = "terms")
    )
  }
  assign <- attr(kept_matrix(object), "assign")
  used <- assign %in% c(if (isTRUE(intercept)) 0L, match_terms(chosen, labels))
  table <- found$coefficients[used, c("Estimate", "Std. Error", if (pvalues) "Pr(>|t|)"), drop = FALSE]
  print(if (horizontal) t(table) else table, digits = digits)
  invisible(found)
}

# Method of car::matchCoefs(): names of coefficients.
car_match <- function(model, pattern, ...) {
  grep(pattern, names(fixef(model)), value = TRUE)
}

# car's function for linear models, which asks for residuals, leverages and distances only.
car_own <- function(name) {
  function(model, ...) utils::getS3method(name, "lm", envir = asNamespace("car"))(model, ...)
}

# Method of car::Boot(): its resampling of cases does not know groups.
car_boot <- function(object, ...) {
  abort_ferrite("argument", "`Boot()` must be given a model of independent observations.",
    "This one has random effects.", hint = "Use `bootstrap(fit)` and `confint(bootstrap(fit))`.", call = quote(Boot())
  )
}
