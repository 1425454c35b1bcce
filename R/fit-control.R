# lmm_control(): every number that steers a fit, with its default, unit and reason.
#
# Writes  a plain list of class "lmm_control"; engine-calls.R hands it on.
# Not here: `start`, which belongs to a model and is an argument of lmm().

#' Settings of a fit
#'
#' Collects the settings of the engine, each checked. The defaults are right for almost every fit.
#'
#' @param threads Number of threads for reading the data and factorising; a positive whole number, at most the
#'   number of cores is used. Default 2: a polite share of any machine. The number of threads does not change results.
#' @param tolerance When the optimiser stops, in units of the criterion (minus twice the log-likelihood): a Newton
#'   step from the result promises to lower the criterion by less than this, which `decrement` of [convergence()]
#'   shows. Default 1e-10: since the criterion rises by 1 at about one standard error, the variance parameters are
#'   within 1e-5 standard errors of the optimum. Above 1e-7 the search ends as soon as the tolerance is met, which
#'   saves some evaluations; below, it goes on until no digit is left to gain, and the tolerance only says what is
#'   certified.
#' @param max_evaluations Most evaluations of the criterion in the search, a positive whole number. Default 1000: most
#'   fits take 10 to 100, also where a covariance matrix is nearly singular and where a small model is searched from
#'   every face of the boundary (see [convergence()]); one in forty of these, and terms with a structure, take up to
#'   about 250. Where the budget is spent, the evaluations that
#'   certify the result (its second derivatives) come on top. A fit that spends the budget has the status
#'   `"max_evaluations"` (see [convergence()]) and is returned with a warning of class
#'   `ferrite_warning_not_converged`.
#' @param memory Most memory that the model matrices and the factorisation may take, in bytes. A model that would need
#'   more is refused before it is built (`ferrite_error_too_large`). Default `NULL`: three quarters of the memory
#'   that the machine (or its container) has free; 8e9 where the system does not tell.
#' @param progress `TRUE` to show a progress bar in fits that take long. Default: in interactive sessions only.
#' @param ... Must be empty. An unknown or misspelled setting is an error.
#' @returns A list of class `lmm_control` for the argument `control` of [lmm()].
#' @section Conditions:
#'   `ferrite_error_control` when a setting is unknown or not admissible.
#' @examples
#' lmm_control(threads = 1)$tolerance      # 1e-10
#' @export
lmm_control <- function(threads = 2L, tolerance = 1e-10, max_evaluations = 1000L, memory = NULL,
                        progress = interactive(), ...) {
  call <- sys.call()
  if (...length()) unknown_setting(...names(), names(formals()), call)
  structure(
    class = "lmm_control",
    list(
      threads = at_most_cores(check_whole(threads, "threads", call)),
      tolerance = check_positive(tolerance, "tolerance", call),
      max_evaluations = check_whole(max_evaluations, "max_evaluations", call),
      memory = if (is.null(memory)) free_memory() else check_positive(memory, "memory", call),
      progress = check_flag(progress, "progress", call)
    )
  )
}

# What lmm() accepts as `control`.
check_control <- function(control, call) {
  if (inherits(control, "lmm_control")) return(control)
  translated <- translate_control(control, call)
  if (!is.null(translated)) return(translated)
  abort_ferrite(
    "control", "`control` must be made by `lmm_control()`.",
    paste0("It is ", a_kind(control), "."),
    hint = "Write, for example, `control = lmm_control(threads = 1)`.", call = call
  )
}

unknown_setting <- function(names, known, call) {
  known <- setdiff(known, "...")
  name <- if (length(names) && nzchar(names[1L])) names[1L] else "(without a name)"
  abort_ferrite(
    "control", "Every setting must be one that `lmm_control()` knows.",
    paste0("`", name, "` is not."),
    hint = name_hint(name, known, "Settings"), call = call, data = list(setting = name)
  )
}

at_most_cores <- function(threads) {
  if (threads <= 2L) return(threads)
  cores <- parallel::detectCores()
  if (is.na(cores)) threads else min(threads, cores)
}

# default_memory(), looked up at most once a second: reading it takes longer than a small fit's formula.
free_memory <- function() {
  now <- proc.time()[["elapsed"]]
  if (is.null(last_memory$at) || now - last_memory$at > 1) {
    last_memory$bytes <- default_memory()
    last_memory$at <- now
  }
  last_memory$bytes
}

last_memory <- new.env(parent = emptyenv())

# Three quarters of the free memory, in bytes. Linux tells; elsewhere a fixed figure.
default_memory <- function(meminfo = "/proc/meminfo", cgroup = "/sys/fs/cgroup/memory.max") {
  free <- c(read_bytes(meminfo, "^MemAvailable:", 1024), read_bytes(cgroup, "^", 1))
  if (length(free)) 0.75 * min(free) else 8e9
}

read_bytes <- function(path, pattern, unit) {
  if (!file.exists(path)) return(NULL)
  lines <- tryCatch(readLines(path, n = 4L, warn = FALSE), error = function(e) character())
  digits <- gsub("[^0-9]", "", grep(pattern, lines, value = TRUE)[1L])
  if (!is.na(digits) && nzchar(digits)) as.double(digits) * unit
}

# Settings of other packages -------------------------------------------------------------------------------------------

#' Settings that were not made by lmm_control()
#'
#' @param control What `lmerControl()` or `lmeControl()` gave, or a plain list.
#' @returns A list of class `lmm_control`; `NULL` when `control` is nothing of the kind.
#' @noRd
translate_control <- function(control, call) {
  if (!is.list(control) || (is.object(control) && !inherits(control, "merControl"))) return(NULL)
  if (length(control) && (is.null(names(control)) || !all(nzchar(names(control))))) {
    unknown_setting(names(control)[!nzchar(names(control))], names(formals(lmm_control)), call)
  }
  whole <- inherits(control, "merControl") || all(names(nlme::lmeControl()) %in% names(control))
  settings <- if (whole) changed_settings(control) else flat_settings(control)
  own <- if (!whole) settings[names(settings) %in% setdiff(names(formals(lmm_control)), "...")] else list()
  settings <- settings[!names(settings) %in% names(own)]
  most <- settings$optCtrl[intersect(c("maxfun", "maxeval"), names(settings$optCtrl))]
  if (length(most) && is.null(own$max_evaluations)) {
    own$max_evaluations <- most[[1L]]
    if (length(settings$optCtrl) == 1L) settings$optCtrl <- NULL
  }
  unknown <- if (!whole) setdiff(names(settings), c(lmer_settings, names(nlme::lmeControl())))
  if (length(unknown)) unknown_setting(unknown, names(formals(lmm_control)), call)
  if (length(settings)) {
    inform_ferrite(
      "control", "Settings should be those of `lmm_control()`.",
      paste0(quoted_list(names(settings), 8L), if (length(settings) == 1L) " has" else " have",
             " no meaning here: there is one optimiser, which certifies its result."),
      if (length(most)) sprintf("The most evaluations are %s.", format(own$max_evaluations, scientific = FALSE)),
      hint = "Leave them out; see `?lmm_control`.", call = call, data = list(settings = names(settings))
    )
  }
  tryCatch(do.call(lmm_control, own), ferrite_error = function(e) {
    e$call <- call
    stop(e)
  })
}

# Names of the arguments of lmerControl(), in lme4 1.1 and 2.0.
lmer_settings <- c(
  "optimizer", "restart_edge", "boundary.tol", "calc.derivs", "use.last.params", "sparseX", "standardize.X",
  "check.nobs.vs.rankZ", "check.nobs.vs.nlev", "check.nlev.gtreq.5", "check.nlev.gtr.1", "check.nobs.vs.nRE",
  "check.rankX", "check.scaleX", "check.formula.LHS", "check.conv.grad", "check.conv.singular", "check.conv.hess",
  "checkControl", "checkConv", "optCtrl", "mod.type", "autoscale", "check.conv.nobsmax", "check.conv.nparmax"
)

# lmerControl() keeps some of its arguments in lists.
flat_settings <- function(control) {
  inner <- intersect(c("checkControl", "checkConv"), names(control))
  c(unclass(control)[setdiff(names(control), inner)], unlist(unname(unclass(control)[inner]), recursive = FALSE))
}

# What differs from the defaults; all of it where these are not known.
changed_settings <- function(control) {
  mixed <- inherits(control, "merControl")
  defaults <- if (!mixed) nlme::lmeControl()
  else if (requireNamespace("lme4", quietly = TRUE)) getExportedValue("lme4", class(control)[1L])()
  control <- flat_settings(control)
  defaults <- flat_settings(or_else(defaults, list()))
  control[!vapply(names(control), function(name) identical(control[[name]], defaults[[name]]), NA)]
}
