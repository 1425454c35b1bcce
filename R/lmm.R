#' Fit a linear mixed-effects model
#'
#' Estimates the covariance parameters \eqn{\theta}, the fixed effects \eqn{\beta} and \eqn{\sigma} of
#' \eqn{y = X\beta + Zb + e} by minimising the profiled REML criterion (or, with `REML = FALSE`, minus twice the
#' profiled log-likelihood). The model and all symbols are defined in `vignette("ferrite", "ferrite")`.
#'
#' @param formula Two-sided formula; its right-hand side is a formula as in [lm()] plus random terms
#'   `(columns | factor)` in parentheses, at least one. See *Random terms*. `.` stands for all columns of `data` that
#'   are neither in the response nor grouping variables. Text that reads as a formula is accepted.
#' @param data Data frame (or list, or environment) with the variables of `formula`. A variable that is not in it
#'   is taken from the environment of the formula. Default: all are.
#' @param REML `TRUE` (default) for REML. Use `FALSE` before comparing models with different fixed effects.
#' @param weights Positive prior weights, one for each row, as an expression in the columns of `data`: the residual
#'   variance of row i is \eqn{\sigma^2 / w_i}. A row of weight zero is left out, with a message. Default: all one.
#' @param offset Numeric, one for each row: a part of the response that is known. Added to the `offset()` terms of the
#'   formula. Default: none.
#' @param subset Rows to use, as a logical or index expression in the columns of `data`. Default: all rows.
#' @param na.action What to do with rows in which a variable of the model, `weights` or `offset` is missing (NA or
#'   NaN): [na.omit()] drops them, [na.exclude()] drops them and pads residuals and fitted values with NA,
#'   [na.fail()] is an error. Default: the option `na.action` of the session, usually `na.omit`.
#' @param contrasts Named list of contrasts of factors, as in [lm()]. They hold in the fixed and in the random part.
#'   Default: those of the factors themselves, else `options("contrasts")`.
#' @param dispersion One-sided formula for strata of the residual variance. Only `~ 1` (default), one variance, is
#'   supported.
#' @param correlation Serial correlation of the residuals. Only `NULL` (default), none, is supported.
#' @param start Starting values of \eqn{\theta}, in the order of the names of `component(fit, "theta")`. Default
#'   `NULL`: found from the data. A good start saves evaluations and does not change the result.
#' @param control Settings made by [lmm_control()].
#' @returns An object of class `lmm`: plain data, to be read by [fixef()], [ranef()], [VarCorr()], `summary()`,
#'   [vcov()], [component()] and the other methods. A fit that did not converge is returned with a warning of class
#'   `ferrite_warning_not_converged`; a fit on the boundary (a variance of zero, a correlation of one) is a result
#'   like any other and comes with a message of class `ferrite_message_singular`. Linearly dependent columns of the
#'   fixed part are dropped as in [lm()], with a message of class `ferrite_message_rank`; their coefficients are
#'   NA.
#' @section Random terms:
#'
#'   For each level of the factor `g` there is a vector of random effects, with a covariance matrix that is estimated:
#'   * `(1 | g)`: an intercept;
#'   * `(x | g)`, the same as `(1 + x | g)`: intercept and slope, correlated (3 parameters);
#'   * `(0 + x | g)`: a slope alone;
#'   * `(x || g)`: each column by itself, uncorrelated (2 parameters); for a factor `x` too, one variance for each of
#'     its columns;
#'   * `(f | g)`: the columns of the factor `f` under its contrasts, correlated (k (k + 1) / 2 parameters for k levels);
#'   * `(1 | a/b)`, the same as `(1 | b:a) + (1 | a)`: `b` within `a`;
#'   * `(1 | a:b)`: an intercept for each combination that occurs.
#'
#'   `g` may be a factor, character, logical, numeric or date variable, or a call such as `factor(g)`; unused
#'   levels are dropped. Terms are ordered by decreasing number of levels of their factor, ties as in the formula.
#' @section Conditions:
#'   All have the class `ferrite_error` (`ferrite_warning`, `ferrite_message`) as well. Errors before the fit:
#'   `ferrite_error_formula`, `_variable` (not found, or of the wrong kind or length), `_data`, `_weights`,
#'   `_offset`, `_subset`, `_missing`, `_rows` (none left), `_response`, `_levels` (a fixed factor of one level),
#'   `_groups` (a grouping factor of one level), `_contrasts`, `_start`, `_control`, `_unsupported`. In the fit:
#'   `_nonfinite`, `_constant_response`, `_perfect_fit`, `_no_residual_df`, `_unidentified`, `_rank_random`,
#'   `_too_large`, `_internal`. Warning: `ferrite_warning_not_converged`. Messages: `ferrite_message_singular`,
#'   `_rank`, `_levels` (a grouping factor of 2), `_logical_response`, `_zero_weights`.
#' @references Bates, Maechler, Bolker and Walker (2015) \doi{10.18637/jss.v067.i01}.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' fixef(fit)                # 16.7611 and 0.6602
#' lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont, REML = FALSE)
#' @export
lmm <- function(formula, data, REML = TRUE, weights, offset, subset, na.action, # nolint: object_name_linter.
                contrasts = NULL, dispersion = ~ 1, correlation = NULL, start = NULL, control = lmm_control()) {
  call <- user_call(match.call())
  check_supported(dispersion, correlation, call)
  check_flag(REML, "REML", call, "argument")
  control <- check_control(control, call)
  formula <- as_two_sided(if (!missing(formula)) given(formula, "formula", call), parent.frame(), call)
  data <- check_data(if (!missing(data)) given(data, "data", call), call)
  parsed <- parse_formula(formula, if (is.list(data)) names(data), parent.frame(), call)
  extra <- function(expr, force, name) evaluate_extra(expr, force, name, data, parsed$env, call)
  extras <- list(
    weights = extra(if (!missing(weights)) substitute(weights), function() weights, "weights"),
    offset = extra(if (!missing(offset)) substitute(offset), function() offset, "offset"),
    subset = check_subset(extra(if (!missing(subset)) substitute(subset), function() subset, "subset"), data, call)
  )
  na_action <- resolve_na_action(if (missing(na.action)) getOption("na.action", "na.omit") else na.action, call)

  built <- build_frame(parsed, data, extras, na_action, call)
  design <- build_design(built, parsed$random, contrasts, control$memory, call)
  raw <- fit_design(design, REML, start, control, built$frame, call)
  fit <- new_lmm(raw, design, built, parsed$formula, REML, control, call)
  report_outcome(fit, call)
  fit
}

# The value of an argument, or a classed error when it cannot be had.
given <- function(value, name, call) {
  tryCatch(
    value,
    error = function(e) {
      abort_ferrite(
        if (name == "formula") "formula" else "data", paste0("The argument `", name, "` must have a value."),
        paste0(sub("\\.$", "", conditionMessage(e)), "."), hint = "Check how it is made.", call = call
      )
    }
  )
}

# The call as the user wrote it; do.call() with the function itself would put its whole text in front of a message.
user_call <- function(call) {
  if (!is.symbol(call[[1L]]) && !is.call(call[[1L]])) call[[1L]] <- quote(lmm)
  call
}

check_supported <- function(dispersion, correlation, call) {
  fail <- function(rule, found, hint) abort_ferrite("unsupported", rule, found, hint = hint, call = call)
  one <- inherits(dispersion, "formula") && length(dispersion) == 2L && identical(dispersion[[2L]], 1)
  if (!one) {
    fail("`dispersion` must be `~ 1`: this version fits one residual variance.",
         paste0("It is `", code_text(dispersion), "`."),
         "For known ratios of residual variances use `weights`; for strata use `nlme::lme(weights = varIdent())`.")
  }
  if (!is.null(correlation)) {
    fail("`correlation` must be `NULL`: this version fits independent residuals.",
         paste0("It is ", a_kind(correlation), "."),
         "For serial correlation use `nlme::lme(correlation = )`.")
  }
}

# What the user should know about the way the fit ended.
report_outcome <- function(fit, call) {
  dropped <- fit$x_names[setdiff(seq_along(fit$x_names), fit$kept)]
  if (length(dropped)) {
    inform_ferrite(
      "rank", "The columns of the fixed part should be linearly independent.",
      paste0(quoted_list(dropped), if (length(dropped) == 1L) " depends" else " depend",
             " on other columns and ", if (length(dropped) == 1L) "is" else "are", " dropped (coefficient NA)."),
      hint = "The fit is that of the remaining columns; nothing needs to be done.",
      call = call, data = list(columns = dropped)
    )
  }
  switch(
    fit$convergence$status,
    on_boundary = inform_ferrite(
      "singular", "The fit is singular: a covariance matrix of random effects has less than full rank.",
      singular_text(fit$random),
      hint = "This can be the right answer; a simpler random part gives the same likelihood.",
      call = call
    ),
    stalled = , max_evaluations = warn_ferrite(
      "not_converged", "The optimiser should reach an optimum.",
      paste0("It ", if (fit$convergence$status == "stalled") "made no further progress" else "was stopped", " after ",
             counted(fit$convergence$evaluations, "evaluation"), "; the criterion may still fall by ",
             format(fit$convergence$decrement, digits = 2), "."),
      hint = "See `convergence(fit)`; raise `lmm_control(max_evaluations = )` or simplify the random part.",
      call = call, data = list(convergence = fit$convergence)
    )
  )
  invisible()
}

singular_text <- function(random) {
  deficient <- Filter(function(term) term$rank < length(term$effects), random)
  vapply(deficient, function(term) {
    q <- length(term$effects)
    paste0("`", term$group, "`, ", quoted_list(term$effects), ": ",
           if (q == 1L) "the variance is zero" else paste0("rank ", term$rank, " of ", q), ".")
  }, "")
}
