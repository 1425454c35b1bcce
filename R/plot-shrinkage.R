# Shrinkage: the table, and its pictures of one effect by level, of one effect of many levels, of two in a plane.

shrinkage_data <- function(fit, options) {
  table <- as.data.frame(shrinkage(fit, group = options$group))
  pairs <- data.frame(grpvar = table$group, term = factor(table$effect, levels = unique(table$effect)))
  table$position <- rank_within(table$partial, effect_panels(pairs))
  table <- table[wanted_effects(cbind(pairs, at = seq_len(nrow(table))), options)$at, , drop = FALSE]
  rownames(table) <- NULL
  with_labels(table, "Shrinkage", NULL, NULL, response = response_label(fit))
}

# One picture of the factors of few levels of which one effect is shown, one of those of many levels, and one for each
# pair of effects. Panels stand in the order of the factors where each is a plot of its own.
shrinkage_pictures <- function(table) {
  response <- attr(table, "response")
  pieces <- split_in_order(table, table$group)
  effects <- lapply(pieces, function(piece) unique(piece$effect))
  order <- seq_along(pieces)
  kind <- ifelse(lengths(effects) > 1L, "plane", ifelse(vapply(pieces, nrow, 0L) > 60L, "cloud", "levels"))
  single <- lapply(intersect(c("levels", "cloud"), kind), function(one) {
    at <- which(kind == one)
    draw <- if (one == "cloud") shrinkage_cloud else shrinkage_levels
    panels <- lapply(at, function(k) draw(pieces[[k]], response, order[k]))
    shown <- unique(unlist(effects[at]))
    single_picture(table, panels, if (length(shown) == 1L) estimate_text(shown, response), names(pieces)[at],
      one == "cloud")
  })
  planes <- lapply(which(kind == "plane"), function(k) shrinkage_plane(table, pieces[[k]], effects[[k]][1:2], order[k]))
  c(single, planes)
}

single_picture <- function(table, panels, what, groups, cloud) {
  what <- or_else(what, "Estimate")
  mapping <- if (cloud) c(x = "none", y = "partial") else c(x = "partial", y = "key")
  picture(table, panels, mapping, name = paste(groups, collapse = "."), title = "Shrinkage", scales = "free",
    strips = TRUE, x = if (cloud) paste0(what, ", no pooling") else what,
    y = if (cloud) paste0(what, ", partial pooling")
  )
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

# Estimates without pooling that lie outside of what is shown, with the margin of an axis.
count_outside <- function(values, limits) {
  shown <- grDevices::extendrange(limits, f = 0.04)
  values < shown[1L] | values > shown[2L]
}

no_pooling <- function(kind, data, ...) layer(kind, data, plot_colours[["guide"]], ..., key = "no pooling")
partial_pooling <- function(data, ...) {
  layer("points", data, pch = 16L, ..., key = "partial pooling", takes = "cex")
}
complete_pooling <- function(kind, data, ...) layer(kind, data, plot_colours[["line"]], ..., key = "complete pooling")

# Arrows that are long enough to have a direction.
moves_layer <- function(x, y, xend, yend, xlim, ylim) {
  length <- ((x - xend) / diff(xlim))^2 + ((y - yend) / diff(ylim))^2
  long <- which(length > 1e-6)
  layer("arrows", data.frame(x = x, y = y, xend = xend, yend = yend)[long, , drop = FALSE], plot_colours[["guide"]],
    lwd = 0.8)
}

shrinkage_levels <- function(table, response, order) {
  xlim <- shrinkage_limits(table$none, table$partial, table$complete)
  known <- table[!is.na(table$none), , drop = FALSE]
  common <- diff(range(table$complete)) <= 1e-8 * max(abs(table$complete))
  layers <- list(
    moves_layer(known$none, known$position, known$partial, known$position, xlim, c(0, 1)),
    no_pooling("points", data.frame(x = known$none, y = known$position), pch = 1L, cex = 0.9, takes = "cex"),
    partial_pooling(data.frame(x = table$partial, y = table$position), cex = 0.9),
    if (common) complete_pooling("rule", data.frame(v = table$complete[1L]), lty = 2L, lwd = 1)
    else complete_pooling("points", data.frame(x = table$complete, y = table$position), pch = 18L, cex = 1)
  )
  panel(table, layers, table, name = shrinkage_name(table), title = shrinkage_title(table),
    x = estimate_text(table$effect[1L], response), y = table$group[1L], xlim = xlim, limited = TRUE,
    rows = table$level[order(table$position)], outside = sum(count_outside(known$none, xlim)), order = order
  )
}

shrinkage_name <- function(table) paste(table$group[1L], table$effect[1L], sep = ": ")

# Many levels: the partially pooled against the unpooled estimate. On the dashed diagonal there is no shrinkage, on the
# dotted line complete pooling.
shrinkage_cloud <- function(table, response, order) {
  table <- table[!is.na(table$none), , drop = FALSE]
  what <- estimate_text(table$effect[1L], response)
  xlim <- shrinkage_limits(table$none, table$partial, table$complete)
  layers <- list(
    points_layer(table$none, table$partial),
    no_pooling("rule", data.frame(slope = 1, intercept = 0), lty = 2L, lwd = 1.5),
    complete_pooling("rule", data.frame(h = mean(table$complete)), lty = 3L, lwd = 2)
  )
  panel(table, layers, table, name = shrinkage_name(table), title = shrinkage_title(table),
    x = paste0(what, ", no pooling"), y = paste0(what, ", partial pooling"), xlim = xlim, limited = TRUE,
    ylim = range(table$partial, finite = TRUE), outside = sum(count_outside(table$none, xlim)), order = order
  )
}

shrinkage_plane <- function(table, piece, effects, order) {
  response <- attr(table, "response")
  plane <- plane_table(piece, effects)
  many <- nrow(plane) > 200L
  xlim <- shrinkage_limits(plane$none_x, plane$partial_x, plane$complete_x)
  ylim <- shrinkage_limits(plane$none_y, plane$partial_y, plane$complete_y)
  known <- plane[!is.na(plane$none_x) & !is.na(plane$none_y), , drop = FALSE]
  complete <- unique(data.frame(x = plane$complete_x, y = plane$complete_y))
  layers <- list(
    if (many) no_pooling("segments", data.frame(x = known$none_x, y = known$none_y, xend = known$partial_x,
      yend = known$partial_y), alpha = 0.5, lwd = 0.5)
    else moves_layer(known$none_x, known$none_y, known$partial_x, known$partial_y, xlim, ylim),
    if (!many) no_pooling("points", data.frame(x = known$none_x, y = known$none_y), pch = 1L, cex = 0.9, takes = "cex"),
    partial_pooling(data.frame(x = plane$partial_x, y = plane$partial_y), cex = if (many) 0.4 else 0.9,
      alpha = if (many) 0.6 else 1),
    complete_pooling("points", complete, pch = 18L, cex = 1.6),
    if (nrow(plane) <= 60L) arrow_names(known, xlim, ylim)
  )
  texts <- vapply(effects, estimate_text, "", response = response, USE.NAMES = FALSE)
  one <- panel(table, layers, plane, name = plane$group[1L], title = shrinkage_title(plane), x = texts[1L],
    y = texts[2L], xlim = xlim, ylim = ylim, limited = TRUE, order = order,
    outside = sum(count_outside(known$none_x, xlim) | count_outside(known$none_y, ylim))
  )
  picture(table, list(one), c(x = "partial_x", y = "partial_y"), name = plane$group[1L], title = one$title,
    x = texts[1L], y = texts[2L])
}

# Names beside the start of the arrows, on the side away from the arrow; those of the longest arrows where not all have
# room.
arrow_names <- function(table, xlim, ylim) {
  right <- (table$none_x - table$partial_x) / diff(xlim)
  up <- (table$none_y - table$partial_y) / diff(ylim)
  side <- ifelse(abs(right) > abs(up), ifelse(right > 0, 4L, 2L), ifelse(up > 0, 3L, 1L))
  order <- order(-(right^2 + up^2))
  names_layer(table$none_x[order], table$none_y[order], cut_text(table$level, 20L)[order], side[order], 0.65, "#555555")
}
