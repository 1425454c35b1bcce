#' Variance components
#'
#' The covariance matrix of each random term and the residual standard deviation.
#'
#' @param x,object An object of class `lmm`; for the other methods, what `VarCorr()` returned.
#' @param sigma A multiplier of all standard deviations. Default 1.
#' @param comp What to print: any of `"Variance"` and `"Std.Dev."`.
#' @param digits Significant digits printed.
#' @param order `"cov.last"` (default): in each term all variances, then the covariances. `"lower.tri"`: the lower
#'   triangle by columns.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... `VarCorr()` takes no other argument and says so; not used by the others.
#' @returns `VarCorr()`: a list of class `VarCorr.lmm` with one covariance matrix per random term, in the unit of the
#'   response squared, each with the attributes `stddev` and `correlation`; a second term of a factor `g` is named
#'   `g.1`. The attribute `sc` is the residual standard deviation. `as.data.frame()` of it has the columns `grp`,
#'   `var1`, `var2`, `vcov` (variance or covariance) and `sdcor` (standard deviation or correlation), and a last row
#'   `Residual`. `sigma()`: the residual standard deviation of an observation of weight one.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' VarCorr(fit) # standard deviations 2.1147 and 1.4316
#' as.data.frame(VarCorr(fit))
#' sigma(fit)
#' @name VarCorr.lmm
NULL

#' @rdname VarCorr.lmm
#' @export
VarCorr.lmm <- function(x, sigma = 1, ...) {
  refuse_arguments("VarCorr", ..., call = method_call())
  terms <- lapply(x$random, function(term) labelled_covariance(sigma^2 * term$varcov))
  names(terms) <- make.unique(vapply(x$random, function(term) term$group, ""))
  structure(terms, sc = sigma * x$sigma, useSc = TRUE, class = "VarCorr.lmm")
}

#' @rdname VarCorr.lmm
#' @importFrom stats sigma
#' @export
sigma.lmm <- function(object, ...) {
  object$sigma
}

# A covariance matrix with its standard deviations and correlations. A correlation with an effect of variance zero is
# undefined: NaN.
labelled_covariance <- function(covariance) {
  sd <- sqrt(diag(covariance))
  names(sd) <- rownames(covariance)
  correlation <- covariance / outer(sd, sd)
  diag(correlation) <- 1
  structure(covariance, stddev = sd, correlation = correlation)
}

#' @rdname VarCorr.lmm
#' @export
as.data.frame.VarCorr.lmm <- function(x, row.names = NULL, optional = FALSE, order = c("cov.last", "lower.tri"), ...) {
  order <- choose_one(order, c("cov.last", "lower.tri"), "order", method_call())
  rows <- Map(function(covariance, group) covariance_rows(covariance, group, order), unclass(x), names(x))
  sc <- attr(x, "sc")
  last <- data.frame(grp = "Residual", var1 = NA_character_, var2 = NA_character_, vcov = sc^2, sdcor = sc)
  table <- do.call(rbind, c(unname(rows), list(last)))
  rownames(table) <- row.names
  table
}

# The lower triangle of one covariance matrix as rows.
covariance_rows <- function(covariance, group, order) {
  effects <- rownames(covariance)
  cells <- which(lower.tri(covariance, diag = TRUE), arr.ind = TRUE)
  on_diagonal <- cells[, 1L] == cells[, 2L]
  if (order == "cov.last") {
    cells <- rbind(cells[on_diagonal, , drop = FALSE], cells[!on_diagonal, , drop = FALSE])
    on_diagonal <- cells[, 1L] == cells[, 2L]
  }
  sd <- attr(covariance, "stddev")
  data.frame(
    grp = group,
    var1 = effects[cells[, 2L]],
    var2 = ifelse(on_diagonal, NA_character_, effects[cells[, 1L]]),
    vcov = covariance[cells],
    sdcor = ifelse(on_diagonal, sd[cells[, 1L]], attr(covariance, "correlation")[cells])
  )
}

#' @rdname VarCorr.lmm
#' @export
print.VarCorr.lmm <- function(x, comp = "Std.Dev.", digits = max(3L, getOption("digits") - 2L), ...) {
  comp <- choose_several(comp, c("Variance", "Std.Dev."), "comp", method_call())
  print_table(varcorr_table(x, comp, digits))
  invisible(x)
}

# Text table "Groups Name Variance Std.Dev. Corr", one row per effect and one for the residual.
varcorr_table <- function(x, comp = c("Variance", "Std.Dev."), digits = 4L) {
  effects <- lapply(x, rownames)
  sizes <- lengths(effects)
  sd <- c(unlist(lapply(x, attr, "stddev"), use.names = FALSE), attr(x, "sc"))
  first <- cumsum(c(1L, sizes))[seq_along(sizes)]
  groups <- character(length(sd))
  groups[first] <- names(x)
  groups[length(sd)] <- "Residual"
  columns <- list(Groups = groups, Name = c(unlist(effects, use.names = FALSE), ""))
  if ("Variance" %in% comp) columns$Variance <- format_column(sd^2, digits)
  if ("Std.Dev." %in% comp) columns$Std.Dev. <- format_column(sd, digits)
  table <- do.call(cbind, columns)
  if (max(sizes) > 1L) table <- cbind(table, correlation_columns(x, sizes, first))
  rownames(table) <- rep("", nrow(table))
  table
}

# Correlations with the earlier effects of the same term, to two decimals; the header stands over the first column.
correlation_columns <- function(x, sizes, first) {
  cells <- matrix("", sum(sizes) + 1L, max(sizes) - 1L)
  colnames(cells) <- c("Corr", rep("", max(sizes) - 2L))
  for (k in which(sizes > 1L)) {
    correlation <- attr(x[[k]], "correlation")
    for (i in seq.int(2L, sizes[k])) {
      cells[first[k] + i - 1L, seq_len(i - 1L)] <- formatC(correlation[i, seq_len(i - 1L)], digits = 2L, format = "f")
    }
  }
  cells
}

# One column of figures with a common number of decimals, so that the smallest figure that matters is still readable.
# Figures more than 1e5 apart get exponents where that is shorter; an exact zero stays "0".
format_column <- function(values, digits) {
  text <- format(values, digits = digits)
  if (any(grepl("e", text, fixed = TRUE)) || any(values != 0 & !grepl("[1-9]", text))) {
    text <- vapply(values, function(value) format(value, digits = digits), "")
  }
  text[!is.na(values) & values == 0] <- "0"
  text
}

# Print a text matrix: names to the left, figures to the right, no quotes.
print_table <- function(table, left = intersect(c("Groups", "Name"), colnames(table))) {
  for (column in left) {
    at <- match(column, colnames(table))
    width <- max(nchar(c(column, table[, at]), type = "width"))
    table[, at] <- formatC(table[, at], width = -width, flag = "-")
    colnames(table)[at] <- formatC(column, width = -width, flag = "-")
  }
  print(table, quote = FALSE, right = TRUE)
}
