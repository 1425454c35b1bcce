# Deletion of terms: drop1(), and eliminate(), which goes on with it (lmerTest's step()).
#
# Reads   a fit; for eliminate() its data again (fit-update.R), since each smaller model is a fit of its own.
# Writes  a table of class `anova`; `lmm_step`: the tables of both stages, attributes `model` (the last fit) and `drop1`
#         (its table).

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

# Backward elimination -------------------------------------------------------------------------------------------------
#
# In the words of lmerTest. Tests: those of infer-ranova.R (mixtures of chi-squares) and of drop1(). Used by util-load.R
# too, for lmerTest's generics.

#' Backward elimination
#'
#' Removes random terms, then fixed ones, each time the one with the largest p-value above a limit, and fits again. The
#' procedure, the arguments and the tables are those of lmerTest's `step()`, which works on our fits too. It is a
#' search: p-values and intervals of the model that it ends with do not know of it.
#'
#' @param object An object of class `lmm`.
#' @param ddf Denominator degrees of freedom: `"Satterthwaite"` (default) or `"Kenward-Roger"`, see [contest()].
#' @param alpha.random,alpha.fixed The p-value above which a random (0.1) or fixed (0.05) term goes.
#' @param reduce.random,reduce.fixed `FALSE`: leave the random or the fixed part as it is.
#' @param keep Names of terms of the fixed part that stay.
#' @param ... Not used.
#' @details
#'   Random terms are reduced as in [ranova()]: a slope goes before the intercept of its term, a term of one column as a
#'   whole. The p-values are the column `Pr(>Chisq)` there, of the mixture that a variance on the boundary needs, and
#'   so at most those of lmerTest, which takes a plain chi-square: fewer random terms go. The last random term stays,
#'   with a message, as a model must have one. Fixed terms are tested as in [drop1()], so that no term goes that is
#'   contained in another.
#'
#'   The data are looked up again as by [update()].
#' @returns An object of class `lmm_step`, a list of two tables of class `anova`: `random` (`Eliminated`, `npar`,
#'   `logLik`, `AIC`, `LRT`, `Df`, `Pr(>Chisq)`) and `fixed` (`Eliminated`, `Sum Sq`, `Mean Sq`, `NumDF`, `DenDF`,
#'   `F value`, `Pr(>F)`). `Eliminated` numbers the terms that went; it is 0 for those that stay, tested in the last
#'   model of the stage. `get_model()` takes the last model out.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_error_step` when a smaller model has other rows than the fit, because the term
#'   that went had missing values, or cannot be written as a formula; `ferrite_message_step` when the last random term
#'   would go; those of [lmm()] and [update()].
#' @section Beside stats and lmerTest:
#'   `stats::step()` is another procedure, by AIC, and no generic function; so that it is not masked, this one has a
#'   name of its own. With lmerTest attached `step(fit)` is this elimination.
#' @seealso [ranova()], [drop1.lmm()].
#' @examples
#' fit <- lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont)
#' found <- eliminate(fit)
#' found # the slopes go, LRT 1.176
#' formula(get_model(found)) # distance ~ age * Sex + (1 | Subject)
#' @export
eliminate <- function(object, ...) {
  UseMethod("eliminate")
}

#' @export
eliminate.default <- function(object, ...) {
  if (inherits(object, "merMod") && requireNamespace("lmerTest", quietly = TRUE)) {
    return(getExportedValue("lmerTest", "step")(object, ...))
  }
  abort_ferrite("argument", "`eliminate()` must be given a fitted mixed model.",
    paste0("It was given ", a_kind(object), "."), hint = "Use `step()` for other models.", call = method_call()
  )
}

#' @rdname eliminate
#' @export
eliminate.lmm <- function(object, ddf = c("Satterthwaite", "Kenward-Roger"), alpha.random = 0.1, # nolint
                          alpha.fixed = 0.05, reduce.fixed = TRUE, reduce.random = TRUE, # nolint: object_name_linter.
                          keep = NULL, ...) {
  call <- method_call()
  refuse_arguments("eliminate", ..., call = call)
  ddf <- choose_one(ddf, ddf_methods[1:2], "ddf", call)
  check_share(alpha.random, "alpha.random", call)
  check_share(alpha.fixed, "alpha.fixed", call)
  check_flag(reduce.fixed, "reduce.fixed", call, "argument")
  check_flag(reduce.random, "reduce.random", call, "argument")
  keep <- check_keep(keep, object, call)
  caller <- parent.frame()
  random <- eliminate_random(object, if (reduce.random) alpha.random else 1, caller, call)
  fixed <- eliminate_fixed(random$fit, if (reduce.fixed) alpha.fixed else 1, ddf, keep, caller, call)
  structure(
    list(random = random$table, fixed = fixed$table), model = fixed$fit, drop1 = fixed$drop1, class = "lmm_step"
  )
}

check_share <- function(x, name, call) {
  good <- is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 0 && x <= 1
  if (!good) bad_setting(x, name, "one number from 0 to 1", call, "argument")
}

check_keep <- function(keep, fit, call) {
  labels <- attr(fit$terms, "term.labels")
  if (!length(keep)) return(character())
  found <- if (is.character(keep)) match_terms(keep, labels) else NA
  if (!anyNA(found)) return(labels[found])
  abort_ferrite("argument", "`keep` must name terms of the fixed part.",
    paste0("It is ", if (is.character(keep)) quoted_list(keep[is.na(found)]) else a_kind(keep), "."),
    hint = if (is.character(keep)) name_hint(keep[is.na(found)][1L], labels, "Terms") else "Leave it out.",
    call = call, data = list(argument = "keep")
  )
}

# Random terms ----------------------------------------------------------------------------------------------------

eliminate_random <- function(fit, alpha, caller, call) {
  none <- data.frame(
    npar = fit$npar, logLik = -fit$criterion / 2, AIC = fit$criterion + 2 * fit$npar, LRT = NA_real_, Df = NA_integer_,
    p = NA_real_, row.names = "<none>"
  )
  gone <- list()
  repeat {
    design <- design_of(fit)
    reductions <- random_reductions(fit, design, TRUE)
    rows <- lapply(reductions, function(reduction) {
      reduction$removed <- NULL # no exact null distribution: its p-value is not used here
      reduction_row(fit, design, reduction, 1L, 1L, call)[names(none)]
    })
    rows <- do.call(rbind, rows)
    rownames(rows) <- make.unique(vapply(reductions, `[[`, "", "label"))
    worst <- which.max(rows$p)
    if (!length(worst) || rows$p[worst] <= alpha) break
    if (!length(reductions[[worst]]$terms)) {
      report_last(rownames(rows)[worst], rows$p[worst], call)
      break
    }
    gone[[length(gone) + 1L]] <- rows[worst, ]
    fit <- smaller_fit(fit, stats::formula(fit, fixed.only = TRUE), random_texts(fit, reductions[[worst]]$terms, call),
      caller, call)
  }
  all <- c(list(none), gone, list(rows))
  table <- cbind(Eliminated = c(NA, seq_along(gone), rep(0, nrow(rows))), stack_rows(all))
  names(table)[7L] <- "Pr(>Chisq)"
  heading <- "Backward elimination of random terms\n"
  list(fit = fit, table = structure(table, heading = heading, class = c("anova", "data.frame")))
}

# Rows below each other that keep their names; a name that stands again gets a number.
stack_rows <- function(tables) {
  names <- make.unique(unlist(lapply(tables, rownames)))
  table <- do.call(rbind, lapply(tables, function(rows) {
    rownames(rows) <- NULL
    rows
  }))
  rownames(table) <- names
  table
}

report_last <- function(label, p, call) {
  inform_ferrite("step", "A model must have a random term.",
    sprintf("The last one, `%s`, stays although its p-value is %s.", label, format.pval(p, 3L)),
    hint = "For independent observations use `lm()`.", call = call, data = list(term = label, p_value = p)
  )
}

# The random terms of a reduction as expressions. A bar all of whose parts are still there is written as it was.
random_texts <- function(fit, terms, call) {
  texts <- vapply(terms, `[[`, "", "text")
  whole <- vapply(fit$random, `[[`, "", "text")
  written <- lapply(formula_bars(fit), function(bar) terms_of_bar(read_bar(bar, call), character(), call))
  written <- vapply(unlist(written, recursive = FALSE), `[[`, "", "text")
  lapply(intersect(written, texts), function(text) {
    own <- terms[texts == text]
    before <- fit$random[whole == text]
    effects <- function(parts) lapply(parts, `[[`, "effects")
    bar <- str2lang(text)
    if (identical(effects(own), effects(before))) return(bar)
    inner <- strip_parens(bar)
    structured <- is_structured(inner)
    group <- if (structured) inner[[2L]][[3L]] else inner[[3L]]
    made <- lapply(own, function(term) {
      lhs <- if (length(before) > 1L) single_column(term, text, call) else stats::formula(term$lhs)[[2L]]
      bar <- call("|", lhs, group)
      if (!structured || is.null(term$structure)) return(call("(", bar))
      inner[[2L]] <- bar
      inner
    })
    sum_of(made)
  })
}

# The random terms of a formula as they are written.
formula_bars <- function(fit) split_terms(fit$formula[[3L]], fit$formula, NULL)$bars

as_summand <- function(bar) if (is_bar(bar)) call("(", bar) else bar

# The column of a part of `||`: 1, or 0 + x.
single_column <- function(term, text, call) {
  if (identical(term$effects, "(Intercept)")) return(1)
  at <- match(term$effects, attr(term$lhs, "term.labels"))
  if (length(term$effects) == 1L && !is.na(at)) return(call("+", 0, str2lang(attr(term$lhs, "term.labels")[at])))
  abort_ferrite("step", "The smaller model must be one that a formula can tell.",
    sprintf("What is left of `%s` is the column %s of a factor.", text, quoted_list(term$effects)),
    hint = "Use `reduce.random = FALSE`, or `ranova()`.", call = call, data = list(term = text)
  )
}

# Fixed terms ---------------------------------------------------------------------------------------------------------

eliminate_fixed <- function(fit, alpha, ddf, keep, caller, call) {
  gone <- list()
  repeat {
    found <- drop1.lmm(fit, ddf = ddf)
    free <- found[!rownames(found) %in% keep, , drop = FALSE]
    worst <- which.max(free[["Pr(>F)"]])
    if (!length(worst) || free[["Pr(>F)"]][worst] <= alpha) break
    gone[[length(gone) + 1L]] <- as.data.frame(free)[worst, ]
    formula <- stats::update.formula(stats::formula(fit, fixed.only = TRUE),
      call("~", quote(.), call("-", quote(.), str2lang(rownames(free)[worst]))))
    fit <- smaller_fit(fit, formula, lapply(formula_bars(fit), as_summand), caller, call)
  }
  table <- cbind(
    Eliminated = c(seq_along(gone), rep(0, nrow(found))), stack_rows(c(gone, list(as.data.frame(found))))
  )
  heading <- c("Backward elimination of fixed terms", paste0("Tests: ", ddf, "\n"))
  list(fit = fit, drop1 = found, table = structure(table, heading = heading, class = c("anova", "data.frame")))
}

# The fit of a smaller formula to the same rows.
smaller_fit <- function(fit, fixed, random, caller, call) {
  formula <- fixed
  formula[[3L]] <- sum_of(c(list(fixed[[3L]]), random))
  attributes(formula) <- list(class = "formula", .Environment = environment(fit$formula))
  changed <- fit$call
  changed$formula <- formula
  new <- evaluate_again(fit, changed, list(), caller)
  if (identical(attr(new$frame, "row.names"), attr(fit$frame, "row.names"))) return(new)
  abort_ferrite("step", "Every smaller model must have the rows of the fit.",
    sprintf("Without the terms that went there are %s instead of %s.", counted(new$nobs, "row"), format(fit$nobs)),
    hint = "Remove the rows with missing values from the data and fit again.", call = call
  )
}

# What it found -------------------------------------------------------------------------------------------------------

#' @rdname eliminate
#' @param x What `eliminate()` returned.
#' @export
get_model <- function(x, ...) {
  UseMethod("get_model")
}

#' @export
get_model.default <- function(x, ...) {
  if (inherits(x, "step_list") && requireNamespace("lmerTest", quietly = TRUE)) {
    return(getExportedValue("lmerTest", "get_model")(x, ...))
  }
  abort_ferrite("argument", "`get_model()` must be given what `eliminate()` returned.",
    paste0("It was given ", a_kind(x), "."), hint = "Use `get_model(eliminate(fit))`.", call = method_call()
  )
}

#' @rdname eliminate
#' @export
get_model.lmm_step <- function(x, ...) attr(x, "model")

#' @rdname eliminate
#' @export
print.lmm_step <- function(x, ...) {
  print(x$random)
  cat("\n")
  print(x$fixed)
  cat("\nModel found:\n", paste(deparse(stats::formula(attr(x, "model")), width.cutoff = 80L), collapse = "\n"), "\n",
    sep = "")
  invisible(x)
}
