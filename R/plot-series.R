# Two plots for residuals that are not alike: residuals by stratum, and their autocorrelation within series with what it
# would be if the model were right.
#
# Reads   a fit and the options of a plot.
# Writes  the tables "strata" and "acf" as plot_data() describes them, and their pictures.

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

# Strata ---------------------------------------------------------------------------------------------------------------

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

# More than 200 strata are thin lines over ranks.
strata_picture <- function(table) {
  texts <- attr(table, "labels")
  n <- nlevels(table$stratum)
  many <- n > 200L
  shown <- strata_points(table)
  bars <- strata_bars(table)
  bar <- function(what, col, lty, lwd) {
    rows <- bars[bars$what == what, , drop = FALSE]
    layer("segments", data.frame(x = rows$left, y = rows$y, xend = rows$right, yend = rows$y), col,
      lty = if (many) 1L else lty, lwd = if (many) 1 else lwd, key = what)
  }
  layers <- list(
    points_layer(shown$place, shown$residual), rule_layer(h = 0, lty = 1L),
    bar("model sd", plot_colours[["line"]], 1L, 2), bar("observed", "black", 2L, 1.5)
  )
  x <- paste0(texts$x, if (many) " (rank)")
  one <- panel(table, layers, shown, x = x, xlim = c(0.5, n + 0.5), ylim = range(table$residual, bars$y),
    marks = if (!many) list(at = seq_len(n), labels = levels(table$stratum), names = TRUE)
  )
  picture(table, list(one), c(x = "place", y = "residual"), x = x)
}

# The picture of the autocorrelation -----------------------------------------------------------------------------------

acf_picture <- function(table) {
  texts <- attr(table, "labels")
  half <- acf_half_width(table)
  serial <- !all(is.na(table$model))
  band <- acf_band_text(table)
  layers <- list(
    layer("rects", data.frame(xmin = table$lag - half, xmax = table$lag + half, ymin = table$lower, ymax = table$upper),
      NA, fill = "#DDDDDD", key = "band"),
    layer("segments", data.frame(x = table$lag - half, y = table$expected, xend = table$lag + half,
      yend = table$expected), plot_colours[["guide"]], lwd = 1),
    rule_layer(h = 0, lty = 1L),
    layer("segments", data.frame(x = table$lag, y = table$acf, xend = table$lag, yend = 0), lwd = 3, takes = "col",
      key = "normalized residuals"),
    if (serial) layer("points", data.frame(x = table$lag, y = table$raw), plot_colours[["line"]], pch = 1L, cex = 1,
      key = "not whitened"),
    if (serial) layer("line", data.frame(x = table$lag, y = table$model), plot_colours[["line"]], lty = 2L, lwd = 1,
      key = "these under the fit")
  )
  one <- panel(table, layers, table, x = sprintf("%s (%s)", texts$x, band), keys = "normalized residuals",
    marks = list(at = acf_marks(table$lag)), xlim = c(min(table$lag) - 1.5 * half, max(table$lag) + 1.5 * half),
    ylim = range(0, table$acf, table$lower, table$upper, table$raw, table$model, finite = TRUE)
  )
  picture(table, list(one), c(x = "lag", y = "acf"), subtitle = band)
}

# The lags that are written at the axis.
acf_marks <- function(lags) {
  round <- lags[lags %in% pretty(lags)]
  if (length(lags) <= 10L || length(round) < 3L) lags else round
}

# Half of the width of a band at one lag.
acf_half_width <- function(table) 0.4 * if (nrow(table) > 1L) min(diff(table$lag)) else 1
