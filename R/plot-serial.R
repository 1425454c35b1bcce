# Two plots for residuals that are not alike: residuals by stratum, and their autocorrelation within series.
#
# Reads   a fit and the options of a plot.
# Writes  tables as plot_data() describes them, and the panels.

# Residuals over sigma and the root of the weights, by stratum; for a numeric dispersion tenths of its standard
# deviation are the strata.
strata_data <- function(fit, options) {
  sd <- residual_sd(fit)
  weights <- or_else(weights_of(fit$frame), rep(1, fit$nobs))
  residual <- unname(residuals(fit_of_rows(fit))) * sqrt(weights) / fit$sigma
  strata <- plot_strata(fit, options, sd)
  mean_square <- rowsum(residual^2, strata$codes) / tabulate(strata$codes, length(strata$levels))
  table <- data.frame(
    row = rownames(fit$frame), stratum = strata$levels[strata$codes], residual = residual, sd = sd * sqrt(weights),
    observed = sqrt(mean_square[strata$codes, 1L])
  )
  table$stratum <- factor(table$stratum, strata$levels)
  with_labels(table, "Residuals by stratum", strata$name, "Residual / sigma")
}

plot_strata <- function(fit, options, sd) {
  scale <- fit$residual$scale
  if (!is.null(scale$strata)) {
    return(list(codes = codes_in(scale$strata, fit$frame), levels = scale$strata$levels, name = scale$strata$name))
  }
  if (!is.null(scale)) {
    cuts <- unique(stats::quantile(sd, seq(0, 1, 0.1), names = FALSE))
    if (length(cuts) < 3L) cuts <- range(sd) + c(-1, 1) * 1e-8
    bins <- cut(sd, cuts, include.lowest = TRUE, dig.lab = 3L)
    bins <- droplevels(bins)
    return(list(codes = as.integer(bins), levels = levels(bins), name = "Standard deviation / sigma"))
  }
  factor <- series_of_plot(fit, options)
  list(codes = codes_in(factor, fit$frame), levels = factor$levels, name = factor$name)
}

series_of_plot <- function(fit, options) {
  names <- vapply(fit$factors, `[[`, "", "name")
  fit$factors[[if (is.null(options$group)) factor_order(fit)[1L] else match(options$group[1L], names)]]
}

# The fit without the rows that na.exclude would put back.
fit_of_rows <- function(fit) {
  fit["na.action"] <- list(NULL)
  fit
}

drop_row_names <- function(values) unname(values)

#' Autocorrelation within series
#'
#' Of the residuals at distance k of each pair in a series, divided by their mean square: one number for each lag, over
#' all series. The distance is that of the time where it is a whole number, else that of the places in the series.
#' @noRd
acf_data <- function(fit, options) {
  rows <- fit_of_rows(fit)
  blocks <- residual_blocks(fit)
  if (is.null(blocks) || (length(options$group) && !options$group[1L] %in% blocks$name)) {
    factor <- series_of_plot(fit, options)
    codes <- codes_in(factor, fit$frame)
    time <- row_times(codes, factor$n_levels)
    name <- factor$name
    rho <- 0
  } else {
    codes <- blocks$codes
    time <- blocks$time * or_else(fit$residual$correlation$unit, 1)
    whole <- all(abs(time - round(time)) < 1e-9 * pmax(1, abs(time)))
    if (whole) time <- round(time)
    if (!whole) time[blocks$order] <- sequence(tabulate(codes, length(blocks$rows)))
    name <- blocks$name
    rho <- fit$residual$rho
  }
  raw <- unname(residuals(rows)) / residual_sd(fit)
  white <- unname(residuals(rows, type = "normalized"))
  steps <- gap_unit(codes, time)
  time <- time / steps
  longest <- max(tabulate(codes))
  lags <- seq_len(max(1L, min(longest - 1L, 25L, floor(10 * log10(max(longest, 2))))))
  own <- lag_products(white, codes, time, lags)
  before <- lag_products(raw, codes, time, lags)
  used <- own$pairs > 0
  bound <- stats::qnorm((1 + options$level) / 2) / sqrt(pmax(own$pairs, 1))
  model <- NA_real_
  if (!is.null(blocks) && rho != 0) {
    if (blocks$form == "cs") model <- rho else if (whole) model <- rho^(lags * steps)
  }
  table <- data.frame(
    lag = lags * steps, acf = own$acf, raw = before$acf, model = model, pairs = own$pairs, lower = -bound, upper = bound
  )[used, ]
  rownames(table) <- NULL
  with_labels(table, "Autocorrelation of normalized residuals", paste("Lag within", or_else(name, "the series")),
    "Correlation", level = options$level
  )
}

# The smallest distance of neighbours, when all others are its multiples; else 1.
gap_unit <- function(codes, time) {
  order <- order(codes, time)
  gaps <- diff(time[order])[diff(codes[order]) == 0]
  gaps <- gaps[gaps > 0]
  if (!length(gaps)) return(1)
  unit <- min(gaps)
  if (all(gaps %% unit == 0)) unit else 1
}

# Mean product of residuals at each lag over their mean square. Rows are found by series and time, none is visited
# twice per lag.
lag_products <- function(values, codes, time, lags) {
  span <- diff(range(time)) + max(lags) + 1
  key <- codes * span + (time - min(time))
  square <- mean(values^2)
  found <- vapply(lags, function(lag) {
    other <- match(key + lag, key)
    there <- !is.na(other)
    c(sum(values[there] * values[other[there]]), sum(there))
  }, c(0, 0))
  list(acf = found[1L, ] / pmax(found[2L, ], 1) / square, pairs = found[2L, ])
}

draw_strata <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  n <- nlevels(table$stratum)
  codes <- as.integer(table$stratum)
  # points of a stratum spread over its width in the order of the rows, so that a plot is the same when drawn again
  place <- codes + 0.7 * (((seq_along(codes) * 0.618034) %% 1) - 0.5)
  shown <- if (nrow(table) > 5000L) unique(round(seq(1, nrow(table), length.out = 5000L))) else seq_len(nrow(table))
  style <- c(list(xlab = texts$x, ylab = texts$y, main = texts$title, xlim = c(0.5, n + 0.5), xaxt = "n"),
    point_style(length(shown)))
  draw_frame(place[shown], table$residual[shown], style, ..., main_line = title_line)
  graphics::abline(h = 0, col = plot_colours[["guide"]])
  first <- match(seq_len(n), codes)
  sd <- tapply(table$sd, codes, mean)
  for (sign in c(-1, 1)) {
    graphics::segments(seq_len(n) - 0.42, sign * sd, seq_len(n) + 0.42, sign * sd, col = plot_colours[["line"]],
      lwd = 2
    )
    graphics::segments(seq_len(n) - 0.42, sign * table$observed[first], seq_len(n) + 0.42,
      sign * table$observed[first], col = "black", lty = 2L)
  }
  if (!isFALSE(given$axes) && is.null(given$xaxt)) {
    graphics::axis(1L, at = seq_len(n), labels = cut_text(levels(table$stratum), 15L))
  }
  legend_above(c("model sd", "observed"), col = c(plot_colours[["line"]], "black"), lty = 1:2, lwd = 2:1)
}

draw_acf <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  ends <- range(0, table$acf, table$lower, table$upper, table$raw)
  style <- list(xlab = texts$x, ylab = texts$y, main = texts$title, ylim = ends, xlim = c(0.5, max(table$lag) + 0.5))
  draw_frame(numeric(), numeric(), style, ..., type = "n", main_line = title_line)
  graphics::polygon(c(table$lag, rev(table$lag)), c(table$lower, rev(table$upper)), col = "#E8E8E8", border = NA)
  graphics::abline(h = 0, col = plot_colours[["guide"]])
  graphics::segments(table$lag, 0, table$lag, table$acf, col = or_else(given$col, plot_colours[["point"]]), lwd = 3)
  graphics::points(table$lag, table$raw, pch = 1L, col = plot_colours[["line"]])
  if (any(!is.na(table$model))) graphics::lines(table$lag, table$model, col = plot_colours[["line"]], lty = 2L)
  drawn <- c(TRUE, TRUE, any(!is.na(table$model)))
  legend_above(c("normalized", "residuals as they are", "model")[drawn],
    col = plot_colours[c("point", "line", "line")][drawn], lty = c(1L, 0L, 2L)[drawn], pch = c(NA, 1L, NA)[drawn]
  )
}

# ggplot2 -------------------------------------------------------------------------------------------------------

gg_strata <- function(table) {
  n <- nlevels(table$stratum)
  codes <- as.integer(table$stratum)
  table$place <- codes + 0.7 * (((seq_along(codes) * 0.618034) %% 1) - 0.5)
  sd <- as.vector(tapply(table$sd, codes, mean))
  observed <- table$observed[match(seq_len(n), codes)]
  bars <- data.frame(
    left = seq_len(n) - 0.42, right = seq_len(n) + 0.42, y = c(sd, -sd, observed, -observed),
    what = rep(c("model sd", "observed"), each = 2L * n)
  )
  gg_frame(table, x = "place", y = "residual") + gg_points(nrow(table)) + gg_guide(yintercept = 0) +
    ggplot2::geom_segment(aes_of(x = "left", xend = "right", y = "y", yend = "y", linetype = "what"), bars,
      colour = plot_colours[["line"]]) +
    ggplot2::scale_linetype_manual(NULL, values = c("model sd" = 1L, observed = 2L)) +
    ggplot2::scale_x_continuous(breaks = seq_len(n), labels = cut_text(levels(table$stratum), 15L))
}

gg_acf <- function(table) {
  table$zero <- 0
  plot <- gg_frame(table, x = "lag", y = "acf") +
    ggplot2::geom_ribbon(aes_of(ymin = "lower", ymax = "upper"), fill = "#E8E8E8") + gg_guide(yintercept = 0) +
    ggplot2::geom_segment(aes_of(xend = "lag", yend = "zero"), colour = plot_colours[["point"]], linewidth = 1.2) +
    ggplot2::geom_point(aes_of(y = "raw"), colour = plot_colours[["line"]], shape = 1L)
  if (anyNA(table$model)) return(plot)
  plot + ggplot2::geom_line(aes_of(y = "model"), colour = plot_colours[["line"]], linetype = 2L)
}
