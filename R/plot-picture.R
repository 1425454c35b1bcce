# A picture of a table of plot_data(), said once: its panels, and what is laid over what in each. Two renderers draw it:
# plot-base.R and plot-ggplot.R.
#
# Reads   tables as plot_data() describes them.
# Writes  pictures_of(): a list of pictures, several where a plot has panels of different kinds.
#   picture  list(panels, title, x, y, mapping, layout, scales, legend): `mapping` are the columns of the panels' data
#            that stand on the axes, `scales` says which axes are free in facets, as in ggplot2; `layout` is "pages" (a
#            panel is a plot of its own), "grid" (small panels with common axes, in one plot) or "sections" (panels of
#            rows below each other, in one plot)
#   panel    list(name, title, x, y, xlim, ylim, data, layers, rows, marks, keys, outside, limited): `rows` are the
#            names of what stands at 1, 2, ... on the y-axis, marks = list(at, labels) those of the x-axis, `keys` the
#            first of the legend; `outside` counts the estimates that `limited` axes do not show
#   layer    list(kind, data, look): data frames with x, y and what else the kind needs; the look in the words of base
#            graphics (col, alpha, pch, cex, lwd, lty, fill), `key`, its text in a legend, and `takes`, which graphical
#            parameters of the user replace it
# Kinds: points, line, segments, arrows, rule (h, v, or slope and intercept), intervals, ticks and boxes (in rows),
# ribbon, rects, cells (counts as shades), names (left out where they would cover each other), note.

# The pictures of a table.
pictures_of <- function(table, which) {
  switch(which,
    residuals = list(residuals_picture(table)),
    scale = list(scale_picture(table)),
    qq = list(qq_picture(table)),
    by_group = list(by_group_picture(table)),
    ranef_qq = list(ranef_qq_picture(table)),
    caterpillar = list(caterpillar_picture(table)),
    shrinkage = shrinkage_pictures(table),
    observed = list(observed_picture(table)),
    varcomp = list(varcomp_picture(table)),
    profile = list(profile_picture(table)),
    influence = list(influence_picture(table)),
    strata = list(strata_picture(table)),
    acf = list(acf_picture(table))
  )
}

#' @param table Its texts are those of the picture.
#' @param panels List of panels.
#' @param mapping Columns of the data of the panels: `c(x = , y = )`.
#' @noRd
picture <- function(table, panels, mapping, ..., layout = "pages", scales = "fixed",
                    title = attr(table, "labels")$title) {
  texts <- attr(table, "labels")
  utils::modifyList(
    list(panels = panels, title = title, x = texts$x, y = texts$y, mapping = mapping, layout = layout, scales = scales),
    list(...), keep.null = TRUE
  )
}

# A panel with the texts of the table, unless it has its own. Limits that are not given are those of points.
panel <- function(table, layers, data, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  layers <- layers[lengths(layers) > 0L]
  all <- utils::modifyList(list(name = texts$title, title = texts$title, x = texts$x, y = texts$y), given)
  c(all, list(layers = layers, data = data))
}

layer <- function(kind, data, col = plot_colours[["point"]], ..., key = NULL, takes = character()) {
  if (nrow(data)) list(kind = kind, data = data, look = list(col = col, ..., key = key, takes = takes))
}

# Points that stay readable when there are very many of them in a panel.
points_layer <- function(x, y, n = length(x), ...) {
  crowded <- n > 2000L
  layer("points", data.frame(x = x, y = y), alpha = if (crowded) 0.3 else 0.8, pch = if (crowded) 16L else 1L,
    cex = if (crowded) 0.5 else 0.8, takes = c("pch", "cex", "col", "bg", "lwd", "type"), ...
  )
}

rule_layer <- function(h = NULL, v = NULL, slope = NULL, intercept = NULL, col = plot_colours[["guide"]], lty = 2L,
                       lwd = 1, ...) {
  data <- if (!is.null(h)) data.frame(h = h) else if (!is.null(v)) data.frame(v = v)
  else data.frame(slope = slope, intercept = intercept)
  layer("rule", data, col = col, lty = lty, lwd = lwd, ...)
}

# Names beside points: `side` is 1 (below), 2 (left), 3 (above) or 4 (right), as in text().
names_layer <- function(x, y, label, side, cex = 0.7, col = "black") {
  layer("names", data.frame(x = x, y = y, label = as.character(label), side = as.integer(side)), col = col, cex = cex)
}

# A text in the middle of a panel that has nothing else to say.
note_layer <- function(x, y, label) layer("note", data.frame(x = x, y = y, label = label), col = "black", cex = 0.9)

# The legend of layers: list(key, col, pch, lty, lwd), with an element for each key; those of `first` in that order
# before the others.
legend_of <- function(layers, first = NULL) {
  keyed <- Filter(function(one) !is.null(one$look$key), layers)
  keys <- unique(vapply(keyed, function(one) one$look$key, ""))
  keys <- c(intersect(first, keys), setdiff(keys, first))
  none <- rep(NA_integer_, length(keys))
  legend <- list(key = keys, col = character(length(keys)), pch = none, lty = none, lwd = rep(1, length(keys)))
  for (one in keyed) {
    k <- match(one$look$key, keys)
    legend$col[k] <- if (one$kind == "rects") one$look$fill else one$look$col
    if (one$kind %in% c("points", "rects")) {
      legend$pch[k] <- if (one$kind == "rects") 15L else one$look$pch
    } else {
      legend$lty[k] <- or_else(one$look$lty, 1L)
      legend$lwd[k] <- or_else(one$look$lwd, 1)
    }
  }
  legend
}

# Pieces in the order in which they come.
split_in_order <- function(table, by) split(table, factor(by, levels = unique(by)))

# Okabe and Ito's palette: distinguishable with every kind of colour vision. Shapes and line types say the same as
# colours do, for prints in grey.
plot_colours <- c(point = "#0072B2", line = "#D55E00", guide = "#767676")

series_colours <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

# Texts that are too long ----------------------------------------------------------------------------------------------

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

# Thinning -------------------------------------------------------------------------------------------------------------

# Above this number of points a panel counts them in cells.
crowd_size <- 20000L

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

# Of n sorted values those to draw: all up to 5000; of more the 500 on each side and 1000 at equal steps between.
thinned_ranks <- function(n) {
  if (n <= 5000L) {
    return(seq_len(n))
  }
  unique(c(seq_len(500L), round(seq(501, n - 500, length.out = 1000L)), seq.int(n - 499L, n)))
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
