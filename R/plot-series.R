# Two plots for residuals that are not alike: residuals by stratum, and their autocorrelation within series with what it
# would be if the model were right.
#
# Reads   a fit and the options of a plot.
# Writes  the tables "strata" and "acf" as plot_data() describes them, and the panels.

# Autocorrelation ------------------------------------------------------------------------------------------------------
#
# Residuals are taken after the effects that the same rows have estimated, so they are correlated also where errors are
# not: with four rows and two random effects to a group about -0.4 at the first distance. And a correlation that was
# estimated leaves less behind than a known one would. So the band is a parametric envelope: responses drawn from the
# fit, the model fitted to each, its residuals treated as those of the data.

#' Autocorrelation within series
#'
#' Of the residuals at distance k of each pair in a series, divided by their mean square: one number for each lag, over
#' all series. The distance is that of the time where it is a whole number, else that of the places in the series.
#' @noRd
acf_data <- function(fit, options, draws = acf_draws(fit$nobs)) {
  series <- acf_series(fit, options)
  lags <- series$lags
  seen <- acf_of_responses(fit, series, as_double(fit$frame[[1L]]))
  drawn <- acf_envelope(fit, series, draws)
  n <- ncol(drawn$white)
  # the interval of one more draw: right for any number of draws where the autocorrelation is normal
  half <- if (n > 1L) stats::qt((1 + options$level) / 2, n - 1) * sqrt(1 + 1 / n) else NA_real_
  spread <- apply(drawn$white, 1L, stats::sd)
  expected <- rowMeans(drawn$white)
  table <- data.frame(
    lag = lags * series$step, acf = seen$white, raw = seen$raw,
    model = if (is.null(fit$residual$correlation)) NA_real_ else rowMeans(drawn$raw),
    pairs = series$pairs, expected = expected, lower = expected - half * spread, upper = expected + half * spread
  )[series$pairs > 0, ]
  rownames(table) <- NULL
  with_labels(table, "Autocorrelation of normalized residuals", paste("Lag within", or_else(series$name, "the series")),
    "Correlation", level = options$level, draws = n
  )
}

# "95 % band of 199 responses drawn from the fit"
acf_band_text <- function(table) {
  sprintf("%g %% band: %d responses drawn from the fit", 100 * attr(table, "level"), attr(table, "draws"))
}

# The series, the places of their rows in time, and the lags: list(order, name, lags, step, pairs, partner), where
# `order` sorts the rows by series and time, and partner(lag) finds among these the one so many steps after each, NA for
# none.
acf_series <- function(fit, options) {
  blocks <- residual_blocks(fit)
  if (is.null(blocks) || (length(options$group) && !options$group[1L] %in% blocks$name)) {
    factor <- series_of_plot(fit, options)
    codes <- codes_in(factor, fit$frame)
    time <- row_times(codes, factor$n_levels)
    name <- factor$name
  } else {
    codes <- blocks$codes
    time <- blocks$time * or_else(fit$residual$correlation$unit, 1)
    whole <- all(abs(time - round(time)) < 1e-9 * pmax(1, abs(time)))
    if (whole) time <- round(time)
    if (!whole) time[blocks$order] <- sequence(tabulate(codes, length(blocks$rows)))
    name <- blocks$name
  }
  order <- order(codes, time, method = "radix")
  codes <- codes[order]
  step <- gap_unit(codes, time[order])
  time <- time[order] / step
  longest <- max(tabulate(codes))
  lags <- seq_len(max(1L, min(longest - 1L, 25L, floor(10 * log10(max(longest, 2))))))
  partner <- partner_finder(codes, time, max(lags))
  pairs <- vapply(lags, function(lag) sum(!is.na(partner(lag))), 0L)
  list(order = order, name = name, lags = lags, step = step, pairs = pairs, partner = partner)
}

# Of rows sorted by series and time. Without gaps they need not be looked up.
partner_finder <- function(codes, time, longest) {
  n <- length(codes)
  same <- diff(codes) == 0
  if (all(diff(time)[same] == 1)) {
    return(function(lag) {
      at <- seq_len(n) + as.integer(lag)
      replace(at, codes[at] != codes | at > n, NA)
    })
  }
  key <- codes * (diff(range(time)) + longest + 1) + (time - min(time))
  function(lag) match(key + lag, key)
}

# The smallest distance of neighbours in sorted rows, when all others are its multiples; else 1.
gap_unit <- function(codes, time) {
  gaps <- diff(time)[diff(codes) == 0]
  gaps <- gaps[gaps > 0]
  if (!length(gaps)) return(1)
  unit <- min(gaps)
  if (all(gaps %% unit == 0)) unit else 1
}

# Mean product of residuals at each lag over their mean square: lags x columns of `values`. Rows are found by series and
# time, once for all columns.
lag_products <- function(values, series) {
  values <- as.matrix(values)[series$order, , drop = FALSE]
  square <- colMeans(values^2)
  found <- vapply(series$lags, function(lag) {
    other <- series$partner(lag)
    there <- which(!is.na(other))
    colSums(values[there, , drop = FALSE] * values[other[there], , drop = FALSE])
  }, numeric(ncol(values)))
  t(matrix(found, ncol(values)) / square) / pmax(series$pairs, 1)
}

# list(white, raw): of the residuals of the fit itself.
acf_of_responses <- function(fit, series, y) {
  design <- design_of(fit)
  residual <- y - fixed_part(fit, design) - random_part(fit, design)
  raw <- residual / residual_sd(fit)
  list(white = lag_products(whiten_rows(fit, raw), series)[, 1L], raw = lag_products(raw, series)[, 1L])
}

# As many draws as take a moment: 199 for small data, 19 for very large ones, where the autocorrelation is normal.
acf_draws <- function(n) as.integer(max(19, min(199, 1e6 %/% n)))

#' Autocorrelations of responses that follow the fitted model
#'
#' The generator has a seed of its own, so a plot is the same when it is drawn again, and the user's is left alone. The
#' seed comes from the response: one seed for all would make the same error of the draws, at the same lag, in all data
#' of a shape.
#' @returns list(white, raw): lags x draws, of those draws to which the model can be fitted.
#' @noRd
acf_envelope <- function(fit, series, draws) {
  rows <- rows_of_fit(fit)
  design <- refit_design(fit)
  blocks <- residual_blocks(fit)
  none <- lapply(fit$random, function(term) rep(FALSE, length(term$effects)))
  mean <- mean_of_rows(fit, rows, none)
  weights <- row_weights(fit, NULL, NULL, rows, NULL)
  sd <- residual_sd(fit)
  with_own_generator(response_seed(fit), {
    found <- lapply(seq_len(draws), function(i) {
      y <- draw_responses(fit, rows, none, mean, weights, 1L, blocks)[, 1L]
      residual_of_draw(fit, design, y, sd, blocks, series)
    })
  })
  found <- Filter(Negate(is.null), found)
  list(
    white = matrix(unlist(lapply(found, `[[`, "white")), length(series$lags)),
    raw = matrix(unlist(lapply(found, `[[`, "raw")), length(series$lags))
  )
}

# The same in every unit of the response.
response_seed <- function(fit) {
  y <- as_double(fit$frame[[1L]])
  as.integer(1e6 * abs(sin(sum(y / max(abs(y), 1e-300)))))
}

# The autocorrelations of one response; `NULL` where the model has no fit to it (the residual variance is zero, say).
residual_of_draw <- function(fit, design, y, sd, blocks, series) {
  design$y <- y
  new <- tryCatch(
    fit_design(design, fit$REML, unname(fit$theta), quiet_control(fit), fit$frame, fit$call),
    ferrite_error = function(e) if (inherits(e, "ferrite_error_internal")) stop(e)
  )
  if (is.null(new)) return(NULL)
  beta <- replace(rep(NA_real_, length(fit$beta)), as.integer(new$kept), new$beta[as.integer(new$kept)])
  residual <- y - or_else(design$offset, 0) - times_blocks(design$x, beta, length(y))
  for (k in seq_along(design$terms)) {
    term <- design$terms[[k]]
    b <- matrix(new$terms[[k]]$b, ncol = length(term$effects))
    residual <- residual - times_levels(term$basis, b, design$factors[[term$factor]]$codes)
  }
  if (length(fit$residual$phi)) {
    at <- light_fit(fit)
    at$residual <- residual_at(at, as.double(new$residual$phi))
    sd <- residual_sd(at)
    if (!is.null(blocks)) blocks$rho <- at$residual$unit_rho
  }
  raw <- residual / sd
  white <- lag_products(cbind(whiten_rows(fit, raw, blocks), raw), series)
  list(white = white[, 1L], raw = white[, 2L])
}

# The value of an expression that draws from a generator of its own; the user's is as if nothing had been drawn.
with_own_generator <- function(seed, expr) {
  space <- globalenv()
  old <- space[[".Random.seed"]]
  kinds <- RNGkind()
  on.exit({
    # R warns of the old way of sample(), which may be the user's
    suppressWarnings(do.call(RNGkind, as.list(kinds)))
    if (is.null(old)) rm(".Random.seed", envir = space) else assign(".Random.seed", old, envir = space)
  })
  set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
  expr
}

# Panels ---------------------------------------------------------------------------------------------------------------

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
