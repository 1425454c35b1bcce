#' Fitted values and residuals
#'
#' Computed when asked, from the model frame that the fit keeps.
#'
#' @param object An object of class `lmm`.
#' @param type `"response"` (default): observed minus fitted, in the unit of the response. `"pearson"`: these times the
#'   square root of the prior weights, so that all have the same variance under the model given the random effects.
#' @param scaled `TRUE` divides by the residual standard deviation [sigma()]. Default `FALSE`.
#' @param ... No other argument is known.
#' @returns A vector named by the rows of the data. After `na.action = na.exclude` it has one element per row of the
#'   data, `NA` where a row was set aside. Fitted values include the random effects and the offset; for the population
#'   mean use `predict(object, re.form = NA)`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' head(fitted(fit))
#' summary(residuals(fit, type = "pearson", scaled = TRUE))
#' @name residuals.lmm
NULL

#' @rdname residuals.lmm
#' @importFrom stats fitted
#' @export
fitted.lmm <- function(object, ...) {
  refuse_arguments("fitted", ..., call = method_call())
  design <- design_of(object)
  by_row(object, fixed_part(object, design) + random_part(object, design), stats::napredict)
}

#' @rdname residuals.lmm
#' @importFrom stats residuals
#' @export
residuals.lmm <- function(object, type = c("response", "pearson"), scaled = FALSE, ...) {
  call <- method_call()
  refuse_arguments("residuals", ..., call = call)
  type <- choose_one(type, c("response", "pearson"), "type", call)
  check_flag(scaled, "scaled", call, "argument")
  design <- design_of(object)
  values <- design$y - fixed_part(object, design) - random_part(object, design)
  if (type == "pearson" && !is.null(design$weights)) values <- values * sqrt(design$weights)
  if (scaled) values <- values / object$sigma
  by_row(object, values, stats::naresid)
}

# Name the values by the rows of the frame and put back the rows that na.exclude set aside.
by_row <- function(fit, values, restore) {
  names(values) <- rownames(fit$frame)
  restore(fit$na.action, values)
}
