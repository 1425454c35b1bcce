# plot_data(): the tables that the plots of a fit are drawn from.
#
# Reads   a fit and the options of a plot.
# Writes  a data frame for each kind of plot. Nothing here loops over rows or levels: a million rows take about a
#         second. Larger stories have their own files: plot-observed.R, plot-series.R, plot-shrinkage.R.

#' The tables behind the plots
#'
#' Everything that [plot.lmm()] and [autoplot.lmm] draw, as a data frame, for use with any other graphics system.
#'
#' @param x An object of class `lmm`.
#' @param which The kind of plot, see below.
#' @param level Coverage of intervals and bands, between 0 and 1. Default 0.95.
#' @param group For the kinds that are about groups: names of the grouping factors wanted. Default `NULL`: all of them,
#'   for `"observed"` (which takes one) the first that has a covariate, for `"influence"` none, that is, single rows.
#' @param effect For the kinds that are about random effects: names of the effects wanted, such as `"(Intercept)"`.
#'   Default `NULL`: all of them.
#' @param show For `"observed"`: which levels get a panel, by their names, or how many. Default `NULL`: all if they are
#'   20 at most, otherwise 12.
#' @param ... No other argument is known.
#' @returns A data frame. Its attribute `labels` has the texts `title`, `x` and `y`, with the names of the model.
#' @details
#' Columns, by `which`:
#'   * `"residuals"`: `row` (name of the row), `fitted`, `residual` (scaled Pearson residual), `trend`;
#'   * `"scale"`: `row`, `fitted`, `root` (square root of the absolute scaled residual), `trend`;
#'   * `"qq"`: `row`, `theoretical` (normal quantile), `residual`, sorted, `line` (the line through the quartiles);
#'   * `"by_group"`: `row`, `grpvar`, `grp`, `residual`, `centre` (median of the level), `position`; all rows, for each
#'     grouping factor;
#'   * `"ranef_qq"`: a row for each level and effect; `grpvar`, `term`, `grp`, `condval`, `condsd`, `standardised`,
#'     `theoretical`, `lower`, `upper`, sorted;
#'   * `"caterpillar"`: the columns of `as.data.frame(ranef(x))`, then `lower`, `upper`, `position`;
#'   * `"shrinkage"`: the columns of [shrinkage()], then `position`;
#'   * `"observed"`: a row of the data each; `row`, `grpvar`, `grp`, `x`, `series`, `observed`, `fitted`, `line`,
#'     `population` (without random effects), `position`;
#'   * `"varcomp"`: a row for each standard deviation and correlation; `name`, `grp`, `kind`, `unit`, `label`,
#'     `estimate`, `lower`, `upper`;
#'   * `"profile"`: the columns of `as.data.frame(profile(x))`: `par`, `zeta`, `value`;
#'   * `"influence"`: a row for each row of the data, or level; the columns of
#'     [as.data.frame()][as.data.frame.influence.lmm] of [influence()][influence.lmm], and `index`.
#'
#'   * `"strata"`: a row of the data each; `row`, `stratum`, `residual` (over sigma and the weights alone), `sd` (what
#'     the model says of its spread), `observed` (root mean square in the stratum);
#'   * `"acf"`: a row for each lag; `lag`, `acf` of the normalized residuals, `raw` of residuals over their standard
#'     deviations alone, `model` (mean of `raw` in draws from the fit; `NA` without `correlation`), `pairs`, `expected`
#'     (mean of `acf` in draws from the fit), `lower`, `upper`; attribute `draws`.
#'
#' `position` is the rank of a level, 1 the smallest: by its median, its effect, or its partially pooled estimate.
#'
#' `trend` is a running mean by [stats::lowess()]; with more than 5000 rows, of the means of 1000 groups of neighbours
#' of equal size.
#'
#' `standardised` is a random effect divided by the standard deviation that it should have under the model, the root of
#' its variance minus its conditional variance: these follow a standard normal distribution also where groups differ in
#' size. `lower` and `upper` are the pointwise band of the order statistics of as many independent ones (`NA` if the
#' variance is zero). A level whose rows say nothing about the effect is left out.
#'
#' Intervals of the caterpillar plot are conditional on the covariance parameters. Those of `"varcomp"` are profile
#' intervals, see [confint.lmm()]; `unit` tells which components have a unit in common.
#'
#' Cook's distances are by exact deletion, see [influence.lmm()], where rows times random effects are a million at
#' most, or `group` is given. Otherwise they are those of [cooks.distance()][hatvalues.lmm], which hold the covariance
#' parameters, with the columns `deleted`, `rows`, `index` and `cooks.distance` only; the text of the axis says so.
#'
#' For `"observed"` the levels are ordered by their mean random effect, and if not all are shown they are those at
#' equal steps of rank from the lowest to the highest. There are lines over `x` if exactly one numeric variable of the
#' model varies within the levels, and at most 6 combinations of other predictors do (`series`); `line` counts the
#' random effects of this factor and of those in which it is nested. Otherwise `x`, `line` and `series` are `NA`, and
#' the plot is of the observed against the fitted values of all levels (or those in `show`).
#' @section Autocorrelation:
#' The band of `"acf"` is a parametric envelope: responses are drawn from the fit, the model is fitted to each, and
#' the autocorrelation of its residuals is that of a right model with these rows. With m draws of mean \eqn{\bar a} and
#' standard deviation s the band is \eqn{\bar a \pm t_{m-1} s \sqrt{1 + 1/m}}, in which one more draw is with the
#' probability `level`. There are 199 draws for up to 5000 rows, 19 for more than 50,000. They have a
#' generator of their own, with a seed from the response: a band does not change when it is made again, and the state
#' of R's generator stays as it is. In simulations of 300 data sets of right models an autocorrelation was inside its
#' 95 % band in 94 to 96 % of them at every lag (AR(1) in 20 series of 10 and in 6 series of 40), where the band for
#' independent values, around zero, held in 7 % at the first lag of 27 groups of 4 rows with random slopes.
#' @section Conditions:
#'   `ferrite_error_argument`; those of [confint.lmm()] and [profile.lmm()].
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' head(plot_data(fit, "caterpillar"))
#' plot_data(fit, "varcomp")$lower # 1.5830 1.2355
#' @export
plot_data <- function(x, which, ...) {
  UseMethod("plot_data")
}

#' @export
plot_data.default <- function(x, which, ...) {
  abort_ferrite("argument", "`plot_data()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(x), "."),
    hint = "Fit a model with `lmm()`.", call = method_call()
  )
}

# The kinds of plots, in the order of the help.
plot_kinds <- c(
  "residuals", "scale", "qq", "by_group", "ranef_qq", "caterpillar", "shrinkage", "observed", "varcomp", "profile",
  "influence", "strata", "acf"
)

#' @rdname plot_data
#' @export
plot_data.lmm <- function(x, which = c("residuals", "scale", "qq", "by_group", "ranef_qq", "caterpillar", "shrinkage",
                                       "observed", "varcomp", "profile", "influence", "strata",
                                       "acf"),
                          level = 0.95, group = NULL, effect = NULL, show = NULL, ...) {
  call <- method_call()
  refuse_arguments("plot_data", ..., call = call)
  which <- choose_one(which, plot_kinds, "which", call)
  options <- check_plot_options(x, level, group, effect, show, call)
  plot_table(x, which, options)
}

# The options of a plot, checked: list(level, group, effect, show, call).
check_plot_options <- function(fit, level, group, effect, show, call) {
  check_level(level, call)
  check_names(group, factor_names(fit), "group", "grouping factors", call)
  effects <- unique(unlist(lapply(fit$random, function(term) term$effects)))
  check_names(effect, effects, "effect", "random effects", call)
  if (!is.null(show) && !is.character(show)) show <- check_count(show, "show", call)
  list(level = level, group = group, effect = effect, show = show, call = call)
}

plot_table <- function(fit, which, options) {
  switch(which,
    residuals = residual_data(fit),
    scale = scale_data(fit),
    qq = qq_data(fit),
    by_group = by_group_data(fit, options),
    ranef_qq = ranef_qq_data(fit, options),
    caterpillar = caterpillar_data(fit, options),
    shrinkage = shrinkage_data(fit, options),
    observed = observed_data(fit, options),
    varcomp = varcomp_data(fit, options),
    profile = profile_data(fit, options),
    influence = influence_data(fit, options),
    strata = strata_data(fit, options),
    acf = acf_data(fit, options)
  )
}

# The table with the texts of the plot, and what else its drawing needs.
with_labels <- function(table, title, x, y, ...) {
  attr(table, "labels") <- list(title = title, x = x, y = y)
  extra <- list(...)
  for (name in names(extra)) attr(table, name) <- extra[[name]]
  table
}

# The name of a variable of the model for an axis, with its unit where the variable carries one, as an attribute
# `units` or as a time difference does; an attribute `label` takes the place of the name.
variable_label <- function(fit, name) {
  value <- fit$frame[[name]]
  one_text <- function(x) if (is.character(x) && length(x) == 1L && !is.na(x) && nzchar(x)) x
  label <- or_else(one_text(attr(value, "label")), name)
  unit <- one_text(attr(value, "units"))
  if (is.null(unit)) label else sprintf("%s (%s)", label, unit)
}

response_label <- function(fit) variable_label(fit, names(fit$frame)[1L])

# The rows of a table whose grouping factor and effect are wanted. A pair that does not exist is an error.
wanted_effects <- function(table, options) {
  keep <- rep(TRUE, nrow(table))
  if (!is.null(options$group)) keep <- keep & table$grpvar %in% options$group
  if (!is.null(options$effect)) keep <- keep & table$term %in% options$effect
  if (!any(keep)) {
    abort_ferrite("argument", "`group` and `effect` must name a random effect of the model.",
      sprintf("%s has no random effect %s.", quoted_list(options$group), quoted_list(options$effect)),
      hint = "Leave one of them out.", call = options$call, data = list(argument = "effect")
    )
  }
  table[keep, , drop = FALSE]
}

# Names of panels for rows of a table with `grpvar` and `term`: a factor in the order of the table.
effect_panels <- function(table) {
  factor <- factor(table$grpvar, levels = unique(table$grpvar))
  cell <- (as.integer(factor) - 1L) * nlevels(table$term) + as.integer(table$term)
  first <- !duplicated(cell)
  names <- paste(table$grpvar[first], table$term[first], sep = ": ")
  factor(match(cell, cell[first]), levels = seq_along(names), labels = make.unique(names))
}

# Random effects -------------------------------------------------------------------------------------------------------

caterpillar_data <- function(fit, options) caterpillar_table(as.data.frame(ranef(fit)), options)

# Without conditional variances the intervals are points.
caterpillar_table <- function(effects, options) {
  table <- wanted_effects(effects, options)
  half <- stats::qnorm((1 + options$level) / 2) * or_else(table$condsd, 0)
  table$lower <- table$condval - half
  table$upper <- table$condval + half
  table$position <- rank_within(table$condval, effect_panels(table))
  rownames(table) <- NULL
  with_labels(table, "Random effects", sprintf("Random effect with %g %% interval", 100 * options$level), NULL,
    level = options$level
  )
}

# Ranks of values within their panel, ties in the order of the table.
rank_within <- function(values, panel) {
  codes <- as.integer(panel)
  order <- order(codes, values)
  size <- tabulate(codes)
  out <- numeric(length(values))
  out[order] <- seq_along(values) - rep(cumsum(c(0, size))[seq_along(size)], size)
  out
}

# Under the model the conditional mean of an effect has its variance minus the conditional one, whatever the size of
# the group; divided by the root of that, groups of different sizes can be compared with one normal distribution.
ranef_qq_data <- function(fit, options) {
  table <- as.data.frame(ranef(fit))
  table$variance <- effect_variances(fit)
  table <- wanted_effects(table, options)
  spread <- sqrt(pmax(table$variance - table$condsd^2, 0))
  spread[spread <= 1e-7 * sqrt(table$variance)] <- 0
  # a level whose rows say nothing about an effect that varies is left out
  known <- spread > 0 | table$variance == 0
  table <- table[known, , drop = FALSE]
  spread <- spread[known]
  table$standardised <- ifelse(spread > 0, table$condval / spread, 0)
  table$variance <- NULL
  panel <- effect_panels(table)
  rank <- rank_within(table$standardised, panel)
  n <- tabulate(panel)[panel]
  tail <- (1 - options$level) / 2
  table$theoretical <- stats::qnorm((rank - plotting_shift(n)) / (n + 1 - 2 * plotting_shift(n)))
  table$lower <- stats::qnorm(stats::qbeta(tail, rank, n + 1 - rank))
  table$upper <- stats::qnorm(stats::qbeta(1 - tail, rank, n + 1 - rank))
  table[spread == 0, c("lower", "upper")] <- NA_real_
  table <- table[order(as.integer(panel), rank), , drop = FALSE]
  rownames(table) <- NULL
  with_labels(table, "Normal quantile plot of random effects", "Standard normal quantile",
    "Standardised random effect", level = options$level
  )
}

# What ppoints() subtracts from the rank, for samples of size n.
plotting_shift <- function(n) ifelse(n <= 10, 3 / 8, 1 / 2)

# Var(b) of every row of as.data.frame(ranef(fit)).
effect_variances <- function(fit) {
  unlist(lapply(factor_names(fit), function(group) {
    terms <- Filter(function(term) identical(term$group, group), fit$random)
    lapply(terms, function(term) rep(diag(term$varcov), each = nrow(term$b)))
  }), use.names = FALSE)
}

# Parameters, profiles, influence --------------------------------------------------------------------------------------

# Standard deviations and correlations with profile intervals. A correlation that is undefined is left out.
varcomp_data <- function(fit, options) {
  parameters <- parameter_table(fit)
  parameters <- parameters[parameters$kind != "beta", ]
  limits <- confint(fit, "theta_", level = options$level)
  cells <- do.call(rbind, lapply(fit$random, function(term) component_cells(fit, term)))
  serial <- residual_cells(fit)
  table <- data.frame(
    name = parameters$name, grp = c(cells$grp, "Residual", serial$grp), kind = parameters$kind,
    unit = c(cells$unit, "response", serial$unit), label = c(cells$label, "Residual", serial$label),
    estimate = parameters$estimate,
    lower = unname(limits[, 1L]), upper = unname(limits[, 2L])
  )
  table <- table[!is.na(table$estimate), ]
  rownames(table) <- NULL
  with_labels(table, sprintf("Variance components with %g %% intervals", 100 * options$level), NULL, NULL,
    level = options$level, response = response_label(fit)
  )
}

# The components of one random term, by columns of the lower triangle: label and unit. Effects of categories have the
# unit of the response; a slope has a unit of its own, shared by slopes of the same variable.
component_cells <- function(fit, term) {
  cells <- parameter_cells(term)
  row <- cells[, 1L]
  col <- cells[, 2L]
  units <- ifelse(vapply(term$effects, is_slope, NA, term = term, frame = fit$frame), term$effects, "response")
  data.frame(
    grp = term$group,
    unit = ifelse(row == col, units[row], "correlation"),
    label = paste0(term$group, ": ", ifelse(row == col, term$effects[row],
      paste0(term$effects[col], ", ", term$effects[row])))
  )
}

# Whether a column of a random term has a numeric variable in it: named as the variable, or, for a matrix such as
# poly(x, 2), beginning with its name.
is_slope <- function(effect, term, frame) {
  columns <- frame[predictor_names(term$lhs)]
  # as the names of columns spell them: with backticks where needed
  names <- rownames(attr(term$lhs, "factors"))
  numeric <- vapply(columns, is.numeric, NA)
  matrix <- !vapply(lapply(columns, dim), is.null, NA)
  within <- function(parts) any(vapply(parts, grepl, NA, x = paste0(":", effect, ":"), fixed = TRUE))
  within(sprintf(":%s:", names[numeric])) || within(sprintf(":%s", names[numeric & matrix]))
}

profile_data <- function(fit, options) {
  profile_texts(as.data.frame(profile(fit)), options$level)
}

profile_texts <- function(table, level) with_labels(table, "Profile zeta", NULL, "zeta", level = level)

# Exact deletion of rows where it takes a moment, or of the levels that the user asked for; otherwise Cook's distances
# of rows with the covariance parameters held.
influence_data <- function(fit, options) {
  groups <- options$group
  if (is.null(groups) && fit$nobs * random_count(fit) > 1e6) {
    distance <- drop_missing_values(stats::cooks.distance(fit))
    table <- data.frame(deleted = names(distance), rows = 1L, cooks.distance = unname(distance))
    note <- "Cook's distance (covariance parameters held)"
  } else {
    table <- as.data.frame(influence(fit, groups, progress = FALSE))
    note <- "Cook's distance"
  }
  table <- cbind(table[1:2], index = seq_len(nrow(table)), table[-(1:2)])
  unit <- if (is.null(groups)) "row" else paste(groups, collapse = ", ")
  with_labels(table, paste("Influence of each", unit), sprintf("Index of %s", unit), note)
}

drop_missing_values <- function(values) values[!is.na(values)]

# The components of residuals that are not alike.
residual_cells <- function(fit) {
  own <- residual_parameters(fit)
  if (is.null(own)) return(NULL)
  unit <- c(ratio = "ratio", dispersion = "coefficient", rho = "correlation")[own$kind]
  data.frame(grp = "Residual", unit = unname(unit), label = paste0("Residual: ", sub("^[a-z]+_", "", own$name)))
}

# Residuals ------------------------------------------------------------------------------------------------------------
#
# Nothing here loops over rows or levels: a million rows take about a second.

# Fitted values and scaled Pearson residuals of the rows in the fit.
row_values <- function(fit) {
  design <- design_of(fit)
  fitted <- fixed_part(fit, design) + random_part(fit, design)
  residual <- (design$y - fitted) / fit$sigma
  if (!is.null(design$weights)) residual <- residual * sqrt(design$weights)
  list(row = rownames(fit$frame), fitted = fitted, residual = residual, design = design)
}

residual_data <- function(fit) {
  rows <- row_values(fit)
  table <- data.frame(row = rows$row, fitted = rows$fitted, residual = rows$residual)
  table$trend <- smooth_trend(table$fitted, table$residual)
  with_labels(table, "Residuals against fitted values", paste("Fitted", response_label(fit)), "Scaled residual")
}

scale_data <- function(fit) {
  rows <- row_values(fit)
  table <- data.frame(row = rows$row, fitted = rows$fitted, root = sqrt(abs(rows$residual)))
  table$trend <- smooth_trend(table$fitted, table$root)
  with_labels(table, "Scale against location", paste("Fitted", response_label(fit)),
    "Square root of |scaled residual|"
  )
}

# A running mean of y along x, robust against outliers; of the means of 1000 neighbourhoods when there are very many.
smooth_trend <- function(x, y) {
  trend <- rep(mean(y), length(y))
  mean_x <- x
  mean_y <- y
  if (length(x) > 5000L) {
    order <- order(x)
    bin <- (seq_along(x) - 1) %/% (length(x) / 1000)
    mean_x <- rowsum(x[order], bin, reorder = FALSE)[, 1L] / tabulate(bin + 1)
    mean_y <- rowsum(y[order], bin, reorder = FALSE)[, 1L] / tabulate(bin + 1)
  }
  smooth <- stats::lowess(mean_x, mean_y)
  # values that differ by rounding are one value
  varies <- diff(range(smooth$x)) > 1e-10 * max(abs(smooth$x))
  if (varies) trend <- stats::approx(smooth$x, smooth$y, x, ties = mean, rule = 2L)$y
  trend
}

qq_data <- function(fit) {
  rows <- row_values(fit)
  residual <- rows$residual
  order <- order(residual)
  theoretical <- stats::qnorm(stats::ppoints(length(residual)))
  # conditional residuals shrink: their spread is that of the quartiles, not one
  at <- stats::qnorm(c(0.25, 0.75))
  quartiles <- stats::quantile(residual, c(0.25, 0.75), names = FALSE)
  slope <- diff(quartiles) / diff(at)
  table <- data.frame(
    row = rows$row[order],
    theoretical = theoretical,
    residual = residual[order],
    line = quartiles[1L] + slope * (theoretical - at[1L])
  )
  with_labels(table, "Normal quantile plot", "Standard normal quantile", "Scaled residual")
}

by_group_data <- function(fit, options) {
  rows <- row_values(fit)
  factors <- fit$factors[factor_order(fit)]
  names <- vapply(factors, function(factor) factor$name, "")
  wanted <- if (is.null(options$group)) names else options$group
  tables <- lapply(match(wanted, names), function(k) {
    factor <- factors[[k]]
    codes <- rows$design$factors[[factor_order(fit)[k]]]$codes
    centre <- level_quantiles(rows$residual, codes, factor$n_levels, 0.5)[, 1L]
    data.frame(
      row = rows$row, grpvar = factor$name, grp = factor$levels[codes], residual = rows$residual,
      centre = centre[codes], position = rank(centre, ties.method = "first")[codes]
    )
  })
  table <- if (length(tables) == 1L) tables[[1L]] else do.call(rbind, tables)
  with_labels(table, "Residuals by group", "Scaled residual", NULL)
}

#' Quantiles of each level
#'
#' @param codes Level of each value, 1 to `n_levels`; every level has a value.
#' @param probs Probabilities, for the definition of [stats::quantile()] of type 7.
#' @returns A matrix with a row for each level and a column for each probability.
#' @noRd
level_quantiles <- function(values, codes, n_levels, probs) {
  sorted <- values[order(codes, values)]
  size <- tabulate(codes, n_levels)
  before <- cumsum(c(0, size))[seq_len(n_levels)]
  place <- outer(size - 1, probs)
  low <- floor(place + 1e-9)
  high <- pmin(low + 1, size - 1)
  share <- pmax(place - low, 0)
  lower <- sorted[before + low + 1]
  matrix(lower + share * (sorted[before + high + 1] - lower), n_levels)
}

#' Boxes of each level
#'
#' @param table Rows of one grouping factor of the table `"by_group"`.
#' @returns A list: `boxes`, a data frame with a row for each level in the order of `position` (`grp`, `position`, `n`,
#'   `lower`, `q1`, `median`, `q3`, `upper`), the whiskers going to the last value within 1.5 times the height of the
#'   box; `outliers`, the rows of `table` beyond them.
#' @noRd
level_boxes <- function(table) {
  codes <- as.integer(table$position)
  n <- max(codes)
  quartiles <- level_quantiles(table$residual, codes, n, c(0.25, 0.5, 0.75))
  reach <- 1.5 * (quartiles[, 3L] - quartiles[, 1L])
  inside <- table$residual >= (quartiles[, 1L] - reach)[codes] & table$residual <= (quartiles[, 3L] + reach)[codes]
  order <- order(codes, table$residual)
  order <- order[inside[order]]
  ordered <- codes[order]
  boxes <- data.frame(
    grp = table$grp[match(seq_len(n), codes)], position = seq_len(n), n = tabulate(codes, n),
    lower = table$residual[order[!duplicated(ordered)]], q1 = quartiles[, 1L], median = quartiles[, 2L],
    q3 = quartiles[, 3L], upper = table$residual[order[!duplicated(ordered, fromLast = TRUE)]]
  )
  # quartiles lie between the values, whiskers on them: they start at the box at least
  boxes$lower <- pmin(boxes$lower, boxes$q1)
  boxes$upper <- pmax(boxes$upper, boxes$q3)
  list(boxes = boxes, outliers = table[!inside, , drop = FALSE])
}
