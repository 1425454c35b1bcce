# Shrinkage: the table, and its panels for one effect and for two in a plane.

shrinkage_data <- function(fit, options) {
  table <- as.data.frame(shrinkage(fit, group = options$group))
  pairs <- data.frame(grpvar = table$group, term = factor(table$effect, levels = unique(table$effect)))
  table$position <- rank_within(table$partial, effect_panels(pairs))
  table <- table[wanted_effects(cbind(pairs, at = seq_len(nrow(table))), options)$at, , drop = FALSE]
  rownames(table) <- NULL
  with_labels(table, "Shrinkage", NULL, NULL, response = response_label(fit))
}

# One list for each panel: a grouping factor with one effect, or with its first two.
shrinkage_pieces <- function(table) {
  lapply(unname(split(table, factor(table$group, levels = unique(table$group)))), function(piece) {
    effects <- unique(piece$effect)
    if (length(effects) == 1L) list(kind = if (nrow(piece) > 60L) "cloud" else "levels", table = piece)
    else list(kind = "plane", table = plane_table(piece, effects[1:2]))
  })
}

# The two effects side by side: group, level, n, and x and y of each kind of estimate.
plane_table <- function(piece, effects) {
  x <- piece[piece$effect == effects[1L], ]
  y <- piece[piece$effect == effects[2L], ]
  table <- data.frame(
    group = x$group, level = x$level, n = x$n, complete_x = x$complete, complete_y = y$complete,
    none_x = x$none, none_y = y$none, partial_x = x$partial, partial_y = y$partial
  )
  attr(table, "effects") <- effects
  table
}

draw_shrinkage <- function(piece, response, ...) {
  switch(piece$kind,
    levels = draw_shrinkage_levels(piece$table, response, ...),
    cloud = draw_shrinkage_cloud(piece$table, response, ...),
    plane = draw_shrinkage_plane(piece$table, response, ...)
  )
}

shrinkage_looks <- list(
  legend = c("partial pooling", "complete pooling"),
  pch = c(1L, 16L, 18L), col = unname(c(plot_colours["guide"], plot_colours["point"], plot_colours["line"]))
)

shrinkage_title <- function(table, effect = NULL) {
  paste("Shrinkage:", paste(c(table$group[1L], effect), collapse = ", "))
}

estimate_text <- function(effect, response) {
  if (effect == "(Intercept)") sprintf("(Intercept) of %s", response) else effect
}

# Limits of an axis that shows all but wild estimates without pooling: those more than three interquartile ranges
# beyond the quartiles are left outside, their arrows are cut.
shrinkage_limits <- function(none, partial, complete) {
  quartiles <- stats::quantile(none, c(0.25, 0.75), na.rm = TRUE, names = FALSE)
  reach <- 3 * diff(quartiles)
  near <- none[!is.na(none) & none >= quartiles[1L] - reach & none <= quartiles[2L] + reach]
  if (reach == 0) near <- none
  grDevices::extendrange(range(near, partial, complete, finite = TRUE), f = 0.03)
}

# "no pooling", and how many of them lie outside of the axes.
no_pooling_text <- function(x, y = NULL) {
  usr <- graphics::par("usr")
  outside <- x < usr[1L] | x > usr[2L]
  if (!is.null(y)) outside <- outside | y < usr[3L] | y > usr[4L]
  count <- sum(outside, na.rm = TRUE)
  if (count) sprintf("no pooling (%d outside)", count) else "no pooling"
}

draw_shrinkage_levels <- function(table, response, ...) {
  given <- list(...)
  axis <- begin_levels(table$level[order(table$position)])
  on.exit(graphics::par(mar = axis$old))
  effect <- table$effect[1L]
  style <- c(level_style(axis, table$group[1L], nrow(table)), list(
    xlab = estimate_text(effect, response), main = shrinkage_title(table),
    xlim = shrinkage_limits(table$none, table$partial, table$complete)
  ))
  draw_frame(numeric(), numeric(), style, ..., own_type = "n", y_line = axis$margin - 1.3, main_line = title_line)
  looks <- shrinkage_looks
  common <- diff(range(table$complete)) <= 1e-8 * max(abs(table$complete))
  if (common) graphics::abline(v = table$complete[1L], col = looks$col[3L], lty = 2L)
  else graphics::points(table$complete, table$position, pch = looks$pch[3L], col = looks$col[3L])
  draw_arrows(table$none, table$position, table$partial, table$position)
  size <- or_else(given$cex, 0.9)
  graphics::points(table$none, table$position, pch = looks$pch[1L], col = looks$col[1L], cex = size)
  graphics::points(table$partial, table$position, pch = looks$pch[2L], col = looks$col[2L], cex = size)
  draw_levels(axis, ...)
  texts <- c(no_pooling_text(table$none), looks$legend)
  if (common) legend_above(texts, pch = c(1L, 16L, NA), lty = c(NA, NA, 2L), col = looks$col)
  else legend_above(texts, pch = looks$pch, col = looks$col)
}

# Many levels: the partially pooled against the unpooled estimate. On the dashed diagonal there is no shrinkage, on the
# dotted line complete pooling.
draw_shrinkage_cloud <- function(table, response, ...) {
  table <- table[!is.na(table$none), , drop = FALSE]
  what <- estimate_text(table$effect[1L], response)
  style <- c(list(
    xlab = paste0(what, ", no pooling"), ylab = paste0(what, ", partial pooling"), main = shrinkage_title(table),
    xlim = shrinkage_limits(table$none, table$partial, table$complete)
  ), point_style(nrow(table)))
  draw_frame(table$none, table$partial, style, ..., main_line = title_line)
  graphics::abline(0, 1, col = plot_colours[["guide"]], lty = 2L, lwd = 1.5)
  graphics::abline(h = mean(table$complete), col = plot_colours[["line"]], lty = 3L, lwd = 2)
  legend_above(c(no_pooling_text(table$none), "complete pooling"), lty = 2:3, lwd = 1.5,
    col = unname(plot_colours[c("guide", "line")])
  )
}

draw_shrinkage_plane <- function(table, response, ...) {
  given <- list(...)
  effects <- attr(table, "effects")
  many <- nrow(table) > 200L
  looks <- shrinkage_looks
  style <- list(
    xlab = estimate_text(effects[1L], response), ylab = estimate_text(effects[2L], response),
    main = shrinkage_title(table), las = 1L,
    xlim = shrinkage_limits(table$none_x, table$partial_x, table$complete_x),
    ylim = shrinkage_limits(table$none_y, table$partial_y, table$complete_y)
  )
  draw_frame(numeric(), numeric(), style, ..., own_type = "n", main_line = title_line)
  size <- or_else(given$cex, if (many) 0.4 else 0.9)
  if (many) {
    graphics::segments(table$none_x, table$none_y, table$partial_x, table$partial_y,
      col = grDevices::adjustcolor(looks$col[1L], 0.5), lwd = 0.5
    )
  } else {
    draw_arrows(table$none_x, table$none_y, table$partial_x, table$partial_y)
    graphics::points(table$none_x, table$none_y, pch = looks$pch[1L], col = looks$col[1L], cex = size)
  }
  graphics::points(table$partial_x, table$partial_y, pch = looks$pch[2L], cex = size,
    col = if (many) grDevices::adjustcolor(looks$col[2L], 0.6) else looks$col[2L]
  )
  graphics::points(table$complete_x, table$complete_y, pch = looks$pch[3L], col = looks$col[3L], cex = 1.6)
  if (nrow(table) <= 60L) draw_arrow_names(table)
  texts <- c(no_pooling_text(table$none_x, table$none_y), looks$legend)
  if (many) legend_above(texts, pch = c(NA, looks$pch[2:3]), lty = c(1L, NA, NA), col = looks$col)
  else legend_above(texts, pch = looks$pch, col = looks$col)
}

# Arrows, without those that are too short for a head.
draw_arrows <- function(x0, y0, x1, y1) {
  inches <- graphics::par("pin") / abs(c(diff(graphics::par("usr")[1:2]), diff(graphics::par("usr")[3:4])))
  long <- which(sqrt(((x1 - x0) * inches[1L])^2 + ((y1 - y0) * inches[2L])^2) > 0.02)
  graphics::arrows(x0[long], y0[long], x1[long], y1[long], length = 0.06, col = plot_colours[["guide"]])
}

# Names beside the start of the arrows, on the side away from the arrow; those of the longest arrows where not all have
# room.
draw_arrow_names <- function(table) {
  usr <- graphics::par("usr")
  right <- (table$none_x - table$partial_x) / diff(usr[1:2])
  up <- (table$none_y - table$partial_y) / diff(usr[3:4])
  order <- order(-(right^2 + up^2), na.last = NA)
  table <- table[order, , drop = FALSE]
  right <- right[order]
  up <- up[order]
  side <- ifelse(abs(right) > abs(up), ifelse(right > 0, 4L, 2L), ifelse(up > 0, 3L, 1L))
  names <- cut_text(table$level, 20L)
  clear <- clear_texts(table$none_x, table$none_y, names, 0.65, side)
  if (any(clear)) {
    graphics::text(table$none_x[clear], table$none_y[clear], names[clear], pos = side[clear], offset = 0.35, cex = 0.65,
      col = "#555555"
    )
  }
}
