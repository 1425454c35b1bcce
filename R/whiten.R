# The Cholesky factor of the correlation of the residuals, applied without being formed.
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
