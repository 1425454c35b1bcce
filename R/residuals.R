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
#' @param level nlme's: how many grouping factors count, from the outermost; 0 is the population mean. `NULL` (default):
#'   all. Several, such as `0:1`, give a matrix with a column for each, as in nlme. Grouping factors that are crossed
#'   have no levels between none and all.
#' @param verbose Not used: packages of easystats hand it on.
#' @param ... No other argument is known.
#' @returns A vector named by the rows of the data. After `na.action = na.exclude` it has one element per row of the
#'   data, `NA` where a row was set aside. Fitted values include the random effects and the offset; for the population
#'   mean use `predict(object, re.form = NA)`, or `level = 0`.
#' @section Conditions:
#'   `ferrite_error_argument`.
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
fitted.lmm <- function(object, level = NULL, ...) {
  call <- method_call()
  refuse_arguments("fitted", ..., call = call)
  if (!is.null(level)) {
    means <- means_to_level(object, check_nlme_level(object, level, call))
    return(values_of_level(object, means, stats::napredict))
  }
  design <- design_of(object)
  by_row(object, fixed_part(object, design) + random_part(object, design), stats::napredict)
}

#' @rdname residuals.lmm
#' @importFrom stats residuals
#' @export
residuals.lmm <- function(object, type = c("response", "pearson", "normalized", "working", "deviance"),
                          scaled = FALSE, level = NULL, verbose = FALSE, ...) {
  call <- method_call()
  refuse_arguments("residuals", ..., call = call)
  type <- choose_one(type, c("response", "pearson", "normalized", "working", "deviance"), "type", call)
  check_flag(scaled, "scaled", call, "argument")
  size <- if (scaled || type == "normalized") object$sigma else 1
  if (is.null(level)) {
    return(by_row(object, typed_residuals(object, raw_residuals(object), type) / size, stats::naresid))
  }
  means <- means_to_level(object, check_nlme_level(object, level, call))
  raw <- design_of(object)$y - means
  values <- apply(raw, 2L, function(one) typed_residuals(object, one, type) / size)
  values_of_level(object, matrix(values, nrow(raw), dimnames = dimnames(raw)), stats::naresid)
}

# Raw residuals as those of a type, times sigma.
typed_residuals <- function(fit, raw, type) {
  if (type %in% c("response", "working")) return(raw)
  raw <- raw / residual_sd(fit)
  if (type == "normalized") whiten_rows(fit, raw) else raw
}

# Observed minus fitted.
raw_residuals <- function(fit) {
  design <- design_of(fit)
  design$y - fixed_part(fit, design) - random_part(fit, design)
}

# Residuals that are independent with standard deviation sigma under the model given the random effects.
conditional_residuals <- function(fit) typed_residuals(fit, raw_residuals(fit), "normalized")

# Name the values by the rows of the frame and put back the rows that na.exclude set aside.
by_row <- function(fit, values, restore) {
  names(values) <- rownames(fit$frame)
  restore(fit$na.action, values)
}
