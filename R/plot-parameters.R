# Pictures of parameters: standard deviations and correlations with intervals, profiles (zeta against the parameter).

# One section for each unit: standard deviations in the unit of the response, slopes, correlations.
varcomp_picture <- function(table) {
  response <- attr(table, "response")
  units <- unique(c("response", setdiff(table$unit, "correlation"), "correlation"))
  pieces <- split(table, factor(table$unit, levels = units), drop = TRUE)
  panels <- lapply(unname(pieces), function(piece) {
    n <- nrow(piece)
    piece$position <- rev(seq_len(n))
    unit <- piece$unit[1L]
    known <- piece[!is.na(piece$lower) & !is.na(piece$upper), , drop = FALSE]
    layers <- list(
      rule_layer(v = 0),
      layer("intervals", data.frame(xmin = known$lower, xmax = known$upper, y = known$position), lwd = 2,
        takes = c("col", "lwd")),
      layer("points", data.frame(x = piece$estimate, y = piece$position), pch = 16L, cex = 1.15,
        takes = c("pch", "cex", "col"))
    )
    xlim <- if (unit == "correlation") c(-1, 1)
    else range(0, piece$estimate, piece$lower, piece$upper, .Machine$double.xmin, na.rm = TRUE)
    panel(table, layers, piece, name = unit_text(unit, response), xlim = xlim, rows = rev(piece$label), longest = 40L)
  })
  picture(table, panels, c(x = "estimate", y = "key"), layout = "sections", scales = "free")
}

# "Standard deviation (Reaction)", "Standard deviation of Days", "Correlation"
unit_text <- function(unit, response) {
  switch(unit, response = sprintf("Standard deviation (%s)", response), correlation = "Correlation",
    ratio = "Residual standard deviation over sigma", coefficient = "Coefficient of the log residual sd",
    sprintf("Standard deviation of %s", unit)
  )
}

# Profiles -------------------------------------------------------------------------------------------------------------

#' @rdname profile.lmm
#' @export
plot.profile.lmm <- function(x, level = 0.95, ...) {
  call <- method_call()
  check_level(level, call)
  check_graphical(list(...), call)
  pieces <- split(as.data.frame.profile.lmm(x), x$par, drop = TRUE)
  if (!length(pieces)) {
    return(invisible(x))
  }
  if (prod(graphics::par("mfrow")) == 1L && length(pieces) > 1L) {
    shown <- panels_per_page(length(pieces), 12L)
    old <- graphics::par(mfrow = grid_size(shown), mar = c(4, 4.5, 2.5, 1))
    on.exit(graphics::par(old))
  }
  for (draw in plots_of(list(profile_picture(profile_texts(as.data.frame.profile.lmm(x), level))))) draw(...)
  invisible(x)
}

# The curve, the line that it would follow if the likelihood were quadratic, and the interval between the limits.
profile_picture <- function(table) {
  limit <- stats::qnorm((1 + attr(table, "level")) / 2)
  panels <- lapply(unname(split(table, table$par, drop = TRUE)), function(piece) {
    name <- as.character(piece$par[1L])
    curve <- profile_curve(piece)
    centre <- piece$value[piece$zeta == 0]
    ends <- curve$at(c(-limit, limit))
    straight <- is.finite(1 / curve$slope)
    layers <- list(
      rule_layer(h = 0, lty = 1L),
      rule_layer(h = c(-limit, limit), lty = 3L),
      if (straight) rule_layer(slope = 1 / curve$slope, intercept = -centre / curve$slope),
      layer("line", data.frame(x = curve$value, y = curve$zeta), lwd = 2, takes = c("col", "lwd")),
      layer("segments", data.frame(x = ends, y = curve$zeta_of(c(-limit, limit)), xend = ends, yend = 0),
        plot_colours[["line"]], lwd = 1.5),
      layer("segments", data.frame(x = ends[1L], y = 0, xend = ends[2L], yend = 0), plot_colours[["line"]], lwd = 3),
      layer("points", data.frame(x = centre, y = 0), plot_colours[["line"]], pch = 16L, cex = 1)
    )
    panel(table, layers, data.frame(par = name, value = curve$value, zeta = curve$zeta), name = name,
      title = paste("Profile:", name), x = name, y = "zeta", xlim = range(piece$value),
      ylim = c(-1, 1) * max(abs(piece$zeta), limit)
    )
  })
  picture(table, panels, c(x = "value", y = "zeta"), scales = "free_x", strips = TRUE)
}

# A smooth curve through the points for the eye, its slope at the estimate, and the values at given zetas (those of its
# ends beyond them).
profile_curve <- function(piece) {
  ends <- range(piece$zeta)
  zeta <- seq(ends[1L], ends[2L], length.out = 201L)
  within <- function(z) pmax(ends[1L], pmin(ends[2L], z))
  if (nrow(piece) < 3L) {
    at <- function(z) stats::approx(piece$zeta, piece$value, within(z), rule = 2L)$y
    slope <- diff(range(piece$value)) / max(diff(ends), 1e-300)
  } else {
    smooth <- stats::splinefun(piece$zeta, piece$value, method = "monoH.FC")
    at <- function(z) smooth(within(z))
    slope <- smooth(0, deriv = 1L)
  }
  list(zeta = zeta, value = at(zeta), slope = slope, at = at, zeta_of = within)
}
