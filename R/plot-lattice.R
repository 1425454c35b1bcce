# Plots with lattice, in the words of lme4 and nlme: plot(fit, formula), qqmath(fit), qqnorm(fit), pairs(fit), dotplot()
# and qqmath() of random effects, xyplot() and densityplot() of profiles.
#
# Reads   a fit, or what ranef() returned; lattice is a recommended package and is asked for where it is needed.
# Writes  objects of class `trellis`, which draw when they are printed.

#' Plots with lattice
#'
#' The plots that users of lme4 and nlme write.
#'
#' @name lattice
#' @aliases qqmath.lmm dotplot.ranef.lmm qqmath.ranef.lmm xyplot.profile.lmm densityplot.profile.lmm splom.profile.lmm
#' @section Usage:
#' ```
#' plot(x, form, abline = NULL, id = NULL, idLabels = NULL, grid = NULL, ...)
#' lattice::qqmath(x, id = NULL, idLabels = NULL, ...)
#' qqnorm(y, form = ~ resid(., type = "pearson"), abline = NULL, id = NULL, idLabels = NULL, grid = FALSE, ...)
#' pairs(x, form = ~ coef(.), grid = FALSE, ...)
#' lattice::dotplot(ranef(x), data, main = TRUE, transf = I, level = 0.95, ...)
#' lattice::qqmath(ranef(x), data, main = TRUE, level = 0.95, ...)
#' lattice::xyplot(profile(x), data = NULL, absVal = FALSE, conf = c(50, 80, 90, 95, 99) / 100, ...)
#' lattice::densityplot(profile(x), data = NULL, npts = 201, upper = 0.999, ...)
#' ```
#' @section Arguments:
#'   * `x`: an object of class `lmm`.
#'   * `form`: a formula. `.` is the fit, so `resid(.)` and `fitted(.)` are its residuals and fitted values; names are
#'     variables of the model, or of its data. `y ~ x` with numeric `y` is a scatter plot, with a factor `y` boxes;
#'     `~ x` is a histogram; `| g` has a panel for each level.
#'     Without a formula, `plot(x, abline = 0)` and `plot(x, type = c("p", "smooth"))` are those of
#'     `resid(., type = "pearson") ~ fitted(.)`. For `qqnorm()` a one-sided formula of residuals or of `ranef(.)`, for
#'     `pairs()` one of `ranef(.)` or `coef(.)`: those of the grouping factor with the most levels, or of
#'     `ranef(., level = 1)`.
#'   * `abline`: a number for a horizontal line, two for intercept and slope.
#'   * `id`: a number between 0 and 1: rows are named whose residual, over its standard deviation, is beyond that
#'     two-sided quantile of the normal distribution. Or a one-sided formula that gives the rows to name.
#'   * `idLabels`: their names, a vector or a one-sided formula; `~ .obs` are the numbers of the rows. Default: the
#'     levels of the grouping factors.
#'   * `grid`: whether to draw a grid. Default: in scatter plots.
#'   * `main`: `TRUE` writes the name of the grouping factor, a text that text. `transf`: a function of effects and
#'     limits. `level`: coverage of the intervals. `data` is there because the generic has it; it is not used.
#'   * `absVal`: `TRUE` for the absolute values of zeta. `conf`: levels of the intervals that are drawn. `npts`: points
#'     of each density, which reaches to the quantiles of `upper`.
#'   * `...`: arguments of the lattice function.
#' @section Value:
#'   An object of class `trellis`; of random effects a list of them, one for each grouping factor.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_error_package` where lattice is not installed; `ferrite_error_recover` for a
#'   variable that is not found.
#' @examples
#' fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' if (requireNamespace("lattice", quietly = TRUE)) {
#'   print(plot(fit, resid(., type = "pearson") ~ fitted(.) | Sex, abline = 0))
#'   print(plot(fit, Subject ~ resid(.)))
#'   print(lattice::dotplot(ranef(fit))$Subject)
#' }
NULL

lattice_methods <- function() {
  list(
    list("lattice", "qqmath", "lmm", qqmath_lmm),
    list("lattice", "dotplot", "ranef.lmm", dotplot_ranef),
    list("lattice", "qqmath", "ranef.lmm", qqmath_ranef),
    list("lattice", "xyplot", "profile.lmm", xyplot_profile),
    list("lattice", "densityplot", "profile.lmm", densityplot_profile),
    list("lattice", "splom", "profile.lmm", splom_profile)
  )
}

check_lattice <- function(call) {
  if (requireNamespace("lattice", quietly = TRUE)) return(invisible())
  abort_ferrite("package", "Plots of a formula must have the package lattice.", "It is not installed.",
    hint = "Install it, or choose a plot by `which = `, see `?plot.lmm`.", call = call
  )
}

# What the functions of lattice know, beside graphical parameters; they take anything else in silence.
lattice_names <- c(
  "abline", "aspect", "as.table", "auto.key", "axis", "between", "border", "box.ratio", "box.width", "breaks", "data",
  "default.prepanel", "distribute.type", "drop.unused.levels", "endpoints", "fill", "grid", "groups", "horizontal",
  "index.cond", "jitter.data", "jitter.x", "jitter.y", "key", "lattice.options", "layout", "legend", "levels.fos",
  "nint", "origin", "outer", "page", "panel", "panel.groups", "par.settings", "par.strip.text", "perm.cond",
  "plot.args", "prepanel", "scales", "skip", "span", "strip", "strip.left", "subset", "varwidth",
  "xscale.components", "yscale.components", "alpha", "fontface", "fontfamily", "factor", "amount"
)

check_lattice_names <- function(given, own, call) {
  names <- or_else(names(given), rep("", length(given)))
  unknown <- setdiff(names, c(lattice_names, graphical_names, own))
  if (!length(unknown)) return(invisible())
  shown <- if (all(unknown == "")) "an argument without a name" else quoted_list(unknown[unknown != ""])
  near <- similar_names(unknown[1L], c(own, lattice_names, graphical_names))
  abort_ferrite("argument", "Every argument must be one of the method, or of the function of lattice.",
    sprintf("They do not know %s.", shown),
    hint = if (length(near)) sprintf("Did you mean `%s`?", near[1L]) else "See `?ferrite::lattice`.", call = call
  )
}

plot_formula <- function(fit, form, ..., which = NULL, abline = NULL, id = NULL, idLabels = NULL, # nolint
                         grid = NULL, call) {
  if (!inherits(form, "formula")) {
    abort_ferrite("argument", "`form` must be a formula such as `resid(.) ~ fitted(.)`.",
      paste0("It is ", a_kind(form), "."), hint = "For the other plots use `which`, see `?plot.lmm`.", call = call,
      data = list(argument = "form")
    )
  }
  check_lattice(call)
  given <- list(...)
  check_lattice_names(given, c("form", "abline", "id", "idLabels", "grid"), call)
  lines <- is.null(abline) || (is.numeric(abline) && length(abline) %in% 1:2 && all(is.finite(abline)))
  if (!lines) bad_setting(abline, "abline", "one number, or an intercept and a slope", call, "argument")
  if (!is.null(grid)) check_flag(grid, "grid", call, "argument")
  parts <- formula_parts(form)
  fit <- fit_of_rows(fit)
  mask <- formula_mask(fit, c(parts, if (inherits(idLabels, "formula")) idLabels[[2L]],
    if (inherits(id, "formula")) id[[2L]]), environment(form), call)
  values <- lapply(parts, function(part) formula_value(part, mask, environment(form), fit$nobs, call))
  data <- data.frame(row = seq_len(fit$nobs))
  if (!is.null(values$y)) data$y <- values$y
  data$x <- values$x
  panels <- if (!is.null(values$g)) values$g
  if (!is.null(panels)) data$g <- as.factor(panels)
  texts <- lapply(parts, deparse_one)
  labels <- identified_rows(fit, id, idLabels, mask, environment(form), call)
  kind <- if (is.null(data$y)) "histogram" else if (is.numeric(data$y)) "xyplot" else "bwplot"
  if (kind == "bwplot") data$y <- as.factor(data$y)
  if (kind == "bwplot" && !is.numeric(data$x)) {
    abort_ferrite("argument", "One side of `form` must be numeric.",
      sprintf("Neither `%s` nor `%s` is.", texts$y, texts$x), hint = "Write, for example, `Subject ~ resid(.)`.",
      call = call, data = list(argument = "form")
    )
  }
  shape <- if (is.null(data$g)) list(xyplot = y ~ x, bwplot = y ~ x, histogram = ~x)
  else list(xyplot = y ~ x | g, bwplot = y ~ x | g, histogram = ~ x | g)
  ours <- list(x = shape[[kind]], data = data, xlab = texts$x)
  if (kind == "xyplot") {
    ours$ylab <- texts$y
    ours$panel <- formula_panel(or_else(grid, TRUE), abline, labels)
  } else if (!is.null(abline) || isTRUE(grid)) {
    draw <- getExportedValue("lattice", paste0("panel.", kind))
    ours$panel <- function(...) {
      if (isTRUE(grid)) lattice::panel.grid(h = -1L, v = -1L)
      draw(...)
      draw_abline(abline)
    }
  }
  if (kind == "bwplot") ours$ylab <- texts$y
  do.call(getExportedValue("lattice", kind), utils::modifyList(ours, given))
}

draw_abline <- function(abline) {
  if (length(abline) == 1L) lattice::panel.abline(h = abline)
  if (length(abline) == 2L) lattice::panel.abline(abline[1L], abline[2L])
}

# list(y, x, g), without what a formula lacks.
formula_parts <- function(form) {
  right <- form[[length(form)]]
  barred <- is.call(right) && identical(right[[1L]], quote(`|`))
  c(
    if (length(form) == 3L) list(y = form[[2L]]), list(x = if (barred) right[[2L]] else right),
    if (barred) list(g = panels_expression(right[[3L]]))
  )
}

# `a + b` and `a * b` after the bar are panels for the combinations.
panels_expression <- function(expr) {
  several <- is.call(expr) && as.character(expr[[1L]])[1L] %in% c("+", "*", ":") && length(expr) == 3L
  if (!several) return(expr)
  call("interaction", panels_expression(expr[[2L]]), panels_expression(expr[[3L]]), drop = TRUE)
}

# What the names of a formula stand for: the fit, and variables at its rows.
formula_mask <- function(fit, parts, env, call) {
  names <- setdiff(unlist(lapply(parts, all.vars)), c(".", ".obs"))
  names <- names[names %in% names(fit$frame) | names %in% columns_of_call(fit) |
    !vapply(names, exists, NA, envir = env)]
  c(as.list(recover_variables(fit, lapply(names, as.name), call)), list(. = fit, .obs = seq_len(fit$nobs)))
}

formula_value <- function(expr, mask, env, n, call) {
  value <- tryCatch(eval(expr, mask, env), error = function(e) {
    if (inherits(e, "ferrite_error")) stop(e)
    abort_ferrite("argument", "Every part of `form` must have a value at the rows of the fit.",
      sprintf("`%s` fails: %s.", code_text(expr), sub("[.]$", "", conditionMessage(e))),
      hint = "`.` is the fit: write, for example, `resid(.) ~ fitted(.)`.", call = call, data = list(argument = "form")
    )
  })
  if (length(value) == n && is.null(dim(value))) return(unname(value))
  abort_ferrite("argument", "Every part of `form` must have one value for each row of the fit.",
    sprintf("`%s` has %s; the fit has %s.", code_text(expr), counted(length(value), "value"), counted(n, "row")),
    hint = "`.` is the fit: write, for example, `resid(.) ~ fitted(.)`.", call = call, data = list(argument = "form")
  )
}

# The names of the rows to name, NA for all others; `NULL` for none.
identified_rows <- function(fit, id, labels, mask, env, call) {
  if (is.null(id)) return(NULL)
  if (inherits(id, "formula")) {
    chosen <- formula_value(id[[length(id)]], mask, env, fit$nobs, call)
    chosen <- if (is.logical(chosen)) chosen else seq_len(fit$nobs) %in% chosen
  } else {
    if (!is.numeric(id) || length(id) != 1L || is.na(id) || id <= 0 || id >= 1) {
      bad_setting(id, "id", "one number between 0 and 1, or a one-sided formula", call, "argument")
    }
    chosen <- unname(abs(residuals.lmm(fit, "pearson", scaled = TRUE))) > stats::qnorm(1 - id / 2)
  }
  names <- if (is.null(labels)) row_groups(fit)
  else if (inherits(labels, "formula")) formula_value(labels[[length(labels)]], mask, env, fit$nobs, call)
  else labels
  if (length(names) != fit$nobs) {
    abort_ferrite("argument", "`idLabels` must have one label for each row of the fit.",
      sprintf("It has %s; the fit has %s.", counted(length(names), "element"), counted(fit$nobs, "row")),
      hint = "Leave it out for the levels of the grouping factors.", call = call, data = list(argument = "idLabels")
    )
  }
  ifelse(chosen, as.character(names), NA_character_)
}

# The levels of the grouping factors of each row, outermost first.
row_groups <- function(fit) {
  levels <- lapply(fit$factors[rev(factor_order(fit))], function(factor) {
    factor$levels[codes_in(factor, fit$frame)]
  })
  do.call(paste, c(unname(levels), sep = "/"))
}

formula_panel <- function(grid, abline, labels) {
  function(x, y, subscripts, ...) {
    if (grid) lattice::panel.grid(h = -1L, v = -1L)
    lattice::panel.xyplot(x, y, subscripts = subscripts, ...)
    draw_abline(abline)
    own <- labels[subscripts]
    there <- which(!is.na(own))
    if (length(there)) lattice::panel.text(x[there], y[there], own[there], pos = 3L, cex = 0.7)
  }
}

qqmath_lmm <- function(x, data = NULL, id = NULL, idLabels = NULL, ...) { # nolint: object_name_linter.
  call <- method_call()
  check_lattice_names(list(...), c("id", "idLabels"), call)
  fit <- fit_of_rows(x)
  values <- unname(residuals.lmm(fit, "pearson", scaled = TRUE))
  form <- inherits(idLabels, "formula")
  mask <- formula_mask(fit, if (form) idLabels[[length(idLabels)]], globalenv(), call)
  labels <- identified_rows(fit, id, idLabels, mask, globalenv(), call)
  order <- order(values)
  table <- data.frame(theoretical = stats::qnorm(stats::ppoints(length(values))), residual = values[order])
  ours <- list(
    x = residual ~ theoretical, data = table, xlab = "Standard normal quantiles", ylab = "Standardized residuals",
    panel = formula_panel(TRUE, NULL, labels[order])
  )
  do.call(lattice::xyplot, utils::modifyList(ours, list(...)))
}

#' @rawNamespace S3method(stats::qqnorm, lmm)
qqnorm.lmm <- function(y, form = ~ resid(., type = "pearson"), abline = NULL, id = NULL, idLabels = NULL, # nolint
                       grid = FALSE, ...) {
  call <- method_call()
  check_lattice(call)
  check_flag(grid, "grid", call, "argument")
  parts <- one_sided_parts(form, call)
  effects <- effects_of_formula(y, parts$x, form)
  ours <- list(xlab = "Standardized residuals", ylab = "Quantiles of standard normal")
  if (!is.null(effects)) {
    long <- data.frame(value = unlist(effects, use.names = FALSE),
      effect = factor(rep(names(effects), each = nrow(effects)), names(effects)))
    long$normal <- stats::ave(long$value, long$effect, FUN = normal_scores)
    ours$xlab <- "Random effects"
    if (identical(as.character(parts$x[[1L]])[1L], "coef")) ours$xlab <- "Coefficients"
    ours <- c(list(x = normal ~ value | effect, data = long, scales = list(x = list(relation = "free")),
      panel = formula_panel(grid, abline, NULL)), ours)
  } else {
    fit <- fit_of_rows(y)
    mask <- formula_mask(fit, c(parts, if (inherits(idLabels, "formula")) idLabels[[2L]],
      if (inherits(id, "formula")) id[[2L]]), environment(form), call)
    values <- lapply(parts, formula_value, mask, environment(form), fit$nobs, call)
    # pearson residuals are in the unit of the response here
    unit <- if (identical(parts$x, quote(resid(., type = "pearson")))) fit$sigma else 1
    if (unit == 1) ours$xlab <- deparse_one(parts$x)
    data <- data.frame(value = values$x / unit, normal = normal_scores(values$x))
    if (!is.null(values$g)) data$g <- as.factor(values$g)
    labels <- identified_rows(fit, id, idLabels, mask, environment(form), call)
    ours <- c(list(x = if (is.null(data$g)) normal ~ value else normal ~ value | g, data = data,
      panel = formula_panel(grid, abline, labels)), ours)
  }
  do.call(lattice::xyplot, utils::modifyList(ours, list(...)))
}

normal_scores <- function(x) stats::qnorm(stats::ppoints(length(x)))[order(order(x))]

#' @rawNamespace S3method(graphics::pairs, lmm)
pairs.lmm <- function(x, form = ~ coef(.), grid = FALSE, ...) {
  call <- method_call()
  check_lattice(call)
  check_flag(grid, "grid", call, "argument")
  parts <- one_sided_parts(form, call)
  effects <- effects_of_formula(x, parts$x, form)
  if (is.null(effects) || !is.null(parts$g) || ncol(effects) < 2L) {
    abort_ferrite("argument", "`form` must be `~ ranef(.)` or `~ coef(.)`, with two columns or more.",
      if (is.null(effects)) sprintf("`%s` has none by groups.", code_text(parts$x))
      else if (!is.null(parts$g)) "It has panels." else sprintf("There is one: `%s`.", names(effects)),
      hint = "For residuals write `plot(fit, resid(.) ~ fitted(.))`.", call = call, data = list(argument = "form")
    )
  }
  if (ncol(effects) > 2L) return(do.call(lattice::splom, utils::modifyList(list(x = effects), list(...))))
  ours <- list(x = second ~ first, data = data.frame(first = effects[[1L]], second = effects[[2L]]),
    xlab = names(effects)[1L], ylab = names(effects)[2L], panel = formula_panel(grid, NULL, NULL))
  do.call(lattice::xyplot, utils::modifyList(ours, list(...)))
}

one_sided_parts <- function(form, call) {
  if (inherits(form, "formula") && length(form) == 2L) return(formula_parts(form))
  abort_ferrite("argument", "`form` must be a one-sided formula such as `~ resid(.)` or `~ ranef(.)`.",
    paste0("It is ", a_kind(form), "."), hint = "For two variables write `plot(fit, resid(.) ~ fitted(.))`.",
    call = call, data = list(argument = "form")
  )
}

# The table of `ranef(.)` or `coef(.)`, of the first grouping factor if there are several; `NULL` of anything else.
effects_of_formula <- function(fit, expr, form) {
  if (!is.call(expr) || !as.character(expr[[1L]])[1L] %in% c("ranef", "coef", "random.effects")) return(NULL)
  value <- eval(expr, list(. = fit, ranef = ranef, random.effects = ranef, coef = stats::coef), environment(form))
  table <- if (is.data.frame(value)) value else value[[1L]]
  if (is.data.frame(table)) table[vapply(table, stats::var, 0) > 0]
}

# Random effects ------------------------------------------------------------------------------------------------------

dotplot_ranef <- function(x, data, main = TRUE, transf = I, level = 0.95, ...) {
  call <- method_call()
  check_lattice_names(list(...), c("main", "transf", "level"), call)
  if (!is.function(transf)) bad_setting(transf, "transf", "a function", call, "argument")
  tables <- trellis_effects(x, transf, level, call)
  lattice_effects(tables, main, call, function(table, ours) {
    first <- table[table$term == levels(table$term)[1L], , drop = FALSE]
    table$level <- factor(as.character(table$grp), as.character(first$grp)[order(first$centre)])
    panel <- function(x, y, subscripts, ...) {
      lattice::panel.dotplot(x, y, ...)
      lattice::panel.segments(table$lower[subscripts], as.integer(y), table$upper[subscripts], as.integer(y),
        col = plot_colours[["point"]])
      lattice::panel.abline(v = transf(0), lty = 2L, col = plot_colours[["guide"]])
    }
    many <- nlevels(table$level) > 60L
    c(list(x = level ~ centre | term, data = table, panel = panel, xlab = NULL,
      ylab = if (many) paste(table$grpvar[1L], "(rank)"),
      scales = list(x = list(relation = "free"), y = list(draw = !many))), ours)
  }, list(...), lattice::dotplot)
}

qqmath_ranef <- function(x, data, main = TRUE, level = 0.95, ...) {
  call <- method_call()
  check_lattice_names(list(...), c("main", "level"), call)
  tables <- trellis_effects(x, identity, level, call)
  lattice_effects(tables, main, call, function(table, ours) {
    n <- table(table$term)[as.character(table$term)]
    rank <- stats::ave(table$centre, table$term, FUN = function(v) rank(v, ties.method = "first"))
    shift <- plotting_shift(as.vector(n))
    table$theoretical <- stats::qnorm((rank - shift) / (as.vector(n) + 1 - 2 * shift))
    panel <- function(x, y, subscripts, ...) {
      lattice::panel.grid(h = -1L, v = -1L)
      lattice::panel.segments(table$lower[subscripts], y, table$upper[subscripts], y, col = plot_colours[["point"]])
      lattice::panel.xyplot(x, y, pch = 16L, ...)
      lattice::panel.abline(v = 0, lty = 2L, col = plot_colours[["guide"]])
    }
    c(list(x = theoretical ~ centre | term, data = table, panel = panel, xlab = "Random effect",
      ylab = "Standard normal quantiles", scales = list(x = list(relation = "free"))), ours)
  }, list(...), lattice::xyplot)
}

# A table for each grouping factor: grpvar, term, grp, centre, lower, upper; without conditional variances the limits
# are the effects.
trellis_effects <- function(x, transf, level, call) {
  check_level(level, call)
  table <- as.data.frame(x)
  half <- stats::qnorm((1 + level) / 2) * or_else(table$condsd, 0)
  ends <- list(centre = table$condval, lower = table$condval - half, upper = table$condval + half)
  table[names(ends)] <- lapply(ends, function(values) as.vector(transf(values)))
  lapply(split_in_order(table, table$grpvar), function(one) {
    one$term <- factor(as.character(one$term), unique(as.character(one$term)))
    one
  })
}

lattice_effects <- function(tables, main, call, arguments, given, draw) {
  lapply(stats::setNames(nm = names(tables)), function(group) {
    table <- tables[[group]]
    limits <- lapply(split(table, table$term), function(one) {
      grDevices::extendrange(c(one$lower, one$upper))
    })
    title <- if (isTRUE(main)) group else if (!isFALSE(main)) main
    ours <- arguments(table, list(main = title, prepanel = function(x, y, subscripts, ...) {
      list(xlim = limits[[as.character(table$term[subscripts[1L]])]])
    }))
    do.call(draw, utils::modifyList(ours, given))
  })
}

# Profiles ------------------------------------------------------------------------------------------------------------

xyplot_profile <- function(x, data = NULL, absVal = FALSE, conf = c(50, 80, 90, 95, 99) / 100, ...) { # nolint
  call <- method_call()
  check_flag(absVal, "absVal", call, "argument")
  for (level in conf) check_level(level, call)
  limits <- stats::qnorm((1 + conf) / 2)
  table <- as.data.frame.profile.lmm(x)
  table$par <- factor(table$par, unique(as.character(table$par)))
  shown <- if (absVal) abs else identity
  panel <- function(x, y, subscripts, ...) {
    curve <- profile_curve(table[subscripts, ])
    lattice::panel.grid(h = -1L, v = -1L)
    lattice::panel.lines(curve$value, shown(curve$zeta), ...)
    ends <- curve$at(c(-limits, limits))
    if (absVal) lattice::panel.segments(ends[seq_along(limits)], limits, ends[-seq_along(limits)], limits)
    lattice::panel.segments(ends, 0, ends, shown(curve$zeta_of(c(-limits, limits))))
    lattice::panel.abline(h = 0)
  }
  ours <- list(x = shown(zeta) ~ value | par, data = table, panel = panel, xlab = NULL,
    ylab = if (absVal) expression(abs(zeta)) else expression(zeta), scales = list(x = list(relation = "free")))
  do.call(lattice::xyplot, utils::modifyList(ours, list(...)))
}

densityplot_profile <- function(x, data = NULL, npts = 201, upper = 0.999, ...) {
  call <- method_call()
  points <- check_count(npts, "npts", call)
  check_level(upper, call)
  table <- as.data.frame.profile.lmm(x)
  pieces <- split(table, factor(table$par, unique(as.character(table$par))))
  densities <- lapply(pieces[vapply(pieces, nrow, 0L) > 2L], function(piece) {
    ends <- stats::qnorm(c(1 - upper, upper))
    zeta <- stats::splinefun(piece$value, piece$zeta, method = "monoH.FC")
    range <- profile_curve(piece)$at(ends)
    value <- seq(range[1L], range[2L], length.out = points)
    data.frame(par = piece$par[1L], value = value, density = stats::dnorm(zeta(value)) * zeta(value, deriv = 1L))
  })
  ours <- list(x = density ~ value | par, data = do.call(rbind, unname(densities)), type = c("l", "g"), xlab = NULL,
    ylab = "density", scales = list(relation = "free"))
  do.call(lattice::xyplot, utils::modifyList(ours, list(...)))
}

# lattice's own method would draw the columns of the table.
splom_profile <- function(x, data, ...) {
  abort_ferrite("argument", "The plot of a profile must be of one parameter at a time.",
    "`splom()` draws the profiles of pairs.",
    hint = "Use `lattice::xyplot()` or `plot()` for all of them, each in a panel.",
    call = quote(splom())
  )
}
