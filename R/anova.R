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
