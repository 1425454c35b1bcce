# Residuals of new rows: their standard deviations, their series, and what the residuals of the fit say of them.
#
# Reads   a fit with `dispersion` or `correlation`, the user's `newdata` (rows without missing values), `rows` of
#         predict-rows.R.
# Writes  `scale` of `rows`: standard deviations relative to sigma, without prior weights; `serial`: list(codes (series
#         of the fit, NA for a new one), groups (series of the new rows), time (NULL for "cs")); links: list(row, old,
#         weight), by which a row has weight times the row `old` of the fit taken off; variances of what is left.
# Used by predict-lmm.R, predict-simulate.R, extract-residuals.R.

# Their standard deviations and series ---------------------------------------------------------------------------------

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
  missing <- absent_columns(fit, newdata, expressions)
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
  labels <- labels_where(values, new)
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

# What the fit says of them --------------------------------------------------------------------------------------------

#' What the residuals of the fit say of those of new rows
#'
#' The best linear predictor of the residual of a new row is the sum of `weight` times the residual of the row `old`.
#'
#' @param serial From `new_serial()`.
#' @param sd Standard deviations of the new residuals, relative to sigma, weights counted.
#' @returns list(row, old, weight), and `left`: for each new row the share of its variance that is not predicted: 1 in a
#'   new series, and at a time at which the series was observed.
#' @noRd
serial_links <- function(fit, serial, sd) {
  blocks <- residual_blocks(fit)
  links <- if (blocks$form == "cs") shared_links(blocks, serial$codes) else neighbour_links(blocks, serial)
  left <- rep(1, length(serial$codes))
  explained <- rowsum(links$weight * links$correlation, links$row)
  left[as.integer(rownames(explained))] <- 1 - explained[, 1L]
  list(
    row = links$row, old = links$old, weight = links$weight * sd[links$row] / residual_sd(fit)[links$old], left = left
  )
}

# Compound symmetry: all rows of the series count alike.
shared_links <- function(blocks, codes) {
  known <- which(!is.na(codes))
  sizes <- lengths(blocks$rows)[codes[known]]
  size <- rep(sizes, sizes)
  list(
    row = rep(known, sizes), old = unlist(blocks$rows[codes[known]]),
    weight = blocks$rho / (1 + (size - 1) * blocks$rho), correlation = rep(blocks$rho, length(size))
  )
}

# AR(1): the last row before and the first row after, in the same series.
neighbour_links <- function(blocks, serial) {
  n <- length(blocks$codes)
  new <- which(!is.na(serial$codes))
  codes <- c(blocks$codes, serial$codes[new])
  time <- c(blocks$time, serial$time[new])
  order <- order(codes, time, rep(0:1, c(n, length(new))), method = "radix")
  seen <- order <= n
  nearest <- cummax(ifelse(seen, seq_along(order), 0L))
  before <- after <- rep(NA_integer_, length(order))
  before[order] <- order[ifelse(nearest > 0L, nearest, NA)]
  following <- rev(cummin(rev(ifelse(seen, seq_along(order), length(order) + 1L))))
  after[order] <- order[following]
  at <- n + seq_along(new)
  before <- before[at]
  after <- after[at]
  before[codes[before] != codes[at]] <- NA
  after[codes[after] != codes[at]] <- NA
  observed <- !is.na(before) & time[before] == time[at]
  before[observed] <- NA
  after[observed] <- NA
  past <- ifelse(is.na(before), 0, blocks$rho^(time[at] - time[before]))
  future <- ifelse(is.na(after), 0, blocks$rho^(time[after] - time[at]))
  both <- 1 - past^2 * future^2
  back <- which(!is.na(before))
  ahead <- which(!is.na(after))
  list(
    row = new[c(back, ahead)], old = c(before[back], after[ahead]),
    weight = c((past * (1 - future^2) / both)[back], (future * (1 - past^2) / both)[ahead]),
    correlation = c(past[back], future[ahead])
  )
}

# For each of n rows the sum of `values` (a row for each link).
sum_links <- function(values, row, n) {
  values <- as.matrix(values)
  total <- matrix(0, n, ncol(values))
  if (length(row)) {
    sums <- rowsum(values, row)
    total[as.integer(rownames(sums)), ] <- sums
  }
  total
}

#' Variance of prediction errors of rows less multiples of rows of the fit
#'
#' Where the levels of a row and of those taken off are the same, one row of columns says it all and the engine answers;
#' otherwise Henderson's equations are solved here, as dense matrices.
#'
#' @param rows As for `prediction_variance()`; all random effects count.
#' @param links list(row, old, weight).
#' @noRd
linked_variance <- function(fit, rows, links, call) {
  design <- design_of(fit)
  n <- rows$n
  less <- function(blocks, old_blocks) {
    old <- dense_blocks(old_blocks, fit$nobs)[links$old, , drop = FALSE]
    dense_blocks(blocks, n) - sum_links(links$weight * old, links$row, n)
  }
  same <- rep(TRUE, length(links$row))
  for (term in fit$random) {
    equal <- rows$codes[[term$factor]][links$row] == design$factors[[term$factor]]$codes[links$old]
    same <- same & !is.na(equal) & equal
  }
  apart <- sort(unique(links$row[!same]))
  others <- setdiff(seq_len(n), apart)
  x <- less(rows$x, design$x)
  variance <- numeric(n)
  if (length(others)) {
    part <- list(
      n = length(others), x = list(x[others, , drop = FALSE]),
      codes = lapply(rows$codes, function(codes) codes[others]),
      bases = Map(function(basis, term) list(less(basis, term$basis)[others, , drop = FALSE]), rows$bases, design$terms)
    )
    variance[others] <- prediction_variance(fit, part, rep("known", length(fit$random)), call)
  }
  if (length(apart)) variance[apart] <- dense_variance(fit, design, rows, x, links, apart, call)
  variance
}

# The rows `apart` of linked_variance(): sigma^2 m (M'M + D)^-1 m' with M the whitened (X, Z Lambda).
dense_variance <- function(fit, design, rows, x, links, apart, call) {
  p <- fit$rank
  q <- random_count(fit)
  bytes <- 3 * 8 * (p + q) * (fit$nobs + length(apart) + p + q)
  if (bytes > fit$control$memory) {
    abort_ferrite("too_large", "The equations of the predictions must fit in memory.",
      sprintf("The levels of neighbours in a series differ; %s effects need %s where %s are allowed.",
        big_number(p + q), gigabytes(bytes), gigabytes(fit$control$memory)),
      hint = "Predict without standard errors or with `serial = FALSE`, or raise `lmm_control(memory = )`.",
      call = call, data = list(bytes = bytes, limit = fit$control$memory)
    )
  }
  factor <- relative_factor(fit)
  z <- random_matrix(fit, design)
  inner <- cbind(dense_blocks(design$x, fit$nobs)[, fit$kept, drop = FALSE], z %*% factor) / residual_sd(fit)
  inner <- crossprod(whiten_rows(fit, unname(inner)))
  diag(inner) <- diag(inner) + rep(0:1, c(p, q))
  own <- matrix(0, length(apart), q)
  added <- numeric(length(apart))
  at <- 0L
  for (k in seq_along(fit$random)) {
    term <- fit$random[[k]]
    basis <- dense_blocks(rows$bases[[k]], rows$n)[apart, , drop = FALSE]
    codes <- rows$codes[[term$factor]][apart]
    old <- which(!is.na(codes))
    width <- ncol(basis)
    for (j in seq_len(width)) own[cbind(old, at + (codes[old] - 1L) * width + j)] <- basis[old, j]
    new <- which(is.na(codes))
    added[new] <- added[new] + quadratic_forms(basis[new, , drop = FALSE], term$varcov)
    at <- at + width * nrow(term$b)
  }
  links <- lapply(links[c("row", "old", "weight")], `[`, links$row %in% apart)
  own <- own - sum_links(links$weight * z[links$old, , drop = FALSE], match(links$row, apart), length(apart))
  target <- cbind(x[apart, fit$kept, drop = FALSE], own %*% factor)
  fit$sigma^2 * colSums(backsolve(chol(inner), t(target), transpose = TRUE)^2) + added
}
