# The columns of a correlation over the frame: series, times; and what can be wrong with them.
#
# Reads   what formula-residual.R read, the model frame; for failures what the engine said.
# Writes  the field `residual$correlation` of a fit: list(form, text, time, time_levels, series, variables,
#         time_expression, expressions), where `time` is a column of the frame, `NULL` for the order of the rows, and
#         `series` is as a grouping factor, `NULL` for one series; `expressions` are `variables` as language; and
#         list(form, codes, n_levels, time) for the engine, where a `time` of `NULL` is the order of the rows.

#' The correlation of a model over its frame
#'
#' @param correlation From `read_correlation()`.
#' @param factors The grouping factors of the design: their codes are not made again.
#' @returns list(correlation, serial): what the fit keeps, and list(form, codes, n_levels, time) for the engine.
#' @noRd
build_correlation <- function(correlation, factors, frame, call) {
  group <- correlation$group
  series <- NULL
  codes <- NULL
  if (!is.null(group)) {
    series <- series_factor(group$variables, deparse_one(group$expr), factors, frame, call)
    codes <- series$codes
    series <- series[names(series) != "codes"]
  }
  time <- if (!is.null(correlation$time)) deparse_one(correlation$time)
  kept <- list(
    form = correlation$form, text = correlation$text, time = time,
    time_levels = if (!is.null(time)) time_levels(.subset2(frame, time)), series = series,
    variables = unique(c(time, series$variables)), time_expression = correlation$time,
    expressions = unique(c(correlation$time, series$expressions))
  )
  if (!is.null(time)) check_time(kept, frame, call)
  serial <- serial_columns(kept, frame, codes)
  if (correlation$form == "car1" && !is.null(time)) {
    kept$unit <- time_unit(serial)
    serial <- in_units(serial, kept)
  }
  if (length(serial$codes) == serial$n_levels) lone_rows(kept, call)
  list(correlation = kept, serial = serial)
}

# One factor of one or several variables (expressions), as a grouping factor; it may have one level.
series_factor <- function(expressions, name, factors, frame, call) {
  variables <- vapply(expressions, deparse_one, "")
  for (factor in factors) if (identical(unname(factor$variables), variables)) return(factor)
  coded <- lapply(variables, function(variable) {
    one <- code_variable(.subset2(frame, variable), variable, call)
    check_text(one$levels, "data", paste0("The levels of `", variable, "`"), call)
    one
  })
  names(coded) <- variables
  term <- list(variables = variables, expressions = expressions, group = name)
  if (length(variables) == 1L) single_factor(term, coded) else crossed_factor(term, coded)
}

# list(form, codes, n_levels, time) of a correlation over the frame of the fit.
serial_columns <- function(correlation, frame, codes = NULL) {
  n <- nrow(frame)
  series <- correlation$series
  if (is.null(codes)) codes <- if (is.null(series)) rep.int(1L, n) else codes_in(series, frame)
  levels <- if (is.null(series)) 1L else series$n_levels
  time <- if (!is.null(correlation$time)) time_values(.subset2(frame, correlation$time), correlation$time_levels)
  list(form = correlation$form, codes = codes, n_levels = levels, time = time)
}

# The unit in which the engine has times of car1(): a short distance of the data, so that no distance is so many units
# that rho, at one unit, would have to be told apart from zero.
time_unit <- function(serial) {
  gaps <- time_gaps(serial)
  gaps <- gaps[is.finite(gaps) & gaps > 0]
  if (!length(gaps)) return(1)
  gaps[order(gaps)[ceiling(length(gaps) / 20)]]
}

in_units <- function(serial, correlation) {
  if (!is.null(correlation$unit)) serial$time <- serial$time / correlation$unit
  serial
}

# The correlation at one unit from the last element of phi, which is a free number: how is the engine's business
# (correlation.rs). `longest`: rows of the longest series, looked at for compound symmetry alone.
unit_rho_of <- function(r, correlation, longest) {
  switch(correlation$form,
    ar1 = tanh(r), car1 = r^2 / (1 + r^2),
    cs = {
      lowest <- -1 / (max(longest, 2) - 1)
      lowest + (1 - lowest) * stats::plogis(r)
    }
  )
}

# The same at distance one of the data.
rho_of <- function(r, correlation, longest) rho_at_one(unit_rho_of(r, correlation, longest), correlation)

rho_at_one <- function(rho, correlation) rho^(1 / or_else(correlation$unit, 1))

# 1, 2, ... within each series in the order of the rows.
row_times <- function(codes, levels) {
  time <- as.double(sequence(tabulate(codes, levels)))
  if (is.unsorted(codes)) time[order(codes, method = "radix")] <- time
  time
}

# Levels of a factor that is a time.
time_levels <- function(x) if (is.factor(x)) levels(x)

# A time as numbers: days of a Date; the numbers that are the levels of a factor, else their positions.
time_values <- function(x, levels = NULL) {
  if (is.null(levels)) return(as_double(unclass(x)))
  numbers <- read_numbers(levels)
  if (anyNA(numbers)) numbers <- as.double(seq_along(levels))
  numbers[match(as.character(x), levels)]
}

bad_time <- function(rule, found, hint, name, call, rows = NULL) {
  abort_ferrite("correlation", rule, found, hint = hint, call = call, data = list(variable = name, rows = rows))
}

# The kind of the variable.
check_time <- function(correlation, frame, call) {
  name <- correlation$time
  x <- .subset2(frame, name)
  known <- (is.numeric(x) && !is.object(x)) || is.factor(x) || inherits(x, c("Date", "difftime", "AsIs"))
  if (known && !is.character(x) && NCOL(x) == 1L) return(invisible())
  hours <- paste0("as.numeric(difftime(", name, ", min(", name, "), units = \"hours\"))")
  bad_time(
    "The time of a series must be numeric, a date or a factor.", paste0("`", name, "` is ", a_kind(x), "."),
    if (inherits(x, "POSIXt")) paste0("Choose a unit: `", hours, "`, whole numbers for `ar1()`.")
    else paste0("Use `factor(", name, ", levels = ...)` with the levels in the order of time, or a number."), name, call
  )
}

# The values, where the engine found one that is not finite or, for ar1(), not whole.
check_times <- function(time, correlation, frame, call) {
  name <- correlation$time
  if (!is.finite(sum(time)) && any(bad <- !is.finite(time))) {
    bad_time(
      "The times of a series must be finite.",
      paste0("`", name, "` is ", describe_nonfinite(time[bad]), " in ", row_list(frame, which(bad)), "."),
      "Correct the values, or set them to NA to drop the rows.", name, call, which(bad)
    )
  }
  if (correlation$form != "ar1" || is.integer(.subset2(frame, name)) || !any(part <- time != trunc(time))) {
    return(invisible())
  }
  bad_time(
    "In `ar1()` the times must be whole numbers.",
    paste0("`", name, "` is not in ", row_list(frame, which(part)), ", ",
           if (sum(part) == 1L) "" else "first ", format(time[part][1L], digits = 7L), "."),
    paste0("For times at any distance use `", sub("ar1", "car1", correlation$text), "`, or number the steps."),
    name, call, which(part)
  )
}

# cs() and a random intercept of the same series add the same constant to the covariances of its rows.
check_shared <- function(design, call) {
  correlation <- design$correlation
  alike <- is.null(design$scale) && is.null(design$weights)
  if (!alike || !identical(correlation$form, "cs")) return(invisible())
  same <- equal_intercept(correlation$series, design)
  if (is.null(same)) return(invisible())
  abort_ferrite(
    "unidentified", "The correlation of the residuals and the random effects must be estimable from the data.",
    paste0("`", correlation$text, "` and `", same, "` both make all rows of a `", correlation$series$name,
           "` equally correlated."),
    hint = paste0("Remove one of the two; they differ only where the correlation is negative, which `cs()` allows."),
    call = call, data = list(factor = correlation$series$name)
  )
}

lone_rows <- function(correlation, call) {
  bad_correlation(
    paste0("Each series of `", correlation$series$name, "` has one row, so no two residuals are correlated."), call,
    "Check the series: it must group rows that follow each other."
  )
}

# Failures of the engine --------------------------------------------------------------------------------------------

# Two rows of a series at the same time: `data$first` and `data$second` are the first such pair.
fail_tied <- function(data, design, frame, fail) {
  correlation <- design$correlation
  serial <- design$residual$correlation
  first <- c(data$first, data$second)
  same <- which(serial$codes == serial$codes[first[1L]] & serial$time == serial$time[first[1L]])
  keys <- order(serial$codes, serial$time)
  ties <- sum(diff(serial$codes[keys]) == 0 & diff(serial$time[keys]) == 0)
  series <- correlation$series
  where <- if (!is.null(series)) {
    paste0(", in series \"", series$levels[serial$codes[first[1L]]], "\" of `", series$name, "`")
  }
  fail(
    "In a series every time must occur once.",
    paste0(
      toupper(substr(row_list(frame, same), 1L, 1L)), substring(row_list(frame, same), 2L), " have the same `",
      correlation$time, "`, ", format(.subset2(frame, correlation$time)[first[1L]], digits = 15L),
      where,
      if (ties > length(same) - 1L) paste0("; there are ", ties, " such ties"), "."
    ),
    hint = if (is.null(series)) paste0("Name the series: `", correlation$form, "(~ ", correlation$time, " | series)`.")
    else paste0("Check `", correlation$time, "`, or cross the series with what distinguishes these rows (`",
                series$name, ":b`).")
  )
}

# The correlation tends to one, or the likelihood does not depend on it.
fail_correlation <- function(data, design, fail) {
  correlation <- design$correlation
  if (identical(data$to, "one")) {
    fail(
      "The correlation of the residuals must be less than one in size.",
      paste0("That of `", correlation$text, "` tends to one: residuals of a series do not differ from each other."),
      hint = paste0("Remove `correlation`", if (!is.null(correlation$series)) {
        paste0(", or put a random intercept `(1 | ", correlation$series$name, ")` in its place")
      }, ".")
    )
  }
  serial <- design$residual$correlation
  least <- if (correlation$form == "car1") min(time_gaps(serial)) * or_else(correlation$unit, 1) else 0
  if (least > 1) {
    name <- or_else(correlation$time, "time")
    fail(
      "The correlation of the residuals must be estimable from the data.",
      paste0("The smallest distance of `", name, "` in a series is ", format(least), ". No positive correlation was ",
             "found there, and rho, at distance one, is zero or next to it."),
      hint = paste0("Remove `correlation`, or measure the time in such steps: `I(", name, " / ", format(least), ")`.")
    )
  }
  step <- if (correlation$form == "ar1") common_step(serial)
  fail(
    "The correlation of the residuals must be estimable from the data.",
    paste0("The likelihood does not depend on how `", correlation$text,
           "` and the rest of the model share what residuals have in common."),
    if (isTRUE(step > 1)) paste0("All times in a series are ", step, " apart, or multiples of it."),
    hint = if (isTRUE(step > 1)) paste0("Count the times in steps of ", step, ", or remove `correlation`.")
    else "Remove `correlation`, or the random term that makes the rows of a series alike."
  )
}

# The random intercept whose levels are the series.
equal_intercept <- function(series, design) {
  for (term in design$terms) {
    if (setequal(design$factors[[term$factor]]$variables, series$variables) && "(Intercept)" %in% term$effects) {
      return(term$text)
    }
  }
}

# Where all times are even numbers of steps apart, rho^gap cannot be negative: a correlation of zero may hide one.
report_steps <- function(fit, call) {
  correlation <- fit$residual$correlation
  if (!identical(correlation$form, "ar1") || is.null(correlation$time) || abs(fit$residual$rho) > 1e-3) {
    return(invisible())
  }
  step <- common_step(serial_columns(correlation, fit$frame))
  if (step %% 2 != 0) return(invisible())
  inform_ferrite(
    "time_step", "The correlation of neighbours in time should be able to be negative.",
    paste0("All times `", correlation$time, "` in a series are ", format(step), " apart, or multiples of it, where ",
           "rho^", format(step), " is positive; rho is estimated as zero."),
    hint = paste0("Count the times in steps of ", format(step), ": `", correlation$time, " / ", format(step), "`."),
    call = call, data = list(variable = correlation$time, step = step)
  )
}

# The largest whole number that divides all distances in time.
common_step <- function(serial) {
  gaps <- time_gaps(serial)
  gcd <- function(a, b) if (b == 0) a else gcd(b, a %% b)
  Reduce(gcd, gaps)
}

# The distances between neighbours in time.
time_gaps <- function(serial) {
  if (is.null(serial$time)) return(1)
  at <- order(serial$codes, serial$time)
  unique(diff(serial$time[at])[diff(serial$codes[at]) == 0])
}

# The Cholesky factor of the correlation -------------------------------------------------------------------------------
#
# With C = L L' for each series in the order of time, whiten_rows() multiplies by the inverse of L and colour_rows() by
# L; the rows stay where they are. Without a correlation both do nothing. Scales (residual_sd) and sigma are the
# caller's.
# Loops run over the places in a series, never over the rows.

#' @param values Numeric vector or matrix with a row for each row of the fit.
#' @noRd
whiten_rows <- function(fit, values, blocks = residual_blocks(fit)) {
  if (is.null(blocks)) return(values)
  if (is.matrix(values)) {
    for (j in seq_len(ncol(values))) values[, j] <- whiten_rows(fit, values[, j], blocks)
    return(values)
  }
  if (blocks$form == "cs") {
    steps <- cs_steps(blocks)
    before <- sums_before(values[blocks$order], steps$place)
    values[blocks$order] <- (values[blocks$order] - steps$slope * before) / steps$sd
    return(values)
  }
  steps <- ar_steps(blocks)
  later <- steps$later
  values[later] <- (values[later] - steps$slope * values[blocks$previous[later]]) / steps$sd
  values
}

#' @rdname whiten_rows
#' @noRd
colour_rows <- function(fit, values, blocks = residual_blocks(fit)) {
  if (is.null(blocks)) return(values)
  vector <- !is.matrix(values)
  if (vector) values <- matrix(values)
  sizes <- tabulate(blocks$codes, length(blocks$rows))
  place <- sequence(sizes)
  by_place <- split(blocks$order, place)
  if (blocks$form == "cs") {
    steps <- cs_steps(blocks)
    sum <- matrix(0, length(sizes), ncol(values))
    for (k in seq_along(by_place)) {
      rows <- by_place[[k]]
      own <- blocks$codes[rows]
      values[rows, ] <- steps$slopes[k] * sum[own, , drop = FALSE] + steps$sds[k] * values[rows, , drop = FALSE]
      sum[own, ] <- sum[own, , drop = FALSE] + values[rows, , drop = FALSE]
    }
  } else {
    steps <- ar_steps(blocks)
    slope <- sd <- rep(1, nrow(values))
    slope[steps$later] <- steps$slope
    sd[steps$later] <- steps$sd
    for (rows in by_place[-1L]) {
      values[rows, ] <- slope[rows] * values[blocks$previous[rows], , drop = FALSE] +
        sd[rows] * values[rows, , drop = FALSE]
    }
  }
  if (vector) drop(values) else values
}

# AR(1): a residual given the one before it; for the rows that have one.
ar_steps <- function(blocks) {
  later <- which(!is.na(blocks$previous))
  slope <- blocks$rho^(blocks$time[later] - blocks$time[blocks$previous[later]])
  list(later = later, slope = slope, sd = sqrt(1 - slope^2))
}

# Compound symmetry: a residual given the k - 1 before it depends on their sum alone.
cs_steps <- function(blocks) {
  sizes <- lengths(blocks$rows)
  before <- seq_len(max(sizes)) - 1
  rho <- blocks$rho
  slopes <- rho / (1 + (before - 1) * rho)
  slopes[1L] <- 0
  sds <- sqrt(1 - before * rho * slopes)
  place <- sequence(sizes)
  list(place = place, slope = slopes[place], sd = sds[place], slopes = slopes, sds = sds)
}

# Sums of the earlier values of each series; `place` counts 1, 2, ... in every series.
sums_before <- function(values, place) {
  total <- cumsum(values) - values
  total - total[which(place == 1L)][cumsum(place == 1L)]
}
