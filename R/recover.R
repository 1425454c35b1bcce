# The data of a fit again: the variables inside the terms, such as `x` of `log(x)`, which the model frame does not hold.
#
# Reads   a fit; where its frame does not have a variable, the data that the call names, and the frame to check them.
# Writes  a data frame with a row for each row of the fit's frame, in its order.
# Raises  `ferrite_error_recover` when a variable is gone, or is not what it was when the model was fitted.
# Used by emmeans.R, effects.R and the files of insight.

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
