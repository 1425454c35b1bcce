# Panels of parameters with intervals, and of influence.

# One panel for each unit: standard deviations in the unit of the response, slopes, correlations.
varcomp_pieces <- function(table) {
  units <- unique(c("response", setdiff(table$unit, "correlation"), "correlation"))
  unname(split(table, factor(table$unit, levels = units), drop = TRUE))
}

# "Standard deviation (Reaction)", "Standard deviation of Days", "Correlation"
unit_text <- function(unit, response) {
  switch(unit, response = sprintf("Standard deviation (%s)", response), correlation = "Correlation",
    ratio = "Residual standard deviation over sigma", coefficient = "Coefficient of the log residual sd",
    sprintf("Standard deviation of %s", unit)
  )
}

# One section for each unit, with an axis of its own below.
draw_varcomp <- function(table, ...) {
  given <- list(...)
  response <- attr(table, "response")
  pieces <- varcomp_pieces(table)
  sizes <- vapply(pieces, nrow, 0L)
  axis <- begin_levels(unlist(lapply(pieces, function(piece) piece$label)), longest = 40L)
  on.exit(graphics::par(mar = axis$old))
  graphics::plot.new()
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  # a row takes a line of text, the axis below a section three; smaller text where that is too much
  line <- graphics::par("csi") / graphics::par("pin")[2L]
  needed <- line * (sum(sizes + 0.4) + 3 * (length(pieces) - 1L))
  cex <- max(0.4, min(0.8, 0.8 / needed))
  gap <- 3 * cex * line
  row <- (1 - gap * (length(pieces) - 1)) / sum(sizes + 0.4)
  top <- 1
  for (piece in pieces) {
    bottom <- top - row * (nrow(piece) + 0.4)
    draw_components(piece, unit_text(piece$unit[1L], response), top, bottom, cex, given)
    top <- bottom - gap
  }
  if (!isFALSE(given$ann)) draw_figure_title(or_else(given$main, attr(table, "labels")$title), given)
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

draw_components <- function(piece, title, top, bottom, cex, given) {
  n <- nrow(piece)
  ends <- if (piece$unit[1L] == "correlation") c(-1, 1)
  else range(0, piece$estimate, piece$lower, piece$upper, .Machine$double.xmin, na.rm = TRUE)
  limits <- grDevices::extendrange(ends, f = 0.04)
  at <- function(values) (values - limits[1L]) / diff(limits)
  height <- top - bottom
  y <- top - height * (seq_len(n) - 0.3) / (n + 0.4)
  graphics::segments(at(0), bottom, at(0), top, col = plot_colours[["guide"]], lty = 2L)
  colour <- or_else(given$col, plot_colours[["point"]])
  graphics::segments(at(piece$lower), y, at(piece$upper), y, col = colour, lwd = or_else(given$lwd, 2))
  graphics::points(at(piece$estimate), y, pch = or_else(given$pch, 16L), cex = or_else(given$cex, 1.4 * cex),
    col = colour
  )
  graphics::rect(0, bottom, 1, top, border = "#555555", xpd = NA)
  if (isFALSE(given$axes)) {
    return(invisible())
  }
  marks <- few_marks(limits, graphics::par("pin")[1L], along = TRUE)
  graphics::axis(1L, at = at(marks), labels = FALSE, pos = bottom, tcl = -0.3 * cex, lwd = 0, lwd.ticks = 1)
  line <- graphics::par("csi") / graphics::par("pin")[2L]
  graphics::text(at(marks), bottom - 0.95 * cex * line, mark_text(marks), cex = cex, xpd = NA)
  graphics::text(0.5, bottom - 2.1 * cex * line, title, cex = 1.1 * cex, xpd = NA)
  space <- 0.9 * graphics::par("mai")[2L]
  graphics::mtext(cut_to_width(piece$label, space, cex = cex), 2L, at = y, las = 1L, cex = cex * graphics::par("cex"),
    line = 0.4
  )
}

draw_influence <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  table <- table[!is.na(table$cooks.distance), , drop = FALSE]
  shown <- table[thinned_peaks(table$cooks.distance), , drop = FALSE]
  style <- list(xlab = texts$x, ylab = texts$y, main = texts$title, las = 1L, xlim = c(1, max(2, table$index)),
    ylim = c(0, 1.04 * max(table$cooks.distance, .Machine$double.xmin)), xaxt = "n"
  )
  draw_frame(numeric(), numeric(), style, ..., own_type = "n")
  if (!isFALSE(given$axes) && is.null(given$xaxt)) {
    marks <- pretty(style$xlim)
    graphics::axis(1L, at = marks, labels = big_number(marks))
  }
  if (!nrow(table)) {
    graphics::text(mean(graphics::par("usr")[1:2]), mean(graphics::par("usr")[3:4]), "No distance can be computed")
    return(invisible())
  }
  colour <- or_else(given$col, plot_colours[["point"]])
  graphics::segments(shown$index, 0, shown$index, shown$cooks.distance, col = colour, lwd = or_else(given$lwd, 1))
  top <- most_influential(table)
  graphics::points(top$index, top$cooks.distance, pch = or_else(given$pch, 16L), cex = or_else(given$cex, 0.8),
    col = plot_colours[["line"]]
  )
  side <- ifelse(top$index > mean(graphics::par("usr")[1:2]), 2L, 4L)
  names <- cut_text(top$deleted, 15L)
  clear <- clear_texts(top$index, top$cooks.distance, names, 0.75, side)
  if (any(clear)) {
    graphics::text(top$index[clear], top$cooks.distance[clear], names[clear], pos = side[clear], cex = 0.75)
  }
}

# Positions of at most 2000 values: the largest of each of as many neighbourhoods.
thinned_peaks <- function(values) {
  n <- length(values)
  if (n <= 2000L) {
    return(seq_len(n))
  }
  bin <- ((seq_len(n) - 1) * 2000) %/% n
  order <- order(bin, -values)
  sort(order[!duplicated(bin[order])])
}

# The five largest distances, the largest first.
most_influential <- function(table) {
  utils::head(table[order(-table$cooks.distance), , drop = FALSE], 5L)
}
