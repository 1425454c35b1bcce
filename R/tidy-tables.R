# Tables of tests and intervals in the words of broom, for tidy() of the package generics.
#
# Reads   what confint(), contest(), ranova(), icc() and the comparison of several fits gave.
# Writes  tables as in tidy.R. Tables of anova() with one fit and of drop1() are left to broom, which knows them.

#' Tidy tables of tests and intervals
#'
#' Methods for `tidy()` of the packages generics, broom and broom.mixed, that give the tables of this package the names
#' of columns that broom uses. Tables of [anova()] with one fit and of [drop1()] are tidied by broom itself.
#'
#' @usage
#' \method{tidy}{lmm_confint}(x, ...)
#' @param x What [confint()], [contest()], [ranova()], [icc()] or [anova()] with several fits gave.
#' @param ... Nothing else is known: an argument that is not is left out with a warning.
#' @returns A tibble if the package tibble is installed, else a data frame. The names of the rows are in the column
#'   `term`, those of contrasts in `contrast`; beside it stand
#'   * for `confint()`: `conf.low`, `conf.high`;
#'   * for `contest()`: `null.value`, `estimate`, `std.error`, `statistic`, `df`, `p.value`, `conf.low`, `conf.high`;
#'     for a joint test `sumsq`, `meansq`, `NumDF`, `DenDF`, `statistic`, `p.value`;
#'   * for `ranova()` and comparisons of fits: `npar`, `AIC`, `BIC`, `logLik`, `deviance`, `statistic`, `df`, `p.value`,
#'     `reference`, `p.value.rlrt` (finite sample), `method`, where they apply;
#'   * for `icc()`: `type`, `estimate`, `conf.low`, `conf.high`, with the grouping factor as `term`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("generics", quietly = TRUE)) {
#'   print(generics::tidy(confint(fit, "sigma"))) # 1.24 to 1.69
#'   generics::tidy(ranova(fit))
#' }
#' @name tidy.lmm_confint
NULL

tidy_words <- c(
  "Sum Sq" = "sumsq", "Mean Sq" = "meansq", "F value" = "statistic", "Pr(>F)" = "p.value", Estimate = "estimate",
  "Std. Error" = "std.error", "t value" = "statistic", "z value" = "statistic", "Pr(>|t|)" = "p.value",
  "Pr(>|z|)" = "p.value", lower = "conf.low", upper = "conf.high", Chisq = "statistic", LRT = "statistic", Df = "df",
  "Pr(>Chisq)" = "p.value", Reference = "reference", "Pr(>RLRT)" = "p.value.rlrt", Method = "method",
  group = "term", icc = "estimate"
)

in_words <- function(names) {
  ifelse(names %in% names(tidy_words), tidy_words[names], names)
}

# A data frame of tests with names of rows.
tidy_tests <- function(x, ...) {
  warn_arguments("tidy", ..., call = method_call())
  table <- c(list(term = rownames(x)), as.list(x))
  names(table) <- in_words(names(table))
  as_tidy(as.data.frame(table, optional = TRUE))
}

tidy_contest <- function(x, ...) {
  warn_arguments("tidy", ..., call = method_call())
  table <- as.list(x)
  names(table) <- in_words(names(table))
  if ("estimate" %in% names(table)) {
    table <- c(list(contrast = rownames(x), null.value = rep_len(attr(x, "rhs"), nrow(x))), table)
    table <- table[c("contrast", "null.value", tidy_columns[5:11])]
  }
  as_tidy(as.data.frame(table, optional = TRUE))
}

tidy.lmm_confint <- function(x, ...) { # nolint: object_name_linter.
  warn_arguments("tidy", ..., call = method_call())
  as_tidy(data.frame(
    term = or_else(rownames(x), character()), conf.low = as.vector(x[, 1L]), conf.high = as.vector(x[, 2L])
  ))
}

tidy_icc <- function(x, ...) {
  warn_arguments("tidy", ..., call = method_call())
  table <- x$table[c("group", "type", "icc", "lower", "upper")]
  names(table) <- in_words(names(table))
  as_tidy(table)
}
