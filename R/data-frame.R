# Formula + data -> the one model frame: every variable of the model, after subset, missing-value rule and zero weights.
#
# Reads   a parsed formula (formula-terms.R) and the user's data, weights, offset, subset, na.action. A frame with
#         nothing to drop is passed on untouched, not copied.
# Writes  list(frame, terms, lhs, na.action, residual): `frame` has the response, all variables of fixed and random
#         part, the grouping variables, those of dispersion and correlation, "(weights)", "(offset)"; all terms objects
#         carry the predvars for new data.
# Used by design-columns.R.
# Not here: what can be wrong with the variables (data-check.R), model matrices, codes.

#' Build the model frame
#'
#' @param parsed From `parse_formula()`.
#' @param data The user's data, checked by `check_data()`.
#' @param extras Named list of values or `NULL`: weights, offset, subset.
#' @param na_action Function for missing values.
#' @noRd
build_frame <- function(parsed, data, extras, na_action, call) {
  fixed <- terms_of(parsed$fixed, parsed, call, response = parsed$response)
  lhs <- lapply(parsed$random, lhs_terms, parsed = parsed, call = call)
  check_predictors(fixed, lhs, parsed$response, call)
  variables <- c(list(fixed), lhs)
  variables <- unlist(lapply(variables, function(t) as.list(attr(t, "variables"))[-1L]), recursive = FALSE)
  variables <- c(variables, unlist(lapply(parsed$random, `[[`, "expressions"), recursive = FALSE))
  residual <- residual_terms(parsed, call)
  variables <- c(variables, residual$variables)
  variables <- variables[!duplicated(vapply(variables, deparse_one, ""))]
  check_variables(variables, data, parsed$env, call)

  full <- terms_of(sum_of(c(variables[-1L], quote(1))), parsed, call, response = parsed$response)
  frame <- evaluate_frame(full, data, extras, variables, call)
  full <- attr(frame, "terms")
  check_columns(frame, call)
  trouble <- function(names) input_trouble(variables[match(names, variable_names(full))], data, parsed$env)
  complete <- drop_missing(frame, na_action, trouble, call)
  complete <- drop_zero_weights(complete, na_action, call)
  selected <- !is.null(extras$subset) || nrow(complete$frame) < nrow(frame)
  frame <- drop_levels(if (selected) complete$frame else own_columns(complete$frame), call)
  attr(frame, "terms") <- full
  if (nrow(frame) < 2L) too_few_rows(frame, call)
  if (!is.null(residual$terms)) residual$terms <- with_predvars(residual$terms, full)
  list(
    frame = frame,
    terms = with_predvars(fixed, full),
    lhs = lapply(lhs, with_predvars, full = full),
    na.action = complete$na.action,
    residual = residual
  )
}

# Arguments -------------------------------------------------------------------------------------------------------

check_data <- function(data, call) {
  if (is.null(data) || is.data.frame(data) || is.environment(data)) return(data)
  if (is.list(data) && !is.object(data) && length(names(data))) return(data)
  abort_ferrite(
    "data", "`data` must be a data frame.", paste0("It is ", a_kind(data), "."),
    hint = if (is.matrix(data)) "Use `as.data.frame()` on it." else "Give a data frame that holds the variables.",
    call = call
  )
}

# The value of weights, offset or subset: an expression in the columns of the data, then in the environment of the
# formula, as in lm(); when a name is in neither, as an ordinary argument of the caller.
evaluate_extra <- function(expr, force, name, data, env, call) {
  if (is.null(expr)) return(NULL)
  names <- all.vars(expr)
  known <- names %in% columns_in(data) | vapply(names, exists, NA, envir = env)
  value <- tryCatch(
    if (all(known)) eval(expr, data, env) else force(),
    error = function(e) {
      missing <- c(names[!known], code_text(expr))[1L]
      abort_ferrite(
        name, paste0("`", name, "` must be an expression in the columns of `data` or in variables of the session."),
        if (any(!known)) paste0("`", missing, "` was not found.")
        else paste0("`", code_text(expr), "` fails: ", conditionMessage(e), "."),
        hint = c(name_hint(missing, columns_in(data)), "Check the expression.")[1L], call = call
      )
    }
  )
  if (inherits(value, "varFunc")) variance_function(value, call)
  if (name != "subset" && !is.null(value) && !is.numeric(value)) not_numeric(value, name, call)
  value
}

# `weights = varIdent(form = ~ 1 | g)` as in lme().
variance_function <- function(value, call) {
  if (!inherits(value, "varFixed")) dispersion_of_nlme(value, call)
  abort_ferrite("weights", "`weights` must be numbers, one for each row.", "It is an object of class varFixed of nlme.",
    hint = sprintf("Write `weights = 1 / %s`.", deparse_one(attr(value, "formula")[[2L]])), call = call
  )
}

not_numeric <- function(value, name, call) {
  text <- if (inherits(value, "formula")) deparse_one(value[[length(value)]])
  else if (is.character(value) && length(value) == 1L) value
  abort_ferrite(
    name, paste0("`", name, "` must be numbers, one for each row."), paste0("It is ", a_kind(value), "."),
    hint = if (length(text)) paste0("Name the column: `", name, " = ", text, "`.") else "Name a numeric column.",
    call = call
  )
}

columns_in <- function(data) {
  if (is.environment(data)) ls(data) else names(data)
}

# The missing-value rule: a function, its name, or the session's option.
resolve_na_action <- function(na_action, call) {
  if (is.null(na_action)) return(stats::na.pass)
  found <- tryCatch(match.fun(na_action), error = function(e) NULL)
  if (!is.null(found)) return(found)
  abort_ferrite(
    "missing", "`na.action` must be a function such as `na.omit`, or its name.",
    paste0("It is ", a_kind(na_action), "."),
    hint = "Use `na.omit` (drop), `na.exclude` (drop, and pad residuals with NA) or `na.fail`.", call = call
  )
}

# Terms -----------------------------------------------------------------------------------------------------------

# A terms object of `response ~ expr` (or `~ expr`) in the formula's environment.
terms_of <- function(expr, parsed, call, response = NULL) {
  formula <- if (is.null(response)) call("~", expr) else call("~", response, expr)
  attributes(formula) <- list(class = "formula", .Environment = parsed$env)
  tryCatch(
    stats::terms.formula(formula, keep.order = FALSE),
    error = function(e) {
      abort_ferrite(
        "formula", "Every part of `formula` must be a term that R's formulas know.",
        paste0("`", code_text(formula), "`: ", conditionMessage(e), "."),
        hint = "Wrap arithmetic in `I()`, for example `I(x^2)`.", call = call
      )
    }
  )
}

# The terms of the columns of a random term.
lhs_terms <- function(term, parsed, call) {
  terms <- terms_of(term$lhs, parsed, call)
  if (!is.null(attr(terms, "offset"))) {
    abort_ferrite(
      "formula", "An offset must stand in the fixed part of the formula.",
      paste0("There is one in `", term$text, "`."), hint = "Move `offset()` out of the parentheses.", call = call
    )
  }
  if (attr(terms, "intercept") == 0L && !length(attr(terms, "term.labels"))) {
    abort_ferrite(
      "formula", "A random term must have at least one column.", paste0("`", term$text, "` has none."),
      hint = paste0("Write `(1 | ", term$group, ")` for a random intercept, or remove the term."), call = call
    )
  }
  terms
}

# The response cannot explain itself. (lm() drops it with a warning.)
check_predictors <- function(fixed, lhs, response, call) {
  response <- deparse_one(response)
  factors <- attr(fixed, "factors")
  inside <- length(factors) && any(factors[1L, ] > 0L)
  if (!inside && !response %in% unlist(lapply(lhs, variable_names))) return(invisible())
  abort_ferrite(
    "formula", "The response must not be a predictor as well.",
    paste0("`", response, "` is on both sides of the formula."),
    hint = "Remove it from the right-hand side.", call = call, data = list(variable = response)
  )
}

# Keeps what poly(), ns() and scale() learnt from the data, and the kinds of the variables.
with_predvars <- function(terms, full) {
  own <- variable_names(terms)
  at <- match(own, variable_names(full))
  attr(terms, "predvars") <- as.call(c(quote(list), as.list(attr(full, "predvars"))[-1L][at]))
  classes <- attr(full, "dataClasses")
  attr(terms, "dataClasses") <- classes[names(classes) %in% c(own, "(weights)")]
  terms
}

# Evaluation ------------------------------------------------------------------------------------------------------

evaluate_frame <- function(full, data, extras, variables, call) {
  given <- extras[!vapply(extras, is.null, NA)]
  if (!length(given) && is.data.frame(data)) {
    frame <- plain_frame(full, data)
    if (!is.null(frame)) return(frame)
  }
  arguments <- list(formula = full, data = if (is.null(data)) environment(full) else data, na.action = NULL)
  frame <- tryCatch(
    do.call(stats::model.frame.default, c(arguments, given), quote = TRUE),
    error = function(e) diagnose_frame(e, variables, extras, data, environment(full), call)
  )
  check_shapes(frame, call)
  frame
}

# What model.frame() returns when every variable is a plain column of the data; else NULL.
plain_frame <- function(full, data) {
  variables <- as.list(attr(full, "variables"))[-1L]
  if (!all(vapply(variables, is.symbol, NA))) return(NULL)
  names <- vapply(variables, as.character, "")
  at <- match(names, names(data))
  if (anyNA(at)) return(NULL)
  frame <- .subset(data, at)
  plain <- vapply(frame, function(x) is.atomic(x) && is.null(dim(x)) && (!is.object(x) || is.factor(x)), NA)
  if (!all(plain) || any(lengths(frame, use.names = FALSE) != .row_names_info(data, 2L))) return(NULL)
  attr(full, "predvars") <- attr(full, "variables")
  attr(full, "dataClasses") <- vapply(frame, stats::.MFclass, "")
  attributes(frame) <- list(names = names, terms = full, row.names = .row_names_info(data, 0L), class = "data.frame")
  frame
}

# A fit owns its columns: code that writes in place (`:=` and set() of data.table, C) reaches those of the user's data
# only. Rows that were selected are a copy already.
own_columns <- function(frame) {
  class <- oldClass(frame)
  oldClass(frame) <- NULL
  for (at in seq_along(frame)) frame[[at]] <- own_copy(frame[[at]])
  rows <- .row_names_info(frame, 0L)
  if (is.character(rows)) attr(frame, "row.names") <- own_copy(rows)
  oldClass(frame) <- class
  frame
}

own_copy <- function(x) {
  if (!is.atomic(x) && !is.list(x)) return(x)
  attributes <- attributes(x)
  if (is.null(attributes)) return(x[])
  # without attributes first: `[` on a class would run its method, which may keep parts of x
  attributes(x) <- NULL
  x <- x[]
  attributes(x) <- lapply(attributes, own_copy)
  x
}

# Rows -----------------------------------------------------------------------------------------------------------------

# The missing-value rule. A frame without NA is passed on untouched, not copied.
drop_missing <- function(frame, na_action, trouble, call) {
  known <- identical(na_action, stats::na.omit) || identical(na_action, stats::na.exclude) ||
    identical(na_action, stats::na.fail)
  missing <- vapply(frame, anyNA, NA)
  if (known && !any(missing)) return(list(frame = frame, na.action = NULL))
  before <- frame
  frame <- tryCatch(na_action(frame), error = function(e) missing_values(before, conditionMessage(e), call))
  if (!is.data.frame(frame) || !identical(names(frame), names(before))) not_a_frame(frame, call)
  if (!nrow(frame)) no_complete_row(before, trouble, call)
  if (anyNA(frame, recursive = TRUE)) missing_values(frame, "missing values were passed on", call)
  list(frame = frame, na.action = attr(frame, "na.action"))
}

# "(weights)" is the frame's name of what the user calls `weights`.
shown_names <- function(names) sub("^\\((weights|offset)\\)$", "\\1", names)

missing_values <- function(frame, why, call) {
  name <- names(frame)[vapply(frame, anyNA, NA)][1L]
  rows <- if (!is.na(name)) which(rowSums(is.na(as.matrix(frame[[name]]))) > 0)
  abort_ferrite(
    "missing", "Under this `na.action` no variable may have missing values.",
    if (length(rows)) paste0("`", shown_names(name), "` is missing in ", row_list(frame, rows), ".")
    else paste0("It said: ", why, "."),
    hint = "Use `na.action = na.omit` to drop such rows.", call = call, data = list(variable = name, rows = rows)
  )
}

not_a_frame <- function(found, call) {
  abort_ferrite(
    "missing", "`na.action` must be a function that returns the rows to use, with all columns.",
    paste0("It returned ", a_kind(found), "."),
    hint = "Use `na.omit` (drop), `na.exclude` (drop, and pad residuals with NA) or `na.fail`.", call = call
  )
}

no_complete_row <- function(frame, trouble, call) {
  if (!nrow(frame)) too_few_rows(frame, call)
  entirely <- vapply(frame, function(v) all(rowSums(is.na(as.matrix(v))) > 0), NA)
  some <- vapply(frame, anyNA, NA)
  all_missing <- quoted_list(shown_names(names(frame)[entirely]))
  abort_ferrite(
    "rows", "There must be rows in which no variable is missing.",
    if (any(entirely)) paste0(all_missing, " is missing in all ", counted(nrow(frame), "row"), ".")
    else paste0("In each of ", counted(nrow(frame), "row"), " one or more of ",
                quoted_list(shown_names(names(frame)[some]), 8L), " are missing."),
    trouble(names(frame)[entirely]),
    hint = if (any(entirely)) paste0("Check how ", all_missing, " was read or computed.")
    else "Leave out a variable with many missing values.",
    call = call, data = list(variable = c(names(frame)[entirely], names(frame)[some])[1L], rows = 0L)
  )
}

too_few_rows <- function(frame, call) {
  n <- nrow(frame)
  abort_ferrite(
    "rows", "There must be at least 2 rows, and more rows than parameters.",
    paste(if (n == 1L) "There is" else "There are", counted(n, "row"),
          "after `subset`, missing values and zero weights."),
    hint = "Check `data` and `subset`.", call = call, data = list(rows = n)
  )
}

# A weight of zero says that the row carries no information: the row is left out, as if it were not in the data.
drop_zero_weights <- function(complete, na_action, call) {
  weights <- .subset2(complete$frame, "(weights)")
  zero <- if (is.null(weights)) integer() else which(weights == 0)
  if (!length(zero)) return(complete)
  inform_ferrite(
    "zero_weights", "Rows with weight zero are left out of the fit.",
    paste0("There ", if (length(zero) == 1L) "is 1: " else paste0("are ", length(zero), ": "),
           row_list(complete$frame, zero), "."),
    hint = "Give a positive weight to keep a row.", call = call, data = list(rows = zero)
  )
  omitted <- complete$na.action
  names <- as.character(attr(complete$frame, "row.names")[zero])
  n <- nrow(complete$frame) + length(omitted)
  here <- if (length(omitted)) seq_len(n)[-omitted][zero] else zero
  complete$frame <- complete$frame[-zero, , drop = FALSE]
  if (identical(na_action, stats::na.exclude)) {
    all <- sort(c(stats::setNames(as.integer(omitted), names(omitted)), stats::setNames(here, names)))
    complete$na.action <- structure(all, class = "exclude")
  }
  complete
}

# Unused levels are dropped, as model.frame(drop.unused.levels = TRUE) does, without looking at labels.
drop_levels <- function(frame, call) {
  for (at in seq_along(frame)) {
    x <- .subset2(frame, at)
    if (!is.factor(x)) next
    counts <- tabulate(x, nlevels(x))
    if (typeof(x) != "integer" || sum(counts) != length(x)) {
      bad_variable(names(frame)[at], "it is a factor with values that are none of its levels", call)
    }
    if (all(counts > 0L)) next
    contrasts <- attr(x, "contrasts")
    frame[[at]] <- x[, drop = TRUE]
    if (is.character(contrasts)) attr(frame[[at]], "contrasts") <- contrasts
  }
  frame
}

# `subset` as model.frame() wants it; NA in a condition counts as FALSE.
check_subset <- function(subset, data, call) {
  if (is.null(subset) || isTRUE(subset)) return(NULL)
  if (isFALSE(subset) && is.data.frame(data)) subset <- rep(FALSE, nrow(data))
  missing <- is.atomic(subset) && anyNA(subset)
  whole <- !is.data.frame(data) || length(subset) == nrow(data)
  if (is.logical(subset) && whole) return(subset & !is.na(subset))
  if ((is.numeric(subset) || is.character(subset)) && !missing) return(subset)
  abort_ferrite(
    "subset", "`subset` must be a condition, or the numbers or names of rows.",
    paste0("It is ", a_kind(subset), if (missing) " with missing values",
           if (!whole) paste(" for", nrow(data), "rows"), "."),
    hint = "Write, for example, `subset = age > 10`.", call = call
  )
}
