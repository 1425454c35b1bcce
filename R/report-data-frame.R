# Tables as plain data frames, for classes whose own files have no such method.

#' Tables as data frames
#'
#' Every table of this package is a data frame by `as.data.frame()`. Those of [VarCorr()], [ranef()], [icc()],
#' [ranova()], [varcomp_anova()], [anova()] with several fits, [profile()] and [bootstrap()] are described on these
#' pages; the others here.
#'
#' @param x What `coef()`, `summary()`, `confint()` or `convergence()` gave for a fit of [lmm()].
#' @param row.names Names of the rows. Default: 1, 2, ...; for `confint()` the parameters.
#' @param optional Not used.
#' @param ... Not used.
#' @returns A data frame:
#'   * of `coef()`: one row per level and coefficient with the columns `grpvar`, `term`, `grp`, `value`; `grp` and
#'     `term` are factors with the levels in the order of the fit;
#'   * of `summary()`: one row per fixed effect with the columns `term` and those of `coef(summary())`;
#'   * of `confint()`: its two columns, named such as `2.5 %` and `97.5 %`, and the parameters as row names, as of any
#'     matrix ([tidy()][tidy.lmm_confint] has them as `term`, `conf.low`, `conf.high`);
#'   * of `convergence()`: one row with the columns `status`, `criterion`, `REML`, `evaluations`, `iterations`,
#'     `starts`, `gradient`, `decrement` and `kkt`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' as.data.frame(summary(fit)) # age: estimate 0.6602, standard error 0.0616
#' as.data.frame(confint(fit, method = "Wald", parm = "age")) # 0.5394 to 0.7809
#' head(as.data.frame(coef(fit)))
#' as.data.frame(convergence(fit))$status # "converged"
#' @name tables
NULL

#' @rdname tables
#' @export
as.data.frame.coef.lmm <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  long <- long_effects(x, row.names)
  names(long)[names(long) == "condval"] <- "value"
  long
}

#' @rdname tables
#' @export
as.data.frame.summary.lmm <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  table <- data.frame(term = rownames(x$coefficients), x$coefficients, check.names = FALSE)
  rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

#' @rdname tables
#' @export
as.data.frame.lmm_confint <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  plain <- unclass(x)
  attributes(plain) <- attributes(plain)[c("dim", "dimnames")]
  table <- as.data.frame(plain)
  if (!is.null(row.names)) rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

#' @rdname tables
#' @export
as.data.frame.lmm_convergence <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  columns <- c("status", "criterion", "REML", "evaluations", "iterations", "starts", "gradient", "decrement", "kkt")
  table <- as.data.frame(unclass(x)[columns])
  rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

# A part of a table is an ordinary data frame: its title and its notes are about the whole.

#' @export
`[.lmm_comparison` <- function(x, i, j, drop) {
  call <- sys.call()
  call[[1L]] <- quote(`[`)
  call[[2L]] <- bare_table(x)
  eval(call, parent.frame())
}

#' @export
`[.ranova_lmm` <- `[.lmm_comparison`

#' @export
`[.contest` <- `[.lmm_comparison`

# A table without its class and what belongs to the whole of it.
bare_table <- function(x, row.names = NULL, call = NULL) { # nolint: object_name_linter.
  attributes(x) <- attributes(x)[c("names", "row.names")]
  class(x) <- "data.frame"
  if (!is.null(row.names)) rownames(x) <- row_names(row.names, nrow(x), call)
  x
}

# The argument `row.names` of a method for as.data.frame(), for a table of n rows.
row_names <- function(names, n, call) {
  if (is.null(names)) return(NULL)
  good <- (is.character(names) || is.numeric(names)) && is.null(dim(names)) && length(names) == n && !anyNA(names) &&
    !anyDuplicated(names)
  if (!good) {
    bad_setting(names, "row.names", sprintf("`NULL` or %s, all different", counted(n, "name")), call, "argument")
  }
  as.character(names)
}
