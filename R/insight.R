# Methods for the generics of insight, on which performance, parameters and other packages of the easystats collection
# rest: what the model is, and its formula.
#
# Reads   a fit; nothing of insight is called at load time.
# Writes  what insight's own methods give for models of lme4, in the same shapes.
# Used by register.R, when insight is loaded. Data: insight-data.R. Numbers: insight-estimates.R, insight-variance.R,
#         insight-predicted.R.
# Not here: find_predictors(), find_random(), find_response(), find_terms(), find_variables(), find_weights(),
#         get_call(), get_random(), get_response(), get_sigma(), get_weights(), is_mixed_model(), link_function(),
#         link_inverse(), model_info(), n_obs(): insight's default methods do these from what is here.

#' insight, performance and parameters
#'
#' The packages insight, performance and parameters work on the models of `lmm()`, with the numbers that they give for
#' the same model of lmerTest. Nothing has to be done; the packages have to be installed.
#'
#' @section What works:
#'   * insight: `find_formula()`, `find_random()`, `find_predictors()`, `find_response()`, `find_terms()`,
#'     `find_variables()`, `find_parameters()`, `find_weights()`, `find_offset()`, `find_interactions()`,
#'     `find_random_slopes()`, `find_algorithm()`, `get_call()`, `get_data()`, `get_datagrid()`, `get_deviance()`,
#'     `get_df()`, `get_intercept()`, `get_loglikelihood()`, `get_modelmatrix()`, `get_parameters()`, `get_predicted()`,
#'     `get_predictors()`, `get_random()`, `get_residuals()`, `get_response()`, `get_sigma()`, `get_statistic()`,
#'     `get_varcov()`, `get_variance()` and its parts, `get_weights()`, `is_converged()`, `is_mixed_model()`,
#'     `is_nullmodel()`, `link_function()`, `link_inverse()`, `model_info()`, `n_obs()`, `n_grouplevels()`,
#'     `n_parameters()`, `null_model()`;
#'   * performance: `r2()`, `r2_nakagawa()`, `icc()`, `model_performance()`, `performance_aic()` and the other measures,
#'     `check_autocorrelation()`, `check_collinearity()`, `check_convergence()`, `check_heteroscedasticity()`,
#'     `check_homogeneity()`, `check_model()`, `check_normality()`, `check_outliers()`, `check_predictions()`,
#'     `check_singularity()`, `compare_performance()`, `test_performance()`, `test_bf()`, `test_likelihoodratio()`;
#'   * parameters: `model_parameters()`, `ci()`, `standard_error()`, `p_value()`, `p_value_kenward()`,
#'     `degrees_of_freedom()`, `dof_satterthwaite()`, `se_satterthwaite()`, `simulate_model()`, `bootstrap_model()` (by
#'     [bootstrap()]), `standardize_parameters()`, `equivalence_test()`, and `compare_parameters()` of what
#'     `model_parameters()` gave;
#'   * datawizard: `standardize()`.
#' @section What does not:
#'   Some functions ask whether the class of a model is in a list inside insight. The class `lmm` is not, and no method
#'   can change that: `insight::is_model()` and `is_model_supported()` say `FALSE`, and `find_statistic()`,
#'   `find_transformation()`, `parameters::p_function()` and `performance::check_heterogeneity_bias()` do not know the
#'   model. `parameters::compare_parameters()` leaves it out: give it what `model_parameters()` gave. In
#'   `performance::compare_performance()` and the tests of several models a fit of `lmm()` has to stand first; beside
#'   models of other packages later ones are left out, with a warning. `test_wald()` and `test_vuong()` are for models
#'   without random effects, as with those of lme4.
#' @section Where the numbers differ on purpose:
#'   * `get_variance()`, and so `r2()` and `icc()`: the variance of random effects is the mean of \eqn{z'Gz} over the
#'     rows (Johnson 2014) with all columns z that the model has. insight leaves out random effects without a fixed
#'     effect of the same name, and those written with `||`. With `dispersion` the residual variance is the mean of
#'     those of the rows, at weights of one;
#'   * `get_predicted(ci = )`: standard errors of predictions with random effects count the estimation of both, see
#'     [predict.lmm()]; insight counts the fixed effects only;
#'   * `check_singularity()`: [isSingular()] with the same tolerance;
#'   * `model_performance()`, `performance_aic()`: under the criterion of the fit, as [AIC()] says, unless `estimator`
#'     is given. For fits by maximum likelihood performance takes the restricted likelihood;
#'   * `r2(ci = )`: by the parametric bootstrap of the engine.
#'
#'   `model_parameters()` has, as for models of lmerTest, the residual degrees of freedom (`ci_method = "residual"`),
#'   which are too many. Better ask for `ci_method = "satterthwaite"` or `"kenward"`. Standard deviations of random
#'   effects have intervals with `ci_random = TRUE`, by profile.
#' @references Johnson (2014) \doi{10.1111/2041-210X.12225}.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("performance", quietly = TRUE)) {
#'   print(performance::r2(fit)) # conditional 0.765, marginal 0.252
#'   performance::icc(fit)$ICC_adjusted # 0.6857
#' }
#' if (requireNamespace("parameters", quietly = TRUE)) {
#'   parameters::model_parameters(fit, ci_method = "satterthwaite")
#' }
#' @name insight
#' @aliases performance parameters
NULL

# Methods for register.R: package, generic, class, method.
insight_methods <- function() {
  listed_methods("insight", list(
    find_formula = insight_formula, find_parameters = insight_names, find_algorithm = insight_algorithm,
    is_converged = insight_converged, n_parameters = insight_count, get_data = insight_data,
    get_datagrid = insight_grid, get_modelmatrix = insight_matrix, get_parameters = insight_parameters,
    get_statistic = insight_statistic, get_df = insight_df, get_varcov = insight_varcov,
    get_deviance = insight_deviance, get_loglikelihood = insight_loglikelihood, get_variance = insight_variance,
    get_predicted = insight_predicted, get_residuals = insight_residuals, ellipsis_info = insight_models
  ))
}

# Entries for register.R from a list of methods for the class lmm, named by their generics.
listed_methods <- function(package, methods) {
  unname(Map(function(generic, method) list(package, generic, "lmm", method), names(methods), methods))
}

insight_formula <- function(x, verbose = TRUE, ...) {
  random <- random_formulas(x)
  if (length(random) == 1L) random <- random[[1L]]
  structure(
    list(conditional = stats::formula(x, fixed.only = TRUE), random = random),
    class = c("insight_formula", "list")
  )
}

# The random terms as one-sided formulas in the order of the formula: `a / b` as two, `||` as one for each part.
random_formulas <- function(fit) {
  bars <- split_terms(fit$formula[[3L]], fit$formula, NULL)$bars
  terms <- lapply(bars, function(bar) terms_of_bar(read_bar(bar, NULL), character(), NULL))
  terms <- unlist(terms, recursive = FALSE)
  env <- environment(fit$formula)
  unlist(lapply(terms, function(term) {
    columns <- if (term$uncorrelated) separate_columns(term$lhs, env) else list(term$lhs)
    lapply(columns, function(lhs) {
      stats::as.formula(call("~", call("|", lhs, term$group_expression)), env)
    })
  }))
}

# `x + z` -> 1, 0 + x, 0 + z
separate_columns <- function(lhs, env) {
  terms <- stats::terms(stats::as.formula(call("~", lhs), env))
  labels <- lapply(attr(terms, "term.labels"), function(label) call("+", 0, str2lang(label)))
  c(if (attr(terms, "intercept") == 1L) list(1), labels)
}

# Names of the coefficients, and of the effects of each grouping factor.
insight_names <- function(x, effects = c("all", "fixed", "random"), component = "all", flatten = FALSE, ...) {
  effects <- choose_one(effects, c("all", "fixed", "random"), "effects", quote(find_parameters()))
  found <- list()
  if (effects != "random") found$conditional <- unquoted(names(fixef(x, complete = FALSE)))
  if (effects != "fixed") found$random <- effects_by_group(x)
  if (flatten) unique(unlist(found, use.names = FALSE)) else found
}

effects_by_group <- function(fit) {
  groups <- factor_names(fit)
  lapply(stats::setNames(nm = groups), function(group) {
    unlist(lapply(Filter(function(term) identical(term$group, group), fit$random), `[[`, "effects"))
  })
}

# Names as easystats writes them.
unquoted <- function(names) gsub("`", "", names, fixed = TRUE)

insight_algorithm <- function(x, ...) {
  list(algorithm = if (x$REML) "REML" else "ML", optimizer = "ferrite")
}

insight_converged <- function(x, tolerance = 0.001, ...) {
  structure(x$convergence$status %in% c("converged", "on_boundary"), gradient = x$convergence$gradient)
}

insight_count <- function(x, effects = c("fixed", "random"), ...) {
  effects <- choose_one(effects, c("fixed", "random"), "effects", quote(n_parameters()))
  length(unlist(insight_names(x, effects)))
}

# A copy of a fit that insight counts among the models: its list of classes is closed, and asks for any of the classes
# of an object. This one has no methods in insight, parameters, performance and bayestestR, and ours come first.
as_known_model <- function(fit) {
  class(fit) <- c(class(fit), "elm")
  fit
}

# Method of insight::ellipsis_info(), by which performance compares several models.
insight_models <- function(..., only_models = TRUE, verbose = TRUE) {
  models <- list(...)
  written <- as.list(match.call(expand.dots = FALSE)[["..."]])
  given <- or_else(names(models), character(length(models)))
  plain <- vapply(written, is.symbol, NA)
  label <- ifelse(plain, vapply(written, function(one) if (is.symbol(one)) as.character(one) else "", ""),
    paste("Model", seq_along(models)))
  names(models) <- ifelse(nzchar(given) & given != "objects", given, label)
  models <- lapply(models, function(model) if (inherits(model, "lmm")) as_known_model(model) else model)
  if (length(models) == 1L) return(models[[1L]])
  getExportedValue("insight", "ellipsis_info")(models, only_models = only_models, verbose = verbose)
}
