# THE SEAM of what is computed after a fit. As engine.R: designs and indices in, lists out, failures as conditions.

# The arguments that every call on a fitted model begins with.
model_arguments <- function(fit, threads = fit$control$threads) {
  design <- design_of(fit)
  options <- list(
    reml = fit$REML, threads = as.integer(threads), start = NULL, max_evaluations = fit$control$max_evaluations,
    tolerance = fit$control$tolerance, memory = fit$control$memory, theta = as.double(unname(fit$theta)),
    phi = fit$residual$phi, beta = as.double(unname(fit$beta)), sigma = fit$sigma
  )
  list(design = design, options = options, rows = engine_design(design))
}

#' Pieces for tests of fixed effects
#'
#' @param fit A fitted model.
#' @param kr Whether Kenward-Roger's pieces are wanted: by REML; for plain residuals and unstructured random terms only
#'   if the largest connected set of levels fits in memory.
#' @param known Whether the parameters of the residuals count as known, and all random terms as unstructured.
#' @returns `phi` (r x r), `free` (`jac` r x r x K, `cov` K x K: Satterthwaite), `kr` (`NULL`, or `P` r x r x m,
#'   `W` m x m, `phi_adjusted` r x r), `bytes_needed` when `kr` is `NULL` for want of memory.
#' @noRd
infer_fixed <- function(fit, kr = TRUE, known = FALSE, call = sys.call(-1)) {
  a <- model_arguments(fit)
  meter <- progress_meter(fit$control$progress)
  on.exit(meter$close())
  raw <- call_engine(.Call(wrap__fixed_inference, a$rows, c(a$options, list(kr = kr, known = known)), meter$report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, a$design, fit$frame, call)
  r <- length(fit$kept)
  names <- list(names(fit$beta)[fit$kept], names(fit$beta)[fit$kept])
  square <- function(x) matrix(x, r, r, dimnames = names)
  k <- as.integer(round(sqrt(length(raw$covariance))))
  out <- list(
    phi = square(raw$phi),
    free = list(jac = array(raw$jacobian, c(r, r, k)), cov = matrix(raw$covariance, k, k))
  )
  if (kr && !is.null(raw$kr)) {
    m <- as.integer(round(sqrt(length(raw$kr$w))))
    out$kr <- list(P = array(raw$kr$p, c(r, r, m)), W = matrix(raw$kr$w, m, m), phi_adjusted = square(raw$kr$adjusted))
  }
  if (raw$bytes > 0) out$bytes_needed <- raw$bytes
  out
}

# Draws of the (restricted) likelihood ratio of one variance component under its null hypothesis. `mu`: eigenvalues of
# Z'MZ; `xi`: those of Z'Z for a likelihood ratio by ML, none for REML; `fixed`: fixed effects tested along with it.
simulate_rlrt <- function(mu, xi, n, p, fixed = 0, nsim = 10000L, seed = draw_seed(), threads = 2L,
                          progress = FALSE) {
  meter <- progress_meter(progress)
  on.exit(meter$close())
  raw <- call_engine(.Call(
    wrap__simulate_rlrt, as.double(mu), as.double(xi), as.double(c(n, p, fixed)),
    list(nsim = as.integer(nsim), seed = seed), as.integer(threads), meter$report
  ))
  if (!is.null(raw$failure)) raise_failure(raw$failure, NULL, NULL, sys.call(-1))
  raw$draws
}

# Two integers from R's generator, so that set.seed() holds for the engine's streams.
draw_seed <- function() sample.int(.Machine$integer.max, 2L)

#' Profiles
#'
#' @param targets List of integer vectors: `c(1, term, column)` for a standard deviation, `c(2, term, a, b)` for a
#'   correlation, `3` for sigma, `c(4, k)` for the k-th kept coefficient (only for a fit by ML), `c(5, k)` for the k-th
#'   coefficient of the log residual scale, `6` for the residual correlation.
#' @param zetas Rising positive square roots of the rise of the criterion.
#' @param report `NULL`, or what shows progress, called with (points done, points in all).
#' @returns A list as long as `targets`: `estimate`, and `lower` and `upper` values at each zeta (an edge of the
#'   parameter space where that comes first, NaN where a value was not found); `NULL` for those that Ctrl-C left undone.
#' @noRd
profile_engine <- function(fit, targets, zetas, report = NULL, call = sys.call(-1)) {
  a <- model_arguments(fit)
  what <- list(targets = lapply(targets, as.integer), zetas = as.double(zetas))
  raw <- call_engine(.Call(wrap__profile_lmm, a$rows, a$options, what, report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, a$design, fit$frame, call)
  raw
}

#' Parametric bootstrap
#'
#' @param seed Two integers, from `draw_seed()`.
#' @returns `index` (numbers of the finished replicates), `failed` and `stopped` (how many have no estimates, and how
#'   many Ctrl-C left undone), matrices `theta`, `beta` and `phi` (of residuals that are not
#'   alike) with a row a replicate, `sigma`, `criterion`, `certified`. After an interrupt: what was done by then.
#' @noRd
bootstrap_engine <- function(fit, nsim, seed = draw_seed(), threads = fit$control$threads, progress = FALSE,
                             call = sys.call(-1)) {
  a <- model_arguments(fit, threads)
  meter <- progress_meter(progress)
  on.exit(meter$close())
  raw <- call_engine(.Call(
    wrap__bootstrap_lmm, a$rows, a$options, list(nsim = as.integer(nsim), seed = seed), meter$report
  ))
  if (!is.null(raw$failure)) raise_failure(raw$failure, a$design, fit$frame, call)
  named_replicates(raw, fit)
}

# Estimates of many fits as matrices with names.
named_replicates <- function(raw, fit) {
  n <- length(raw$index)
  raw$theta <- matrix(raw$theta, n, length(fit$theta), dimnames = list(NULL, names(fit$theta)))
  raw$beta <- matrix(raw$beta, n, length(fit$kept), dimnames = list(NULL, names(fit$beta)[fit$kept]))
  raw$phi <- matrix(raw$phi, n, length(fit$residual$phi), dimnames = list(NULL, names(fit$residual$phi)))
  raw
}
