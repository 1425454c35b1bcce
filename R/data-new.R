# New data: checked against the fit, and turned into the columns and codes that the fit knows.

check_newdata <- function(newdata, call) {
  if (is.data.frame(newdata)) {
    return(newdata)
  }
  if (is.list(newdata) || is.matrix(newdata)) {
    frame <- tryCatch(as.data.frame(newdata), error = function(e) NULL)
    if (!is.null(frame)) return(frame)
  }
  abort_ferrite("newdata", "`newdata` must be a data frame.", paste0("It is ", a_kind(newdata), "."),
    hint = "Use `data.frame()` with one column for each variable of the model.", call = call
  )
}

#' Columns that are needed
#'
#' Columns that are not there at all are an error.
#'
#' @param based,grouped Numbers of the random terms whose columns, and whose grouping factors, are needed.
#' @param anew Whether random effects will be drawn for new levels.
#' @returns Names of the columns of `newdata` that must not be missing in a row.
#' @noRd
needed_columns <- function(fit, newdata, based, grouped, anew, call) {
  needed <- predictor_expressions(fit$terms)
  fixed <- unlist(lapply(needed, all.vars))
  for (k in based) needed <- c(needed, predictor_expressions(fit$random[[k]]$lhs))
  for (k in unique(vapply(fit$random[grouped], function(term) as.integer(term$factor), 0L))) {
    needed <- c(needed, fit$factors[[k]]$expressions)
  }
  names <- unique(unlist(lapply(needed, all.vars)))
  missing <- absent_columns(fit, newdata, needed)
  if (length(missing)) {
    abort_ferrite("newdata", "`newdata` must have every variable that the prediction needs.",
      sprintf("It has no column %s.", paste0("`", missing, "`", collapse = ", ")),
      hint = c(
        name_hint(missing[1L], names(newdata), "Columns of `newdata`"),
        if (length(grouped) && !any(missing %in% fixed)) {
          if (anew) "Rows of one level share the random effects that are drawn for it."
          else "For the population mean, without random effects: `re.form = NA`."
        }
      ), call = call, data = list(missing = missing)
    )
  }
  intersect(names, names(newdata))
}

# Variables of expressions that newdata does not have. Constants of a transformation may stay in the session; variables,
# and anything as long as the data, may not.
absent_columns <- function(fit, newdata, expressions) {
  direct <- vapply(Filter(is.symbol, expressions), as.character, "")
  env <- environment(fit$terms)
  rows <- fit$nobs + length(fit$na.action)
  names <- unique(unlist(lapply(expressions, all.vars)))
  Filter(function(name) {
    if (name %in% names(newdata)) return(FALSE)
    name %in% direct || !exists(name, envir = env) || NROW(get(name, envir = env)) == rows
  }, names)
}

# A column that can be anything of a model: no list, no array, no broken factor.
check_new_column <- function(name, x, n, call) {
  good <- (is.atomic(x) && !is.raw(x)) || inherits(x, "POSIXlt")
  if (!good) unusable(sprintf("`%s` is %s", name, a_kind(x)), call)
  if (length(dim(x)) > 2L || NROW(x) != n || NCOL(x) == 0L) {
    unusable(sprintf("`%s` is %s", name, found_kind(x)), call)
  }
  if (is.factor(x) && (typeof(x) != "integer" || any(unclass(x) > nlevels(x) | unclass(x) < 1L, na.rm = TRUE))) {
    unusable(sprintf("`%s` is a factor with values that are none of its levels", name), call)
  }
}

# The variables of a terms object without its response; with its offsets.
predictor_expressions <- function(terms) {
  as.list(attr(stats::delete.response(terms), "variables"))[-1L]
}

# The model frame of new rows, categories with the levels of the fit.
new_frame <- function(terms, levels, newdata, call) {
  terms <- stats::delete.response(terms)
  frame <- tryCatch(
    stats::model.frame(terms, newdata, na.action = stats::na.pass),
    error = function(e) unusable(conditionMessage(e), call)
  )
  classes <- attr(terms, "dataClasses")
  for (name in intersect(names(frame), names(classes)[grepl("^numeric$|^nmatrix", classes)])) {
    size <- if (classes[[name]] == "numeric") 1L else as.integer(sub("nmatrix.", "", classes[[name]], fixed = TRUE))
    if (NCOL(frame[[name]]) != size) {
      unusable(sprintf("`%s` has %s; in the fit it had %d", name, counted(NCOL(frame[[name]]), "column"), size), call)
    }
  }
  for (name in names(levels)) {
    frame[[name]] <- factor(known_levels(name, frame[[name]], levels[[name]], call), levels = levels[[name]])
  }
  numeric <- names(Filter(function(class) class == "numeric", attr(terms, "dataClasses")))
  for (name in intersect(numeric, names(frame))) {
    if (!is.numeric(frame[[name]]) && !is.logical(frame[[name]])) {
      unusable(sprintf("`%s` is %s; in the fit it was numeric", name, a_kind(frame[[name]])), call)
    }
  }
  logical <- names(Filter(function(class) class == "logical", attr(terms, "dataClasses")))
  for (name in intersect(logical, names(frame))) {
    if (!is.logical(frame[[name]])) {
      unusable(sprintf("`%s` is %s; in the fit it was logical", name, a_kind(frame[[name]])), call)
    }
  }
  if (!nrow(frame)) frame <- frame[rep(NA_integer_, nrow(newdata)), , drop = FALSE]
  frame
}

# The values as text, all of them levels of the fit.
known_levels <- function(name, values, levels, call) {
  values <- as.character(values)
  unknown <- setdiff(values, c(levels, NA))
  if (length(unknown)) {
    abort_ferrite("new_levels", sprintf("Every level of `%s` in `newdata` must be one of the fit.", name),
      sprintf("%s %s new.", quoted_list(unknown), if (length(unknown) == 1L) "is" else "are"),
      hint = paste0("Levels of the fit: ", quoted_list(levels, 8L), "."), call = call,
      data = list(variable = name, levels = unknown)
    )
  }
  values
}

unusable <- function(why, call) {
  abort_ferrite("newdata", "The variables of `newdata` must be of the kind that they had in the fit.",
    paste0(sub("\\.$", "", why), "."), hint = "Compare `str(newdata)` with the data of the fit.", call = call
  )
}

new_columns <- function(terms, frame, contrasts, call) {
  tryCatch(
    columns_of(stats::delete.response(terms), frame, contrasts)$blocks,
    error = function(e) unusable(conditionMessage(e), call)
  )
}

new_basis <- function(term, frame, call) {
  tryCatch(basis_in(term, frame), error = function(e) unusable(conditionMessage(e), call))
}

# The offset of new rows: offset() terms of the formula, and the argument `offset` evaluated in the new data.
new_offset <- function(fit, frame, newdata, call) {
  at <- attr(fit$terms, "offset")
  names <- vapply(as.list(attr(fit$terms, "variables"))[-1L][at], deparse_one, "")
  total <- numeric(nrow(newdata))
  for (name in names) total <- total + as.double(frame[[name]])
  argument <- fit$call$offset
  if (!is.null(argument) && !is.null(fit$frame[["(offset)"]])) {
    value <- tryCatch(eval(argument, newdata, environment(fit$terms)), error = function(e) NULL)
    if (!is.numeric(value) || !length(value) %in% c(1L, nrow(newdata))) {
      abort_ferrite("newdata", "`newdata` must have the variables of the argument `offset` of the fit.",
        sprintf("`%s` has no value for each new row.", code_text(argument)),
        hint = "Add the column, or refit with `offset()` in the formula.", call = call
      )
    }
    total <- total + value
  }
  total
}

# Codes of new rows in grouping factor k; NA is a new level, allowed or refused.
new_codes <- function(fit, k, newdata, allow_new, call) {
  factor <- fit$factors[[k]]
  values <- group_values(factor, fit, newdata, call)
  codes <- codes_in(factor, values)
  new <- is.na(codes)
  if (any(new) && !allow_new) {
    labels <- labels_where(values, new)
    abort_ferrite("new_levels",
      sprintf("Every level of the grouping factor `%s` in `newdata` must be one of the fit.", factor$name),
      sprintf("%s %s new.", quoted_list(labels), if (length(labels) == 1L) "is" else "are"),
      hint = "Use `allow.new.levels = TRUE` for effects with mean zero there, or `re.form = NA` for none of the fit.",
      call = call, data = list(variable = factor$name, levels = labels)
    )
  }
  codes
}

# The different labels of the rows `at` of several variables.
labels_where <- function(values, at) {
  unique(do.call(paste, c(lapply(values, function(value) as.character(value[at])), sep = ":")))
}

# The variables of a grouping factor in new rows, as a named list.
group_values <- function(factor, fit, newdata, call) {
  values <- lapply(factor$expressions, function(expression) {
    value <- tryCatch(
      eval(expression, newdata, environment(fit$terms)), error = function(e) unusable(conditionMessage(e), call)
    )
    rep_len(value, nrow(newdata))
  })
  stats::setNames(values, factor$variables)
}

# Numbers that tell the levels of grouping factor k in new rows apart, whatever the levels of the fit; in the order of
# the levels.
new_groups <- function(fit, k, newdata, call) {
  factor <- fit$factors[[k]]
  values <- group_values(factor, fit, newdata, call)
  keys <- numeric(nrow(newdata))
  for (name in names(values)) {
    coded <- code_variable(values[[name]], name, call)
    keys <- match(keys, sort(unique(keys))) * (length(coded$levels) + 1) + coded$codes
  }
  match(keys, sort(unique(keys)))
}

# Rows of new columns for which the prediction depends on which of the dependent columns was dropped.
not_estimable <- function(fit, blocks, n, call) {
  dropped <- setdiff(seq_along(fit$x_names), fit$kept)
  if (!length(dropped)) {
    return(integer())
  }
  x <- dense_blocks(design_of(fit)$x, fit$nobs)
  new <- dense_blocks(blocks, n)
  size <- pmax(apply(abs(x), 2L, max), .Machine$double.xmin)
  kept <- fit$kept
  relation <- if (length(kept)) qr.coef(qr(x[, kept, drop = FALSE]), x[, dropped, drop = FALSE])
  expected <- if (length(kept)) new[, kept, drop = FALSE] %*% relation else 0
  off <- abs(new[, dropped, drop = FALSE] - expected) > rep(1e-7 * size[dropped], each = n)
  rows <- which(rowSums(off) > 0)
  if (length(rows)) {
    warn_ferrite("not_estimable", "A prediction must not depend on which of several dependent columns was dropped.",
      sprintf("In %s of `newdata` it does, through %s; NA is returned.", counted(length(rows), "row"),
        quoted_list(fit$x_names[dropped])),
      hint = "Predict within the pattern of the data, or remove the redundant terms from the formula.", call = call,
      data = list(rows = rows)
    )
  }
  rows
}
