# Panels with a row for each level: caterpillar, residuals by group, shrinkage of one effect.

draw_caterpillar <- function(table, level, ...) {
  n <- nrow(table)
  given <- list(...)
  axis <- begin_levels(table$grp[order(table$position)])
  on.exit(graphics::par(mar = axis$old))
  many <- axis$many
  style <- c(level_style(axis, table$grpvar[1L], n), list(
    xlab = sprintf("Random effect with %g %% interval", 100 * level), main = panel_title(table),
    xlim = range(table$lower, table$upper, 0)
  ))
  draw_frame(table$condval, table$position, style, ..., own_type = "n", y_line = axis$margin - 1.3)
  graphics::abline(v = 0, col = plot_colours[["guide"]], lty = 2L)
  graphics::segments(table$lower, table$position, table$upper, table$position,
    col = or_else(given$col, grDevices::adjustcolor(plot_colours[["point"]], if (many) 0.35 else 1)),
    lwd = or_else(given$lwd, if (many) 0.5 else 1.5), lty = or_else(given$lty, 1L)
  )
  graphics::points(table$condval, table$position, pch = or_else(given$pch, 16L),
    cex = or_else(given$cex, if (many) 0.3 else 0.8),
    col = or_else(given$col, plot_colours[[if (many) "line" else "point"]])
  )
  draw_levels(axis, ...)
}

# Boxes for at most this number of levels, quartiles as a band for more.
boxes_up_to <- 40L

# One grouping factor: points for small groups, boxes for larger ones, quartiles where there are very many.
draw_by_group <- function(table, ...) {
  texts <- attr(table, "labels")
  found <- level_boxes(table)
  n <- nrow(found$boxes)
  axis <- begin_levels(found$boxes$grp)
  on.exit(graphics::par(mar = axis$old))
  shape <- group_shape(found$boxes)
  style <- c(level_style(axis, table$grpvar[1L], n), list(
    xlab = texts$x, main = paste("Residuals by", table$grpvar[1L]), xlim = range(table$residual, 0)
  ))
  draw_frame(numeric(), numeric(), style, ..., own_type = "n", y_line = axis$margin - 1.3)
  graphics::abline(v = 0, col = plot_colours[["guide"]], lty = 2L)
  given <- list(...)
  colour <- or_else(given$col, plot_colours[["point"]])
  switch(shape,
    points = draw_level_points(table, found$boxes, colour, given),
    boxes = draw_level_boxes(found, colour, given),
    band = draw_level_band(found, colour)
  )
  draw_levels(axis, ...)
}

group_shape <- function(boxes) {
  if (nrow(boxes) > boxes_up_to) return("band")
  if (stats::median(boxes$n) < 10) "points" else "boxes"
}

draw_level_points <- function(table, boxes, colour, given) {
  graphics::segments(boxes$median, boxes$position - 0.35, boxes$median, boxes$position + 0.35,
    col = plot_colours[["line"]], lwd = 2
  )
  graphics::points(table$residual, table$position, pch = or_else(given$pch, 1L), cex = or_else(given$cex, 0.8),
    col = colour
  )
}

draw_level_boxes <- function(found, colour, given) {
  boxes <- found$boxes
  graphics::segments(boxes$lower, boxes$position, boxes$upper, boxes$position, col = colour)
  graphics::rect(boxes$q1, boxes$position - 0.35, boxes$q3, boxes$position + 0.35, col = "#D3E5F0", border = colour)
  graphics::segments(boxes$median, boxes$position - 0.35, boxes$median, boxes$position + 0.35,
    col = plot_colours[["line"]], lwd = 2
  )
  outliers <- distinct_points(found$outliers$residual, found$outliers$position)
  graphics::points(outliers$x, outliers$y, pch = or_else(given$pch, 1L), cex = or_else(given$cex, 0.6), col = colour)
}

draw_level_band <- function(found, colour) {
  boxes <- found$boxes
  many <- nrow(boxes) > 200L
  outliers <- farthest_points(found$outliers)
  graphics::points(outliers$x, outliers$y, pch = 1L, cex = if (many) 0.3 else 0.5, col = colour)
  graphics::segments(boxes$lower, boxes$position, boxes$upper, boxes$position,
    col = grDevices::adjustcolor(colour, if (many) 0.15 else 0.4), lwd = if (many) 0.5 else 1
  )
  graphics::segments(boxes$q1, boxes$position, boxes$q3, boxes$position,
    col = grDevices::adjustcolor(colour, if (many) 0.3 else 1), lwd = if (many) 0.5 else 2
  )
  graphics::points(boxes$median, boxes$position, pch = 16L, cex = if (many) 0.3 else 0.6, col = plot_colours[["line"]])
}

# Of very many outliers the 2000 with the largest residuals.
farthest_points <- function(outliers) {
  if (nrow(outliers) > 2000L) outliers <- outliers[order(-abs(outliers$residual))[seq_len(2000L)], , drop = FALSE]
  distinct_points(outliers$residual, outliers$position)
}

# Points of one row that no eye can tell apart are drawn once.
distinct_points <- function(x, row) {
  step <- diff(range(x, 0)) / 500
  if (!length(x) || step == 0) {
    return(data.frame(x = x, y = row))
  }
  first <- !duplicated(round(x / step) + 2000 * row)
  data.frame(x = x[first], y = row[first])
}

# ggplot2 --------------------------------------------------------------------------------------------------------------

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
