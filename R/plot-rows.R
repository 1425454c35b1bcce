# Panels of rows: residuals, their scale, quantiles; points, or shaded cells when there are very many.

# Above this number of points a panel counts them in cells.
crowd_size <- 20000L

draw_residuals <- function(table, ...) {
  draw_cloud(table$fitted, table$residual, table, ...)
  graphics::abline(h = 0, col = plot_colours[["guide"]], lty = 2L)
  draw_trend(table)
}

draw_scale <- function(table, ...) {
  draw_cloud(table$fitted, table$root, table, ...)
  draw_trend(table)
}

draw_against_fitted <- function(table, ...) {
  draw_cloud(table$fitted, table$observed, table, ...)
  graphics::abline(0, 1, col = plot_colours[["line"]], lty = 2L, lwd = 1.5)
}

draw_trend <- function(table) {
  curve <- trend_curve(table)
  graphics::lines(curve$fitted, curve$trend, col = plot_colours[["line"]], lwd = 2)
}

# The trend as a curve of at most 1000 points.
trend_curve <- function(table) {
  first <- which(!duplicated(table$fitted))
  first <- first[order(table$fitted[first])]
  if (length(first) > 1000L) first <- first[unique(round(seq(1, length(first), length.out = 1000L)))]
  table[first, c("fitted", "trend")]
}

draw_cloud <- function(x, y, table, ...) {
  texts <- attr(table, "labels")
  style <- list(xlab = texts$x, ylab = texts$y, main = texts$title, las = 1L)
  if (length(x) <= crowd_size) {
    draw_frame(x, y, c(style, point_style(length(x))), ...)
  } else {
    style[c("xlim", "ylim")] <- list(range(x), range(y))
    draw_frame(numeric(), numeric(), style, ..., own_type = "n", main_line = title_line)
    draw_cells(point_cells(x, y))
  }
}

# Counts of points in the cells of a regular grid over their range: centres of the cells that are not empty, with their
# width and height.
point_cells <- function(x, y, size = c(100L, 60L)) {
  axis_x <- cell_axis(x, size[1L])
  axis_y <- cell_axis(y, size[2L])
  counts <- tabulate((axis_y$at - 1L) * size[1L] + axis_x$at, prod(size))
  full <- which(counts > 0L)
  data.frame(
    x = axis_x$low + axis_x$width * ((full - 1L) %% size[1L] + 0.5),
    y = axis_y$low + axis_y$width * ((full - 1L) %/% size[1L] + 0.5),
    count = counts[full], width = axis_x$width, height = axis_y$width
  )
}

cell_axis <- function(values, cells) {
  ends <- range(values)
  if (ends[1L] == ends[2L]) ends <- ends + c(-0.5, 0.5)
  width <- (ends[2L] - ends[1L]) / cells
  at <- as.integer((values - ends[1L]) / width) + 1L
  list(at = pmin(at, cells), low = ends[1L], width = width)
}

# From one point to very many, on the scale of the logarithm.
shades <- c("#A6CEE3", "#5B9BD5", "#0072B2", "#084C8C", "#062A57")

draw_cells <- function(cells) {
  colours <- grDevices::colorRampPalette(shades)(100L)
  highest <- max(2, cells$count)
  shade <- function(count) colours[1L + round(99 * log(count) / log(highest))]
  graphics::rect(cells$x - cells$width / 2, cells$y - cells$height / 2, cells$x + cells$width / 2,
    cells$y + cells$height / 2, col = shade(cells$count), border = NA
  )
  marks <- 10^seq(0, floor(log10(highest)))
  legend_above(c("Points per cell:", big_number(marks)),
    fill = c(NA, shade(marks)), border = NA
  )
}

draw_qq <- function(table, ...) {
  texts <- attr(table, "labels")
  shown <- table[thinned_ranks(nrow(table)), , drop = FALSE]
  style <- c(list(xlab = texts$x, ylab = texts$y, main = texts$title), point_style(nrow(shown)))
  draw_frame(shown$theoretical, shown$residual, style, ...)
  ends <- c(1L, nrow(table))
  graphics::lines(table$theoretical[ends], table$line[ends], col = plot_colours[["guide"]], lty = 2L)
}

# Of n sorted values those to draw: all up to 5000; of more the 500 on each side and 1000 at equal steps between.
thinned_ranks <- function(n) {
  if (n <= 5000L) {
    return(seq_len(n))
  }
  unique(c(seq_len(500L), round(seq(501, n - 500, length.out = 1000L)), seq.int(n - 499L, n)))
}

# One panel for each effect: the band, the line of equality, and the names of levels outside of the band.
draw_ranef_qq <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  shown <- table[thinned_ranks(nrow(table)), , drop = FALSE]
  style <- c(
    list(xlab = texts$x, ylab = texts$y, main = panel_title(table),
      ylim = range(shown$standardised, shown$lower, shown$upper, finite = TRUE)),
    point_style(nrow(shown))
  )
  draw_frame(shown$theoretical, shown$standardised, style, ..., own_type = "n")
  graphics::polygon(c(shown$theoretical, rev(shown$theoretical)), c(shown$lower, rev(shown$upper)),
    col = "#E4E4E4", border = NA
  )
  if (!anyNA(table$lower)) graphics::abline(0, 1, col = plot_colours[["guide"]], lty = 2L)
  style <- utils::modifyList(style[c("pch", "cex", "col")], given[intersect(names(given), c("pch", "cex", "col"))])
  do.call(graphics::points, c(list(shown$theoretical, shown$standardised), style))
  if (anyNA(table$lower)) {
    graphics::text(0, 0, "All effects are zero", pos = 3L, cex = 0.9)
  }
  named <- table[outside_band(table), , drop = FALSE]
  side <- ifelse(named$theoretical > 0, 2L, 4L)
  names <- cut_text(as.character(named$grp), 15L)
  clear <- clear_texts(named$theoretical, named$standardised, names, 0.7, side)
  if (any(clear)) {
    graphics::text(named$theoretical[clear], named$standardised[clear], names[clear], pos = side[clear], cex = 0.7)
  }
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

# ggplot2 --------------------------------------------------------------------------------------------------------------

gg_residuals <- function(table) {
  gg_cloud(table, "fitted", "residual", gg_guide(yintercept = 0)) + gg_trend(table)
}

gg_scale <- function(table) gg_cloud(table, "fitted", "root") + gg_trend(table)

gg_against_fitted <- function(table) {
  gg_cloud(table, "fitted", "observed") +
    ggplot2::geom_abline(intercept = 0, slope = 1, colour = plot_colours[["line"]], linetype = 2L, linewidth = 0.7)
}

gg_trend <- function(table) {
  curve <- trend_curve(table)
  if (nrow(curve) > 1L) ggplot2::geom_line(aes_of(x = "fitted", y = "trend"), curve, colour = plot_colours[["line"]],
    linewidth = 0.9, inherit.aes = FALSE
  )
}

# Points, or cells shaded by the number of points; `under` is drawn first.
gg_cloud <- function(table, x, y, under = NULL) {
  if (nrow(table) <= crowd_size) {
    return(gg_frame(table, x = x, y = y) + under + gg_points(nrow(table)))
  }
  gg_cells(table, point_cells(table[[x]], table[[y]])) + under
}

gg_cells <- function(table, cells) {
  texts <- attr(table, "labels")
  ggplot2::ggplot(cells, aes_of(x = "x", y = "y", fill = "count", width = "width", height = "height")) +
    ggplot2::geom_tile() +
    ggplot2::scale_fill_gradientn("Points per cell", colours = shades, trans = "log10",
      breaks = 10^seq(0, floor(log10(max(2, cells$count)))), limits = c(1, max(2, cells$count))
    ) +
    ggplot2::labs(title = texts$title, x = texts$x, y = texts$y) + gg_theme() +
    ggplot2::theme(legend.key.height = ggplot2::unit(0.3, "cm"), legend.key.width = ggplot2::unit(1.2, "cm"))
}

gg_qq <- function(table) {
  shown <- table[thinned_ranks(nrow(table)), , drop = FALSE]
  gg_frame(table, shown, x = "theoretical", y = "residual") +
    gg_guide(aes_of(x = "theoretical", y = "line"), table[c(1L, nrow(table)), ], line = ggplot2::geom_line) +
    gg_points(nrow(shown))
}

gg_ranef_qq <- function(table) {
  table$panel <- effect_panels(table)
  pieces <- split(seq_len(nrow(table)), table$panel)
  shown <- table[unlist(lapply(pieces, function(at) at[thinned_ranks(length(at))])), , drop = FALSE]
  named <- table[unlist(lapply(pieces, function(at) at[outside_band(table[at, , drop = FALSE])])), , drop = FALSE]
  named$grp <- cut_text(as.character(named$grp), 15L)
  named$side <- ifelse(named$theoretical > 0, 1.15, -0.15)
  zero <- table[is.na(table$lower) & !duplicated(table$panel), , drop = FALSE]
  zero$theoretical <- zero$standardised <- rep(0, nrow(zero))
  zero$grp <- rep("All effects are zero", nrow(zero))
  varying <- setdiff(levels(table$panel), as.character(zero$panel))
  equality <- data.frame(panel = factor(varying, levels(table$panel)), intercept = rep(0, length(varying)),
    slope = rep(1, length(varying))
  )
  gg_frame(table, shown, x = "theoretical", y = "standardised") +
    ggplot2::geom_ribbon(aes_of(ymin = "lower", ymax = "upper"), shown[!is.na(shown$lower), ], fill = "#E4E4E4") +
    gg_guide(aes_of(intercept = "intercept", slope = "slope"), equality, line = ggplot2::geom_abline) +
    gg_points(nrow(shown) / max(1L, nlevels(table$panel))) +
    ggplot2::geom_text(aes_of(label = "grp", hjust = "side"), named, size = 2.8, check_overlap = TRUE) +
    ggplot2::geom_text(aes_of(label = "grp"), zero, size = 3.5, vjust = -1) +
    ggplot2::facet_wrap("panel")
}
