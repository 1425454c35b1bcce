# Panels of parameters with intervals, of influence, and of profiles (zeta against the parameter).

# One panel for each unit: standard deviations in the unit of the response, slopes, correlations.
varcomp_pieces <- function(table) {
  units <- unique(c("response", setdiff(table$unit, "correlation"), "correlation"))
  unname(split(table, factor(table$unit, levels = units), drop = TRUE))
}

# "Standard deviation (Reaction)", "Standard deviation of Days", "Correlation"
unit_text <- function(unit, response) {
  switch(unit, response = sprintf("Standard deviation (%s)", response), correlation = "Correlation",
    ratio = "Residual standard deviation over sigma", coefficient = "Coefficient of the log residual sd",
    sprintf("Standard deviation of %s", unit)
  )
}

# One section for each unit, with an axis of its own below.
draw_varcomp <- function(table, ...) {
  given <- list(...)
  response <- attr(table, "response")
  pieces <- varcomp_pieces(table)
  sizes <- vapply(pieces, nrow, 0L)
  axis <- begin_levels(unlist(lapply(pieces, function(piece) piece$label)), longest = 40L)
  on.exit(graphics::par(mar = axis$old))
  graphics::plot.new()
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  # a row takes a line of text, the axis below a section three; smaller text where that is too much
  line <- graphics::par("csi") / graphics::par("pin")[2L]
  needed <- line * (sum(sizes + 0.4) + 3 * (length(pieces) - 1L))
  cex <- max(0.4, min(0.8, 0.8 / needed))
  gap <- 3 * cex * line
  row <- (1 - gap * (length(pieces) - 1)) / sum(sizes + 0.4)
  top <- 1
  for (piece in pieces) {
    bottom <- top - row * (nrow(piece) + 0.4)
    draw_components(piece, unit_text(piece$unit[1L], response), top, bottom, cex, given)
    top <- bottom - gap
  }
  if (!isFALSE(given$ann)) draw_figure_title(or_else(given$main, attr(table, "labels")$title), given)
}

# A title in the middle of the figure instead of the panel, whose margin is wide on one side.
draw_figure_title <- function(text, style) {
  size <- or_else(style$cex.main, graphics::par("cex.main"))
  width <- graphics::strwidth(text, "inches", cex = size, font = 2L)
  size <- size * max(0.5, min(1, (graphics::par("fin")[1L] - 0.2) / width))
  region <- graphics::par("plt")[1:2]
  middle <- (0.5 - region[1L]) / diff(region)
  graphics::mtext(text, 3L, at = middle, line = 1, cex = size * graphics::par("cex"),
    font = or_else(style$font.main, 2L), col = or_else(style$col.main, "black")
  )
}

draw_components <- function(piece, title, top, bottom, cex, given) {
  n <- nrow(piece)
  ends <- if (piece$unit[1L] == "correlation") c(-1, 1)
  else range(0, piece$estimate, piece$lower, piece$upper, .Machine$double.xmin, na.rm = TRUE)
  limits <- grDevices::extendrange(ends, f = 0.04)
  at <- function(values) (values - limits[1L]) / diff(limits)
  height <- top - bottom
  y <- top - height * (seq_len(n) - 0.3) / (n + 0.4)
  graphics::segments(at(0), bottom, at(0), top, col = plot_colours[["guide"]], lty = 2L)
  colour <- or_else(given$col, plot_colours[["point"]])
  graphics::segments(at(piece$lower), y, at(piece$upper), y, col = colour, lwd = or_else(given$lwd, 2))
  graphics::points(at(piece$estimate), y, pch = or_else(given$pch, 16L), cex = or_else(given$cex, 1.4 * cex),
    col = colour
  )
  graphics::rect(0, bottom, 1, top, border = "#555555", xpd = NA)
  if (isFALSE(given$axes)) {
    return(invisible())
  }
  marks <- few_marks(limits, graphics::par("pin")[1L], along = TRUE)
  graphics::axis(1L, at = at(marks), labels = FALSE, pos = bottom, tcl = -0.3 * cex, lwd = 0, lwd.ticks = 1)
  line <- graphics::par("csi") / graphics::par("pin")[2L]
  graphics::text(at(marks), bottom - 0.95 * cex * line, mark_text(marks), cex = cex, xpd = NA)
  graphics::text(0.5, bottom - 2.1 * cex * line, title, cex = 1.1 * cex, xpd = NA)
  space <- 0.9 * graphics::par("mai")[2L]
  graphics::mtext(cut_to_width(piece$label, space, cex = cex), 2L, at = y, las = 1L, cex = cex * graphics::par("cex"),
    line = 0.4
  )
}

draw_influence <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  table <- table[!is.na(table$cooks.distance), , drop = FALSE]
  shown <- table[thinned_peaks(table$cooks.distance), , drop = FALSE]
  style <- list(xlab = texts$x, ylab = texts$y, main = texts$title, las = 1L, xlim = c(1, max(2, table$index)),
    ylim = c(0, 1.04 * max(table$cooks.distance, .Machine$double.xmin)), xaxt = "n"
  )
  draw_frame(numeric(), numeric(), style, ..., own_type = "n")
  if (!isFALSE(given$axes) && is.null(given$xaxt)) {
    marks <- pretty(style$xlim)
    graphics::axis(1L, at = marks, labels = big_number(marks))
  }
  if (!nrow(table)) {
    graphics::text(mean(graphics::par("usr")[1:2]), mean(graphics::par("usr")[3:4]), "No distance can be computed")
    return(invisible())
  }
  colour <- or_else(given$col, plot_colours[["point"]])
  graphics::segments(shown$index, 0, shown$index, shown$cooks.distance, col = colour, lwd = or_else(given$lwd, 1))
  top <- most_influential(table)
  graphics::points(top$index, top$cooks.distance, pch = or_else(given$pch, 16L), cex = or_else(given$cex, 0.8),
    col = plot_colours[["line"]]
  )
  side <- ifelse(top$index > mean(graphics::par("usr")[1:2]), 2L, 4L)
  names <- cut_text(top$deleted, 15L)
  clear <- clear_texts(top$index, top$cooks.distance, names, 0.75, side)
  if (any(clear)) {
    graphics::text(top$index[clear], top$cooks.distance[clear], names[clear], pos = side[clear], cex = 0.75)
  }
}

# Positions of at most 2000 values: the largest of each of as many neighbourhoods.
thinned_peaks <- function(values) {
  n <- length(values)
  if (n <= 2000L) {
    return(seq_len(n))
  }
  bin <- ((seq_len(n) - 1) * 2000) %/% n
  order <- order(bin, -values)
  sort(order[!duplicated(bin[order])])
}

# The five largest distances, the largest first.
most_influential <- function(table) {
  utils::head(table[order(-table$cooks.distance), , drop = FALSE], 5L)
}

# ggplot2 --------------------------------------------------------------------------------------------------------------

gg_observed <- function(table) {
  if (is.null(attr(table, "covariate"))) {
    return(gg_against_fitted(table))
  }
  levels <- unique(table$grp)
  table$panel <- factor(table$grp, levels = levels, labels = cut_text(levels, 25L))
  points <- table[
    thinned_cells(as.integer(table$panel), 500L, table$observed, table$observed - table$fitted), , drop = FALSE
  ]
  long <- rbind(
    data.frame(table[c("panel", "x", "series")], y = table$line, what = "fitted"),
    data.frame(table[c("panel", "x", "series")], y = table$population, what = "population")
  )
  long <- long[!duplicated(long[c("panel", "x", "series", "what")]), , drop = FALSE]
  # a line of one point is a dash
  lines_of <- interaction(long$panel, long$series, long$what, drop = TRUE)
  if (all(is.na(table$series))) lines_of <- interaction(long$panel, long$what, drop = TRUE)
  alone <- tabulate(lines_of)[lines_of] == 1L
  dashes <- long[alone, , drop = FALSE]
  long <- long[!alone, , drop = FALSE]
  single <- all(is.na(table$series))
  colours <- if (single) ggplot2::scale_colour_manual(NULL, values = c(
    fitted = plot_colours[["line"]], population = plot_colours[["guide"]]
  )) else ggplot2::scale_colour_manual(attr(table, "legend"), values = series_colours)
  crowded <- max(tabulate(points$panel)) > 50L
  looks <- list(size = if (crowded) 0.7 else 1.5, alpha = if (crowded) 0.5 else 1)
  points_layer <- if (single) do.call(ggplot2::geom_point, c(list(colour = plot_colours[["point"]], shape = 1L), looks))
  else do.call(ggplot2::geom_point, c(list(aes_of(colour = "series", shape = "series")), looks))
  lines <- if (single) ggplot2::geom_line(aes_of(y = "y", colour = "what", linetype = "what"), long, linewidth = 0.7)
  else ggplot2::geom_line(aes_of(y = "y", colour = "series", linetype = "what"), long, linewidth = 0.7)
  gg_frame(table, points, x = "x", y = "observed") + points_layer + lines + colours +
    ggplot2::geom_point(aes_of(y = "y"), dashes, shape = "-", size = 5,
      colour = ifelse(dashes$what == "fitted", plot_colours[["line"]], plot_colours[["guide"]])
    ) +
    (if (!single) ggplot2::scale_shape_manual(attr(table, "legend"), values = seq_along(series_colours))) +
    ggplot2::scale_linetype_manual(NULL, values = c(fitted = 1L, population = 2L)) +
    gg_sparse_x() + ggplot2::facet_wrap("panel")
}

gg_varcomp <- function(table) {
  response <- attr(table, "response")
  pieces <- varcomp_pieces(table)
  units <- vapply(pieces, function(piece) piece$unit[1L], "")
  texts <- vapply(units, unit_text, "", response = response)
  table$panel <- factor(texts[match(table$unit, units)], levels = texts)
  table$label <- factor(table$label, levels = rev(unique(table$label)))
  # the axes contain zero, those of correlations all that they can be
  ends <- data.frame(
    panel = factor(rep(texts, 2L), levels = texts), estimate = c(ifelse(units == "correlation", -1, 0),
      ifelse(units == "correlation", 1, 0)),
    label = rep(table$label[match(texts, table$panel)], 2L)
  )
  gg_frame(table, x = "estimate", y = "label") +
    gg_guide(xintercept = 0, line = ggplot2::geom_vline) +
    ggplot2::geom_blank(data = ends[ends$panel %in% texts[units == "correlation"], , drop = FALSE]) +
    ggplot2::expand_limits(x = 0) +
    ggplot2::geom_linerange(aes_of(xmin = "lower", xmax = "upper"), table[!is.na(table$lower) & !is.na(table$upper), ],
      colour = plot_colours[["point"]], linewidth = 0.8
    ) +
    ggplot2::geom_point(colour = plot_colours[["point"]], size = 2.2) +
    ggplot2::scale_y_discrete(limits = function(limits) intersect(levels(table$label), limits)) +
    ggplot2::facet_wrap("panel", ncol = 1L, scales = "free", strip.position = "bottom") +
    ggplot2::theme(strip.placement = "outside", strip.background = ggplot2::element_blank(),
      panel.grid.major.y = ggplot2::element_blank()
    )
}

gg_profile <- function(table) {
  level <- attr(table, "level")
  limit <- stats::qnorm((1 + level) / 2)
  pieces <- split(table, table$par, drop = TRUE)
  curves <- lapply(pieces, profile_curve)
  bind <- function(parts) {
    all <- do.call(rbind, parts)
    all$par <- factor(all$par, levels = names(pieces))
    all
  }
  lines <- bind(Map(function(curve, name) data.frame(par = name, value = curve$value, zeta = curve$zeta),
    curves, names(pieces)))
  centres <- bind(Map(function(piece, curve, name) {
    centre <- piece$value[piece$zeta == 0]
    data.frame(par = name, value = centre, zeta = 0, slope = 1 / curve$slope, intercept = -centre / curve$slope)
  }, pieces, curves, names(pieces)))
  limits <- bind(Map(function(curve, name) {
    data.frame(par = name, value = curve$at(c(-limit, limit)), zeta = curve$zeta_of(c(-limit, limit)), zero = 0)
  }, curves, names(pieces)))
  ends <- data.frame(
    par = centres$par, low = limits$value[c(TRUE, FALSE)], high = limits$value[c(FALSE, TRUE)], zeta = 0
  )
  gg_frame(table, lines, x = "value", y = "zeta") +
    ggplot2::geom_hline(yintercept = c(-limit, limit), colour = plot_colours[["guide"]], linetype = 3L) +
    ggplot2::geom_hline(yintercept = 0, colour = plot_colours[["guide"]], linewidth = 0.3) +
    gg_guide(aes_of(slope = "slope", intercept = "intercept"), centres[is.finite(centres$slope), ],
      line = ggplot2::geom_abline
    ) +
    ggplot2::geom_line(colour = plot_colours[["point"]], linewidth = 0.9) +
    ggplot2::geom_segment(aes_of(xend = "value", yend = "zero"), limits, colour = plot_colours[["line"]]) +
    ggplot2::geom_segment(aes_of(x = "low", xend = "high", yend = "zeta"), ends, colour = plot_colours[["line"]],
      linewidth = 1.2
    ) +
    ggplot2::geom_point(data = centres, colour = plot_colours[["line"]], size = 1.6) +
    gg_sparse_x(3L) + ggplot2::facet_wrap("par", scales = "free_x")
}

gg_influence <- function(table) {
  table <- table[!is.na(table$cooks.distance), , drop = FALSE]
  shown <- table[thinned_peaks(table$cooks.distance), , drop = FALSE]
  shown$zero <- rep(0, nrow(shown))
  top <- most_influential(table)
  top$deleted <- paste0("  ", cut_text(as.character(top$deleted), 15L), "  ")
  top$side <- ifelse(top$index > max(table$index) / 2, 1, 0)
  gg_frame(table, shown, x = "index", y = "cooks.distance") +
    ggplot2::geom_segment(aes_of(xend = "index", yend = "zero"), colour = plot_colours[["point"]], linewidth = 0.4) +
    ggplot2::geom_point(data = top, colour = plot_colours[["line"]], size = 1.6) +
    ggplot2::geom_text(aes_of(label = "deleted", hjust = "side"), top, size = 3, check_overlap = TRUE)
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
