# Methods for the generics of the package parameters: the table of coefficients and variance parameters.
#
# Reads   a fit.
# Writes  data frames with the columns of parameters, and the attributes by which it prints them.
# Used by register.R, when parameters is loaded. See insight.R for the help page.

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
