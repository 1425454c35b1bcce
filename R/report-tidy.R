# The fit and its tables in the words and columns of broom and broom.mixed: tidy() and glance().
#
# Reads   a fit; what confint(), contest(), ranova(), icc() and the comparison of several fits gave.
# Writes  tables without row names: tibbles when the package tibble is installed, else data frames.
# Used by util-load.R, as methods of generics::tidy() (which broom and broom.mixed pass on).
# Not here: one row per observation (predict-augment.R). Tables of anova() with one fit and of drop1() are left to
# broom, which knows them.

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

# Methods for util-load.R: package, generic, class, method.
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

# Variance parameters --------------------------------------------------------------------------------------------------
#
# The limits are those of confint(). A stratum's standard deviation is sigma of the same model with this stratum as the
# reference, and has its limits: a likelihood knows no reference.

# Rows in the order of theta, then the residual; limits of a parameter that stands in several rows in all of them.
tidy_parameters <- function(fit, scale, prefix, with_limits, limits, call) {
  prefix <- check_prefix(or_else(prefix, if (scale == "vcov") c("var", "cov") else c("sd", "cor")), call)
  rows <- tidy_components(fit, scale, prefix)
  table <- rows[c("effect", "group", "term", "estimate")]
  table$estimate[is.nan(table$estimate)] <- NA_real_
  if (!with_limits) return(table)
  own <- matrix(NA_real_, nrow(table), 2L)
  if (!is.null(limits)) own <- unname(unclass(limits)[match(rows$parameter, rownames(limits)), , drop = FALSE])
  if (scale == "vcov") {
    sd <- rows$kind == "sd"
    own[sd, ] <- own[sd, ]^2
    own[rows$kind == "cor", ] <- NA_real_
  }
  table$conf.low <- own[, 1L]
  table$conf.high <- own[, 2L]
  table
}

# The rows of VarCorr() under tidy names, and the parameter of confint() that each shows: of residuals in strata the
# standard deviation of each, sigma for the first; coefficients of a dispersion; the residual correlation.
tidy_components <- function(fit, scale, prefix) {
  rows <- as.data.frame(VarCorr(fit), order = "lower.tri")
  parameters <- parameter_table(fit)
  residual <- rows$grp == "Residual" & seq_len(nrow(rows)) > nrow(rows) - residual_row_count(fit)
  serial <- residual & !is.na(rows$var2)
  single <- is.na(rows$var2)
  first <- ifelse(is.na(rows$var1), "Observation", rows$var1)
  term <- ifelse(single, paste0(prefix[1L], "__", first), paste0(prefix[2L], "__", first, ".", rows$var2))
  term[serial] <- paste0("cor__", rows$var1[serial])
  parameter <- rep(NA_character_, nrow(rows))
  parameter[!residual] <- parameters$name[unlist(parameter_places(fit))]
  parameter[residual & !serial] <- c("sigma", strata_parameters(fit))
  own <- residual_parameters(fit)
  parameter[serial] <- own$name[own$kind == "rho"]
  estimate <- rows[[scale]]
  estimate[serial] <- rows$sdcor[serial]
  table <- data.frame(
    effect = "ran_pars", group = rows$grp, term = term, estimate = estimate, parameter = parameter,
    kind = ifelse(serial, "rho", ifelse(single, "sd", "cor"))
  )
  slopes <- own[which(own$kind == "dispersion"), ]
  if (!NROW(slopes)) return(table)
  rbind(table, data.frame(
    effect = "ran_pars", group = "Residual", term = sub("_", "__", slopes$name), estimate = slopes$estimate,
    parameter = slopes$name, kind = "dispersion"
  ))
}

# Rows of the residual in the table of VarCorr().
residual_row_count <- function(fit) {
  max(1L, fit$residual$scale$strata$n_levels) + !is.null(fit$residual$correlation)
}

# For each random term the row of parameter_table() of every cell of its lower triangle.
parameter_places <- function(fit) {
  at <- 0L
  lapply(fit$random, function(term) {
    own <- parameter_cells(term)
    cells <- parameter_cells(list(effects = term$effects))
    sd <- own[, 1L] == own[, 2L]
    place <- at + seq_len(nrow(own))
    at <<- at + nrow(own)
    if (is.null(term$structure)) return(place)
    on <- cells[, 1L] == cells[, 2L]
    out <- rep(NA_integer_, nrow(cells))
    out[on] <- rep_len(place[sd], sum(on))
    shown <- if (term$structure$kind == "ar1") cells[, 1L] == cells[, 2L] + 1L else !on
    if (any(!sd)) out[shown] <- place[!sd]
    out
  })
}

#' Limits of the parameters by profile or bootstrap
#'
#' @returns The matrix of `confint.lmm()`, variance parameters first; `NULL` when there is nothing to compute.
#' @noRd
tidy_limits <- function(fit, wanted, method, level, nsim, seed, call) {
  kinds <- c(if ("ran_pars" %in% wanted) variance_kinds, if ("fixed" %in% wanted) "beta")
  if (method %in% c("none", "Wald") || !length(kinds)) return(NULL)
  table <- parameter_table(fit)
  table <- table[table$kind %in% kinds, ]
  strata <- if ("ran_pars" %in% wanted) strata_parameters(fit)
  if (method == "profile") {
    limits <- profile_intervals(profile_fits(fit, table$kind, call), table, level, call)
    return(rbind(unclass(limits), profiled_strata(fit, strata, level, call)))
  }
  boot <- run_bootstrap(fit, NULL, nsim, seed, fit$control$threads, FALSE, call)
  if (length(strata)) boot <- with_strata(boot, fit, strata)
  boot_intervals(boot, c(table$name, strata), level, "percentile", call)
}

# Names for the standard deviations of all strata but the first.
strata_parameters <- function(fit) {
  strata <- fit$residual$scale$strata
  if (!is.null(strata)) paste("sd of stratum", strata$levels[-1L])
}

profiled_strata <- function(fit, names, level, call) {
  limits <- lapply(seq_along(names), function(k) {
    own <- rebased(fit, k + 1L)
    table <- parameter_table(own)
    table <- table[table$kind == "sigma", ]
    table$name <- names[k]
    unclass(profile_intervals(list(variance = own, fixed = own), table, level, call))
  })
  do.call(rbind, limits)
}

# The same fit with another stratum as the reference of its dispersion; for what depends on the likelihood alone.
rebased <- function(fit, k) {
  strata <- fit$residual$scale$strata
  ratio <- strata$ratio[[k]]
  strata$values <- sweep(strata$values, 2L, strata$values[k, ])
  strata$ratio <- strata$ratio / ratio
  fit$residual$scale$strata <- strata
  fit$sigma <- fit$sigma * ratio
  fit$theta <- fit$theta / ratio
  fit
}

# A bootstrap with the standard deviations of all strata but the first as further statistics.
with_strata <- function(boot, fit, names) {
  strata <- fit$residual$scale$strata
  own <- residual_parameters(fit)
  ratios <- own$name[own$kind == "ratio"]
  sd <- function(values) {
    shares <- exp(log(values[, ratios, drop = FALSE]) %*% t(strata$values[-1L, , drop = FALSE]))
    matrix(values[, "sigma"] * shares, nrow(values), dimnames = list(NULL, names))
  }
  boot$replicates <- cbind(boot$replicates, sd(boot$replicates))
  boot$estimate <- c(boot$estimate, sd(rbind(boot$estimate))[1L, ])
  boot
}

# Other tables ---------------------------------------------------------------------------------------------------------

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

# One row for a fit ----------------------------------------------------------------------------------------------------

#' Glance at a fit
#'
#' Method for `glance()` of the packages generics, broom and broom.mixed: one row with the columns that broom.mixed
#' gives for models of lme4 and lmerTest.
#'
#' @usage
#' \method{glance}{lmm}(x, ...)
#' @param x An object of class `lmm`.
#' @param ... Nothing else is known: an argument that is not is left out with a warning.
#' @returns A tibble if the package tibble is installed, else a data frame, with one row and the columns `nobs`,
#'   `sigma`, `logLik`, `AIC`, `BIC`, `REMLcrit` (for a fit by REML) or `deviance` (for one by maximum likelihood) and
#'   `df.residual`: what [nobs()], [sigma()], [logLik()], [AIC()], [BIC()], [REMLcrit()], [deviance()] and
#'   [df.residual()] say. `logLik`, `AIC` and `BIC` are under the criterion of the fit.
#' @section Conditions:
#'   `ferrite_warning_argument`.
#' @seealso [tidy.lmm()], [augment.lmm()].
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("generics", quietly = TRUE)) {
#'   generics::glance(fit) # REMLcrit 447.0025, AIC 455.0025
#' }
#' @name glance.lmm
NULL

glance.lmm <- function(x, ...) { # nolint: object_name_linter.
  warn_arguments("glance", ..., call = method_call())
  table <- data.frame(
    nobs = nobs(x), sigma = x$sigma, logLik = as.numeric(logLik(x)), AIC = stats::AIC(x), BIC = stats::BIC(x),
    criterion = x$criterion, df.residual = df.residual(x)
  )
  names(table)[names(table) == "criterion"] <- if (x$REML) "REMLcrit" else "deviance"
  as_tidy(table)
}
