# THE SEAM of what a fit is used for: predictions, refits of other responses or of fewer rows, and plans of fits.

#' Variance of prediction errors
#'
#' Var(x'beta_hat + z'b_hat - x'beta - z'b) with beta and b estimated jointly (Henderson's mixed model equations), theta
#' and sigma taken as known.
#'
#' @param fit A fitted model.
#' @param rows `NULL` for the rows of the fit, or list(n, x, codes, bases): number of rows; blocks of columns of X; for
#'   each grouping factor codes (`NA` where the level is new; `NULL` where no term needs it); for each random term its
#'   blocks (`NULL` where it is not used); all without missing values.
#' @param use For each random term `"known"` (its conditional modes are part of the prediction), `"none"` (it is no part
#'   of what is predicted) or `"new"` (it is, but nothing is known about it: Var(b) counts in full, as it does for new
#'   levels of a known term).
#' @returns One value per row, unit of the response squared; without the residual variance of a new observation.
#' @noRd
prediction_variance <- function(fit, rows = NULL, use = rep("known", length(fit$random)), call = sys.call(-1)) {
  a <- model_arguments(fit)
  if (is.null(rows)) {
    rows <- list(
      n = length(a$design$y), x = a$design$x, codes = lapply(a$design$factors, `[[`, "codes"),
      bases = lapply(a$design$terms, `[[`, "basis")
    )
  }
  # lists with NULL elements keep them
  rows <- list(n = as.integer(rows$n), x = rows$x, codes = rows$codes, bases = rows$bases, use = use)
  meter <- progress_meter(fit$control$progress)
  on.exit(meter$close())
  raw <- call_engine(.Call(wrap__prediction_variance, a$rows, a$options, rows, meter$report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, a$design, fit$frame, call)
  raw$variance
}

#' Refits without some rows
#'
#' @param sets For each row of the fit the number of the deletion that it belongs to, 0 for none.
#' @returns A row per deletion in `beta` (kept coefficients), `theta`, `sigma`, `criterion`; `vcov` (r x r x m);
#'   `status`: `"ok"`, `"stalled"` (not certified), `"rank"` (a coefficient cannot be estimated without the rows),
#'   `"failed"`, `"stopped"` (by Ctrl-C). What is missing is `NA`.
#' @noRd
deletion_engine <- function(fit, sets, progress = FALSE, call = sys.call(-1)) {
  a <- model_arguments(fit)
  meter <- progress_meter(progress)
  on.exit(meter$close())
  sets <- as.integer(sets)
  m <- max(sets)
  raw <- call_engine(.Call(wrap__deletion_lmm, a$rows, a$options, list(sets = sets, count = m), meter$report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, a$design, fit$frame, call)
  r <- length(fit$kept)
  names <- names(fit$beta)[fit$kept]
  done <- raw$status %in% c("ok", "stalled")
  rows <- function(x, columns) {
    if (!length(x)) x <- rep(NA_real_, m * length(columns))
    x[is.nan(x)] <- NA
    matrix(x, m, length(columns), dimnames = list(NULL, columns))
  }
  vcov <- array(NA_real_, c(r, r, m), list(names, names, NULL))
  vcov[, , done] <- raw$vcov
  list(
    beta = rows(raw$beta, names), theta = rows(raw$theta, names(fit$theta)), sigma = drop(rows(raw$sigma, "sigma")),
    criterion = drop(rows(raw$criterion, "criterion")), vcov = vcov, status = raw$status,
    evaluations = drop(rows(raw$evaluations, "evaluations")), phi = rows(raw$phi, names(fit$residual$phi))
  )
}

#' Fits of other responses
#'
#' @param responses n x N matrix in the unit of the response; the offset is subtracted by the engine.
#' @returns As `bootstrap_engine()`: `index` of the responses that have estimates, `failed`, `stopped`, matrices
#'   `theta` and `beta`, `sigma`, `criterion`, `certified`.
#' @noRd
refit_engine <- function(fit, responses, progress = FALSE, call = sys.call(-1)) {
  a <- model_arguments(fit)
  meter <- progress_meter(progress)
  on.exit(meter$close())
  storage.mode(responses) <- "double"
  raw <- call_engine(.Call(wrap__refit_lmm, a$rows, a$options, as.vector(responses), meter$report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, a$design, fit$frame, call)
  named_replicates(raw, fit)
}

#' Structure and cost of a fit that is not done
#'
#' @param design From `build_design()`.
#' @returns `structure` (text), `bytes` of the workspace, `work` (floating-point operations an evaluation), `n_theta`,
#'   `order` and `fill` (elements of the factor) of the trailing matrix, `dense`, `seconds_sums` (measured: the rows are
#'   summed).
#' @noRd
plan_engine <- function(design, control, frame, call = sys.call(-1)) {
  options <- list(
    reml = TRUE, threads = control$threads, start = NULL, max_evaluations = control$max_evaluations,
    tolerance = control$tolerance, memory = control$memory, phi = NULL
  )
  raw <- call_engine(.Call(wrap__plan_lmm, engine_design(design), options))
  if (!is.null(raw$failure)) raise_failure(raw$failure, design, frame, call)
  raw
}
