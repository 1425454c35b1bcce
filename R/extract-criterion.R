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
