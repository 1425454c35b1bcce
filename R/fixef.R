#' Fixed effects and their covariance matrix
#'
#' @param object An object of class `lmm`.
#' @param complete `TRUE` (default): columns of the model matrix that were dropped because they depend on others are
#'   kept as `NA`, as [lm()] does. `FALSE`: only the estimated coefficients.
#' @param add.dropped lme4's word for `complete`.
#' @param type `"model"` (default), or a cluster-robust estimate, `"CR0"`, `"CR1"` or `"CR2"`: see [robust()], which
#'   has their degrees of freedom.
#' @param cluster The clusters of a robust estimate, see [robust()]. Default: the outermost grouping factor.
#' @param ... `fixef()` takes no other argument and says so; not used by `vcov()`.
#' @section Conditions:
#'   `ferrite_error_argument`.
#' @returns `fixef()`: a named vector. `vcov()`: the covariance matrix of the estimates, named alike. For a REML fit and
#'   for an ML fit that of the model is \eqn{\hat\sigma^2 (X' V^{-1} X)^{-1}} with the estimate of \eqn{\sigma^2} of
#'   that fit.
#' @seealso [coef.lmm()] for coefficients by group, [summary.lmm()] for the table with standard errors.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' fixef(fit) # slope 0.660185
#' sqrt(diag(vcov(fit))) # age 0.0616
#' sqrt(diag(vcov(fit, type = "CR2"))) # age 0.0713
#' @name fixef.lmm
NULL

#' @rdname fixef.lmm
#' @export
fixef.lmm <- function(object, complete = TRUE, add.dropped = complete, ...) {
  call <- method_call()
  refuse_arguments("fixef", ..., call = call)
  check_flag(complete, "complete", call, "argument")
  if (check_flag(add.dropped, "add.dropped", call, "argument")) object$beta else object$beta[object$kept]
}

#' @rdname fixef.lmm
#' @importFrom stats vcov
#' @export
vcov.lmm <- function(object, complete = TRUE, type = c("model", "CR0", "CR1", "CR2"), cluster = NULL, ...) {
  check_flag(complete, "complete", method_call(), "argument")
  variance <- object$vcov
  if (!missing(type) || !missing(cluster)) variance <- chosen_variance(object, type, cluster, method_call())
  if (!complete || length(object$kept) == length(object$x_names)) {
    return(variance)
  }
  p <- length(object$x_names)
  full <- matrix(NA_real_, p, p, dimnames = list(object$x_names, object$x_names))
  full[object$kept, object$kept] <- variance
  full
}

# Estimates, standard errors and t values, one row per estimated coefficient: what print, summary and reports show.
fixed_table <- function(fit) {
  estimate <- fixef(fit, complete = FALSE)
  error <- sqrt(diag(fit$vcov))
  table <- cbind(Estimate = estimate, "Std. Error" = error, "t value" = estimate / error)
  rownames(table) <- fit$x_names[fit$kept]
  table
}
