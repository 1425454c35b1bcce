# Methods for the generics of the packages parameters and datawizard: the table of coefficients and variance parameters;
# the model refitted to data with mean 0 and standard deviation 1.
#
# Reads   a fit; for a standardised one its data again (data-recover.R), datawizard for the scaling.
# Writes  data frames with the columns of parameters, and the attributes by which it prints them.
# Registered by util-load.R when such a package is loaded. See interop-insight.R for the help page.

parameters_methods <- function() {
  own <- list(
    model_parameters = parameters_table, ci = parameters_ci, standard_error = parameters_se, p_value = parameters_p,
    p_value_kenward = function(model, dof = NULL) parameters_p(model, "kenward"),
    degrees_of_freedom = function(model, method = "analytical", ...) parameters_df(model, method),
    dof_satterthwaite = function(model) insight_df(model, "satterthwaite"),
    se_satterthwaite = function(model) parameters_se(model), bootstrap_model = parameters_bootstrap,
    standardize_parameters = parameters_standardized
  )
  c(
    listed_methods("parameters", own), listed_methods("datawizard", list(standardize = standardize_model)),
    listed_methods("bayestestR", list(equivalence_test = parameters_equivalence))
  )
}

# Method of parameters::standardize_parameters(), and of bayestestR::equivalence_test(): their own, for a model that
# insight knows.
parameters_standardized <- function(model, ...) {
  utils::getS3method("standardize_parameters", "default", envir = asNamespace("parameters"))(as_known_model(model), ...)
}

parameters_equivalence <- function(x, ...) {
  utils::getS3method("equivalence_test", "lm", envir = asNamespace("parameters"))(as_known_model(x), ...)
}

parameters_ci_methods <- c(
  "residual", "wald", "normal", "satterthwaite", "kenward", "kr", "ml1", "betwithin", "profile", "boot", "uniroot"
)

# Method of parameters::model_parameters().
parameters_table <- function(model, ci = 0.95, ci_method = NULL, ci_random = NULL, bootstrap = FALSE, iterations = 1000,
                             effects = "all", group_level = FALSE, exponentiate = FALSE, p_adjust = NULL, keep = NULL,
                             drop = NULL, verbose = TRUE, vcov = NULL, vcov_args = NULL, standardize = NULL,
                             df_method = NULL, robust = FALSE, ...) {
  call <- quote(model_parameters())
  object <- deparse_one(substitute(model))
  if (!isFALSE(robust)) bad_robust(call)
  ci_method <- or_else(ci_method, df_method)
  standardize <- standard_method(standardize, call)
  if (identical(standardize, "refit")) model <- standardize_model(model, verbose = verbose)
  scaled <- !is.null(standardize) && standardize != "refit"
  if (scaled && effects[1L] != "fixed") {
    inform_ferrite("standardize", "By this method coefficients of the fixed part alone are standardised.",
      "Random effects are left out.", hint = "Use `standardize = \"refit\"`, or `effects = \"fixed\"`.", call = call
    )
    effects <- "fixed"
  }
  method <- choose_one(tolower(or_else(ci_method, if (bootstrap) "boot" else "residual")), parameters_ci_methods,
    "ci_method", call
  )
  effects <- choose_one(effects, c("all", "fixed", "random"), "effects", call)
  for (level in ci) check_level(level, call)
  limits <- parameters_limits(model, method, effects, ci, ci_random, iterations, call)
  fixed <- if (effects != "random") {
    rows <- parameters_fixed(model, method, ci, limits, vcov, vcov_args, call)
    if (scaled) rows <- standardized_rows(model, rows, standardize)
    rows <- rows[chosen_rows(rows$Parameter, keep, drop), , drop = FALSE]
    if (!is.null(p_adjust)) rows$p <- stats::p.adjust(rows$p, p_adjust)
    if (!isFALSE(exponentiate) && !is.null(exponentiate)) exponentiated(rows) else rows
  }
  random <- if (effects != "fixed") {
    if (group_level) parameters_levels(model, ci) else parameters_variances(model, ci, limits)
  }
  table <- parameters_rows(fixed, random, effects, ci)
  if (scaled) names(table)[names(table) == "Coefficient"] <- "Std_Coefficient"
  new_parameters(table, model,
    list(
      ci = ci, ci_method = method, df_method = method, exponentiate = exponentiate, group_level = group_level,
      p_adjust = p_adjust, robust_vcov = !is.null(vcov), verbose = verbose, object_name = object,
      coefficient_name = "Coefficient"
    ), ...
  )
}

# One of the words, or NULL.
standard_method <- function(method, call) {
  if (is.null(method) || isFALSE(method)) return(NULL)
  choose_one(method, c("refit", "posthoc", "smart", "basic", "pseudo"), "standardize", call)
}

# Coefficients, errors and limits by the ratio of standard deviations that parameters takes; tests as they are. The
# intercept is zero then.
standardized_rows <- function(fit, rows, method) {
  found <- parameters_standardized(fit, method = method, ci = NULL, verbose = FALSE)
  ratio <- found$Std_Coefficient / rows$Coefficient
  shown <- c("Coefficient", "SE", grep("^CI_", names(rows), value = TRUE))
  rows[shown] <- lapply(rows[shown], function(values) values * ratio)
  rows
}

bad_robust <- function(call) {
  abort_ferrite("argument", "Robust standard errors must be asked for by `vcov`.",
    "`robust` is an argument of old versions of parameters.", hint = "Use, for example, `vcov = \"CR2\"`.", call = call,
    data = list(argument = "robust")
  )
}

# Rows ----------------------------------------------------------------------------------------------------------------

# The coefficients. p-values and df are by the residual df for profile and bootstrap limits, as there.
parameters_fixed <- function(fit, method, ci, limits, vcov, vcov_args, call) {
  inference <- parameters_inference(fit, method, vcov, vcov_args, call)
  estimate <- inference$estimate
  rows <- data.frame(Parameter = unquoted(names(estimate)), Coefficient = unname(estimate), SE = inference$error)
  wald <- !method %in% c("profile", "boot", "uniroot")
  for (k in seq_along(ci)) {
    half <- stats::qt((1 + ci[k]) / 2, inference$df) * inference$error
    own <- if (wald) cbind(rows$Coefficient - half, rows$Coefficient + half)
    else limits[[k]][match(coefficient_parameters(fit, names(estimate)), rownames(limits[[k]])), , drop = FALSE]
    rows[[level_names("CI_low", ci, k)]] <- unname(own[, 1L])
    rows[[level_names("CI_high", ci, k)]] <- unname(own[, 2L])
  }
  rows$t <- rows$Coefficient / rows$SE
  rows$df_error <- inference$df
  rows$p <- 2 * stats::pt(-abs(rows$t), rows$df_error)
  rows
}

# Estimates, their standard errors and degrees of freedom as a list.
parameters_inference <- function(fit, method, vcov = NULL, vcov_args = NULL, call) {
  if (method %in% c("satterthwaite", "kenward", "kr") && is.null(vcov)) {
    inference <- inference_of(fit, if (method == "satterthwaite") "Satterthwaite" else "Kenward-Roger", call)
    tests <- fixed_tests(inference)
    return(list(estimate = tests[, "Estimate"], error = unname(tests[, "Std. Error"]), df = unname(tests[, "df"])))
  }
  variance <- if (is.null(vcov)) fit$vcov
  else getExportedValue("insight", "get_varcov")(fit, vcov = vcov, vcov_args = vcov_args)
  df <- rep_len(unname(parameters_df(fit, method)), fit$rank)
  list(estimate = fixef(fit, complete = FALSE), error = unname(sqrt(diag(variance))), df = df)
}

# "analytical" is what parameters calls its best: Kenward and Roger's.
parameters_df <- function(fit, method) {
  method <- tolower(method)
  switch(method,
    normal = Inf,
    satterthwaite = , kenward = , kr = insight_df(fit, method),
    analytical = unname(insight_df(fit, if (fit$REML) "kenward" else "satterthwaite")),
    ml1 = , betwithin = getExportedValue("parameters", paste0("dof_", method))(fit),
    df.residual(fit)
  )
}

# Standard deviations, correlations and the residual, in the order of parameters.
parameters_variances <- function(fit, ci, limits) {
  rows <- as.data.frame(VarCorr(fit), order = "lower.tri")
  first <- or_text(rows$var1, "Observations")
  single <- is.na(rows$var2)
  table <- data.frame(
    Parameter = ifelse(single, paste0("SD (", plain_intercept(first), ")"),
      paste0("Cor (", plain_intercept(first), "~", plain_intercept(rows$var2), ")")),
    Coefficient = rows$sdcor
  )
  for (k in seq_along(ci)) {
    own <- limits[[k]]
    found <- if (is.null(own) || !"sigma" %in% rownames(own)) matrix(NA_real_, nrow(table), 2L)
    else own[seq_len(nrow(table)), , drop = FALSE]
    table[[level_names("CI_low", ci, k)]] <- unname(found[, 1L])
    table[[level_names("CI_high", ci, k)]] <- unname(found[, 2L])
  }
  table$Group <- group_of_terms(stats::setNames(nm = rows$grp))
  intercept <- first == "(Intercept)"
  kind <- ifelse(rows$grp == "Residual", 5L, ifelse(single, 2L, 4L) - intercept)
  table[order(kind), ]
}

plain_intercept <- function(names) ifelse(names == "(Intercept)", "Intercept", names)

or_text <- function(values, text) ifelse(is.na(values), text, values)

# The random effects of each level.
parameters_levels <- function(fit, ci) {
  rows <- as.data.frame(ranef(fit))
  table <- data.frame(
    Parameter = as.character(rows$term), Level = as.character(rows$grp), Coefficient = rows$condval, SE = rows$condsd
  )
  for (k in seq_along(ci)) {
    half <- stats::qnorm((1 + ci[k]) / 2) * table$SE
    table[[level_names("CI_low", ci, k)]] <- table$Coefficient - half
    table[[level_names("CI_high", ci, k)]] <- table$Coefficient + half
  }
  table$Group <- rows$grpvar
  table
}

# One level: "CI_low"; several: "CI_low_0.9".
level_names <- function(word, ci, k = seq_along(ci)) if (length(ci) == 1L) word else paste0(word, "_", ci[k])

# Limits by profile or bootstrap, a matrix for each level; NULL by Wald. Variance parameters have profile limits with
# `ci_random = TRUE` whatever the method.
parameters_limits <- function(fit, method, effects, ci, ci_random, nsim, call) {
  if (method == "uniroot") method <- "profile"
  wald <- !method %in% c("profile", "boot")
  if (wald && !isTRUE(ci_random)) return(vector("list", length(ci)))
  kinds <- c(
    if (effects != "fixed" && !isFALSE(ci_random)) variance_kinds, if (effects != "random" && !wald) "beta"
  )
  table <- parameter_table(fit)
  table <- table[table$kind %in% kinds, ]
  if (!nrow(table)) return(vector("list", length(ci)))
  if (method == "boot") {
    boot <- run_bootstrap(fit, NULL, nsim, NULL, fit$control$threads, FALSE, call)
    return(lapply(ci, function(level) boot_intervals(boot, table$name, level, "percentile", call)))
  }
  fits <- profile_fits(fit, table$kind, call)
  lapply(ci, function(level) profile_intervals(fits, table, level, call))
}

chosen_rows <- function(names, keep, drop) {
  matches <- function(patterns) Reduce(`|`, lapply(patterns, grepl, x = names, perl = TRUE))
  (if (is.null(keep)) rep(TRUE, length(names)) else matches(keep)) & (if (is.null(drop)) TRUE else !matches(drop))
}

exponentiated <- function(rows) {
  rows$SE <- exp(rows$Coefficient) * rows$SE
  shown <- c("Coefficient", grep("^CI_", names(rows), value = TRUE))
  rows[shown] <- lapply(rows[shown], exp)
  rows
}

# The object -----------------------------------------------------------------------------------------------------------

# Fixed and random rows below each other, with the columns in the order of parameters.
parameters_rows <- function(fixed, random, effects, ci) {
  columns <- c("Parameter", "Level", "Coefficient", "SE", if (length(ci) == 1L) "CI",
               rbind(level_names("CI_low", ci), level_names("CI_high", ci)), "t", "df_error", "p", "Effects", "Group")
  if (effects == "random") columns <- setdiff(columns, c("t", "df_error", "p"))
  if (!is.null(fixed)) {
    fixed$Effects <- rep("fixed", nrow(fixed))
    if (!is.null(random)) fixed$Group <- rep("", nrow(fixed))
  }
  if (!is.null(random)) {
    random$Effects <- rep("random", nrow(random))
    if (is.null(random$SE)) random$SE <- rep(NA_real_, nrow(random))
  }
  table <- stack_tables(Filter(Negate(is.null), list(fixed, random)), setdiff(columns, "CI"))
  if (length(ci) == 1L) table$CI <- rep(ci, nrow(table))
  table[columns[columns %in% names(table)]]
}

# `asked`: what the user asked for. The other attributes are those that parameters itself sets.
new_parameters <- function(table, fit, asked, digits = 2, ci_digits = 2, p_digits = 3, footer_digits = 3, ...) {
  pretty <- tryCatch(
    suppressWarnings(getExportedValue("parameters", "format_parameters")(fit)),
    error = function(e) stats::setNames(nm = table$Parameter)
  )
  shown <- c(satterthwaite = "Satterthwaite", kenward = "Kenward", wald = "Wald")
  method <- if (asked$ci_method %in% names(shown)) shown[[asked$ci_method]] else asked$ci_method
  structure(table,
    row.names = .set_row_names(nrow(table)), pretty_names = pretty, ci = asked$ci, ci_method = method,
    df_method = method, verbose = asked$verbose, exponentiate = asked$exponentiate, ordinal_model = FALSE,
    linear_model = TRUE, mixed_model = TRUE, n_obs = fit$nobs, model_class = class(fit), bootstrap = FALSE,
    iterations = 1000, p_adjust = asked$p_adjust, robust_vcov = asked$robust_vcov, ignore_group = !asked$group_level,
    ran_pars = !asked$group_level, show_summary = FALSE, log_link = FALSE,
    pretty_labels = stats::setNames(nm = table$Parameter), test_statistic = "t-statistic",
    log_response = grepl("log", deparse_one(fit$formula[[2L]]), fixed = TRUE),
    log_predictors = any(grepl("log", attr(fit$terms, "term.labels"), fixed = TRUE)),
    weighted_nobs = if (fit$weights_used) round(sum(weights_of(fit$frame))) else fit$nobs,
    model_formula = deparse_one(stats::formula(fit, fixed.only = TRUE)), coefficient_name = asked$coefficient_name,
    zi_coefficient_name = "Log-Odds", digits = digits, ci_digits = ci_digits, p_digits = p_digits,
    footer_digits = footer_digits, object_name = asked$object_name,
    class = c("parameters_model", "see_parameters_model", "data.frame")
  )
}

# Method of parameters::ci().
parameters_ci <- function(x, ci = 0.95, dof = NULL, method = "residual", iterations = 1000, ...) {
  call <- quote(ci())
  method <- choose_one(tolower(or_else(method, "residual")), parameters_ci_methods, "method", call)
  for (level in ci) check_level(level, call)
  limits <- parameters_limits(x, method, "fixed", ci, FALSE, iterations, call)
  tables <- lapply(seq_along(ci), function(k) {
    rows <- parameters_fixed(x, method, ci[k], limits[k], NULL, NULL, call)
    if (!is.null(dof)) {
      half <- stats::qt((1 + ci[k]) / 2, dof) * rows$SE
      rows[c("CI_low", "CI_high")] <- list(rows$Coefficient - half, rows$Coefficient + half)
    }
    data.frame(Parameter = rows$Parameter, CI = rep(ci[k], nrow(rows)), CI_low = rows$CI_low, CI_high = rows$CI_high)
  })
  do.call(rbind, tables)
}

# Method of parameters::standard_error().
parameters_se <- function(model, effects = c("fixed", "random"), method = NULL, vcov = NULL, vcov_args = NULL, ...) {
  call <- quote(standard_error())
  effects <- choose_one(effects, c("fixed", "random"), "effects", call)
  if (effects == "random") {
    return(lapply(unclass(ranef(model)), function(table) {
      structure(conditional_sd(attr(table, "postVar")), dimnames = list(rownames(table), names(table)))
    }))
  }
  found <- parameters_inference(model, tolower(or_else(method, "residual")), vcov, vcov_args, call)
  data.frame(Parameter = unquoted(names(found$estimate)), SE = found$error)
}

# Method of parameters::p_value().
parameters_p <- function(model, method = "residual", dof = NULL, vcov = NULL, vcov_args = NULL, ...) {
  call <- quote(p_value())
  method <- choose_one(tolower(or_else(method, "residual")), parameters_ci_methods, "method", call)
  found <- parameters_inference(model, method, vcov, vcov_args, call)
  p <- 2 * stats::pt(-abs(found$estimate / found$error), or_else(dof, found$df))
  data.frame(Parameter = unquoted(names(found$estimate)), p = unname(p))
}

# Method of parameters::bootstrap_model(): the coefficients of replicates.
parameters_bootstrap <- function(model, iterations = 1000, ...) {
  draws <- run_bootstrap(model, NULL, iterations, NULL, model$control$threads, FALSE, quote(bootstrap_model()))
  names <- names(fixef(model, complete = FALSE))
  table <- as.data.frame(draws$replicates[, match(names, colnames(draws$replicates)), drop = FALSE])
  names(table) <- unquoted(names)
  structure(table, original_model = model, class = c("bootstrap_model", "see_bootstrap_model", "data.frame"))
}

# Standardised fits ----------------------------------------------------------------------------------------------------

# Method of datawizard::standardize(). Grouping factors, weights, offsets and variables inside of log() and the like
# stay as they are.
standardize_model <- function(x, robust = FALSE, two_sd = FALSE, weights = TRUE, verbose = TRUE,
                              include_response = TRUE, ...) {
  data <- insight_data(x, verbose = verbose)
  fixed <- unlist(lapply(x$factors, `[[`, "variables"))
  fixed <- c(fixed, all.vars(x$call$weights), all.vars(x$call$offset), curved_variables(x$formula))
  if (!include_response) fixed <- c(fixed, all.vars(x$formula[[2L]]))
  numeric <- names(data)[vapply(data, function(column) is.numeric(column) && is.null(dim(column)), NA)]
  scaled <- setdiff(numeric, fixed)
  own <- if (isTRUE(weights)) weights_of(x$frame)
  scale <- getExportedValue("datawizard", "standardize")
  data[scaled] <- scale(data[scaled], robust = robust, two_sd = two_sd, weights = own, verbose = FALSE)
  call <- x$call
  call$formula <- x$formula
  call$data <- data
  call$subset <- NULL
  fit <- eval(call, environment(x$formula))
  fit$call$data <- x$call$data
  fit
}

# Names inside of functions that need positive numbers.
curved_variables <- function(expression) {
  if (!is.call(expression)) return(NULL)
  curved <- is.symbol(expression[[1L]]) && as.character(expression[[1L]]) %in%
    c("log", "log2", "log10", "log1p", "sqrt", "exp", "expm1", "offset")
  if (curved) all.vars(expression) else unlist(lapply(as.list(expression)[-1L], curved_variables))
}
