# How fits and their tables appear in a report: knit_print() methods, registered when knitr is loaded (register.R).
#
# A report is a list of pieces, each a line of text or a table of text cells; it is written once and rendered as
# Markdown, HTML or LaTeX, whatever the document is.

#' Fits in reports
#'
#' In an R Markdown, Quarto or Sweave document a fit that is printed by its name becomes formatted tables instead of
#' text output: HTML in an HTML source, LaTeX in a LaTeX source, Markdown in all others, which pandoc turns into every
#' output format. The same holds for `summary(fit)`, `VarCorr(fit)`, `ranef(fit)`, `coef(fit)`
#' and `contest(fit, L)`. Nothing has to be loaded besides knitr; `print(fit)` still gives the text output.
#'
#' @section Options:
#'   The number of significant digits follows `options("digits")`, as in `print()`. Long tables of random effects show
#'   the first 20 levels.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' if (requireNamespace("knitr", quietly = TRUE)) cat(knitr::knit_print(fit))
#' @name reports
NULL

knit_print_lmm <- function(x, ...) {
  as_output(c(report_head(x), report_random(VarCorr(x)), list(size_text(x)), report_fixed(x, fixed_table(x)),
    list(convergence_line(x))))
}

knit_print_summary <- function(x, ...) {
  digits <- report_digits()
  quantiles <- stats::quantile(x$residuals, na.rm = TRUE, names = FALSE)
  spread <- matrix(format(zapsmall(quantiles, digits), digits = digits), 1L,
    dimnames = list(NULL, c("Min", "1Q", "Median", "3Q", "Max"))
  )
  as_output(c(
    report_head(x),
    list(captioned(text_table(t(x$AICtab), digits + 2L), "Information criteria")),
    list(captioned(spread, "Scaled residuals")), report_random(x$varcor), list(size_text(x)),
    report_fixed(x, x$coefficients, paste0("Fixed effects (", summary_ddf_text(x), ")")), list(x$convergence_line)
  ))
}

knit_print_contest <- function(x, ...) {
  text <- text_table(x, report_digits())
  if (!"F value" %in% names(x)) {
    text <- cbind(rownames(x), text)
    colnames(text)[1L] <- "Contrast"
  }
  caption <- paste0("Contrasts of fixed effects (", attr(x, "heading"), ")")
  as_output(list(captioned(text, caption, left = if ("Contrast" %in% colnames(text)) 1L else integer())))
}

knit_print_varcorr <- function(x, ...) {
  as_output(report_random(x))
}

knit_print_ranef <- function(x, n = 20L, ...) {
  what <- if (inherits(x, "coef.lmm")) "Coefficients by" else "Random effects of"
  pieces <- lapply(names(x), function(group) {
    table <- as.matrix(utils::head(as.data.frame(x[[group]]), n))
    table <- cbind(rownames(table), text_table(table, report_digits()))
    colnames(table)[1L] <- group
    rest <- NROW(x[[group]]) - nrow(table)
    list(
      captioned(table, paste(what, group), left = 1L),
      if (rest > 0L) paste("... and", counted(rest, "more level"))
    )
  })
  as_output(Filter(length, unlist(pieces, recursive = FALSE)))
}

# Pieces of a report --------------------------------------------------------------------------------------------------

report_digits <- function() max(3L, getOption("digits") - 3L)

report_head <- function(x) {
  list(
    structure(title_text(x), role = "title"),
    structure(header_lines(x), role = "code"),
    criterion_text(x, report_digits() + 3L)
  )
}

report_random <- function(varcor) {
  list(captioned(varcorr_table(varcor, digits = report_digits()), "Random effects", left = 1:2))
}

report_fixed <- function(x, table, caption = "Fixed effects") {
  dropped <- dropped_text(x)
  text <- cbind(rownames(table), text_table(table, report_digits()))
  colnames(text)[1L] <- "Term"
  c(
    list(if (nrow(table)) captioned(text, caption, left = 1L) else "No fixed effects"),
    if (length(dropped)) list(trimws(dropped))
  )
}

captioned <- function(table, caption, left = integer()) {
  rownames(table) <- NULL
  structure(table, caption = caption, left = left)
}

# Figures as text, one format per column; p-values as print() shows them.
text_table <- function(table, digits) {
  text <- matrix("", nrow(table), ncol(table), dimnames = list(NULL, colnames(table)))
  for (column in seq_len(ncol(table))) {
    p_value <- startsWith(colnames(table)[column], "Pr(")
    text[, column] <- if (isTRUE(p_value)) format.pval(table[, column], digits = max(1L, digits - 3L))
    else format_column(table[, column], digits)
  }
  text
}

# Rendering -----------------------------------------------------------------------------------------------------------

as_output <- function(pieces, format = report_format()) {
  text <- vapply(pieces, render_piece, "", format = format)
  knitr::asis_output(paste0("\n\n", paste(text, collapse = "\n\n"), "\n\n"))
}

# The markup of the source document: "latex" and "html" when knitr writes them itself, Markdown otherwise.
report_format <- function() {
  format <- knitr::opts_knit$get("out.format")
  if (is.null(format)) return("markdown")
  if (format %in% c("latex", "sweave", "listings")) "latex" else if (format == "html") "html" else "markdown"
}

render_piece <- function(piece, format) {
  if (is.matrix(piece)) {
    return(render_table(piece, format))
  }
  lines <- escape(unlist(strsplit(piece, "\n", fixed = TRUE)), format)
  role <- attr(piece, "role")
  if (is.null(role)) return(render_lines(lines, format))
  switch(role,
    title = sprintf(
      switch(format, latex = "\\textbf{%s}\n", html = "<p><strong>%s</strong></p>", "**%s**"), lines
    ),
    code = render_code(piece, format)
  )
}

render_lines <- function(lines, format) {
  switch(format,
    latex = paste0(paste(lines, collapse = "\\\\\n"), "\n"),
    html = sprintf("<p>%s</p>", paste(lines, collapse = "<br>\n")),
    paste(lines, collapse = "  \n")
  )
}

render_code <- function(lines, format) {
  switch(format,
    latex = paste0("\\begin{verbatim}\n", paste(lines, collapse = "\n"), "\n\\end{verbatim}"),
    html = sprintf("<pre><code>%s</code></pre>", paste(escape(lines, "html"), collapse = "\n")),
    paste0("```\n", paste(lines, collapse = "\n"), "\n```")
  )
}

render_table <- function(table, format) {
  left <- attr(table, "left")
  caption <- attr(table, "caption")
  align <- rep("r", ncol(table))
  align[left] <- "l"
  # A bar inside a pipe table must be an entity; kable() would write it behind the backslash of escape().
  safe <- function(x) {
    x <- escape(x, format)
    if (format == "markdown") gsub("\\|", "&#124;", x, fixed = TRUE) else x
  }
  cells <- matrix(safe(trimws(table)), nrow(table), dimnames = list(NULL, safe(colnames(table))))
  style <- c(latex = "latex", html = "html", markdown = "pipe")[[format]]
  text <- knitr::kable(cells, format = style, align = align, row.names = FALSE, escape = FALSE)
  heading <- render_piece(structure(caption, role = "title"), format)
  paste0(heading, "\n\n", paste(trimws(text, "left", "\n"), collapse = "\n"))
}

escape <- function(text, format) {
  if (format == "html") {
    text <- gsub(">", "&gt;", gsub("<", "&lt;", gsub("&", "&amp;", text, fixed = TRUE), fixed = TRUE), fixed = TRUE)
  } else if (format == "latex") {
    text <- gsub("([#$%&_{}])", "\\\\\\1", gsub("\\", "\\textbackslash ", text, fixed = TRUE))
    text <- gsub("^", "\\textasciicircum{}", gsub("~", "\\textasciitilde{}", text, fixed = TRUE), fixed = TRUE)
    text <- gsub(">", "\\textgreater{}", gsub("<", "\\textless{}", text, fixed = TRUE), fixed = TRUE)
  } else {
    text <- gsub("([\\\\`*_<>|$~^#])", "\\\\\\1", text)
  }
  text
}
