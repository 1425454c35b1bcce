# Methods for the generics of insight, on which performance, parameters and other packages of the easystats collection
# rest: what the model is, its formula, data, estimates, variance components (from which performance makes R2 and ICC)
# and predictions.
#
# Reads   a fit; for variables inside of terms, such as `x` of `log(x)`, the data of the call (data-recover.R).
#         Nothing of insight is called at load time.
# Writes  what insight's own methods give for models of lme4, in the same shapes.
# Registered by util-load.R when insight is loaded.
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

# Methods for util-load.R: package, generic, class, method.
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

# Entries for util-load.R from a list of methods for the class lmm, named by their generics.
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

# Data and model matrices ----------------------------------------------------------------------------------------------

# Method of insight::get_data(): the variables of the model as they are in the data. The model frame has most of them,
# so that `source` makes no difference.
insight_data <- function(x, effects = "all", component = "all", source = "environment", verbose = TRUE,
                         additional_variables = NULL, ...) {
  effects <- choose_one(effects, c("all", "fixed", "random"), "effects", quote(get_data()))
  more <- if (isTRUE(additional_variables)) columns_of_call(x) else if (is.character(additional_variables)) {
    additional_variables
  }
  expressions <- c(data_expressions(x, effects), lapply(more, as.name))
  found <- tryCatch(recover_variables(x, expressions, quote(get_data())), ferrite_error = identity)
  if (is.data.frame(found)) {
    attr(found, "constants") <- NULL
    return(found)
  }
  if (isTRUE(verbose)) {
    warn_ferrite("recover", "The variables inside of the terms should be found again.",
      "They are not: the columns of the model frame are given instead.",
      hint = "Keep the data of the fit where the formula was written.", call = quote(get_data())
    )
  }
  frame_variables(x, effects)
}

# The expressions whose variables are asked for; fixed: with the response, random: without.
data_expressions <- function(fit, effects) {
  fixed <- if (effects != "random") list(fit$formula[[2L]], stats::delete.response(fit$terms))
  others <- list(fit$call$weights, if (effects != "random") fit$call$offset)
  random <- if (effects != "fixed") {
    c(lapply(fit$random, function(term) if (length(attr(term$lhs, "term.labels"))) attr(term$lhs, "variables")),
      unlist(lapply(fit$factors[factor_order(fit)], `[[`, "expressions")))
  }
  if (effects == "random") random <- random[!vapply(random, is.call, NA)]
  Filter(Negate(is.null), c(fixed, random, others))
}

# All columns of the data of the call.
columns_of_call <- function(fit) {
  data <- tryCatch(eval(fit$call$data, environment(fit$formula)), error = function(e) NULL)
  if (is.data.frame(data)) names(data) else character()
}

# The columns of the model frame under plain names.
frame_variables <- function(fit, effects) {
  frame <- fit$frame
  groups <- unlist(lapply(fit$factors[factor_order(fit)], `[[`, "variables"))
  if (effects == "random") frame <- frame[intersect(groups, names(frame))]
  if (effects == "fixed") frame <- stats::model.frame(fit, fixed.only = TRUE)
  attr(frame, "terms") <- NULL
  as.data.frame(lapply(as.list(frame), function(column) if (NCOL(column) == 1L) drop(column) else column),
    optional = TRUE, row.names = attr(frame, "row.names")
  )
}

# Method of insight::get_modelmatrix(): the estimated columns, of the fit's rows or of new data.
insight_matrix <- function(x, data = NULL, ...) {
  frame <- if (is.null(data)) x$frame else new_frame(x$terms, x$xlevels, data, quote(get_modelmatrix()))
  full <- fixed_matrix(x, frame)
  if (length(x$kept) == ncol(full)) return(full)
  kept <- full[, x$kept, drop = FALSE]
  structure(kept, assign = attr(full, "assign")[x$kept], contrasts = attr(full, "contrasts"))
}

# Method of insight::get_datagrid(): a grid of the predictors.
insight_grid <- function(x, ..., include_random = FALSE, include_response = FALSE, data = NULL) {
  check_flag(include_random, "include_random", quote(get_datagrid()), "argument")
  data <- check_data_frame(or_else(data, insight_data(x, verbose = FALSE)), quote(get_datagrid()))
  ask <- function(name, ...) getExportedValue("insight", name)(x, ...)
  drop <- c(
    if (!include_response) ask("find_response"),
    if (!include_random) setdiff(ask("find_random", flatten = TRUE), ask("find_predictors", flatten = TRUE))
  )
  groups <- if (!include_random) intersect(drop, names(data))
  weights <- setdiff(ask("find_weights"), ask("find_predictors", flatten = TRUE))
  grid <- getExportedValue("insight", "get_datagrid")(data[setdiff(names(data), c(drop, weights))], ...)
  # as for models of lme4: the population
  grid[setdiff(groups, ask("find_response"))] <- 0
  attr(grid, "model") <- x
  grid
}

# Estimates, tests, likelihoods ----------------------------------------------------------------------------------------

# Method of insight::get_parameters().
insight_parameters <- function(x, effects = c("fixed", "random"), ...) {
  effects <- choose_one(effects, c("fixed", "random"), "effects", quote(get_parameters()))
  if (effects == "random") return(ranef(x))
  beta <- fixef(x, complete = FALSE)
  data.frame(Parameter = unquoted(names(beta)), Estimate = unname(beta))
}

# Method of insight::get_statistic(): estimate over standard error.
insight_statistic <- function(x, ...) {
  table <- fixed_table(x)
  structure(
    data.frame(Parameter = unquoted(rownames(table)), Statistic = unname(table[, "t value"])),
    statistic = "t-statistic"
  )
}

# Method of insight::get_df().
insight_df <- function(x, type = "residual", ...) {
  types <- c("residual", "model", "analytical", "satterthwaite", "kenward", "kenward-roger", "kr", "normal", "wald",
             "ml1", "betwithin")
  type <- choose_one(tolower(type), types, "type", quote(get_df()))
  switch(type,
    model = x$npar,
    normal = Inf,
    satterthwaite = df_of_rows(x, "Satterthwaite", ...),
    kr = , kenward = , "kenward-roger" = df_of_rows(x, "Kenward-Roger", ...),
    # insight's own rules, which ask for the kind of statistic where a class is not in its list
    ml1 = , betwithin = NextMethod(statistic = "t-statistic"),
    df.residual(x)
  )
}

# Degrees of freedom of each coefficient, or (df_per_obs) of the mean in each row of `data`.
df_of_rows <- function(fit, method, df_per_obs = FALSE, data = NULL, ...) {
  inference <- inference_of(fit, method, quote(get_df()))
  r <- length(inference$beta)
  if (isTRUE(df_per_obs)) return(row_df(inference, insight_matrix(fit, data)))
  stats::setNames(row_df(inference, diag(1, r)), unquoted(names(inference$beta)))
}

# Method of insight::get_varcov(). Robust matrices, by name or function, are left to insight.
insight_varcov <- function(x, verbose = TRUE, vcov = NULL, vcov_args = NULL, ...) {
  kenward <- is.character(vcov) && length(vcov) == 1L && tolower(vcov) %in% c("kenward-roger", "kenward", "kr")
  if (kenward) return(inference_of(x, "Kenward-Roger", quote(get_varcov()))$variance)
  if (is.function(vcov) || is.matrix(vcov)) {
    given <- if (is.function(vcov)) do.call(vcov, c(list(x), vcov_args)) else vcov
    return(given_matrix(x, given, quote(get_varcov())))
  }
  if (!is.null(vcov) && !is_word(vcov)) {
    bad_setting(vcov, "vcov", "a matrix, a function that gives one, or one word", quote(get_varcov()), "argument")
  }
  if (is.character(vcov)) return(NextMethod())
  vcov(x, complete = FALSE)
}

# Method of insight::get_deviance(): -2 log-likelihood, as for models of lme4.
insight_deviance <- function(x, REML = FALSE, ...) { # nolint: object_name_linter.
  deviance(x, REML = isTRUE(REML))
}

# Method of insight::get_loglikelihood().
insight_loglikelihood <- function(x, estimator = NULL, REML = FALSE, check_response = FALSE, # nolint
                                  verbose = TRUE, ...) {
  own <- is.null(estimator) && missing(REML)
  value <- if (own) logLik(x) else logLik(x, REML = isTRUE(REML) || identical(estimator, "REML"))
  if (isTRUE(check_response)) value[1L] <- value[1L] + response_jacobian(x)
  class(value) <- c("logLik", class(x))
  value
}

# The sum of the logarithms of the derivative of a transformed response, such as log(y): what makes likelihoods of
# models for y and for log(y) comparable. Zero where R knows no derivative.
response_jacobian <- function(fit) {
  response <- fit$formula[[2L]]
  names <- all.vars(response)
  if (is.symbol(response) || length(names) != 1L) return(0)
  if (is.call(response) && identical(response[[1L]], quote(I))) response <- response[[2L]]
  slope <- tryCatch(stats::D(response, names), error = function(e) NULL)
  data <- tryCatch(insight_data(fit, "fixed", verbose = FALSE), error = function(e) NULL)
  if (is.null(slope) || !names %in% names(data)) return(0)
  value <- log(abs(rep_len(eval(slope, data, environment(fit$formula)), fit$nobs)))
  weights <- weights_of(fit$frame)
  # with weights as insight does it
  value <- if (is.null(weights)) sum(value) else stats::weighted.mean(value, weights) * fit$nobs
  if (is.finite(value)) value else 0
}

# Variance components --------------------------------------------------------------------------------------------------

variance_words <- c(
  "all", "fixed", "random", "residual", "distribution", "dispersion", "intercept", "slope", "rho01", "rho00"
)

# Method of insight::get_variance(). A fit that is singular by `tolerance` has no `var.random`, as there.
insight_variance <- function(x, component = variance_words, verbose = TRUE, tolerance = 1e-05, ...) {
  component <- choose_one(component, variance_words, "component", quote(get_variance()))
  wanted <- function(words) component %in% c("all", words)
  parts <- if (wanted(c("fixed", "random"))) variance_parts(x)
  singular <- !component %in% c("slope", "intercept") && small_theta(x, tolerance)
  if (singular && isTRUE(verbose)) {
    warn_ferrite("singular", "For the variance of the random effects no variance should be zero.",
      singular_or_small(x, tolerance),
      hint = "A simpler random part gives the same likelihood; `tolerance = 0` computes it all the same.",
      call = quote(get_variance())
    )
  }
  residual <- x$sigma^2 * mean_residual_variance(x)
  terms <- unclass(VarCorr(x))
  found <- list(
    var.fixed = if (wanted("fixed")) parts$fixed,
    var.random = if (wanted("random") && !singular) sum(parts$variance),
    var.residual = if (wanted("residual")) residual,
    var.distribution = if (component %in% c("all", "distribution")) residual,
    var.dispersion = if (component %in% c("all", "dispersion")) 0,
    var.intercept = if (wanted("intercept")) intercept_variances(terms),
    var.slope = if (wanted("slope")) slope_variances(terms),
    cor.slope_intercept = if (wanted("rho01")) intercept_correlations(terms),
    cor.slopes = if (wanted("rho00")) slope_correlations(terms)
  )
  Filter(length, found)
}

# The mean of the residual variance over the rows, relative to sigma^2 and at weights of one; for each row of a matrix
# of coefficients of the dispersion.
mean_residual_variance <- function(fit, d = rbind(dispersion_coefficients(fit))) {
  scale <- fit$residual$scale
  if (is.null(scale)) return(1)
  strata <- scale$strata
  if (!is.null(strata)) {
    share <- tabulate(codes_in(strata, fit$frame), strata$n_levels) / fit$nobs
    return(drop(exp(2 * d %*% t(strata$values)) %*% share))
  }
  columns <- dense_blocks(scale_columns(scale, fit$frame), fit$nobs)
  vapply(seq_len(nrow(d)), function(k) mean(exp(2 * columns %*% d[k, ])), 0)
}

# The rule of lme4 and easystats: a diagonal element of theta below the tolerance.
small_theta <- function(fit, tolerance) {
  any(fit$theta[component(fit, "lower") == 0] < tolerance)
}

singular_or_small <- function(fit, tolerance) {
  text <- singular_text(fit$random)
  if (length(text)) text else sprintf("A diagonal element of theta is below %s.", format(tolerance))
}

# Terms in one vector; names: the factor, and the effect where there are several.
intercept_variances <- function(terms) {
  has <- vapply(terms, function(term) rownames(term)[1L] == "(Intercept)", NA)
  vapply(terms[has], function(term) term[1L], 0)
}

slope_variances <- function(terms) {
  values <- Map(function(term, group) {
    slopes <- rownames(term) != "(Intercept)"
    stats::setNames(diag(term)[slopes], paste0(group, ".", rownames(term)[slopes], recycle0 = TRUE))
  }, terms, group_of_terms(terms))
  unlist(unname(values))
}

# "Subject.1" is a further term of Subject.
group_of_terms <- function(terms) {
  first <- sub("[.][0-9]+$", "", names(terms))
  ifelse(first %in% names(terms), first, names(terms))
}

intercept_correlations <- function(terms) {
  values <- lapply(terms, function(term) {
    if (rownames(term)[1L] == "(Intercept)") attr(term, "correlation")[-1L, 1L]
  })
  unlist(Filter(length, values))
}

slope_correlations <- function(terms) {
  values <- lapply(terms, function(term) {
    correlation <- attr(term, "correlation")
    cells <- which(lower.tri(correlation), arr.ind = TRUE)
    effects <- rownames(correlation)
    cells <- cells[effects[cells[, 2L]] != "(Intercept)", , drop = FALSE]
    stats::setNames(correlation[cells], paste0(effects[cells[, 2L]], "-", effects[cells[, 1L]], recycle0 = TRUE))
  })
  unlist(Filter(length, values))
}

# Predictions ----------------------------------------------------------------------------------------------------------

# Method of insight::get_predicted().
insight_predicted <- function(x, data = NULL, predict = "expectation", ci = NULL, ci_method = NULL,
                              include_random = "default", verbose = TRUE, ...) {
  call <- quote(get_predicted())
  words <- c("expectation", "prediction", "link", "response", "expected", "predicted", "relation")
  predict <- choose_one(or_else(predict, or_else(list(...)$type, "expectation")), words, "predict", call)
  data <- or_else(data, list(...)$newdata)
  new_levels <- isTRUE(list(...)$allow.new.levels)
  asked <- ggeffects_request(x, data, call)
  if (!is.null(asked)) {
    data <- asked$data
    new_levels <- TRUE
    include_random <- asked$random
    ci <- asked$level
    predict <- asked$predict
  }
  re_form <- predicted_effects(x, data, include_random, new_levels)
  interval <- if (is.null(ci)) "none" else if (startsWith(predict, "predict")) "prediction" else "confidence"
  method <- tolower(or_else(ci_method, "wald"))
  population <- interval == "confidence" && length(re_form) == 1L && is.atomic(re_form)
  ddf <- if (population && startsWith(method, "satt")) "Satterthwaite"
  else if (population && startsWith(method, "k")) "Kenward-Roger" else "asymptotic"
  found <- stats::predict(x, data, re.form = re_form, allow.new.levels = new_levels, se.fit = !is.null(ci),
    interval = interval, level = or_else(ci, 0.95), ddf = ddf, serial = if (!has_series(x, data)) FALSE
  )
  values <- if (is.null(ci)) found else found$fit[, "fit"]
  shown <- or_else(data, insight_data(x, verbose = FALSE))
  if (!is.null(ci)) {
    df <- if (method == "wald" || startsWith(method, "resid")) df.residual(x) else found$df
    attr(values, "ci_data") <- predicted_limits(found, df, ci)
  }
  attr(values, "data") <- shown
  attr(values, "ci") <- ci
  attr(values, "predict") <- predict
  structure(values, class = c("get_predicted", class(unclass(as.vector(values)))))
}

# What ggpredict() of ggeffects before 1.3 was asked for: it hands its grid to get_predicted() without type, level and
# interval, which stand in the functions that call. In its grid a grouping factor that is no focal term has its first
# level, which stands for none. `NULL` for other data.
ggeffects_request <- function(fit, data, call) {
  constant <- names(attr(data, "constant.values"))
  if (is.null(constant)) return(NULL)
  if (!is.null(dynGet("vcov.fun", NULL))) {
    abort_ferrite("argument", "`vcov.fun` must be left out in this version of ggeffects.",
      "It does not hand the matrix on to the model.", hint = "Use `emmeans::emmeans(fit, vcov. = )`.", call = call,
      data = list(argument = "vcov.fun")
    )
  }
  level <- dynGet("ci.lvl", 0.95)
  random <- identical(dynGet("type", "fe"), "re")
  if (random) {
    groups <- unlist(lapply(fit$factors, `[[`, "variables"))
    free <- setdiff(intersect(groups, constant), all.vars(stats::delete.response(fit$terms)))
    data[free] <- "..new"
  }
  list(
    data = data, random = if (random) "default" else FALSE, level = if (!is.null(level) && !is.na(level)) level,
    predict = if (identical(dynGet("interval", ""), "prediction")) "prediction" else "expectation"
  )
}

# Method of insight::get_residuals(): weighted ones are those of the response times the root of the weights; rows of
# weight zero are not in the fit.
insight_residuals <- function(x, weighted = FALSE, verbose = TRUE, ...) {
  if (!isTRUE(weighted)) return(NextMethod())
  as.vector(stats::na.omit(residuals(x)) * sqrt(or_else(weights_of(x$frame), 1)))
}

# insight's `include_random` as `re.form`.
predicted_effects <- function(fit, data, include, new_levels) {
  if (inherits(include, "formula")) return(include)
  if (length(include) == 1L && (is.na(include) || isFALSE(include))) return(NA)
  if (is.null(data)) return(NULL)
  known <- vapply(fit$factors, function(factor) {
    known_names(factor$expressions, data) && (new_levels || all_known(factor, fit, data))
  }, NA)
  if (all(known)) NULL else NA
}

# Has new data what a forecast in a series needs? A grid of predictors has no times.
has_series <- function(fit, data) {
  is.null(data) || known_names(residual_expressions(fit, TRUE, TRUE), data)
}

known_names <- function(expressions, data) all(unlist(lapply(expressions, all.vars)) %in% names(data))

all_known <- function(factor, fit, data) {
  !anyNA(codes_in(factor, group_values(factor, fit, data, quote(get_predicted()))))
}

# Standard errors and limits with insight's words. predict() has taken normal quantiles; insight takes those of t with
# the residual degrees of freedom.
predicted_limits <- function(found, df, level) {
  fit <- found$fit[, "fit"]
  used <- stats::qt((1 + level) / 2, found$df)
  half <- (found$fit[, "upr"] - fit) / used
  wider <- stats::qt((1 + level) / 2, df) * half
  data.frame(SE = unname(half), CI_low = unname(fit - wider), CI_high = unname(fit + wider))
}
