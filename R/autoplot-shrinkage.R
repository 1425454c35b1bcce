# ggplot2: shrinkage, as plot-shrinkage.R draws it.

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
