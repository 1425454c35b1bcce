# The object of parameters::model_parameters(), and the small tables beside it.
#
# Reads   rows of model-parameters.R.
# Writes  data frames of class `parameters_model`, and tables of one column.

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
