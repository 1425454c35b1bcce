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
