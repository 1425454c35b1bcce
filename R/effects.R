# Effect displays by the package effects: what it asks of a model that it does not know.
#
# Reads   a fit and the variables inside of its terms (recover.R).
# Writes  eff_sources_lmm(): call, formula, estimates and their covariance matrix, as effects::effSources() does.
# Registered by register.R when effects is loaded.

#' Effect displays by effects
#'
#' `Effect()`, `allEffects()`, `predictorEffects()` and `effect()` of the package effects work on the models of `lmm()`,
#' and so do the plots of what they return. The effects are those of the fixed part, with its covariance matrix or
#' another one that a function given by `vcov. = ` returns; the quantiles of the intervals are those of the residual
#' degrees of freedom, as for models of lme4.
#'
#' The data are those that the fit keeps, also when they have changed since, or were local to a function; only variables
#' inside a term, such as `x` of `log(x)`, are looked up in the data again and must still be there.
#'
#' @section Conditions:
#'   `ferrite_error_recover` when a variable inside a term is gone or has changed.
#' @seealso [emmeans] for means, with degrees of freedom.
#' @examples
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("effects", quietly = TRUE)) {
#'   found <- effects::Effect(c("age", "Sex"), fit, xlevels = list(age = c(8, 14)))
#'   as.data.frame(found) # Male at 8: 22.62, standard error 0.52
#' }
#' @name effects
NULL

# Method of effects::effSources(). The call is one of glm(), which effects makes its grid with.
eff_sources_lmm <- function(mod) {
  formula <- formula.lmm(mod, fixed.only = TRUE)
  data <- recover_variables(mod, list(formula), quote(Effect()))
  text <- vapply(data, function(x) is.character(x) || is.logical(x), NA)
  for (name in names(data)[text]) data[[name]] <- factor(data[[name]])
  call <- as.call(list(
    quote(lmm), formula = formula, data = data, contrasts = used_contrasts(mod), offset = mod$frame[["(offset)"]]
  ))
  list(
    call = call[!vapply(as.list(call), is.null, NA)], formula = formula, coefficients = fixef(mod), vcov = vcov(mod)
  )
}
