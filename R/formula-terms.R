# Language -> parsed formula: the fixed part and the random terms. Touches no data.
#
# Reads   a formula (or its text).
# Writes  list(formula, env, response, fixed, random); a random term is list(lhs, group, group_expression,
#         variables, expressions, uncorrelated, structure, text), where `structure` is list(kind, hom) for diag(x | g),
#         cs(x | g), ar1(0 + f | g), with kind "diag", "cs" or "ar1", and `NULL` for an ordinary term.
# Used by data-frame.R, which evaluates what is named here.
# Not here: the split of `(x || g)` into columns, which needs the data (design-random.R).

# Operators that mean something in a formula; a bar inside any other call is R's "or" and is left alone.
formula_operators <- c("+", "-", "*", "/", ":", "^", "%in%", "(")

#' Take a mixed-model formula apart
#'
#' @param formula Formula, or text that reads as one (then its environment is `env`).
#' @param columns Names of the columns of the data, for `.` on the right-hand side; `NULL` when there are none.
#' @returns A list: `formula` (the whole, without `.`), `env`, `response` (expression), `fixed` (expression),
#'   `random` (list of terms; `a/b` is already two terms).
#' @noRd
parse_formula <- function(formula, columns = NULL, env = parent.frame(), call = NULL) {
  formula <- with_parentheses(as_two_sided(formula, env, call), call)
  check_text(all.names(formula), "formula", "The names in `formula`", call)
  response <- formula[[2L]]
  parts <- split_terms(formula[[3L]], formula, call)
  if (!length(parts$bars)) no_random_term(formula, parts$fixed, call)
  bars <- lapply(parts$bars, read_bar, call = call)
  dots <- NULL
  if (has_dot(formula[[3L]])) {
    if (is.null(columns)) dot_without_data(formula, call)
    groups <- unlist(lapply(bars, function(bar) lapply(bar$groups, `[[`, "variables")), recursive = FALSE)
    dots <- dot_names(columns, response, groups)
    if (anyNA(dots) || !all(nzchar(dots))) unnamed_columns(call)
    check_text(dots, "data", "The names of the columns that `.` stands for", call)
    formula[[3L]] <- put_dots(formula[[3L]], dots)
  }
  list(
    formula = formula,
    env = environment(formula),
    response = response,
    fixed = put_dots(parts$fixed, dots),
    random = unlist(lapply(bars, terms_of_bar, dots = dots, call = call), recursive = FALSE)
  )
}

as_two_sided <- function(formula, env, call) {
  if (is.character(formula) && length(formula) == 1L && !is.na(formula)) {
    if (!validEnc(formula)) not_a_formula(formula, call)
    formula <- tryCatch(stats::as.formula(formula, env), error = function(e) not_a_formula(formula, call))
  }
  if (!inherits(formula, "formula")) not_a_formula(formula, call)
  if (is.null(environment(formula))) environment(formula) <- env
  attributes(formula) <- attributes(formula)[c("class", ".Environment")]
  class(formula) <- "formula"
  if (length(formula) == 3L && !is.null(formula[[2L]])) return(formula)
  abort_ferrite(
    "formula", "`formula` must name the response to the left of `~`.",
    paste0("`", code_text(formula), "` has nothing there."),
    hint = paste0("Write `y ~ ", code_text(formula[[length(formula)]]), "` with the name of the response for `y`."),
    call = call
  )
}

# `y ~ x | g` is `y ~ (x | g)`, as in lme4.
with_parentheses <- function(formula, call) {
  bar <- formula[[3L]]
  if (!is_bar(bar) || has_bar(bar[[2L]]) || has_bar(bar[[3L]])) return(formula)
  written <- formula
  formula[[3L]] <- call("(", bar)
  if (length(all.vars(bar[[2L]]))) unparenthesised(written, formula, call)
  formula
}

# Sum of terms -> list(fixed = expression, bars = list of `|` and `||` calls, or of calls such as `cs(x | g)`). Walks
# the chain of + and - in a loop, because a formula may have thousands of terms.
split_terms <- function(expr, formula, call) {
  pieces <- sum_pieces(expr)
  fixed <- NULL
  bars <- list()
  for (piece in pieces) {
    inner <- strip_signs(piece$expr)
    wrapped <- !identical(inner, piece$expr)
    if (!has_bar(inner)) {
      fixed <- add_piece(fixed, piece)
    } else if (piece$op != "+" || !(wrapped || is_bar(inner) || is_structured(inner))) {
      misplaced_term(piece, call)
    } else if (is_structured(inner)) {
      bars <- c(bars, list(inner))
    } else if (is_bar(inner)) {
      if (!wrapped && (has_bar(inner[[2L]]) || has_bar(inner[[3L]]))) missing_parentheses(formula, inner, call)
      bars <- c(bars, list(inner))
    } else {
      nested <- split_terms(inner, formula, call)
      if (!is.null(nested$fixed)) fixed <- add_piece(fixed, list(op = "+", expr = call("(", nested$fixed)))
      bars <- c(bars, nested$bars)
    }
  }
  list(fixed = fixed, bars = bars)
}

# `a + b - 1` -> list(+ a, + b, - 1), first to last.
sum_pieces <- function(expr) {
  pieces <- list()
  while (is.call(expr) && length(expr) == 3L && is_operator(expr, c("+", "-"))) {
    pieces[[length(pieces) + 1L]] <- list(op = as.character(expr[[1L]]), expr = expr[[3L]])
    expr <- expr[[2L]]
  }
  if (is.call(expr) && length(expr) == 2L && is_operator(expr, c("+", "-"))) {
    first <- list(op = as.character(expr[[1L]]), expr = expr[[2L]])
  } else {
    first <- list(op = "+", expr = expr)
  }
  c(list(first), rev(pieces))
}

add_piece <- function(sum, piece) {
  if (!is.null(sum)) return(call(piece$op, sum, piece$expr))
  if (piece$op == "-") call("-", piece$expr) else piece$expr
}

is_operator <- function(expr, operators) {
  is.call(expr) && is.symbol(name <- expr[[1L]]) && match(as.character(name), operators, 0L) > 0L
}

is_bar <- function(expr) is_operator(expr, c("|", "||")) && length(expr) == 3L

# Is there a bar that the formula would read as a random term?
has_bar <- function(expr) {
  while (is_operator(expr, formula_operators)) {
    for (i in seq_along(expr)[-(1:2)]) if (has_bar(expr[[i]])) return(TRUE)
    expr <- expr[[2L]]
  }
  is_bar(expr) || is_structured(expr)
}

strip_parens <- function(expr) {
  while (is_operator(expr, "(")) expr <- expr[[2L]]
  expr
}

# The same, and without a plus in front: `x + + (1 | g)`.
strip_signs <- function(expr) {
  while (is_operator(expr, c("(", "+")) && length(expr) == 2L) expr <- expr[[2L]]
  expr
}

# One bar as a list: lhs, groups, uncorrelated, structure, text, and what stands around the bar (`open`, `close`).
read_bar <- function(bar, call) {
  structured <- is_structured(bar)
  word <- if (structured) read_structure(bar, call) else list(open = "(", close = ")", uncorrelated = bar[[1L]] == "||")
  text <- if (structured) deparse_one(bar) else paste0("(", deparse_one(bar), ")")
  if (structured) bar <- bar[[2L]]
  if (has_bar(bar[[2L]]) || has_bar(bar[[3L]])) {
    abort_ferrite(
      "formula", "A random term must have one bar: `(columns | factor)`.",
      paste0("`", text, "` has several."), hint = "Write one term for each grouping factor, joined by `+`.", call = call
    )
  }
  groups <- read_group(bar[[3L]], text, call)
  c(list(lhs = bar[[2L]], groups = groups, sign = as.character(bar[[1L]]), text = text), word)
}

# Grouping expression -> list of groups, the innermost first; a group is list(expr, variables).
read_group <- function(expr, text, call) {
  expr <- strip_parens(expr)
  if (is_operator(expr, "/") && length(expr) == 3L) {
    outer <- read_group(expr[[2L]], text, call)
    inner <- read_group(expr[[3L]], text, call)
    return(c(lapply(inner, cross_group, b = outer[[1L]]), outer))
  }
  if (is_operator(expr, ":")) {
    left <- read_group(expr[[2L]], text, call)
    right <- read_group(expr[[3L]], text, call)
    if (length(left) > 1L || length(right) > 1L) bad_group(expr, text, call)
    return(list(cross_group(left[[1L]], right[[1L]])))
  }
  operator <- is_operator(expr, c("+", "-", "*", "^", "%in%", "~"))
  if (operator || identical(expr, quote(.)) || !length(all.vars(expr))) bad_group(expr, text, call)
  list(list(expr = expr, variables = list(expr)))
}

# The crossing `a:b` of two groups; a variable that is in both counts once.
cross_group <- function(a, b) {
  variables <- c(a$variables, b$variables)
  variables <- variables[!duplicated(vapply(variables, deparse_one, ""))]
  if (length(variables) == 1L) return(list(expr = variables[[1L]], variables = variables))
  right <- if (length(b$variables) > 1L) call("(", b$expr) else b$expr
  list(expr = call(":", a$expr, right), variables = variables)
}

# One bar -> one random term for each of its groups.
terms_of_bar <- function(bar, dots, call) {
  lhs <- put_dots(bar$lhs, dots)
  lapply(bar$groups, function(group) {
    several <- length(bar$groups) > 1L
    list(
      lhs = lhs,
      group = deparse_one(group$expr),
      group_expression = group$expr,
      variables = vapply(group$variables, deparse_one, ""),
      expressions = group$variables,
      uncorrelated = bar$uncorrelated,
      structure = bar$structure,
      text = if (several) bar_text(bar, group) else bar$text
    )
  })
}

bar_text <- function(bar, group) {
  paste0(bar$open, deparse_one(bar$lhs), " ", bar$sign, " ", deparse_one(group$expr), bar$close)
}

# `.` ---------------------------------------------------------------------------------------------------------------

# What `.` stands for: the columns that are neither in the response nor grouping variables.
dot_names <- function(columns, response, groups) {
  used <- unique(c(all.vars(response), unlist(lapply(groups, function(v) lapply(v, all.vars)))))
  setdiff(columns, used)
}

has_dot <- function(expr) {
  if (!match(".", all.names(expr), 0L)) return(FALSE)
  if (identical(expr, quote(.))) return(TRUE)
  if (is_structured(expr)) return(has_dot(expr[[2L]]))
  while (is_operator(expr, c(formula_operators, "|", "||"))) {
    for (i in seq_along(expr)[-(1:2)]) if (has_dot(expr[[i]])) return(TRUE)
    expr <- expr[[2L]]
  }
  identical(expr, quote(.))
}

# `.` -> the sum of `dots`, at the places where a formula means it.
put_dots <- function(expr, dots) {
  if (is.null(expr)) return(quote(1))
  if (!has_dot(expr)) return(expr)
  if (is.symbol(expr)) {
    if (!length(dots)) return(quote(1))
    sum <- sum_of(lapply(dots, as.name))
    return(if (length(dots) > 1L) call("(", sum) else sum)
  }
  for (i in seq_along(expr)[-1L]) expr[[i]] <- put_dots(expr[[i]], dots)
  expr
}

sum_of <- function(expressions) {
  sum <- expressions[[1L]]
  for (expr in expressions[-1L]) sum <- call("+", sum, expr)
  sum
}

# Text must be valid in its encoding: what was read from a file in another one is not.
check_text <- function(text, class, what, call) {
  good <- validEnc(text)
  if (all(good)) return(invisible())
  abort_ferrite(
    class, paste0(what, " must be valid text."),
    paste0("There is ", quoted_list(unique(text[!good]), 3L), ", in another encoding."),
    hint = "Say how it is encoded, for example `iconv(x, from = \"latin1\", to = \"UTF-8\")`.", call = call
  )
}

# Errors ------------------------------------------------------------------------------------------------------------

not_a_formula <- function(formula, call) {
  swapped <- is.data.frame(formula)
  text <- is.character(formula) && length(formula) == 1L
  abort_ferrite(
    "formula", "`formula` must be a formula such as `y ~ x + (1 | g)`.",
    if (text) paste0("The text \"", text_line(formula), "\" does not read as one.")
    else paste0("It is ", a_kind(formula), "."),
    hint = if (swapped) "Give the formula first and the data second: `lmm(formula, data)`."
    else "Write response, `~`, fixed terms, and one `(columns | factor)` for each random term.",
    call = call
  )
}

no_random_term <- function(formula, fixed, call) {
  abort_ferrite(
    "formula", "`formula` must have at least one random term, such as `(1 | g)`.",
    paste0("`", code_text(formula), "` has none."),
    hint = if (any(c("dispersion", "correlation") %in% names(call))) {
      "For such residuals without random effects use `nlme::gls()`."
    } else {
      paste0("For a model without random effects use `lm(", code_text(formula), ")`.")
    }, call = call
  )
}

# lme4 says nothing; but the fixed effect is missed too often.
unparenthesised <- function(written, read, call) {
  left <- read[[3L]][[2L]][[2L]]
  meant <- read
  meant[[3L]] <- call("+", left, read[[3L]])
  read[[3L]] <- call("+", 1, read[[3L]])
  inform_ferrite(
    "formula", "A random term should stand in parentheses: `(columns | factor)`.",
    paste0("`", code_text(written), "` is read as `", code_text(read), "`: the bar takes everything to its left."),
    hint = paste0("With fixed effects of these columns as well: `", code_text(meant), "`."), call = call
  )
}

missing_parentheses <- function(formula, bar, call) {
  pieces <- sum_pieces(bar[[2L]])
  last <- pieces[[length(pieces)]]
  fixed <- if (length(pieces) > 1L) bar[[2L]][[2L]] else bar[[2L]]
  term <- call("(", call(as.character(bar[[1L]]), last$expr, bar[[3L]]))
  meant <- formula
  meant[[3L]] <- call("+", fixed, term)
  if (has_bar(bar[[2L]]) || has_bar(bar[[3L]])) meant <- quote(y ~ x + (1 | g))
  abort_ferrite(
    "formula", "A random term must stand in parentheses: `(columns | factor)`.",
    paste0("In `", code_text(formula), "` the bar takes everything to its left."),
    hint = paste0("Write, for example, `", code_text(meant), "`."), call = call
  )
}

misplaced_term <- function(piece, call) {
  abort_ferrite(
    "formula", "A random term must be added to the formula with `+`.",
    paste0("It stands elsewhere in `", if (piece$op == "-") "- ", code_text(piece$expr), "`."),
    hint = "Write `+ (columns | factor)`, at the end of the formula.", call = call
  )
}

bad_group <- function(expr, text, call) {
  parts <- if (is_operator(expr, c("+", "*")) && length(expr) == 3L) vapply(as.list(expr)[-1L], deparse_one, "")
  several <- c(parts, if (is_operator(expr, "*")) paste(parts, collapse = ":"))
  abort_ferrite(
    "formula", "What stands right of the bar must be a variable, or variables joined by `:` or `/`.",
    paste0("In `", text, "` it is `", code_text(expr), "`."),
    hint = if (length(several)) paste0("Write one term each: ", paste0("`(1 | ", several, ")`", collapse = " + "), ".")
    else "Make the grouping factor a column of the data and name that column.",
    call = call
  )
}

unnamed_columns <- function(call) {
  abort_ferrite("data", "The columns that `.` stands for must have names.", "There is one without a name in `data`.",
    hint = "Name the columns, or the variables in the formula.", call = call
  )
}

dot_without_data <- function(formula, call) {
  abort_ferrite(
    "formula", "`.` in a formula must have a data frame to stand for.",
    paste0("`", code_text(formula), "` has a `.`, and `data` is missing or no data frame."),
    hint = "Give `data`, or name the variables.", call = call
  )
}

# Random terms with a structured covariance matrix ---------------------------------------------------------------------
#
# `us` is the ordinary term, `diag` with unequal variances is `||`: both need no structure.

structure_words <- c("us", "diag", "cs", "ar1")

# Words of other packages for what is not fitted here, or is written otherwise.
foreign_words <- c(
  "homdiag", "hetdiag", "homcs", "hetcs", "hetar1", "toep", "homtoep", "ou", "mat", "gau", "rr", "propto", "equalto"
)

# Is it a call such as `cs(x | g)`?
is_structured <- function(expr) {
  is.call(expr) && is.symbol(name <- expr[[1L]]) && length(expr) > 1L &&
    match(as.character(name), c(structure_words, foreign_words), 0L) > 0L && is_bar(expr[[2L]])
}

# list(structure, uncorrelated, open, close) of such a call.
read_structure <- function(expr, call) {
  word <- as.character(expr[[1L]])
  text <- deparse_one(expr)
  if (!word %in% structure_words) foreign_structure(expr, word, text, call)
  if (expr[[2L]][[1L]] == "||") {
    bad_structure("A structured random term must be written with one bar.",
      paste0("`", text, "` has `||`."),
      "Write `|`; for uncorrelated effects `(columns || factor)` or `diag(columns | factor)`.", call
    )
  }
  hom <- read_hom(expr, word, text, call)
  list(
    structure = if (word %in% c("cs", "ar1") || (word == "diag" && hom)) list(kind = word, hom = hom),
    uncorrelated = word == "diag" && !hom,
    open = paste0(word, "("),
    close = if (length(expr) > 2L) paste0(", hom = ", hom, ")") else ")"
  )
}

# The value of `hom`: equal variances? By default unequal, but for ar1().
read_hom <- function(expr, word, text, call) {
  arguments <- as.list(expr)[-(1:2)]
  if (!length(arguments)) return(word == "ar1")
  value <- if (length(arguments) == 1L && identical(names(arguments), "hom") && word != "us") {
    tryCatch(eval(arguments[[1L]], baseenv()), error = function(e) NULL)
  }
  if (isTRUE(value) || isFALSE(value)) return(value)
  if (word == "us") {
    bad_structure("`us()` must have one argument, `columns | factor`.", paste0("`", text, "` has more."),
      paste0("Write `us(", deparse_one(expr[[2L]]), ")`; for equal variances `cs(, hom = TRUE)`."), call
    )
  }
  bad_structure(
    paste0("After `columns | factor`, `", word, "()` must have no argument but `hom = TRUE` or `hom = FALSE`."),
    paste0("It is written `", text, "`."),
    paste0("`hom` says whether the variances are equal; by default it is ", word == "ar1", " in `", word, "()`."), call
  )
}

foreign_structure <- function(expr, word, text, call) {
  bar <- deparse_one(expr[[2L]])
  own <- sub("^(hom|het)", "", word)
  bad_structure(
    paste0("The word in front of a random term must be ", paste0("`", structure_words[-4L], "`", collapse = ", "),
           " or `ar1`."),
    paste0("It is `", word, "` in `", text, "`."),
    if (own != word && own %in% structure_words) {
      paste0("Write `", own, "(", bar, ", hom = ", startsWith(word, "hom"), ")`.")
    } else {
      "See the section on random terms in `?lmm`."
    }, call
  )
}

bad_structure <- function(rule, found, hint, call) {
  abort_ferrite("structure", rule, found, hint = hint, call = call)
}

#' Check a structured term against its columns
#'
#' @param term The random term of the formula.
#' @param lhs Terms object of its columns.
#' @param columns From `checked_columns()`.
#' @returns The structure; `NULL` where it makes no difference (equal variances of a single column).
#' @noRd
check_structure <- function(term, lhs, columns, call) {
  structure <- term$structure
  if (is.null(structure)) return(NULL)
  one <- length(columns$names) == 1L
  if (structure$kind == "diag") return(if (!one) structure)
  if (one) {
    bad_structure(
      paste0("A term with `", structure$kind, "()` must have two columns or more: its parameter is their correlation."),
      paste0("`", term$text, "` has one, `", columns$names, "`."),
      paste0("Write `(", deparse_one(term$lhs), " | ", term$group, ")`; for correlated residuals see the argument ",
             "`correlation`."), call
    )
  }
  if (structure$kind == "ar1") check_sequence(term, lhs, columns, call)
  structure
}

# The columns of ar1() are the levels of one factor, in the order of time.
check_sequence <- function(term, lhs, columns, call) {
  labels <- attr(lhs, "term.labels")
  levels <- columns$xlevels
  single <- length(labels) == 1L && identical(names(levels), labels) && attr(lhs, "intercept") == 0L
  if (!single) {
    bad_structure("What stands left of the bar in `ar1()` must be `0 + f` with one factor, whose levels are the times.",
      paste0("In `", term$text, "` it is `", deparse_one(term$lhs), "`", if (!length(levels)) ", no factor", "."),
      paste0("Write, for example, `ar1(0 + factor(time) | ", term$group, ")`."), call
    )
  }
  numbers <- read_numbers(levels[[1L]])
  if (anyNA(numbers) || !is.unsorted(numbers) || !is.unsorted(rev(numbers))) return(invisible())
  warn_ferrite(
    "levels", "The levels of the factor in `ar1()` should be in the order of time: neighbours are one step apart.",
    paste0("Those of `", labels, "` are ", plain_list(levels[[1L]], 8L), "."),
    hint = paste0("Order them: `factor(", labels, ", levels = sort(unique(as.numeric(as.character(", labels, ")))))`."),
    call = call, data = list(variable = labels)
  )
}

# Equal variances of the levels of a factor that meets each group once add the same to the variance of every row.
check_cells <- function(design, call) {
  if (!is.null(design$residual) || !is.null(design$weights)) return(invisible())
  for (term in design$terms) {
    structure <- term$structure
    if (is.null(structure) || !structure$hom || structure$kind == "ar1") next
    basis <- dense_blocks(term$basis, length(design$y))
    if (!all(basis == 0 | basis == 1) || any(rowSums(basis) != 1)) next
    codes <- design$factors[[term$factor]]$codes
    if (anyDuplicated(codes * ncol(basis) + max.col(basis))) next
    abort_ferrite(
      "unidentified", "The variances of the random terms must be estimable from the data.",
      paste0("In `", term$text, "` every level of `", term$group,
             "` has one row for each effect, so their variance cannot be told from sigma^2."),
      hint = paste0("Write `(1 | ", term$group, ")`, which makes the rows of a level equally correlated."),
      call = call, data = list(factor = term$group)
    )
  }
}
