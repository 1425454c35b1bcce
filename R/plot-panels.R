# One panel of a plot each: points, lines, and titles that fit.

# Okabe and Ito's palette: distinguishable with every kind of colour vision.
plot_colours <- c(point = "#0072B2", line = "#D55E00", guide = "#767676")

draw_residuals <- function(table, ...) {
  labels <- list(xlab = "Fitted value", ylab = "Scaled residual", main = "Residuals against fitted values")
  draw_frame(table$fitted, table$residual, c(labels, point_style(nrow(table))), ...)
  graphics::abline(h = 0, col = plot_colours[["guide"]], lty = 2L)
  order <- order(table$fitted)
  graphics::lines(table$fitted[order], table$trend[order], col = plot_colours[["line"]], lwd = 2)
}

draw_qq <- function(table, ...) {
  labels <- list(xlab = "Standard normal quantile", ylab = "Scaled residual", main = "Normal quantile plot")
  draw_frame(table$theoretical, table$residual, c(labels, point_style(nrow(table))), ...)
  graphics::lines(table$theoretical, table$line, col = plot_colours[["guide"]], lty = 2L)
}

draw_caterpillar <- function(table, level, ...) {
  n <- nrow(table)
  given <- list(...)
  many <- n > 200L
  # the figure is begun here, so that the labels can be measured before the margin is set
  graphics::plot.new()
  ranks <- pretty(c(1, n))
  at <- if (many) ranks[ranks >= 1 & ranks <= n] else label_positions(n)
  labels <- if (many) format(at, big.mark = ",", trim = TRUE) else as.character(table$grp)[match(at, table$position)]
  labels <- cut_to_width(cut_text(labels, 20L), 0.35 * graphics::par("fin")[1L], cex = 0.7)
  margin <- 3 + max(graphics::strwidth(labels, "inches", cex = 0.7)) / line_height()
  old <- graphics::par(mar = replace(graphics::par("mar"), 2L, margin), new = TRUE)
  on.exit(graphics::par(mar = old$mar))
  style <- list(
    xlab = sprintf("Random effect with %g %% interval", 100 * level), main = paste(table$grpvar[1L], table$term[1L]),
    ylab = paste0(table$grpvar[1L], if (many) " (rank)"), yaxt = "n", las = 1L,
    xlim = range(table$lower, table$upper, 0), ylim = c(0.5, n + 0.5)
  )
  draw_frame(table$condval, table$position, style, ..., type = "n", y_line = margin - 1.5)
  graphics::abline(v = 0, col = plot_colours[["guide"]], lty = 2L)
  graphics::segments(table$lower, table$position, table$upper, table$position,
    col = or_else(given$col, grDevices::adjustcolor(plot_colours[["point"]], if (many) 0.35 else 1)),
    lwd = or_else(given$lwd, if (many) 0.5 else 1.5), lty = or_else(given$lty, 1L)
  )
  graphics::points(table$condval, table$position, pch = or_else(given$pch, 16L),
    cex = or_else(given$cex, if (many) 0.3 else 0.8),
    col = or_else(given$col, plot_colours[[if (many) "line" else "point"]])
  )
  shown <- isTRUE(or_else(given$axes, TRUE)) && !identical(given$yaxt, "n")
  if (shown) graphics::axis(2L, at = at, labels = labels, las = 1L, tick = many, cex.axis = 0.7)
}

# Points that stay readable when there are very many.
point_style <- function(n) {
  crowded <- n > 2000L
  colour <- grDevices::adjustcolor(plot_colours[["point"]], if (crowded) 0.3 else 0.8)
  list(pch = if (crowded) 16L else 1L, cex = if (crowded) 0.5 else 0.8, col = colour, las = 1L)
}

# The points with axes and titles; arguments of the user win over ours, except the type of a panel that draws its own.
draw_frame <- function(x, y, ours, ..., type = NULL, y_line = NA) {
  given <- list(...)
  style <- c(ours[setdiff(names(ours), names(given))], given)
  style$type <- or_else(type, given$type)
  titles <- intersect(c("main", "sub", "xlab", "ylab"), names(style))
  plotted <- style[setdiff(names(style), c(titles, "ann"))]
  do.call(graphics::plot, c(list(x = x, y = y, ann = FALSE), plotted))
  if (isFALSE(style$ann)) {
    return(invisible())
  }
  looks <- style[grep("^(col|font)[.](main|sub|lab)$|^(family|adj|mgp|xpd)$", names(style))]
  for (name in titles[lengths(style[titles]) > 0L]) {
    line <- if (name == "ylab") y_line else NA
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
  while (length > 4L && max(graphics::strwidth(text, "inches", ...)) > space) {
    length <- length - 1L
    text <- cut_text(text, length)
  }
  text
}

cut_text <- function(text, length) {
  long <- nchar(text) > length
  text[long] <- paste0(substr(text[long], 1L, pmax(1L, length - 3L)), "...")
  text
}

# A line of margin, in inches.
line_height <- function() graphics::par("cin")[2L] * graphics::par("cex") * graphics::par("mex")

# Every level when the lines fit, otherwise every k-th.
label_positions <- function(n) {
  lines <- max(5, floor(graphics::par("pin")[2L] / (0.75 * graphics::par("csi"))))
  seq.int(1L, n, by = max(1L, ceiling(n / lines)))
}
