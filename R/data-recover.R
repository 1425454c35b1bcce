# The data of a fit again: the variables inside the terms, such as `x` of `log(x)`, which the model frame does not hold;
# and the data of the call, for update().
#
# Reads   a fit; where its frame does not have a variable, the data that the call names, and the frame to check them.
# Writes  a data frame with a row for each row of the fit's frame, in its order; for update() the data.
# Raises  `ferrite_error_recover` when a variable is gone, or is not what it was when the model was fitted;
#         `ferrite_error_update` when no data will do, `ferrite_message_update` when they are not those of the fit.

#' Variables of a fit by name
#'
#' They are looked for where the formula was written, then in the functions that are running, outermost first. What is
#' found has to reproduce the columns of the frame.
#'
#' @param fit An object of class `lmm`.
#' @param expressions Terms objects or expressions that are to be computable from the result.
#' @returns A data frame. Constants (names of what is not as long as the data) are no columns; they are the attribute
#'   `constants`.
#' @noRd
recover_variables <- function(fit, expressions, call) {
  names <- unique(unlist(lapply(expressions, all.vars)))
  frame <- fit$frame
  table <- as.list(frame)[intersect(names, names(frame))]
  lost <- setdiff(names, names(frame))
  values <- if (length(lost)) search_variables(fit, lost, c(list(environment(fit$formula)), sys.frames()), call)
  table <- c(table, values)
  table <- table[intersect(names, names(table))]
  # not data.frame(): it would take a matrix apart
  structure(
    table, row.names = attr(frame, "row.names"), class = "data.frame", constants = setdiff(lost, names(values))
  )
}

# From the first place that has them.
search_variables <- function(fit, names, places, call) {
  failure <- NULL
  for (place in places) {
    found <- tryCatch(variables_in(place, fit, names, call), ferrite_error_recover = identity)
    if (!inherits(found, "condition")) return(found)
    if (is.null(failure)) failure <- found
  }
  stop(failure)
}

# The columns `names` of the data that the call names, in the rows of the fit; from the environment where the data have
# no such column. What is not as long as the data there is a constant and is left out.
variables_in <- function(env, fit, names, call) {
  source <- if (!is.null(fit$call$data)) code_text(fit$call$data)
  data <- if (!is.null(source)) {
    tryCatch(eval(fit$call$data, env), error = function(e) recover_failure(names, source, call))
  }
  columns <- if (is.environment(data)) ls(data) else if (is.list(data)) names(data)
  rows <- rows_in_source(fit, data)
  values <- lapply(stats::setNames(nm = names), function(name) {
    value <- if (name %in% columns) data[[name]] else get0(name, envir = env)
    variable <- name %in% columns || (!is.function(value) && !is.list(value) && NROW(value) >= max(rows))
    if (is.null(value) || (variable && NROW(value) < max(rows))) recover_failure(name, source, call)
    if (variable) {
      if (is.matrix(value)) value[rows, , drop = FALSE] else value[rows]
    }
  })
  values <- Filter(Negate(is.null), values)
  check_recovered(fit, values, env, call)
  values
}

# Where the rows of the frame are in the data. Inf when that is not known.
rows_in_source <- function(fit, data) {
  names <- attr(fit$frame, "row.names")
  rows <- if (is.data.frame(data)) match(names, attr(data, "row.names"))
  else if (is.integer(names)) names
  else suppressWarnings(as.integer(names))
  if (anyNA(rows)) Inf else rows
}

# Are the columns of the frame that use these variables what they were?
check_recovered <- function(fit, values, env, call) {
  terms <- fit$terms
  variables <- as.list(attr(terms, "variables"))[-1L]
  expressions <- as.list(or_else(attr(terms, "predvars"), attr(terms, "variables")))[-1L]
  for (k in seq_along(variables)) {
    label <- deparse_one(variables[[k]])
    own <- intersect(all.vars(variables[[k]]), names(values))
    if (!is.call(variables[[k]]) || !length(own)) next
    data <- c(values, as.list(fit$frame)[intersect(all.vars(variables[[k]]), names(fit$frame))])
    value <- tryCatch(eval(expressions[[k]], data, env), error = function(e) NULL)
    plain <- function(x) if (is.factor(x)) as.character(x) else as.vector(x)
    same <- isTRUE(all.equal(plain(value), plain(fit$frame[[label]]), check.attributes = FALSE))
    if (!same) recover_failure(own, if (!is.null(fit$call$data)) code_text(fit$call$data), call, changed = TRUE)
  }
}

recover_failure <- function(names, data, call, changed = FALSE) {
  where <- if (is.null(data)) "where the formula was written" else sprintf("in `%s`", data)
  several <- length(names) > 1L
  abort_ferrite("recover", "The variables inside of the terms must be found again as they were in the fit.",
    paste0(quoted_list(names), if (several) " are" else " is",
           if (changed) sprintf(" no longer the same %s.", where) else sprintf(" not found %s.", where)),
    hint = "Make them available again (`emmeans()` takes them by `data = `), or fit again.", call = call,
    data = list(variables = names)
  )
}

# The data of an old call, for update() --------------------------------------------------------------------------------

#' Data for evaluating the call again
#'
#' @param places Environments, the first that has the data wins; those with the response of the fit win over others.
#' @param subset_is_new Whether another subset is asked for, for which the rows of the fit will not do.
#' @returns `data` (`NULL` if the call has none) and `kept`: whether they are the rows that the fit keeps.
#' @noRd
data_of_update <- function(fit, call, places, written, subset_is_new) {
  if (is.null(call$data)) {
    return(list(data = NULL, kept = FALSE))
  }
  found <- lapply(places, function(place) tryCatch(eval(call$data, place), error = function(e) NULL))
  found <- Filter(function(value) is.list(value) || is.environment(value), found)
  trouble <- lapply(found, unlike_fit, fit = fit, subset = !is.null(fit$call$subset))
  same <- which(vapply(trouble, is.null, NA))
  if (length(same)) {
    return(list(data = found[[same[1L]]], kept = FALSE))
  }
  name <- code_text(call$data)
  if (length(found)) {
    inform_ferrite("update", "The data of an update should be those of the fit.",
      sprintf("`%s` %s.", name, trouble[[1L]]),
      hint = "They are used as they are now; give `data = ` if others are meant.", call = written
    )
    return(list(data = found[[1L]], kept = FALSE))
  }
  if (subset_is_new || !frame_suffices(fit, call)) data_are_gone("data", call$data, written)
  inform_ferrite("update", "The data of the fit should be found again.",
    sprintf("`%s` is no longer there: the %s that the fit keeps are used.", name, counted(fit$nobs, "row")),
    hint = "For other rows, or other variables, give `data = `.", call = written
  )
  list(data = fit$frame, kept = TRUE)
}

# How data differ from those of the fit, as the end of a sentence; NULL when they have its rows and its response.
unlike_fit <- function(data, fit, subset) {
  response <- tryCatch(eval(fit$formula[[2L]], data, environment(fit$formula)), error = function(e) NULL)
  if (is.null(response)) {
    return(sprintf("has no response `%s`", code_text(fit$formula[[2L]])))
  }
  if (!is.data.frame(data) || NROW(response) != nrow(data)) {
    return(NULL)
  }
  rows <- fit$nobs + length(fit$na.action)
  more <- nrow(data) != rows && !subset && !fit$weights_used
  if (more || nrow(data) < fit$nobs) {
    return(sprintf("has %s; the fit was made from %s", counted(nrow(data), "row"), big_number(rows)))
  }
  at <- match(attr(fit$frame, "row.names"), attr(data, "row.names"))
  if (anyNA(at)) {
    return("has other names of rows")
  }
  same <- as.vector(response)[at] == as.vector(fit$frame[[1L]])
  differ <- sum(is.na(same) | !same)
  if (differ) paste("has another response in", counted(differ, "row"))
}

# Can the model of the call be fitted from the model frame: is every name of its formula a column as it is, or a single
# value of the session inside of a call, such as the power of I(x^power)?
frame_suffices <- function(fit, call) {
  env <- environment(fit$formula)
  plain <- names(fit$frame)[vapply(fit$frame, function(v) is.null(dim(v)), NA)]
  variables <- as.list(attr(stats::terms(call$formula), "variables"))[-1L]
  direct <- vapply(Filter(is.symbol, variables), as.character, "")
  used <- unique(unlist(lapply(list(call$formula, call$dispersion, call$correlation), all.vars)))
  all(vapply(setdiff(used, plain), function(name) {
    value <- get0(name, env)
    !name %in% direct && is.atomic(value) && length(value) == 1L
  }, NA))
}

# The value of an argument in the first place that has it.
find_value <- function(name, expression, places, call) {
  for (place in places) {
    value <- tryCatch(list(eval(expression, place)), error = function(e) NULL)
    if (!is.null(value)) return(value[[1L]])
  }
  data_are_gone(name, expression, call)
}

data_are_gone <- function(name, expression, call) {
  abort_ferrite("update", sprintf("The argument `%s` of the call must be found again.", name),
    sprintf("`%s` is no longer there, or is something else now.", code_text(expression)),
    hint = sprintf("Give it: `update(fit, %s = ...)`.", name), call = call
  )
}

# The data hold the old response of a fit by refit().
refuse_other_response <- function(fit, call) {
  if (!isTRUE(fit$other_response)) {
    return(invisible())
  }
  abort_ferrite("update", "A fit by `refit()` must not be made again from the data.",
    "Its response was given to `refit()`; the data hold another one.",
    hint = "Update the fit that it came from, then use `refit()`; or give `data = ` with the new response.", call = call
  )
}
