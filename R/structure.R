# Random terms with a structured covariance matrix: us(x | g), diag(x | g), cs(x | g), ar1(0 + f | g).
#
# Reads   a call of the formula (no data), later the columns of its term.
# Writes  list(kind = "cs", "ar1" or "diag", hom), the field `structure` of a term; `NULL` for an ordinary one.
# `us` is the ordinary term, `diag` with unequal variances is `||`: both need no structure.
# Used by formula.R and design.R.

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
