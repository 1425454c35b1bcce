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
#' @param ... Graphical parameters such as `main`, `xlab`, `pch`, `cex`, passed to the plots.
#' @returns The tables that were drawn, invisibly: see [plot_data()].
#' @details
#' With many groups the caterpillar plot leaves out the names of the levels that would overlap, and with more than about
#' 200 the intervals become a band of thin lines.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' plot(fit)
#' plot(fit, which = "caterpillar")
#' @export
plot.lmm <- function(x, which = c("residuals", "qq"), level = 0.95, ask = NULL, ...) {
  which <- match.arg(which, c("residuals", "qq", "caterpillar"), several.ok = TRUE)
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

# Okabe and Ito's palette: distinguishable with every kind of colour vision.
plot_colours <- c(point = "#0072B2", line = "#D55E00", guide = "#767676")

grid_size <- function(n) {
  rows <- if (n <= 2L) 1L else ceiling(sqrt(n))
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

# Arguments of the user win over ours.
draw_frame <- function(x, y, ours, ...) {
  given <- list(...)
  do.call(graphics::plot, c(list(x = x, y = y), ours[setdiff(names(ours), names(given))], given))
}

# Points that stay readable when there are very many.
point_style <- function(n) {
  crowded <- n > 2000L
  colour <- grDevices::adjustcolor(plot_colours[["point"]], if (crowded) 0.3 else 0.8)
  list(pch = if (crowded) 16L else 1L, cex = if (crowded) 0.5 else 0.8, col = colour, las = 1L)
}

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
  graphics::abline(0, 1, col = plot_colours[["guide"]], lty = 2L)
}

draw_caterpillar <- function(table, level, ...) {
  n <- nrow(table)
  many <- n > 200L
  style <- list(
    xlab = sprintf("Random effect with %g %% interval", 100 * level), ylab = "",
    main = paste(table$grpvar[1L], table$term[1L]), yaxt = "n", type = "n",
    xlim = range(table$lower, table$upper, 0), ylim = c(0.5, n + 0.5)
  )
  wide <- label_margin(table$grp)
  old <- graphics::par(mar = replace(graphics::par("mar"), 2L, wide$margin), mgp = c(3, 1, 0))
  on.exit(graphics::par(mar = old$mar, mgp = old$mgp))
  draw_frame(table$condval, table$position, style, ...)
  graphics::abline(v = 0, col = plot_colours[["guide"]], lty = 2L)
  graphics::segments(table$lower, table$position, table$upper, table$position,
    col = grDevices::adjustcolor(plot_colours[["point"]], if (many) 0.35 else 1), lwd = if (many) 0.5 else 1.5
  )
  graphics::points(table$condval, table$position, pch = 16L, cex = if (many) 0.3 else 0.8,
    col = plot_colours[[if (many) "line" else "point"]]
  )
  shown <- label_positions(n)
  at <- match(shown, table$position)
  if (many) {
    graphics::axis(2L, las = 1L)
  } else {
    graphics::axis(2L, at = shown, labels = wide$labels[at], las = 1L, tick = FALSE, cex.axis = 0.7)
  }
  title <- paste0(table$grpvar[1L], if (many) " (rank)")
  graphics::mtext(title, side = 2L, line = wide$margin - 1.2)
}

# Labels cut to 20 characters, and the lines of margin that they and the axis title need.
label_margin <- function(levels) {
  labels <- as.character(levels)
  long <- nchar(labels) > 20L
  labels[long] <- paste0(substr(labels[long], 1L, 19L), "\u2026")
  list(labels = labels, margin = min(2.5 + 0.38 * max(nchar(labels), 4L), 11))
}

# Every level when the lines fit, otherwise every k-th.
label_positions <- function(n) {
  lines <- max(5, floor(graphics::par("pin")[2L] / (0.75 * graphics::par("csi"))))
  seq.int(1L, n, by = max(1L, ceiling(n / lines)))
}
