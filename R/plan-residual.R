# What residuals that are not alike add to the cost of a fit: parameters, classes of rows, passes over the rows.
#
# Reads   a design with `residual`, `scale` and `correlation`.
# Writes  numbers that lmm_plan() adds to those of the plain model; nothing is summed here.
#
# The engine keeps sums of the rows for each class, if there are few classes of them: the rows of a stratum, neighbours
# in time of two strata at one distance, series of one length. With many (a covariate, irregular times) it reads the
# rows again in each evaluation.

#' Cost of the residual structure
#'
#' @param design From `build_design()`.
#' @param raw From `plan_engine()`, which has counted the classes.
#' @returns `NULL` for residuals that are alike; else list(text (the arguments as written), parameters, classes, kept
#'   (whether sums of classes are kept), elements (of one set of sums), touched (elements in one reading of the rows),
#'   bytes (of the sums that are kept, and what is known of each row)).
#' @noRd
planned_residual <- function(design, raw) {
  if (is.null(design$residual)) return(NULL)
  n <- length(design$y)
  list(
    text = errors_text(list(residual = list(scale = design$scale, correlation = design$correlation))),
    parameters = length(design$scale$names) + !is.null(design$correlation), classes = raw$classes, kept = raw$kept,
    elements = raw$elements, touched = n * (length(design$x_names) + 1 + sum(effect_counts(design)))^2,
    bytes = 40 * n + if (raw$kept) 8 * raw$classes * raw$elements else 0
  )
}

# Random effects of a level of each grouping factor.
effect_counts <- function(design) {
  columns <- vapply(design$terms, function(term) length(term$effects), 1L)
  of <- vapply(design$terms, `[[`, 1L, "factor")
  vapply(seq_along(design$factors), function(k) as.double(sum(columns[of == k])), 1)
}
