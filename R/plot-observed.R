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

# Panels ---------------------------------------------------------------------------------------------------------------

draw_observed <- function(table, ...) {
  if (is.null(attr(table, "covariate"))) draw_against_fitted(table, ...) else draw_trellis(table, ...)
}

draw_trellis <- function(table, ...) {
  texts <- attr(table, "labels")
  given <- list(...)
  levels <- unique(table$grp)
  style <- list(
    xlab = texts$x, ylab = texts$y, main = texts$title,
    xlim = grDevices::extendrange(table$x, f = 0.06),
    ylim = grDevices::extendrange(c(table$observed, table$line, table$population), f = 0.06)
  )
  style <- utils::modifyList(style, given)
  graphics::plot.new()
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  grid <- trellis_grid(length(levels), style)
  cell <- match(table$grp, levels)
  x <- grid$x(table$x, cell)
  y <- function(values) grid$y(values, cell)
  draw_strips(grid, levels)
  series <- if (all(is.na(table$series))) rep(1L, nrow(table)) else match(table$series, sort(unique(table$series)))
  colours <- if (max(series) == 1L) unname(plot_colours[["line"]]) else series_colours
  points <- thinned_cells(cell, 500L, table$observed, table$observed - table$fitted)
  one <- max(series) == 1L
  crowded <- max(tabulate(cell[points])) > 50L
  colour <- if (one) plot_colours[["point"]] else colours[series[points]]
  graphics::points(x[points], y(table$observed)[points], pch = or_else(given$pch, if (one) 1L else series[points]),
    cex = or_else(given$cex, if (crowded) 0.4 else 0.7),
    col = or_else(given$col, grDevices::adjustcolor(colour, if (crowded) 0.5 else 1))
  )
  draw_cell_lines(x, y(table$population), cell, series, rep(plot_colours[["guide"]], 6L), 2L)
  draw_cell_lines(x, y(table$line), cell, series, colours, 1L)
  grid$boxes()
  if (!isFALSE(style$ann)) draw_titles(style, main_line = title_line, x_line = min(2.3, graphics::par("mgp")[1L]))
  trellis_legend(table, series, colours)
}

# Rows and columns of panels near the shape of the figure, and the transformations into it.
trellis_grid <- function(n, style) {
  size <- graphics::par("pin")
  columns <- min(n, max(1L, round(sqrt(n * size[1L] / size[2L]))))
  rows <- ceiling(n / columns)
  columns <- ceiling(n / rows)
  cex <- min(0.75, 0.3 * size[2L] / rows / (1.1 * graphics::par("csi")))
  strip <- 1.1 * graphics::par("csi") * cex / size[2L]
  left <- function(cell) (cell - 1L) %% columns / columns
  bottom <- function(cell) 1 - ((cell - 1L) %/% columns + 1) / rows
  inner <- 1 / rows - strip
  place <- function(values, limits) pmax(0, pmin(1, (values - limits[1L]) / (limits[2L] - limits[1L])))
  list(
    n = n, rows = rows, columns = columns, left = left, bottom = bottom, width = 1 / columns, inner = inner, cex = cex,
    height = 1 / rows,
    x = function(values, cell) left(cell) + place(values, style$xlim) / columns,
    y = function(values, cell) bottom(cell) + place(values, style$ylim) * inner,
    boxes = function() trellis_boxes(n, rows, columns, left, bottom, inner, style)
  )
}

draw_strips <- function(grid, names) {
  cells <- seq_len(grid$n)
  left <- grid$left(cells)
  bottom <- grid$bottom(cells) + grid$inner
  graphics::rect(left, bottom, left + grid$width, grid$bottom(cells) + grid$height, col = "#E8E8E8", border = NA)
  space <- 0.95 * grid$width * graphics::par("pin")[1L]
  graphics::text(left + grid$width / 2, (bottom + grid$bottom(cells) + grid$height) / 2,
    cut_to_width(names, space, cex = grid$cex), cex = grid$cex
  )
}

# The boxes of the panels, and axes at the lowest of each column and at the left ones.
trellis_boxes <- function(n, rows, columns, left, bottom, inner, style) {
  cells <- seq_len(n)
  graphics::rect(left(cells), bottom(cells), left(cells) + 1 / columns, bottom(cells) + 1 / rows, border = "#555555")
  if (isFALSE(style$axes)) {
    return(invisible())
  }
  size <- graphics::par("pin")
  marks_x <- few_marks(style$xlim, size[1L] / columns, along = TRUE)
  lowest <- rev(cells)[!duplicated(rev((cells - 1L) %% columns))]
  for (cell in lowest) {
    at <- left(cell) + (marks_x - style$xlim[1L]) / diff(style$xlim) / columns
    graphics::axis(1L, at = at, labels = mark_text(marks_x), pos = bottom(cell), cex.axis = 0.75,
      mgp = c(3, 0.4, 0), tcl = -0.25, lwd = 0, lwd.ticks = 1
    )
  }
  marks_y <- few_marks(style$ylim, size[2L] * inner, along = FALSE)
  for (cell in cells[(cells - 1L) %% columns == 0L]) {
    at <- bottom(cell) + (marks_y - style$ylim[1L]) / diff(style$ylim) * inner
    graphics::axis(2L, at = at, labels = mark_text(marks_y), las = 1L, cex.axis = 0.75,
      mgp = c(3, 0.5, 0), tcl = -0.25, lwd = 0, lwd.ticks = 1
    )
  }
}

# Round numbers within limits, as many as have room on an axis of so many inches, with the texts `along` it or across.
few_marks <- function(limits, inches, along) {
  for (n in c(5L, 4L, 3L, 2L)) {
    marks <- pretty(limits, n)
    marks <- marks[marks >= limits[1L] & marks <= limits[2L]]
    texts <- mark_text(marks)
    size <- if (along) graphics::strwidth(texts, "inches", cex = 0.75)
    else rep(0.75 * graphics::par("csi"), length(marks))
    place <- (marks - limits[1L]) / diff(limits) * inches
    # no text reaches into the next panel
    inside <- place - size / 2 > 0 & place + size / 2 < inches
    marks <- marks[inside]
    if (sum(size[inside]) + (if (along) 0.15 else 0.08) * sum(inside) < 0.9 * inches) break
  }
  marks
}

mark_text <- function(marks) format(marks, trim = TRUE, scientific = 3L)

# One line for each cell and series, with a gap between.
draw_cell_lines <- function(x, y, cell, series, colours, lty) {
  for (k in unique(series)) {
    own <- which(series == k)
    own <- own[order(cell[own], x[own])]
    same <- c(FALSE, cell[own][-1L] == cell[own][-length(own)] & x[own][-1L] == x[own][-length(own)])
    own <- own[!same]
    alone <- own[tabulate(cell[own], max(cell))[cell[own]] == 1L]
    tick <- 0.006
    graphics::segments(x[alone] - tick, y[alone], x[alone] + tick, y[alone], col = colours[k], lty = lty, lwd = 1.5)
    breaks <- which(cell[own][-1L] != cell[own][-length(own)])
    at <- sort(c(seq_along(own), breaks + 0.5))
    at[at != round(at)] <- NA
    graphics::lines(x[own][at], y[own][at], col = colours[k], lty = lty, lwd = 1.5)
  }
}

# Of the rows of each cell some `most`, at equal steps of their order; of each vector of values in `...` the lowest and
# the highest of the cell, an eighth of so many on each side, are always among them.
thinned_cells <- function(cell, most, ...) {
  size <- tabulate(cell)
  if (all(size <= most)) {
    return(seq_along(cell))
  }
  ends <- max(1, most %/% 8)
  kept <- size[cell] <= most
  sorted <- order(cell)
  place <- integer(length(cell))
  place[sorted] <- sequence(size)
  step <- pmax(1, (size - 1) / max(most - 1, 1))
  kept <- kept | floor((place - 1) / step[cell]) != floor((place - 2) / step[cell]) | place == size[cell]
  for (values in list(...)) {
    place[order(cell, values)] <- sequence(size)
    kept <- kept | place <= ends | place > size[cell] - ends
  }
  which(kept)
}

trellis_legend <- function(table, series, colours) {
  guide <- plot_colours[["guide"]]
  if (max(series) == 1L) {
    legend_above(c("observed", "fitted", "population"), pch = c(1L, NA, NA), lty = c(NA, 1L, 2L),
      col = c(plot_colours[["point"]], colours[1L], guide)
    )
  } else {
    names <- sort(unique(table$series))
    k <- seq_along(names)
    legend_above(c(names, "population"), pch = c(k, NA), lty = c(rep(1L, length(k)), 2L),
      col = c(colours[k], guide)
    )
  }
}
