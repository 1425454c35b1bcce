#' Change a fit
#'
#' @param object An object of class `lmm`.
#' @param formula. Changes to the formula as in [update.formula()], such as `. ~ . - Sex`; left out, the formula stays.
#'   Crossing with `.` would cross the random terms too and is an error: write `. ~ . + Sex + age:Sex` instead of
#'   `. ~ . * Sex`.
#' @param ... Arguments of [lmm()] to change or add; `NULL` removes one.
#' @param evaluate `TRUE` (default) fits; `FALSE` returns the call.
#' @details
#' If only `REML`, `control` or `start` change, the model is refitted from the model frame that the fit keeps: no
#' variable is looked up again. Otherwise the call is evaluated again. The data of the old call are looked for where the
#' formula was written, then where `update()` is called, so that it works inside functions and for fits that functions
#' returned; new arguments are taken from where `update()` is called.
#' @returns A new fit, or its call.
#' @section Conditions:
#'   `ferrite_error_update` when the data of the old call are not found; `ferrite_error_argument` for a change that is
#'   no argument of [lmm()]; `ferrite_error_formula` for a change that crosses random terms.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' update(fit, REML = FALSE)
#' update(fit, . ~ . + Sex)
#' @importFrom stats update
#' @export
update.lmm <- function(object, formula., ..., evaluate = TRUE) { # nolint: object_name_linter.
  changes <- as.list(substitute(list(...)))[-1L]
  caller <- parent.frame()
  if (length(changes) && (is.null(names(changes)) || !all(nzchar(names(changes))))) {
    abort_ferrite("argument", "Changes must be named arguments of `lmm()`.", "There is one without a name.",
      hint = "Write, for example, `update(fit, . ~ . + x, REML = FALSE)`.", call = method_call()
    )
  }
  check_changes(names(changes), method_call())
  call <- changed_call(object, changes)
  same_formula <- missing(formula.)
  if (!same_formula) call$formula <- changed_formula(object, formula., method_call())
  if (!evaluate) {
    return(call)
  }
  if (same_formula && all(names(changes) %in% c("REML", "control", "start"))) {
    values <- lapply(changes, eval, envir = caller)
    return(refit_frame(object, values, call))
  }
  evaluate_again(object, call, names(changes), caller)
}

# The call of the fit with arguments changed, added or (NULL) removed.
changed_call <- function(fit, changes) {
  call <- fit$call
  for (name in names(changes)) call[[name]] <- changes[[name]]
  call
}

# lmm() would say "unused argument", in the words of R.
check_changes <- function(names, call) {
  unknown <- setdiff(names, names(formals(lmm)))
  if (!length(unknown)) {
    return(invisible())
  }
  hint <- if ("family" %in% unknown) "`lmm()` fits Gaussian models only: `lme4::glmer()` fits other families."
  abort_ferrite("argument", "Changes must be arguments of `lmm()`.",
    paste0(quoted_list(unknown), if (length(unknown) == 1L) " is not one." else " are not."),
    hint = or_else(hint, name_hint(unknown[1L], names(formals(lmm)), "Arguments")), call = call
  )
}

changed_formula <- function(fit, change, call) {
  formula <- stats::update.formula(fit$formula, change)
  attributes(formula) <- list(class = "formula", .Environment = environment(fit$formula))
  check_crossing(fit, change, formula, call)
  formula
}

# `. ~ . * x` crosses the random terms as well, and update.formula() makes of that other random terms: (1 | g:x) out of
# (1 | g):x. What was meant is what it does to the fixed part.
check_crossing <- function(fit, change, formula, call) {
  pieces <- lapply(sum_pieces(formula[[length(formula)]]), function(piece) strip_parens(piece$expr))
  bars <- vapply(pieces, has_bar, NA)
  written <- unlist(lapply(list(fit$formula, stats::as.formula(change)), all_bars))
  made <- setdiff(vapply(pieces[bars], deparse_one, ""), vapply(written, deparse_one, ""))
  if (!length(made)) {
    return(invisible())
  }
  fixed <- if (all(bars)) quote(1) else sum_of(pieces[!bars])
  labels <- function(formula) attr(stats::terms(formula), "term.labels")
  added <- setdiff(labels(stats::as.formula(call("~", fixed))), labels(fit$terms))
  meant <- paste(c(". ~ .", added), collapse = " + ")
  abort_ferrite("formula", "A random term must be added to the formula with `+`.",
    sprintf("`%s` crosses the random terms too: it makes `(%s)`.", code_text(change), made[1L]),
    hint = if (length(added)) sprintf("For the fixed effects alone write `%s`.", meant)
    else "Write out what is to be added: `. ~ . + x + x:z`.",
    call = call
  )
}

# Every `|` and `||` in an expression.
all_bars <- function(expr) {
  if (is_bar(expr)) {
    return(list(expr))
  }
  if (is.call(expr)) unlist(lapply(as.list(expr)[-1L], all_bars))
}

#' Refit from the stored model frame
#'
#' @param fit An object of class `lmm`.
#' @param changes Named list with any of `REML`, `control`, `start`, as values.
#' @param call The call to store.
#' @returns A new object of class `lmm`.
#' @noRd
refit_frame <- function(fit, changes = list(), call = fit$call) {
  REML <- if (is.null(changes$REML)) fit$REML else check_flag(changes$REML, "REML", call, "argument") # nolint
  control <- if (is.null(changes$control)) fit$control else check_control(changes$control, call)
  design <- design_of(fit)
  stored <- c("lhs", "text", "contrasts", "xlevels")
  design$terms <- Map(function(new, old) c(new, old[intersect(stored, names(old))]), design$terms, fit$random)
  design$contrasts <- fit$contrasts
  design$xlevels <- fit$xlevels
  raw <- fit_design(design, REML, changes$start, control, fit$frame, call)
  built <- list(frame = fit$frame, terms = fit$terms, na.action = fit$na.action)
  new <- new_lmm(raw, design, built, fit$formula, REML, control, call)
  report_outcome(new, call)
  new
}

# Evaluate the call with the old arguments found where they were, the new ones where update() was called. weights,
# offset and subset stay expressions: lmm() looks them up in the data.
evaluate_again <- function(fit, call, new, caller) {
  home <- environment(fit$formula)
  space <- new.env(parent = caller)
  space$lmm <- lmm
  written <- call
  call[[1L]] <- quote(lmm)
  if (!"formula" %in% new) call$formula <- if (inherits(call$formula, "formula")) call$formula else fit$formula
  # what the fit itself knows need not be found again; a start holds for one random part
  if (!"start" %in% new) call$start <- NULL
  space$..REML <- fit$REML
  space$..control <- fit$control
  known <- setdiff(intersect(c("REML", "control"), names(call)), new)
  for (name in known) call[[name]] <- as.name(paste0("..", name))
  by_value <- setdiff(names(call)[-1L], c(known, "formula", "weights", "offset", "subset"))
  for (name in by_value) {
    where <- if (name %in% new) list(caller) else list(home, caller)
    hidden <- paste0("..", name)
    assign(hidden, find_value(name, call[[name]], where, written), envir = space)
    call[[name]] <- as.name(hidden)
  }
  result <- tryCatch(eval(call, space), ferrite_error = function(e) {
    e$call <- written
    stop(e)
  })
  result$call <- written
  result
}

# The value of an argument in the first place that has it. A name that is found as something that cannot be the data
# (`df` is also a function) is not taken for them.
find_value <- function(name, expression, places, call) {
  for (place in places) {
    value <- tryCatch(list(eval(expression, place)), error = function(e) NULL)
    usable <- !is.null(value) && (name != "data" || is.list(value[[1L]]) || is.environment(value[[1L]]))
    if (usable) return(value[[1L]])
  }
  abort_ferrite("update", sprintf("The argument `%s` of the call must be found again.", name),
    sprintf("`%s` is no longer there, or is something else now.", code_text(expression)),
    hint = sprintf("Give it: `update(fit, %s = ...)`.", name), call = call
  )
}
