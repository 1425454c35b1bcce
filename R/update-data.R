# The data of an old call, found again for update().
#
# Reads   a fit, its call, and the environments to look in.
# Raises  `ferrite_error_update` when nothing will do, `ferrite_message_update` when it is not that of the fit.
# Used by update.R.

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
