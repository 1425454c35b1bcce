# Predictions for ggeffects: the method that its article for developers asks of a model.
#
# Reads   a fit, and the grid that ggeffects makes.
# Writes  the grid with predictions and intervals.
# Registered by register.R when ggeffects is loaded, if it has the generic get_predictions().

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
