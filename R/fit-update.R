#' Change a fit
#'
#' @param object An object of class `lmm`.
#' @param formula. Changes to the formula as in [update.formula()], such as `. ~ . - Sex`; left out, the formula stays.
#'   Crossing with `.` would cross the random terms too and is an error: write `. ~ . + Sex + age:Sex` instead of
#'   `. ~ . * Sex`.
#'
#'   Random terms are removed as they are added: `. ~ . - (x | g)`. Of `(x || g)` each part can be removed by itself,
#'   `. ~ . - (0 + x | g)` or `. ~ . - (1 | g)`; of `(1 | a/b)` either `(1 | a)` or `(1 | a:b)`. A removal of what is
#'   not there leaves the model as it is and says so.
#' @param ... Arguments of [lmm()] to change or add; `NULL` removes one.
#' @param evaluate `TRUE` (default) fits; `FALSE` returns the call.
#' @details
#' If only `REML`, `control` or `start` change, the model is refitted from the model frame that the fit keeps: no
#' variable is looked up again. Otherwise the call is evaluated again, with new arguments as `update()` was given them,
#' also by `lapply(fits, update, ...)`.
#'
#' The data of the old call are looked for where the formula was written, then where `update()` is called, so that it
#' works inside functions and for fits that functions returned. Where both places have data of that name, those with the
#' response of the fit are taken; if the data found have another response or other rows (they were changed, or are other
#' data of the same name), a message says so. If there are none, the rows that the fit keeps are used, with a message,
#' provided that they have all variables of the new formula and that no new `subset` is given: rows that were dropped
#' for missing values stay dropped then.
#' @returns A new fit, or its call.
#' @section Conditions:
#'   `ferrite_error_update` when the data of the old call are not found, or the response was replaced by [refit()];
#'   `ferrite_error_argument` for a change that is no argument of [lmm()]; `ferrite_error_formula` for a change that
#'   crosses random terms, or is no formula; `ferrite_message_update` when what a change removes is not in the model,
#'   the data found are not those of the fit, or the rows that the fit keeps are used instead.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' update(fit, REML = FALSE) # -2 log-likelihood 443.3895; standard deviations 2.072 and 1.423
#' update(fit, . ~ . + Sex) # SexFemale -2.3210; between subjects 1.807 instead of 2.115
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
  check_flag(evaluate, "evaluate", method_call(), "argument")
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
  # an argument that was handed on by another function is found by its promise only
  promised <- lapply(seq_along(changes), function(i) function() ...elt(i))
  evaluate_again(object, call, stats::setNames(promised, names(changes)), caller)
}

# The call of the fit with arguments changed, added or (NULL) removed.
changed_call <- function(fit, changes) {
  removed <- names(changes)[vapply(changes, is.null, NA)]
  call <- fit$call[!names(fit$call) %in% removed]
  for (name in setdiff(names(changes), removed)) call[[name]] <- changes[[name]]
  call
}

check_changes <- function(names, call) {
  known <- setdiff(names(formals(lmm)), "...")
  unknown <- setdiff(names, c(known, "verbose"))
  if (!length(unknown)) {
    return(invisible())
  }
  abort_ferrite("argument", "Changes must be arguments of `lmm()`.",
    paste0(quoted_list(unknown), if (length(unknown) == 1L) " is not one." else " are not."),
    hint = unknown_hint(unknown, known), call = call
  )
}

changed_formula <- function(fit, change, call) {
  change <- as_change(change, environment(fit$formula), call)
  rest <- remove_terms(fit, change, call)
  formula <- tryCatch(stats::update.formula(rest$formula, rest$change), error = function(e) {
    abort_ferrite("formula", "`formula.` must be a change that R's formulas know.",
      sprintf("`%s`: %s.", code_text(change), conditionMessage(e)),
      hint = "Add terms by `. ~ . + x`, remove them by `. ~ . - x`.", call = call
    )
  })
  attributes(formula) <- list(class = "formula", .Environment = environment(fit$formula))
  check_crossing(fit, rest$formula, change, formula, call)
  formula
}

# A formula, or text that reads as one, with or without a response.
as_change <- function(change, env, call) {
  if (is.character(change) && length(change) == 1L && !is.na(change) && validEnc(change)) {
    change <- tryCatch(stats::as.formula(change, env), error = function(e) change)
  }
  if (inherits(change, "formula")) return(change)
  abort_ferrite("formula", "`formula.` must be a formula such as `. ~ . + x`.",
    if (is.character(change) && length(change) == 1L) {
      paste0("The text \"", text_line(change), "\" does not read as one.")
    } else {
      paste0("It is ", a_kind(change), ".")
    }, hint = "Arguments of `lmm()` are changed by their names: `update(fit, REML = FALSE)`.", call = call
  )
}

# `. ~ . * x` crosses the random terms as well, and update.formula() makes of that other random terms: (1 | g:x) out of
# (1 | g):x. What was meant is what it does to the fixed part.
check_crossing <- function(fit, old, change, formula, call) {
  pieces <- lapply(sum_pieces(formula[[length(formula)]]), function(piece) strip_parens(piece$expr))
  bars <- vapply(pieces, has_bar, NA)
  written <- unlist(lapply(list(old, change), all_bars))
  terms <- lapply(pieces[bars], function(piece) if (is_structured(piece)) piece[[2L]] else piece)
  made <- setdiff(vapply(terms, deparse_one, ""), vapply(written, deparse_one, ""))
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
  REML <- if (is.null(changes$REML)) fit$REML else check_reml(changes$REML, call) # nolint
  control <- if (is.null(changes$control)) fit$control else check_control(changes$control, call)
  design <- refit_design(fit)
  raw <- fit_design(design, REML, changes$start, control, fit$frame, call)
  built <- list(frame = fit$frame, terms = fit$terms, na.action = fit$na.action)
  new <- new_lmm(raw, design, built, fit$formula, REML, control, call)
  report_outcome(new, call)
  new
}

# The design of a finished fit as build_design() gives it, for another fit.
refit_design <- function(fit) {
  design <- design_of(fit)
  stored <- c("lhs", "text", "contrasts", "xlevels")
  design$terms <- Map(function(new, old) c(new, old[intersect(stored, names(old))]), design$terms, fit$random)
  design$contrasts <- fit$contrasts
  design$xlevels <- fit$xlevels
  design[c("scale", "correlation")] <- list(fit$residual$scale, fit$residual$correlation)
  design
}

# Evaluate the call with the old arguments found where they were, the new ones as update() was given them. weights,
# offset and subset stay expressions: lmm() looks them up in the data. `new`: functions that give the new values.
evaluate_again <- function(fit, call, new, caller) {
  written <- call
  space <- new.env(parent = caller)
  space$lmm <- lmm
  call[[1L]] <- quote(lmm)
  bind <- function(name, value) {
    hidden <- paste0("..", name)
    assign(hidden, value, envir = space)
    call[[name]] <<- as.name(hidden)
  }
  if (!"formula" %in% names(new)) call$formula <- if (inherits(call$formula, "formula")) call$formula else fit$formula
  # what the fit itself knows need not be found again; a start holds for one random part
  if (!"start" %in% names(new)) call$start <- NULL
  kept <- NULL
  if ("data" %in% names(new)) {
    if (!is.null(call$data)) bind("data", new$data())
  } else {
    refuse_other_response(fit, written)
    found <- data_of_update(fit, call, list(environment(fit$formula), caller), written, "subset" %in% names(new))
    kept <- found$kept
    if (kept) call <- call[!names(call) %in% setdiff(c("subset", "na.action"), names(new))]
    if (!is.null(found$data)) bind("data", found$data)
  }
  for (name in setdiff(names(call)[-1L], c("formula", "data"))) {
    value <- argument_value(name, call[[name]], new[[name]], fit, isTRUE(kept), space, caller, written)
    if (!is.null(value)) bind(name, value[[1L]])
  }
  result <- tryCatch(eval(call, space), ferrite_error = function(e) {
    e$call <- written
    stop(e)
  })
  result$call <- written
  if (isTRUE(kept) && result$nobs == fit$nobs) result["na.action"] <- list(fit$na.action)
  result
}

# The value of an argument, in a list; `NULL` when its expression can stay: lmm() looks up weights, offset and subset in
# the data, and does not evaluate a correlation. `new` gives the value of a new one.
argument_value <- function(name, expression, new, fit, kept, space, caller, written) {
  if (is_correlation_call(expression)) return(NULL)
  looked_up <- name %in% c("weights", "offset", "subset")
  home <- environment(fit$formula)
  if (!is.null(new)) {
    if (looked_up && findable(expression, or_else(space[["..data"]], list()), home, caller)) return(NULL)
    return(list(new()))
  }
  known <- known_argument(fit, name, kept)
  if (!is.null(known)) return(list(known))
  if (!looked_up) list(find_value(name, expression, list(home, caller), written))
}

# Arguments of the old call that the fit keeps as values; with the rows of the fit its weights and offset too.
known_argument <- function(fit, name, kept) {
  switch(name,
    REML = fit$REML,
    control = fit$control,
    weights = if (kept) weights_of(fit$frame),
    offset = if (kept) fit$frame[["(offset)"]]
  )
}

# Are all variables of an expression in the data, where the formula was written, or where update() was called?
findable <- function(expression, data, home, caller) {
  names <- all.vars(expression)
  all(names %in% names(data) | vapply(names, function(name) exists(name, home) || exists(name, caller), NA))
}
