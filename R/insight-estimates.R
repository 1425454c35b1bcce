# Estimates, tests and likelihoods for insight.
#
# Reads   a fit.
# Writes  data frames and vectors in insight's shapes.

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
