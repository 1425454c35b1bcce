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
#'   or if `"shrinkage"` has to show factors with one effect and with two, whose axes differ.
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
  plots <- lapply(stats::setNames(which, which), function(one) ggplot_of(plot_table(object, one, options), one))
  if (length(plots) == 1L) plots[[1L]] else plots
}

autoplot_profile <- function(object, level = 0.95, ...) {
  call <- method_call()
  refuse_arguments("autoplot", ..., call = call)
  check_level(level, call)
  check_ggplot2(call)
  ggplot_of(profile_texts(as.data.frame.profile.lmm(object), level), "profile")
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

# One function for each kind: gg_residuals() for "residuals" and so on.
ggplot_of <- function(table, which) get(paste0("gg_", which), mode = "function")(table)

# aes() of columns by their names.
aes_of <- function(...) do.call(ggplot2::aes, lapply(list(...), as.name))

# A plot with the texts of a table. `data` is what most of its layers show.
gg_frame <- function(table, data = table, ..., title = attr(table, "labels")$title) {
  texts <- attr(table, "labels")
  ggplot2::ggplot(data, aes_of(...)) + ggplot2::labs(title = title, x = texts$x, y = texts$y) + gg_theme()
}

gg_theme <- function() {
  ggplot2::theme_bw() + ggplot2::theme(
    panel.grid.minor = ggplot2::element_blank(), plot.margin = ggplot2::margin(5.5, 12, 5.5, 5.5),
    legend.position = "top",
    legend.margin = ggplot2::margin(0, 0, 0, 0), strip.background = ggplot2::element_rect(fill = "#E8E8E8", colour = NA)
  )
}

# Points for panels of n of them; `n` has one element, or one for each point.
gg_points <- function(n, ...) {
  crowded <- n > 2000L
  ggplot2::geom_point(..., colour = plot_colours[["point"]], alpha = ifelse(crowded, 0.3, 0.8),
    shape = ifelse(crowded, 16L, 1L), size = ifelse(crowded, 0.8, 1.5)
  )
}

gg_guide <- function(..., line = ggplot2::geom_hline) {
  line(..., colour = plot_colours[["guide"]], linetype = 2L, linewidth = 0.4)
}

#' A discrete axis of levels with a free scale for each facet
#'
#' @param keys Unique keys of the levels of all panels, sorted within each.
#' @param names What to write for each of them.
#' @param panel Panel of each of them. In panels of more than 200 levels ranks are written.
#' @noRd
gg_levels <- function(keys, names, panel) {
  size <- table(panel)[as.character(panel)]
  rank <- stats::ave(seq_along(keys), as.character(panel), FUN = seq_along)
  texts <- ifelse(size > 200L, big_number(rank), cut_text(as.character(names), 25L))
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
