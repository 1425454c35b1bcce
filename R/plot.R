#' Plots of a fit
#'
#' Base graphics, in colours that colour-blind readers can tell apart and that survive printing in grey.
#'
#' @param x An object of class `lmm`.
#' @param which One or more of `"residuals"` (scaled residuals against fitted values, with a running mean),
#'   `"qq"` (normal quantile plot of the scaled residuals) and `"caterpillar"` (random effects with intervals, sorted;
#'   one panel per effect). Default: the first two side by side.
#' @param level Coverage of the intervals of the caterpillar plot.
#' @param ask `TRUE`: wait before a new page. Default: when the pages do not fit on the device and somebody is there.
#' @param ... Graphical parameters such as `main`, `xlab`, `pch`, `cex`, passed to the plots. Any other argument is an
#'   error.
#' @returns The tables that were drawn, invisibly: see [plot_data()].
#' @details
#' The line in the quantile plot goes through the quartiles. Its slope is usually below one: residuals are taken after
#' the random effects have absorbed a part of the errors.
#'
#' With many groups the caterpillar plot leaves out the names of the levels that would overlap, and with more than about
#' 200 the intervals become a band of thin lines over the rank of the level. Titles that are wider than their panel
#' are made smaller.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' plot(fit)
#' plot(fit, which = "caterpillar")
#' @export
plot.lmm <- function(x, which = c("residuals", "qq"), level = 0.95, ask = NULL, ...) {
  call <- method_call()
  which <- choose_several(which, c("residuals", "qq", "caterpillar"), "which", call)
  check_level(level, call)
  if (!is.null(ask)) check_flag(ask, "ask", call, "argument")
  check_graphical(list(...), call)
  tables <- lapply(stats::setNames(which, which), function(one) plot_data(x, one, level = level))
  panels <- unlist(lapply(which, function(one) panels_of(tables[[one]], one)), recursive = FALSE)
  free <- prod(graphics::par("mfrow"))
  if (free == 1L && length(panels) > 1L) {
    old <- graphics::par(mfrow = grid_size(min(length(panels), 6L)))
    on.exit(graphics::par(old), add = TRUE)
    free <- prod(graphics::par("mfrow"))
  }
  if (is.null(ask)) ask <- length(panels) > free && grDevices::dev.interactive()
  if (ask) {
    asked <- grDevices::devAskNewPage(TRUE)
    on.exit(grDevices::devAskNewPage(asked), add = TRUE)
  }
  for (panel in panels) panel(...)
  invisible(if (length(tables) == 1L) tables[[1L]] else tables)
}

# What plot.default() and par() know and a panel can use.
graphical_names <- c(
  "adj", "ann", "asp", "axes", "bg", "bty", "cex", "cex.axis", "cex.lab", "cex.main", "cex.sub", "col", "col.axis",
  "col.lab", "col.main", "col.sub", "family", "fg", "font", "font.axis", "font.lab", "font.main", "font.sub",
  "frame.plot", "lab", "las", "lend", "log", "lty", "lwd", "main", "mgp", "panel.first", "panel.last", "pch", "sub",
  "tck", "tcl", "type", "xaxp", "xaxs", "xaxt", "xlab", "xlim", "xpd", "yaxp", "yaxs", "yaxt", "ylab", "ylim"
)

check_graphical <- function(given, call) {
  names <- or_else(names(given), rep("", length(given)))
  unknown <- setdiff(names, graphical_names)
  if (!length(unknown)) {
    return(invisible())
  }
  shown <- if (all(unknown == "")) "an argument without a name" else quoted_list(unknown[unknown != ""])
  near <- similar_names(unknown[1L], c("which", "level", "ask", graphical_names))
  abort_ferrite("argument", "Every argument of `plot()` must be one that it knows, or a graphical parameter.",
    sprintf("It does not know %s.", shown),
    hint = if (length(near)) sprintf("Did you mean `%s`?", near[1L]) else "See `?plot.lmm`.", call = call
  )
}

# Rows and columns for at most six panels; the longer side of the device gets more of them.
grid_size <- function(n, device = graphics::par("din")) {
  rows <- if (n <= 2L) 1L else if (n <= 4L || device[1L] > device[2L]) 2L else 3L
  c(rows, ceiling(n / rows))
}

# A table as a list of functions that draw one panel each.
panels_of <- function(table, which) {
  draw <- switch(which, residuals = draw_residuals, qq = draw_qq, caterpillar = draw_caterpillar)
  if (which != "caterpillar") {
    return(list(function(...) draw(table, ...)))
  }
  effect <- paste(table$grpvar, table$term, sep = "\r")
  lapply(unname(split(table, factor(effect, levels = unique(effect)))), function(piece) {
    function(...) draw(piece, attr(table, "level"), ...)
  })
}
