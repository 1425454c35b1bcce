# Plot of a profile: zeta against the parameter, one panel each.

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
  for (piece in pieces) draw_profile(piece, level, ...)
  invisible(x)
}

# The curve, the line that it would follow if the likelihood were quadratic, and the interval between the limits.
draw_profile <- function(piece, level, ...) {
  given <- list(...)
  limit <- stats::qnorm((1 + level) / 2)
  name <- as.character(piece$par[1L])
  style <- list(main = paste("Profile:", name), xlab = name, ylab = "zeta", las = 1L,
    ylim = c(-1, 1) * max(abs(piece$zeta), limit))
  draw_frame(piece$value, piece$zeta, style, ..., own_type = "n")
  graphics::abline(h = 0, col = plot_colours[["guide"]])
  graphics::abline(h = c(-limit, limit), col = plot_colours[["guide"]], lty = 3L)
  curve <- profile_curve(piece)
  centre <- piece$value[piece$zeta == 0]
  graphics::lines(centre + curve$slope * c(-10, 10), c(-10, 10), col = plot_colours[["guide"]], lty = 2L)
  graphics::lines(curve$value, curve$zeta,
    col = or_else(given$col, plot_colours[["point"]]), lwd = or_else(given$lwd, 2)
  )
  ends <- curve$at(c(-limit, limit))
  graphics::segments(ends, 0, ends, curve$zeta_of(c(-limit, limit)), col = plot_colours[["line"]], lwd = 1.5)
  graphics::segments(ends[1L], 0, ends[2L], 0, col = plot_colours[["line"]], lwd = 3)
  graphics::points(centre, 0, pch = 16L, col = plot_colours[["line"]])
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
