# Observed and fitted values, group by group: over a covariate where there is one.
#
# Reads   a fit and the options of a plot.
# Writes  the table "observed" as plot_data() describes it, attribute `covariate`, the name of x or NULL; small panels,
#         all in one figure with common axes: it shares a page with other plots.

observed_data <- function(fit, options) {
  rows <- row_values(fit)
  shown_by <- observed_factor(fit, rows$design, options$group)
  factor <- shown_by$factor
  axis <- shown_by$axis
  codes <- factor$codes
  fixed <- fixed_part(fit, rows$design)
  table <- data.frame(
    row = rows$row, grpvar = factor$name, grp = factor$levels[codes], x = or_else(axis$x, NA_real_),
    series = or_else(axis$series, NA_character_), observed = rows$design$y, fitted = rows$fitted,
    line = if (is.null(axis)) NA_real_ else fixed + nested_part(fit, rows$design, codes), population = fixed
  )
  mean_effect <- rowsum(rows$fitted - fixed, codes, reorder = TRUE)[, 1L] / tabulate(codes, factor$n_levels)
  position <- rank(mean_effect, ties.method = "first")
  table$position <- position[codes]
  shown <- shown_levels(options$show, factor, position, options$call)
  response <- response_label(fit)
  if (is.null(axis)) {
    if (!is.null(options$show)) table <- table[codes %in% shown, , drop = FALSE]
    rownames(table) <- NULL
    return(with_labels(table, "Observed against fitted values", paste("Fitted", response), paste("Observed", response)))
  }
  keep <- which(codes %in% shown)
  table <- table[keep[order(position[codes[keep]], table$series[keep], table$x[keep])], , drop = FALSE]
  rownames(table) <- NULL
  title <- paste("Observed and fitted by", factor$name)
  if (length(shown) < factor$n_levels) {
    title <- sprintf("%s (%d of %s)", title, length(shown), big_number(factor$n_levels))
  }
  with_labels(table, title, axis$label, response, covariate = axis$name, legend = axis$legend)
}

# The grouping factor that has panels: the one the user wants, or the first with a covariate. list(factor, axis).
observed_factor <- function(fit, design, group) {
  factors <- factor_order(fit)
  candidates <- if (is.null(group)) factors else factors[match(group[1L], factor_names(fit))]
  for (k in candidates) {
    axis <- panel_axis(fit, design$factors[[k]]$codes)
    if (!is.null(axis)) return(list(factor = design$factors[[k]], axis = axis))
  }
  list(factor = design$factors[[candidates[1L]]])
}

# Numbers of the levels that get a panel, in the order of their position.
shown_levels <- function(show, factor, position, call) {
  if (is.character(show)) {
    check_names(show, factor$levels, "show", paste0("levels of `", factor$name, "`"), call)
    chosen <- match(unique(show), factor$levels)
    return(chosen[order(position[chosen])])
  }
  n <- factor$n_levels
  count <- min(n, if (is.null(show)) (if (n <= 20L) n else 12L) else show)
  ranks <- if (count == 1L) (n + 1) %/% 2 else round(seq(1, n, length.out = count))
  order(position)[ranks]
}

# The part of the random effects that is a function of the level: terms of factors that are constant within it.
nested_part <- function(fit, design, codes) {
  total <- numeric(length(codes))
  first <- match(seq_len(max(codes)), codes)
  for (k in seq_along(fit$random)) {
    term <- design$terms[[k]]
    own <- design$factors[[term$factor]]$codes
    if (all(own == own[first][codes])) total <- total + times_levels(term$basis, fit$random[[k]]$b, own)
  }
  total
}

# What the panels of a factor have on their x-axis: list(x, name, label, series, legend), or NULL if no or several
# numeric variables vary within the levels, or too many combinations of other ones do.
panel_axis <- function(fit, codes) {
  first <- match(seq_len(max(codes)), codes)
  varies <- function(value) any(value != value[first][codes])
  names <- setdiff(model_variables(fit), unlist(lapply(fit$factors, function(factor) factor$variables)))
  values <- fit$frame[names]
  numeric <- vapply(values, is.numeric, NA)
  inner <- vapply(values, function(value) is.null(dim(value)) && varies(as.vector(value)), NA)
  inner[!inner] <- vapply(values[!inner], function(value) {
    !is.null(dim(value)) && any(apply(value, 2L, varies))
  }, NA)
  axis <- single_covariate(fit, names[numeric & inner])
  if (is.null(axis)) {
    return(NULL)
  }
  others <- names[!numeric & inner]
  if (length(others)) {
    series <- interaction(fit$frame[others], drop = TRUE, sep = ", ", lex.order = TRUE)
    if (nlevels(series) > 6L) {
      return(NULL)
    }
    axis$series <- as.character(series)
    axis$legend <- paste(others, collapse = ", ")
  }
  axis
}

# The columns of the frame that the fixed part and the random terms use.
model_variables <- function(fit) {
  unique(c(predictor_names(fit$terms), unlist(lapply(fit$random, function(term) predictor_names(term$lhs)))))
}

# The one variable that stands behind columns such as `x`, `I(x^2)`, `poly(x, 2)`; NULL if there is not exactly one.
single_covariate <- function(fit, columns) {
  sources <- lapply(frame_expressions(fit)[columns], all.vars)
  source <- unique(unlist(sources))
  if (length(columns) == 1L && is.null(dim(fit$frame[[columns]]))) {
    return(list(x = as.double(fit$frame[[columns]]), name = columns, label = variable_label(fit, columns)))
  }
  if (length(source) != 1L) {
    return(NULL)
  }
  if (source %in% columns && is.null(dim(fit$frame[[source]]))) {
    return(list(x = as.double(fit$frame[[source]]), name = source, label = variable_label(fit, source)))
  }
  x <- raw_covariate(fit, source, columns)
  if (!is.null(x)) list(x = x, name = source, label = source)
}

# The columns of the frame that the fixed part and the random terms use as language, by their names.
frame_expressions <- function(fit) {
  terms <- c(list(fit$terms), lapply(fit$random, function(term) term$lhs))
  expressions <- unlist(lapply(terms, function(t) as.list(attr(t, "variables"))[-1L]), recursive = FALSE)
  stats::setNames(expressions, unlist(lapply(terms, variable_names)))
}

# A variable of the user's data at the rows of the fit, if it is still there and gives the columns of the frame again.
raw_covariate <- function(fit, name, columns) {
  tryCatch({
    env <- environment(fit$formula)
    data <- eval(fit$call$data, env)
    x <- if (is.data.frame(data)) data[[name]] else get(name, envir = env)
    rows <- if (is.data.frame(data)) match(rownames(fit$frame), rownames(data)) else as.integer(rownames(fit$frame))
    x <- as.double(x[rows])
    same <- vapply(columns, function(column) {
      made <- eval(stored_expression(fit, column), stats::setNames(list(x), name), env)
      isTRUE(all.equal(as.vector(made), as.vector(fit$frame[[column]])))
    }, NA)
    if (all(same) && !anyNA(x)) x
  }, error = function(e) NULL)
}

# How a column of the frame is computed from data, with the knots and coefficients of the fit.
stored_expression <- function(fit, column) {
  for (terms in c(list(fit$terms), lapply(fit$random, function(term) term$lhs))) {
    at <- match(column, variable_names(terms))
    stored <- attr(terms, "predvars")
    if (!is.na(at)) return(or_else(stored, attr(terms, "variables"))[[at + 1L]])
  }
}

# The picture ----------------------------------------------------------------------------------------------------------

observed_picture <- function(table) {
  if (is.null(attr(table, "covariate"))) return(against_fitted_picture(table))
  xlim <- grDevices::extendrange(table$x, f = 0.06)
  ylim <- grDevices::extendrange(c(table$observed, table$line, table$population), f = 0.06)
  levels <- unique(table$grp)
  names <- sort(unique(table$series))
  cell <- match(table$grp, levels)
  points <- thinned_cells(cell, 500L, table$observed, table$observed - table$fitted)
  crowded <- max(tabulate(cell[points])) > 50L
  shown <- split(points, factor(cell[points], seq_along(levels)))
  pieces <- split(seq_len(nrow(table)), factor(cell, seq_along(levels)))
  panels <- lapply(seq_along(levels), function(k) {
    layers <- observed_layers(table[shown[[k]], , drop = FALSE], table[pieces[[k]], , drop = FALSE], names, crowded,
      0.006 * diff(xlim))
    panel(table, layers, table[shown[[k]], , drop = FALSE], name = levels[k], xlim = xlim, ylim = ylim,
      keys = c(names, "observed", "fitted", "population"))
  })
  picture(table, panels, c(x = "x", y = "observed"), layout = "grid", legend = attr(table, "legend"), strips = TRUE)
}

# Points and lines of one panel, in several colours and shapes where there are several series.
observed_layers <- function(points, lines, names, crowded, tick) {
  looks <- list(cex = if (crowded) 0.4 else 0.7, alpha = if (crowded) 0.5 else 1, takes = c("pch", "cex", "col"))
  dots <- function(rows, ...) do.call(layer, c(list("points", data.frame(x = rows$x, y = rows$observed), ...), looks))
  population <- line_layers(lines, "population", tick, plot_colours[["guide"]], lty = 2L, key = "population")
  if (!length(names)) {
    return(c(list(dots(points, pch = 1L, key = "observed")), population,
      line_layers(lines, "line", tick, plot_colours[["line"]], key = "fitted")))
  }
  own <- lapply(seq_along(names), function(k) {
    mine <- function(rows) rows[rows$series == names[k], , drop = FALSE]
    c(list(dots(mine(points), col = series_colours[k], pch = k, key = names[k])),
      line_layers(mine(lines), "line", tick, series_colours[k], key = names[k]))
  })
  c(unlist(own, recursive = FALSE), population)
}

# A line through the values of a column, for each series; where there is one value a dash.
line_layers <- function(rows, column, tick, col, lty = 1L, key) {
  rows <- rows[order(rows$x), , drop = FALSE]
  part <- if (anyNA(rows$series)) rep("", nrow(rows)) else rows$series
  data <- data.frame(x = rows$x, y = rows[[column]], part = part)
  data <- data[!duplicated(data[c("x", "part")]), , drop = FALSE]
  alone <- data$part %in% names(which(table(data$part) == 1L))
  dash <- data[alone, , drop = FALSE]
  list(
    layer("line", data[!alone, , drop = FALSE], col, lty = lty, lwd = 1.5, key = key),
    layer("segments", data.frame(x = dash$x - tick, y = dash$y, xend = dash$x + tick, yend = dash$y), col, lty = lty,
      lwd = 1.5, key = key)
  )
}
