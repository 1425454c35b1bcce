# Tables of residuals: against fitted values, their scale, their quantiles, by group.
#
# Reads   a fit.
# Writes  tables as plot_data() describes them.
# Nothing here loops over rows or levels: a million rows take about a second.

# Fitted values and scaled Pearson residuals of the rows in the fit.
row_values <- function(fit) {
  design <- design_of(fit)
  fitted <- fixed_part(fit, design) + random_part(fit, design)
  residual <- (design$y - fitted) / fit$sigma
  if (!is.null(design$weights)) residual <- residual * sqrt(design$weights)
  list(row = rownames(fit$frame), fitted = fitted, residual = residual, design = design)
}

residual_data <- function(fit) {
  rows <- row_values(fit)
  table <- data.frame(row = rows$row, fitted = rows$fitted, residual = rows$residual)
  table$trend <- smooth_trend(table$fitted, table$residual)
  with_labels(table, "Residuals against fitted values", paste("Fitted", response_label(fit)), "Scaled residual")
}

scale_data <- function(fit) {
  rows <- row_values(fit)
  table <- data.frame(row = rows$row, fitted = rows$fitted, root = sqrt(abs(rows$residual)))
  table$trend <- smooth_trend(table$fitted, table$root)
  with_labels(table, "Scale against location", paste("Fitted", response_label(fit)),
    "Square root of |scaled residual|"
  )
}

# A running mean of y along x, robust against outliers; of the means of 1000 neighbourhoods when there are very many.
smooth_trend <- function(x, y) {
  trend <- rep(mean(y), length(y))
  mean_x <- x
  mean_y <- y
  if (length(x) > 5000L) {
    order <- order(x)
    bin <- (seq_along(x) - 1) %/% (length(x) / 1000)
    mean_x <- rowsum(x[order], bin, reorder = FALSE)[, 1L] / tabulate(bin + 1)
    mean_y <- rowsum(y[order], bin, reorder = FALSE)[, 1L] / tabulate(bin + 1)
  }
  smooth <- stats::lowess(mean_x, mean_y)
  # values that differ by rounding are one value
  varies <- diff(range(smooth$x)) > 1e-10 * max(abs(smooth$x))
  if (varies) trend <- stats::approx(smooth$x, smooth$y, x, ties = mean, rule = 2L)$y
  trend
}

qq_data <- function(fit) {
  rows <- row_values(fit)
  residual <- rows$residual
  order <- order(residual)
  theoretical <- stats::qnorm(stats::ppoints(length(residual)))
  # conditional residuals shrink: their spread is that of the quartiles, not one
  at <- stats::qnorm(c(0.25, 0.75))
  quartiles <- stats::quantile(residual, c(0.25, 0.75), names = FALSE)
  slope <- diff(quartiles) / diff(at)
  table <- data.frame(
    row = rows$row[order],
    theoretical = theoretical,
    residual = residual[order],
    line = quartiles[1L] + slope * (theoretical - at[1L])
  )
  with_labels(table, "Normal quantile plot", "Standard normal quantile", "Scaled residual")
}

by_group_data <- function(fit, options) {
  rows <- row_values(fit)
  factors <- fit$factors[factor_order(fit)]
  names <- vapply(factors, function(factor) factor$name, "")
  wanted <- if (is.null(options$group)) names else options$group
  tables <- lapply(match(wanted, names), function(k) {
    factor <- factors[[k]]
    codes <- rows$design$factors[[factor_order(fit)[k]]]$codes
    centre <- level_quantiles(rows$residual, codes, factor$n_levels, 0.5)[, 1L]
    data.frame(
      row = rows$row, grpvar = factor$name, grp = factor$levels[codes], residual = rows$residual,
      centre = centre[codes], position = rank(centre, ties.method = "first")[codes]
    )
  })
  table <- if (length(tables) == 1L) tables[[1L]] else do.call(rbind, tables)
  with_labels(table, "Residuals by group", "Scaled residual", NULL)
}

#' Quantiles of each level
#'
#' @param codes Level of each value, 1 to `n_levels`; every level has a value.
#' @param probs Probabilities, for the definition of [stats::quantile()] of type 7.
#' @returns A matrix with a row for each level and a column for each probability.
#' @noRd
level_quantiles <- function(values, codes, n_levels, probs) {
  sorted <- values[order(codes, values)]
  size <- tabulate(codes, n_levels)
  before <- cumsum(c(0, size))[seq_len(n_levels)]
  place <- outer(size - 1, probs)
  low <- floor(place + 1e-9)
  high <- pmin(low + 1, size - 1)
  share <- pmax(place - low, 0)
  lower <- sorted[before + low + 1]
  matrix(lower + share * (sorted[before + high + 1] - lower), n_levels)
}

#' Boxes of each level
#'
#' @param table Rows of one grouping factor of the table `"by_group"`.
#' @returns A list: `boxes`, a data frame with a row for each level in the order of `position` (`grp`, `position`, `n`,
#'   `lower`, `q1`, `median`, `q3`, `upper`), the whiskers going to the last value within 1.5 times the height of the
#'   box; `outliers`, the rows of `table` beyond them.
#' @noRd
level_boxes <- function(table) {
  codes <- as.integer(table$position)
  n <- max(codes)
  quartiles <- level_quantiles(table$residual, codes, n, c(0.25, 0.5, 0.75))
  reach <- 1.5 * (quartiles[, 3L] - quartiles[, 1L])
  inside <- table$residual >= (quartiles[, 1L] - reach)[codes] & table$residual <= (quartiles[, 3L] + reach)[codes]
  order <- order(codes, table$residual)
  order <- order[inside[order]]
  ordered <- codes[order]
  boxes <- data.frame(
    grp = table$grp[match(seq_len(n), codes)], position = seq_len(n), n = tabulate(codes, n),
    lower = table$residual[order[!duplicated(ordered)]], q1 = quartiles[, 1L], median = quartiles[, 2L],
    q3 = quartiles[, 3L], upper = table$residual[order[!duplicated(ordered, fromLast = TRUE)]]
  )
  # quartiles lie between the values, whiskers on them: they start at the box at least
  boxes$lower <- pmin(boxes$lower, boxes$q1)
  boxes$upper <- pmax(boxes$upper, boxes$q3)
  list(boxes = boxes, outliers = table[!inside, , drop = FALSE])
}
