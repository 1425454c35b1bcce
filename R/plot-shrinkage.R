# Shrinkage: the table, and its panels for one effect and for two in a plane.

shrinkage_data <- function(fit, options) {
  table <- as.data.frame(shrinkage(fit, group = options$group))
  pairs <- data.frame(grpvar = table$group, term = factor(table$effect, levels = unique(table$effect)))
  table$position <- rank_within(table$partial, effect_panels(pairs))
  table <- table[wanted_effects(cbind(pairs, at = seq_len(nrow(table))), options)$at, , drop = FALSE]
  rownames(table) <- NULL
  with_labels(table, "Shrinkage", NULL, NULL, response = response_label(fit))
}

# One list for each panel: a grouping factor with one effect, or with its first two.
shrinkage_pieces <- function(table) {
  lapply(unname(split(table, factor(table$group, levels = unique(table$group)))), function(piece) {
    effects <- unique(piece$effect)
    if (length(effects) == 1L) list(kind = if (nrow(piece) > 60L) "cloud" else "levels", table = piece)
    else list(kind = "plane", table = plane_table(piece, effects[1:2]))
  })
}

# The two effects side by side: group, level, n, and x and y of each kind of estimate.
plane_table <- function(piece, effects) {
  x <- piece[piece$effect == effects[1L], ]
  y <- piece[piece$effect == effects[2L], ]
  table <- data.frame(
    group = x$group, level = x$level, n = x$n, complete_x = x$complete, complete_y = y$complete,
    none_x = x$none, none_y = y$none, partial_x = x$partial, partial_y = y$partial
  )
  attr(table, "effects") <- effects
  table
}

draw_shrinkage <- function(piece, response, ...) {
  switch(piece$kind,
    levels = draw_shrinkage_levels(piece$table, response, ...),
    cloud = draw_shrinkage_cloud(piece$table, response, ...),
    plane = draw_shrinkage_plane(piece$table, response, ...)
  )
}

shrinkage_looks <- list(
  legend = c("partial pooling", "complete pooling"),
  pch = c(1L, 16L, 18L), col = unname(c(plot_colours["guide"], plot_colours["point"], plot_colours["line"]))
)

shrinkage_title <- function(table, effect = NULL) {
  paste("Shrinkage:", paste(c(table$group[1L], effect), collapse = ", "))
}

estimate_text <- function(effect, response) {
  if (effect == "(Intercept)") sprintf("(Intercept) of %s", response) else effect
}

# Limits of an axis that shows all but wild estimates without pooling: those more than three interquartile ranges
# beyond the quartiles are left outside, their arrows are cut.
shrinkage_limits <- function(none, partial, complete) {
  quartiles <- stats::quantile(none, c(0.25, 0.75), na.rm = TRUE, names = FALSE)
  reach <- 3 * diff(quartiles)
  near <- none[!is.na(none) & none >= quartiles[1L] - reach & none <= quartiles[2L] + reach]
  if (reach == 0) near <- none
  grDevices::extendrange(range(near, partial, complete, finite = TRUE), f = 0.03)
}

# "no pooling", and how many of them lie outside of the axes.
no_pooling_text <- function(x, y = NULL) {
  usr <- graphics::par("usr")
  outside <- x < usr[1L] | x > usr[2L]
  if (!is.null(y)) outside <- outside | y < usr[3L] | y > usr[4L]
  count <- sum(outside, na.rm = TRUE)
  if (count) sprintf("no pooling (%d outside)", count) else "no pooling"
}

draw_shrinkage_levels <- function(table, response, ...) {
  given <- list(...)
  axis <- begin_levels(table$level[order(table$position)])
  on.exit(graphics::par(mar = axis$old))
  effect <- table$effect[1L]
  style <- c(level_style(axis, table$group[1L], nrow(table)), list(
    xlab = estimate_text(effect, response), main = shrinkage_title(table),
    xlim = shrinkage_limits(table$none, table$partial, table$complete)
  ))
  draw_frame(numeric(), numeric(), style, ..., own_type = "n", y_line = axis$margin - 1.3, main_line = title_line)
  looks <- shrinkage_looks
  common <- diff(range(table$complete)) <= 1e-8 * max(abs(table$complete))
  if (common) graphics::abline(v = table$complete[1L], col = looks$col[3L], lty = 2L)
  else graphics::points(table$complete, table$position, pch = looks$pch[3L], col = looks$col[3L])
  draw_arrows(table$none, table$position, table$partial, table$position)
  size <- or_else(given$cex, 0.9)
  graphics::points(table$none, table$position, pch = looks$pch[1L], col = looks$col[1L], cex = size)
  graphics::points(table$partial, table$position, pch = looks$pch[2L], col = looks$col[2L], cex = size)
  draw_levels(axis, ...)
  texts <- c(no_pooling_text(table$none), looks$legend)
  if (common) legend_above(texts, pch = c(1L, 16L, NA), lty = c(NA, NA, 2L), col = looks$col)
  else legend_above(texts, pch = looks$pch, col = looks$col)
}

# Many levels: the partially pooled against the unpooled estimate. On the dashed diagonal there is no shrinkage, on the
# dotted line complete pooling.
draw_shrinkage_cloud <- function(table, response, ...) {
  table <- table[!is.na(table$none), , drop = FALSE]
  what <- estimate_text(table$effect[1L], response)
  style <- c(list(
    xlab = paste0(what, ", no pooling"), ylab = paste0(what, ", partial pooling"), main = shrinkage_title(table),
    xlim = shrinkage_limits(table$none, table$partial, table$complete)
  ), point_style(nrow(table)))
  draw_frame(table$none, table$partial, style, ..., main_line = title_line)
  graphics::abline(0, 1, col = plot_colours[["guide"]], lty = 2L, lwd = 1.5)
  graphics::abline(h = mean(table$complete), col = plot_colours[["line"]], lty = 3L, lwd = 2)
  legend_above(c(no_pooling_text(table$none), "complete pooling"), lty = 2:3, lwd = 1.5,
    col = unname(plot_colours[c("guide", "line")])
  )
}

draw_shrinkage_plane <- function(table, response, ...) {
  given <- list(...)
  effects <- attr(table, "effects")
  many <- nrow(table) > 200L
  looks <- shrinkage_looks
  style <- list(
    xlab = estimate_text(effects[1L], response), ylab = estimate_text(effects[2L], response),
    main = shrinkage_title(table), las = 1L,
    xlim = shrinkage_limits(table$none_x, table$partial_x, table$complete_x),
    ylim = shrinkage_limits(table$none_y, table$partial_y, table$complete_y)
  )
  draw_frame(numeric(), numeric(), style, ..., own_type = "n", main_line = title_line)
  size <- or_else(given$cex, if (many) 0.4 else 0.9)
  if (many) {
    graphics::segments(table$none_x, table$none_y, table$partial_x, table$partial_y,
      col = grDevices::adjustcolor(looks$col[1L], 0.5), lwd = 0.5
    )
  } else {
    draw_arrows(table$none_x, table$none_y, table$partial_x, table$partial_y)
    graphics::points(table$none_x, table$none_y, pch = looks$pch[1L], col = looks$col[1L], cex = size)
  }
  graphics::points(table$partial_x, table$partial_y, pch = looks$pch[2L], cex = size,
    col = if (many) grDevices::adjustcolor(looks$col[2L], 0.6) else looks$col[2L]
  )
  graphics::points(table$complete_x, table$complete_y, pch = looks$pch[3L], col = looks$col[3L], cex = 1.6)
  if (nrow(table) <= 60L) draw_arrow_names(table)
  texts <- c(no_pooling_text(table$none_x, table$none_y), looks$legend)
  if (many) legend_above(texts, pch = c(NA, looks$pch[2:3]), lty = c(1L, NA, NA), col = looks$col)
  else legend_above(texts, pch = looks$pch, col = looks$col)
}

# Arrows, without those that are too short for a head.
draw_arrows <- function(x0, y0, x1, y1) {
  inches <- graphics::par("pin") / abs(c(diff(graphics::par("usr")[1:2]), diff(graphics::par("usr")[3:4])))
  long <- which(sqrt(((x1 - x0) * inches[1L])^2 + ((y1 - y0) * inches[2L])^2) > 0.02)
  graphics::arrows(x0[long], y0[long], x1[long], y1[long], length = 0.06, col = plot_colours[["guide"]])
}

# Names beside the start of the arrows, on the side away from the arrow; those of the longest arrows where not all have
# room.
draw_arrow_names <- function(table) {
  usr <- graphics::par("usr")
  right <- (table$none_x - table$partial_x) / diff(usr[1:2])
  up <- (table$none_y - table$partial_y) / diff(usr[3:4])
  order <- order(-(right^2 + up^2), na.last = NA)
  table <- table[order, , drop = FALSE]
  right <- right[order]
  up <- up[order]
  side <- ifelse(abs(right) > abs(up), ifelse(right > 0, 4L, 2L), ifelse(up > 0, 3L, 1L))
  names <- cut_text(table$level, 20L)
  clear <- clear_texts(table$none_x, table$none_y, names, 0.65, side)
  if (any(clear)) {
    graphics::text(table$none_x[clear], table$none_y[clear], names[clear], pos = side[clear], offset = 0.35, cex = 0.65,
      col = "#555555"
    )
  }
}

# ggplot2 --------------------------------------------------------------------------------------------------------------

# One plot for all factors of which one effect is shown, and one for each pair of effects.
gg_shrinkage <- function(table) {
  response <- attr(table, "response")
  pieces <- shrinkage_pieces(table)
  kinds <- vapply(pieces, function(piece) piece$kind, "")
  single <- do.call(rbind, lapply(pieces[kinds != "plane"], function(piece) piece$table))
  planes <- lapply(pieces[kinds == "plane"], function(piece) piece$table)
  plots <- list()
  if (!is.null(single)) {
    draw <- if ("cloud" %in% kinds) gg_shrinkage_cloud else gg_shrinkage_levels
    plots <- list(draw(single, response))
    names(plots) <- paste(unique(single$group), collapse = ".")
  }
  pairs <- lapply(planes, gg_shrinkage_plane, response = response)
  names(pairs) <- vapply(planes, function(plane) plane$group[1L], "")
  plots <- c(plots, pairs)
  if (length(plots) == 1L) plots[[1L]] else plots
}

gg_estimates <- function() {
  names <- c("no pooling", "partial pooling", "complete pooling")
  list(
    ggplot2::scale_shape_manual(NULL, values = stats::setNames(shrinkage_looks$pch, names), breaks = names),
    ggplot2::scale_colour_manual(NULL, values = stats::setNames(shrinkage_looks$col, names), breaks = names)
  )
}

gg_arrow <- function(mapping, data) {
  ggplot2::geom_segment(mapping, data, colour = plot_colours[["guide"]], linewidth = 0.35, inherit.aes = FALSE,
    arrow = ggplot2::arrow(length = ggplot2::unit(0.12, "cm"))
  )
}

# The three kinds of estimates below each other, for one legend.
long_estimates <- function(table, columns = list(x = "")) {
  kinds <- c("none", "partial", "complete")
  parts <- lapply(kinds, function(kind) {
    part <- table
    for (name in names(columns)) part[[name]] <- table[[paste0(kind, columns[[name]])]]
    part$kind <- c(none = "no pooling", partial = "partial pooling", complete = "complete pooling")[[kind]]
    part
  })
  do.call(rbind, parts)
}

single_text <- function(table, response) {
  effects <- unique(table$effect)
  if (length(effects) == 1L) estimate_text(effects, response) else "Estimate"
}

shrinkage_panels <- function(table) {
  factor(paste(table$group, table$effect, sep = ": "), levels = unique(paste(table$group, table$effect, sep = ": ")))
}

gg_shrinkage_levels <- function(table, response) {
  table$panel <- shrinkage_panels(table)
  table$key <- level_keys(table$panel, table$position)
  sorted <- table[order(table$key), , drop = FALSE]
  long <- long_estimates(table)
  long <- long[!is.na(long$x), , drop = FALSE]
  ggplot2::ggplot(long, aes_of(x = "x", y = "key")) +
    gg_arrow(aes_of(x = "none", xend = "partial", y = "key", yend = "key"), moved(table)) +
    ggplot2::geom_point(aes_of(colour = "kind", shape = "kind"), size = 1.8) +
    gg_estimates() + gg_levels(levels(table$key), sorted$level, sorted$panel) +
    ggplot2::labs(title = "Shrinkage", x = single_text(table, response), y = NULL) + gg_theme() +
    gg_sparse_x(if (nlevels(table$panel) > 2L) 2L else 4L) + ggplot2::facet_wrap("panel", scales = "free")
}

# Levels whose estimates differ visibly; arrows of no length have no direction.
moved <- function(table) {
  reach <- diff(range(table$none, table$partial, finite = TRUE))
  table[!is.na(table$none) & abs(table$none - table$partial) > 1e-3 * reach, , drop = FALSE]
}

gg_shrinkage_cloud <- function(table, response) {
  table$panel <- shrinkage_panels(table)
  table <- table[!is.na(table$none), , drop = FALSE]
  pooled <- data.frame(
    panel = levels(table$panel), complete = as.vector(tapply(table$complete, table$panel, mean)),
    what = "complete pooling"
  )
  pooled$panel <- factor(pooled$panel, levels = levels(table$panel))
  diagonal <- data.frame(slope = 1, intercept = 0, what = "no pooling")
  near <- unlist(lapply(split(seq_len(nrow(table)), table$panel), function(at) {
    limits <- shrinkage_limits(table$none[at], table$partial[at], table$complete[at])
    at[table$none[at] >= limits[1L] & table$none[at] <= limits[2L]]
  }))
  outside <- nrow(table) - length(near)
  table <- table[sort(near), , drop = FALSE]
  ggplot2::ggplot(table, aes_of(x = "none", y = "partial")) +
    gg_points(tabulate(table$panel)[table$panel]) +
    ggplot2::geom_abline(
      aes_of(slope = "slope", intercept = "intercept", linetype = "what", colour = "what"), diagonal,
      linewidth = 0.7, key_glyph = "path"
    ) +
    ggplot2::geom_hline(aes_of(yintercept = "complete", linetype = "what", colour = "what"), pooled,
      linewidth = 0.7, key_glyph = "path"
    ) +
    ggplot2::scale_colour_manual(NULL,
      values = c("no pooling" = plot_colours[["guide"]], "complete pooling" = plot_colours[["line"]]),
      breaks = c("no pooling", "complete pooling")
    ) +
    ggplot2::scale_linetype_manual(NULL, values = c("no pooling" = 2L, "complete pooling" = 3L),
      breaks = c("no pooling", "complete pooling")
    ) +
    ggplot2::labs(
      title = "Shrinkage", x = paste0(single_text(table, response), ", no pooling"),
      y = paste0(single_text(table, response), ", partial pooling"), caption = outside_text(outside)
    ) + gg_theme() + ggplot2::facet_wrap("panel", scales = "free")
}

outside_text <- function(count) {
  if (count) sprintf("%s without pooling outside of the axes", counted(count, "estimate"))
}

gg_shrinkage_plane <- function(plane, response) {
  effects <- attr(plane, "effects")
  many <- nrow(plane) > 200L
  xlim <- shrinkage_limits(plane$none_x, plane$partial_x, plane$complete_x)
  ylim <- shrinkage_limits(plane$none_y, plane$partial_y, plane$complete_y)
  known <- plane[!is.na(plane$none_x) & !is.na(plane$none_y), , drop = FALSE]
  long <- long_estimates(plane, list(x = "_x", y = "_y"))
  long <- long[!is.na(long$x) & !is.na(long$y), , drop = FALSE]
  once <- long$kind == "complete pooling" & duplicated(long[c("x", "y", "kind")])
  long <- long[!once & !(many & long$kind == "no pooling"), , drop = FALSE]
  outside <- sum(known$none_x < xlim[1L] | known$none_x > xlim[2L] | known$none_y < ylim[1L] | known$none_y > ylim[2L])
  arrows <- aes_of(x = "none_x", y = "none_y", xend = "partial_x", yend = "partial_y")
  length <- ((known$none_x - known$partial_x) / diff(xlim))^2 + ((known$none_y - known$partial_y) / diff(ylim))^2
  named <- if (nrow(plane) <= 60L) known[order(-length), , drop = FALSE] else known[0L, , drop = FALSE]
  named$level <- cut_text(named$level, 20L)
  segments <- if (many) {
    ggplot2::geom_segment(arrows, known, colour = plot_colours[["guide"]], alpha = 0.5, linewidth = 0.2,
      inherit.aes = FALSE
    )
  } else {
    gg_arrow(arrows, known[length > 1e-6, , drop = FALSE])
  }
  ggplot2::ggplot(long, aes_of(x = "x", y = "y")) + segments +
    ggplot2::geom_point(aes_of(colour = "kind", shape = "kind", size = "kind"), alpha = if (many) 0.7 else 1) +
    ggplot2::geom_text(aes_of(x = "none_x", y = "none_y", label = "level"), named, size = 2.6, vjust = -0.7,
      colour = "#555555", check_overlap = TRUE
    ) +
    gg_estimates() +
    ggplot2::scale_size_manual(NULL, values = c(
      "no pooling" = 1.8, "partial pooling" = if (many) 0.7 else 1.8, "complete pooling" = 3.5
    ), breaks = c("no pooling", "partial pooling", "complete pooling")) +
    ggplot2::coord_cartesian(xlim = xlim, ylim = ylim) +
    ggplot2::labs(
      title = shrinkage_title(plane), subtitle = if (many) "Lines start at the estimates without pooling",
      x = estimate_text(effects[1L], response), caption = outside_text(outside),
      y = estimate_text(effects[2L], response)
    ) + gg_theme()
}
