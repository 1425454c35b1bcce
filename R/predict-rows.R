# The rows that are predicted or simulated: those of the fit, or new ones, in the columns and codes that the fit knows.
#
# Reads   a fit and the user's `newdata`, checked by data-new.R.
# Writes  `rows`, a list:
#   n         number of rows without missing values
#   x, offset blocks of the fixed part and the offset (or NULL)
#   codes     for each grouping factor the levels of the fit, NA where the level is new; NULL when not needed
#   groups    for each grouping factor numbers that tell its levels in these rows apart; NULL when not needed
#   bases     for each random term the blocks of its columns; NULL when not needed
#   not_estimable  rows that dropped columns make unpredictable
#   scale     standard deviations of the residuals relative to sigma, without prior weights; NULL: not made yet, or not
#             needed
#   serial    series of the residuals (predict-series.R), NULL when not needed
#   at, names where the rows stand among those of the result, and the names of those; NULL for the rows of the fit
# Used by predict-lmm.R, predict-simulate.R.

rows_of_fit <- function(fit) {
  design <- design_of(fit)
  codes <- lapply(design$factors, function(factor) factor$codes)
  list(
    n = length(design$y), x = design$x, offset = design$offset, codes = codes, groups = codes,
    bases = lapply(design$terms, function(term) term$basis), not_estimable = integer()
  )
}

#' Rows of new data
#'
#' @param chosen Which effects count, from `chosen_effects()`: their levels are looked up in the fit.
#' @param all_bases Whether the columns of random terms that do not count are needed as well.
#' @param anew Whether the effects that do not count will be drawn anew, so that their groups are needed.
#' @param serial Whether the series of the residuals are needed; their variances are for that and for `all_bases`.
#' @noRd
rows_of_new <- function(fit, newdata, chosen, all_bases, allow_new, na_action, call, anew = FALSE,
                        serial = FALSE) {
  counts <- vapply(chosen, any, NA)
  whole <- vapply(chosen, all, NA)
  based <- which(counts | all_bases)
  needed <- needed_columns(fit, newdata, based, which(counts | (anew & !whole)), anew, call)
  scaled <- all_bases || (serial && !is.null(fit$residual$correlation))
  needed <- union(needed, needed_residual(fit, newdata, scaled, serial, call))
  place <- place_rows(newdata, needed, na_action, call)
  newdata <- newdata[place$kept, , drop = FALSE]
  n <- nrow(newdata)
  frame <- new_frame(fit$terms, fit$xlevels, newdata, call)
  x <- new_columns(fit$terms, frame, fit$contrasts, call)
  codes <- groups <- vector("list", length(fit$factors))
  factor_of <- vapply(fit$random, function(term) as.integer(term$factor), 0L)
  for (k in unique(factor_of[counts])) codes[[k]] <- new_codes(fit, k, newdata, allow_new, call)
  if (anew) {
    some_new <- vapply(factor_of, function(k) anyNA(codes[[k]]), NA)
    for (k in unique(factor_of[!whole | some_new])) groups[[k]] <- new_groups(fit, k, newdata, call)
  }
  bases <- vector("list", length(fit$random))
  for (k in based) {
    term <- fit$random[[k]]
    bases[[k]] <- new_basis(term, new_frame(term$lhs, term$xlevels, newdata, call), call)
  }
  list(
    n = n, x = x, offset = new_offset(fit, frame, newdata, call), codes = codes, groups = groups, bases = bases,
    not_estimable = not_estimable(fit, x, n, call), scale = if (scaled) new_scale(fit, newdata, call),
    serial = if (serial) new_serial(fit, newdata, call), kept = place$kept, at = place$at, names = place$names
  )
}

# Standard deviations of the residuals of rows, relative to sigma and without prior weights.
scale_of_rows <- function(fit, rows) if (is.null(rows$scale)) residual_sd(fit, fit$frame) else rows$scale

# Rows with missing values: which rows of newdata are kept, where they stand in the result, and the result's names.
place_rows <- function(newdata, needed, na_action, call) {
  for (name in needed) check_new_column(name, newdata[[name]], nrow(newdata), call)
  complete <- if (length(needed)) stats::complete.cases(newdata[needed]) else rep(TRUE, nrow(newdata))
  rule <- check_na_rule(na_action, call)
  if (rule == 4L && !all(complete)) missing_values(newdata[needed], "", call)
  kept <- which(complete)
  if (rule == 3L) {
    return(list(kept = kept, at = seq_along(kept), names = rownames(newdata)[kept]))
  }
  list(kept = kept, at = kept, names = rownames(newdata))
}

# The number of the rule for missing values: 1 na.pass, 2 na.exclude, 3 na.omit, 4 na.fail.
check_na_rule <- function(na_action, call) {
  rule <- resolve_na_action(na_action, call)
  known <- list(stats::na.pass, stats::na.exclude, stats::na.omit, stats::na.fail)
  rule <- which(vapply(known, identical, NA, rule))
  if (length(rule)) return(rule)
  abort_ferrite("argument", "`na.action` must be `na.pass`, `na.exclude`, `na.omit` or `na.fail`.",
    "It is another function.", hint = "Leave `na.action` out to predict NA where a variable is missing.",
    call = call, data = list(argument = "na.action")
  )
}

# Values of the rows (a vector, or a matrix with a row for each) in the order of the user's rows, with names.
restore_rows <- function(fit, rows, values) {
  if (is.null(rows$at)) {
    return(if (is.matrix(values)) padded_matrix(fit, values) else by_row(fit, values, stats::napredict))
  }
  total <- length(rows$names)
  if (is.matrix(values)) {
    full <- matrix(NA_real_, total, ncol(values), dimnames = list(rows$names, colnames(values)))
    full[rows$at, ] <- values
    return(full)
  }
  full <- stats::setNames(rep(NA_real_, total), rows$names)
  full[rows$at] <- values
  full
}

padded_matrix <- function(fit, values) {
  rownames(values) <- rownames(fit$frame)
  stats::napredict(fit$na.action, values)
}

# The prior weights of the rows. New rows have none of their own; a formula is evaluated in them.
row_weights <- function(fit, weights, newdata, rows, call) {
  if (is.null(weights)) {
    if (is.null(newdata)) {
      return(or_else(weights_of(fit$frame), rep(1, rows$n)))
    }
    if (fit$weights_used) {
      warn_ferrite("weights", "The weights of new observations should be given when the fit was weighted.",
        "They are not: each observation counts with weight 1.", hint = "Give `weights = `, a number or a formula.",
        call = call
      )
    }
    return(rep(1, rows$n))
  }
  space <- if (is.null(newdata)) fit$frame else newdata
  formula <- inherits(weights, "formula")
  if (formula) {
    weights <- tryCatch(
      eval(weights[[length(weights)]], space, environment(weights)),
      error = function(e) bad_row_weights(paste0("`", code_text(weights), "` fails: ", conditionMessage(e), "."), call)
    )
  }
  if (!is.numeric(weights) || is.object(weights)) bad_row_weights(paste0("It is ", a_kind(weights), "."), call)
  size <- nrow(space)
  if (!length(weights) %in% c(1L, size)) {
    bad_row_weights(sprintf("It has %s for %s.", counted(length(weights), "value"), counted(size, "row")), call)
  }
  # a value that is missing in a column of new rows is a missing row
  bad <- weights <= 0 | is.infinite(weights)
  bad[is.na(weights)] <- !formula
  wrong <- which(bad | is.nan(weights))
  if (length(wrong)) bad_row_weights(sprintf("Value %s is %s.", wrong[1L], format(weights[wrong[1L]])), call)
  weights <- rep_len(as.double(weights), size)
  if (is.null(rows$kept)) weights else weights[rows$kept]
}

bad_row_weights <- function(found, call) {
  abort_ferrite("weights", "`weights` must be positive numbers, one or one for each row, or a one-sided formula.",
    found, hint = "The residual variance of a row is `sigma^2 / weights`; leave `weights` out for one.", call = call
  )
}
