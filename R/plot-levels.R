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
