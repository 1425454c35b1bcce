# What residuals that are not alike add to the cost of a fit: parameters, classes of rows, passes over the rows.
#
# Reads   a design with `residual`, `scale` and `correlation`.
# Writes  numbers that lmm_plan() adds to those of the plain model; nothing is summed here.
#
# The engine keeps sums of the rows for each class, if there are few classes of them: all rows of a stratum whose
# neighbours in time are as far, all pairs of neighbours of two strata at one distance, all series of one length. With
# many classes (a covariate, irregular times) it reads the rows again for each evaluation and parameter.

# As in the engine: most classes that sums are kept for, and most elements, beside 16 for each row.
most_classes <- 48L
most_elements <- 1e5

#' Cost of the residual structure
#'
#' @param design From `build_design()`.
#' @returns `NULL` for residuals that are alike; else list(text (the arguments as written), parameters, classes, kept
#'   (whether sums of classes are kept), elements (of one set of sums), touched (elements in one reading of the rows),
#'   bytes (of the sums that are kept, and what is known of each row)).
#' @noRd
planned_residual <- function(design) {
  if (is.null(design$residual)) return(NULL)
  n <- length(design$y)
  serial <- design$residual$correlation
  scale <- scale_classes(design$residual$scale, n)
  found <- if (is.null(serial)) list(classes = max(scale), mixed = FALSE)
  else if (serial$form == "cs") classes_by_series(scale, serial)
  else classes_in_time(scale, serial)
  elements <- sum_elements(design)
  kept <- found$classes <= most_classes && !found$mixed && found$classes * elements <= 16 * n + most_elements
  list(
    text = errors_text(list(residual = list(scale = design$scale, correlation = design$correlation))),
    parameters = length(design$scale$names) + !is.null(serial), classes = found$classes, kept = kept,
    elements = elements, touched = n * (length(design$x_names) + 1 + sum(effect_counts(design)))^2,
    bytes = 40 * n + if (kept) 8 * found$classes * elements else 0
  )
}

# Classes of rows with the same scale, numbered from 1.
scale_classes <- function(blocks, n) {
  if (is.null(blocks)) return(rep.int(1L, n))
  columns <- dense_blocks(blocks, n)
  code_rows(lapply(seq_len(ncol(columns)), function(k) columns[, k]))
}

# Numbers for rows that agree in all of some vectors.
code_rows <- function(vectors) {
  Reduce(function(codes, values) {
    own <- match(values, unique(values))
    joint <- (codes - 1) * max(own) + own
    match(joint, unique(joint))
  }, vectors, rep.int(1L, length(vectors[[1L]])))
}

# AR(1) and CAR(1): a row has its scale and the times to its neighbours, a pair both scales and the time between.
classes_in_time <- function(scale, serial) {
  order <- order(serial$codes, serial$time, method = "radix")
  scale <- scale[order]
  gap <- c(0, diff(serial$time[order]))
  first <- c(TRUE, diff(serial$codes[order]) != 0)
  gap[first] <- 0
  rows <- code_rows(list(scale, gap, c(gap[-1L], 0)))
  later <- which(!first)
  pairs <- if (length(later)) max(code_rows(list(scale[later], scale[later - 1L], gap[later]))) else 0L
  list(classes = max(rows) + pairs, mixed = FALSE)
}

# Compound symmetry: a row has its scale, a series its length; rows of different scale in a series are summed again.
classes_by_series <- function(scale, serial) {
  first <- match(seq_len(serial$n_levels), serial$codes)
  size <- tabulate(serial$codes, serial$n_levels)
  series <- code_rows(list(scale[first], size))
  list(classes = max(scale) + max(series), mixed = any(scale != scale[first][serial$codes]))
}

# Elements of the sums over the rows: of the factors by level, and of the pairs of levels that meet in a row.
sum_elements <- function(design) {
  m <- length(design$x_names) + 1
  q <- effect_counts(design)
  levels <- vapply(design$factors, function(factor) as.double(factor$n_levels), 1)
  cells <- 0
  for (a in seq_along(q)) {
    for (b in seq_len(a - 1L)) {
      both <- (design$factors[[a]]$codes - 1) * levels[b] + design$factors[[b]]$codes
      cells <- cells + q[a] * q[b] * length(unique(both))
    }
  }
  m^2 + sum(levels * q * (q + m)) + cells
}

# Random effects of a level of each grouping factor.
effect_counts <- function(design) {
  columns <- vapply(design$terms, function(term) length(term$effects), 1L)
  of <- vapply(design$terms, `[[`, 1L, "factor")
  vapply(seq_along(design$factors), function(k) as.double(sum(columns[of == k])), 1)
}
