# ggplot2: observed and fitted values by level, parameters, profiles, influence.

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
