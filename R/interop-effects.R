# Marginal means, effects and their tests by other packages: emmeans, effects, ggeffects, marginaleffects, multcomp.
#
# Reads   a fit; the variables inside of its terms (data-recover.R); inference_of() once for each reference grid.
# Writes  what each of them asks of a model that it does not know (emmeans: its vignette "For developers"; ggeffects:
#         its article for developers; marginaleffects: its vignette on extensions).
# Registered by util-load.R when such a package is loaded.

# emmeans --------------------------------------------------------------------------------------------------------------

#' Estimated marginal means by emmeans
#'
#' `emmeans::emmeans()`, `contrast()`, `pairs()`, `emtrends()`, `joint_tests()`, `ref_grid()` and the other functions
#' of the package emmeans work on the models of `lmm()`, with the same arguments and the same numbers as on those of
#' lmerTest.
#'
#' @section Degrees of freedom:
#'   Chosen by an argument of `emmeans()`, `emtrends()`, `joint_tests()` or `ref_grid()`, called `mode` or, as for
#'   models of lme4, `lmer.df`; `ddf`, the word of this package, is understood as well. Values:
#'   * `"kenward-roger"`: the default of emmeans (its option `lmer.df`). Standard errors are from the adjusted
#'     covariance matrix, which takes prior weights into account. A fit by maximum likelihood is refitted by REML for
#'     it, and the estimates are those of the refit, as in [contest()]. Where crossed factors would need more memory
#'     than `lmm_control(memory = )` allows, Satterthwaite's method takes its place, with a message;
#'   * `"satterthwaite"`;
#'   * `"asymptotic"`: infinite;
#'   * `"link"` and `"response"`, for packages that ask for the scale by this name, are the default.
#'
#'   There is no limit to the number of observations: the options `pbkrtest.limit` and `lmerTest.limit` of emmeans are
#'   for models of lme4. With `df = ` the given degrees of freedom are used.
#' @section What else works:
#'   Interactions and nested factors, covariates (`at = `, `cov.reduce = `), `poly()` and `ns()`, offsets, weights,
#'   transformed responses (`type = "response"`), `vcov. = ` for another covariance matrix (with Satterthwaite's degrees
#'   of freedom), `submodel = `. Means that are not estimable, because columns were dropped as linearly dependent, are
#'   shown as `nonEst`. The data are those that the fit keeps; only variables inside a term, such as `x` of `log(x)`,
#'   are looked up in the data again and must still be there: otherwise give `data = `.
#' @section Conditions:
#'   `ferrite_error_argument` for an unknown `mode`, `ferrite_message_ddf` when another method than the one asked for is
#'   used.
#' @seealso [contest()] for contrasts of coefficients.
#' @examples
#' fit <- lmm(yield ~ nitro + Variety + (1 | Block / Variety), nlme::Oats)
#' if (requireNamespace("emmeans", quietly = TRUE)) {
#'   means <- emmeans::emmeans(fit, ~ Variety, mode = "satterthwaite")
#'   print(means) # Golden Rain 104.5, standard error 7.80
#'   pairs(means) # Golden Rain - Marvellous -5.29, standard error 7.08, 10 df
#' }
#' @name emmeans
NULL

# Method of emmeans::recover_data(). A text is an error message there.
recover_data_lmm <- function(object, data = NULL, params = "pi", ...) {
  terms <- stats::delete.response(object$terms)
  if (is.null(data)) {
    data <- tryCatch(recover_variables(object, list(terms), NULL), ferrite_error = conditionMessage)
    if (is.character(data)) return(data)
    params <- c(params, attr(data, "constants"))
  }
  data <- check_data_frame(data, quote(emmeans()))
  same <- nrow(data) == nrow(object$frame)
  # the second element is where emmeans looks for a transformation of the response
  call <- as.call(list(quote(lmm), formula = object$formula, data = object$call$data))
  arguments <- list(call, terms, NULL, data = data, params = params, ...)
  if (same) arguments <- c(arguments, list(frame = object$frame, pwts = object$frame[["(weights)"]]))
  do.call(getExportedValue("emmeans", "recover_data"), arguments, quote = TRUE)
}

check_data_frame <- function(data, call) {
  if (is.data.frame(data)) return(data)
  bad_setting(data, "data", "a data frame", call, "argument")
}

# Method of emmeans::emm_basis().
emm_basis_lmm <- function(object, trms, xlev, grid, mode, lmer.df, ddf, options = NULL, # nolint: object_name_linter.
                          misc = NULL, ...) {
  call <- quote(emmeans())
  asked <- if (!missing(ddf)) ddf else if (!missing(lmer.df)) lmer.df else if (!missing(mode)) mode
  method <- emm_method(asked, options, call)
  own <- ...length() == 0L || is.null(list(...)[["vcov."]])
  if (!own && method == "Kenward-Roger") {
    inform_ferrite("ddf", "Kenward and Roger's method must have the covariance matrix of the fit.",
      "Another one was given by `vcov.`.", hint = "Satterthwaite's degrees of freedom are used instead.", call = call,
      data = list(method = "Satterthwaite")
    )
    method <- "Satterthwaite"
  }
  inference <- inference_of(object, method, call)
  x <- fixed_matrix(object, stats::model.frame(trms, grid, na.action = stats::na.pass, xlev = xlev))
  own_x <- fixed_matrix(object, object$frame)
  beta <- stats::setNames(rep(NA_real_, ncol(x)), colnames(x))
  beta[object$kept] <- inference$beta
  list(
    X = x, bhat = beta, nbasis = nonestimable_basis(object, own_x),
    V = if (own) unname(inference$variance) else getExportedValue("emmeans", ".my.vcov")(object, ...),
    dffun = emm_df(inference), dfargs = emm_df_arguments(inference), misc = list(),
    model.matrix = fixed_triangle(object, own_x)
  )
}

# The method by the words of emmeans, in small letters; its option `lmer.df` when nothing was asked for.
emm_method <- function(asked, options, call) {
  if (is.null(asked)) asked <- getExportedValue("emmeans", "get_emm_option")("lmer.df")
  known <- tolower(ddf_methods)[c(2L, 1L, 3L)]
  # other packages, such as ggeffects, ask for the scale of predictions by this name
  if (identical(asked, "link") || identical(asked, "response")) return(emm_method(NULL, options, call))
  chosen <- choose_one(if (is.character(asked)) tolower(asked) else asked, known, "mode", call)
  method <- ddf_methods[match(chosen, tolower(ddf_methods))]
  # degrees of freedom given by the user need none of our own
  if (!is.null(options$df) && method != "Kenward-Roger") "asymptotic" else method
}

# Degrees of freedom of one contrast k of the estimated coefficients, as in row_df(). emmeans takes the function out of
# this package: all that it uses is in `dfargs` or in base.
emm_df <- function(inference) {
  df <- if (is.null(inference$jac)) {
    function(k, dfargs) Inf
  } else {
    function(k, dfargs) {
      k <- as.double(k)
      square <- as.vector(tcrossprod(k))
      gradient <- crossprod(dfargs$jac, square)
      df <- 2 * sum(dfargs$vcov_beta * square)^2 / sum(gradient * (dfargs$cov %*% gradient))
      if (is.na(df) || df > 0) df else NaN
    }
  }
  structure(df, mesg = tolower(inference$method))
}

emm_df_arguments <- function(inference) {
  if (is.null(inference$jac)) {
    return(list())
  }
  list(
    vcov_beta = unname(inference$vcov_beta), jac = matrix(inference$jac, ncol = dim(inference$jac)[3L]),
    cov = inference$cov
  )
}

# An orthonormal basis of the combinations of columns of X that are zero: a linear function is estimable when it is
# orthogonal to it. NA when there are none.
nonestimable_basis <- function(fit, x) {
  dropped <- setdiff(seq_along(fit$x_names), fit$kept)
  if (!length(dropped)) {
    return(matrix(NA))
  }
  null <- matrix(0, ncol(x), length(dropped))
  if (length(fit$kept)) {
    null[fit$kept, ] <- -express(x[, fit$kept, drop = FALSE], x[, dropped, drop = FALSE])
  }
  null[cbind(dropped, seq_along(dropped))] <- 1
  qr.Q(qr(null))
}

# The triangle of the weighted model matrix, for emmeans' `submodel`; NULL where it is switched off.
fixed_triangle <- function(fit, x) {
  weights <- or_else(fit$frame[["(weights)"]], rep(1, nrow(x)))
  getExportedValue("emmeans", ".cmpMM")(x, as.vector(weights), attr(x, "assign"))
}

# effects --------------------------------------------------------------------------------------------------------------

#' Effect displays by effects
#'
#' `Effect()`, `allEffects()`, `predictorEffects()` and `effect()` of the package effects work on the models of `lmm()`,
#' and so do the plots of what they return. The effects are those of the fixed part, with its covariance matrix or
#' another one that a function given by `vcov. = ` returns; the quantiles of the intervals are those of the residual
#' degrees of freedom, as for models of lme4.
#'
#' The data are those that the fit keeps, also when they have changed since, or were local to a function; only variables
#' inside a term, such as `x` of `log(x)`, are looked up in the data again and must still be there.
#'
#' @section Conditions:
#'   `ferrite_error_recover` when a variable inside a term is gone or has changed.
#' @seealso [emmeans] for means, with degrees of freedom.
#' @examples
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("effects", quietly = TRUE)) {
#'   found <- effects::Effect(c("age", "Sex"), fit, xlevels = list(age = c(8, 14)))
#'   as.data.frame(found) # Male at 8: 22.62, standard error 0.52
#' }
#' @name effects
NULL

# Method of effects::effSources(). The call is one of glm(), which effects makes its grid with.
eff_sources_lmm <- function(mod) {
  formula <- formula.lmm(mod, fixed.only = TRUE)
  data <- recover_variables(mod, list(formula), quote(Effect()))
  text <- vapply(data, function(x) is.character(x) || is.logical(x), NA)
  for (name in names(data)[text]) data[[name]] <- factor(data[[name]])
  call <- as.call(list(
    quote(lmm), formula = formula, data = data, contrasts = used_contrasts(mod), offset = mod$frame[["(offset)"]]
  ))
  list(
    call = call[!vapply(as.list(call), is.null, NA)], formula = formula, coefficients = fixef(mod), vcov = vcov(mod)
  )
}

# ggeffects ------------------------------------------------------------------------------------------------------------

#' Predictions by ggeffects
#'
#' `ggemmeans()` and `ggeffect()` of the package ggeffects work on the models of `lmm()` by the methods for [emmeans]
#' and [effects]; `ggpredict()` and `predict_response()` by [predict.lmm()]: `type = "fixed"` (default) predicts the
#' population mean, `type = "random"` a mean with the random effects of the grouping factors among `terms`, all others
#' as new levels. Intervals have normal quantiles; `interval = "prediction"` is for a new observation.
#'
#' Versions of ggeffects in which `get_predictions()` is not yet a generic function (1.2, say) ask by insight: the
#' numbers are the same, with quantiles of t with the residual degrees of freedom, but their print method still names a
#' level of the grouping factor under "Adjusted for" where the prediction is that of the population.
#'
#' @seealso [predict.lmm()], [emmeans], [effects].
#' @examples
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("ggeffects", quietly = TRUE) && requireNamespace("emmeans", quietly = TRUE)) {
#'   ggeffects::ggemmeans(fit, c("age [8, 14]", "Sex")) # Male at 8: 22.62
#' }
#' @name ggeffects
NULL

# Method of ggeffects::get_predictions().
get_predictions_lmm <- function(model, data_grid = NULL, terms = NULL, ci_level = 0.95, type = "fixed",
                                interval = "confidence", ...) {
  call <- quote(predict_response())
  type <- choose_one(type, c("fixed", "random"), "type", call)
  interval <- choose_one(interval, c("confidence", "prediction"), "interval", call)
  new <- data_grid
  if (type == "random") {
    # "Subject [M01, M02]" is the term Subject
    focal <- trimws(sub("[[].*$", "", as.character(terms)))
    groups <- unlist(lapply(unlist(lapply(model$factors, `[[`, "expressions")), all.vars))
    fixed <- all.vars(stats::delete.response(model$terms))
    for (name in setdiff(groups, c(focal, fixed))) new[[name]] <- "..new"
  }
  ci <- is.numeric(ci_level) && !is.na(ci_level)
  found <- predict.lmm(
    model, new, re.form = if (type == "fixed") NA, allow.new.levels = TRUE, se.fit = TRUE, interval = interval,
    level = if (ci) ci_level else 0.95
  )
  data_grid$predicted <- unname(found$fit[, "fit"])
  data_grid$conf.low <- if (ci) unname(found$fit[, "lwr"]) else NA_real_
  data_grid$conf.high <- if (ci) unname(found$fit[, "upr"]) else NA_real_
  structure(data_grid, std.error = if (ci) unname(found$se.fit))
}

# marginaleffects ------------------------------------------------------------------------------------------------------
#
# option `marginaleffects_model_classes` says.

#' Marginal effects by marginaleffects
#'
#' `predictions()`, `comparisons()`, `slopes()`, their `avg_` forms and `hypotheses()` of the package marginaleffects
#' work on the models of `lmm()`. When marginaleffects is loaded, the class is added to its option
#' `marginaleffects_model_classes`.
#'
#' Predictions are those of [predict.lmm()]: with all random effects unless `re.form = NA` is given; `allow.new.levels`
#' is passed on as well. The standard errors are by the delta method from the covariance matrix of the fixed effects;
#' random effects and variances count as known. `vcov` may be `TRUE`, `FALSE`, a matrix, a function of the model,
#' `"satterthwaite"` (the covariance matrix of the fit) or `"kenward-roger"` (the adjusted one); intervals are normal
#' unless `df = ` is given.
#'
#' @section Conditions:
#'   `ferrite_error_argument` for another `vcov` or `type`, or coefficients without a place in the model; those of
#'   [predict.lmm()].
#' @seealso [emmeans] for means and contrasts with degrees of freedom.
#' @examples
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("marginaleffects", quietly = TRUE)) {
#'   # the slopes 0.784 and 0.480
#'   marginaleffects::avg_slopes(fit, variables = "age", by = "Sex", re.form = NA)
#' }
#' @name marginaleffects
NULL

# Method of marginaleffects::get_coef().
get_coef_lmm <- function(model, ...) {
  fixef(model, complete = FALSE)
}

# Method of marginaleffects::set_coef(): the fit with other fixed effects, for predictions only.
set_coef_lmm <- function(model, coefs, ...) {
  unknown <- setdiff(names(coefs), model$x_names[model$kept])
  if (length(unknown) || is.null(names(coefs))) {
    abort_ferrite("argument", "`coefs` must be named by estimated coefficients.",
      if (length(unknown)) paste0("There is no ", quoted_list(unknown), ".") else "It has no names.",
      hint = name_hint(or_else(unknown, "")[1L], model$x_names[model$kept], "Coefficients"), call = quote(set_coef())
    )
  }
  model$beta[names(coefs)] <- as.double(coefs)
  model
}

# Method of marginaleffects::get_vcov().
get_vcov_lmm <- function(model, vcov = NULL, ...) {
  call <- quote(get_vcov())
  if (isFALSE(vcov)) {
    return(NULL)
  }
  if (is.null(vcov) || isTRUE(vcov) || identical(vcov, "satterthwaite")) {
    return(model$vcov)
  }
  variance <- if (identical(vcov, "kenward-roger")) {
    inference_of(model, "Kenward-Roger", call)$variance
  } else if (is.character(vcov)) {
    bad_choice(vcov, c("satterthwaite", "kenward-roger"), "vcov", "", call)
  } else {
    given_variance(model, vcov, call)
  }
  dimnames(variance) <- dimnames(model$vcov)
  variance
}

# Method of marginaleffects::get_predict(). marginaleffects passes on arguments of its own; predict() refuses them.
get_predict_lmm <- function(model, newdata, type = NULL, ...) {
  choose_one(type, c("response", "link"), "type", quote(get_predict()))
  arguments <- list(...)
  arguments <- arguments[intersect(names(arguments), c("re.form", "allow.new.levels"))]
  estimate <- do.call(predict.lmm, c(list(model, newdata), arguments))
  data.frame(rowid = or_else(newdata[["rowid"]], seq_along(estimate)), estimate = unname(estimate))
}

# Let marginaleffects accept the class, now if it is loaded, and whenever it is loaded later.
offer_to_marginaleffects <- function() {
  offer <- function(...) {
    accepted <- getOption("marginaleffects_model_classes")
    if (!"lmm" %in% accepted) options(marginaleffects_model_classes = c(accepted, "lmm"))
  }
  if (isNamespaceLoaded("marginaleffects")) offer()
  setHook(packageEvent("marginaleffects", "onLoad"), offer)
  invisible()
}

# multcomp -------------------------------------------------------------------------------------------------------------

#' Simultaneous inference by multcomp
#'
#' `multcomp::glht()` works on the models of `lmm()`: with `mcp(f = "Tukey")` and other contrasts of a factor, with
#' expressions in the coefficients, and with a matrix; then `summary()`, `confint()`, `cld()` and `plot()`. The tests
#' are of the fixed effects, and normal as for the models of lme4, unless `glht(df = )` gives degrees of freedom:
#' multcomp knows one number for all contrasts. `emmeans::emm()` as the linear function brings those of its own
#' contrasts, as one number: `glht(fit, emmeans::emm(pairwise ~ Machine))`. Where columns were dropped as linearly
#' dependent, multcomp takes no expressions, only `mcp()` and matrices with a column for each coefficient.
#'
#' @section Conditions:
#'   `ferrite_error_argument` when `df` is not a positive number.
#' @seealso [emmeans] for tests with Satterthwaite's or Kenward and Roger's degrees of freedom, [contest()].
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
#' if (requireNamespace("multcomp", quietly = TRUE)) {
#'   all_pairs <- multcomp::glht(fit, multcomp::mcp(Machine = "Tukey"))
#'   summary(all_pairs) # B - A: 7.967, standard error 2.177
#' }
#' @name multcomp
NULL

# Method of multcomp::modelparm().
modelparm_lmm <- function(model, coef. = NULL, vcov. = NULL, df = NULL, ...) { # nolint: object_name_linter.
  value <- function(given, default) if (is.function(given)) given(model) else or_else(given, default)
  beta <- value(coef., fixef(model))
  if (!is.numeric(beta) || length(beta) != length(model$x_names)) {
    bad_setting(beta, "coef.", "the coefficients, or a function that gives them", quote(glht()), "argument")
  }
  variance <- if (is.null(vcov.)) vcov(model, complete = FALSE) else given_matrix(model, vcov., quote(glht()))
  estimable <- !is.na(beta)
  if (!is.null(df) && !(is.numeric(df) && length(df) == 1L && !is.na(df) && df >= 0)) {
    bad_setting(df, "df", "one number that is not negative", quote(glht()), "argument")
  }
  structure(
    list(coef = beta[estimable], vcov = variance, df = if (is.null(df) || is.infinite(df)) 0 else df,
         estimable = unname(estimable)),
    class = "modelparm"
  )
}
