# The arguments of lmm() and lmm_plan(), read in one place; among them what users of lmer() and lme() write: translated
# where it means something here, named in one message where it does not, and for lme()'s `random =` an error that gives
# the formula.
#
# Reads   the frame of the function that was called: nothing is evaluated there before it is needed.
# Writes  the values, checked and in the words of lmm(); the formula parsed.
# Used by fit-lmm.R, fit-plan.R, fit-control.R, engine-calls.R, fit-update.R. Words of nlme for residuals:
#         formula-residual.R.

#' The arguments of lmm() and lmm_plan(), but for `contrasts` and `start`
#'
#' @param frame Where they are: that of `verb`, "lmm" or "lmm_plan". `env` is where it was called.
#' @returns `list(asked, REML, control, data, parsed, extras, na_action)`: `asked` is what `...` asked for, `parsed` as
#'   parse_formula() gives it, with `residual`; `extras` are the weights, the offset and the subset.
#' @noRd
read_arguments <- function(frame, env, call, verb = "lmm") {
  absent <- function(name) eval(as.call(list(quote(missing), as.name(name))), frame)
  written <- function(name) eval(as.call(list(quote(substitute), as.name(name))), frame)
  value <- function(name) get(name, frame)
  asked <- if (eval(quote(...length()), frame)) {
    others <- eval(quote(...names()), frame)
    if (verb != "lmm") refuse_unknown(verb, others, names(formals(verb)), call)
    read_other_arguments(others, eval(quote(function(k) ...elt(k)), frame), function() value("formula"), call)
  }
  residual <- if (!absent("dispersion") || !absent("correlation")) {
    read_residual(function() value("dispersion"), written("correlation"), function() value("correlation"), call)
  }
  reml <- check_reml(value("REML"), call)
  control <- check_control(value("control"), call)
  if (isTRUE(asked$progress)) control$progress <- TRUE
  formula <- as_two_sided(if (!absent("formula")) given(value("formula"), "formula", call), env, call)
  data <- check_data(if (!absent("data")) given(value("data"), "data", call), call)
  parsed <- parse_formula(formula, if (is.list(data)) names(data), env, call)
  parsed$residual <- residual
  extra <- function(name) {
    if (!absent(name)) evaluate_extra(written(name), function() value(name), name, data, parsed$env, call)
  }
  list(
    asked = asked, REML = reml, control = control, data = data, parsed = parsed,
    extras = list(weights = extra("weights"), offset = extra("offset"),
                  subset = check_subset(extra("subset"), data, call)),
    na_action = resolve_na_action(
      if (absent("na.action")) getOption("na.action", "na.omit") else value("na.action"), call
    )
  )
}

# The value of an argument, or a classed error when it cannot be had.
given <- function(value, name, call) {
  tryCatch(
    value,
    error = function(e) {
      abort_ferrite(
        if (name == "formula") "formula" else "data", paste0("The argument `", name, "` must have a value."),
        paste0(sub("\\.$", "", conditionMessage(e)), "."), hint = "Check how it is made.", call = call
      )
    }
  )
}

# lmer() --------------------------------------------------------------------------------------------------------------

#' Arguments of lmer() and lme() in a call of lmm()
#'
#' @param names Names of what is in `...`.
#' @param value Function that gives the value of the k-th; not called for what is not known.
#' @param formula Function that gives `formula`.
#' @returns `list(progress, devfun)`: is a progress bar asked for, and the criterion as a function?
#' @noRd
read_other_arguments <- function(names, value, formula, call) {
  if (any(c("fixed", "random") %in% names)) refuse_lme(names, value, formula, call)
  known <- c("verbose", "devFunOnly")
  if (!length(names) || !all(names %in% known)) {
    refuse_unknown("lmm", setdiff(names, known), names(formals(lmm)), call)
  }
  asked <- list(progress = FALSE, devfun = FALSE)
  if ("devFunOnly" %in% names) {
    asked$devfun <- check_flag(value(match("devFunOnly", names)), "devFunOnly", call, "argument")
  }
  if (!"verbose" %in% names) return(asked)
  verbose <- value(match("verbose", names))
  if (!(is.numeric(verbose) || is.logical(verbose)) || length(verbose) != 1L || is.na(verbose)) {
    bad_setting(verbose, "verbose", "one number, `TRUE` or `FALSE`", call, "argument")
  }
  if (verbose <= 0) return(asked)
  inform_ferrite(
    "argument", "What the search does should be read from the fit.",
    "`verbose` prints no trace here; it shows a progress bar in fits that take longer than a second.",
    hint = "See `convergence(fit)`; for the bar alone write `control = lmm_control(progress = TRUE)`.", call = call
  )
  asked$progress <- TRUE
  asked
}

# `REML` as TRUE or FALSE; 1 and 0 will do, as for lmer(). The third argument of lme() is the random part.
check_reml <- function(reml, call) {
  if (isTRUE(reml) || isFALSE(reml)) return(reml)
  if (is.numeric(reml) && length(reml) == 1L && reml %in% c(0, 1)) return(reml == 1)
  if (inherits(reml, "formula") && length(reml) == 2L && is_bar(reml[[2L]])) {
    refuse_lme("random", function(k) reml, function() eval(call$formula, environment(reml)), call)
  }
  check_flag(reml, "REML", call, "argument")
}

# lme() -------------------------------------------------------------------------------------------------------------

refuse_lme <- function(names, value, formula, call) {
  get <- function(name) if (name %in% names) tryCatch(value(match(name, names)), error = function(e) NULL)
  fixed <- or_else(get("fixed"), tryCatch(formula(), error = function(e) NULL))
  terms <- tryCatch(random_of_lme(get("random")), error = function(e) NULL)
  whole <- inherits(fixed, "formula") && length(fixed) == 3L && length(terms)
  if (whole) {
    written <- call("~", fixed[[2L]], sum_of(c(list(fixed[[3L]]), terms)))
    criterion <- if (identical(get("method"), "ML")) ", REML = FALSE"
  }
  own <- intersect(names, c("fixed", "random"))
  abort_ferrite(
    "argument", "The random part must stand in the formula, as `(columns | factor)`.",
    paste0("There is ", plain_list(paste0("`", own, " =`")), ", as for `nlme::lme()`."),
    hint = if (whole) paste0("Write `lmm(", deparse_one(written), ", data", criterion, ")`.")
    else foreign_arguments[[own[1L]]],
    call = call, data = list(argument = own)
  )
}

# `random` of lme() as terms of a formula: ~ x | g, list(g = ~ x), list(g = pdDiag(~ x)). Further groups of a list are
# nested within those before them.
random_of_lme <- function(random) {
  if (inherits(random, "formula")) return(if (is_bar(random[[2L]])) list(call("(", random[[2L]])))
  if (!is.list(random) || is.null(names(random)) || !all(nzchar(names(random)))) return(NULL)
  groups <- lapply(names(random), as.name)
  lapply(seq_along(random), function(k) {
    group <- Reduce(function(inner, outer) call(":", inner, outer), rev(groups[seq_len(k)]))
    term_of_lme(random[[k]], group)
  })
}

term_of_lme <- function(element, group) {
  columns <- stats::formula(element)
  columns <- columns[[length(columns)]]
  bar <- call("|", columns, group)
  kind <- class(element)[1L]
  switch(kind,
    pdDiag = call("(", call("||", columns, group)),
    pdIdent = call("diag", bar, hom = TRUE),
    pdCompSymm = call("cs", bar, hom = TRUE),
    call("(", bar)
  )
}

# start -------------------------------------------------------------------------------------------------------------

# `start = list(theta = )` of lmer(), and theta with its names in another order.
read_start <- function(start, names, call) {
  if (is.list(start) && !is.object(start)) {
    other <- setdiff(names(start), "theta")
    if (!is.null(start$theta) && all(other %in% c("fixef", "beta"))) {
      if (length(other)) {
        inform_ferrite(
          "start", "`start` should have values of theta only.",
          paste0(quoted_list(other), " has no meaning here: fixed effects follow from theta."),
          hint = "Leave it out.", call = call
        )
      }
      start <- start$theta
    }
  }
  given <- names(start)
  if (is.numeric(start) && length(given) == length(names) && !anyDuplicated(names) && setequal(given, names)) {
    start <- start[names]
  }
  start
}
