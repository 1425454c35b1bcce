# What can be wrong with the variables of a model frame, and which of them is to blame.
#
# Reads   expressions of the formula, the user's data, the frame that was made of them.
# Raises  `ferrite_error_variable`, `_data`, `_weights`, `_offset`.
# Used by data-frame.R.

# model.frame() failed: find the variable that is to blame.
diagnose_frame <- function(error, variables, extras, data, env, call) {
  values <- list()
  for (variable in variables) {
    name <- deparse_one(variable)
    value <- tryCatch(eval(variable, data, env), error = function(e) {
      bad_variable(name, conditionMessage(e), call, input_trouble(list(variable), data, env))
    })
    if (is.list(value)) bad_variable(name, paste("it is", a_kind(value)), call)
    values[[name]] <- value
  }
  given <- extras[!vapply(extras, is.null, NA) & names(extras) != "subset"]
  rows <- vapply(c(values, given), NROW, 1L)
  n <- if (is.data.frame(data)) nrow(data) else rows[[1L]]
  odd <- names(rows)[rows != n][1L]
  if (is.na(odd)) bad_variable(NULL, conditionMessage(error), call)
  abort_ferrite(
    if (odd %in% names(given)) odd else "variable", "All variables must have one value for each row.",
    paste0("`", odd, "` has ", rows[[odd]], " where there are ", n, " rows."),
    hint = paste0("Check `", odd, "`, or make it a column of `data`."),
    call = call, data = list(variable = odd, length = rows[[odd]], rows = n)
  )
}

bad_variable <- function(name, why, call, trouble = NULL) {
  abort_ferrite(
    "variable", "Every variable must be a vector, factor or matrix that can be evaluated.",
    paste0(if (length(name)) paste0("`", name, "`: "), sub("\\.$", "", why), "."), trouble,
    hint = if (length(trouble)) "Leave these rows out of `data` before the fit."
    else "Evaluate it outside the formula and look at the result.",
    call = call, data = list(variable = name)
  )
}

# What is wrong with the plain variables inside of expressions: "`x` is missing in rows 3 and 5."
input_trouble <- function(expressions, data, env) {
  names <- unique(unlist(lapply(Filter(is.call, expressions), all.vars)))
  unlist(lapply(names, function(name) {
    value <- tryCatch(eval(as.name(name), data, env), error = function(e) NULL)
    if (!is.atomic(value) || !is.null(dim(value))) return(NULL)
    rows <- data.frame(row.names = if (is.data.frame(data) && nrow(data) == length(value)) row.names(data)
                       else seq_along(value))
    bad <- list(missing = which(is.na(value)), infinite = which(is.infinite(value)))
    bad <- bad[lengths(bad) > 0L]
    sprintf("`%s` is %s in %s.", name, names(bad), vapply(bad, row_list, "", frame = rows))
  }))
}

# Every name in the formula must exist, and columns that are used must have a name of their own.
check_variables <- function(variables, data, env, call) {
  columns <- columns_in(data)
  names <- unique(unlist(lapply(variables, looked_up)))
  taken <- intersect(names, c("(weights)", "(offset)"))
  if (length(taken)) {
    abort_ferrite(
      "variable", "A variable must not have the name of a column that a model frame adds.",
      paste0("`", taken[1L], "` would be taken for the ", gsub("[()]", "", taken[1L]), "."),
      hint = "Rename it.", call = call, data = list(variable = taken[1L])
    )
  }
  for (name in names[!match(names, columns, 0L)]) if (!exists(name, envir = env)) not_found(name, data, call)
  for (variable in variables) {
    if (!is.symbol(variable) || match(as.character(variable), columns, 0L)) next
    if (is.function(get(as.character(variable), envir = env))) not_found(as.character(variable), data, call)
  }
  reserved <- intersect(names, c("(weights)", "(offset)"))
  if (length(reserved)) {
    abort_ferrite(
      "variable", "A variable of the formula must not have the name that R gives to weights or offsets.",
      paste0("There is `", reserved[1L], "`."),
      hint = "Give the column another name; weights and offsets are arguments of `lmm()`.", call = call,
      data = list(variable = reserved[1L])
    )
  }
  if (is.environment(data) || !anyDuplicated(columns)) return(invisible())
  twice <- intersect(names, columns[duplicated(columns)])
  if (!length(twice)) return(invisible())
  abort_ferrite(
    "data", "A column that the formula names must be in `data` once.",
    paste0("`", twice[1L], "` is there several times."),
    hint = "Rename or remove one of them.", call = call, data = list(variable = twice[1L])
  )
}

# The names that an expression looks up: of `d$x` the `d`.
looked_up <- function(expr) {
  if (!any(all.names(expr) %in% c("$", "@", "::", ":::"))) return(all.vars(expr))
  if (is_operator(expr, c("::", ":::"))) return(NULL)
  if (is_operator(expr, c("$", "@"))) return(looked_up(expr[[2L]]))
  if (is.call(expr)) unlist(lapply(as.list(expr)[-1L], looked_up)) else all.vars(expr)
}

not_found <- function(name, data, call) {
  abort_ferrite(
    "variable", "Every variable of the formula must be in `data` or in the session.",
    paste0("`", name, "` was not found."),
    hint = c(name_hint(name, columns_in(data)), "Check the spelling.")[1L], call = call, data = list(variable = name)
  )
}

# What model.frame() lets pass: arrays, matrices without columns, columns of another length than the row names.
check_shapes <- function(frame, call) {
  for (name in names(frame)) {
    x <- .subset2(frame, name)
    if (length(dim(x)) > 2L) bad_variable(name, sprintf("it is an array with %d dimensions", length(dim(x))), call)
    if (NCOL(x) == 0L) bad_variable(name, "it has no columns", call)
    if (NROW(x) != .row_names_info(frame, 2L)) {
      bad_variable(name, sprintf("it has %s where there are %d rows", counted(NROW(x), "value"),
                                 .row_names_info(frame, 2L)), call)
    }
  }
}

# Columns that R would accept and a mixed model cannot: weights and offset of the wrong kind.
check_columns <- function(frame, call) {
  check_weights(frame, call)
  offsets <- names(frame)[c(attr(attr(frame, "terms"), "offset"), match("(offset)", names(frame), 0L))]
  for (name in offsets) {
    value <- frame[[name]]
    if (is.numeric(value) && NCOL(value) == 1L) next
    abort_ferrite(
      "offset", "An offset must be numeric, with one value for each row.",
      paste0("`", name, "` is ", a_kind(value), "."),
      hint = "Use `as.numeric()`, if that is what is meant.", call = call
    )
  }
}

check_weights <- function(frame, call) {
  weights <- .subset2(frame, "(weights)")
  if (is.null(weights)) return(invisible())
  fail <- function(found, hint) {
    abort_ferrite("weights", "`weights` must be positive numbers, one for each row.", found, hint = hint, call = call)
  }
  if (!is.numeric(weights) || NCOL(weights) > 1L) {
    fail(paste0("It is ", a_kind(weights), "."), "Name a numeric column.")
  }
  negative <- which(weights < 0)
  if (length(negative)) {
    fail(paste0("It is negative in ", row_list(frame, negative), "."),
         "Residual variances are `sigma^2 / weights`; give 0 or NA to leave a row out.")
  }
  infinite <- which(is.infinite(weights))
  if (length(infinite)) fail(paste0("It is infinite in ", row_list(frame, infinite), "."), "Give finite weights.")
  if (length(weights) && !any(weights > 0, na.rm = TRUE)) {
    fail("None is positive.", "Leave `weights` out, or check the column.")
  }
  if (length(weights) && weight_span(weights) > 1e30) far_weights(weights, call)
}

# The largest positive weight beside the smallest.
weight_span <- function(weights) {
  if (is.null(weights)) return(1)
  ends <- range(weights[weights > 0], na.rm = TRUE)
  ends[2L] / ends[1L]
}

far_weights <- function(weights, call) {
  ends <- format(range(weights[weights > 0], na.rm = TRUE), digits = 3L, trim = TRUE)
  abort_ferrite(
    "weights", "Weights must not lie further apart than double precision can tell the rows.",
    paste0("They go from ", ends[1L], " to ", ends[2L], ", so that some rows are lost in the rounding of others."),
    hint = "Check the column; for rows that are all but exact a weight 1e6 times that of the others is enough.",
    call = call
  )
}
