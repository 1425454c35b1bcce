# Pictures of rows: residuals, their scale, quantiles; points, or shaded cells when there are very many.

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
