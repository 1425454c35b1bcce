# anova() of one fit: F tests of the terms of the fixed part, and the hypotheses that the terms stand for.
#
# Reads   a fit; its frame, terms and contrasts. Several fits are compared by infer-compare.R.
# Writes  a table of class `anova`; hypotheses_of(): named list, for each term a matrix L over the estimated
#         coefficients, a row per degree of freedom, with L beta = 0 (no row for a term without estimated coefficients
#         of its own).

#' Analysis of variance of the fixed effects, and comparison of models
#'
#' With one fit: F tests of the terms of its fixed part. With several: likelihood ratio tests, see [compare_models()].
#'
#' @param object An object of class `lmm`.
#' @param ... Further fits, for a comparison, and arguments of the comparison.
#' @param type `"III"` (default), `"II"` or `"I"`, or 3, 2, 1: which hypotheses are tested; see *Hypotheses*. Also
#'   `"marginal"`, as in nlme and lmerTest, and nlme's `"sequential"`, which is type I.
#' @param ddf Denominator degrees of freedom: `"Satterthwaite"` (default), `"Kenward-Roger"` or `"asymptotic"`
#'   (infinite: a chi-square test); see [contest()]. `"lme4"`: the table of lme4, type I without degrees of freedom
#'   and p-values, with the columns `npar`, `Sum Sq`, `Mean Sq`, `F value`.
#' @returns For one fit a data frame of class `anova` with a row for each term and the columns
#'   * `Sum Sq`, `Mean Sq`: \eqn{\hat\sigma^2} times the Wald statistic (divided by `NumDF`), so that in models that an
#'     analysis of variance can handle they are its sums of squares in the stratum of the residuals;
#'   * `NumDF`, `DenDF`, `F value`, `Pr(>F)`.
#'
#'   A term without an estimated coefficient of its own has `NA`. The attribute `hypotheses` holds the matrix L of each
#'   term: it is tested whether \eqn{L\beta = 0}.
#' @section Hypotheses:
#'   They are those that SAS and lmerTest call by these names.
#'   * Type I: each term is adjusted for the terms before it in the formula.
#'   * Type II: each term is adjusted for all others except those that contain it (`a` is contained in `a:b`). A term
#'     that is not contained in another is tested by its coefficients.
#'   * Type III: each term is averaged, every level counting the same, over the factors of the terms that contain it.
#'     The hypotheses depend neither on the contrasts nor on the numbers of observations. A combination of levels
#'     without observations is reported by a message of class `ferrite_message_empty_cells`.
#'   * Marginal: the coefficients of the term are zero, as they are coded. With interactions that depends on the
#'     contrasts.
#'
#'   A term is contained in another that has all its variables, the same covariates, and further factors; a matrix such
#'   as `poly(x, 2)` counts as a factor here. This holds in nested formulas such as `a / b` and `x + x:b` as well, so
#'   that no table depends on the order of levels. lmerTest 3.1 has the same tables otherwise; in nested formulas it
#'   does not count `a` as contained in `a:b`, and its types II and III test `a` at the first level of `b`.
#' @section Conditions:
#'   `ferrite_error_argument` (`type` or `ddf` misspelt, an argument that is no model), `ferrite_message_ddf` (see
#'   [contest()]), `ferrite_message_empty_cells`.
#' @references Kuznetsova, Brockhoff and Christensen (2017) \doi{10.18637/jss.v082.i13}.
#' @seealso [contest()] for any other hypothesis, [drop1.lmm()].
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
#' # balanced: the F of Machine against Worker:Machine, 20.576 on 2 and 10
#' anova(fit)
#' summary(aov(score ~ Machine + Error(Worker / Machine), nlme::Machines))
#' @importFrom stats anova
#' @export
anova.lmm <- function(object, ..., type = "III", ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic")) {
  call <- method_call()
  extra <- list(...)
  unnamed <- if (is.null(names(extra))) rep(TRUE, length(extra)) else !nzchar(names(extra))
  if (any(unnamed, vapply(extra, is_model, NA))) {
    unused <- c("type", "ddf")[!c(missing(type), missing(ddf))]
    if (length(unused)) note_without_effect(unused, "it belongs to tests of the terms of one fit", call)
    return(compare_models(object, ..., call = call))
  }
  refuse_arguments("anova", ..., call = call)
  if (identical(ddf, "lme4")) return(plain_anova(object, if (!missing(type)) type, call))
  type <- check_type(type, call, c("marginal", "sequential"))
  check_ddf(ddf, call)
  hypotheses <- if (type == "marginal") marginal_hypotheses(object) else hypotheses_of(object, type, call)
  inference <- inference_of(object, ddf, call)
  title <- if (type == "marginal") "Marginal" else paste("Type", type)
  f_table(inference, hypotheses, paste(title, "Analysis of Variance Table with", ddf_title(inference)))
}

# The coefficients of each term as they are coded.
marginal_hypotheses <- function(fit) {
  x <- kept_matrix(fit)
  by_term(diag(1, ncol(x)), x, attr(fit$terms, "term.labels"))
}

# The table of lme4: sequential, without degrees of freedom.
plain_anova <- function(fit, type, call) {
  if (!is.null(type)) check_type(type, call, "sequential")
  table <- f_table(inference_of(fit, "asymptotic", call), hypotheses_of(fit, "I", call), "Analysis of Variance Table")
  rows <- attr(table, "hypotheses")
  shown <- data.frame(
    npar = table$NumDF, "Sum Sq" = table[["Sum Sq"]], "Mean Sq" = table[["Mean Sq"]], "F value" = table[["F value"]],
    row.names = names(rows), check.names = FALSE
  )
  structure(
    shown, heading = attr(table, "heading"), hypotheses = rows, ddf = "lme4", class = c("anova", "data.frame")
  )
}

# Something that a fit can be compared with: it has a likelihood.
is_model <- function(x) {
  inherits(x, c("lmm", "lm", "merMod", "lme", "gls"))
}

# `words`: other names that are understood; "sequential" is type I.
check_type <- function(type, call, words = character()) {
  types <- c("I", "II", "III")
  at <- if (is.atomic(type) && length(type) == 1L) match(as.character(type), c(types, 1:3))
  if (length(at) && !is.na(at)) return(rep_len(types, 6L)[at])
  word <- if (is.character(type) && length(type) == 1L) words[pmatch(type, words)]
  if (length(word) && !is.na(word)) return(if (word == "sequential") "I" else word)
  bad_choice(if (is.numeric(type)) as.character(type) else type, c(types, words), "type", "", call)
}

# "Satterthwaite's method"
ddf_title <- function(inference) {
  switch(inference$method,
    asymptotic = "asymptotic tests",
    paste0(inference$method, "'s method")
  )
}

# F tests of named hypotheses as a table.
f_table <- function(inference, hypotheses, heading) {
  tests <- lapply(hypotheses, function(L) f_row(inference, L)) # nolint: object_name_linter.
  table <- if (length(tests)) do.call(rbind, tests) else f_row(inference, matrix(0, 0L, 0L))[0L, ]
  rownames(table) <- names(hypotheses)
  structure(
    table, heading = c(heading, if (!length(tests)) "There are no terms."), hypotheses = hypotheses,
    ddf = inference$method, class = c("anova", "data.frame")
  )
}

# One F test as a row. `Sum Sq` is that of the Wald statistic before Kenward and Roger's scaling.
f_row <- function(inference, L, rhs = 0) { # nolint: object_name_linter.
  test <- if (nrow(L)) f_test(inference, L, rhs) else c(F = NA, scale = NA, ndf = NA, ddf = NA)
  square <- test[["F"]] / test[["scale"]] * inference$sigma^2
  data.frame(
    "Sum Sq" = square * test[["ndf"]], "Mean Sq" = square, NumDF = test[["ndf"]], DenDF = test[["ddf"]],
    "F value" = test[["F"]], "Pr(>F)" = upper_tail(test), check.names = FALSE
  )
}

# Degrees of freedom that are not positive (Kenward and Roger's can be, in tiny samples) have no F distribution.
upper_tail <- function(test) {
  if (is.na(test[["ddf"]]) || test[["ddf"]] <= 0) return(NA_real_)
  stats::pf(test[["F"]], test[["ndf"]], test[["ddf"]], lower.tail = FALSE)
}

# Hypotheses of terms --------------------------------------------------------------------------------------------------
#
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
