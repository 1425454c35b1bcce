# What a model was and how well it fits: formula(), terms(), model.frame(), model.matrix(), weights(), family();
# logLik(), deviance(), REMLcrit(), nobs().
#
# Reads   a fit.

#' The pieces of the model: formula, terms, frame, matrix, weights
#'
#' @param x,object,formula An object of class `lmm`.
#' @param fixed.only `TRUE`: only the fixed part, with the random terms removed. For `formula()` and `model.frame()` the
#'   default is `FALSE`, for `terms()` it is `TRUE` unless `random.only` is.
#' @param random.only `TRUE`: only the random part. Default `FALSE`; both at once are an error.
#' @param type `"fixed"` (default): the model matrix of the fixed effects with all columns the formula asks for, dropped
#'   ones included, and the attributes `assign` and `contrasts`, as for [lm()]. `"random"`: the matrix of the random
#'   effects, dense; see [component()] about its size.
#' @param ... `model.matrix()` takes no other argument and says so; not used by the others.
#' @returns
#'   * `formula()`: the formula of the call, or its fixed part, or the response with its random part;
#'   * `terms()`: the terms object of the fixed part, from which predictions are made; or that of the formula with every
#'     bar as a plus, with all variables, or those of the random part;
#'   * `model.frame()`: the data used in the fit, one row per observation, with fixed, random and grouping variables; or
#'     those of the one part, response and weights included;
#'   * `model.matrix()`: see `type`;
#'   * `weights()`: the prior weights, ones if none were given, padded with `NA` for rows that `na.exclude` set aside;
#'   * `family()`: the gaussian family with identity link.
#'
#'   `getCall()` returns the call, through its default method.
#' @section Conditions:
#'   `ferrite_error_argument` when a flag is not `TRUE` or `FALSE`, or both parts are to be left out.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' formula(fit, random.only = TRUE) # distance ~ (1 | Subject)
#' formula(fit, fixed.only = TRUE) # distance ~ age
#' head(model.matrix(fit), 4) # ages 8, 10, 12, 14
#' getCall(fit)
#' @name formula.lmm
NULL

#' @rdname formula.lmm
#' @importFrom stats formula
#' @export
formula.lmm <- function(x, fixed.only = FALSE, random.only = FALSE, ...) { # nolint: object_name_linter.
  switch(
    choose_part(fixed.only, random.only, method_call()),
    whole = x$formula,
    random = random_part_formula(x),
    fixed = {
      fixed <- stats::formula(x$terms)
      attributes(fixed) <- NULL
      stats::as.formula(fixed, env = environment(x$formula))
    }
  )
}

# Which part is asked for?
choose_part <- function(fixed_only, random_only, call) {
  check_flag(fixed_only, "fixed.only", call, "argument")
  check_flag(random_only, "random.only", call, "argument")
  if (fixed_only && random_only) {
    abort_ferrite(
      "argument", "`fixed.only` and `random.only` must not both be `TRUE`.", "Nothing would be left.",
      hint = "Leave both out for the whole model.", call = call
    )
  }
  if (fixed_only) "fixed" else if (random_only) "random" else "whole"
}

# The response and the random terms.
random_part_formula <- function(fit) {
  bars <- split_terms(fit$formula[[3L]], fit$formula, NULL)$bars
  bars <- lapply(bars, function(bar) if (is_structured(bar)) bar else call("(", bar))
  formula <- fit$formula
  formula[[3L]] <- sum_of(bars)
  formula
}

#' @rdname formula.lmm
#' @importFrom stats terms
#' @export
terms.lmm <- function(x, fixed.only = !isTRUE(random.only), random.only = FALSE, # nolint: object_name_linter.
                      ...) {
  part <- choose_part(fixed.only, random.only, method_call())
  if (part == "fixed") {
    return(x$terms)
  }
  formula <- if (part == "random") random_part_formula(x) else x$formula
  formula[[3L]] <- bars_as_plus(formula[[3L]])
  stats::terms(formula)
}

# The formula with all variables as predictors: a bar becomes a plus, a word such as cs() goes.
bars_as_plus <- function(expr) {
  if (is_structured(expr)) expr <- call("(", expr[[2L]])
  if (is_bar(expr)) {
    return(call("+", expr[[2L]], expr[[3L]]))
  }
  if (has_bar(expr)) for (i in seq_along(expr)[-1L]) expr[[i]] <- bars_as_plus(expr[[i]])
  expr
}

#' @rdname formula.lmm
#' @importFrom stats model.frame
#' @export
model.frame.lmm <- function(formula, fixed.only = FALSE, random.only = FALSE, ...) { # nolint: object_name_linter.
  part <- choose_part(fixed.only, random.only, method_call())
  frame <- formula$frame
  if (part == "whole") {
    return(frame)
  }
  wanted <- if (part == "fixed") {
    variable_names(formula$terms)
  } else {
    c(names(frame)[1L], unlist(lapply(formula$random, function(term) variable_names(term$lhs))),
      unlist(lapply(formula$factors, `[[`, "variables")))
  }
  chosen <- frame[intersect(names(frame), c(wanted, "(weights)", "(offset)"))]
  attr(chosen, "terms") <- if (part == "fixed") formula$terms else stats::terms(formula, random.only = TRUE)
  chosen
}

#' @rdname formula.lmm
#' @importFrom stats model.matrix
#' @export
model.matrix.lmm <- function(object, type = c("fixed", "random"), ...) {
  call <- method_call()
  refuse_arguments("model.matrix", ..., call = call)
  switch(choose_one(type, c("fixed", "random"), "type", call),
    fixed = fixed_matrix(object, object$frame),
    random = component(object, "Z")
  )
}

# The fixed-effects matrix over the rows of `frame`: all columns of the formula, with the contrasts of the fit.
fixed_matrix <- function(fit, frame) {
  check_frame(fit)
  stats::model.matrix(stats::delete.response(fit$terms), frame, contrasts.arg = used_contrasts(fit))
}

# model.matrix() wants NULL rather than an empty list.
used_contrasts <- function(fit) {
  if (length(fit$contrasts)) fit$contrasts
}

#' @rdname formula.lmm
#' @importFrom stats weights
#' @export
weights.lmm <- function(object, ...) {
  weights <- object$frame[["(weights)"]]
  if (is.null(weights)) weights <- rep(1, nrow(object$frame))
  stats::naresid(object$na.action, as.vector(weights))
}

#' @rdname formula.lmm
#' @importFrom stats family gaussian
#' @export
family.lmm <- function(object, ...) {
  gaussian()
}

# Likelihood -----------------------------------------------------------------------------------------------------------

#' Log-likelihood, criteria and degrees of freedom
#'
#' @param object An object of class `lmm`.
#' @param REML `NULL` (default): the criterion under which the model was fitted. `TRUE` or `FALSE`: the restricted or
#'   the full log-likelihood at the estimated covariance parameters of this fit, whichever criterion they come from.
#'   `1`, `0` and `NA` are understood as `TRUE`, `FALSE` and `NULL`, as by lme4.
#' @param ... `logLik()` and `deviance()` take no other argument and say so; not used by the others.
#' @details
#' With \eqn{n} observations, \eqn{p} estimated fixed effects and the penalised residual sum of squares \eqn{r^2},
#' minus twice the log-likelihood at the estimated covariance parameters is
#' \deqn{\log|L|^2 - \sum\log w_i + [\log|R_X|^2] + \nu (1 + \log(2\pi r^2 / \nu)),}
#' with the term in brackets and \eqn{\nu = n - p} for REML, without it and \eqn{\nu = n} for ML.
#'
#' `logLik()` counts all parameters (fixed effects, covariance parameters, residual variance) in `df` and takes `nobs`
#' as \eqn{n} also for REML, so that `AIC()` and `BIC()` agree with those of lme4. REML values are comparable only
#' between models with the same fixed effects.
#' @returns `logLik()`: an object of class `logLik`. `REMLcrit()`: minus twice the restricted log-likelihood.
#'   `deviance()`: minus twice the full log-likelihood, for a REML fit too, where it is taken at the REML estimates of
#'   the covariance parameters and is a little above its minimum. `nobs()`: the number of observations used.
#'   `df.residual()`: observations minus all parameters.
#' @section Conditions:
#'   `ferrite_error_argument`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' REMLcrit(fit) # 447.0025
#' logLik(fit)
#' AIC(fit)
#' deviance(fit)
#' @name logLik.lmm
NULL

#' @rdname logLik.lmm
#' @importFrom stats logLik
#' @export
logLik.lmm <- function(object, REML = NULL, ...) {
  call <- method_call()
  refuse_arguments("logLik", ..., call = call)
  REML <- chosen_criterion(REML, call) # nolint: object_name_linter.
  structure(-criterion_at_fit(object, REML) / 2, nobs = object$nobs, nall = object$nobs, df = object$npar,
    class = "logLik"
  )
}

#' @rdname logLik.lmm
#' @importFrom stats deviance
#' @export
deviance.lmm <- function(object, REML = FALSE, ...) {
  call <- method_call()
  refuse_arguments("deviance", ..., call = call)
  criterion_at_fit(object, chosen_criterion(REML, call))
}

#' @rdname logLik.lmm
#' @export
REMLcrit <- function(object, ...) { # nolint: object_name_linter.
  UseMethod("REMLcrit")
}

#' @export
REMLcrit.default <- function(object, ...) {
  ask_package("lme4", "REMLcrit", object)
}

#' @export
REMLcrit.lmm <- function(object, ...) {
  refuse_arguments("REMLcrit", ..., call = method_call())
  criterion_at_fit(object, TRUE)
}

#' @rdname logLik.lmm
#' @importFrom stats nobs
#' @export
nobs.lmm <- function(object, ...) {
  object$nobs
}

#' @rdname logLik.lmm
#' @importFrom stats df.residual
#' @export
df.residual.lmm <- function(object, ...) {
  object$nobs - object$npar
}

# `REML` of these methods as TRUE, FALSE or NULL.
chosen_criterion <- function(REML, call) { # nolint: object_name_linter.
  if (is.null(REML) || isTRUE(REML) || isFALSE(REML)) return(REML)
  one <- (is.numeric(REML) || is.logical(REML)) && length(REML) == 1L && is.null(dim(REML))
  if (!one || !(is.na(REML) || REML %in% c(0, 1))) {
    bad_setting(REML, "REML", "`TRUE`, `FALSE` or `NULL`", call, "argument")
  }
  if (!is.na(REML)) REML == 1
}

# Minus twice the (restricted) log-likelihood at the covariance parameters of the fit. The other criterion differs from
# the fitted one only by log|R_X|^2 and the multiplier nu, so that nothing of the data is needed.
criterion_at_fit <- function(fit, REML = NULL) {
  wanted <- if (is.null(REML)) fit$REML else REML
  if (identical(wanted, fit$REML)) {
    return(fit$criterion)
  }
  residual <- function(nu) nu * (1 + log(2 * pi * fit$pwrss / nu))
  change <- residual(fit$nobs - fit$rank) - residual(fit$nobs) + fit$ld_rx
  if (wanted) fit$criterion + change else fit$criterion - change
}
