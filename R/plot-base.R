# Pictures drawn with base graphics: panels on pages, their frames, titles and legends that fit, margins for names.
#
# Reads   pictures (plot-picture.R) and the user's graphical parameters.

# Functions that draw one plot each, of all panels of some pictures in the order of the panels.
plots_of <- function(pictures) {
  plots <- lapply(pictures, function(one) {
    switch(one$layout,
      grid = list(function(...) draw_grid(one, list(...))),
      sections = list(function(...) draw_sections(one, list(...))),
      lapply(unname(one$panels), function(panel) function(...) draw_panel(panel, list(...)))
    )
  })
  order <- unlist(lapply(pictures, function(one) {
    if (one$layout == "pages") vapply(unname(one$panels), function(panel) or_else(panel$order, 0L), 0L) else 0L
  }))
  unlist(plots, recursive = FALSE)[order(order)]
}

# Panels on one page or on several; `most`: how many of them a page has at most.
draw_pages <- function(panels, most, ask, ...) {
  free <- prod(graphics::par("mfrow"))
  if (free == 1L && length(panels) > 1L) {
    shown <- panels_per_page(length(panels), most)
    old <- graphics::par(mfrow = grid_size(shown), mar = c(3.6, 4.1, 3.2, 0.8), mgp = c(2.3, 0.7, 0))
    on.exit(graphics::par(old), add = TRUE)
    free <- prod(graphics::par("mfrow"))
  }
  if (is.null(ask)) ask <- length(panels) > free && grDevices::dev.interactive()
  if (ask) {
    asked <- grDevices::devAskNewPage(TRUE)
    on.exit(grDevices::devAskNewPage(asked), add = TRUE)
  }
  for (plot in panels) plot(...)
}

# Rows and columns for at most twelve panels; the longer side of the device gets more of them.
grid_size <- function(n, device = graphics::par("din")) {
  wide <- device[1L] > device[2L]
  rows <- if (n <= 2L) 1L else if (n <= 4L || (wide && n <= 6L)) 2L else if (wide || n <= 9L) 3L else 4L
  c(rows, ceiling(n / rows))
}

# As many panels as there are, or as fit on a page with their margins. A grid of 2 by 2 makes text smaller, a larger one
# still more.
panels_per_page <- function(n, most, device = graphics::par("din")) {
  for (count in c(12L, 9L, 6L, 4L, 2L, 1L)) {
    shown <- min(n, count)
    grid <- grid_size(shown, device)
    cex <- if (max(grid) > 2L) 0.66 else if (min(grid) == 2L) 0.83 else 1
    if (count <= most && all(device / rev(grid) >= c(0.5, 0.4) + c(1, 1.4) * cex)) break
  }
  shown
}

# A panel --------------------------------------------------------------------------------------------------------------

draw_panel <- function(panel, given) {
  many <- length(panel$rows) > 200L
  axis <- if (!is.null(panel$rows)) begin_levels(panel$rows, or_else(panel$longest, 20L))
  if (!is.null(axis)) on.exit(graphics::par(mar = axis$old))
  legend <- legend_of(panel$layers, panel$keys)
  shaded <- any(vapply(panel$layers, function(one) one$kind == "cells", NA))
  above <- shaded || length(legend$key)
  own_marks <- !is.null(panel$marks)
  n <- length(panel$rows)
  style <- list(
    main = panel$title, xlab = panel$x, xlim = panel$xlim, ylim = if (n) c(0.5, n + 0.5) else panel$ylim,
    ylab = if (n && !is.null(panel$y)) paste0(panel$y, if (many) " (rank)") else panel$y
  )
  if (n) style[c("yaxt", "las")] <- list("n", 1L)
  if (own_marks) style$xaxt <- "n"
  draw_frame(style, given, if (n) axis$margin - 1.3 else NA, if (above) title_line else NA)
  for (one in panel$layers) draw_layer(one, given)
  shown <- !isFALSE(given$axes)
  if (n) draw_levels(axis, given)
  if (own_marks && shown && is.null(given$xaxt)) draw_marks(panel$marks)
  if (length(legend$key)) draw_legend(legend, panel$outside)
  invisible()
}

# An empty frame with axes and titles; parameters of the user win over ours.
draw_frame <- function(ours, given, y_line = NA, main_line = NA) {
  style <- c(ours[setdiff(names(ours), names(given))], given)
  titles <- intersect(c("main", "sub", "xlab", "ylab"), names(style))
  if (is.null(given$las)) style$las <- if (identical(ours$yaxt, "n")) 1L else fitting_las(style$ylim)
  plotted <- style[setdiff(names(style), c(titles, "ann", "type"))]
  do.call(graphics::plot, c(list(x = numeric(), y = numeric(), type = "n", ann = FALSE), plotted))
  if (!isFALSE(style$ann)) draw_titles(style, y_line, main_line)
  invisible()
}

# The look of a layer after the parameters of the user that it takes.
worn <- function(look, given) {
  own <- intersect(look$takes, names(given))
  colour <- if (!is.null(look$alpha)) grDevices::adjustcolor(look$col, look$alpha) else look$col
  look$col <- colour
  look[own] <- given[own]
  look
}

draw_layer <- function(layer, given) {
  data <- layer$data
  look <- worn(layer$look, given)
  switch(layer$kind,
    points = do.call(graphics::points, c(list(data$x, data$y), look[c("pch", "cex", "col")],
      look[intersect(c("bg", "lwd", "type"), names(look))])),
    line = draw_lines(data, look),
    segments = graphics::segments(data$x, data$y, data$xend, data$yend, col = look$col, lwd = look$lwd,
      lty = or_else(look$lty, 1L)),
    arrows = draw_arrows(data, look$col),
    rule = draw_rule(data, look),
    intervals = graphics::segments(data$xmin, data$y, data$xmax, data$y, col = look$col, lwd = look$lwd,
      lty = or_else(look$lty, 1L)),
    ticks = graphics::segments(data$x, data$y - 0.35, data$x, data$y + 0.35, col = look$col, lwd = look$lwd),
    boxes = draw_boxes(data, look),
    ribbon = graphics::polygon(c(data$x, rev(data$x)), c(data$ymin, rev(data$ymax)), col = look$fill, border = NA),
    rects = graphics::rect(data$xmin, data$ymin, data$xmax, data$ymax, col = look$fill, border = look$col),
    cells = draw_cells(data),
    names = draw_names(data, look),
    note = graphics::text(data$x, data$y, data$label, pos = 3L, cex = look$cex)
  )
  invisible()
}

# Lines, one for each value of `part` where there are several.
draw_lines <- function(data, look) {
  parts <- if (is.null(data$part)) list(data) else split(data, data$part)
  for (one in parts) graphics::lines(one$x, one$y, col = look$col, lwd = look$lwd, lty = or_else(look$lty, 1L))
}

draw_rule <- function(data, look) {
  if (is.null(data$slope)) {
    graphics::abline(h = data$h, v = data$v, col = look$col, lty = look$lty, lwd = look$lwd)
  } else {
    graphics::abline(data$intercept, data$slope, col = look$col, lty = look$lty, lwd = look$lwd)
  }
}

# Arrows, without those that are too short for a head.
draw_arrows <- function(data, col) {
  inches <- graphics::par("pin") / abs(c(diff(graphics::par("usr")[1:2]), diff(graphics::par("usr")[3:4])))
  long <- which(sqrt(((data$xend - data$x) * inches[1L])^2 + ((data$yend - data$y) * inches[2L])^2) > 0.02)
  data <- data[long, , drop = FALSE]
  graphics::arrows(data$x, data$y, data$xend, data$yend, length = 0.06, col = col)
}

draw_boxes <- function(data, look) {
  graphics::segments(data$lower, data$y, data$upper, data$y, col = look$col)
  graphics::rect(data$q1, data$y - 0.35, data$q3, data$y + 0.35, col = look$fill, border = look$col)
  graphics::segments(data$median, data$y - 0.35, data$median, data$y + 0.35, col = plot_colours[["line"]], lwd = 2)
}

draw_names <- function(data, look) {
  clear <- clear_texts(data$x, data$y, data$label, look$cex, data$side)
  if (!any(clear)) return(invisible())
  shown <- data[clear, , drop = FALSE]
  graphics::text(shown$x, shown$y, shown$label, pos = shown$side, offset = 0.35, cex = look$cex, col = look$col)
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

# The marks of an x-axis: figures, or names where they have room.
draw_marks <- function(marks) {
  if (isTRUE(marks$names)) draw_names_below(marks$labels)
  else graphics::axis(1L, at = marks$at, labels = or_else(marks$labels, TRUE))
}

# Names below as many places as have room for them, upright where that lets more be named.
draw_names_below <- function(names) {
  n <- length(names)
  width <- graphics::par("pin")[1L]
  short <- cut_text(names, 15L)
  cex <- 0.8
  across <- sum(graphics::strwidth(short, "inches", cex = cex) + 0.1) <= width
  space <- (graphics::par("mar")[1L] - graphics::par("mgp")[1L] - 0.2) * line_height()
  if (across) {
    graphics::axis(1L, at = seq_len(n), labels = short, cex.axis = cex)
    return(invisible())
  }
  # upright names have the lines between the axis and its title
  room <- max(space, (graphics::par("mgp")[1L] - 0.8) * line_height())
  at <- seq.int(1L, n, by = max(1L, ceiling(n * 1.15 * 0.6 * graphics::par("csi") / width)))
  labels <- cut_to_width(names[at], room, cex = 0.6)
  graphics::axis(1L, at = at, labels = labels, las = 2L, cex.axis = 0.6, mgp = c(3, 0.4, 0), tcl = -0.2)
}

# The legend of a panel above it; its first text says how many estimates lie `outside` of the axes.
draw_legend <- function(legend, outside = NULL) {
  texts <- legend$key
  if (!is.null(outside) && outside > 0L) texts[1L] <- sprintf("%s (%d outside)", texts[1L], outside)
  areas <- legend$pch %in% 15L
  legend_above(texts, ifelse(areas, 1.5, 1), col = legend$col, pch = legend$pch, lty = legend$lty, lwd = legend$lwd)
}

# Small panels in one plot ---------------------------------------------------------------------------------------------

# A strip with the name above each panel, axes at the left panels and at the lowest of each column.
draw_grid <- function(picture, given) {
  panels <- picture$panels
  first <- panels[[1L]]
  style <- list(xlab = picture$x, ylab = picture$y, main = picture$title, xlim = first$xlim, ylim = first$ylim)
  style <- utils::modifyList(style, given)
  graphics::plot.new()
  margins <- graphics::par("mar")
  on.exit(graphics::par(mar = margins))
  grid <- grid_of_panels(length(panels))
  region <- graphics::par("plt")
  cell_names <- cut_to_width(vapply(panels, `[[`, "", "name"), 0.95 * grid$width * graphics::par("pin")[1L],
    cex = grid$cex)
  for (k in seq_along(panels)) {
    into_region(region, grid$left[k], grid$left[k] + grid$width, grid$bottom[k] + grid$inner,
      grid$bottom[k] + grid$height)
    graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
    graphics::rect(0, 0, 1, 1, col = "#E8E8E8", border = NA)
    graphics::text(0.5, 0.5, cell_names[k], cex = grid$cex, xpd = NA)
    graphics::rect(0, 0, 1, 1, border = "#555555", xpd = NA)
    into_region(region, grid$left[k], grid$left[k] + grid$width, grid$bottom[k], grid$bottom[k] + grid$inner)
    graphics::plot.window(style$xlim, style$ylim, xaxs = "i", yaxs = "i")
    for (one in panels[[k]]$layers) draw_layer(one, given)
    graphics::box(col = "#555555")
    if (!isFALSE(style$axes)) draw_cell_axes(style, lowest = grid$lowest[k], leftmost = grid$leftmost[k])
  }
  into_region(region, 0, 1, 0, 1)
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  if (!isFALSE(style$ann)) draw_titles(style, main_line = title_line, x_line = min(2.3, graphics::par("mgp")[1L]))
  draw_legend(legend_of(unlist(lapply(panels, `[[`, "layers"), recursive = FALSE), first$keys))
}

# What is drawn next is drawn into a part of the plot region: left, right, bottom, top are shares of it.
into_region <- function(region, left, right, bottom, top) {
  across <- region[1L] + c(left, right) * (region[2L] - region[1L])
  along <- region[3L] + c(bottom, top) * (region[4L] - region[3L])
  graphics::par(plt = c(across, along), new = TRUE)
  graphics::plot.new()
}

# Rows and columns of panels near the shape of the figure.
grid_of_panels <- function(n) {
  size <- graphics::par("pin")
  columns <- min(n, max(1L, round(sqrt(n * size[1L] / size[2L]))))
  rows <- ceiling(n / columns)
  columns <- ceiling(n / rows)
  cex <- min(0.75, 0.3 * size[2L] / rows / (1.1 * graphics::par("csi")))
  strip <- 1.1 * graphics::par("csi") * cex / size[2L]
  cells <- seq_len(n)
  column <- (cells - 1L) %% columns
  list(
    left = column / columns, bottom = 1 - ((cells - 1L) %/% columns + 1) / rows, width = 1 / columns, height = 1 / rows,
    inner = 1 / rows - strip, cex = cex, lowest = !duplicated(column, fromLast = TRUE), leftmost = column == 0L
  )
}

draw_cell_axes <- function(style, lowest, leftmost) {
  size <- graphics::par("pin")
  if (lowest) {
    marks <- few_marks(style$xlim, size[1L], along = TRUE)
    graphics::axis(1L, at = marks, labels = mark_text(marks), cex.axis = 0.75, mgp = c(3, 0.4, 0), tcl = -0.25,
      lwd = 0, lwd.ticks = 1, gap.axis = 0)
  }
  if (leftmost) {
    marks <- few_marks(style$ylim, size[2L], along = FALSE)
    graphics::axis(2L, at = marks, labels = mark_text(marks), las = 1L, cex.axis = 0.75, mgp = c(3, 0.5, 0),
      tcl = -0.25, lwd = 0, lwd.ticks = 1, gap.axis = 0)
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

# One section for each panel of rows, with an axis of its own below.
draw_sections <- function(picture, given) {
  panels <- picture$panels
  sizes <- vapply(panels, function(panel) length(panel$rows), 0L)
  axis <- begin_levels(unlist(lapply(panels, `[[`, "rows")), longest = 40L)
  on.exit(graphics::par(mar = axis$old))
  graphics::plot.new()
  region <- graphics::par("plt")
  # a row takes a line of text, the axis below a section three; smaller text where that is too much
  line <- graphics::par("csi") / graphics::par("pin")[2L]
  needed <- line * (sum(sizes + 0.4) + 3 * (length(panels) - 1L))
  cex <- max(0.4, min(0.8, 0.8 / needed))
  gap <- 3 * cex * line
  row <- (1 - gap * (length(panels) - 1)) / sum(sizes + 0.4)
  top <- 1
  for (panel in panels) {
    bottom <- top - row * (length(panel$rows) + 0.4)
    into_region(region, 0, 1, bottom, top)
    draw_section(panel, cex, given)
    top <- bottom - gap
  }
  into_region(region, 0, 1, 0, 1)
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  if (!isFALSE(given$ann)) draw_figure_title(or_else(given$main, picture$title), given)
}

draw_section <- function(panel, cex, given) {
  n <- length(panel$rows)
  limits <- grDevices::extendrange(panel$xlim, f = 0.04)
  graphics::plot.window(limits, c(0.3, n + 0.7), xaxs = "i", yaxs = "i")
  for (one in panel$layers) {
    if (one$kind == "points") one$look$cex <- 1.4 * cex
    draw_layer(one, given)
  }
  graphics::rect(limits[1L], 0.3, limits[2L], n + 0.7, border = "#555555", xpd = NA)
  if (isFALSE(given$axes)) return(invisible())
  marks <- few_marks(limits, graphics::par("pin")[1L], along = TRUE)
  graphics::axis(1L, at = marks, labels = FALSE, tcl = -0.3 * cex, lwd = 0, lwd.ticks = 1)
  # a line of text, in rows
  line <- graphics::par("csi") / graphics::par("pin")[2L] * (n + 0.4)
  graphics::text(marks, 0.3 - 0.95 * cex * line, mark_text(marks), cex = cex, xpd = NA)
  graphics::text(mean(limits), 0.3 - 2.1 * cex * line, panel$name, cex = 1.1 * cex, xpd = NA)
  graphics::mtext(cut_to_width(panel$rows, 0.9 * graphics::par("mai")[2L], cex = cex), 2L, at = seq_len(n), las = 1L,
    cex = cex * graphics::par("cex"), line = 0.4
  )
}

# A title in the middle of the figure instead of the panel, whose margin is wide on one side.
draw_figure_title <- function(text, style) {
  size <- or_else(style$cex.main, graphics::par("cex.main"))
  width <- graphics::strwidth(text, "inches", cex = size, font = 2L)
  size <- size * max(0.5, min(1, (graphics::par("fin")[1L] - 0.2) / width))
  region <- graphics::par("plt")[1:2]
  middle <- (0.5 - region[1L]) / diff(region)
  graphics::mtext(text, 3L, at = middle, line = 1, cex = size * graphics::par("cex"),
    font = or_else(style$font.main, 2L), col = or_else(style$col.main, "black")
  )
}

# Titles, legends, margins ---------------------------------------------------------------------------------------------

# Horizontal figures at the y-axis, unless they would reach into its title.
fitting_las <- function(values) {
  marks <- pretty(range(values, finite = TRUE))
  # before the first plot nothing can be measured: points and signs are half as wide as digits
  marks <- format(marks, trim = TRUE)
  narrow <- nchar(gsub("[^-.]", "", marks))
  size <- 0.65 * graphics::par("cin")[1L] * graphics::par("cex") * graphics::par("cex.axis")
  width <- max(nchar(marks) - narrow / 2) * size
  space <- (graphics::par("mgp")[1L] - graphics::par("mgp")[2L] - 0.2) * line_height()
  if (width > space) 0L else 1L
}

draw_titles <- function(style, y_line = NA, main_line = NA, x_line = NA) {
  titles <- intersect(c("main", "sub", "xlab", "ylab"), names(style))
  looks <- style[grep("^(col|font)[.](main|sub|lab)$|^(family|adj|mgp|xpd)$", names(style))]
  for (name in titles[lengths(style[titles]) > 0L]) {
    line <- switch(name, xlab = x_line, ylab = y_line, main = main_line, NA)
    do.call(graphics::title, c(fitting_title(style[[name]], name, style), looks, list(line = line)))
  }
}

# list(main = text, cex.main = size), the size such that the text does not leave the figure.
fitting_title <- function(text, name, style) {
  kind <- sub("[xy]lab", "lab", name)
  size <- paste0("cex.", kind)
  cex <- or_else(style[[size]], graphics::par(size))
  font <- or_else(style[[paste0("font.", kind)]], graphics::par(paste0("font.", kind)))
  side <- if (name == "ylab") 2L else 1L
  region <- graphics::par("plt")[2L * side - 1:0]
  # titles are centred on the plot region
  space <- 2 * min(mean(region), 1 - mean(region)) * graphics::par("fin")[side] - 0.1
  fitted <- cex
  while (fitted > 0.6 * cex && max(graphics::strwidth(text, "inches", cex = fitted, font = font)) > space) {
    fitted <- fitted - 0.05 * cex
  }
  if (is.character(text)) text <- cut_to_width(text, space, cex = fitted, font = font)
  stats::setNames(list(text, fitted), c(name, size))
}

# Texts of at most `space` inches, but of four characters at least.
cut_to_width <- function(text, space, ...) {
  length <- max(4L, nchar(text))
  short <- text
  while (length > 4L && max(graphics::strwidth(short, "inches", ...)) > space) {
    length <- length - 1L
    short <- cut_text(text, length)
  }
  short
}

# A line of margin, in inches.
line_height <- function() graphics::par("cin")[2L] * graphics::par("cex") * graphics::par("mex")

# Every level when the lines fit, otherwise every k-th.
label_positions <- function(n, cex = 0.7) {
  lines <- max(5, floor(graphics::par("pin")[2L] / (cex * graphics::par("csi"))))
  seq.int(1L, n, by = max(1L, ceiling(n / lines)))
}

# A legend in one row between the panel and its title, smaller where the figure is narrow; `points`: size of its points,
# relative to the text.
legend_above <- function(legend, points = 1, ...) {
  width <- function(cex) {
    box <- graphics::legend("bottom", legend = legend, horiz = TRUE, bty = "n", cex = cex, text.width = NA,
      plot = FALSE, ...)$rect$w
    box / diff(graphics::par("usr")[1:2]) * graphics::par("pin")[1L]
  }
  cex <- 0.8
  # it is centred on the plot region
  region <- graphics::par("plt")[1:2]
  space <- 2 * min(mean(region), 1 - mean(region)) * graphics::par("fin")[1L]
  legend[-length(legend)] <- paste0(legend[-length(legend)], " ")
  while (cex > 0.4 && width(cex) > space) cex <- cex - 0.05
  graphics::legend("bottom", legend = legend, horiz = TRUE, bty = "n", cex = cex, inset = c(0, 1), xpd = NA,
    text.width = NA, pt.cex = points * cex, ...
  )
}

# Where the title of a panel with such a legend stands.
title_line <- 1.9

#' The axis of a panel whose rows are levels
#'
#' @param names Of the levels, in the order of their position.
#' @param longest Number of characters from which on they are cut.
#' @returns list(many: are there too many for names, at, labels, cex, margin: lines that the labels need, old: margins
#'   before) after the figure has been begun and its left margin been set, so that draw_frame() draws into it.
#' @noRd
begin_levels <- function(names, longest = 20L) {
  n <- length(names)
  many <- n > 200L
  # the figure is begun here, so that the labels can be measured before the margin is set
  graphics::plot.new()
  ranks <- pretty(c(1, n))
  cex <- if (many) 0.7 else fitting_size(n)
  at <- if (many) ranks[ranks >= 1 & ranks <= n] else label_positions(n, cex)
  labels <- if (many) big_number(at) else as.character(names)[at]
  labels <- cut_to_width(cut_text(labels, longest), 0.35 * graphics::par("fin")[1L], cex = cex)
  margin <- 2.5 + max(graphics::strwidth(labels, "inches", cex = cex)) / line_height()
  old <- graphics::par(mar = replace(graphics::par("mar"), 2L, margin), new = TRUE)
  list(many = many, at = at, labels = labels, cex = cex, margin = margin, old = old$mar)
}

# The largest size of text in which n lines fit into the panel, or the smallest that can be read.
fitting_size <- function(n) {
  sizes <- c(0.8, 0.7, 0.6, 0.5)
  fits <- n * sizes * graphics::par("csi") <= graphics::par("pin")[2L]
  if (any(fits)) sizes[fits][1L] else 0.6
}

# The names of the levels, unless the user has switched the axis off.
draw_levels <- function(axis, given) {
  shown <- isTRUE(or_else(given$axes, TRUE)) && !identical(given$yaxt, "n")
  if (!shown) {
    return(invisible())
  }
  graphics::axis(2L, at = axis$at, labels = axis$labels, las = 1L, tick = axis$many, cex.axis = axis$cex,
    mgp = c(3, if (axis$many) 0.7 else 0.4, 0)
  )
}

# Which of some texts to write at (x, y), in the order given, so that none covers an earlier one.
clear_texts <- function(x, y, texts, cex, side) {
  usr <- graphics::par("usr")
  width <- graphics::strwidth(texts, cex = cex)
  height <- rep_len(1.1 * graphics::strheight("M", cex = cex), length(texts))
  gap <- graphics::strwidth("n", cex = cex)
  x <- x + (side == 4L) * (width / 2 + gap) - (side == 2L) * (width / 2 + gap)
  y <- y + (side == 3L) * 1.2 * height - (side == 1L) * 1.2 * height
  clear <- rep(TRUE, length(texts))
  for (i in seq_along(texts)[-1L]) {
    before <- which(clear[seq_len(i - 1L)])
    clear[i] <- !any(abs(x[before] - x[i]) < (width[before] + width[i]) / 2 & abs(y[before] - y[i]) < height[i])
  }
  inside <- x - width / 2 > usr[1L] & x + width / 2 < usr[2L]
  clear & inside
}
