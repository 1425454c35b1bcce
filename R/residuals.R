#' Fitted values and residuals
#'
#' Computed when asked, from the model frame that the fit keeps.
#'
#' @param object An object of class `lmm`.
#' @param type What the residuals are:
#'   * `"response"` (default): observed minus fitted, in the unit of the response;
#'   * `"pearson"`: these times the square root of the prior weights, over the standard deviation that `dispersion`
#'     gives to the row relative to [sigma()], so that all have the same variance under the model given the random
#'     effects. The unit is that of the response still, as in lme4; nlme's also divide by sigma;
#'   * `"normalized"`: \eqn{R^{-1/2} (y - X\hat\beta - Z\hat b)}{R^-1/2 (y - fitted)} with the covariance matrix
#'     \eqn{R} of the errors, without a unit: under the model independent with variance one, apart from the estimation
#'     of \eqn{\beta} and \eqn{b}. With independent errors these are the pearson residuals divided by [sigma()]. With
#'     `correlation`, \eqn{R^{1/2}} is the lower triangular Cholesky factor with the rows of each series in the order of
#'     time (of the data for `cs()`): each residual given those before it in its series, in units of its standard
#'     deviation, as in nlme for AR(1) (nlme's factor for compound symmetry is another one).
#'   * `"working"` is `"response"`, and `"deviance"` is `"pearson"`, as in any Gaussian model with identity link: so
#'     [stats::weighted.residuals()] works, and gives the pearson residuals.
#' @param scaled `TRUE` divides by the residual standard deviation [sigma()]. Default `FALSE`. Normalized residuals are
#'   divided by it in any case, once.
#' @param ... No other argument is known.
#' @returns A vector named by the rows of the data. After `na.action = na.exclude` it has one element per row of the
#'   data, `NA` where a row was set aside. Fitted values include the random effects and the offset; for the population
#'   mean use `predict(object, re.form = NA)`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' head(fitted(fit))
#' sd(residuals(fit)) # 1.2584, less than sigma 1.4316: random effects follow the data
#' # estrus cycles of mares: neighbouring residuals are correlated, 0.61; normalized ones not
#' cycles <- lmm(
#'   follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), nlme::Ovary,
#'   correlation = ar1(~ 1 | Mare)
#' )
#' summary(residuals(cycles, type = "normalized"))
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
residuals.lmm <- function(object, type = c("response", "pearson", "normalized", "working", "deviance"),
                          scaled = FALSE, ...) {
  call <- method_call()
  refuse_arguments("residuals", ..., call = call)
  type <- choose_one(type, c("response", "pearson", "normalized", "working", "deviance"), "type", call)
  check_flag(scaled, "scaled", call, "argument")
  values <- if (type %in% c("response", "working")) raw_residuals(object)
  else if (type %in% c("pearson", "deviance")) raw_residuals(object) / residual_sd(object)
  else conditional_residuals(object)
  if (scaled || type == "normalized") values <- values / object$sigma
  by_row(object, values, stats::naresid)
}

# Observed minus fitted.
raw_residuals <- function(fit) {
  design <- design_of(fit)
  design$y - fixed_part(fit, design) - random_part(fit, design)
}

# Residuals that are independent with standard deviation sigma under the model given the random effects.
conditional_residuals <- function(fit) whiten_rows(fit, raw_residuals(fit) / residual_sd(fit))

# Name the values by the rows of the frame and put back the rows that na.exclude set aside.
by_row <- function(fit, values, restore) {
  names(values) <- rownames(fit$frame)
  restore(fit$na.action, values)
}
