# THE SEAM of the fit. Rust is called from the engine- files alone: here for fits, in engine-inference.R for what is
# computed from a fit and for plans. Names do not cross: the engine speaks in indices, these files give the names back.
#
# Reads   a design (design-columns.R) and settings.
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
