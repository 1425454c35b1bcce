# plot() of a fit: what is asked for, and which graphical parameters are known.
#
# Reads   a fit.
# Writes  pictures (plot-picture.R) of its tables (plot-data.R), drawn by plot-base.R; what a formula says is drawn by
#         plot-lattice.R.

#' Plots of a fit
#'
#' Base graphics, in colours that colour-blind readers can tell apart; shapes and line types say the same, for prints in
#' grey. The same plots with ggplot2: [autoplot.lmm].
#'
#' @param x An object of class `lmm`.
#' @param which One or more of
#'   * `"residuals"`: scaled residuals against fitted values, with a running mean;
#'   * `"scale"`: the square root of their size against fitted values;
#'   * `"qq"`: normal quantile plot of the scaled residuals;
#'   * `"by_group"`: residuals of each level, sorted by the median; a panel for each grouping factor;
#'   * `"ranef_qq"`: normal quantile plot of the random effects with a pointwise band; a panel for each effect;
#'   * `"caterpillar"`: random effects with intervals, sorted; a panel for each effect;
#'   * `"shrinkage"`: from no pooling to partial pooling; one effect by level, or two effects in a plane;
#'   * `"observed"`: observed and fitted values in a small panel for each level over the covariate, or all observed
#'     against fitted values where there is no such covariate;
#'   * `"varcomp"`: standard deviations and correlations with profile intervals;
#'   * `"profile"`: profile zeta of all parameters, see [profile.lmm()];
#'   * `"influence"`: Cook's distance of each row, or of each level of `group`;
#'   * `"strata"`: residuals in each stratum of `dispersion` (without one: of each level of the first grouping factor),
#'     with the spread that the model gives them;
#'   * `"acf"`: autocorrelation of the normalized residuals within the series of `correlation` (without one: within the
#'     levels of `group`, by default the first factor, in the order of the rows), with the band in which they would be
#'     if the fitted model were right.
#'
#'   Default: residuals and quantiles, side by side.
#'
#'   Or a formula as for lme4's and nlme's fits, such as `resid(.) ~ fitted(.) | Subject`: see [lattice].
#' @inheritParams plot_data
#' @param ask `TRUE`: wait before a new page. Default: when the pages do not fit on the device and somebody is there.
#' @param ... Graphical parameters such as `main`, `xlab`, `pch`, `cex`, passed to the plots. Any other argument is an
#'   error.
#' @returns The tables that were drawn, invisibly: see [plot_data()].
#' @details
#' The line in the quantile plot goes through the quartiles. Its slope is usually below one: residuals are taken after
#' the random effects have absorbed a part of the errors.
#'
#' The band of the autocorrelation is for residuals of a fit, which are correlated also where errors are not: they are
#' taken after the random effects, of which the same rows are the evidence. It is made of responses that are drawn from
#' the fitted model and fitted again (see *Autocorrelation* in [plot_data()]), and a short line in it is their mean.
#' With `correlation` circles are the residuals before it was taken out, and the broken line is their mean in those
#' draws. If the model is right an autocorrelation is outside of its 95 % band in one of 20 lags.
#'
#' The shrinkage plot with more than two effects is of the first two; choose others with `effect`.
#' @section Large data:
#'   What is drawn follows the size of the data, always in the same way:
#'   * More than 20,000 points of residuals become shaded cells of a grid of 100 by 60: the darker, the more points, on
#'     a logarithmic scale. A cell with one point is shown, so outliers stay.
#'   * Of more than 5000 quantiles the 500 at each end are drawn, and 1000 at equal steps between.
#'   * Residuals by group are points where groups have fewer than 10 rows, boxes where they have more (whiskers to the
#'     last value within 1.5 times the height of the box), and, for more than 40 levels, medians with quartiles.
#'     Residuals beyond the whiskers are points; of more than 2000 of these the largest.
#'   * Names of levels that would overlap are left out; long ones are cut in the middle, and those that differ still do.
#'     With more than 200 levels the axis shows ranks, and intervals become a band of thin lines.
#'   * Of more than 5000 residuals by stratum some at equal steps, and always the lowest and the highest of each.
#'   * Shrinkage of one effect with more than 60 levels is a plot of partially pooled against unpooled estimates.
#'   * Observed and fitted: see `show`. A panel has some 500 points at equal steps of their order, and its extremes.
#'   * Cook's distance of more than 2000 rows: the largest of each of 2000 neighbourhoods.
#'
#'   Titles that are wider than their panel are made smaller.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' plot(fit)
#' plot(fit, which = "caterpillar")
#' plot(fit, which = "observed", show = 6)
#' @export
plot.lmm <- function(x, which = c("residuals", "qq"), level = 0.95, group = NULL, effect = NULL, show = NULL,
                     ask = NULL, ...) {
  call <- method_call()
  form <- if (inherits(which, "formula")) which else list(...)$form
  # words of lme4's and nlme's plot, which has a formula by default; `type` of base graphics is one word
  trellis <- c("abline", "id", "idLabels", "grid")
  types <- list(...)$type
  if (missing(which) && (any(trellis %in% ...names()) || length(types) > 1L || identical(types, "smooth"))) {
    form <- or_else(form, resid(., type = "pearson") ~ fitted(.))
  }
  if (!is.null(form)) {
    # lattice::xyplot() of lme4 and nlme; `abline`, `id`, `idLabels` and what lattice knows are in `...`
    words <- list(...)
    return(do.call(plot_formula, c(list(x, form), words[names(words) != "form"], list(call = call)), quote = TRUE))
  }
  if (!is.null(ask)) check_flag(ask, "ask", call, "argument")
  which <- choose_several(which, plot_kinds, "which", call)
  options <- check_plot_options(x, level, group, effect, show, call)
  check_graphical(list(...), call)
  tables <- lapply(stats::setNames(which, which), function(one) plot_table(x, one, options))
  plots <- unlist(lapply(which, function(one) plots_of(pictures_of(tables[[one]], one))), recursive = FALSE)
  draw_pages(plots, if (identical(which, "profile")) 12L else 6L, ask, ...)
  invisible(if (length(tables) == 1L) tables[[1L]] else tables)
}

# What plot.default() and par() know and a panel can use.
graphical_names <- c(
  "adj", "ann", "asp", "axes", "bg", "bty", "cex", "cex.axis", "cex.lab", "cex.main", "cex.sub", "col", "col.axis",
  "col.lab", "col.main", "col.sub", "family", "fg", "font", "font.axis", "font.lab", "font.main", "font.sub",
  "frame.plot", "lab", "las", "lend", "log", "lty", "lwd", "main", "mgp", "panel.first", "panel.last", "pch", "sub",
  "tck", "tcl", "type", "xaxp", "xaxs", "xaxt", "xlab", "xlim", "xpd", "yaxp", "yaxs", "yaxt", "ylab", "ylim"
)

# The types of plot.default().
line_types <- c("p", "l", "b", "c", "o", "h", "s", "S", "n")

check_graphical <- function(given, call, own = c("which", "level", "group", "effect", "show", "ask"),
                            help = "plot.lmm") {
  names <- or_else(names(given), rep("", length(given)))
  unknown <- setdiff(names, graphical_names)
  if (!length(unknown)) {
    type <- given$type
    if (!is.null(type) && !(is.character(type) && length(type) == 1L && type %in% line_types)) {
      bad_setting(type, "type", paste("one of", quoted_list(line_types)), call, "argument")
    }
    return(invisible())
  }
  shown <- if (all(unknown == "")) "an argument without a name" else quoted_list(unknown[unknown != ""])
  near <- similar_names(unknown[1L], c(own, graphical_names))
  abort_ferrite("argument", "Every argument of `plot()` must be one that it knows, or a graphical parameter.",
    sprintf("It does not know %s.", shown),
    hint = if (length(near)) sprintf("Did you mean `%s`?", near[1L]) else sprintf("See `?%s`.", help),
    call = call
  )
}
