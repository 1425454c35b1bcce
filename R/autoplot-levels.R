# ggplot2: panels with a row for each level, as plot-levels.R and plot-shrinkage.R draw them.

gg_caterpillar <- function(table) {
  table$panel <- effect_panels(table)
  table$key <- level_keys(table$panel, table$position)
  sorted <- table[order(table$key), , drop = FALSE]
  many <- tabulate(table$panel)[table$panel] > 200L
  gg_frame(table, x = "condval", y = "key") +
    gg_guide(xintercept = 0, line = ggplot2::geom_vline) +
    ggplot2::geom_linerange(aes_of(xmin = "lower", xmax = "upper"), colour = plot_colours[["point"]],
      linewidth = ifelse(many, 0.2, 0.6), alpha = ifelse(many, 0.35, 1)
    ) +
    ggplot2::geom_point(colour = plot_colours[ifelse(many, "line", "point")], size = ifelse(many, 0.2, 1.5)) +
    gg_levels(levels(table$key), sorted$grp, sorted$panel) +
    gg_sparse_x(if (nlevels(table$panel) > 2L) 2L else 4L) + ggplot2::facet_wrap("panel", scales = "free") +
    gg_many_levels(any(many))
}

# A factor that sorts the rows by panel and position.
level_keys <- function(panel, position) {
  panel <- as.integer(panel)
  order <- order(panel, position)
  keys <- paste(panel, position)
  factor(keys, levels = unique(keys[order]))
}

# Lines of a grid for each of very many levels would cover the panel.
gg_many_levels <- function(many) {
  blank <- ggplot2::element_blank()
  if (many) ggplot2::theme(panel.grid.major.y = blank)
}

gg_by_group <- function(table) {
  pieces <- lapply(split_in_order(table, table$grpvar), level_boxes)
  shapes <- vapply(pieces, function(piece) group_shape(piece$boxes), "")
  boxes <- panel_rows(lapply(pieces, `[[`, "boxes"))
  boxes$key <- level_keys(boxes$panel, boxes$position)
  keys <- levels(boxes$key)
  keyed <- function(rows) {
    rows$key <- factor(paste(as.integer(rows$panel), rows$position), levels = keys)
    rows
  }
  of_shape <- function(rows, shape) rows[shapes[as.character(rows$panel)] == shape, , drop = FALSE]
  table$panel <- factor(table$grpvar, levels = names(pieces))
  outliers <- keyed(panel_rows(lapply(pieces, function(piece) {
    seen <- farthest_points(piece$outliers)
    data.frame(residual = seen$x, position = seen$y)
  })))
  title <- if (length(pieces) == 1L) paste("Residuals by", names(pieces)) else "Residuals by group"
  p <- gg_frame(table, boxes, y = "key", title = title) + gg_guide(xintercept = 0, line = ggplot2::geom_vline) +
    gg_level_points(keyed(of_shape(table, "points")), of_shape(boxes, "points")) +
    gg_level_boxes(of_shape(boxes, "boxes"), of_shape(outliers, "boxes")) +
    gg_band(of_shape(boxes, "band"), of_shape(outliers, "band")) +
    gg_levels(keys, boxes$grp[order(boxes$key)], boxes$panel[order(boxes$key)]) + gg_many_levels("band" %in% shapes)
  if (length(pieces) > 1L) p + ggplot2::facet_wrap("panel", scales = "free_y") else p
}

# Tables of panels below each other, with the name of the panel.
panel_rows <- function(tables) {
  sizes <- vapply(tables, nrow, 0L)
  all <- do.call(rbind, unname(tables))
  all$panel <- factor(rep(names(tables), sizes), levels = names(tables))
  all
}

gg_level_points <- function(rows, boxes) {
  if (!nrow(rows)) {
    return(NULL)
  }
  list(
    ggplot2::geom_point(aes_of(x = "residual"), rows, colour = plot_colours[["point"]], shape = 1L),
    ggplot2::geom_point(aes_of(x = "median"), boxes, colour = plot_colours[["line"]], shape = "|", size = 4)
  )
}

gg_level_boxes <- function(boxes, outliers) {
  if (!nrow(boxes)) {
    return(NULL)
  }
  list(
    ggplot2::geom_boxplot(
      aes_of(xmin = "lower", xlower = "q1", xmiddle = "median", xupper = "q3", xmax = "upper", group = "key"), boxes,
      stat = "identity", orientation = "y", colour = plot_colours[["point"]], fill = "#D3E5F0", width = 0.7
    ),
    ggplot2::geom_point(aes_of(x = "residual"), outliers, colour = plot_colours[["point"]], shape = 1L, size = 1)
  )
}

gg_band <- function(boxes, outliers) {
  if (!nrow(boxes)) {
    return(NULL)
  }
  many <- nrow(boxes) > 200L
  colour <- plot_colours[["point"]]
  list(
    ggplot2::geom_linerange(aes_of(xmin = "lower", xmax = "upper"), boxes, colour = colour,
      linewidth = if (many) 0.2 else 0.4, alpha = if (many) 0.15 else 0.4
    ),
    ggplot2::geom_linerange(aes_of(xmin = "q1", xmax = "q3"), boxes, colour = colour,
      linewidth = if (many) 0.2 else 0.8, alpha = if (many) 0.3 else 1
    ),
    ggplot2::geom_point(aes_of(x = "residual"), outliers, colour = colour, shape = 1L, size = if (many) 0.4 else 0.8),
    ggplot2::geom_point(aes_of(x = "median"), boxes, colour = plot_colours[["line"]], size = if (many) 0.2 else 1)
  )
}
