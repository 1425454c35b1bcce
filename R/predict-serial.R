# Residuals of new rows: their standard deviations and their series.
#
# Reads   a fit with `dispersion` or `correlation`, the user's `newdata` (rows without missing values).
# Writes  `scale` of `rows` (predict-rows.R): standard deviations relative to sigma, without prior weights; `serial`:
#         list(codes (series of the fit, NA for a new one), groups (series of the new rows), time (NULL for "cs")).
# Used by predict.R, predict-error.R, simulate.R. Not here: which rows of the fit they are predicted from
# (predict-links.R).

# Variables of newdata that must be there, as expressions.
residual_expressions <- function(fit, scale, serial) {
  residual <- fit$residual
  unique(c(
    if (scale && !is.null(residual$scale)) residual$scale$expressions,
    if (serial && !is.null(residual$correlation)) residual$correlation$expressions
  ))
}

# Names of the columns of newdata that they need; those that are not there are an error.
needed_residual <- function(fit, newdata, scale, serial, call) {
  expressions <- residual_expressions(fit, scale, serial)
  names <- unique(unlist(lapply(expressions, all.vars)))
  direct <- vapply(Filter(is.symbol, expressions), as.character, "")
  env <- environment(fit$terms)
  missing <- Filter(function(name) {
    !name %in% names(newdata) &&
      (name %in% direct || !exists(name, envir = env) || NROW(get(name, envir = env)) == fit$nobs)
  }, names)
  if (length(missing)) {
    own <- unlist(lapply(residual_expressions(fit, FALSE, TRUE), all.vars))
    abort_ferrite("newdata", "`newdata` must have every variable that the residuals of new rows need.",
      sprintf("It has no column %s.", paste0("`", missing, "`", collapse = ", ")),
      hint = c(
        name_hint(missing[1L], names(newdata), "Columns of `newdata`"),
        if (any(missing %in% own)) "In `predict()`, `serial = FALSE` leaves the residuals of the series out."
      ), call = call, data = list(missing = missing)
    )
  }
  intersect(names, names(newdata))
}

# Standard deviations of the residuals of new rows, relative to sigma and without prior weights.
new_scale <- function(fit, newdata, call) {
  scale <- fit$residual$scale
  if (is.null(scale)) return(rep(1, nrow(newdata)))
  strata <- scale$strata
  if (!is.null(strata)) {
    values <- group_values(strata, fit, newdata, call)
    codes <- codes_in(strata, values)
    if (anyNA(codes)) new_strata(strata, values, is.na(codes), call)
    return(unname(strata$ratio[codes]))
  }
  frame <- new_frame(scale$terms, scale$xlevels, newdata, call)
  columns <- tryCatch(scale_columns(scale, frame), error = function(e) unusable(conditionMessage(e), call))
  sd <- exp(times_blocks(columns, dispersion_coefficients(fit), nrow(newdata)))
  bad <- which(!is.finite(sd) | sd <= 0)
  if (length(bad)) {
    abort_ferrite("dispersion", "The residual standard deviation of a new row must be positive and finite.",
      sprintf("By `dispersion = %s` it is %s in %s of `newdata`.", scale$text, format(sd[bad[1L]]),
        row_list(newdata, bad)),
      hint = "Check the values of the covariate there.", call = call, data = list(rows = bad)
    )
  }
  sd
}

new_strata <- function(strata, values, new, call) {
  labels <- unique(do.call(paste, c(lapply(values, function(value) as.character(value[new])), sep = ":")))
  abort_ferrite("new_levels",
    sprintf("Every stratum of `dispersion` (`%s`) in `newdata` must be one of the fit.", strata$name),
    sprintf("%s %s new: nothing is known of the residual variance.", quoted_list(labels),
      if (length(labels) == 1L) "is" else "are"),
    hint = paste0("Strata of the fit: ", quoted_list(strata$levels, 8L), "."), call = call,
    data = list(variable = strata$name, levels = labels)
  )
}

# The series of new rows.
new_serial <- function(fit, newdata, call) {
  stored <- fit$residual$correlation
  if (is.null(stored)) return(NULL)
  n <- nrow(newdata)
  series <- stored$series
  if (is.null(series)) {
    codes <- groups <- rep.int(1L, n)
  } else {
    codes <- codes_in(series, group_values(series, fit, newdata, call))
    groups <- new_groups(list(factors = list(series), terms = fit$terms), 1L, newdata, call)
  }
  time <- if (stored$form == "cs") NULL
  else if (is.null(stored$time)) following_times(fit, stored, codes, groups)
  else new_times(fit, stored, newdata, call)
  in_units(list(codes = codes, groups = groups, time = time), stored)
}

# Where the order of the rows is the time, new rows come after those of the fit.
following_times <- function(fit, stored, codes, groups) {
  if (!length(groups)) return(numeric())
  old <- serial_columns(stored, fit$frame)
  last <- tabulate(old$codes, old$n_levels)[codes]
  last[is.na(last)] <- 0L
  row_times(groups, max(groups)) + last
}

new_times <- function(fit, stored, newdata, call) {
  name <- stored$time
  old <- .subset2(fit$frame, name)
  value <- tryCatch(
    rep_len(eval(stored$time_expression, newdata, environment(fit$terms)), nrow(newdata)),
    error = function(e) unusable(conditionMessage(e), call)
  )
  kinds <- c("Date", "difftime")
  if (is.null(stored$time_levels)) {
    good <- is.numeric(value) || inherits(value, kinds)
    if (!good || !identical(inherits(old, kinds, TRUE), inherits(value, kinds, TRUE))) {
      unusable(sprintf("`%s` is %s; in the fit it was %s", name, a_kind(value), a_kind(old)), call)
    }
    if (inherits(old, "difftime")) units(value) <- units(old)
    time <- time_values(value)
  } else {
    time <- time_values(value, stored$time_levels)
    numbers <- read_numbers(as.character(value))
    whole <- !anyNA(read_numbers(stored$time_levels))
    if (whole) time[is.na(time)] <- numbers[is.na(time)]
    if (anyNA(time)) known_levels(name, value, stored$time_levels, call)
  }
  bad <- which(!is.finite(time) | (stored$form == "ar1" & time != round(time)))
  if (length(bad)) {
    abort_ferrite("newdata", sprintf("The times of new rows must be %s.",
      if (stored$form == "ar1") "whole numbers in `ar1()`" else "finite"),
      sprintf("`%s` is %s in %s of `newdata`.", name, format(time[bad[1L]], digits = 7L), row_list(newdata, bad)),
      hint = "Correct the values; for times at any distance fit `car1()`.", call = call, data = list(rows = bad)
    )
  }
  time
}

# New rows as residual_blocks() arranges those of a fit, for colour_rows().
new_blocks <- function(fit, serial, call) {
  if (is.null(serial) || !length(serial$groups)) return(NULL)
  stored <- fit$residual$correlation
  levels <- max(serial$groups)
  time <- or_else(serial$time, row_times(serial$groups, levels))
  order <- order(serial$groups, time, method = "radix")
  later <- which(sequence(tabulate(serial$groups, levels)) > 1L)
  tied <- later[time[order[later]] == time[order[later - 1L]]]
  if (length(tied)) {
    abort_ferrite("tied_times", "In a series every time must occur once.",
      sprintf("Rows %d and %d of those drawn have the same `%s`, %s.", order[tied[1L] - 1L], order[tied[1L]],
        stored$time, format(time[order[tied[1L]]] * or_else(stored$unit, 1), digits = 15L)),
      hint = "One series has one residual at a time: leave one of the rows out, or name another series.",
      call = call, data = list(first = order[tied[1L] - 1L], second = order[tied[1L]])
    )
  }
  previous <- rep(NA_integer_, length(order))
  previous[order[later]] <- order[later - 1L]
  list(
    form = stored$form, rho = fit$residual$unit_rho, codes = serial$groups, time = time, order = order,
    previous = previous, rows = unname(split(order, serial$groups[order]))
  )
}
