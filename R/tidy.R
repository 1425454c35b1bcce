# The fit as tidy tables: the words and columns of broom and broom.mixed.
#
# Reads   a fit.
# Writes  tables without row names: tibbles when the package tibble is installed, else data frames.
# Used by register.R, as methods of generics::tidy() (which broom and broom.mixed pass on).
# Not here: the rows "ran_pars" and their limits (tidy-parameters.R), one row per model (glance.R), one row per
# observation (augment.R), other objects than fits (tidy-tables.R).

#' Tidy a fit
#'
#' Methods for `tidy()` of the packages generics, broom and broom.mixed: one row per parameter, with the columns that
#' broom.mixed gives for models of lme4 and lmerTest. They need one of these packages to be loaded, nothing else.
#'
#' @usage
#' \method{tidy}{lmm}(x, effects = c("ran_pars", "fixed"), scales = NULL,
#'   exponentiate = FALSE, ran_prefix = NULL, conf.int = FALSE,
#'   conf.level = 0.95, conf.method = c("Wald", "profile", "boot"),
#'   ddf.method = c("Satterthwaite", "Kenward-Roger", "asymptotic"),
#'   nsim = 1000, seed = NULL, ...)
#' @param x An object of class `lmm`.
#' @param effects Which rows: any of `"fixed"` (coefficients), `"ran_pars"` (standard deviations and correlations of the
#'   random effects and of the residual), `"ran_vals"` (random effects of each level), `"ran_coefs"` (coefficients of
#'   each level). They stand in this order.
#' @param scales `"sdcor"` (default) or `"vcov"`: standard deviations and correlations, or variances and covariances, in
#'   the rows `"ran_pars"`. As in broom.mixed it may also be a vector as long as `effects`, with `NA` for the others.
#' @param exponentiate `TRUE` gives `exp()` of the coefficients and their limits, for a response on the log scale, and
#'   standard errors times that (delta method). Default `FALSE`. Random effects stay as they are.
#' @param ran_prefix Two words for the names of the rows `"ran_pars"`. Default: `c("sd", "cor")`, or `c("var", "cov")`.
#' @param conf.int `TRUE` adds limits in the columns `conf.low` and `conf.high`. Default `FALSE`.
#' @param conf.level Coverage, between 0 and 1. Default 0.95.
#' @param conf.method `"Wald"` (default): estimate plus and minus a quantile of t, with the degrees of freedom of the
#'   row, times the standard error; none for `"ran_pars"`, which are `NA`. `"profile"` and `"boot"`: the intervals of
#'   [confint.lmm()], for `"ran_pars"` too; with strata (`dispersion = ~ g`) for the standard deviation of each stratum,
#'   which is profiled, or computed from the replicates, as sigma is for the first. Random effects have Wald intervals
#'   always, as their conditional variances.
#' @param ddf.method Degrees of freedom of the coefficients, see [contest()]. `NULL` is the default. (`ddf` is enough.)
#'   `"lme4"`: no columns `df` and `p.value`, and normal quantiles, as for models of lme4.
#' @param nsim,seed For `conf.method = "boot"`: number of replicates and seed, see [bootstrap()].
#' @param ... Nothing else is known: an argument that is not is left out with a warning.
#' @details
#' With `scales = "vcov"` profile and bootstrap limits of variances are the squares of those of standard deviations;
#' covariances have none. `"ran_coefs"` have no intervals.
#'
#' broom itself tidies the tables of [anova()], [drop1()] and [contest()] of this package; [confint()],
#' [ranova()] and comparisons of models have methods here that give the words of broom as well.
#' @returns A tibble if the package tibble is installed, else a data frame, with those of the following columns that
#'   apply: `effect`, `group` (grouping factor, or `Residual`), `level`, `term`, `estimate`, `std.error`, `statistic`,
#'   `df`, `p.value`, `conf.low`, `conf.high`. Coefficients of dropped columns have no row.
#' @section Conditions:
#'   `ferrite_error_argument`, `ferrite_warning_argument`; those of [summary.lmm()] for the degrees of freedom and of
#'   [confint.lmm()] for the intervals; `ferrite_message_interval` for `"ran_coefs"`.
#' @seealso [glance.lmm()], [augment.lmm()].
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("generics", quietly = TRUE)) {
#'   print(generics::tidy(fit, conf.int = TRUE)) # age 0.660, 0.538 to 0.783; sd__Observation 1.43
#'   generics::tidy(fit, "ran_pars", conf.int = TRUE, conf.method = "profile")
#' }
#' @name tidy.lmm
NULL

# Methods for register.R: package, generic, class, method.
tidy_methods <- function() {
  list(
    list("generics", "tidy", "lmm", tidy.lmm),
    list("generics", "tidy", "lmm_confint", tidy.lmm_confint),
    list("generics", "tidy", "contest", tidy_contest),
    list("generics", "tidy", "ranova_lmm", tidy_tests),
    list("generics", "tidy", "lmm_comparison", tidy_tests),
    list("generics", "tidy", "icc_lmm", tidy_icc),
    list("generics", "glance", "lmm", glance.lmm),
    list("generics", "augment", "lmm", augment.lmm),
    list("generics", "refit", "lmm", refit.lmm)
  )
}

tidy.lmm <- function(x, effects = c("ran_pars", "fixed"), scales = NULL, exponentiate = FALSE, # nolint
                     ran_prefix = NULL, conf.int = FALSE, conf.level = 0.95,
                     conf.method = c("Wald", "profile", "boot"),
                     ddf.method = c("Satterthwaite", "Kenward-Roger", "asymptotic"), nsim = 1000, seed = NULL, ...) {
  call <- method_call()
  warn_arguments("tidy", ..., call = call)
  wanted <- choose_several(effects, c("fixed", "ran_pars", "ran_vals", "ran_coefs"), "effects", call)
  scale <- tidy_scale(scales, effects, call)
  check_flag(exponentiate, "exponentiate", call, "argument")
  check_flag(conf.int, "conf.int", call, "argument")
  check_level(conf.level, call)
  method <- if (conf.int) choose_one(conf.method, c("Wald", "profile", "boot"), "conf.method", call) else "none"
  limits <- tidy_limits(x, wanted, method, conf.level, nsim, seed, call)
  tables <- list(
    fixed = if ("fixed" %in% wanted) tidy_fixed(x, ddf.method, method, conf.level, limits, exponentiate, call),
    ran_pars = if ("ran_pars" %in% wanted) tidy_parameters(x, scale, ran_prefix, conf.int, limits, call),
    ran_vals = if ("ran_vals" %in% wanted) tidy_values(x, conf.int, conf.level),
    ran_coefs = if ("ran_coefs" %in% wanted) tidy_coefficients(x, conf.int, call)
  )
  as_tidy(stack_tables(Filter(Negate(is.null), tables), tidy_columns))
}

tidy_columns <- c(
  "effect", "group", "level", "term", "estimate", "std.error", "statistic", "df", "p.value", "conf.low", "conf.high"
)

# Rows ----------------------------------------------------------------------------------------------------------------

tidy_fixed <- function(fit, ddf, method, level, limits, exponentiate, call) {
  plain <- identical(ddf, "lme4")
  tests <- fixed_tests(inference_of(fit, if (plain) "asymptotic" else ddf, call))
  table <- data.frame(
    effect = rep("fixed", nrow(tests)), term = or_else(rownames(tests), character()),
    estimate = unname(tests[, "Estimate"]), std.error = unname(tests[, "Std. Error"]),
    statistic = unname(tests[, ncol(tests) - 1L])
  )
  if ("df" %in% colnames(tests)) table$df <- unname(tests[, "df"])
  if (!plain) table$p.value <- unname(tests[, ncol(tests)])
  if (method == "Wald") {
    half <- stats::qt((1 + level) / 2, or_else(table$df, Inf)) * table$std.error
    table$conf.low <- table$estimate - half
    table$conf.high <- table$estimate + half
  } else if (method != "none") {
    own <- match(coefficient_parameters(fit, table$term), rownames(limits))
    table$conf.low <- unname(limits[own, 1L])
    table$conf.high <- unname(limits[own, 2L])
  }
  if (exponentiate) {
    table$std.error <- table$std.error * exp(table$estimate)
    shown <- intersect(c("estimate", "conf.low", "conf.high"), names(table))
    table[shown] <- lapply(table[shown], exp)
  }
  table
}

tidy_values <- function(fit, with_limits, level) {
  rows <- as.data.frame(ranef(fit))
  table <- data.frame(
    effect = "ran_vals", group = rows$grpvar, level = as.character(rows$grp), term = as.character(rows$term),
    estimate = rows$condval, std.error = rows$condsd
  )
  if (!with_limits) return(table)
  half <- stats::qnorm((1 + level) / 2) * table$std.error
  table$conf.low <- table$estimate - half
  table$conf.high <- table$estimate + half
  table
}

tidy_coefficients <- function(fit, with_limits, call) {
  groups <- coef(fit)
  tables <- lapply(names(groups), function(group) {
    table <- groups[[group]]
    data.frame(
      effect = "ran_coefs", group = group, level = rep(rownames(table), ncol(table)),
      term = rep(names(table), each = nrow(table)), estimate = unlist(table, use.names = FALSE)
    )
  })
  table <- do.call(rbind, tables)
  if (!with_limits) return(table)
  inform_ferrite("interval", "An interval must have a standard error.",
    "The coefficients of the levels (`ran_coefs`) have none here: their limits are NA.",
    hint = "See `effects = \"ran_vals\"`, or `predict(interval = \"confidence\")`.", call = call,
    data = list(parameters = "ran_coefs")
  )
  table$conf.low <- NA_real_
  table$conf.high <- NA_real_
  table
}

# Arguments -----------------------------------------------------------------------------------------------------------

# The scale of the variance parameters: one word, or, as in broom.mixed, a vector beside `effects`.
tidy_scale <- function(scales, effects, call) {
  if (!is.null(scales) && !is.atomic(scales)) {
    bad_setting(scales, "scales", "`NULL`, \"sdcor\" or \"vcov\"", call, "argument")
  }
  if (length(scales) > 1L) {
    if (length(scales) != length(effects)) {
      abort_ferrite("argument", "`scales` must be one word, or as long as `effects`.",
        sprintf("There are %d scales and %d effects.", length(scales), length(effects)),
        hint = "Use `scales = \"vcov\"` for variances.", call = call, data = list(argument = "scales")
      )
    }
    scales <- scales[startsWith(effects, "ran_p")]
  }
  choose_one(if (length(scales) && !is.na(scales[1L])) scales, c("sdcor", "vcov"), "scales", call)
}

check_prefix <- function(prefix, call) {
  if (!is.character(prefix) || length(prefix) != 2L || anyNA(prefix)) {
    bad_setting(prefix, "ran_prefix", "two words, such as `c(\"sd\", \"cor\")`", call, "argument")
  }
  prefix
}

# Programs hand arguments through tidy(), glance() and augment() that are meant for others: they are named, no error.
warn_arguments <- function(verb, ..., call) {
  extra <- names(list(...))
  if (!...length()) return(invisible())
  shown <- if (is.null(extra)) "an argument without a name" else quoted_list(extra[extra != ""])
  warn_ferrite("argument", sprintf("Every argument of `%s()` should be one that it knows.", verb),
    sprintf("It does not know %s and leaves it out.", shown), hint = sprintf("See `?%s.lmm`.", verb), call = call,
    data = list(argument = extra)
  )
}

# Tables --------------------------------------------------------------------------------------------------------------

# Tables below each other; a column that a table lacks is NA there. Columns in the order of `columns`.
stack_tables <- function(tables, columns) {
  there <- columns[columns %in% unlist(lapply(tables, names))]
  prototype <- lapply(stats::setNames(nm = there), function(name) {
    for (table in tables) if (name %in% names(table)) return(table[[name]][0L])
  })
  filled <- lapply(unname(tables), function(table) {
    for (name in setdiff(there, names(table))) table[[name]] <- prototype[[name]][rep(NA_integer_, nrow(table))]
    table[there]
  })
  do.call(rbind, filled)
}

# Without row names; a tibble where tibble is installed.
as_tidy <- function(table) {
  attr(table, "row.names") <- .set_row_names(nrow(table))
  if (requireNamespace("tibble", quietly = TRUE)) tibble::as_tibble(table) else table
}
