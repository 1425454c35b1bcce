# The autocorrelation of the residuals within series, and what it would be if the model were right.
#
# Reads   a fit and the options of a plot.
# Writes  the table "acf" as plot_data() describes it.
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
