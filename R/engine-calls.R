# THE SEAM: every call of Rust stands here: of the fit, of what is computed from a fit, of plans. Names do not cross:
# the engine speaks in indices, this file gives the names back.
#
# Reads   a design (design-columns.R) or a fit, and settings.
# Writes  the engine's result as a list, or a classed condition in the user's names (engine-failure.R).

# Codes of the combinations of several codes: list(codes, parents), first code slowest.
cross_codes <- function(codes, sizes) {
  raw <- .Call(wrap__cross_codes, unname(codes), as.integer(sizes))
  list(codes = raw$codes, parents = matrix(raw$parents, ncol = length(codes)))
}

#' Fit the model of a design
#'
#' @param design From `build_design()`.
#' @param start `NULL` or starting values of theta.
#' @param frame The model frame, for the names of rows and variables in a message.
#' @returns The engine's list.
#' @noRd
fit_design <- function(design, REML, start, control, frame, call) { # nolint: object_name_linter.
  start <- check_start(start, theta_names(design$terms), call)
  options <- list(
    reml = REML, threads = control$threads, start = start, max_evaluations = control$max_evaluations,
    tolerance = control$tolerance, memory = control$memory, phi = NULL
  )
  meter <- progress_meter(control$progress)
  on.exit(meter$close())
  raw <- call_engine(.Call(wrap__fit_lmm, engine_design(design), options, meter$report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, design, frame, call)
  if (!is.null(design$scale)) {
    check_centre(raw$residual$phi, design, call)
    vanished <- vanished_scale(raw, design)
    if (!is.null(vanished)) raise_failure(list(class = "residual_scale", data = vanished), design, frame, call)
  }
  raw
}

# A design as the engine reads it.
engine_design <- function(design) {
  list(
    y = design$y, x = design$x, offset = design$offset, weights = design$weights,
    factors = lapply(design$factors, function(factor) list(codes = factor$codes, n_levels = factor$n_levels)),
    terms = lapply(design$terms, function(term) {
      list(factor = term$factor, basis = term$basis, structure = term$structure)
    }),
    residual = design$residual
  )
}

# Can the variances of a design be told apart? That it cannot be summed is no answer either.
is_identified <- function(design) {
  control <- lmm_control()
  options <- list(
    reml = TRUE, threads = control$threads, start = NULL, max_evaluations = control$max_evaluations,
    tolerance = control$tolerance, memory = control$memory, phi = NULL
  )
  is.null(call_engine(.Call(wrap__check_identified, engine_design(design), options))$failure)
}

# An error from under the seam (a panic that was caught) is a failure like any other.
call_engine <- function(result) {
  tryCatch(result, error = function(e) {
    list(failure = list(class = "internal", message = conditionMessage(e), data = list()))
  })
}

check_start <- function(start, names, call) {
  if (is.null(start)) return(NULL)
  start <- read_start(start, names, call)
  good <- is.numeric(start) && length(start) == length(names) && all(is.finite(start))
  if (good) return(as.double(start))
  abort_ferrite(
    "start", paste0("`start` must be ", counted(length(names), "finite number"), ", one for each element of theta."),
    if (is.numeric(start)) paste0("It has ", length(start), if (!all(is.finite(start))) ", not all finite", ".")
    else paste0("It is ", a_kind(start), "."),
    hint = paste0("Their order: ", plain_list(names, 8L), "."), call = call, data = list(names = names)
  )
}

# A progress bar that appears when work has lasted a second; `report` is what the engine calls, `NULL` when silent.
progress_meter <- function(show) {
  if (!isTRUE(show)) return(list(report = NULL, close = function() NULL))
  bar <- NULL
  begin <- proc.time()[["elapsed"]]
  list(
    report = function(done, total) {
      if (!is.finite(done / total)) return(invisible())
      if (is.null(bar) && proc.time()[["elapsed"]] - begin < 1) return(invisible())
      if (is.null(bar)) bar <<- utils::txtProgressBar(max = 1, style = 3)
      utils::setTxtProgressBar(bar, min(1, done / total))
    },
    close = function() if (!is.null(bar)) close(bar)
  )
}

# What is computed from a fit ------------------------------------------------------------------------------------------

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
#' @returns `vcov_beta` (r x r), `free` (`jac` r x r x K, `cov` K x K: Satterthwaite), `kr` (`NULL`, or `P` r x r x m,
#'   `W` m x m, `vcov_adjusted` r x r), `bytes_needed` when `kr` is `NULL` for want of memory.
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
    vcov_beta = square(raw$phi),
    free = list(jac = array(raw$jacobian, c(r, r, k)), cov = matrix(raw$covariance, k, k))
  )
  if (kr && !is.null(raw$kr)) {
    m <- as.integer(round(sqrt(length(raw$kr$w))))
    out$kr <- list(P = array(raw$kr$p, c(r, r, m)), W = matrix(raw$kr$w, m, m), vcov_adjusted = square(raw$kr$adjusted))
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

# Predictions, refits, plans -------------------------------------------------------------------------------------------

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
