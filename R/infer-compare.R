# compare_models(), and anova() of several fits: criteria and likelihood ratio tests of models of the same data.
#
# Reads   fits of lmm() or lm().
# Writes  a table of class `lmm_comparison`.
# Raises  `ferrite_error_comparison` when the fits are not of the same rows, responses and weights; it names the rows.

#' Compare models by likelihood ratio tests
#'
#' Called by `anova(m0, m1, ...)`. Models are sorted by their number of parameters; each is compared with the one
#' before it.
#'
#' @param object,... Two or more fits of [lmm()]; [lm()] fits are accepted too (the first argument of `anova()` has to
#'   be an `lmm`). All must be fitted to the same rows and the same response.
#' @param refit `NULL` (default): models fitted by REML are compared by REML if all have the same fixed part, otherwise
#'   all are refitted by ML, with a message. `TRUE`: always refit by ML. `FALSE`: never; the criteria are compared as
#'   they are, with a warning where they cannot be compared.
#' @param model.names Names of the models for the table, one for each in the order of the arguments. Default: as they
#'   are written.
#' @param test Ignored when it is `"Chisq"` or `"LRT"`, the test that is made; anything else is an error.
#' @param boundary `TRUE` (default): p-values respect that a variance of zero is on the boundary. `FALSE`: ordinary
#'   chi-square p-values, as other programs print them.
#' @param call The call shown in conditions, and in which the names of the models are looked up.
#' @param x What the comparison returned.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @section Reference distribution:
#'   The column `Reference` names it for each test. With one new variance and k new covariances and fixed effects
#'   (`(1 | g)` against none: k = 0; `(x | g)` against `(1 | g)`: k = 1) it is an equal mixture of chi-square with k and
#'   with k + 1 degrees of freedom, written `chi2(k:k+1)`, such as `chi2(0:1)`. With several new variances at once the
#'   same mixture bounds the p-value from above (`bound`). Without a new variance (fixed effects, or correlations) it is
#'   the ordinary chi-square. The random parts count as nested when the columns of every term of the smaller model lie
#'   in those of a term of the larger one on the same grouping factor; otherwise an ordinary chi-square is shown and
#'   marked `nested?`. Models that are not nested (the fixed part of the smaller one is not in that of the larger one,
#'   or the larger one fits worse) have no test: the row says `not nested`, compare AIC and BIC. When that test is of
#'   one variance, [ranova()] has its exact null distribution, which is better with few groups.
#' @returns A data frame of class `lmm_comparison` and `anova` with a row for each model and the columns `npar`, `AIC`,
#'   `BIC`, `logLik`, `deviance` (minus twice the log-likelihood that was compared, restricted for REML), `Chisq`, `Df`,
#'   `Pr(>Chisq)` and `Reference`.
#' @section Conditions:
#'   `ferrite_error_comparison` (different rows, responses or weights; something that is no model; one model only),
#'   `ferrite_message_refit` (refitted by ML), `ferrite_warning_comparison` (`refit = FALSE` where criteria cannot be
#'   compared).
#' @references Self and Liang (1987) \doi{10.1080/01621459.1987.10478472}; Stram and Lee (1994) \doi{10.2307/2533455}.
#' @examples
#' m0 <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' m1 <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' # REML: chi-square 4.3658 on 2, mixture p 0.0747 (ordinary chi-square 0.1127)
#' anova(m0, m1)
#' m2 <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' anova(m0, m2) # refitted by ML
#' @export
compare_models <- function(object, ..., refit = NULL, boundary = TRUE, model.names = NULL, test = NULL,
                           call = sys.call()) {
  models <- list(object, ...)
  names <- model_names(call, length(models))
  check_models(models, names, call)
  if (!is.null(model.names)) names <- check_model_names(model.names, length(models), call)
  if (!is.null(test)) choose_one(test, c("Chisq", "LRT"), "test", call)
  if (!is.null(refit)) check_flag(refit, "refit", call, "argument")
  check_flag(boundary, "boundary", call, "argument")
  check_same_rows(models, names, call)
  decided <- one_criterion(models, names, refit, call)
  models <- decided$models
  order <- order(vapply(models, parameter_count, 0L))
  models <- models[order]
  table <- comparison_table(models, decided$REML, boundary)
  rownames(table) <- names[order]
  structure(
    table, class = c("lmm_comparison", "anova", "data.frame"), REML = decided$REML, comparable = decided$comparable,
    formulas = stats::setNames(vapply(models, model_text, ""), names[order])
  )
}

check_model_names <- function(names, n, call) {
  good <- is.character(names) && length(names) == n && !anyNA(names) && all(nzchar(names)) &&
    !anyDuplicated(as.vector(names))
  if (good) return(as.vector(names))
  abort_ferrite("argument", sprintf("`model.names` must be %d different names, one for each model.", n),
    if (is.character(names) && length(names) == n) "Some are alike or empty." else paste0("It is ", a_kind(names), "."),
    hint = "Leave `model.names` out to use the names as written.", call = call, data = list(argument = "model.names")
  )
}

# Names of the models as the user wrote them.
model_names <- function(call, n) {
  written <- as.list(call)[-1L]
  labels <- names(written)
  others <- c("refit", "boundary", "call", "type", "ddf", "test", "model.names")
  if (!is.null(labels)) written <- written[!labels %in% others]
  text <- vapply(written, function(x) if (is.symbol(x)) as.character(x) else "", "")
  unnamed <- length(text) != n || any(!nzchar(text)) || any(text %in% c("object", "...")) || anyDuplicated(text)
  if (unnamed) paste("Model", seq_len(n)) else unname(text)
}

check_models <- function(models, names, call) {
  is_lm <- function(x) inherits(x, "lm") && !inherits(x, c("glm", "mlm"))
  good <- vapply(models, function(x) inherits(x, "lmm") || is_lm(x), NA)
  fail <- function(found, hint) {
    abort_ferrite("comparison", "Two or more models must be given, each a fit of `lmm()` or `lm()`.", found,
      hint = hint, call = call
    )
  }
  if (any(!good)) {
    fail(paste0("`", names[!good][1L], "` is ", a_kind(models[!good][[1L]]), "."),
         "Fit all models with `lmm()`; the one without random terms with `lm()`.")
  }
  if (length(models) < 2L) fail("There is one.", "For tests of the fixed effects of one fit use `anova(fit)`.")
}

parameter_count <- function(model) {
  if (inherits(model, "lmm")) as.integer(model$npar) else as.integer(attr(stats::logLik(model), "df"))
}

model_text <- function(model) {
  text <- deparse_one(stats::formula(model))
  if (is.list(model$residual)) paste0(text, ", ", errors_text(model)) else text
}

# One criterion -----------------------------------------------------------------------------------------------------

# The models, refitted where necessary, and whether REML is what is compared.
one_criterion <- function(models, names, refit, call) {
  mixed <- vapply(models, inherits, NA, "lmm")
  reml <- vapply(models[mixed], isREML, NA)
  if (!any(reml)) return(list(models = models, REML = FALSE, comparable = TRUE))
  same <- all(reml) && same_fixed_part(models)
  if (isFALSE(refit) && !same) warn_not_comparable(names, mixed, reml, call)
  if ((same && !isTRUE(refit)) || isFALSE(refit)) return(list(models = models, REML = TRUE, comparable = same))
  why <- if (isTRUE(refit)) "`refit = TRUE` was asked for"
  else if (!all(reml)) "Some models are fitted by REML and others by ML"
  else "The models differ in their fixed part, where REML criteria cannot be compared"
  inform_ferrite("refit", "Likelihood ratios with different fixed parts must come from ML fits.",
    paste0(why, ": ", quoted_list(names[mixed][reml]), if (sum(reml) == 1L) " is" else " are", " refitted by ML."),
    hint = "Fit with `REML = FALSE` to avoid the message.", call = call
  )
  models[mixed][reml] <- lapply(models[mixed][reml], function(fit) muffled(refit_frame(fit, list(REML = FALSE))))
  list(models = models, REML = FALSE, comparable = TRUE)
}

warn_not_comparable <- function(names, mixed, reml, call) {
  warn_ferrite("comparison", "Likelihood ratios with different fixed parts must come from ML fits.",
    if (all(reml)) "The models differ in their fixed part, and REML criteria are compared."
    else paste0("Only ", quoted_list(names[mixed][reml]), if (sum(reml) == 1L) " is" else " are", " fitted by REML."),
    hint = "Leave `refit` out: the models are refitted by ML.", call = call
  )
}

# The same columns under the same names: log|X'X|, a part of the REML criterion, depends on their coding.
same_fixed_part <- function(models) {
  columns <- lapply(models, estimated_columns)
  first <- columns[[1L]]
  all(vapply(columns[-1L], function(x) {
    if (!identical(colnames(x), colnames(first))) return(FALSE)
    x <- x[same_order(rownames(first), rownames(x)), , drop = FALSE]
    isTRUE(all.equal(x, first, check.attributes = FALSE))
  }, NA))
}

# Where the rows of one model are in another; in their own order when the names are others.
same_order <- function(rows, others) if (setequal(rows, others)) match(rows, others) else seq_along(others)

estimated_columns <- function(model) {
  if (inherits(model, "lmm")) return(component(model, "X", limit = Inf))
  x <- stats::model.matrix(model)
  x[, !is.na(stats::coef(model)), drop = FALSE]
}

# The table -------------------------------------------------------------------------------------------------------

comparison_table <- function(models, REML, boundary) { # nolint: object_name_linter.
  likelihood <- function(model) {
    if (inherits(model, "lmm")) logLik(model, REML = REML) else stats::logLik(model, REML = REML)
  }
  value <- vapply(models, function(model) as.double(likelihood(model)), 0)
  npar <- vapply(models, parameter_count, 0L)
  n <- length(model_rows(models[[1L]])$y)
  steps <- lapply(seq_along(models)[-1L], function(k) {
    comparison_step(models[[k - 1L]], models[[k]], likelihood_ratio(-2 * value[k - 1L], -2 * value[k]), boundary)
  })
  none <- data.frame(Chisq = NA_real_, Df = NA_integer_, p = NA_real_, Reference = NA_character_)
  tests <- do.call(rbind, c(list(none), steps))
  table <- data.frame(
    npar = npar, AIC = 2 * npar - 2 * value, BIC = log(n) * npar - 2 * value, logLik = value, deviance = -2 * value
  )
  table <- cbind(table, tests)
  names(table)[8L] <- "Pr(>Chisq)"
  table
}

comparison_step <- function(small, large, statistic, boundary) {
  df <- parameter_count(large) - parameter_count(small)
  variances <- added_variances(small, large)
  known <- !is.na(variances)
  within <- fixed_within(small, large)
  # a larger model that contains the smaller one does not fit worse
  nested <- within && (if (known) df > 0L || statistic == 0 else df > 0L && statistic >= 0)
  if (!nested) return(data.frame(Chisq = NA_real_, Df = df, p = NA_real_, Reference = "not nested"))
  variances <- if (boundary && known) variances else 0L
  testable <- df > 0L
  text <- if (testable) mixture_text(df, variances) else NA_character_
  data.frame(
    Chisq = max(0, statistic), Df = df, p = if (testable) mixture_p(statistic, df, variances) else NA_real_,
    Reference = if (known || !boundary || !testable) text else paste0(text, " nested?")
  )
}

# Do the columns of the fixed part of one model lie in the span of those of another?
fixed_within <- function(small, large) {
  inner <- estimated_columns(small)
  outer <- estimated_columns(large)
  if (!ncol(inner)) return(TRUE)
  if (!ncol(outer)) return(FALSE)
  inner <- inner[same_order(rownames(outer), rownames(inner)), , drop = FALSE]
  # the usual case needs no decomposition: the same columns under the same names
  named <- colnames(inner) %in% colnames(outer)
  if (all(named) && isTRUE(all.equal(inner, outer[, colnames(inner), drop = FALSE], check.attributes = FALSE))) {
    return(TRUE)
  }
  left <- qr.resid(qr(outer / rep(column_size(outer), each = nrow(outer))), inner)
  all(colSums(left^2) <= 1e-14 * colSums(inner^2))
}

# Output ----------------------------------------------------------------------------------------------------------

#' @rdname compare_models
#' @export
print.lmm_comparison <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  cat(comparison_title(x), "\n", paste0(names(attr(x, "formulas")), ": ", attr(x, "formulas"), "\n"), "\n", sep = "")
  print(comparison_text(x, digits), quote = FALSE, right = TRUE)
  notes <- mixture_notes(x$Reference)
  if (length(notes)) cat("\n", paste0(strwrap(notes, 0.95 * getOption("width")), "\n"), sep = "")
  invisible(x)
}

comparison_title <- function(x) {
  paste("Likelihood ratio tests by", if (!attr(x, "REML")) "maximum likelihood"
  else if (attr(x, "comparable")) "REML (same fixed part)" else "REML (different fixed parts: not comparable)")
}

comparison_text <- function(x, digits) {
  cells <- function(name) {
    value <- x[[name]]
    text <- switch(name,
      npar = , Df = , Reference = as.character(value),
      "Pr(>Chisq)" = format.pval(value, digits = max(1L, digits - 1L)),
      Chisq = formatC(value, digits = digits, format = "f"),
      format(value, digits = digits + 2L, nsmall = 2L)
    )
    ifelse(is.na(value), "", text)
  }
  text <- vapply(names(x), cells, character(nrow(x)))
  matrix(text, nrow(x), dimnames = list(rownames(x), names(x)))
}

#' @rdname compare_models
#' @export
as.data.frame.lmm_comparison <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  bare_table(x, row.names, method_call())
}

# In reports (registered in util-load.R).
knit_print_comparison <- function(x, ...) {
  text <- comparison_text(x, report_digits())
  formulas <- paste(names(attr(x, "formulas")), attr(x, "formulas"), sep = ": ")
  as_output(c(
    list(structure(formulas, role = "code"), captioned(cbind(Model = rownames(text), text), comparison_title(x), 1L)),
    as.list(mixture_notes(x$Reference))
  ))
}

# The same rows --------------------------------------------------------------------------------------------------------

model_rows <- function(model) {
  frame <- stats::model.frame(model)
  list(
    rows = as.character(attr(frame, "row.names")), name = names(frame)[1L],
    y = as.double(stats::model.response(frame)), weights = frame[["(weights)"]]
  )
}

check_same_rows <- function(models, names, call) {
  rows <- lapply(models, model_rows)
  first <- rows[[1L]]
  fail <- function(rule, found, hint) abort_ferrite("comparison", rule, found, hint = hint, call = call)
  for (k in seq_along(rows)[-1L]) {
    other <- rows[[k]]
    if (length(first$y) != length(other$y)) {
      fail("All models must be fitted to the same rows.",
           different_rows(first, other, names[c(1L, k)]),
           "Fit all to the rows without missing values in any variable, for example by `subset`.")
    }
    at <- same_order(first$rows, other$rows)
    scale <- max(abs(first$y), abs(other$y))
    if (max(abs(first$y - other$y[at])) > 1e-10 * scale) {
      same <- identical(first$name, other$name)
      fail("All models must be fitted to the same response.",
           if (same) different_values(first, other, at, names[c(1L, k)])
           else paste0("It is `", first$name, "` in `", names[1L], "` and `", other$name, "` in `", names[k], "`."),
           if (same) "Fit all models to the same data frame." else "Compare models of one response on one scale.")
    }
    if (!same_weights(first$weights, other$weights[at])) {
      fail("All models must be fitted with the same weights.",
           paste0("Those of `", names[1L], "` and `", names[k], "` differ."), "Fit all with the same `weights`.")
    }
  }
}

same_weights <- function(a, b) {
  if (is.null(a) && is.null(b)) return(TRUE)
  isTRUE(all.equal(as.double(or_else(a, rep(1, length(b)))), as.double(or_else(b, rep(1, length(a))))))
}

different_rows <- function(a, b, names) {
  only <- function(x, y, name) {
    more <- setdiff(x$rows, y$rows)
    if (length(more)) {
      paste0(if (length(more) == 1L) "Row " else "Rows ", plain_list(more), if (length(more) == 1L) " is" else " are",
             " only in `", name, "`.")
    }
  }
  c(
    paste0("`", names[1L], "` has ", length(a$y), " rows, `", names[2L], "` has ", length(b$y), "."),
    only(a, b, names[1L]), only(b, a, names[2L])
  )
}

different_values <- function(a, b, at, names) {
  where <- which(a$y != b$y[at])
  paste0("`", a$name, "` has other values in `", names[2L], "` than in `", names[1L], "`, first in row ",
         a$rows[where[1L]], ".")
}

# Nested models --------------------------------------------------------------------------------------------------------

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
