# What all panels share: colours, points, titles that fit, legends, margins for names.

# Okabe and Ito's palette: distinguishable with every kind of colour vision. Shapes and line types say the same as
# colours do, for prints in grey.
plot_colours <- c(point = "#0072B2", line = "#D55E00", guide = "#767676")

series_colours <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

# Points that stay readable when there are very many.
point_style <- function(n) {
  crowded <- n > 2000L
  colour <- grDevices::adjustcolor(plot_colours[["point"]], if (crowded) 0.3 else 0.8)
  list(pch = if (crowded) 16L else 1L, cex = if (crowded) 0.5 else 0.8, col = colour, las = 1L)
}

# The points with axes and titles; arguments of the user win over ours, except the type of a panel that draws its own.
draw_frame <- function(x, y, ours, ..., own_type = NULL, y_line = NA, main_line = NA) {
  given <- list(...)
  style <- c(ours[setdiff(names(ours), names(given))], given)
  style$type <- or_else(own_type, given$type)
  titles <- intersect(c("main", "sub", "xlab", "ylab"), names(style))
  if (is.null(given$las)) style$las <- fitting_las(or_else(style$ylim, y))
  plotted <- style[setdiff(names(style), c(titles, "ann"))]
  do.call(graphics::plot, c(list(x = x, y = y, ann = FALSE), plotted))
  if (!isFALSE(style$ann)) draw_titles(style, y_line, main_line)
  invisible()
}

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

# Texts of at most `length` characters, cut in the middle. Texts that differ still do: where those of one beginning and
# end would not, more of the beginning or of the end is kept, or only what is not common to all, or they are numbered.
cut_text <- function(text, length) {
  all <- unique(text)
  if (!any(nchar(all) > length)) return(text)
  for (share in c(1 / 2, 3 / 4, 1 / 4, 1, 0)) {
    short <- cut_middle(all, length, share)
    if (!anyDuplicated(short)) break
  }
  if (anyDuplicated(short)) {
    core <- without_common(all, nchar(all) > length)
    if (all(nchar(core) <= length)) return(core[match(text, all)])
    short <- cut_middle(all, length, 1 / 2)
    alike <- which(short %in% short[duplicated(short)])
    number <- paste0("~", seq_along(alike))
    short[alike] <- paste0(substr(all[alike], 1L, pmax(1L, length - nchar(number))), number)
  }
  short[match(text, all)]
}

# Long texts with dots for the beginning and the end that they have in common.
without_common <- function(text, long) {
  letters <- strsplit(text[long], "")
  common <- function(letters) {
    most <- min(lengths(letters))
    first <- letters[[1L]][seq_len(most)]
    same <- Reduce(`&`, lapply(letters, function(one) one[seq_len(most)] == first))
    match(FALSE, same, most + 1L) - 1L
  }
  head <- common(letters)
  tail <- min(common(lapply(letters, rev)), min(lengths(letters)) - head)
  text[long] <- paste0("...", substr(text[long], head + 1L, nchar(text[long]) - tail), if (tail) "...")
  text
}

# The first and the last characters around dots; `share` of those that stay are the first.
cut_middle <- function(text, length, share) {
  size <- nchar(text)
  long <- which(size > length)
  stay <- max(1L, length - 3L)
  first <- max(1L, round(share * stay))
  last <- stay - first
  text[long] <- paste0(substr(text[long], 1L, first), "...", substr(text[long], size[long] - last + 1L, size[long]))
  text
}

# A line of margin, in inches.
line_height <- function() graphics::par("cin")[2L] * graphics::par("cex") * graphics::par("mex")

# Every level when the lines fit, otherwise every k-th.
label_positions <- function(n, cex = 0.7) {
  lines <- max(5, floor(graphics::par("pin")[2L] / (cex * graphics::par("csi"))))
  seq.int(1L, n, by = max(1L, ceiling(n / lines)))
}

# A legend in one row between the panel and its title, smaller where the figure is narrow.
legend_above <- function(legend, ...) {
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
    text.width = NA, ...
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
draw_levels <- function(axis, ...) {
  given <- list(...)
  shown <- isTRUE(or_else(given$axes, TRUE)) && !identical(given$yaxt, "n")
  if (!shown) {
    return(invisible())
  }
  graphics::axis(2L, at = axis$at, labels = axis$labels, las = 1L, tick = axis$many, cex.axis = axis$cex,
    mgp = c(3, if (axis$many) 0.7 else 0.4, 0)
  )
}

# What draw_frame() needs for such a panel.
level_style <- function(axis, group, n) {
  list(ylab = paste0(group, if (axis$many) " (rank)"), yaxt = "n", las = 1L, ylim = c(0.5, n + 0.5))
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
