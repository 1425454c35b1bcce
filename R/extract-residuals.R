# Fitted values, residuals of all types, leverages, Cook's distances, standardised residuals: a number for each row.
#
# Reads   a fit and its design.

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

# Leverages and distances ----------------------------------------------------------------------------------------------

#' Leverages, standardised residuals and Cook's distances of cases
#'
#' Of the fit as it is, without any refit: the covariance parameters are taken as known. For exact deletion see
#' [influence.lmm()].
#'
#' @param model An object of class `lmm`.
#' @param infl Not used: functions written for [lm()] hand on what `influence(model, do.coef = FALSE)` returned.
#' @param ... No other argument is known.
#' @details
#' With \eqn{C} the matrix of Henderson's mixed model equations divided by \eqn{\sigma^2}, the fitted values (random
#' effects included) are \eqn{\hat y = H y} with
#' \deqn{h_i = w_i (x_i, z_i) C^{-1} (x_i, z_i)'}
#' on the diagonal of the hat matrix, weights \eqn{w_i} included. The sum of the leverages lies between the number of
#' fixed effects and that of all effects: the effective number of parameters of the conditional fit. With
#' \eqn{r_i = \sqrt{w_i} (y_i - \hat y_i)}:
#' \deqn{cooks.distance = \frac{h_i}{(1 - h_i)^2} \frac{r_i^2}{p \sigma^2}, \qquad
#'   rstandard = \frac{r_i}{\sigma \sqrt{1 - h_i}},}
#' p being the rank of the fixed part (`NA` if there is none). These are lme4's definitions. Under the model, a
#' standardised residual has variance one exactly, given the covariance parameters. `rstudent()` is the same as
#' `rstandard()`, as in lme4: its \eqn{\sigma} is that of the whole fit.
#'
#' With `dispersion` the weights are \eqn{w_i / s_i^2}, \eqn{s_i} being the residual standard deviation of the row
#' relative to \eqn{\sigma}. With `correlation` all of this is said of the whitened rows, of which the hat matrix is
#' symmetric: each row less what those before it in its series predict of it, over its standard deviation, as in
#' `residuals(type = "normalized")`. So a leverage is that of what is new in the row. The sum of the leverages is the
#' trace of the hat matrix in any case.
#' @returns A vector with one element per row of the data, named by the rows; `NA` for the rows that `na.exclude` set
#'   aside. `NaN` where the leverage is one and there is nothing to divide by.
#' @seealso [influence.lmm()], and [cooks.distance()][cooks.distance.influence.lmm] of its result.
#' @examples
#' fit <- lmm(y ~ 1 + (1 | person), estrone)
#' sum(hatvalues(fit)) # 4.954028 = 1 + 4 * 0.988507: one mean, and five women less one, shrunk
#' which.max(cooks.distance(fit)) # row 65
#' @importFrom stats hatvalues
#' @export
hatvalues.lmm <- function(model, infl = NULL, ...) {
  call <- method_call()
  refuse_arguments("hatvalues", ..., call = call)
  by_row(model, leverages(model, call), stats::napredict)
}

#' @rdname hatvalues.lmm
#' @importFrom stats cooks.distance
#' @export
cooks.distance.lmm <- function(model, infl = NULL, ...) {
  call <- method_call()
  refuse_arguments("cooks.distance", ..., call = call)
  by_row(model, cook_distances(model, leverages(model, call), conditional_residuals(model)), stats::naresid)
}

#' @rdname hatvalues.lmm
#' @importFrom stats rstandard
#' @export
rstandard.lmm <- function(model, infl = NULL, ...) {
  call <- method_call()
  refuse_arguments("rstandard", ..., call = call)
  by_row(model, standardised_residuals(model, call), stats::naresid)
}

#' @rdname hatvalues.lmm
#' @importFrom stats rstudent
#' @export
rstudent.lmm <- function(model, infl = NULL, ...) {
  call <- method_call()
  refuse_arguments("rstudent", ..., call = call)
  by_row(model, standardised_residuals(model, call), stats::naresid)
}

# The diagonal of the hat matrix at the rows of the fit; with a correlation that of the whitened rows.
leverages <- function(fit, call) {
  blocks <- residual_blocks(fit)
  if (is.null(blocks)) {
    joint <- prediction_variance(fit, NULL, rep("known", length(fit$random)), call)
    return(as.vector(joint) / (fit$sigma * residual_sd(fit))^2)
  }
  sd <- residual_sd(fit)
  rows <- rows_of_fit(fit)
  if (levels_in_series(fit, rows, blocks)) {
    white <- function(columns) list(whiten_rows(fit, dense_blocks(columns, rows$n) / sd, blocks))
    rows$x <- white(rows$x)
    rows$bases <- lapply(rows$bases, white)
    return(as.vector(prediction_variance(fit, rows, rep("known", length(fit$random)), call)) / fit$sigma^2)
  }
  links <- whitening_links(blocks)
  links$weight <- links$slope * sd[links$row] / sd[links$old]
  linked_variance(fit, rows, links[c("row", "old", "weight")], call) / (fit$sigma * sd * links$sd)^2
}

# Whether each series lies in one level of every grouping factor.
levels_in_series <- function(fit, rows, blocks) {
  first <- vapply(blocks$rows, `[`, 0L, 1L)[blocks$codes]
  all(vapply(fit$random, function(term) {
    codes <- rows$codes[[term$factor]]
    all(codes == codes[first])
  }, NA))
}

# Which multiples of earlier rows of the series whitening takes off each row, and the standard deviation that is left.
whitening_links <- function(blocks) {
  n <- length(blocks$codes)
  if (blocks$form != "cs") {
    steps <- ar_steps(blocks)
    return(list(
      row = steps$later, old = blocks$previous[steps$later], slope = steps$slope,
      sd = replace(rep(1, n), steps$later, steps$sd)
    ))
  }
  steps <- cs_steps(blocks)
  before <- steps$place - 1L
  at <- rep.int(seq_len(n), before)
  sd <- numeric(n)
  sd[blocks$order] <- steps$sd
  list(
    row = blocks$order[at], old = blocks$order[at - steps$place[at] + sequence(before)], slope = steps$slope[at],
    sd = sd
  )
}

# Cook's distances from leverages and independent residuals.
cook_distances <- function(fit, h, r) {
  # a leverage of one leaves no residual: 0 / 0
  h[1 - h < 1e-10] <- NaN
  p <- if (fit$rank) fit$rank else NA
  (r / (fit$sigma * (1 - h)))^2 * h / p
}

standardised_residuals <- function(fit, call) {
  h <- leverages(fit, call)
  h[1 - h < 1e-10] <- NaN
  conditional_residuals(fit) / (fit$sigma * sqrt(1 - h))
}
