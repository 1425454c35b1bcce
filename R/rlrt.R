# Exact (restricted) likelihood ratio test of one variance component, from its null distribution in spectral form.
#
# Reads   a fit and the number of a random term with one column.
# Writes  the spectrum, the p-value and how it was obtained.
# Used by ranova.R. The draws are the engine's (simulate_rlrt()).
#
# Crainiceanu and Ruppert (2004), J. R. Statist. Soc. B 66, 165-185: under the hypothesis the ratio depends on the data
# only through the eigenvalues mu of Z'MZ (and, by ML, xi of Z'Z). With other random terms in the model the same
# spectrum is used with the observed ratio of the two full models (Greven, Crainiceanu, Kuechenhoff and Peters 2008),
# as RLRsim does: "conditional".
# Rows must be independent with variances known up to sigma, so that not for `dispersion` and `correlation`.

#' The spectrum of one random term
#'
#' @param fit An object of class `lmm`.
#' @param term Number of a random term with one column.
#' @returns list(mu, xi, n, p, rounded): eigenvalues of Z'MZ (positive ones) and of Z'Z, M the residual projection of
#'   the fixed part, rows transformed by sqrt(weight); `rounded` when levels were put into classes of like size.
#' @noRd
rlrt_spectrum <- function(fit, term, absorbed = absorb_term(fit, term)) {
  spectrum <- absorbed_spectrum(absorbed)
  list(
    mu = spectrum$mu, xi = sort(absorbed$d, decreasing = TRUE), n = absorbed$n, p = absorbed$p,
    rounded = spectrum$rounded
  )
}

#' P-value of one variance component
#'
#' @param statistic The observed (restricted) likelihood ratio.
#' @returns list(p_value, method, draws): method is "exact" when the term is the only one, else "conditional"; the
#'   p-value counts the observed ratio among the draws, so that it is never zero.
#' @noRd
rlrt_test <- function(fit, term, statistic, nsim, seed, threads, absorbed = absorb_term(fit, term)) {
  method <- if (length(fit$random) == 1L) "exact" else "conditional"
  if (statistic <= 0) return(list(p_value = 1, method = method, draws = 0L))
  spectrum <- rlrt_spectrum(fit, term, absorbed)
  draws <- simulate_rlrt(
    mu = spectrum$mu, xi = if (fit$REML) numeric() else spectrum$xi, n = spectrum$n, p = spectrum$p, fixed = 0,
    nsim = nsim, seed = seed, threads = threads, progress = fit$control$progress
  )
  list(p_value = (1 + sum(draws >= statistic)) / (1 + length(draws)), method = method, draws = length(draws))
}
