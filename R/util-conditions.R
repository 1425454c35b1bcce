# Classed conditions in three lines: the rule ("must"), what was found, what to do next.
#
# Reads   nothing but its arguments.
# Raises  `ferrite_error_*`, `ferrite_warning_*`, `ferrite_message_*`; the call is the user's.
# Not here: which condition is raised when (that is with the code that finds the trouble).

#' Signal a classed condition
#'
#' @param class Last part of the class, such as `"formula"` for `ferrite_error_formula`.
#' @param problem The rule in one sentence.
#' @param ... Lines that say what was found.
#' @param hint Lines that say what to do next.
#' @param call The user's call.
#' @param data Named list of fields, kept in the condition for programs that catch it.
#' @returns `abort_ferrite()` does not return; the others return `NULL` invisibly.
#' @noRd
abort_ferrite <- function(class, problem, ..., hint = NULL, call = sys.call(-1), data = list()) {
  stop(new_condition("error", class, three_lines(problem, c(...), hint), call, data))
}

#' @noRd
warn_ferrite <- function(class, problem, ..., hint = NULL, call = sys.call(-1), data = list()) {
  warning(new_condition("warning", class, three_lines(problem, c(...), hint), call, data))
  invisible()
}

#' @noRd
inform_ferrite <- function(class, problem, ..., hint = NULL, call = sys.call(-1), data = list()) {
  text <- paste0(three_lines(problem, c(...), hint), "\n")
  message(new_condition("message", class, text, call, data))
  invisible()
}

new_condition <- function(kind, class, message, call, data) {
  structure(
    class = c(paste0("ferrite_", kind, "_", class), paste0("ferrite_", kind), kind, "condition"),
    c(list(message = message, call = call), data)
  )
}

three_lines <- function(problem, found, hint) {
  text <- paste(c(problem, if (length(found)) paste("x", found), if (length(hint)) paste("i", hint)), collapse = "\n")
  readable_text(text)
}

# Bytes that are no text in the encoding of a string shown as <e9>: most functions for text stop at them.
readable_text <- function(x) {
  x <- enc2utf8(as.character(x))
  wrong <- !validUTF8(x)
  x[wrong] <- iconv(x[wrong], "UTF-8", "UTF-8", sub = "byte")
  x
}

# One line of R code for a message, cut when it is long.
code_text <- function(expr, max = 80L) {
  text_line(deparse_one(expr), max)
}

# Text of a user on one line, cut when it is long.
text_line <- function(text, max = 80L) {
  text <- gsub("[[:space:]]+", " ", readable(text))
  if (isTRUE(nchar(text) > max)) paste0(substr(text, 1L, max - 3L), "...") else text
}

# Text that is not valid in its encoding with these bytes as <ff>: R's functions on text fail at them.
readable <- function(text) {
  bad <- !validEnc(as.character(text))
  if (any(bad)) text[bad] <- iconv(text[bad], "UTF-8", "UTF-8", sub = "byte")
  text
}

# The whole expression on one line, spelled as model.frame() spells the names of its columns.
deparse_one <- function(expr) {
  if (is.symbol(expr)) return(as.character(expr))
  text <- deparse(expr, width.cutoff = 500L, backtick = TRUE)
  if (length(text) == 1L) text else paste(text, collapse = " ")
}

# "`a`, `b` and 3 more"
quoted_list <- function(x, max = 5L) {
  plain_list(paste0("`", x, "`"), max)
}

# "3, 17, 20 and 4 more"
plain_list <- function(x, max = 5L) {
  x <- readable(as.character(x))
  more <- length(x) - max
  if (more > 0L) return(paste0(paste(x[seq_len(max)], collapse = ", "), " and ", more, " more"))
  if (length(x) < 2L) return(x)
  paste(paste(x[-length(x)], collapse = ", "), "and", x[length(x)])
}

# "1 row", "2 rows"
counted <- function(n, noun) {
  paste(big_number(n), if (n == 1) noun else paste0(noun, "s"))
}

# The mark between thousands: not the one that stands for the decimal point in much of Europe (options("OutDec")).
thousands <- function() if (identical(getOption("OutDec"), ",")) " " else ","

# "180,000"
big_number <- function(n) format(n, big.mark = thousands(), scientific = FALSE, trim = TRUE)

# "rows 3, 17 and 20" in the user's row names; `where` are positions in `frame`.
row_list <- function(frame, where) {
  names <- attr(frame, "row.names")[where]
  paste(if (length(where) == 1L) "row" else "rows", plain_list(names))
}

# The names that a user may have meant, nearest first; at most three, possibly none.
similar_names <- function(name, candidates) {
  name <- readable(name)
  candidates <- readable(unique(candidates[nzchar(candidates)]))
  if (!length(candidates)) return(character())
  name <- readable_text(name)
  distance <- utils::adist(name, candidates, ignore.case = TRUE)[1L, ]
  near <- distance <= max(1, nchar(name) / 3)
  utils::head(candidates[near][order(distance[near])], 3L)
}

# "Did you mean `Subject`?", or the names that there are.
name_hint <- function(name, candidates, what = "Columns of `data`") {
  similar <- similar_names(name, candidates)
  if (length(similar)) return(paste0("Did you mean ", paste0("`", similar, "`", collapse = " or "), "?"))
  if (length(candidates)) paste0(what, ": ", quoted_list(candidates, 8L), ".")
}
