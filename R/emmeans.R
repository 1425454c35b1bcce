# Estimated marginal means: what the package emmeans asks of a model (its vignette "For developers").
#
# Reads   a fit; inference_of() once for each reference grid.
# Writes  recover_data_lmm(): the data of the fit. emm_basis_lmm(): the linear functions of the grid, the estimates,
#         their covariance matrix, and degrees of freedom for any contrast, from the stored derivatives.
# Registered by register.R when emmeans is loaded.

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
      df <- 2 * sum(dfargs$phi * square)^2 / sum(gradient * (dfargs$cov %*% gradient))
      if (is.na(df) || df > 0) df else NaN
    }
  }
  structure(df, mesg = tolower(inference$method))
}

emm_df_arguments <- function(inference) {
  if (is.null(inference$jac)) {
    return(list())
  }
  list(phi = unname(inference$phi), jac = matrix(inference$jac, ncol = dim(inference$jac)[3L]), cov = inference$cov)
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
