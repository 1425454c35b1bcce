# Methods for the generics of performance.
#
# Reads   a fit; performance itself for the parts that are functions and no generics, r2_nakagawa() and icc().
# Writes  objects of performance's classes, so that it prints and plots them.
# Registered by util-load.R when performance is loaded. See interop-insight.R for the help page, and for what insight's
# methods do: most checks and measures of performance rest on them and need none here.
# `performance::icc()` is an ordinary function that asks insight::get_variance(): it needs no method.

performance_methods <- function() {
  listed_methods("performance", list(
    r2 = performance_r2, model_performance = performance_table, performance_aic = performance_criterion,
    performance_aicc = performance_corrected, check_singularity = performance_singular,
    check_convergence = insight_converged, check_normality = performance_normality,
    test_likelihoodratio = performance_ratio, test_wald = performance_wald
  ))
}

# Nakagawa's R2; limits by the parametric bootstrap of the engine.
performance_r2 <- function(model, ci = NULL, tolerance = 1e-05, iterations = 1000, ...) {
  nakagawa <- getExportedValue("performance", "r2_nakagawa")
  found <- nakagawa(model, ci = NULL, tolerance = tolerance, ...)
  if (is.null(ci) || is.na(ci) || !inherits(found, "r2_nakagawa")) return(found)
  check_level(ci, quote(r2()))
  limits <- r2_limits(model, ci, check_count(iterations, "iterations", quote(r2())))
  for (name in c("R2_conditional", "R2_marginal")) {
    found[[name]] <- c(found[[name]], CI_low = limits[[1L, name]], CI_high = limits[[2L, name]])
  }
  attr(found, "ci") <- ci
  found
}

# Percentiles of both forms of R2 over replicates: parts of the variance relative to that of the residuals.
r2_limits <- function(fit, level, nsim) {
  parts <- variance_parts(fit)
  draws <- bootstrap_engine(fit, nsim, draw_seed(), fit$control$threads, FALSE, quote(r2()))
  random <- numeric(nrow(draws$theta))
  at <- 0L
  for (k in seq_along(fit$random)) {
    own <- at + seq_len(sum(seq_along(fit$random[[k]]$effects)))
    random <- random + template_means(draws$theta[, own, drop = FALSE], parts$mean[[k]])
    at <- max(own)
  }
  fixed <- if (ncol(draws$beta)) rowSums((draws$beta %*% parts$spread) * draws$beta) / draws$sigma^2 else 0 * random
  residual <- mean_residual_variance(fit, draws$phi[, seq_along(fit$residual$scale$names), drop = FALSE])
  shares <- cbind(R2_conditional = fixed + random, R2_marginal = fixed) / (residual + fixed + random)
  apply(shares, 2L, stats::quantile, probs = (1 + c(-level, level)) / 2, na.rm = TRUE, names = FALSE)
}

# Method of performance::model_performance(): one row of measures.
performance_table <- function(model, metrics = "all", estimator = NULL, verbose = TRUE, ...) {
  all <- c("AIC", "AICc", "BIC", "R2", "ICC", "RMSE", "Sigma")
  known <- c("all", "common", all)
  if (!is_words(metrics)) {
    bad_setting(metrics, "metrics", "words", quote(model_performance()), "argument")
  }
  wanted <- known[match(tolower(metrics), tolower(known))]
  if (anyNA(wanted)) bad_choice(metrics[is.na(wanted)], known, "metrics", "one or more of ", quote(model_performance()))
  if ("all" %in% wanted) wanted <- all
  if ("common" %in% wanted) wanted <- union(setdiff(wanted, "common"), c("AIC", "BIC", "R2", "ICC", "RMSE"))
  quietly <- function(name) suppressWarnings(getExportedValue("performance", name)(model))
  measures <- list(
    AIC = function() list(AIC = performance_criterion(model, estimator)),
    AICc = function() list(AICc = performance_corrected(model, estimator)),
    BIC = function() list(BIC = stats::BIC(loglikelihood_for(model, estimator))),
    R2 = function() lapply(Filter(Negate(anyNA), unclass(quietly("r2"))), unname),
    ICC = function() {
      found <- quietly("icc")
      if (is.data.frame(found)) list(ICC = found$ICC_adjusted)
    },
    RMSE = function() list(RMSE = sqrt(mean(residuals(model)^2, na.rm = TRUE))),
    Sigma = function() list(Sigma = sigma(model))
  )
  found <- lapply(all[all %in% wanted], function(name) measures[[name]]())
  table <- as.data.frame(unlist(Filter(length, found), recursive = FALSE))
  class(table) <- c("performance_model", "data.frame")
  table
}

performance_criterion <- function(x, estimator = NULL, verbose = TRUE, ...) {
  stats::AIC(loglikelihood_for(x, estimator))
}

performance_corrected <- function(x, estimator = NULL, ...) {
  value <- loglikelihood_for(x, estimator)
  k <- attr(value, "df")
  -2 * as.vector(value) + 2 * k * x$nobs / (x$nobs - k - 1)
}

# The log-likelihood of the response before its transformation, under the criterion of the fit unless told otherwise.
loglikelihood_for <- function(fit, estimator) {
  reml <- if (is.null(estimator)) fit$REML else identical(estimator, "REML")
  structure(insight_loglikelihood(fit, REML = reml, check_response = TRUE), class = "logLik")
}

performance_singular <- function(x, tolerance = 1e-05, ...) {
  isSingular(x, tol = tolerance)
}

# Method of performance::check_normality(): of residuals by the default method, of random effects here.
performance_normality <- function(x, effects = c("fixed", "random"), ...) {
  effects <- choose_one(effects, c("fixed", "random"), "effects", quote(check_normality()))
  if (effects == "fixed") return(NextMethod())
  values <- unlist(lapply(unclass(ranef(x)), as.list), recursive = FALSE)
  labels <- unlist(lapply(factor_names(x), function(group) paste0(group, ": ", effects_by_group(x)[[group]])))
  p <- vapply(unname(values), normality_p, 0)
  structure(p,
    re_qq = normal_quantiles(x), type = "random effects", re_groups = labels, data = x, object_name = "x",
    effects = effects, class = c("check_normality", "see_check_normality", "numeric")
  )
}

normality_p <- function(values) {
  if (length(unique(values)) < 3L) return(NA_real_)
  if (length(values) >= 5000L) suppressWarnings(stats::ks.test(values, "pnorm"))$p.value
  else stats::shapiro.test(values)$p.value
}

# For each grouping factor the random effects in order, with normal quantiles and intervals: what `see` plots.
normal_quantiles <- function(fit) {
  lapply(unclass(ranef(fit)), function(table) {
    sd <- conditional_sd(attr(table, "postVar"))
    columns <- lapply(seq_along(table), function(j) {
      rank <- order(table[[j]])
      half <- stats::qnorm(0.975) * sd[rank, j]
      y <- table[[j]][rank]
      data.frame(x = stats::qnorm(stats::ppoints(length(y))), y = y, conf.low = y - half, conf.high = y + half,
        facet = factor(names(table)[j], levels = names(table))
      )
    })
    do.call(rbind, columns)
  })
}

# Method of performance::test_likelihoodratio() (and test_lrt()): by the restricted likelihoods for REML fits with the
# same fixed part, as for models of lme4.
performance_ratio <- function(..., estimator = NULL) {
  models <- list(...)
  own <- vapply(models, inherits, NA, "lmm")
  if (is.null(estimator)) {
    fixed <- lapply(models[own], function(fit) sort(attr(fit$terms, "term.labels")))
    restricted <- all(own) && all(vapply(models, `[[`, NA, "REML")) && length(unique(fixed)) == 1L
    estimator <- if (restricted) "REML" else "ML"
  }
  NextMethod(estimator = estimator)
}

# Method of performance::test_wald(): that is the F test of nested models with independent residuals.
performance_wald <- function(...) {
  abort_ferrite("argument", "`test_wald()` must be given models without random effects.",
    "Its F statistic is of residual sums of squares, which random effects do not have.",
    hint = "Use `anova(fit1, fit2)`, or `contest()` for coefficients.", call = quote(test_wald())
  )
}
