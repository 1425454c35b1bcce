# Which rows of the model frame are fitted: the missing-value rule, zero weights, and levels that no row uses any more.
#
# Reads   a model frame. A frame with nothing to drop is passed on untouched, not copied.
# Writes  list(frame, na.action).
# Used by frame.R.

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
