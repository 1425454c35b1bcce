# The fit as one row: the words and columns of broom and broom.mixed.

#' Glance at a fit
#'
#' Method for `glance()` of the packages generics, broom and broom.mixed: one row with the columns that broom.mixed
#' gives for models of lme4 and lmerTest.
#'
#' @usage
#' \method{glance}{lmm}(x, ...)
#' @param x An object of class `lmm`.
#' @param ... Nothing else is known: an argument that is not is left out with a warning.
#' @returns A tibble if the package tibble is installed, else a data frame, with one row and the columns `nobs`,
#'   `sigma`, `logLik`, `AIC`, `BIC`, `REMLcrit` (for a fit by REML) or `deviance` (for one by maximum likelihood) and
#'   `df.residual`: what [nobs()], [sigma()], [logLik()], [AIC()], [BIC()], [REMLcrit()], [deviance()] and
#'   [df.residual()] say. `logLik`, `AIC` and `BIC` are under the criterion of the fit.
#' @section Conditions:
#'   `ferrite_warning_argument`.
#' @seealso [tidy.lmm()], [augment.lmm()].
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("generics", quietly = TRUE)) {
#'   generics::glance(fit) # REMLcrit 447.0025, AIC 455.0025
#' }
#' @name glance.lmm
NULL

glance.lmm <- function(x, ...) { # nolint: object_name_linter.
  warn_arguments("glance", ..., call = method_call())
  table <- data.frame(
    nobs = nobs(x), sigma = x$sigma, logLik = as.numeric(logLik(x)), AIC = stats::AIC(x), BIC = stats::BIC(x),
    criterion = x$criterion, df.residual = df.residual(x)
  )
  names(table)[names(table) == "criterion"] <- if (x$REML) "REMLcrit" else "deviance"
  as_tidy(table)
}
