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

# More strata than this have no room for the names of all; more than 200 are thin lines over ranks.
strata_named <- 40L

# Rows that are drawn: of each stratum at most so many that all are some 5000, the extremes among them; points of a
# stratum are spread over its width in the order of the rows, so that a plot is the same when drawn again.
strata_points <- function(table) {
  codes <- as.integer(table$stratum)
  table$place <- codes + 0.7 * (((seq_along(codes) * 0.618034) %% 1) - 0.5)
  if (nrow(table) <= 5000L) return(table)
  table[thinned_cells(codes, max(4L, 5000L %/% nlevels(table$stratum)), table$residual), , drop = FALSE]
}

# A row for each stratum and sign: what the model says of the spread, and what was observed.
strata_bars <- function(table) {
  n <- nlevels(table$stratum)
  codes <- as.integer(table$stratum)
  sd <- as.vector(tapply(table$sd, factor(codes, seq_len(n)), mean))
  observed <- table$observed[match(seq_len(n), codes)]
  half <- if (n > 200L) 0.5 else 0.42
  data.frame(
    left = seq_len(n) - half, right = seq_len(n) + half, y = c(sd, -sd, observed, -observed),
    what = factor(rep(c("model sd", "observed"), each = 2L * n), c("model sd", "observed"))
  )
}

draw_strata <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  n <- nlevels(table$stratum)
  many <- n > 200L
  shown <- strata_points(table)
  bars <- strata_bars(table)
  points <- point_style(nrow(shown))
  style <- c(list(xlab = paste0(texts$x, if (many) " (rank)"), ylab = texts$y, main = texts$title,
    xlim = c(0.5, n + 0.5), xaxt = if (many) "s" else "n", ylim = range(table$residual, bars$y)), points)
  draw_frame(shown$place, shown$residual, style, ..., main_line = title_line)
  graphics::abline(h = 0, col = plot_colours[["guide"]])
  colours <- c(plot_colours[["line"]], "black")
  kind <- as.integer(bars$what)
  graphics::segments(bars$left, bars$y, bars$right, bars$y, col = colours[kind], lty = if (many) 1L else kind,
    lwd = if (many) 1 else 3 - kind
  )
  if (!many && !isFALSE(given$axes) && is.null(given$xaxt)) draw_strata_axis(levels(table$stratum))
  legend_above(c("model sd", "observed"), col = colours, lty = if (many) 1L else 1:2, lwd = if (many) 1 else 2:1)
}

# Names below as many strata as have room for them, upright where that lets more be named.
draw_strata_axis <- function(names) {
  n <- length(names)
  width <- graphics::par("pin")[1L]
  short <- cut_text(names, 15L)
  cex <- 0.8
  across <- sum(graphics::strwidth(short, "inches", cex = cex) + 0.1) <= width
  space <- (graphics::par("mar")[1L] - graphics::par("mgp")[1L] - 0.2) * line_height()
  if (across) {
    graphics::axis(1L, at = seq_len(n), labels = short, cex.axis = cex)
    return(invisible())
  }
  # upright names have the lines between the axis and its title
  room <- max(space, (graphics::par("mgp")[1L] - 0.8) * line_height())
  at <- seq.int(1L, n, by = max(1L, ceiling(n * 1.15 * 0.6 * graphics::par("csi") / width)))
  labels <- cut_to_width(names[at], room, cex = 0.6)
  graphics::axis(1L, at = at, labels = labels, las = 2L, cex.axis = 0.6, mgp = c(3, 0.4, 0), tcl = -0.2)
}

draw_acf <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  ends <- range(0, table$acf, table$lower, table$upper, table$raw, table$model, finite = TRUE)
  half <- acf_half_width(table)
  style <- list(xlab = sprintf("%s (%s)", texts$x, acf_band_text(table)), ylab = texts$y, main = texts$title,
    ylim = ends, xlim = c(min(table$lag) - 1.5 * half, max(table$lag) + 1.5 * half), xaxt = "n")
  draw_frame(numeric(), numeric(), style, ..., own_type = "n", main_line = title_line)
  if (!isFALSE(given$axes) && is.null(given$xaxt)) {
    graphics::axis(1L, at = acf_marks(table$lag))
  }
  graphics::rect(table$lag - half, table$lower, table$lag + half, table$upper, col = "#DDDDDD", border = NA)
  graphics::segments(table$lag - half, table$expected, table$lag + half, table$expected, col = plot_colours[["guide"]])
  graphics::abline(h = 0, col = plot_colours[["guide"]])
  graphics::segments(table$lag, 0, table$lag, table$acf, col = or_else(given$col, plot_colours[["point"]]), lwd = 3)
  serial <- !all(is.na(table$model))
  if (serial) {
    graphics::points(table$lag, table$raw, pch = 1L, col = plot_colours[["line"]])
    graphics::lines(table$lag, table$model, col = plot_colours[["line"]], lty = 2L)
  }
  drawn <- c(TRUE, TRUE, serial, serial)
  legend_above(c("normalized residuals", "band", "not whitened", "these under the fit")[drawn],
    col = c(plot_colours[["point"]], "#DDDDDD", plot_colours[c("line", "line")])[drawn], lty = c(1L, 0L, 0L, 2L)[drawn],
    lwd = c(3, 1, 1, 1)[drawn], pch = c(NA, 15L, 1L, NA)[drawn], pt.cex = 1.2
  )
}

# The lags that are written at the axis.
acf_marks <- function(lags) {
  round <- lags[lags %in% pretty(lags)]
  if (length(lags) <= 10L || length(round) < 3L) lags else round
}

# Half of the width of a band at one lag.
acf_half_width <- function(table) 0.4 * if (nrow(table) > 1L) min(diff(table$lag)) else 1

# ggplot2 -------------------------------------------------------------------------------------------------------

gg_strata <- function(table) {
  names <- levels(table$stratum)
  n <- length(names)
  many <- n > 200L
  shown <- strata_points(table)
  labels <- attr(table, "labels")
  upright <- n > 8L || sum(nchar(cut_text(names, 15L))) > 60L
  axis <- if (many) {
    list(ggplot2::labs(x = paste(labels$x, "(rank)")))
  } else {
    at <- seq.int(1L, n, by = max(1L, ceiling(n / strata_named)))
    list(
      ggplot2::scale_x_continuous(breaks = at, labels = cut_text(names[at], 15L)),
      if (upright) ggplot2::theme(axis.text.x = ggplot2::element_text(angle = 90, hjust = 1, vjust = 0.5))
    )
  }
  gg_frame(table, shown, x = "place", y = "residual") + gg_points(nrow(shown)) + gg_guide(yintercept = 0) +
    ggplot2::geom_segment(
      aes_of(x = "left", xend = "right", y = "y", yend = "y", linetype = "what", colour = "what"), strata_bars(table),
      linewidth = if (many) 0.4 else 0.8
    ) +
    ggplot2::scale_linetype_manual(NULL, values = c("model sd" = 1L, observed = if (many) 1L else 2L)) +
    ggplot2::scale_colour_manual(NULL, values = c("model sd" = plot_colours[["line"]], observed = "black")) +
    axis + ggplot2::theme(panel.grid.major.x = ggplot2::element_blank())
}

gg_acf <- function(table) {
  table$zero <- 0
  table$what <- "normalized residuals"
  half <- acf_half_width(table)
  table$left <- table$lag - half
  table$right <- table$lag + half
  serial <- !all(is.na(table$model))
  band <- acf_band_text(table)
  colours <- c("normalized residuals" = plot_colours[["point"]], "not whitened" = plot_colours[["line"]],
    "these under the fit" = plot_colours[["line"]])
  ours <- list(
    ggplot2::geom_rect(aes_of(xmin = "left", xmax = "right", ymin = "lower", ymax = "upper"), fill = "#DDDDDD"),
    ggplot2::geom_segment(aes_of(x = "left", xend = "right", y = "expected", yend = "expected"),
      colour = plot_colours[["guide"]], linewidth = 0.4),
    gg_guide(yintercept = 0),
    ggplot2::geom_segment(aes_of(xend = "lag", yend = "zero", colour = "what"), linewidth = 1.2),
    if (serial) ggplot2::geom_point(aes_of(y = "raw", colour = "raw_name"), shape = 1L),
    if (serial) ggplot2::geom_line(aes_of(y = "model", colour = "model_name"), linetype = 2L)
  )
  table$raw_name <- "not whitened"
  table$model_name <- "these under the fit"
  looks <- list(linetype = c(1, 0, 2), shape = c(NA, 1, NA), linewidth = c(1.2, 0.5, 0.5))
  used <- if (serial) 1:3 else 1L
  gg_frame(table, x = "lag", y = "acf") + ours +
    ggplot2::scale_colour_manual(NULL, values = colours, breaks = names(colours)[used],
      guide = ggplot2::guide_legend(override.aes = lapply(looks, `[`, used))
    ) +
    ggplot2::scale_x_continuous(breaks = acf_marks(table$lag)) + ggplot2::labs(subtitle = band)
}
