#' Drop each term of the fixed part in turn
#'
#' F tests of the terms that can be removed without removing one that is contained in a remaining term.
#'
#' @param object An object of class `lmm`.
#' @param scope Which terms: their names, or a one-sided formula of them. Default: all that may be dropped, by
#'   [drop.scope()].
#' @param ddf Denominator degrees of freedom: `"Satterthwaite"` (default), `"Kenward-Roger"` or `"asymptotic"`; see
#'   [contest()].
#' @param ... Not used.
#' @details
#' The hypothesis is that the mean is one of the model without the term; nothing is refitted. In a model of full rank
#' these are the coefficients of the term. Where columns were dropped, and in a formula without an intercept, the
#' columns that the smaller formula would have are compared with those of the fit.
#' @returns A data frame of class `anova` with the columns of [anova.lmm()] and a row for each term; `NA` for a term
#'   without which the model stays the same.
#' @section Conditions:
#'   `ferrite_error_argument` when `scope` names a term that cannot be dropped.
#' @seealso [anova.lmm()], [contest()]; `ranova()` for random terms.
#' @examples
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' drop1(fit) # age:Sex: F 6.303 on 1 and 79
#' @importFrom stats drop1
#' @export
drop1.lmm <- function(object, scope, ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic"), ...) {
  call <- method_call()
  refuse_arguments("drop1", ..., call = call)
  possible <- stats::drop.scope(object$terms)
  scope <- if (missing(scope)) possible else check_scope(scope, possible, object, call)
  check_ddf(ddf, call)
  x <- kept_matrix(object)
  hypotheses <- lapply(stats::setNames(nm = scope), deletion_rows, fit = object, x = x)
  inference <- inference_of(object, ddf, call)
  f_table(inference, hypotheses, c(
    paste("Single term deletions with", ddf_title(inference)), "", paste("Model:", deparse_one(object$formula))
  ))
}

check_scope <- function(scope, possible, fit, call) {
  if (inherits(scope, "formula")) scope <- attr(stats::terms(scope, data = fit$frame), "term.labels")
  wrong <- if (is.character(scope)) scope[is.na(match_terms(scope, possible))] else a_kind(scope)
  if (is.character(scope) && length(scope) && !length(wrong)) return(possible[match_terms(scope, possible)])
  kept <- intersect(wrong, attr(fit$terms, "term.labels"))
  abort_ferrite(
    "argument", "`scope` must name terms that can be dropped.",
    if (!is.character(scope) || !length(scope)) paste0("It is ", a_kind(scope), ".")
    else if (length(kept)) paste0(quoted_list(kept), " is contained in another term, which would have to go first.")
    else paste0("There is no term ", quoted_list(wrong), "."),
    hint = if (length(possible)) paste0("These can be dropped: ", quoted_list(possible, 8L), ".")
    else "No term can be dropped.",
    call = call, data = list(argument = "scope")
  )
}

# Terms by their variables, so that `b:a` is found as `a:b`.
match_terms <- function(terms, table) {
  key <- function(x) vapply(strsplit(x, ":", fixed = TRUE), function(v) paste(sort(v), collapse = ":"), "")
  match(key(terms), key(table))
}

# L with L beta = 0 exactly for the means of the model without `term`. With an intercept and all columns there, the
# other columns stay as they are when the term goes.
deletion_rows <- function(term, fit, x) {
  own <- attr(x, "assign") == match(term, attr(fit$terms, "term.labels"))
  rows <- diag(ncol(x))[own, , drop = FALSE]
  whole <- ncol(x) == length(fit$x_names)
  if (!whole || !attr(fit$terms, "intercept")) {
    smaller <- reduced_matrix(fit, term)
    lost <- ncol(x) - column_rank(smaller)
    if (!whole || lost < sum(own)) rows <- complement_rows(x, smaller, lost)
  }
  colnames(rows) <- colnames(x)
  rows
}

# The model matrix of the formula without a term.
reduced_matrix <- function(fit, term) {
  check_frame(fit)
  terms <- stats::delete.response(fit$terms)
  at <- match(term, attr(terms, "term.labels"))
  smaller <- if (length(attr(terms, "term.labels")) > 1L) stats::drop.terms(terms, at)
  else stats::terms(if (attr(terms, "intercept")) ~ 1 else ~ 0)
  stats::model.matrix(smaller, fit$frame, own_contrasts(fit$contrasts, smaller))
}

column_rank <- function(x) {
  if (!ncol(x)) return(0L)
  qr(x / rep(column_size(x), each = nrow(x)), tol = 1e-10)$rank
}

# Orthonormal rows that are zero on the coefficients of every mean in the span of `smaller`; `count` of them.
complement_rows <- function(x, smaller, count) {
  if (!count) return(matrix(0, 0L, ncol(x)))
  outside <- if (ncol(smaller)) qr.resid(qr(smaller / rep(column_size(smaller), each = nrow(smaller))), x) else x
  left <- colSums(outside^2) > 1e-20 * colSums(x^2)
  basis <- qr.Q(qr(crossprod(x, outside[, left, drop = FALSE]), tol = 1e-10))
  t(basis[, seq_len(count), drop = FALSE])
}
