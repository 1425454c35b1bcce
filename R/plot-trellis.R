# Observed and fitted values in small panels, all in one figure with common axes: it shares a page with other plots.

draw_observed <- function(table, ...) {
  if (is.null(attr(table, "covariate"))) draw_against_fitted(table, ...) else draw_trellis(table, ...)
}

draw_trellis <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  levels <- unique(table$grp)
  style <- list(
    xlab = texts$x, ylab = texts$y, main = texts$title,
    xlim = grDevices::extendrange(table$x, f = 0.06),
    ylim = grDevices::extendrange(c(table$observed, table$line, table$population), f = 0.06)
  )
  style <- utils::modifyList(style, given)
  graphics::plot.new()
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  grid <- trellis_grid(length(levels), style)
  cell <- match(table$grp, levels)
  x <- grid$x(table$x, cell)
  y <- function(values) grid$y(values, cell)
  draw_strips(grid, levels)
  series <- if (all(is.na(table$series))) rep(1L, nrow(table)) else match(table$series, sort(unique(table$series)))
  colours <- if (max(series) == 1L) unname(plot_colours[["line"]]) else series_colours
  points <- thinned_cells(cell, 500L, table$observed, table$observed - table$fitted)
  one <- max(series) == 1L
  crowded <- max(tabulate(cell[points])) > 50L
  colour <- if (one) plot_colours[["point"]] else colours[series[points]]
  graphics::points(x[points], y(table$observed)[points], pch = or_else(given$pch, if (one) 1L else series[points]),
    cex = or_else(given$cex, if (crowded) 0.4 else 0.7),
    col = or_else(given$col, grDevices::adjustcolor(colour, if (crowded) 0.5 else 1))
  )
  draw_cell_lines(x, y(table$population), cell, series, rep(plot_colours[["guide"]], 6L), 2L)
  draw_cell_lines(x, y(table$line), cell, series, colours, 1L)
  grid$boxes()
  if (!isFALSE(style$ann)) draw_titles(style, main_line = title_line, x_line = min(2.3, graphics::par("mgp")[1L]))
  trellis_legend(table, series, colours)
}

# Rows and columns of panels near the shape of the figure, and the transformations into it.
trellis_grid <- function(n, style) {
  size <- graphics::par("pin")
  columns <- min(n, max(1L, round(sqrt(n * size[1L] / size[2L]))))
  rows <- ceiling(n / columns)
  columns <- ceiling(n / rows)
  cex <- min(0.75, 0.3 * size[2L] / rows / (1.1 * graphics::par("csi")))
  strip <- 1.1 * graphics::par("csi") * cex / size[2L]
  left <- function(cell) (cell - 1L) %% columns / columns
  bottom <- function(cell) 1 - ((cell - 1L) %/% columns + 1) / rows
  inner <- 1 / rows - strip
  place <- function(values, limits) pmax(0, pmin(1, (values - limits[1L]) / (limits[2L] - limits[1L])))
  list(
    n = n, rows = rows, columns = columns, left = left, bottom = bottom, width = 1 / columns, inner = inner, cex = cex,
    height = 1 / rows,
    x = function(values, cell) left(cell) + place(values, style$xlim) / columns,
    y = function(values, cell) bottom(cell) + place(values, style$ylim) * inner,
    boxes = function() trellis_boxes(n, rows, columns, left, bottom, inner, style)
  )
}

draw_strips <- function(grid, names) {
  cells <- seq_len(grid$n)
  left <- grid$left(cells)
  bottom <- grid$bottom(cells) + grid$inner
  graphics::rect(left, bottom, left + grid$width, grid$bottom(cells) + grid$height, col = "#E8E8E8", border = NA)
  space <- 0.95 * grid$width * graphics::par("pin")[1L]
  graphics::text(left + grid$width / 2, (bottom + grid$bottom(cells) + grid$height) / 2,
    cut_to_width(names, space, cex = grid$cex), cex = grid$cex
  )
}

# The boxes of the panels, and axes at the lowest of each column and at the left ones.
trellis_boxes <- function(n, rows, columns, left, bottom, inner, style) {
  cells <- seq_len(n)
  graphics::rect(left(cells), bottom(cells), left(cells) + 1 / columns, bottom(cells) + 1 / rows, border = "#555555")
  if (isFALSE(style$axes)) {
    return(invisible())
  }
  size <- graphics::par("pin")
  marks_x <- few_marks(style$xlim, size[1L] / columns, along = TRUE)
  lowest <- rev(cells)[!duplicated(rev((cells - 1L) %% columns))]
  for (cell in lowest) {
    at <- left(cell) + (marks_x - style$xlim[1L]) / diff(style$xlim) / columns
    graphics::axis(1L, at = at, labels = mark_text(marks_x), pos = bottom(cell), cex.axis = 0.75,
      mgp = c(3, 0.4, 0), tcl = -0.25, lwd = 0, lwd.ticks = 1
    )
  }
  marks_y <- few_marks(style$ylim, size[2L] * inner, along = FALSE)
  for (cell in cells[(cells - 1L) %% columns == 0L]) {
    at <- bottom(cell) + (marks_y - style$ylim[1L]) / diff(style$ylim) * inner
    graphics::axis(2L, at = at, labels = mark_text(marks_y), las = 1L, cex.axis = 0.75,
      mgp = c(3, 0.5, 0), tcl = -0.25, lwd = 0, lwd.ticks = 1
    )
  }
}

# Round numbers within limits, as many as have room on an axis of so many inches, with the texts `along` it or across.
few_marks <- function(limits, inches, along) {
  for (n in c(5L, 4L, 3L, 2L)) {
    marks <- pretty(limits, n)
    marks <- marks[marks >= limits[1L] & marks <= limits[2L]]
    texts <- mark_text(marks)
    size <- if (along) graphics::strwidth(texts, "inches", cex = 0.75)
    else rep(0.75 * graphics::par("csi"), length(marks))
    place <- (marks - limits[1L]) / diff(limits) * inches
    # no text reaches into the next panel
    inside <- place - size / 2 > 0 & place + size / 2 < inches
    marks <- marks[inside]
    if (sum(size[inside]) + (if (along) 0.15 else 0.08) * sum(inside) < 0.9 * inches) break
  }
  marks
}

mark_text <- function(marks) format(marks, trim = TRUE, scientific = 3L)

# One line for each cell and series, with a gap between.
draw_cell_lines <- function(x, y, cell, series, colours, lty) {
  for (k in unique(series)) {
    own <- which(series == k)
    own <- own[order(cell[own], x[own])]
    same <- c(FALSE, cell[own][-1L] == cell[own][-length(own)] & x[own][-1L] == x[own][-length(own)])
    own <- own[!same]
    alone <- own[tabulate(cell[own], max(cell))[cell[own]] == 1L]
    tick <- 0.006
    graphics::segments(x[alone] - tick, y[alone], x[alone] + tick, y[alone], col = colours[k], lty = lty, lwd = 1.5)
    breaks <- which(cell[own][-1L] != cell[own][-length(own)])
    at <- sort(c(seq_along(own), breaks + 0.5))
    at[at != round(at)] <- NA
    graphics::lines(x[own][at], y[own][at], col = colours[k], lty = lty, lwd = 1.5)
  }
}

# Of the rows of each cell some `most`, at equal steps of their order; of each vector of values in `...` the lowest and
# the highest of the cell, an eighth of so many on each side, are always among them.
thinned_cells <- function(cell, most, ...) {
  size <- tabulate(cell)
  if (all(size <= most)) {
    return(seq_along(cell))
  }
  ends <- max(1, most %/% 8)
  kept <- size[cell] <= most
  sorted <- order(cell)
  place <- integer(length(cell))
  place[sorted] <- sequence(size)
  step <- pmax(1, (size - 1) / max(most - 1, 1))
  kept <- kept | floor((place - 1) / step[cell]) != floor((place - 2) / step[cell]) | place == size[cell]
  for (values in list(...)) {
    place[order(cell, values)] <- sequence(size)
    kept <- kept | place <= ends | place > size[cell] - ends
  }
  which(kept)
}

trellis_legend <- function(table, series, colours) {
  guide <- plot_colours[["guide"]]
  if (max(series) == 1L) {
    legend_above(c("observed", "fitted", "population"), pch = c(1L, NA, NA), lty = c(NA, 1L, 2L),
      col = c(plot_colours[["point"]], colours[1L], guide)
    )
  } else {
    names <- sort(unique(table$series))
    k <- seq_along(names)
    legend_above(c(names, "population"), pch = c(k, NA), lty = c(rep(1L, length(k)), 2L),
      col = c(colours[k], guide)
    )
  }
}
