# Pictures with a row for each level: caterpillar, residuals by group.

caterpillar_picture <- function(table) {
  level <- attr(table, "level")
  text <- sprintf("Random effect with %g %% interval", 100 * level)
  panels <- lapply(unname(split_in_order(table, effect_panels(table))), function(piece) {
    many <- nrow(piece) > 200L
    layers <- list(
      rule_layer(v = 0),
      layer("intervals", data.frame(xmin = piece$lower, xmax = piece$upper, y = piece$position),
        alpha = if (many) 0.35 else 1, lwd = if (many) 0.5 else 1.5, takes = c("col", "lwd", "lty")),
      layer("points", data.frame(x = piece$condval, y = piece$position), plot_colours[[if (many) "line" else "point"]],
        pch = 16L, cex = if (many) 0.3 else 0.8, takes = c("pch", "cex", "col"))
    )
    panel(table, layers, piece, name = panel_title(piece), title = panel_title(piece), x = text,
      y = as.character(piece$grpvar[1L]), xlim = range(piece$lower, piece$upper, 0),
      rows = piece$grp[order(piece$position)]
    )
  })
  picture(table, panels, c(x = "condval", y = "key"), x = text, scales = "free", strips = TRUE)
}

# Boxes for at most this number of levels, quartiles as a band for more.
boxes_up_to <- 40L

# Each grouping factor: points for small groups, boxes for larger ones, quartiles where there are very many.
by_group_picture <- function(table) {
  pieces <- split_in_order(table, table$grpvar)
  panels <- lapply(unname(pieces), function(piece) {
    found <- level_boxes(piece)
    shape <- group_shape(found$boxes)
    layers <- switch(shape,
      points = level_points(piece, found$boxes), boxes = level_box_layers(found), band = level_band(found)
    )
    name <- as.character(piece$grpvar[1L])
    panel(table, c(list(rule_layer(v = 0)), layers), found$boxes, name = name, title = paste("Residuals by", name),
      y = name, xlim = range(piece$residual, 0), rows = found$boxes$grp
    )
  })
  title <- if (length(pieces) == 1L) paste("Residuals by", names(pieces)) else "Residuals by group"
  picture(table, panels, c(y = "key"), title = title, scales = "free_y")
}

group_shape <- function(boxes) {
  if (nrow(boxes) > boxes_up_to) return("band")
  if (stats::median(boxes$n) < 10) "points" else "boxes"
}

level_points <- function(table, boxes) {
  list(
    layer("ticks", data.frame(x = boxes$median, y = boxes$position), plot_colours[["line"]], lwd = 2),
    layer("points", data.frame(x = table$residual, y = table$position), pch = 1L, cex = 0.8,
      takes = c("pch", "cex", "col"))
  )
}

level_box_layers <- function(found) {
  boxes <- found$boxes
  outliers <- distinct_points(found$outliers$residual, found$outliers$position)
  list(
    layer("boxes", data.frame(y = boxes$position, boxes[c("lower", "q1", "median", "q3", "upper")]), fill = "#D3E5F0",
      takes = "col"),
    layer("points", outliers, pch = 1L, cex = 0.6, takes = c("pch", "cex", "col"))
  )
}

level_band <- function(found) {
  boxes <- found$boxes
  many <- nrow(boxes) > 200L
  list(
    layer("points", farthest_points(found$outliers), pch = 1L, cex = if (many) 0.3 else 0.5, takes = "col"),
    layer("intervals", data.frame(xmin = boxes$lower, xmax = boxes$upper, y = boxes$position),
      alpha = if (many) 0.15 else 0.4, lwd = if (many) 0.5 else 1),
    layer("intervals", data.frame(xmin = boxes$q1, xmax = boxes$q3, y = boxes$position), alpha = if (many) 0.3 else 1,
      lwd = if (many) 0.5 else 2),
    layer("points", data.frame(x = boxes$median, y = boxes$position), plot_colours[["line"]], pch = 16L,
      cex = if (many) 0.3 else 0.6)
  )
}
