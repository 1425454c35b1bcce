# Pictures drawn with ggplot2: autoplot().
#
# Reads   pictures (plot-picture.R).
# Writes  objects of class `ggplot`, with a facet for each panel. The data and the axes of the plot are those of the
#         table, so that layers of the user have them; ours have their own.

#' Plots of a fit with ggplot2
#'
#' The plots of [plot.lmm()] as ggplot2 objects, from the same tables ([plot_data()]). The method is registered when
#' ggplot2 is loaded; this package does not need it otherwise.
#'
#' @name autoplot.lmm
#' @aliases autoplot.profile.lmm
#' @section Usage:
#' ```
#' ggplot2::autoplot(object, which = "residuals", level = 0.95, group = NULL, effect = NULL, show = NULL, ...)
#' ggplot2::autoplot(profile, level = 0.95, ...)
#' ```
#' @section Arguments:
#'   `object` is an object of class `lmm`, `profile` one of class `profile.lmm`; `which`, `level`, `group`, `effect`
#'   and `show` are as for [plot.lmm()]. No other argument is known: change the result with ggplot2's functions.
#' @section Value:
#'   An object of class `ggplot`, with a facet for each panel. A named list of them if `which` has several elements,
#'   or if `"shrinkage"` has to show factors whose axes differ: with one effect and with two, with few levels and with
#'   more than 60.
#'
#'   Large data are drawn as by [plot.lmm()]: counts in cells, thinned quantiles and names, ranks as axis.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_error_package` where ggplot2 is older than 3.4.0.
#' @examples
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#'   p <- ggplot2::autoplot(fit, which = "caterpillar")
#'   print(nrow(p$data)) # 27
#'   p + ggplot2::labs(title = "Children")
#' }
NULL

autoplot_lmm <- function(object, which = "residuals", level = 0.95, group = NULL, effect = NULL, show = NULL, ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  which <- choose_several(which, plot_kinds, "which", call)
  options <- check_plot_options(object, level, group, effect, show, call)
  check_ggplot2(call)
  plots <- lapply(stats::setNames(which, which), function(one) {
    ggplots_of(pictures_of(plot_table(object, one, options), one))
  })
  if (length(plots) == 1L) plots[[1L]] else plots
}

autoplot_profile <- function(object, level = 0.95, ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_level(level, call)
  check_ggplot2(call)
  ggplot_of(profile_picture(profile_texts(as.data.frame.profile.lmm(object), level)))
}

# The argument `linewidth` came with 3.4.0.
check_ggplot2 <- function(call) {
  version <- utils::packageVersion("ggplot2")
  if (version >= "3.4.0") {
    return(invisible())
  }
  abort_ferrite("package", "`autoplot()` must have ggplot2 3.4.0 or newer.", sprintf("It is %s.", version),
    hint = "Use `plot()`, or update ggplot2.", call = call
  )
}

# One plot, or a list of several by their names.
ggplots_of <- function(pictures) {
  plots <- lapply(pictures, ggplot_of)
  if (length(plots) == 1L) plots[[1L]] else stats::setNames(plots, vapply(pictures, `[[`, "", "name"))
}

# aes() of columns by their names.
aes_of <- function(...) do.call(ggplot2::aes, lapply(list(...), as.name))

ggplot_of <- function(picture) {
  panels <- picture$panels
  names <- vapply(panels, `[[`, "", "name")
  if (picture$layout == "grid") names <- cut_text(names, 25L)
  in_rows <- !is.null(panels[[1L]]$rows)
  limited <- isTRUE(panels[[1L]]$limited)
  together <- function(parts) rows_of_panels(parts, names, in_rows)
  texts <- list(title = picture$title, x = picture$x, y = if (!in_rows) picture$y)
  outside <- sum(vapply(panels, function(panel) or_else(panel$outside, 0L), 0L))
  plot <- ggplot2::ggplot(together(lapply(panels, `[[`, "data")), do.call(aes_of, as.list(picture$mapping))) +
    do.call(ggplot2::labs, c(texts, list(subtitle = picture$subtitle, caption = outside_text(outside)))) + gg_theme() +
    gg_layers(panels, together, limited) + gg_reach(panels, together) +
    gg_legend(unlist(lapply(panels, `[[`, "layers"), recursive = FALSE), panels[[1L]]$keys, picture$legend)
  if (in_rows) plot <- plot + gg_rows(panels, names)
  plot + gg_facets(picture, panels) + gg_marks(picture, panels) + gg_limits(panels, limited)
}

# Tables of panels below each other, with their panel; in rows the place of each as a factor whose levels differ between
# panels, so that the axis of each has its own names.
rows_of_panels <- function(parts, names, in_rows) {
  sizes <- vapply(parts, NROW, 0L)
  full <- sizes > 0L
  all <- do.call(rbind, unname(parts[full]))
  if (is.null(all)) return(NULL)
  all$panel <- factor(rep(names[full], sizes[full]), names)
  place <- or_else(all[["y"]], all[["position"]])
  if (in_rows && !is.null(place)) {
    keys <- paste(as.integer(all$panel), place)
    all$key <- factor(keys, unique(keys[order(all$panel, place)]))
  }
  all
}

# The layers of all panels: those of one place and kind are one layer. Looks that differ between panels are vectors.
gg_layers <- function(panels, together, limited) {
  labelled <- lapply(panels, function(panel) {
    kinds <- vapply(panel$layers, function(one) paste(one$kind, or_else(one$look$key, "")), "")
    stats::setNames(panel$layers, make.unique(kinds))
  })
  order <- unique(unlist(lapply(labelled, names)))
  lapply(order, function(id) {
    own <- lapply(labelled, `[[`, id)
    found <- Filter(Negate(is.null), own)
    data <- together(Map(function(one, panel) {
      if (!is.null(one)) within_limits(one, if (isTRUE(panel$limited) && length(panels) > 1L) panel)
    }, own, panels))
    if (is.null(data)) return(NULL)
    panel <- as.integer(data$panel)
    look <- stats::setNames(lapply(names(found[[1L]]$look), function(name) {
      values <- lapply(own, function(one) one$look[[name]])
      if (name %in% c("takes", "key")) return(found[[1L]]$look[[name]])
      if (length(unique(Filter(Negate(is.null), values))) == 1L) return(found[[1L]]$look[[name]])
      values[vapply(values, is.null, NA)] <- NA
      unlist(values)[panel]
    }), names(found[[1L]]$look))
    gg_layer(found[[1L]]$kind, data, look)
  })
}

# What lies within the axes of a panel that does not show all: points are left out, arrows and lines end at the axes.
within_limits <- function(layer, panel) {
  data <- layer$data
  if (is.null(panel) || is.null(data$x)) return(data)
  inside <- function(x) pmin(pmax(x, panel$xlim[1L]), panel$xlim[2L])
  if (is.null(data$xend)) return(data[data$x == inside(data$x), , drop = FALSE])
  data$x <- inside(data$x)
  data$xend <- inside(data$xend)
  data
}

# A layer of ggplot2; widths and sizes are those of base graphics in its units.
gg_layer <- function(kind, data, look) {
  in_rows <- !is.null(data$key)
  y <- if (in_rows) "key" else "y"
  colour <- list(colour = look$col)
  mapped <- character()
  if (!is.null(look$key) && kind != "rects") {
    data$what <- look$key
    mapped <- c(colour = "what")
    colour <- list()
  }
  width <- list(linewidth = 0.42 * or_else(look$lwd, 1), linetype = or_else(look$lty, 1L))
  alpha <- list(alpha = or_else(look$alpha, 1))
  draw <- function(geom, axes, ..., more = list()) {
    mapping <- do.call(aes_of, as.list(c(axes, mapped)))
    do.call(geom, c(list(mapping = mapping, data = data), if (kind != "rule") list(inherit.aes = FALSE), colour, more,
      list(...)))
  }
  size <- list(size = 1.9 * look$cex)
  switch(kind,
    points = draw(ggplot2::geom_point, c(x = "x", y = y), shape = look$pch, more = c(size, alpha)),
    line = draw(ggplot2::geom_line, c(x = "x", y = "y", if (!is.null(data$part)) c(group = "part")), more = width),
    segments = draw(ggplot2::geom_segment, c(x = "x", y = y, xend = "xend", yend = if (in_rows) "key" else "yend"),
      more = c(width, alpha)),
    arrows = draw(ggplot2::geom_segment, c(x = "x", y = y, xend = "xend", yend = if (in_rows) "key" else "yend"),
      more = width, arrow = ggplot2::arrow(length = ggplot2::unit(0.12, "cm"))),
    rule = gg_rule(draw, data, width),
    intervals = draw(ggplot2::geom_linerange, c(xmin = "xmin", xmax = "xmax", y = y), more = c(width, alpha)),
    ticks = draw(ggplot2::geom_point, c(x = "x", y = y), shape = "|", size = 4),
    boxes = draw(ggplot2::geom_boxplot, c(xmin = "lower", xlower = "q1", xmiddle = "median", xupper = "q3",
      xmax = "upper", y = y, group = y), stat = "identity", orientation = "y", fill = look$fill, width = 0.7),
    ribbon = draw(ggplot2::geom_ribbon, c(x = "x", ymin = "ymin", ymax = "ymax"), fill = look$fill),
    rects = draw(ggplot2::geom_rect, c(xmin = "xmin", xmax = "xmax", ymin = "ymin", ymax = "ymax"), fill = look$fill,
      linewidth = 0.3),
    cells = gg_cells(data),
    names = gg_names(data, y, look),
    note = draw(ggplot2::geom_text, c(x = "x", y = "y", label = "label"), size = 3.5, vjust = -1)
  )
}

gg_rule <- function(draw, data, width) {
  if (!is.null(data$h)) return(draw(ggplot2::geom_hline, c(yintercept = "h"), more = width, key_glyph = "path"))
  if (!is.null(data$v)) return(draw(ggplot2::geom_vline, c(xintercept = "v"), more = width, key_glyph = "path"))
  draw(ggplot2::geom_abline, c(slope = "slope", intercept = "intercept"), more = width, key_glyph = "path")
}

gg_names <- function(data, y, look) {
  data$across <- c(0.5, 1, 0.5, 0)[data$side]
  data$label <- paste0("  ", data$label, "  ")
  data$along <- c(1.5, 0.5, -0.7, 0.5)[data$side]
  ggplot2::geom_text(aes_of(x = "x", y = y, label = "label", hjust = "across", vjust = "along"), data,
    inherit.aes = FALSE, size = 4 * look$cex, colour = look$col, check_overlap = TRUE
  )
}

gg_cells <- function(cells) {
  highest <- max(2, cells$count)
  list(
    ggplot2::geom_tile(aes_of(x = "x", y = "y", fill = "count", width = "width", height = "height"), cells,
      inherit.aes = FALSE
    ),
    ggplot2::scale_fill_gradientn("Points per cell", colours = shades, trans = "log10",
      breaks = 10^seq(0, floor(log10(highest))), limits = c(1, highest)
    ),
    ggplot2::theme(legend.key.height = ggplot2::unit(0.3, "cm"), legend.key.width = ggplot2::unit(1.2, "cm"))
  )
}

# One legend for all keys, but for those of areas.
gg_legend <- function(layers, first, title) {
  legend <- legend_of(Filter(function(one) one$kind != "rects", layers), first)
  if (!length(legend$key)) return(NULL)
  looks <- list(
    shape = legend$pch, linetype = ifelse(is.na(legend$lty), 0, legend$lty), linewidth = 0.42 * legend$lwd,
    size = 1.8, alpha = 1
  )
  ggplot2::scale_colour_manual(title, values = stats::setNames(legend$col, legend$key), breaks = legend$key,
    guide = ggplot2::guide_legend(override.aes = looks, nrow = if (length(legend$key) <= 4L) 1L)
  )
}

# The axes contain the limits of their panels, but not where axes show less than all.
gg_reach <- function(panels, together) {
  ends <- lapply(panels, function(panel) {
    if (isTRUE(panel$limited)) return(NULL)
    y <- if (is.null(panel$rows)) or_else(panel$ylim, NA_real_) else 1
    data <- data.frame(x = or_else(panel$xlim, NA_real_), y = y)
    data[!is.na(data$x) & !is.na(data$y), , drop = FALSE]
  })
  data <- together(ends)
  if (!is.null(data)) {
    ggplot2::geom_blank(aes_of(x = "x", y = if (is.null(data$key)) "y" else "key"), data, inherit.aes = FALSE)
  }
}

gg_facets <- function(picture, panels) {
  if (picture$layout == "sections") {
    blank <- ggplot2::element_blank()
    return(list(
      ggplot2::facet_wrap("panel", ncol = 1L, scales = "free", strip.position = "bottom"),
      ggplot2::theme(strip.placement = "outside", strip.background = blank, panel.grid.major.y = blank)
    ))
  }
  if (length(panels) > 1L || isTRUE(picture$strips)) ggplot2::facet_wrap("panel", scales = picture$scales)
}

# Marks of the x-axis: the panel's own; with several panels few, so that those of neighbours do not meet.
gg_marks <- function(picture, panels) {
  marks <- panels[[1L]]$marks
  if (is.null(marks)) {
    return(if (length(panels) > 1L && picture$layout != "sections") gg_sparse_x(if (length(panels) > 2L) 3L else 4L))
  }
  if (!isTRUE(marks$names)) {
    return(ggplot2::scale_x_continuous(breaks = marks$at, labels = or_else(marks$labels, ggplot2::waiver())))
  }
  shown <- seq.int(1L, length(marks$at), by = max(1L, ceiling(length(marks$at) / 40)))
  labels <- cut_text(as.character(marks$labels)[shown], 15L)
  list(
    ggplot2::scale_x_continuous(breaks = marks$at[shown], labels = labels),
    ggplot2::theme(panel.grid.major.x = ggplot2::element_blank()),
    if (length(marks$at) > 8L || sum(nchar(labels)) > 60L) {
      ggplot2::theme(axis.text.x = ggplot2::element_text(angle = 90, hjust = 1, vjust = 0.5))
    }
  )
}

gg_limits <- function(panels, limited) {
  if (limited && length(panels) == 1L) ggplot2::coord_cartesian(xlim = panels[[1L]]$xlim, ylim = panels[[1L]]$ylim)
}

outside_text <- function(count) {
  if (count) sprintf("%s without pooling outside of the axes", counted(count, "estimate"))
}

gg_theme <- function() {
  ggplot2::theme_bw() + ggplot2::theme(
    panel.grid.minor = ggplot2::element_blank(), plot.margin = ggplot2::margin(5.5, 12, 5.5, 5.5),
    legend.position = "top",
    legend.margin = ggplot2::margin(0, 0, 0, 0), strip.background = ggplot2::element_rect(fill = "#E8E8E8", colour = NA)
  )
}

# The names of the rows of all panels.
gg_rows <- function(panels, names) {
  sizes <- vapply(panels, function(panel) length(panel$rows), 0L)
  panel <- rep(seq_along(panels), sizes)
  blank <- ggplot2::element_blank()
  list(
    gg_levels(paste(panel, sequence(sizes)), unlist(lapply(panels, function(one) as.character(one$rows))), panel,
      max(vapply(panels, function(one) or_else(one$longest, 25L), 0L))),
    ggplot2::labs(y = NULL),
    # lines of a grid for each of very many levels would cover the panel
    if (any(sizes > 40L)) ggplot2::theme(panel.grid.major.y = blank)
  )
}

#' A discrete axis of levels with a free scale for each facet
#'
#' @param keys Unique keys of the levels of all panels, sorted within each.
#' @param names What to write for each of them.
#' @param panel Panel of each of them. In panels of more than 200 levels ranks are written.
#' @param longest Number of characters from which on names are cut.
#' @noRd
gg_levels <- function(keys, names, panel, longest) {
  size <- tabulate(panel)[panel]
  rank <- stats::ave(seq_along(keys), as.character(panel), FUN = seq_along)
  texts <- ifelse(size > 200L, big_number(rank), cut_text(names, longest))
  # layers that lack some of the levels must not change their order
  ggplot2::scale_y_discrete(
    limits = function(limits) keys[keys %in% limits],
    breaks = function(limits) limits[shown_ranks(length(limits))],
    labels = function(breaks) texts[match(breaks, keys)]
  )
}

# Round numbers that keep away from the ends, so that those of neighbouring facets do not meet.
gg_sparse_x <- function(n = 4L) {
  ggplot2::scale_x_continuous(breaks = function(limits) {
    marks <- pretty(limits, n)
    marks[marks > limits[1L] + 0.04 * diff(limits) & marks < limits[2L] - 0.04 * diff(limits)]
  })
}

# At most 40 names, or round ranks of more than 200.
shown_ranks <- function(n) {
  if (n <= 200L) {
    return(seq.int(1L, max(n, 1L), by = max(1L, ceiling(n / 40))))
  }
  ranks <- pretty(c(1, n))
  ranks[ranks >= 1 & ranks <= n]
}
