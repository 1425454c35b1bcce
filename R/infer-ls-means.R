# Least squares means and their differences, in the words of lmerTest; and the matrices behind tables of tests.
#
# Reads   a fit; of variables inside of terms, such as `x` of `log(x)`, the data again (data-recover.R).
# Writes  tables of class `lmm_means` with a row for each mean or difference; lists of matrices L.
# Used by util-load.R too: lmerTest's functions of the same names then work on our fits.

#' Least squares means
#'
#' `ls_means()` estimates the mean of every combination of levels of the factors of a term, `difflsmeans()` all
#' differences of these, with t tests and intervals. They are lmerTest's functions; [emmeans] does more.
#'
#' @param model An object of class `lmm`.
#' @param which Terms of factors only, such as `"Machine"` or `c("a", "a:b")`. Default: all there are in the fixed part.
#' @param level Confidence level of the intervals. Default 0.95.
#' @param ddf Degrees of freedom: `"Satterthwaite"` (default), `"Kenward-Roger"` or `"asymptotic"`, see [contest()].
#' @param pairwise `TRUE`: differences, as `difflsmeans()` gives. Default `FALSE`.
#' @param ... Not used.
#' @param x What `ls_means()` returned.
#' @param digits Significant digits. Default: those of `options("digits")` less 3.
#' @details
#'   A mean is averaged over the levels of the other factors, each counting the same, at the means of the covariates.
#'   Logical variables and texts are factors here. A mean that is not estimable, because columns were dropped as
#'   linearly dependent, is `NA`.
#'
#'   lmerTest fails where the fixed part has a function of a covariate, such as `log(x)` or `poly(x, 2)`, or a logical
#'   variable; these are evaluated here at the mean of the covariate, as emmeans does.
#' @returns A data frame of class `lmm_means` with the columns `Estimate`, `Std. Error`, `df`, `t value`, `lower`,
#'   `upper`, `Pr(>|t|)`, a row for each mean named by its levels, such as `MachineB`; no row where the fixed part has
#'   no factor. Attributes: `hypotheses` (the matrix of each term, see [show_tests()]), `response`,
#'   `confidence_level`, `ddf`. [as.data.frame()] puts `term` and `levels` in front.
#' @section Conditions:
#'   `ferrite_error_argument`: `which` names something else than a term of factors; `level`, `ddf`.
#' @seealso [contest()] for any contrast, [emmeans].
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
#' ls_means(fit) # MachineA 52.36, standard error 2.49
#' difflsmeans(fit) # MachineA - MachineB -7.97, standard error 2.18, 10 df
#' @export
ls_means <- function(model, ...) {
  UseMethod("ls_means")
}

#' @export
ls_means.default <- function(model, ...) ask_package("lmerTest", "ls_means", model, ...)

#' @rdname ls_means
#' @export
ls_means.lmm <- function(model, which = NULL, level = 0.95, ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic"),
                         pairwise = FALSE, ...) {
  call <- method_call()
  refuse_arguments("ls_means", ..., call = call)
  check_level(level, call)
  check_flag(pairwise, "pairwise", call, "argument")
  check_frame(model)
  means_table(model, which, level, ddf, pairwise, call)
}

#' @rdname ls_means
#' @export
lsmeansLT <- function(model, ...) { # nolint: object_name_linter.
  UseMethod("lsmeansLT")
}

#' @export
lsmeansLT.default <- function(model, ...) ask_package("lmerTest", "lsmeansLT", model, ...)

#' @export
lsmeansLT.lmm <- ls_means.lmm

#' @rdname ls_means
#' @export
difflsmeans <- function(model, ...) {
  UseMethod("difflsmeans")
}

#' @export
difflsmeans.default <- function(model, ...) ask_package("lmerTest", "difflsmeans", model, ...)

#' @rdname ls_means
#' @export
difflsmeans.lmm <- function(model, which = NULL, level = 0.95,
                            ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic"), ...) {
  call <- method_call()
  refuse_arguments("difflsmeans", ..., call = call)
  check_level(level, call)
  means_table(model, which, level, ddf, TRUE, call)
}

means_table <- function(fit, which, level, ddf, pairwise, call) {
  check_ddf(ddf, call)
  wanted <- factor_terms(fit, which, call)
  rows <- if (length(wanted)) mean_rows(fit, wanted, call) else list()
  if (pairwise) rows <- lapply(rows, pair_rows)
  levels <- unlist(lapply(unname(rows), attr, "levels"))
  rows <- lapply(rows, `attr<-`, "levels", NULL)
  inference <- inference_of(fit, ddf, call)
  tests <- lapply(unname(rows), function(L) { # nolint: object_name_linter.
    table <- t_table(inference, list(L = L[, fit$kept, drop = FALSE], rhs = rep(0, nrow(L))), level)
    table[!estimable_rows(fit, L), ] <- NA_real_
    rownames(table) <- rownames(L)
    table
  })
  table <- if (length(tests)) do.call(rbind, tests)
  else t_table(inference, list(L = matrix(1, 1L, fit$rank, dimnames = list("none", NULL)), rhs = 0), level)[0L, ]
  structure(table, hypotheses = rows, levels = levels, response = deparse_one(fit$formula[[2L]]),
    confidence_level = level, ddf = inference$method, heading = "Least squares means",
    class = c("lmm_means", "data.frame")
  )
}

# The terms whose variables are all factors: those asked for, or all.
factor_terms <- function(fit, which, call) {
  factors <- attr(fit$terms, "factors")
  if (!length(factors)) return(character())
  coded <- term_variables(fit) %in% names(fit$contrasts)
  all <- colnames(factors)[colSums(factors > 0 & !coded) == 0]
  if (is.null(which)) return(all)
  found <- if (is.character(which) && !anyNA(which)) match_terms(which, all)
  if (length(found) && !anyNA(found)) return(all[found])
  abort_ferrite("argument", "`which` must name terms of factors.",
    paste0("It is ", if (is.character(which)) quoted_list(which[is.na(found)]) else a_kind(which), "."),
    hint = if (length(all)) paste0("There are: ", quoted_list(all, 8L), ".") else "The fixed part has none.",
    call = call, data = list(argument = "which")
  )
}

# The variables of the rows of `factors`, spelled as the columns of the frame.
term_variables <- function(fit) {
  variables <- vapply(as.list(attr(fit$terms, "variables"))[-1L], deparse_one, "")
  rows <- rownames(attr(fit$terms, "factors"))
  ifelse(unquoted(rows) %in% variables, unquoted(rows), rows)
}

# A matrix over all columns of X for each term: the rows of a grid of all factors, averaged over the other factors.
mean_rows <- function(fit, wanted, call) {
  coded <- coded_factors(fit)
  cells <- function(variables) {
    do.call(expand.grid, c(lapply(coded[variables], levels), KEEP.OUT.ATTRS = FALSE, stringsAsFactors = FALSE))
  }
  labels <- function(table, variables) do.call(paste, c(Map(paste0, variables, table[variables]), sep = ":"))
  grid <- cells(names(coded))
  frame <- average_frame(fit, call)[rep(1L, nrow(grid)), , drop = FALSE]
  for (name in names(coded)) {
    truth <- is.logical(fit$frame[[name]])
    value <- grid[[name]]
    frame[[name]] <- if (truth) value == "TRUE" else factor(value, levels(coded[[name]]))
  }
  x <- fixed_matrix(fit, frame)
  lapply(stats::setNames(nm = wanted), function(term) {
    inside <- attr(fit$terms, "factors")[, term] > 0
    variables <- term_variables(fit)[inside]
    found <- factor(labels(grid, variables), levels = labels(cells(variables), variables))
    rows <- rowsum(x, found) / as.vector(table(found))
    dimnames(rows) <- list(levels(found), fit$x_names)
    structure(rows, levels = do.call(paste, c(unname(as.list(cells(variables))), sep = ":")))
  })
}

# A model frame of one row: functions of covariates at the means of these. Its factors mean nothing.
average_frame <- function(fit, call) {
  terms <- stats::delete.response(fit$terms)
  data <- recover_variables(fit, list(terms), call)
  row <- lapply(data, function(value) {
    if (is.matrix(value)) t(colMeans(value)) else if (is.numeric(value)) mean(value) else value[1L]
  })
  row <- structure(row, row.names = 1L, class = "data.frame")
  stats::model.frame(terms, row, na.action = stats::na.pass)
}

# All differences of rows, the first less the second.
pair_rows <- function(rows) {
  n <- nrow(rows)
  if (n < 2L) return(structure(rows[0L, , drop = FALSE], levels = character()))
  first <- rep(seq_len(n - 1L), (n - 1L):1L)
  second <- unlist(lapply(seq_len(n - 1L), function(i) (i + 1L):n))
  found <- rows[first, , drop = FALSE] - rows[second, , drop = FALSE]
  rownames(found) <- paste(rownames(rows)[first], "-", rownames(rows)[second])
  levels <- attr(rows, "levels")
  structure(found, levels = paste(levels[first], "-", levels[second]))
}

# Functions of the coefficients that no dropped column changes.
estimable_rows <- function(fit, rows) {
  if (length(fit$kept) == length(fit$x_names)) return(rep(TRUE, nrow(rows)))
  null <- nonestimable_basis(fit, fixed_matrix(fit, fit$frame))
  rowSums((rows %*% null)^2) < 1e-12 * pmax(rowSums(rows^2), .Machine$double.xmin)
}

#' @rdname ls_means
#' @export
print.lmm_means <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(attr(x, "heading"), "\n", sep = "")
  if (nrow(x)) print_tests(x, digits) else cat("There is no term of factors.\n")
  cat("Intervals: ", format(100 * attr(x, "confidence_level")), " %; ", attr(x, "ddf"), " tests\n", sep = "")
  invisible(x)
}

#' @rdname ls_means
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @export
as.data.frame.lmm_means <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  rows <- attr(x, "hypotheses")
  term <- rep(names(rows), vapply(rows, nrow, 0L))
  levels <- attr(x, "levels")
  attributes(x) <- list(names = names(x), row.names = attr(x, "row.names"), class = "data.frame")
  out <- cbind(term = or_else(term, character()), levels = or_else(levels, character()), x)
  if (!is.null(row.names)) rownames(out) <- row.names
  out
}

# Matrices of hypotheses ----------------------------------------------------------------------------------------------

#' The hypotheses behind a table
#'
#' The matrices L of [anova.lmm()], [drop1.lmm()] and [ls_means()]: each row is a linear function of the coefficients
#' that is tested or estimated.
#'
#' @param object What one of these functions returned.
#' @param fractions `TRUE`: fractions as text, such as `1/3`. Default `FALSE`.
#' @param names `FALSE`: without the names of rows and coefficients. Default `TRUE`.
#' @param ... Not used.
#' @returns A list with a matrix for each term.
#' @section Conditions:
#'   `ferrite_error_argument` for an object that has no such matrices.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker), nlme::Machines)
#' show_tests(ls_means(fit), fractions = TRUE)
#' @export
show_tests <- function(object, ...) {
  UseMethod("show_tests")
}

#' @rdname show_tests
#' @export
show_tests.default <- function(object, fractions = FALSE, names = TRUE, ...) {
  call <- method_call()
  rows <- attr(object, "hypotheses")
  if (is.null(rows)) {
    abort_ferrite("argument", "`show_tests()` must be given a table of tests.",
      paste0("It was given ", a_kind(object), "."), hint = "Use, for example, `show_tests(anova(fit))`.", call = call
    )
  }
  refuse_arguments("show_tests", ..., call = call)
  check_flag(fractions, "fractions", call, "argument")
  check_flag(names, "names", call, "argument")
  lapply(rows, function(L) { # nolint: object_name_linter.
    if (fractions) L <- structure(fraction_text(L), dim = dim(L), dimnames = dimnames(L)) # nolint: object_name_linter.
    if (names) L else unname(L)
  })
}

# The fraction with the smallest denominator up to 2000 that is the number within 1e-9; the number where there is none.
fraction_text <- function(x) {
  vapply(as.vector(x), function(value) {
    near <- which(abs(value * 1:2000 - round(value * 1:2000)) < 1e-9 * 1:2000)
    if (!length(near)) return(format(value))
    top <- format(round(value * near[1L]), scientific = FALSE)
    if (near[1L] == 1L) top else paste0(top, "/", near[1L])
  }, "")
}
