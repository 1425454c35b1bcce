#' Drop each term of the fixed part in turn
#'
#' Tests of the terms that can be removed without removing one that is contained in a remaining term: F tests, or
#' likelihood ratio tests and AIC by maximum likelihood.
#'
#' @param object An object of class `lmm`.
#' @param scope Which terms: their names, or a one-sided formula of them. Default: all that may be dropped, by
#'   [drop.scope()].
#' @param ddf Denominator degrees of freedom: `"Satterthwaite"` (default), `"Kenward-Roger"` or `"asymptotic"`; see
#'   [contest()]. `"lme4"`, as in lmerTest: no F tests, but `test = "none"` unless `test` is given.
#' @param test `"F"` (default): F tests with `ddf`, without a refit. `"Chisq"`: AIC and likelihood ratio tests,
#'   `"none"`: AIC alone, both of ML fits, as in lme4; the default when `scale`, `k` or `trace` is given, so that
#'   [step()] and `MASS::stepAIC()` work. `"user"`: what `sumFun` gives.
#' @param fit,k For AIC: an object of class `lmm`, and the price of a parameter, a number. Default 2.
#' @param scale Not used, as in lme4.
#' @param trace A number above 1 says which term is left out. Default `FALSE`.
#' @param sumFun For `test = "user"`: a function of two fits, the whole and the smaller one, and of `scale` and `k`,
#'   that gives a named numeric vector; of the whole fit alone it has to give one of the same names.
#' @param ... No other argument is known.
#' @details
#' The hypothesis of an F test is that the mean is one of the model without the term; nothing is refitted. In a model
#' of full rank these are the coefficients of the term. Where columns were dropped, and in a formula without an
#' intercept, the columns that the smaller formula would have are compared with those of the fit.
#' @returns `drop1()`: a data frame of class `anova` with the columns of [anova.lmm()] and a row for each term; `NA`
#'   for a term without which the model stays the same. With likelihood ratios: `npar`, the number of parameters that
#'   go, `AIC`, `LRT` and `Pr(Chi)` (`Df` and `AIC` as [step()] calls it), and a first row for the whole model.
#'   `extractAIC()`: the number of parameters, and AIC of the fit by maximum likelihood.
#' @section Conditions:
#'   `ferrite_error_argument`, also when `scope` names a term that cannot be dropped; `ferrite_message_argument` when
#'   `ddf` is given for a test that has none.
#' @seealso [anova.lmm()], [contest()]; `ranova()` for random terms.
#' @examples
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' drop1(fit) # age:Sex: F 6.303 on 1 and 79
#' drop1(fit, test = "Chisq") # age:Sex: LRT 6.217 on 1
#' @importFrom stats drop1
#' @export
drop1.lmm <- function(object, scope, ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic"), # nolint
                      test = c("F", "Chisq", "none", "user"), scale = 0, k = 2, trace = FALSE, sumFun = NULL, ...) {
  call <- method_call()
  set_aside_arguments("drop1", ..., call = call, words = c(force_get_contrasts = "they are those of the hypotheses"))
  if (!(is.logical(trace) || is.numeric(trace)) || length(trace) != 1L || is.na(trace)) {
    bad_setting(trace, "trace", "`TRUE`, `FALSE` or one number", call, "argument")
  }
  by_step <- missing(test) && is.null(sumFun) && !(missing(scale) && missing(k) && missing(trace))
  # lmerTest's word for lme4's table
  by_criterion <- identical(ddf, "lme4")
  test <- if (!missing(test)) choose_one(test, c("F", "Chisq", "none", "user"), "test", call)
  else if (!is.null(sumFun)) "user" else if (by_step || by_criterion) "none" else "F"
  possible <- stats::drop.scope(object$terms)
  scope <- if (missing(scope)) possible else check_scope(scope, possible, object, call)
  if (!by_criterion || test == "F") check_ddf(ddf, call)
  check_amount(k, "k", call)
  if ((test == "user") != is.function(sumFun)) {
    abort_ferrite("argument", "`sumFun` must be a function, and must come with `test = \"user\"`.",
      if (is.null(sumFun)) "It is left out." else sprintf("`test` is \"%s\", `sumFun` is %s.", test, a_kind(sumFun)),
      hint = "Write `test = \"user\", sumFun = function(object, objectDrop, ...) c(name = ...)`.", call = call,
      data = list(argument = "sumFun")
    )
  }
  if (test != "F") {
    if (!missing(ddf) && !by_criterion) note_without_effect("ddf", "it belongs to `test = \"F\"`", call)
    table <- if (test == "user") user_deletions(object, scope, sumFun, scale, k, trace, call)
    else likelihood_deletions(object, scope, k, test, trace, call)
    # step() looks for the name of other models' tables
    if (by_step) names(table)[1L] <- "Df"
    heading <- c("Single term deletions", "", paste("Model:", deparse_one(stats::formula(object))), "")
    return(structure(table, heading = heading, class = c("anova", "data.frame")))
  }
  x <- kept_matrix(object)
  hypotheses <- lapply(stats::setNames(nm = scope), deletion_rows, fit = object, x = x)
  inference <- inference_of(object, ddf, call)
  f_table(inference, hypotheses, c(
    paste("Single term deletions with", ddf_title(inference)), "", paste("Model:", deparse_one(object$formula))
  ))
}

#' @rdname drop1.lmm
#' @importFrom stats extractAIC
#' @export
extractAIC.lmm <- function(fit, scale = 0, k = 2, ...) {
  call <- method_call()
  check_amount(k, "k", call)
  c(fit$npar, ml_criterion(fit, call) + k * fit$npar)
}

# Minus twice the log-likelihood of the ML fit.
ml_criterion <- function(fit, call) {
  if (fit$REML) muffled(refit_frame(fit, list(REML = FALSE), call))$criterion else fit$criterion
}

# AIC and likelihood ratios of ML fits without each term, from the data of the fit.
likelihood_deletions <- function(fit, scope, k, test, trace, call) {
  whole <- ml_criterion(fit, call)
  smaller <- lapply(scope, function(term) {
    say_deletion(term, trace)
    fit_without(fit, term, call)
  })
  criterion <- c(whole, vapply(smaller, `[[`, 0, "criterion"))
  lost <- c(0L, vapply(smaller, function(one) fit$rank - one$rank, 0L))
  table <- data.frame(npar = c(NA, lost[-1L]), AIC = criterion + k * (fit$npar - lost), row.names = c("<none>", scope))
  if (test != "Chisq") return(table)
  table$LRT <- c(NA, vapply(criterion[-1L], function(small) max(0, likelihood_ratio(small, whole)), 0))
  table[["Pr(Chi)"]] <- ifelse(lost > 0L, stats::pchisq(table$LRT, lost, lower.tail = FALSE), NA_real_)
  table
}

# Criterion and rank of the ML fit without a term of the fixed part.
fit_without <- function(fit, term, call) {
  design <- with_texts_of(fit, design_of(fit))
  terms <- smaller_terms(fit, term)
  columns <- columns_of(terms, fit$frame, own_contrasts(fit$contrasts, terms))
  design$x <- columns$blocks
  design$x_names <- columns$names
  raw <- fit_design(design, FALSE, NULL, quiet_control(fit), fit$frame, call)
  list(criterion = raw$criterion, rank = length(raw$kept))
}

# What the user's function says of the fit and of each smaller one.
user_deletions <- function(fit, scope, summarise, scale, k, trace, call) {
  first <- summarise(fit, scale = scale, k = k)
  rows <- lapply(scope, function(term) {
    say_deletion(term, trace)
    smaller <- muffled(update.lmm(fit, stats::as.formula(call("~", call("-", quote(.), str2lang(term))))))
    summarise(fit, smaller, scale = scale, k = k)
  })
  odd <- which(vapply(c(list(first), rows), function(row) !is.numeric(row) || length(row) != length(first), NA))
  if (length(odd)) {
    abort_ferrite("statistic", "`sumFun` must give a numeric vector, always of the same length.",
      sprintf("For %s it gave another.", c("the whole model", paste0("the model without `", scope, "`"))[odd[1L]]),
      hint = "Give NA for what a model does not have.", call = call
    )
  }
  table <- as.data.frame(do.call(rbind, c(list(first), rows)), optional = TRUE)
  rownames(table) <- c("<none>", scope)
  table
}

say_deletion <- function(term, trace) if (trace > 1) message("trying - ", term)

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
  smaller <- smaller_terms(fit, term)
  check_frame(fit)
  stats::model.matrix(smaller, fit$frame, own_contrasts(fit$contrasts, smaller))
}

smaller_terms <- function(fit, term) {
  terms <- stats::delete.response(fit$terms)
  at <- match(term, attr(terms, "term.labels"))
  if (length(attr(terms, "term.labels")) > 1L) stats::drop.terms(terms, at)
  else stats::terms(if (attr(terms, "intercept")) ~ 1 else ~ 0)
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
