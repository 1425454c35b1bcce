# The data of a fit, or new data, with what the fit says of each row: the words and columns of broom and broom.mixed.
#
# Reads   a fit; fitted values, leverages and distances are computed when asked.
# Writes  a table with a row for each row of the data.
# Used by util-load.R, as a method of generics::augment().

#' Augment data with a fit
#'
#' Method for `augment()` of the packages generics, broom and broom.mixed: the data, and beside them fitted values,
#' residuals and influence, with the columns that broom.mixed gives for models of lme4.
#'
#' @usage
#' \method{augment}{lmm}(x, data = NULL, newdata = NULL, re.form = NULL,
#'   allow.new.levels = FALSE, se_fit = FALSE,
#'   interval = c("none", "confidence", "prediction"), conf.level = 0.95, ...)
#' @param x An object of class `lmm`.
#' @param data The data of the fit, when other columns are wanted than those of the model. Default: the model frame.
#' @param newdata Other data, for predictions.
#' @param re.form,allow.new.levels As in [predict.lmm()]: which random effects count in `.fitted`.
#' @param se_fit `TRUE` adds the standard errors of `.fitted`. Default `FALSE`.
#' @param interval `"confidence"` or `"prediction"` adds limits, see [predict.lmm()]. Default `"none"`.
#' @param conf.level Coverage of the limits, between 0 and 1. Default 0.95.
#' @param ... Nothing else is known: an argument that is not is left out with a warning.
#' @details
#' Rows that the fit left out: after `na.action = na.omit` (the default of R) they are left out here as well, with or
#' without `data`; after `na.exclude` and with `data` they stand in their place with `NA`. This is the rule of broom.
#' Row names that are not 1, 2, ... become the first column, `.rownames`.
#' @returns A tibble if the package tibble is installed, else a data frame: the columns of the data, then
#'   * `.fitted`, with `.lower` and `.upper` (`interval`) and `.se.fit` (`se_fit`) if asked for;
#'   * `.resid`: observed minus fitted. With `newdata` only if the response can be computed from them, and then
#'     nothing else follows;
#'   * `.hat`: the leverage of the row; `.cooksd`: Cook's distance;
#'   * `.fixed`: the population mean, without random effects;
#'   * `.mu` (the same as `.fitted` unless `re.form` is given), `.offset`, `.sqrtXwt`, `.sqrtrwt` (both [sigma()] over
#'     the residual standard deviation of the row: the square root of the prior weight, over what `dispersion` gives),
#'     `.weights` (prior weights), `.wtres` (the residual times that root): the inner columns of models of lme4.
#'
#'   With `dispersion` and `correlation`, `.hat` and `.cooksd` are those of [hatvalues.lmm()], `.wtres` are
#'   `residuals(x, type = "pearson")`.
#' @section Conditions:
#'   `ferrite_error_data` when `data` are not those of the fit; those of [predict.lmm()]; `ferrite_warning_argument`.
#' @seealso [tidy.lmm()], [glance.lmm()], [predict.lmm()].
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("generics", quietly = TRUE)) {
#'   print(head(generics::augment(fit), 3)) # .fitted 25.4, 26.7, 28.0
#'   generics::augment(fit, newdata = data.frame(age = 11, Subject = "M01"))
#' }
#' @name augment.lmm
NULL

augment.lmm <- function(x, data = NULL, newdata = NULL, re.form = NULL, allow.new.levels = FALSE, # nolint
                        se_fit = FALSE, interval = c("none", "confidence", "prediction"), conf.level = 0.95, ...) {
  call <- method_call()
  warn_arguments("augment", ..., call = call)
  check_flag(se_fit, "se_fit", call, "argument")
  interval <- choose_one(interval, c("none", "confidence", "prediction"), "interval", call)
  check_level(conf.level, call)
  predicted <- function(newdata = NULL) {
    predicted_columns(stats::predict(x, newdata, re.form, allow.new.levels, se_fit, interval, conf.level))
  }
  if (!is.null(newdata)) {
    newdata <- check_newdata(newdata, call)
    added <- predicted(newdata)
    response <- response_in(x, newdata)
    if (!is.null(response)) added$.resid <- response - added$.fitted
    return(add_columns(newdata, seq_len(nrow(newdata)), added))
  }
  source <- augmented_rows(x, data, call)
  added <- c(lapply(predicted(), unpadded, fit = x), fit_columns(x, call))
  added$.resid <- added$.resid - (added$.fitted - added$.mu)
  added <- added[order(match(names(added), augment_columns, nomatch = 1L))]
  add_columns(source$data, source$rows, added)
}

# In the order of broom.mixed.
augment_columns <- c(
  ".fitted", ".lower", ".upper", ".se.fit", ".resid", ".hat", ".cooksd", ".fixed", ".mu", ".offset", ".sqrtXwt",
  ".sqrtrwt", ".weights", ".wtres"
)

# What predict() gave, as columns.
predicted_columns <- function(value) {
  error <- if (is.list(value)) value$se.fit
  fit <- if (is.list(value)) value$fit else value
  columns <- if (is.matrix(fit)) list(.fitted = fit[, "fit"], .lower = fit[, "lwr"], .upper = fit[, "upr"])
  else list(.fitted = fit)
  if (!is.null(error)) columns$.se.fit <- error
  lapply(columns, unname)
}

# What the fit says of its own rows.
fit_columns <- function(fit, call) {
  design <- design_of(fit)
  fixed <- fixed_part(fit, design)
  mu <- fixed + random_part(fit, design)
  residual <- design$y - mu
  sd <- residual_sd(fit)
  hat <- leverages(fit, call)
  list(
    .resid = residual, .hat = hat, .cooksd = cook_distances(fit, hat, whiten_rows(fit, residual / sd)), .fixed = fixed,
    .mu = mu, .offset = or_else(design$offset, numeric(fit$nobs)), .sqrtXwt = 1 / sd, .sqrtrwt = 1 / sd,
    .weights = or_else(design$weights, rep(1, fit$nobs)), .wtres = residual / sd
  )
}

# A vector over the rows of the fit, without those that na.exclude put back.
unpadded <- function(fit, values) {
  values <- unname(values)
  if (length(values) > fit$nobs) values[-as.vector(fit$na.action)] else values
}

# The response in new data; NULL when it cannot be computed there.
response_in <- function(fit, newdata) {
  expression <- fit$formula[[2L]]
  if (!all(all.vars(expression) %in% names(newdata))) return(NULL)
  value <- tryCatch(as.double(eval(expression, newdata, environment(fit$formula))), error = function(e) NULL)
  if (length(value) == nrow(newdata)) value
}

#' The data of a fit, and the rows in which the fit's own rows stand
#'
#' @returns list(data, rows): `rows` are numbers of rows of the fit, NA for one that na.exclude set aside.
#' @noRd
augmented_rows <- function(fit, data, call) {
  if (is.null(data)) return(list(data = fit$frame, rows = seq_len(fit$nobs)))
  data <- check_newdata(data, call)
  left_out <- fit$na.action
  names <- attr(data, "row.names")
  if (nrow(data) == fit$nobs + length(left_out)) {
    aside <- seq_len(nrow(data)) %in% left_out
    rows <- replace(rep(NA_integer_, nrow(data)), !aside, seq_len(fit$nobs))
  } else {
    aside <- names %in% names(left_out)
    rows <- if (nrow(data) == fit$nobs) seq_len(fit$nobs) else match(names, attr(fit$frame, "row.names"))
  }
  if (sum(!is.na(rows)) != fit$nobs) other_data(fit, sprintf("They have %s.", counted(nrow(data), "row")), call)
  kept <- !is.na(rows) | (aside & inherits(left_out, "exclude"))
  found <- list(data = data[kept, , drop = FALSE], rows = rows[kept])
  response <- response_in(fit, found$data)
  known <- which(!is.na(found$rows))
  own <- as_double(fit$frame[[1L]])[found$rows[known]]
  if (!is.null(response) && !isTRUE(all.equal(response[known], own))) {
    other_data(fit, sprintf("`%s` is not what it was in the fit.", names(fit$frame)[1L]), call)
  }
  found
}

other_data <- function(fit, found, call) {
  abort_ferrite("data", "`data` must be the data of the fit.", found,
    paste0("The fit has ", counted(fit$nobs, "row"),
           if (length(fit$na.action)) paste0(" and left ", length(fit$na.action), " out"), "."),
    hint = "For other data use `newdata`.", call = call, data = list(rows = fit$nobs)
  )
}

# The data with columns beside them; `rows`: the element of each column for each row.
add_columns <- function(data, rows, added) {
  names <- attr(data, "row.names")
  sequence <- is.integer(names) && identical(names, seq_len(nrow(data)))
  named <- !sequence && !identical(as.character(names), as.character(seq_len(nrow(data))))
  table <- unclass(data)
  attributes(table) <- list(names = names(data))
  table[names(added)] <- lapply(added, function(column) column[rows])
  if (named && !".rownames" %in% names(table)) table <- c(list(.rownames = as.character(names)), table)
  as_tidy(structure(table, class = "data.frame", row.names = .set_row_names(nrow(data))))
}
