# The criterion of the fixed part alone, without random terms, with residuals that are not alike.
#
# Reads   a fit.
# Writes  minus twice the maximised (restricted) log-likelihood: what ranova() compares with when the only random term
#         goes. Rows are divided by their standard deviations and whitened, so that an evaluation is one least squares
#         fit; phi is found by a quasi-Newton search from that of the fit and from equal, uncorrelated residuals.

gls_criterion <- function(fit, REML = fit$REML, design = design_of(fit)) { # nolint: object_name_linter.
  light <- light_fit(fit)
  blocks <- residual_blocks(fit)
  y <- design$y - or_else(design$offset, 0)
  x <- dense_blocks(design$x, fit$nobs)[, fit$kept, drop = FALSE]
  if ("(Intercept)" %in% fit$x_names[fit$kept]) y <- y - mean(y)
  criterion_at <- function(phi) {
    moved <- replace(light, "residual", list(residual_at(light, phi)))
    if (!is.null(blocks)) blocks$rho <- moved$residual$unit_rho
    sd <- residual_sd(moved)
    white <- whiten_rows(moved, cbind(x, y) / sd, blocks)
    value <- least_squares_criterion(white, REML) + 2 * sum(log(sd)) + log_correlation(blocks)
    if (is.finite(value)) value else 1e300
  }
  begin <- lapply(list(fit$residual$phi, 0 * fit$residual$phi), unname)
  if (identical(blocks$form, "car1")) begin[[2L]][length(begin[[2L]])] <- 0.3
  found <- vapply(begin, function(phi) {
    # the second search starts where the first has lost its steps
    first <- stats::nlminb(phi, criterion_at)
    min(first$objective, stats::nlminb(first$par, criterion_at)$objective)
  }, 0)
  min(found)
}

# Of the last column on the others.
least_squares_criterion <- function(columns, REML) { # nolint: object_name_linter.
  p <- ncol(columns) - 1L
  y <- columns[, p + 1L]
  if (!p) return(length(y) * (1 + log(2 * pi * sum(y^2) / length(y))))
  qr <- qr(columns[, seq_len(p), drop = FALSE], LAPACK = TRUE)
  nu <- if (REML) length(y) - p else length(y)
  basis <- qr.Q(qr)
  rss <- sum((y - basis %*% crossprod(basis, y))^2)
  nu * (1 + log(2 * pi * rss / nu)) + if (REML) 2 * sum(log(abs(diag(qr.R(qr))))) else 0
}

# log |C| over all series.
log_correlation <- function(blocks) {
  if (is.null(blocks)) return(0)
  steps <- if (blocks$form == "cs") cs_steps(blocks) else ar_steps(blocks)
  2 * sum(log(steps$sd))
}
