# The hypotheses that the terms of a formula stand for: matrices L, a row per degree of freedom, with L beta = 0.
#
# Reads   the frame, terms and contrasts of a fit.
# Writes  hypotheses_of(): named list, for each term a matrix over the estimated coefficients (no row for a term without
#         estimated coefficients of its own).
# Used by anova.R; drop1.R uses the model matrix.
# The definitions are those of SAS in the form of lmerTest (Kuznetsova, Brockhoff and Christensen 2017):
#   type I    each term after the terms before it: rows of L' in X'X = L D L'
#   type II   each term after all terms that do not contain it; the coefficients of the term themselves when no other
#             term contains it
#   type III  each term averaged evenly over the factors of the terms that contain it, whatever the numbers of
#             observations and the contrasts: estimable functions of the model with one parameter for each level,
#             orthogonal to those of the terms that contain it
# The weights of the fit play no part in these definitions.

#' @param fit An object of class `lmm`.
#' @param type `"I"`, `"II"` or `"III"`.
#' @returns Named list of matrices; attribute `empty_cells`: labels of combinations of levels without observations
#'   (type III).
#' @noRd
hypotheses_of <- function(fit, type, call) {
  x <- kept_matrix(fit)
  labels <- attr(fit$terms, "term.labels")
  if (!length(labels)) return(list())
  # with one term there is nothing to define; one way to write it down keeps its degrees of freedom the same
  if (type == "I" || length(labels) == 1L || ncol(x) == 1L) return(by_term(sequential_rows(x), x, labels))
  contains <- containing_terms(fit)
  if (type == "II") type_two(x, labels, contains) else type_three(fit, x, labels, contains, call)
}

# The estimated columns of the model matrix, with `assign`.
kept_matrix <- function(fit) {
  keep_columns(fixed_matrix(fit, fit$frame), fit$kept)
}

keep_columns <- function(x, kept) {
  structure(x[, kept, drop = FALSE], assign = attr(x, "assign")[kept])
}

# The rows of L that belong to each term.
by_term <- function(rows, x, labels, columns = colnames(x)) {
  assign <- attr(x, "assign")
  pieces <- lapply(seq_along(labels), function(term) {
    matrix(rows[assign == term, ], ncol = ncol(rows), dimnames = list(colnames(x)[assign == term], columns))
  })
  stats::setNames(pieces, labels)
}

# L' of X'X = L D L': the R of X = QR with a unit diagonal.
sequential_rows <- function(x) {
  if (!ncol(x)) return(matrix(0, 0L, 0L))
  size <- column_size(x)
  r <- qr.R(qr(x / rep(size, each = nrow(x)), tol = 0))
  r <- zap_noise(r / diag(r)) * outer(1 / size, size)
  unname(r)
}

column_size <- function(x) {
  size <- sqrt(colMeans(x^2))
  ifelse(size > 0, size, 1)
}

zap_noise <- function(x, tolerance = 1e-10) {
  x[abs(x) < tolerance] <- 0
  x
}

# For each term the numbers of the terms that contain it: they have all its variables and more, but the same
# covariates. As in lmerTest a matrix such as poly() counts as a factor here.
containing_terms <- function(fit) {
  factors <- attr(fit$terms, "factors") > 0
  # not rownames(factors): these have backticks
  covariate <- vapply(variable_names(fit$terms), function(name) {
    value <- fit$frame[[name]]
    is.numeric(value) && is.null(dim(value))
  }, NA)
  lapply(seq_len(ncol(factors)), function(term) {
    which(apply(factors, 2L, function(other) {
      all(other[factors[, term]]) && any(other & !factors[, term]) &&
        all(other[covariate] == factors[covariate, term])
    }))
  })
}

type_two <- function(x, labels, contains) {
  assign <- attr(x, "assign")
  rows <- lapply(seq_along(labels), function(term) {
    own <- which(assign == term)
    if (!length(contains[[term]])) return(diag(ncol(x))[own, , drop = FALSE])
    last <- c(own, unlist(lapply(contains[[term]], function(k) which(assign == k))))
    order <- c(setdiff(seq_along(assign), last), last)
    found <- sequential_rows(x[, order, drop = FALSE])[match(own, order), , drop = FALSE]
    found[, match(seq_along(assign), order), drop = FALSE]
  })
  Map(function(m, term) {
    structure(m, dimnames = list(colnames(x)[assign == term], colnames(x)))
  }, stats::setNames(rows, labels), seq_along(labels))
}

# Type III -------------------------------------------------------------------------------------------------------------

# X = columns with treatment contrasts, D = columns with one dummy for each level, D = X C: then beta = C gamma for the
# parameters gamma of D. A column of C' says which function of gamma a coefficient is; those of a term, less their
# projections on those of the terms that contain it, are its hypotheses. They are estimable, so they can be read off at
# the solution gamma that has zeros for what X does not have.
type_three <- function(fit, x, labels, contains, call) {
  treatment <- treatment_matrix(fit, x)
  dummies <- dummy_matrix(fit)
  report_empty_cells(dummies, call)
  functions <- t(express(treatment, dummies))
  assign <- attr(treatment, "assign")
  order <- attr(fit$terms, "order")
  for (term in order(order, decreasing = TRUE)) {
    own <- which(assign == term)
    above <- which(assign %in% contains[[term]])
    if (length(own) && length(above)) {
      functions[, own] <- zap_noise(qr.resid(qr(functions[, above, drop = FALSE]), functions[, own, drop = FALSE]))
    }
  }
  rows <- t(functions[match_columns(treatment, dummies), , drop = FALSE])
  rows <- by_term(rows, treatment, labels)
  if (identical(treatment, x)) return(lapply(rows, nonzero_rows))
  change <- express(treatment, x)
  lapply(rows, function(m) {
    m <- nonzero_rows(m %*% change)
    colnames(m) <- colnames(x)
    m
  })
}

nonzero_rows <- function(m) m[rowSums(abs(m)) > 0, , drop = FALSE]

# C in Y = X C for columns of Y in the span of X; what is rounding error becomes zero.
express <- function(x, y) {
  x_size <- column_size(x)
  y_size <- column_size(y)
  solved <- qr.coef(qr(x / rep(x_size, each = nrow(x)), tol = 1e-13), y / rep(y_size, each = nrow(y)))
  zap_noise(solved) * outer(1 / x_size, y_size)
}

# Variables of the fixed part that are coded by contrasts: their values in the frame as factors.
coded_factors <- function(fit) {
  lapply(stats::setNames(nm = names(fit$contrasts)), function(name) {
    value <- fit$frame[[name]]
    if (is.factor(value)) value else factor(value)
  })
}

# The model matrix with other contrasts: a function of the levels for every factor.
recoded_matrix <- function(fit, coding) {
  check_frame(fit)
  factors <- coded_factors(fit)
  frame <- fit$frame
  for (name in names(factors)) frame[[name]] <- factors[[name]]
  contrasts <- lapply(factors, function(f) coding(levels(f)))
  x <- stats::model.matrix(stats::delete.response(fit$terms), frame, if (length(contrasts)) contrasts)
  structure(x, contrasts = NULL)
}

# Columns with treatment contrasts that span what the estimated ones span; these themselves where they are coded so.
treatment_matrix <- function(fit, x) {
  if (all(vapply(fit$contrasts, identical, NA, "contr.treatment"))) return(x)
  recoded <- recoded_matrix(fit, stats::contr.treatment)
  pivot <- qr(recoded / rep(column_size(recoded), each = nrow(recoded)), tol = 1e-10)$pivot
  keep_columns(recoded, sort(pivot[seq_len(ncol(x))]))
}

dummy_matrix <- function(fit) {
  recoded_matrix(fit, function(levels) stats::contr.treatment(levels, contrasts = FALSE))
}

# The columns of `dummies` that are the columns of `x`: same term, same name.
match_columns <- function(x, dummies) {
  key <- function(m) paste(attr(m, "assign"), colnames(m))
  match(key(x), key(dummies))
}

report_empty_cells <- function(dummies, call) {
  empty <- colnames(dummies)[colSums(dummies != 0) == 0]
  if (!length(empty)) return(invisible())
  inform_ferrite(
    "empty_cells", "Type III hypotheses should have observations in every combination of levels.",
    paste0("There are none for ", quoted_list(empty), "."),
    hint = "Read them with care: they depend on which combinations there are. Type II does not average over cells.",
    call = call, data = list(columns = empty)
  )
}
