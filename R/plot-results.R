# Plots of what methods of a fit return: random effects, influence, bootstrap, intraclass correlations.
#
# Reads   the objects alone; no fit is needed.
# Writes  their pictures (plot-picture.R), and those of the influence of a fit.

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
  draw_pages(plots_of(list(caterpillar_picture(table))), 6L, ask, ...)
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
  picture <- if (which == "cook") influence_picture(tables[[1L]]) else dfbetas_picture(tables)
  draw_pages(plots_of(list(picture)), 6L, ask, ...)
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

influence_picture <- function(table) {
  one <- needles_panel(table, "cooks.distance", attr(table, "labels")$title)
  picture(table, list(one), c(x = "index", y = "cooks.distance"))
}

# Changes of each coefficient.
dfbetas_picture <- function(tables) {
  panels <- Map(function(table, name) needles_panel(table, "dfbetas", name), unname(tables), names(tables))
  picture(tables[[1L]], panels, c(x = "index", y = "dfbetas"), title = "Influence on coefficients", strips = TRUE)
}

# A line for each deletion, the five largest with their names.
needles_panel <- function(table, column, name) {
  whole <- table
  table <- table[!is.na(table[[column]]), , drop = FALSE]
  values <- table[[column]]
  at <- thinned_peaks(abs(values))
  top <- utils::head(order(-abs(values)), 5L)
  xlim <- c(1, max(2, table$index))
  ylim <- range(0, 1.04 * values, .Machine$double.xmin)
  layers <- if (nrow(table)) list(
    if (any(values < 0)) rule_layer(h = 0, lty = 1L),
    layer("segments", data.frame(x = table$index[at], y = values[at], xend = table$index[at], yend = 0), lwd = 1,
      takes = c("col", "lwd")),
    layer("points", data.frame(x = table$index[top], y = values[top]), plot_colours[["line"]], pch = 16L, cex = 0.8,
      takes = c("pch", "cex")),
    names_layer(table$index[top], values[top], cut_text(as.character(table$deleted[top]), 15L),
      ifelse(table$index[top] > mean(xlim), 2L, 4L), 0.75)
  ) else list(note_layer(mean(xlim), mean(ylim), "No distance can be computed"))
  marks <- pretty(xlim)
  panel(whole, layers, table[at, , drop = FALSE], name = name, xlim = xlim, ylim = ylim,
    marks = list(at = marks, labels = big_number(marks))
  )
}

#' @rdname plot.results
#' @export
plot.lmm_bootstrap <- function(x, parm = NULL, level = 0.95, type = c("percentile", "basic", "bca", "normal"),
                               ask = NULL, ...) {
  call <- method_call()
  if (!is.null(ask)) check_flag(ask, "ask", call, "argument")
  check_graphical(list(...), call, c("parm", "level", "type", "ask"), "plot.results")
  table <- bootstrap_bars(x, parm, level, type, call)
  draw_pages(plots_of(list(bootstrap_picture(table))), 12L, ask, ...)
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

bootstrap_picture <- function(table) {
  panels <- lapply(unname(split_in_order(table, table$statistic)), function(piece) {
    once <- piece[1L, , drop = FALSE]
    low <- -0.06 * max(piece$count)
    layers <- list(
      layer("rects", data.frame(xmin = piece$left, xmax = piece$right, ymin = 0, ymax = piece$count), fill = "#D3E5F0",
        takes = "col"),
      rule_layer(v = once$estimate, col = plot_colours[["line"]], lwd = 1.5),
      layer("segments", data.frame(x = once$lower, y = low / 2, xend = once$upper, yend = low / 2),
        plot_colours[["line"]], lwd = 3)
    )
    panel(table, layers, piece, name = once$statistic, title = once$statistic, x = "Value in the replicates",
      y = "Replicates", xlim = range(piece[c("left", "right", "estimate", "lower", "upper")], finite = TRUE),
      ylim = c(low, max(piece$count))
    )
  })
  picture(table, panels, c(x = "left", y = "count"), x = "Value in the replicates", scales = "free", strips = TRUE)
}

#' @rdname plot.results
#' @export
plot.icc_lmm <- function(x, ...) {
  call <- method_call()
  check_graphical(list(...), call, character(), "plot.results")
  table <- icc_rows(x)
  draw_pages(plots_of(list(icc_picture(table))), 6L, FALSE, ...)
  invisible(table)
}

icc_rows <- function(x) {
  table <- x$table
  both <- length(unique(table$type)) > 1L
  table$label <- paste0(table$group, if (both) paste0(", ", table$type))
  table$position <- rev(seq_len(nrow(table)))
  with_labels(table, icc_title(x), "Share of the variance", NULL)
}

icc_picture <- function(table) {
  known <- table[!is.na(table$lower), , drop = FALSE]
  layers <- list(
    layer("intervals", data.frame(xmin = known$lower, xmax = known$upper, y = known$position), lwd = 2,
      takes = c("col", "lwd")),
    layer("points", data.frame(x = table$icc, y = table$position), pch = 16L, cex = 1.2,
      takes = c("pch", "cex", "col"))
  )
  one <- panel(table, layers, table, xlim = c(0, 1), rows = table$label[order(table$position)], longest = 40L)
  picture(table, list(one), c(x = "icc", y = "key"))
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
  ggplot_of(caterpillar_picture(ranef_table(object, level, group, effect, call)))
}

autoplot_influence <- function(object, which = c("cook", "dfbetas"), ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  which <- choose_one(which, c("cook", "dfbetas"), "which", call)
  check_ggplot2(call)
  tables <- influence_tables(object, which)
  ggplot_of(if (which == "cook") influence_picture(tables[[1L]]) else dfbetas_picture(tables))
}

autoplot_bootstrap <- function(object, parm = NULL, level = 0.95, type = c("percentile", "basic", "bca", "normal"),
                               ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_ggplot2(call)
  ggplot_of(bootstrap_picture(bootstrap_bars(object, parm, level, type, call)))
}

autoplot_icc <- function(object, ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_ggplot2(call)
  ggplot_of(icc_picture(icc_rows(object)))
}
