# L as the user writes it -> a matrix over the estimated coefficients, and the right-hand side.
#
# Reads   a fit, for the names of its coefficients and, when columns were dropped, for the relations between them.
# Writes  list(L, rhs): L with a labelled row for each contrast.
# Raises  `ferrite_error_contrast`.
# Used by contest.R.

restriction_of <- function(fit, L, rhs, call) { # nolint: object_name_linter.
  fail <- function(problem, found, hint = NULL) {
    if (is.null(hint)) hint <- paste0("The coefficients: ", quoted_list(fit$x_names, 10L), ".")
    abort_ferrite("contrast", problem, found, hint = hint, call = call, data = list(coefficients = fit$x_names))
  }
  added <- 0
  if (is.character(L) && length(L) && !anyNA(L)) {
    parsed <- lapply(L, parse_contrast, names = fit$x_names, fail = fail)
    added <- vapply(parsed, function(one) one$rhs, 0)
    rows <- do.call(rbind, lapply(parsed, function(one) one$row))
    labels <- if (is.null(names(L))) L else ifelse(nzchar(names(L)), names(L), L)
    dimnames(rows) <- list(labels, fit$x_names)
  } else {
    rows <- numeric_rows(L, fit, fail)
  }
  rhs <- check_rhs(rhs, nrow(rows), fail) + added
  rows <- estimated_part(rows, fit, fail)
  zero <- which(rowSums(abs(rows)) == 0)
  if (length(zero)) {
    fail("Every row of `L` must have a coefficient that is not zero.",
         paste0(if (length(zero) == 1L) "Row " else "Rows ", plain_list(zero), " of ", nrow(rows),
                if (length(zero) == 1L) " is" else " are", " zero on the estimated coefficients."))
  }
  check_consistent(rows, rhs, fail)
  list(L = rows, rhs = rhs)
}

# Numbers: by position, or by names of coefficients.
numeric_rows <- function(L, fit, fail) { # nolint: object_name_linter.
  if (is.data.frame(L)) L <- as.matrix(L) # nolint: object_name_linter.
  if (is.numeric(L) && !is.matrix(L)) {
    L <- matrix(L, 1L, dimnames = list(NULL, names(L))) # nolint: object_name_linter.
  }
  if (!is.numeric(L) || !length(L) || !all(is.finite(L))) {
    fail("`L` must be expressions in the coefficients, or finite numbers.",
         paste0("It is ", if (is.numeric(L) && length(L)) "not finite" else a_kind(L), "."),
         paste0("For example: `\"", paste(utils::tail(fit$x_names, 1L)), "\"`, or one number for each coefficient."))
  }
  if (is.null(rownames(L))) rownames(L) <- if (nrow(L) == 1L) "L" else paste0("L", seq_len(nrow(L))) # nolint
  p <- length(fit$x_names)
  names <- colnames(L)
  if (!is.null(names)) {
    unknown <- setdiff(names, fit$x_names)
    if (length(unknown)) {
      fail("The names of `L` must be those of coefficients.", paste0("There is no ", quoted_list(unknown), "."),
           name_hint(unknown[1L], fit$x_names, "Coefficients"))
    }
    if (anyDuplicated(names)) {
      fail("`L` must name a coefficient once.", paste0(quoted_list(names[duplicated(names)]), " stands twice."))
    }
  } else if (ncol(L) == p) {
    names <- fit$x_names
  } else if (ncol(L) == fit$rank) {
    names <- fit$x_names[fit$kept]
  } else {
    fail("`L` must have one number for each coefficient.",
         paste0("It has ", counted(ncol(L), "number"), if (nrow(L) > 1L) " in a row",
                "; there are ", counted(p, "coefficient"), "."))
  }
  rows <- matrix(0, nrow(L), p, dimnames = list(rownames(L), fit$x_names))
  rows[, names] <- L
  rows
}

check_rhs <- function(rhs, n, fail) {
  if (is.numeric(rhs) && all(is.finite(rhs)) && length(rhs) %in% c(1L, n)) return(rep_len(as.double(rhs), n))
  fail("`rhs` must be one finite number, or one for each row of `L`.",
       paste0("It is ", if (is.numeric(rhs) && !all(is.finite(rhs))) "not finite" else a_kind(rhs), "."),
       "Leave `rhs` out for 0.")
}

# The columns of estimated coefficients. A contrast that gives weight to dropped ones is estimable if it is zero on
# every combination of columns that is zero: dropped column = estimated columns times B, so the weights must agree with
# B.
estimated_part <- function(rows, fit, fail) {
  dropped <- setdiff(seq_along(fit$x_names), fit$kept)
  kept <- rows[, fit$kept, drop = FALSE]
  if (!length(dropped) || !any(rows[, dropped] != 0)) return(kept)
  x <- fixed_matrix(fit, fit$frame)
  relation <- express(x[, fit$kept, drop = FALSE], x[, dropped, drop = FALSE])
  off <- abs(rows[, dropped, drop = FALSE] - kept %*% relation)
  size <- abs(rows[, dropped, drop = FALSE]) + abs(kept) %*% abs(relation)
  bad <- which(rowSums(off > 1e-7 * size) > 0)
  if (length(bad)) {
    fail("A contrast must be estimable.",
         paste0("Row ", plain_list(bad), " is not: `lmm()` dropped the columns of ",
                quoted_list(fit$x_names[dropped]), ", on which it depends."),
         "Give contrasts of the coefficients that are not NA in `fixef()`.")
  }
  kept
}

# Rows that say the same of the coefficients must have the same right-hand side.
check_consistent <- function(rows, rhs, fail) {
  if (nrow(rows) < 2L || all(rhs == 0)) return(invisible())
  size <- sqrt(rowSums(rows^2))
  left <- qr.resid(qr(rows / size, tol = 1e-10), rhs / size)
  if (max(abs(left)) > 1e-8 * max(abs(rhs / size))) {
    fail("The rows of `L` must not contradict each other.",
         "Some rows depend on others, but the elements of `rhs` do not in the same way.",
         "Remove rows that follow from others.")
  }
}

# Expressions ----------------------------------------------------------------------------------------------------------

# "MachineB - MachineC = 2" -> list(row, rhs). Names of coefficients are found by their text, the longest first, since
# they need not be names in R ("age:SexFemale", "poly(x, 2)1").
parse_contrast <- function(text, names, fail) {
  text <- readable(text)
  refuse <- function(found) {
    fail("A contrast must be a linear expression in the coefficients.", paste0("`", text_line(text), "`: ", found, "."))
  }
  coded <- encode_names(text, names)
  sides <- strsplit(coded, "={1,2}")[[1L]]
  if (!length(sides)) refuse("it is empty")
  if (length(sides) > 2L) refuse("there is more than one `=`")
  values <- lapply(sides, function(side) {
    expression <- tryCatch(str2lang(side), error = function(e) refuse("it is not an expression"))
    linear_form(expression, length(names), refuse)
  })
  difference <- values[[1L]] - if (length(values) == 2L) values[[2L]] else 0
  # without `=` a constant is an error: it has no place in a contrast
  if (length(values) == 1L && difference[1L] != 0) refuse("a constant belongs after `=`")
  list(row = difference[-1L], rhs = -difference[1L])
}

# Names of coefficients, plain or in backticks, as calls ..coefficient(1) and so on.
encode_names <- function(text, names) {
  order <- order(nchar(names), decreasing = TRUE)
  forms <- rbind(paste0("`", names[order], "`"), names[order])
  result <- ""
  text <- readable_text(text)
  while (nzchar(text)) {
    found <- which(vapply(forms, begins_with, NA, text = text, before = result))[1L]
    # no name begins inside of a word
    width <- if (!is.na(found)) nchar(forms[found]) else max(1L, attr(regexpr("^[[:alnum:]._]+", text), "match.length"))
    piece <- if (is.na(found)) substr(text, 1L, width) else paste0("..coefficient(", rep(order, each = 2L)[found], ")")
    result <- paste0(result, piece)
    text <- substring(text, width + 1L)
  }
  result
}

# Does the text begin with the name, and not with a longer word, and not inside one?
begins_with <- function(name, text, before) {
  word <- "[[:alnum:]._]"
  joins <- function(left, right) grepl(paste0(word, "$"), left) && grepl(paste0("^", word), right)
  startsWith(text, name) && !joins(name, substring(text, nchar(name) + 1L)) && !joins(before, name)
}

# The value of an expression as c(constant, coefficients); only + - * / and parentheses.
linear_form <- function(expression, p, refuse) {
  if (is.numeric(expression)) return(c(expression, numeric(p)))
  if (is.symbol(expression)) refuse(paste0("there is no coefficient `", text_line(as.character(expression)), "`"))
  operator <- if (is.call(expression) && is.symbol(expression[[1L]])) as.character(expression[[1L]]) else ""
  if (operator == "..coefficient") return(replace(numeric(p + 1L), expression[[2L]] + 1L, 1))
  if (!operator %in% c("+", "-", "*", "/", "(")) {
    refuse(if (nzchar(operator)) paste0("`", operator, "` is not one of + - * /") else "it is not arithmetic")
  }
  values <- lapply(as.list(expression)[-1L], linear_form, p = p, refuse = refuse)
  if (length(values) == 1L) return(if (operator == "-") -values[[1L]] else values[[1L]])
  combine_forms(operator, values[[1L]], values[[2L]], refuse)
}

combine_forms <- function(operator, first, second, refuse) {
  constant <- c(all(first[-1L] == 0), all(second[-1L] == 0))
  if (operator == "*" && !any(constant)) refuse("coefficients are multiplied with each other")
  if (operator == "/" && !(constant[2L] && second[1L] != 0)) refuse("it divides by a coefficient or by 0")
  switch(
    operator,
    "+" = first + second,
    "-" = first - second,
    "*" = if (constant[1L]) first[1L] * second else first * second[1L],
    "/" = first / second[1L]
  )
}
