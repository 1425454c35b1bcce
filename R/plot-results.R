# Plots of what methods of a fit return: random effects, influence, bootstrap, intraclass correlations.
#
# Reads   the objects alone; no fit is needed.
# Draws with the panels of the plots of a fit.

#' Plots of random effects, influence, bootstraps and intraclass correlations
#'
#' @param x What [ranef()][ranef.lmm], [influence()][influence.lmm], [bootstrap()] or [icc()] returned.
#' @param level Coverage of the intervals, between 0 and 1. Default 0.95.
#' @param group,effect Names of grouping factors and of effects. Default `NULL`: all.
#' @param which For influence: `"cook"` (default), Cook's distances; `"dfbetas"`, the change of each coefficient in
#'   units of its standard error, a panel each.
#' @param parm For a bootstrap: names or numbers of the statistics. Default `NULL`: all.
#' @param type For a bootstrap: which interval, see [confint.lmm_bootstrap()].
#' @inheritParams plot.lmm
#' @details
#'   * Random effects: the caterpillar plot of [plot.lmm()], a panel for each effect. Intervals need the conditional
#'     variances, `ranef(fit, condVar = TRUE)`, the default.
#'   * Influence: a line for each deletion, the largest with their names.
#'   * Bootstrap: a histogram of the replicates of each statistic, with the estimate (broken line) and the interval
#'     (below).
#'   * Intraclass correlations: shares of variance with the intervals of [icc()].
#'
#' With ggplot2, `autoplot()` gives the same as an object of class `ggplot`. With lattice, `dotplot()` and `qqmath()` of
#' random effects: see [lattice].
#' @returns The table that was drawn, invisibly.
#' @section Conditions:
#'   `ferrite_error_argument`; those of [confint.lmm_bootstrap()].
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' plot(ranef(fit))
#' plot(influence(fit, "Subject"))
#' boot <- bootstrap(fit, nsim = 200, seed = 1)
#' plot(boot, parm = "sigma")
#' plot(icc(fit))
#' @name plot.results
NULL

#' @rdname plot.results
#' @export
plot.ranef.lmm <- function(x, level = 0.95, group = NULL, effect = NULL, ask = NULL, ...) {
  call <- method_call()
  if (!is.null(ask)) check_flag(ask, "ask", call, "argument")
  check_graphical(list(...), call, c("level", "group", "effect", "ask"), "plot.results")
  table <- ranef_table(x, level, group, effect, call)
  draw_pages(panels_of(table, "caterpillar"), 6L, ask, ...)
  invisible(table)
}

ranef_table <- function(x, level, group, effect, call) {
  check_level(level, call)
  effects <- as.data.frame(x)
  check_names(group, unique(effects$grpvar), "group", "grouping factors", call)
  check_names(effect, levels(effects$term), "effect", "random effects", call)
  caterpillar_table(effects, list(level = level, group = group, effect = effect, call = call))
}

#' @rdname plot.results
#' @export
plot.influence.lmm <- function(x, which = c("cook", "dfbetas"), ask = NULL, ...) {
  call <- method_call()
  which <- choose_one(which, c("cook", "dfbetas"), "which", call)
  if (!is.null(ask)) check_flag(ask, "ask", call, "argument")
  check_graphical(list(...), call, c("which", "ask"), "plot.results")
  tables <- influence_tables(x, which)
  draw <- if (which == "cook") draw_influence else draw_dfbetas
  draw_pages(lapply(tables, function(table) function(...) draw(table, ...)), 6L, ask, ...)
  invisible(if (length(tables) == 1L) tables[[1L]] else tables)
}

# One table for Cook's distances, or one for each coefficient: deleted, rows, index, value.
influence_tables <- function(x, which) {
  table <- as.data.frame.influence.lmm(x)
  unit <- if (x$groups == "case") "row" else x$groups
  index <- sprintf("Index of %s", unit)
  one <- function(value, title, axis) {
    with_labels(data.frame(deleted = table$deleted, rows = table$rows, index = seq_len(nrow(table)), value = value),
      title, index, axis)
  }
  if (which == "cook") {
    found <- one(table$cooks.distance, paste("Influence of each", unit), "Cook's distance")
    names(found)[4L] <- "cooks.distance"
    return(list(found))
  }
  names <- names(x$fixed.effects)
  changes <- scaled_changes(x)
  stats::setNames(lapply(names, function(name) {
    found <- one(unname(changes[, name]), paste("Influence on", name), "dfbetas")
    names(found)[4L] <- "dfbetas"
    found
  }), names)
}

# Changes of one coefficient, the five largest with their names.
draw_dfbetas <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  table <- table[!is.na(table$dfbetas), , drop = FALSE]
  style <- list(xlab = texts$x, ylab = texts$y, main = texts$title, las = 1L, xlim = c(1, max(2, table$index)))
  draw_frame(table$index, table$dfbetas, style, ..., own_type = "n")
  graphics::abline(h = 0, col = plot_colours[["guide"]])
  shown <- table[thinned_peaks(abs(table$dfbetas)), , drop = FALSE]
  graphics::segments(shown$index, 0, shown$index, shown$dfbetas, col = or_else(given$col, plot_colours[["point"]]),
    lwd = or_else(given$lwd, 1))
  top <- utils::head(table[order(-abs(table$dfbetas)), , drop = FALSE], 5L)
  graphics::points(top$index, top$dfbetas, pch = or_else(given$pch, 16L), cex = or_else(given$cex, 0.8),
    col = plot_colours[["line"]])
  side <- ifelse(top$index > mean(graphics::par("usr")[1:2]), 2L, 4L)
  names <- cut_text(as.character(top$deleted), 15L)
  clear <- clear_texts(top$index, top$dfbetas, names, 0.75, side)
  if (any(clear)) graphics::text(top$index[clear], top$dfbetas[clear], names[clear], pos = side[clear], cex = 0.75)
}

#' @rdname plot.results
#' @export
plot.lmm_bootstrap <- function(x, parm = NULL, level = 0.95, type = c("percentile", "basic", "bca", "normal"),
                               ask = NULL, ...) {
  call <- method_call()
  if (!is.null(ask)) check_flag(ask, "ask", call, "argument")
  check_graphical(list(...), call, c("parm", "level", "type", "ask"), "plot.results")
  table <- bootstrap_bars(x, parm, level, type, call)
  pieces <- split_in_order(table, table$statistic)
  draw_pages(lapply(unname(pieces), function(piece) function(...) draw_bootstrap(piece, ...)), 12L, ask, ...)
  invisible(table)
}

# A row for each bar of each histogram: statistic, left, right, count, estimate, lower, upper.
bootstrap_bars <- function(x, parm, level, type, call) {
  limits <- unclass(confint.lmm_bootstrap(x, parm, level, type))
  tables <- lapply(rownames(limits), function(name) {
    values <- x$replicates[, name]
    values <- values[is.finite(values)]
    if (!length(values)) return(NULL)
    bars <- graphics::hist(values, breaks = min(40, 2 * grDevices::nclass.Sturges(values)), plot = FALSE)
    k <- seq_along(bars$counts)
    data.frame(statistic = name, left = bars$breaks[k], right = bars$breaks[k + 1L], count = bars$counts,
      estimate = x$estimate[[name]], lower = limits[name, 1L], upper = limits[name, 2L])
  })
  table <- do.call(rbind, tables)
  rownames(table) <- NULL
  with_labels(table, bootstrap_title(x), NULL, sprintf("Replicates (of %s)",
    format(nrow(x$replicates), big.mark = ",")), level = level)
}

draw_bootstrap <- function(piece, ...) {
  given <- list(...)
  low <- -0.06 * max(piece$count)
  style <- list(main = piece$statistic[1L], xlab = "Value in the replicates", ylab = "Replicates", las = 1L,
    xlim = range(piece[c("left", "right", "estimate", "lower", "upper")], finite = TRUE),
    ylim = c(low, max(piece$count)))
  draw_frame(numeric(), numeric(), style, ..., own_type = "n")
  graphics::rect(piece$left, 0, piece$right, piece$count, col = "#D3E5F0",
    border = or_else(given$col, plot_colours[["point"]]))
  graphics::abline(v = piece$estimate[1L], col = plot_colours[["line"]], lty = 2L, lwd = 1.5)
  graphics::segments(piece$lower[1L], low / 2, piece$upper[1L], low / 2, col = plot_colours[["line"]], lwd = 3)
}

#' @rdname plot.results
#' @export
plot.icc_lmm <- function(x, ...) {
  call <- method_call()
  check_graphical(list(...), call, character(), "plot.results")
  table <- icc_rows(x)
  draw_icc(table, ...)
  invisible(table)
}

icc_rows <- function(x) {
  table <- x$table
  both <- length(unique(table$type)) > 1L
  table$label <- paste0(table$group, if (both) paste0(", ", table$type))
  table$position <- rev(seq_len(nrow(table)))
  with_labels(table, icc_title(x), "Share of the variance", NULL)
}

draw_icc <- function(table, ...) {
  given <- list(...)
  texts <- attr(table, "labels")
  n <- nrow(table)
  axis <- begin_levels(table$label[order(table$position)], longest = 40L)
  on.exit(graphics::par(mar = axis$old))
  style <- c(level_style(axis, "", n), list(xlab = texts$x, main = texts$title, xlim = c(0, 1)))
  style$ylab <- NULL
  draw_frame(table$icc, table$position, style, ..., own_type = "n")
  colour <- or_else(given$col, plot_colours[["point"]])
  graphics::segments(table$lower, table$position, table$upper, table$position, col = colour,
    lwd = or_else(given$lwd, 2))
  graphics::points(table$icc, table$position, pch = or_else(given$pch, 16L), cex = or_else(given$cex, 1.2),
    col = colour)
  draw_levels(axis, ...)
}

# ggplot2 -------------------------------------------------------------------------------------------------------------

result_plots <- function() {
  list(
    list("ggplot2", "autoplot", "ranef.lmm", autoplot_ranef),
    list("ggplot2", "autoplot", "influence.lmm", autoplot_influence),
    list("ggplot2", "autoplot", "lmm_bootstrap", autoplot_bootstrap),
    list("ggplot2", "autoplot", "icc_lmm", autoplot_icc)
  )
}

autoplot_ranef <- function(object, level = 0.95, group = NULL, effect = NULL, ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_ggplot2(call)
  gg_caterpillar(ranef_table(object, level, group, effect, call))
}

autoplot_influence <- function(object, which = c("cook", "dfbetas"), ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  which <- choose_one(which, c("cook", "dfbetas"), "which", call)
  check_ggplot2(call)
  tables <- influence_tables(object, which)
  if (which == "cook") return(gg_influence(tables[[1L]]))
  all <- do.call(rbind, unname(tables))
  all$coefficient <- factor(rep(names(tables), vapply(tables, nrow, 0L)), names(tables))
  all$zero <- 0
  attr(all, "labels") <- utils::modifyList(attr(tables[[1L]], "labels"), list(title = "Influence on coefficients"))
  all <- all[!is.na(all$dfbetas), , drop = FALSE]
  gg_frame(all, x = "index", y = "dfbetas") + gg_guide(yintercept = 0) +
    ggplot2::geom_segment(aes_of(xend = "index", yend = "zero"), colour = plot_colours[["point"]], linewidth = 0.4) +
    ggplot2::facet_wrap("coefficient")
}

autoplot_bootstrap <- function(object, parm = NULL, level = 0.95, type = c("percentile", "basic", "bca", "normal"),
                               ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_ggplot2(call)
  table <- bootstrap_bars(object, parm, level, type, call)
  table$statistic <- factor(table$statistic, unique(table$statistic))
  table$zero <- 0
  once <- table[!duplicated(table$statistic), , drop = FALSE]
  texts <- attr(table, "labels")
  ggplot2::ggplot(table) +
    ggplot2::geom_rect(aes_of(xmin = "left", xmax = "right", ymin = "zero", ymax = "count"), fill = "#D3E5F0",
      colour = plot_colours[["point"]], linewidth = 0.3) +
    gg_guide(aes_of(xintercept = "estimate"), once, line = ggplot2::geom_vline) +
    ggplot2::geom_segment(aes_of(x = "lower", xend = "upper", y = "zero", yend = "zero"), once,
      colour = plot_colours[["line"]], linewidth = 1.5) +
    ggplot2::labs(title = texts$title, x = "Value in the replicates", y = texts$y) + gg_theme() + gg_sparse_x(3L) +
    ggplot2::facet_wrap("statistic", scales = "free")
}

autoplot_icc <- function(object, ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_ggplot2(call)
  table <- icc_rows(object)
  table$label <- factor(table$label, rev(unique(table$label)))
  gg_frame(table, x = "icc", y = "label") +
    ggplot2::geom_linerange(aes_of(xmin = "lower", xmax = "upper"), table[!is.na(table$lower), , drop = FALSE],
      colour = plot_colours[["point"]], linewidth = 0.8) +
    ggplot2::geom_point(colour = plot_colours[["point"]], size = 2.2) + ggplot2::coord_cartesian(xlim = c(0, 1)) +
    # a layer that lacks some of the shares must not change their order
    ggplot2::scale_y_discrete(limits = levels(table$label))
}
