#' Print a fit
#'
#' @param x An object of class `lmm`.
#' @param digits Significant digits. Default: those of `options("digits")` less 3.
#' @param ranef.comp What is printed of the variance components: `"Variance"`, `"Std.Dev."` (default), or both.
#' @param ... Not used.
#' @returns `x`, invisibly.
#' @examples
#' # REML criterion 447.0025; standard deviations 2.115 and 1.432
#' lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' @export
print.lmm <- function(x, digits = max(3L, getOption("digits") - 3L), ranef.comp = "Std.Dev.", ...) {
  check_printed(digits)
  ranef.comp <- choose_several(ranef.comp, c("Variance", "Std.Dev."), "ranef.comp", method_call())
  print_header(x)
  cat(criterion_text(x, digits + 3L), "\n", sep = "")
  cat("Random effects:\n")
  print_components(VarCorr(x), ranef.comp, digits, 12L)
  cat(size_text(x), "\n", sep = "")
  estimates <- fixef(x)
  if (length(estimates)) {
    cat("Fixed effects:\n")
    print(format(estimates, digits = digits), quote = FALSE)
  } else {
    cat("No fixed effects\n")
  }
  cat(dropped_text(x), convergence_line(x), "\n", sep = "")
  invisible(x)
}

# What a fit or its summary is: method, formula, data.
print_header <- function(x) {
  cat(title_text(x), "\n", sep = "")
  for (line in header_lines(x)) {
    label <- sub("^( *\\w+: ).*$", "\\1", line)
    text <- substring(line, nchar(label) + 1L)
    cat(strwrap(text, 0.95 * getOption("width"), initial = label, prefix = strrep(" ", 9L)), sep = "\n")
  }
}

title_text <- function(x) {
  paste("Linear mixed model fit by", if (x$REML) "REML" else "maximum likelihood")
}

# "Formula: ...", "   Data: ..." and so on, one string per line that the call holds.
header_lines <- function(x) {
  labels <- c(data = "Data", weights = "Weights", offset = "Offset", subset = "Subset")
  given <- intersect(names(labels), names(x$call))
  text <- vapply(as.list(x$call)[given], short_line, "")
  c(
    paste("Formula:", deparse_one(x$formula)), sprintf("%7s: %s", labels[given], text),
    if (!is.null(x$residual)) paste(" Errors:", errors_text(x))
  )
}

# "dispersion = ~g, correlation = ar1(~1 | s)": the residuals of a fit, as they were written.
errors_text <- function(x) {
  paste(c(
    if (!is.null(x$residual$scale)) paste("dispersion =", x$residual$scale$text),
    if (!is.null(x$residual$correlation)) paste("correlation =", x$residual$correlation$text)
  ), collapse = ", ")
}

# A data argument can be a value and not a name (do.call): keep it short.
short_line <- function(expression) {
  if (!is.language(expression) && length(expression) > 1L) {
    return(sprintf("<%s>", class(expression)[1L]))
  }
  text <- deparse_one(expression)
  if (nchar(text) > 200L) paste(substr(text, 1L, 197L), "...") else text
}

criterion_text <- function(x, digits) {
  label <- if (x$REML) "REML criterion" else "-2 log-likelihood"
  paste0(label, ": ", format(x$criterion, digits = digits, nsmall = 1L))
}

# "Number of obs: 180, groups: Subject 18"
size_text <- function(x) {
  groups <- ngrps(x)
  text <- paste0("Number of obs: ", x$nobs, ", groups: ", paste(names(groups), groups, collapse = ", "))
  set_aside <- length(x$na.action)
  reason <- if ("weights" %in% names(x$call)) "missing values or weight zero" else "missing values"
  if (set_aside) text <- paste0(text, "\n(", counted(set_aside, "row"), " left out: ", reason, ")")
  text
}

# One line that names the dropped columns; nothing if there are none.
dropped_text <- function(x) {
  dropped <- x$x_names[setdiff(seq_along(x$x_names), x$kept)]
  if (length(dropped)) {
    paste0("Dropped, linearly dependent on other columns: ", paste(dropped, collapse = ", "), "\n")
  }
}
