# Predictions for insight.
#
# Reads   a fit and predict().
# Writes  objects of class `get_predicted`.

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
