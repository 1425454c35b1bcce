# Predictions, comparisons and slopes by marginaleffects: the methods that its vignette on extensions asks of a model.
#
# Reads   a fit.
# Writes  estimates, their covariance matrix, a fit with other estimates, predictions.
# Registered by register.R when marginaleffects is loaded; marginaleffects then also has to accept the class, which its
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
