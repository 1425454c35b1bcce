# Pictures of residuals and of random effects: row by row (points, or shaded cells when there are very many), by
# quantile, level by level.

residuals_picture <- function(table) {
  cloud_picture(table, c(x = "fitted", y = "residual"), list(rule_layer(h = 0), trend_layer(table)))
}

scale_picture <- function(table) cloud_picture(table, c(x = "fitted", y = "root"), list(trend_layer(table)))

against_fitted_picture <- function(table) {
  cloud_picture(table, c(x = "fitted", y = "observed"),
    list(rule_layer(slope = 1, intercept = 0, col = plot_colours[["line"]], lwd = 1.5))
  )
}

trend_layer <- function(table) {
  curve <- trend_curve(table)
  if (nrow(curve) > 1L) layer("line", data.frame(x = curve$fitted, y = curve$trend), plot_colours[["line"]], lwd = 2)
}

# The trend as a curve of at most 1000 points.
trend_curve <- function(table) {
  first <- which(!duplicated(table$fitted))
  first <- first[order(table$fitted[first])]
  if (length(first) > 1000L) first <- first[unique(round(seq(1, length(first), length.out = 1000L)))]
  table[first, c("fitted", "trend")]
}

# Points, or cells shaded by the number of points, and what lies over them.
cloud_picture <- function(table, columns, over) {
  x <- table[[columns[["x"]]]]
  y <- table[[columns[["y"]]]]
  crowded <- length(x) > crowd_size
  cells <- if (crowded) point_cells(x, y)
  first <- if (crowded) layer("cells", cells) else points_layer(x, y)
  one <- panel(table, c(list(first), over), or_else(cells, table), xlim = range(x), ylim = range(y))
  picture(table, list(one), if (crowded) c(x = "x", y = "y") else columns)
}

qq_picture <- function(table) {
  shown <- table[thinned_ranks(nrow(table)), , drop = FALSE]
  ends <- table[c(1L, nrow(table)), ]
  layers <- list(
    points_layer(shown$theoretical, shown$residual),
    layer("line", data.frame(x = ends$theoretical, y = ends$line), plot_colours[["guide"]], lty = 2L, lwd = 1)
  )
  one <- panel(table, layers, shown, xlim = range(shown$theoretical), ylim = range(shown$residual))
  picture(table, list(one), c(x = "theoretical", y = "residual"))
}

# One panel for each effect: the band, the line of equality, and the names of levels outside of the band.
ranef_qq_picture <- function(table) {
  pieces <- split_in_order(table, effect_panels(table))
  panels <- lapply(unname(pieces), function(piece) {
    shown <- piece[thinned_ranks(nrow(piece)), , drop = FALSE]
    named <- piece[outside_band(piece), , drop = FALSE]
    zero <- anyNA(piece$lower)
    layers <- list(
      if (!zero) layer("ribbon", data.frame(x = shown$theoretical, ymin = shown$lower, ymax = shown$upper), NA,
        fill = "#E4E4E4"),
      if (!zero) rule_layer(slope = 1, intercept = 0),
      points_layer(shown$theoretical, shown$standardised),
      if (zero) note_layer(0, 0, "All effects are zero"),
      names_layer(named$theoretical, named$standardised, cut_text(as.character(named$grp), 15L),
        ifelse(named$theoretical > 0, 2L, 4L))
    )
    panel(table, layers, shown, name = panel_title(piece), title = panel_title(piece),
      xlim = range(shown$theoretical), ylim = range(shown$standardised, shown$lower, shown$upper, finite = TRUE)
    )
  })
  picture(table, panels, c(x = "theoretical", y = "standardised"), strips = TRUE)
}

# "Subject: Days"
panel_title <- function(table) paste(table$grpvar[1L], table$term[1L], sep = ": ")

# Rows outside of the band, the three farthest at each end.
outside_band <- function(table) {
  beyond <- pmax(table$standardised - table$upper, table$lower - table$standardised)
  out <- which(beyond > 1e-9)
  high <- out[table$theoretical[out] > 0]
  low <- setdiff(out, high)
  c(utils::head(low[order(table$standardised[low])], 3L), utils::head(high[order(-table$standardised[high])], 3L))
}

# A row for each level -------------------------------------------------------------------------------------------------

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
