# Is one model a case of another? Its random terms, the pattern of their covariances, its residuals.
#
# Reads   two fits.
# Writes  how many variances the larger one adds, NA when it was not recognised as larger.
# Used by compare.R, for the reference distribution of the likelihood ratio.

# How many variances the larger random part adds; NA when it does not contain the smaller one. The correlation of car1()
# counts as one: it is not below zero.
added_variances <- function(small, large) {
  if (!residual_within(small, large)) return(NA_integer_)
  parts <- function(model) if (inherits(model, "lmm")) model$random else list()
  from <- parts(small)
  to <- parts(large)
  key <- function(model, term) paste(sort(model$factors[[term$factor]]$variables), collapse = "\r")
  inside <- vapply(from, function(a) {
    any(vapply(to, function(b) {
      identical(key(small, a), key(large, b)) && pattern_within(a, b) && spans(large, b, small, a)
    }, NA))
  }, NA)
  if (!all(inside)) return(NA_integer_)
  width <- function(terms) sum(vapply(terms, variance_count, 1L))
  bounded <- function(model) inherits(model, "lmm") && identical(model$residual$correlation$form, "car1")
  width(to) - width(from) + bounded(large) - bounded(small)
}

# Is a pattern of covariances a case of another, for the same columns?
pattern_within <- function(a, b) {
  if (is.null(b$structure)) return(TRUE)
  identical(a$effects, b$effects) && !is.null(a$structure) &&
    (a$structure$kind == b$structure$kind || a$structure$kind == "diag") && (a$structure$hom || !b$structure$hom)
}

# Are the residuals of the smaller model a case of those of the larger one?
residual_within <- function(small, large) {
  part <- function(model) if (inherits(model, "lmm")) model$residual
  from <- part(small)
  to <- part(large)
  if (is.null(from)) return(TRUE)
  key <- function(correlation) c(correlation$form, correlation$time, correlation$series$name)
  alike <- is.null(from$correlation) || identical(key(from$correlation), key(to$correlation))
  strata <- function(scale) if (is.null(scale$strata)) scale$names else scale$strata$variables
  alike && (is.null(from$scale) || all(strata(from$scale) %in% strata(to$scale)))
}

# Do the columns of term `b` of one model span those of term `a` of another? By name, else by their values.
spans <- function(large, b, small, a) {
  if (all(a$effects %in% b$effects)) return(TRUE)
  n <- large$nobs
  outer <- dense_blocks(basis_in(b, large$frame), n)
  order <- same_order(attr(large$frame, "row.names"), attr(small$frame, "row.names"))
  inner <- dense_blocks(basis_in(a, small$frame), n)[order, , drop = FALSE]
  sum(qr.resid(qr(outer), inner)^2) < 1e-14 * sum(inner^2)
}
