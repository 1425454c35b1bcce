# The variance components of a fit: VarCorr(), sigma(), and the principal components of the random effects.
#
# Reads   a fit.
# Writes  covariance matrices by term, with standard deviations and correlations, and how they are printed.

#' Variance components
#'
#' The covariance matrix of each random term and the residual standard deviation.
#'
#' @param x,object An object of class `lmm`; for the other methods, what `VarCorr()` returned.
#' @param sigma A multiplier of all standard deviations, a positive number. Default 1. (As in nlme. lme4's argument of
#'   this name takes the place of the residual standard deviation: its `VarCorr(fit, sigma = 1)` is
#'   `VarCorr(fit, sigma = 1 / sigma(fit))` here.)
#' @param comp What to print: any of `"Variance"` and `"Std.Dev."`.
#' @param digits Significant digits printed.
#' @param formatter A function such as [format()] that makes the text of the figures; it is given `digits`. Default
#'   `NULL`: as many decimals as the smallest figure needs.
#' @param order `"cov.last"` (default): in each term all variances, then the covariances. `"lower.tri"`: the lower
#'   triangle by columns.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... `VarCorr()` takes no other argument and says so; not used by the others.
#' @returns `VarCorr()`: a list of class `VarCorr.lmm` with one covariance matrix per random term, in the unit of the
#'   response squared, each with the attributes `stddev` and `correlation` (and `structure`, a list of `kind` and
#'   `hom`, for a term such as `cs(x | g)`, which is printed in few rows); a second term of a factor `g` is named
#'   `g.1`. The attribute `sc` is the residual standard deviation, the attribute `residual` (with the arguments
#'   `dispersion` or `correlation` of [lmm()]) a list of `strata` (data frame of `level`, `n` rows and `sd`),
#'   `coefficients` of the log standard deviation and `correlation` (`form`, `rho`, `series`, `text`).
#'
#'   `as.data.frame()` of it has the columns `grp`, `var1`, `var2`, `vcov` (variance or covariance) and `sdcor`
#'   (standard deviation or correlation), and a last row `Residual`; with strata, one such row for each, named in
#'   `var1`; with a correlation of residuals, one more whose `var1` is its form, `var2` the series and `vcov` NA.
#'
#'   `sigma()`: the residual standard deviation of an observation of weight one; with `dispersion` in the first stratum,
#'   or where all of its columns are zero.
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
  call <- method_call()
  refuse_arguments("VarCorr", ..., call = call)
  check_amount(sigma, "sigma", call)
  terms <- lapply(x$random, function(term) {
    covariance <- labelled_covariance(sigma^2 * term$varcov)
    if (!is.null(term$structure)) attr(covariance, "structure") <- term$structure
    covariance
  })
  names(terms) <- make.unique(vapply(x$random, function(term) term$group, ""))
  structure(terms, sc = sigma * x$sigma, useSc = TRUE, residual = residual_reading(x, sigma), class = "VarCorr.lmm")
}

# What is to be read about residuals that are not alike.
residual_reading <- function(fit, factor = 1) {
  residual <- fit$residual
  if (is.null(residual)) return(NULL)
  strata <- residual_strata(fit)
  if (!is.null(strata)) strata$sd <- factor * strata$sd
  stored <- residual$correlation
  list(
    strata = strata, coefficients = if (!is.null(residual$scale)) dispersion_coefficients(fit),
    correlation = if (!is.null(stored)) {
      list(form = stored$form, rho = residual$rho, series = or_else(stored$series$name, "all rows"), text = stored$text)
    }
  )
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
  table <- do.call(rbind, c(unname(rows), list(residual_rows(x))))
  rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

# The rows of the residual: its standard deviations, and the correlation if there is one.
residual_rows <- function(x) {
  residual <- attr(x, "residual")
  strata <- residual$strata
  sd <- if (is.null(strata)) attr(x, "sc") else strata$sd
  rows <- data.frame(
    grp = "Residual", var1 = if (is.null(strata)) NA_character_ else strata$level, var2 = NA_character_, vcov = sd^2,
    sdcor = sd
  )
  serial <- residual$correlation
  if (is.null(serial)) return(rows)
  rbind(rows, data.frame(
    grp = "Residual", var1 = serial$form, var2 = serial$series, vcov = NA_real_, sdcor = serial$rho
  ))
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
print.VarCorr.lmm <- function(x, comp = "Std.Dev.", digits = max(3L, getOption("digits") - 2L), formatter = NULL,
                              ...) {
  check_printed(digits)
  call <- method_call()
  comp <- choose_several(comp, c("Variance", "Std.Dev."), "comp", call)
  if (!is.null(formatter) && !is.function(formatter)) {
    bad_setting(formatter, "formatter", "a function such as `format`", call, "argument")
  }
  print_components(x, comp, digits, formatter = or_else(formatter, format_column))
  invisible(x)
}

# The table, and what it cannot hold about the residual.
print_components <- function(x, comp, digits, most = Inf, formatter = format_column) {
  print_table(varcorr_table(x, comp, digits, most, formatter))
  lines <- residual_lines(x, digits, most)
  if (length(lines)) cat(strwrap(lines, 0.95 * getOption("width"), exdent = 2L), sep = "\n")
}

# Text table "Groups Name Variance Std.Dev. Corr", one row per effect (one in all for effects of equal variance), one
# for the residual or for each of its strata, of which `most` are shown.
varcorr_table <- function(x, comp = c("Variance", "Std.Dev."), digits = 4L, most = Inf, formatter = format_column) {
  shown <- lapply(x, shown_effects)
  sizes <- lengths(shown)
  strata <- utils::head(attr(x, "residual")$strata, most)
  residual <- if (is.null(strata)) attr(x, "sc") else strata$sd
  sd <- c(unlist(Map(function(term, own) attr(term, "stddev")[seq_along(own)], x, shown), use.names = FALSE), residual)
  first <- cumsum(c(1L, sizes))
  groups <- character(length(sd))
  groups[first] <- c(names(x), "Residual")
  columns <- list(
    Groups = groups, Name = c(unlist(shown, use.names = FALSE), if (is.null(strata)) "" else strata$level)
  )
  if ("Variance" %in% comp) columns$Variance <- formatter(sd^2, digits = digits)
  if ("Std.Dev." %in% comp) columns$Std.Dev. <- formatter(sd, digits = digits)
  table <- do.call(cbind, columns)
  correlated <- vapply(x, function(term) nrow(term) > 1L && !identical(attr(term, "structure")$kind, "diag"), NA)
  if (any(correlated)) table <- cbind(table, correlation_columns(x, sizes, first, correlated, nrow(table)))
  rownames(table) <- rep("", nrow(table))
  table
}

# Names of the rows of one term: its effects; "f1, ..., f9" for effects of one variance.
shown_effects <- function(covariance) {
  effects <- rownames(covariance)
  q <- length(effects)
  if (!isTRUE(attr(covariance, "structure")$hom)) return(effects)
  paste(c(effects[1L], if (q > 2L) "...", effects[q]), collapse = ", ")
}

# Correlations with the earlier effects of the same term, to two decimals; the header stands over the first column. A
# correlation matrix of one parameter is that number and its name.
correlation_columns <- function(x, sizes, first, correlated, rows) {
  structured <- vapply(x, function(term) !is.null(attr(term, "structure")), NA)
  cells <- matrix("", rows, max(1L, sizes[correlated & !structured] - 1L))
  colnames(cells) <- c("Corr", rep("", ncol(cells) - 1L))
  for (k in which(correlated)) {
    correlation <- attr(x[[k]], "correlation")
    if (structured[k]) {
      rho <- correlation[row(correlation) == col(correlation) + 1L]
      text <- formatC(c(rho[is.finite(rho)], NaN)[1L], digits = 2L, format = "f")
      cells[first[k] + min(sizes[k] - 1L, 1L), 1L] <- paste0(text, " (", attr(x[[k]], "structure")$kind, ")")
      next
    }
    for (i in seq.int(2L, sizes[k])) {
      cells[first[k] + i - 1L, seq_len(i - 1L)] <- formatC(correlation[i, seq_len(i - 1L)], digits = 2L, format = "f")
    }
  }
  cells
}

# Lines under the table: strata that are not shown, the standard deviation as a function, the correlation.
residual_lines <- function(x, digits = 4L, most = Inf) {
  residual <- attr(x, "residual")
  strata <- residual$strata
  more <- if (length(strata)) nrow(strata) - most else 0
  serial <- residual$correlation
  c(
    if (more > 0) paste0("Residual: ", more, " more strata, see VarCorr()."),
    if (is.null(strata) && length(residual$coefficients)) {
      paste("Residual sd:", scale_text(attr(x, "sc"), residual$coefficients, digits))
    },
    if (!is.null(serial)) {
      paste0("Residual correlation: ", serial$text, ", rho ", format(serial$rho, digits = digits))
    }
  )
}

# Such as "1.23 * exp(0.12 age) * |weight|^0.5".
scale_text <- function(sigma, coefficients, digits) {
  number <- vapply(coefficients, format, "", digits = digits)
  names <- names(coefficients)
  power <- grepl("^power\\(.*\\)$", names)
  signed <- sub("^\\+ -", "- ", paste("+", number, names)[!power])
  linear <- sub("^- ", "-", sub("^\\+ ", "", paste(signed, collapse = " ")))
  paste(c(
    format(sigma, digits = digits),
    if (any(!power)) paste0("exp(", linear, ")"),
    if (any(power)) paste0("|", sub("^power\\((.*)\\)$", "\\1", names[power]), "|^", number[power])
  ), collapse = " * ")
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

# Principal components -------------------------------------------------------------------------------------------------

#' Principal components of the random effects
#'
#' Of each grouping factor: the singular values of the relative covariance factor (standard deviations of the principal
#' components over the residual standard deviation) and their directions. A value of zero tells that the covariance
#' matrix of the random effects has less than full rank.
#'
#' @param x An object of class `lmm`.
#' @param ... Must be empty.
#' @returns A list of class `prcomplist` with an object of class `prcomp` for each grouping factor: `sdev` and
#'   `rotation`; all terms of a factor together. The sign of a direction is arbitrary.
#' @section Beside lme4:
#'   lme4 has a function of the same name. Whichever was attached last, it works on the models of both packages.
#' @examples
#' fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' rePCA(fit)$Subject$sdev # 1.7794 and 0.1368
#' @export
rePCA <- function(x, ...) {
  UseMethod("rePCA")
}

#' @export
rePCA.default <- function(x, ...) {
  ask_package("lme4", "rePCA", x, ...)
}

#' @rdname rePCA
#' @export
rePCA.lmm <- function(x, ...) {
  refuse_arguments("rePCA", ..., call = method_call())
  factors <- plain_templates(x)
  groups <- unique(names(factors))
  parts <- lapply(stats::setNames(nm = groups), function(group) {
    found <- svd(block_diagonal(unname(factors[names(factors) == group])), nv = 0L)
    structure(list(sdev = found$d, rotation = found$u, center = FALSE, scale = FALSE), class = "prcomp")
  })
  structure(parts, class = "prcomplist")
}
