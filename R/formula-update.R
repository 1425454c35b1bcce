# What a change such as `. ~ . - (0 + x | g)` removes from a formula: update.formula() compares the text of terms, so
# that it finds no part of `(x || g)` or of `(1 | a/b)`.
#
# Reads   the formula of a fit and the change; no data.
# Writes  the formula without the random terms that the change removes, and the change without their removal.
# Raises  `ferrite_message_update` when a removal removes nothing.
# Used by fit-update.R. A random term consists of units that can be told apart: a term for each group of `a/b`, and for
# each part of what is written with `||`.

#' Take the random terms out that a change removes
#'
#' @param change Formula, with `.` where the old terms stand.
#' @returns list(formula, change): what remains for update.formula().
#' @noRd
remove_terms <- function(fit, change, call) {
  kept <- list(formula = fit$formula, change = change)
  right <- length(change)
  if (!has_dot(change[[right]])) return(kept)
  pieces <- sum_pieces(change[[right]])
  minus <- vapply(pieces, function(piece) piece$op == "-", NA)
  bars <- vapply(pieces, function(piece) is_random(strip_parens(piece$expr)), NA)
  units <- random_units(fit$formula, call)
  gone <- character()
  found <- rep(FALSE, length(pieces))
  for (k in which(minus & bars)) {
    keys <- unit_keys(units_of_bar(strip_parens(pieces[[k]]$expr), call))
    found[k] <- all(keys %in% setdiff(unit_keys(units), gone))
    if (found[k]) gone <- c(gone, keys)
  }
  absent <- absent_pieces(fit, pieces, minus & !found, minus, bars)
  if (any(absent)) report_absent(fit, pieces[absent], bars[absent], units, call)
  if (!any(found | absent)) return(kept)
  rest <- NULL
  for (piece in pieces[!found & !absent]) rest <- add_piece(rest, piece)
  kept$change[[right]] <- or_else(rest, quote(.))
  kept$formula[[3L]] <- or_else(sum_without(fit$formula[[3L]], gone, fit, call), 1)
  kept
}

is_random <- function(expr) is_bar(expr) || is_structured(expr)

# Units of all random terms of a formula.
random_units <- function(formula, call) {
  bars <- split_terms(formula[[3L]], formula, call)$bars
  unlist(lapply(bars, units_of_bar, call = call), recursive = FALSE)
}

# Units of one term: list(group (expression), intercept, labels (expressions), alone, key).
units_of_bar <- function(bar, call) {
  unlist(lapply(terms_of_bar(read_bar(bar, call), character(), call), units_of_term), recursive = FALSE)
}

units_of_term <- function(term) {
  lhs <- stats::terms(stats::as.formula(call("~", term$lhs), baseenv()))
  labels <- term_expressions(lhs)
  unit <- function(intercept, labels) {
    columns <- sort(c(if (intercept) "1", vapply(labels, deparse_one, "")))
    key <- list(sort(term$variables), columns, term$structure)
    list(
      group = term$group_expression, intercept = intercept, labels = labels, alone = term$uncorrelated,
      key = paste(deparse(key), collapse = "")
    )
  }
  intercept <- attr(lhs, "intercept") == 1L
  if (!term$uncorrelated) return(list(unit(intercept, labels)))
  c(if (intercept) list(unit(TRUE, list())), lapply(labels, function(label) unit(FALSE, list(label))))
}

# The terms of a terms object as language: a, a:b.
term_expressions <- function(terms) {
  variables <- as.list(attr(terms, "variables"))[-1L]
  factors <- attr(terms, "factors")
  lapply(seq_along(attr(terms, "term.labels")), function(k) {
    Reduce(function(a, b) call(":", a, b), variables[factors[, k] > 0])
  })
}

unit_keys <- function(units) vapply(units, `[[`, "", "key")

# A sum of terms without the units `gone`; `NULL` when nothing is left.
sum_without <- function(expr, gone, fit, call) {
  sum <- NULL
  for (piece in sum_pieces(expr)) {
    inner <- strip_signs(piece$expr)
    if (is_random(inner)) {
      for (term in bar_without(inner, gone, fit, call)) sum <- add_piece(sum, list(op = "+", expr = term))
    } else if (has_bar(inner)) {
      nested <- sum_without(inner, gone, fit, call)
      if (!is.null(nested)) sum <- add_piece(sum, list(op = "+", expr = call("(", nested)))
    } else {
      sum <- add_piece(sum, piece)
    }
  }
  sum
}

# One random term without the units `gone`, as terms of a formula.
bar_without <- function(bar, gone, fit, call) {
  units <- units_of_bar(bar, call)
  left <- units[!unit_keys(units) %in% gone]
  written <- if (is_structured(bar)) bar else call("(", bar)
  if (length(left) == length(units)) return(list(written))
  groups <- vapply(left, function(unit) deparse_one(unit$group), "")
  lapply(unname(split(left, factor(groups, unique(groups)))), function(own) {
    if (!own[[1L]]$alone) {
      written[[2L]] <- call("|", if (is_structured(bar)) bar[[2L]][[2L]] else bar[[2L]], own[[1L]]$group)
      return(written)
    }
    intercept <- own[[1L]]$intercept
    columns <- sum_of(c(list(if (intercept) 1 else 0), unlist(lapply(own, `[[`, "labels"))))
    single <- length(own) == 1L && (intercept || one_column(own[[1L]], fit))
    call("(", call(if (single) "|" else "||", columns, own[[1L]]$group))
  })
}

# Is it one column in the fit? A factor is not.
one_column <- function(unit, fit) {
  label <- unit$labels[[1L]]
  any(vapply(fit$random, function(term) {
    names <- attr(term$lhs, "term.labels")
    label_at <- match(deparse_one(label), vapply(term_expressions(term$lhs), deparse_one, ""))
    !is.na(label_at) && names[label_at] %in% term$effects
  }, NA))
}

# Which removals remove nothing? What the change itself adds may be removed by it.
absent_pieces <- function(fit, pieces, lost, minus, bars) {
  added <- lapply(pieces[!minus], `[[`, "expr")
  absent <- lost
  absent[lost] <- vapply(which(lost), function(k) {
    expr <- strip_parens(pieces[[k]]$expr)
    again <- any(vapply(added, function(other) identical(strip_parens(other), expr), NA))
    !again && (bars[k] || !removes_fixed(fit, expr, added))
  }, NA)
  absent
}

report_absent <- function(fit, pieces, bars, units, call) {
  written <- vapply(pieces, function(piece) code_text(piece$expr), "")
  random <- unique(vapply(units, function(unit) {
    columns <- c(if (!unit$intercept) list(0) else if (!length(unit$labels)) list(1), unit$labels)
    code_text(call("(", call("|", sum_of(columns), unit$group)))
  }, ""))
  known <- c(if (!all(bars)) attr(fit$terms, "term.labels"), if (any(bars)) random)
  inform_ferrite("update", "What a change of the formula removes should be in the model.",
    paste0(quoted_list(written), if (length(written) == 1L) " is" else " are", " not: nothing is removed."),
    hint = if (length(known)) paste0("The model has ", quoted_list(known, 8L), ".") else "It has no such term.",
    call = call, data = list(terms = written)
  )
}

# Does the removal of an expression change the fixed part? Intercepts, and what cannot be told, count as if it did.
removes_fixed <- function(fit, expr, added) {
  labels <- function(expr) {
    terms <- tryCatch(stats::terms(stats::as.formula(call("~", expr), baseenv())), error = function(e) NULL)
    if (!is.null(terms)) {
      list(
        terms = lapply(term_expressions(terms), function(e) sort(vapply(factor_parts(e), deparse_one, ""))),
        offset = variable_names(terms)[attr(terms, "offset")]
      )
    }
  }
  if (is.numeric(expr) || has_dot(expr) || has_bar(expr)) return(TRUE)
  others <- Filter(Negate(has_bar), added)
  if (any(vapply(others, function(e) has_dot(e) && !identical(e, quote(.)), NA))) return(TRUE)
  own <- labels(expr)
  if (is.null(own)) return(TRUE)
  known <- lapply(c(list(stats::formula(fit$terms)[[3L]]), Filter(Negate(has_dot), others)), labels)
  any(own$terms %in% unlist(lapply(known, `[[`, "terms"), recursive = FALSE),
    own$offset %in% unlist(lapply(known, `[[`, "offset")))
}

# The variables of an interaction, `a` and `b` of `a:b`.
factor_parts <- function(expr) {
  if (is_operator(expr, ":")) c(factor_parts(expr[[2L]]), factor_parts(expr[[3L]])) else list(expr)
}
