# Variance components for insight, from which performance makes R2 and ICC.
#
# Reads   a fit.
# Writes  the list of insight::get_variance().

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
