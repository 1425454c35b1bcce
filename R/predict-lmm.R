# predict(): means and limits for the rows of the fit or new ones.
#
# Reads   a fit, `rows` (predict-rows.R), which effects count (extract-re-form.R); the joint variance of fixed and
#         random effects comes from prediction_variance().
# Writes  means, standard errors and limits, in the unit of y. Theta and sigma count as known.

#' Predictions
#'
#' Predicted means, their standard errors, and intervals for means or for new observations.
#'
#' @param object An object of class `lmm`.
#' @param newdata Data frame with the variables of the model; `NULL` (default) predicts for the data of the fit.
#' @param re.form Which random effects count. `NULL` (default): all. `NA` or `~ 0`: none, the population mean. A
#'   one-sided formula such as `~ (1 | Subject)`: those effects of those factors.
#' @param allow.new.levels `FALSE` (default): a level of a grouping factor that was not in the fit is an error. `TRUE`:
#'   its random effects count as zero, their mean, and their variance counts in standard errors and intervals.
#' @param se.fit `TRUE` to get standard errors as well. Default `FALSE`.
#' @param interval `"none"` (default); `"confidence"`: for the mean \eqn{x'\beta + z'b} with the random effects of
#'   `re.form`; `"prediction"`: for a new observation. See *Intervals*.
#' @param level Coverage of the intervals, between 0 and 1. Default 0.95. Without an interval (and without `re.form`)
#'   whole numbers are nlme's `level`: how many grouping factors count, from the outermost; 0 is the population,
#'   `re.form = NA`. Several of them, `0:1`, give nlme's data frame with the grouping factors and a column for each.
#' @param weights Prior weights of the rows, used for `interval = "prediction"` only: positive numbers, one or one for
#'   each row, or a one-sided formula that is evaluated in the rows, such as `~ w`. Default: for the data of the fit
#'   those of the fit; for `newdata` one, with a warning if the fit was weighted.
#' @param ddf Where no random effects count (`re.form = NA`) and `interval` is not `"prediction"`: `"Satterthwaite"` or
#'   `"Kenward-Roger"` for t instead of normal quantiles, as in [contest()]; Kenward and Roger's method also adjusts
#'   the standard errors (for a fit by maximum likelihood all numbers are those of the REML refit). Default
#'   `"asymptotic"`: normal quantiles.
#' @param type `"response"` or `"link"`: the same in a Gaussian model.
#' @param random.only `TRUE`: only the contributions of the random effects of `re.form`, without fixed effects and
#'   offset; variables of the fixed part need not be in `newdata`. Default `FALSE`.
#' @param newparams `NULL`, or a list with any of `beta`, `theta` and `sigma`: the predictions at these values instead
#'   of the estimates (of random effects at the same spherical `u`, as in lme4). Without standard errors and intervals.
#' @param terms Only `NULL`, as in lme4.
#' @param na.action What becomes of rows of `newdata` in which a variable that is needed is missing: [na.pass()]
#'   (default) and [na.exclude()] predict `NA`, [na.omit()] leaves the row out, [na.fail()] is an error.
#' @param serial For fits with `correlation`: whether the residuals of the fit are part of predictions for `newdata` in
#'   the same series. Default (`NULL`): `TRUE` if all random effects count (`re.form = NULL`) and the time is a
#'   variable. See *Forecasts in a series*.
#' @param ... `ReForm`, `REForm` and `REform`, lme4's old words for `re.form`. No other argument is known.
#' @returns A vector with one prediction per row, named by the rows; with an interval a matrix with the columns `fit`,
#'   `lwr` and `upr`. With `se.fit = TRUE` a list as from [predict.lm()]: `fit`, the vector or matrix; `se.fit`,
#'   standard errors of the mean, whatever the interval; `df`, the degrees of freedom of the quantiles (`Inf`, or one
#'   number per row by `ddf`); `residual.scale`, the residual standard deviation.
#'
#'   Without `newdata` and with `re.form = NULL` the predictions are the fitted values. The offset is included. If
#'   columns of the model matrix were dropped as linearly dependent, a new row for which the prediction would depend on
#'   that choice gets `NA`, with a warning.
#' @section New data:
#'   Factors are matched by their levels, and bases such as `poly()` or `ns()` are those of the fit. Only the variables
#'   that the prediction needs must be there: the grouping factors of terms that do not count may be left out. A row
#'   whose grouping factor is missing predicts `NA`, also with `allow.new.levels = TRUE`.
#' @section Intervals:
#'   The standard error is that of
#'   \eqn{x'\hat\beta + z'\hat b - x'\beta - z'b}{x'beta_hat + z'b_hat - x'beta - z'b}, where \eqn{\beta} and
#'   \eqn{b} are estimated jointly. Its square is \eqn{\sigma^2 (x, z)\, C^{-1} (x, z)'}{sigma^2 (x, z) C^-1 (x, z)'}
#'   with the matrix \eqn{C} of Henderson's equations. It is not the sum of two variances, for the errors of the
#'   estimates of \eqn{\beta} and \eqn{b} are correlated. With `re.form = NA` it is
#'   \eqn{x' \mathrm{Var}(\hat\beta) x}{x' Var(beta_hat) x}. For a new level the estimate of \eqn{b} is 0, and the
#'   variance \eqn{z' G z} of its effects is added: what is predicted is the mean of that level.
#'
#'   A prediction interval is for one new observation. To the variance of the mean it adds
#'   * the residual variance \eqn{\sigma^2 / w} of the row, with `dispersion` that of its stratum or covariates;
#'   * the variance of all random effects that do not count by `re.form`: they are those of a new level. So
#'     `re.form = NA` gives the interval for an observation in a new group, `re.form = NULL` for one in the group named
#'     by the row. The covariates of these effects must be in `newdata`. If only some columns of a term count, the
#'     others are taken as drawn anew, independently of them.
#'
#'   Limits are symmetric with normal quantiles (t quantiles by `ddf`). All this takes the variance parameters
#'   \eqn{\theta} and \eqn{\sigma} as known: their uncertainty is left out, so that with few groups the intervals are
#'   too short: with the parameters of sleepstudy (400 simulations), 95 % prediction intervals cover 94.6 % of new
#'   observations of known and 94.2 % of those of new subjects with 18 subjects, 93.6 % and 92.0 % with 6. For
#'   population means, `ddf` and [bootstrap()] take it into account.
#' @section Forecasts in a series:
#'   With `correlation`, residuals of a series tell of its other residuals. For a row of `newdata` in a series of the
#'   fit the best linear predictor of its residual is added to the mean,
#'   \eqn{r' R^{-1} (y - X\hat\beta - Z\hat b)}{r' R^-1 (y - fitted)} with \eqn{r} the covariances of the new residual
#'   with those of the series. So a forecast begins near the last residual and falls back to the mean as time goes on; a
#'   row between two observed times is interpolated. Standard errors and confidence limits are then of the conditional
#'   mean, with the estimation of \eqn{\beta} and \eqn{b} in the residuals counted; prediction intervals are for an
#'   observation given the series: the residual variance is what is left, \eqn{(1 - \rho^{2d}) \sigma^2} at a distance d
#'   after the end of an AR(1) series. Nothing is added
#'   * in a series that is not in the fit;
#'   * at a time at which the series was observed: there the prediction is the fitted value, and a prediction interval
#'     is for an observation with another residual;
#'   * without `newdata`, and with `serial = FALSE`.
#'
#'   Where the time is the order of the rows, `ar1(~ 1 | series)`, and in `cs()`, it is not told whether a row of
#'   `newdata` is another one or one of the fit, and the default is `FALSE`: predictions for the data of the fit are its
#'   fitted values. With `serial = TRUE` the rows of `newdata` follow those of the fit, and in `cs()` each is another
#'   member of its series.
#' @section Conditions:
#'   `ferrite_error_newdata` (columns missing or of another kind), `ferrite_error_new_levels` (also of strata of
#'   `dispersion`, whose residual variance is not known), `ferrite_error_dispersion`, `ferrite_error_too_large`,
#'   `ferrite_error_re_form`, `ferrite_error_weights`, `ferrite_error_missing` (with `na.fail`),
#'   `ferrite_error_argument`, `ferrite_warning_weights`, `ferrite_warning_not_estimable`.
#' @references Henderson (1975) \doi{10.2307/2529430}; McLean, Sanders and Stroup (1991)
#'   \doi{10.1080/00031305.1991.10475767}.
#' @seealso [fitted.lmm()], [simulate.lmm()], [contest()] for tests of fixed effects.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' new <- data.frame(age = c(9, 11), Subject = "M01")
#' predict(fit, new, re.form = NA) # 16.7611 + 0.660185 * age: 22.7028 24.0231
#' predict(fit, new)
#' predict(fit, new, interval = "prediction") # an observation of M01: 22.93 to 29.16 at age 9
#' # of a child not seen before: half width 1.96 * sqrt(0.4296^2 + 2.1147^2 + 1.4316^2) at age 11
#' predict(fit, new, re.form = NA, interval = "prediction")
#' predict(fit, new, re.form = NA, se.fit = TRUE)$se.fit
#' @importFrom stats predict
#' @export
predict.lmm <- function(object, newdata = NULL, re.form = NULL, allow.new.levels = FALSE, se.fit = FALSE, # nolint
                        interval = c("none", "confidence", "prediction"), level = 0.95, weights = NULL,
                        ddf = c("asymptotic", "Satterthwaite", "Kenward-Roger"), type = c("response", "link"),
                        na.action = stats::na.pass, serial = NULL, random.only = FALSE, newparams = NULL, terms = NULL,
                        ...) {
  call <- method_call()
  re.form <- re_form_of("predict", re.form, ..., call = call)
  check_flag(allow.new.levels, "allow.new.levels", call, "argument")
  check_flag(se.fit, "se.fit", call, "argument")
  interval <- choose_one(interval, c("none", "confidence", "prediction"), "interval", call)
  by_level <- is_nlme_level(level, interval, re.form, call)
  if (by_level) {
    level <- check_nlme_level(object, level, call)
    if (length(level) > 1L) {
      return(predict_levels(object, newdata, level, se.fit, function(one) {
        predict.lmm(object, newdata, level = one, allow.new.levels = allow.new.levels, na.action = na.action,
          serial = if (one == max(level)) serial else FALSE, random.only = random.only, newparams = newparams)
      }, call))
    }
  } else {
    check_level(level, call)
  }
  choose_one(type, c("response", "link"), "type", call)
  check_na_rule(na.action, call)
  check_means_only(random.only, newparams, terms, se.fit, interval, call)
  object <- with_parameters(object, newparams, call)
  chosen <- if (by_level) effects_to_level(object, level) else chosen_effects(object, re.form, call)
  if (random.only) object <- without_fixed(object)
  serial <- or_else(serial, if (random.only) FALSE)
  ddf <- prediction_ddf(ddf, chosen, interval, call)
  serial <- use_series(object, serial, chosen, newdata, call)
  if (!is.null(newdata)) newdata <- check_newdata(newdata, call)
  rows <- if (is.null(newdata)) {
    rows_of_fit(object)
  } else {
    rows_of_new(object, newdata, chosen, interval == "prediction", allow.new.levels, na.action, call, serial = serial)
  }
  weights <- if (serial || interval == "prediction" || !is.null(weights)) {
    row_weights(object, weights, newdata, rows, call)
  }
  links <- if (serial) serial_links(object, rows$serial, rows$scale / sqrt(weights))
  mean <- mean_of_rows(object, rows, chosen) + linked_residuals(object, rows, links)
  if (!se.fit && interval == "none") {
    return(restore_rows(object, rows, mean))
  }
  error <- error_of_mean(object, rows, chosen, mean, ddf, call, links)
  spread <- if (interval == "prediction") {
    sqrt(error$variance + variance_around(object, rows, chosen, weights, or_else(links$left, 1)))
  } else {
    sqrt(error$variance)
  }
  values <- if (interval == "none") error$mean else limits_around(error$mean, spread, error$df, level)
  values <- restore_rows(object, rows, values)
  if (!se.fit) {
    return(values)
  }
  df <- if (length(error$df) > 1L || !all(is.infinite(error$df))) restore_rows(object, rows, error$df) else Inf
  list(
    fit = values, se.fit = restore_rows(object, rows, sqrt(error$variance)), df = df, residual.scale = object$sigma
  )
}

# Standard errors are those of the estimates, and of the whole mean.
check_means_only <- function(random_only, newparams, terms, se_fit, interval, call) {
  if (!is.null(terms)) bad_setting(terms, "terms", "`NULL`", call, "argument")
  check_flag(random_only, "random.only", call, "argument")
  argument <- if (random_only) "random.only" else "newparams"
  if ((!random_only && is.null(newparams)) || (!se_fit && interval == "none")) return(invisible())
  abort_ferrite("argument", sprintf("`%s` must come without standard errors and intervals.", argument),
    if (se_fit) "`se.fit` is `TRUE`." else sprintf("`interval` is \"%s\".", interval),
    hint = sprintf("Leave it out, or leave out `%s`.", argument), call = call, data = list(argument = argument)
  )
}

# The fit without its fixed part and offset: what is left are the random effects.
without_fixed <- function(fit) {
  fit$terms <- stats::terms(stats::as.formula(~ 0, environment(fit$terms)))
  environment(fit$terms) <- environment(fit$formula)
  fit$x_names <- character()
  fit$kept <- integer()
  fit$beta <- numeric()
  fit$vcov <- matrix(0, 0L, 0L)
  fit$rank <- 0L
  fit["contrasts"] <- list(NULL)
  fit$xlevels <- list()
  fit$call$offset <- NULL
  fit$frame[["(offset)"]] <- NULL
  fit
}

# Whether the residuals of the fit are part of the predictions.
use_series <- function(fit, serial, chosen, newdata, call) {
  whole <- all(unlist(chosen))
  if (is.null(serial)) serial <- whole && !is.null(fit$residual$correlation$time)
  check_flag(serial, "serial", call, "argument")
  if (!serial || is.null(fit$residual$correlation) || is.null(newdata)) {
    return(FALSE)
  }
  if (!whole) {
    abort_ferrite("argument", "`serial = TRUE` must come with all random effects.",
      "`re.form` leaves some out, so that the residuals of the fit are not those of the prediction.",
      hint = "Leave `re.form` out, or `serial`.", call = call, data = list(argument = "serial")
    )
  }
  TRUE
}

# What the residuals of the fit add to the predictions.
linked_residuals <- function(fit, rows, links) {
  if (!length(links$row)) {
    return(0)
  }
  drop(sum_links(links$weight * raw_residuals(fit)[links$old], links$row, rows$n))
}

limits_around <- function(mean, spread, df, level) {
  half <- stats::qt((1 + level) / 2, df) * spread
  cbind(fit = mean, lwr = mean - half, upr = mean + half)
}

# Degrees of freedom are for linear functions of the fixed effects.
prediction_ddf <- function(ddf, chosen, interval, call) {
  choices <- c("asymptotic", "Satterthwaite", "Kenward-Roger")
  ddf <- choose_one(ddf, choices, "ddf", call)
  if (ddf != "asymptotic" && (any(unlist(chosen)) || interval == "prediction")) {
    abort_ferrite("argument",
      "`ddf` must be \"asymptotic\" where random effects or a new observation are predicted.",
      sprintf("It is \"%s\".", ddf),
      hint = "Leave `ddf` out, or ask for the population mean: `re.form = NA`, `interval = \"confidence\"`.",
      call = call, data = list(argument = "ddf")
    )
  }
  ddf
}

# The predicted means, offset included. A code of NA (a new level) contributes zero.
mean_of_rows <- function(fit, rows, chosen) {
  total <- times_blocks(rows$x, unname(fit$beta), rows$n) + or_else(rows$offset, 0)
  total[rows$not_estimable] <- NA
  for (k in which(vapply(chosen, any, NA))) {
    term <- fit$random[[k]]
    b <- rbind(term$b, 0)
    b[, !chosen[[k]]] <- 0
    own <- rows$codes[[term$factor]]
    own[is.na(own)] <- nrow(b)
    total <- total + times_levels(rows$bases[[k]], b, own)
  }
  total
}

# Variances of predictions ---------------------------------------------------------------------------------------------

#' Mean of the rows with its variance
#'
#' @param mean From `mean_of_rows()`.
#' @param links From `serial_links()`, when residuals of the fit are part of the prediction.
#' @param ddf One of the methods of `contest()`; others than `"asymptotic"` only where no random effect counts.
#' @returns `mean` (of the REML refit for Kenward and Roger's method on a fit by ML), `variance`, `df` (`Inf`, or a
#'   number for each row).
#' @noRd
error_of_mean <- function(fit, rows, chosen, mean, ddf, call, links = NULL) {
  if (ddf != "asymptotic" && fit$rank && rows$n) {
    inference <- inference_of(fit, ddf, call)
    L <- dense_blocks(rows$x, rows$n)[, fit$kept, drop = FALSE] # nolint: object_name_linter.
    error <- list(
      mean = drop(L %*% inference$beta) + or_else(rows$offset, 0), variance = quadratic_forms(L, inference$variance),
      df = row_df(inference, L)
    )
  } else {
    variance <- if (length(links$row)) linked_variance(fit, rows, links, call) else joint_variance(fit, rows, chosen)
    error <- list(mean = mean, variance = variance, df = Inf)
  }
  error$mean[rows$not_estimable] <- NA
  error$variance[rows$not_estimable] <- NA
  error
}

# Var(x'beta_hat + z'b_hat - x'beta - z'b) for the effects that count.
joint_variance <- function(fit, rows, chosen) {
  if (!rows$n) {
    return(numeric())
  }
  counts <- vapply(chosen, any, NA)
  bases <- Map(function(basis, own) if (any(own)) only_columns(basis, own, rows$n), rows$bases, chosen)
  known <- list(n = rows$n, x = rows$x, codes = rows$codes, bases = bases)
  prediction_variance(fit, known, ifelse(counts, "known", "none"))
}

# Blocks with the other columns set to zero.
only_columns <- function(blocks, own, n) {
  if (all(own)) {
    return(blocks)
  }
  basis <- dense_blocks(blocks, n)
  basis[, !own] <- 0
  list(basis)
}

# What an observation adds to the variance of the mean: its residual, and the effects that do not count as drawn anew.
# At a new level all effects of a term are one draw; those that count are in the variance of the mean already. `left`:
# the share of the variance of the residuals that is not predicted by those of the fit.
variance_around <- function(fit, rows, chosen, weights, left = 1) {
  total <- fit$sigma^2 * scale_of_rows(fit, rows)^2 / weights * left
  for (k in which(!vapply(chosen, all, NA))) {
    term <- fit$random[[k]]
    counts <- chosen[[k]]
    basis <- dense_blocks(rows$bases[[k]], rows$n)
    known <- basis
    known[, counts] <- 0
    added <- quadratic_forms(known, term$varcov)
    new <- if (any(counts)) which(is.na(rows$codes[[term$factor]]))
    if (length(new)) {
      counted <- basis[new, , drop = FALSE]
      counted[, !counts] <- 0
      added[new] <- quadratic_forms(basis[new, , drop = FALSE], term$varcov) - quadratic_forms(counted, term$varcov)
    }
    total <- total + added
  }
  total
}
