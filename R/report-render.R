# Pieces of a report as Markdown, HTML or LaTeX, with users' text (names of variables and levels, formulas) made safe.
#
# A piece is a character vector of lines (attribute `role`: NULL, "title" or "code") or a table of text cells, made by
# captioned(). The markup follows the document that is being made: raw HTML and raw LaTeX where pandoc writes these,
# so that no name of a variable meets the rules of Markdown; pipe tables for everything else.

as_output <- function(pieces, target = report_target()) {
  pieces <- Filter(length, pieces)
  text <- paste(vapply(pieces, render_piece, "", target = target), collapse = "\n\n")
  if (target$format == "latex") text <- paste0(text, "\n\\medskip")
  # not a fence of backticks: with `collapse = TRUE` knitr would join it to the next chunk
  if (target$fenced) text <- sprintf("~~~{=%s}\n%s\n~~~", target$format, text)
  knitr::asis_output(paste0("\n\n", text, "\n\n"))
}

# What is being written: `format`, whether it must be marked as raw for pandoc, the width of a line of text (in points,
# for LaTeX), and whether the engine knows all characters.
report_target <- function() {
  source <- or_else(knitr::opts_knit$get("out.format"), "markdown")
  writer <- or_else(knitr::opts_knit$get("rmarkdown.pandoc.to"), "")[1L]
  writer <- sub("[-+].*$", "", writer)
  if (source %in% c("latex", "sweave", "listings")) return(new_target("latex", FALSE, 345, FALSE))
  if (source == "html") return(new_target("html", FALSE))
  if (writer %in% c("latex", "beamer")) {
    width <- if (writer == "beamer") 307 else 469
    engine <- or_else(knitr::opts_knit$get("rmarkdown.pandoc.args"), "pdflatex")
    return(new_target("latex", TRUE, width, any(engine %in% c("xelatex", "lualatex", "tectonic"))))
  }
  if (writer %in% c("html", "html4", "html5", "revealjs", "slidy", "s5", "slideous")) return(new_target("html", TRUE))
  new_target("markdown", FALSE, word = writer == "docx")
}

new_target <- function(format, fenced, width = 469, unicode = TRUE, word = FALSE) {
  list(format = format, fenced = fenced, width = width, unicode = unicode, word = word)
}

# Names in a sentence of a report, in typewriter letters.
inline_code <- function(text, target = report_target()) {
  text <- gsub("`", "", enc2utf8(as.character(text)), fixed = TRUE)
  if (target$format != "latex") return(paste0("`", text, "`"))
  paste0("`\\texttt{", escape(text, "latex", target$unicode), "}`{=latex}")
}

render_piece <- function(piece, target) {
  if (is.matrix(piece)) {
    return(render_table(piece, target))
  }
  role <- or_else(attr(piece, "role"), "text")
  lines <- unlist(strsplit(piece, "\n", fixed = TRUE))
  if (role == "code") return(render_code(lines, target))
  lines <- escape(lines, target$format, target$unicode)
  if (role == "title") return(render_title(lines, target$format))
  switch(target$format,
    latex = paste0("\\noindent ", paste(lines, collapse = "\\\\\n"), "\n"),
    html = sprintf("<p>%s</p>", paste(lines, collapse = "<br>\n")),
    paste(lines, collapse = "  \n")
  )
}

render_title <- function(text, format) {
  sprintf(switch(format,
    latex = "\\medskip\\noindent\\textbf{%s}\n", html = "<p><strong>%s</strong></p>", "**%s**"
  ), text)
}

# Lines as they are, wrapped as print() does. In LaTeX as typewriter text and not verbatim, for the sake of Greek.
render_code <- function(lines, target) {
  width <- if (target$format == "latex") target$width %/% 5.5 else 85
  lines <- unlist(lapply(lines, wrap_code, width = width))
  if (target$format == "markdown") {
    fence <- if (any(grepl("~~~", lines, fixed = TRUE))) "~~~~~~" else "~~~"
    return(paste0(fence, "\n", paste(lines, collapse = "\n"), "\n", fence))
  }
  indent <- attr(regexpr("^ *", lines), "match.length")
  text <- escape(substring(lines, indent + 1L), target$format, target$unicode)
  if (target$format == "html") {
    return(sprintf("<pre><code>%s</code></pre>", paste0(strrep(" ", indent), text, collapse = "\n")))
  }
  text <- paste0(strrep("~", indent), text)
  paste0("\\begin{flushleft}\\ttfamily\n", paste(text, collapse = "\\\\\n"), "\n\\end{flushleft}")
}

wrap_code <- function(line, width) {
  if (nchar(line) <= width) return(line)
  indent <- attr(regexpr("^ *", line), "match.length")
  wrapped <- strwrap(line, width, indent = indent, exdent = 9L)
  if (length(wrapped)) wrapped else line
}

# Tables --------------------------------------------------------------------------------------------------------------

captioned <- function(table, caption = NULL, left = integer()) {
  rownames(table) <- NULL
  structure(table, caption = caption, left = left)
}

render_table <- function(table, target) {
  caption <- title <- attr(table, "caption")
  align <- ifelse(apply(table, 2L, is_figures), "r", "l")
  align[attr(table, "left")] <- "l"
  table <- matrix(sub("^< ", "<", trimws(table)), nrow(table), dimnames = list(NULL, colnames(table)))
  cells <- escape(rbind(colnames(table), table), target$format, target$unicode)
  cells <- matrix(cells, nrow(table) + 1L)
  if (length(caption)) caption <- escape(caption, target$format, target$unicode)
  if (target$format == "latex") {
    return(latex_tables(cells, if (target$unicode) table else numbered_codes(table), align, target$width, caption))
  }
  if (target$word) return(word_table(table, align, title))
  text <- if (target$format == "html") html_table(cells, align) else pipe_table(cells, table, align)
  paste(c(if (length(caption)) render_title(caption, target$format), text), collapse = "\n\n")
}

# Columns of figures stand to the right, all others to the left.
is_figures <- function(cells) {
  all(grepl("^([<>=]? *[-+]?[0-9.,]+(e[-+]?[0-9]+)?|NA|NaN|-?Inf)?$", trimws(cells)))
}

# Widths of the columns in characters, from the cells before they were escaped.
column_widths <- function(table) {
  width <- nchar(enc2utf8(rbind(colnames(table), table)), type = "width", allowNA = TRUE)
  width[is.na(width)] <- 8L
  apply(matrix(width, nrow(table) + 1L), 2L, max)
}

# Not padded: pandoc gives a table with long lines relative widths, by the numbers of dashes.
pipe_table <- function(cells, table, align) {
  cells <- gsub("|", "&#124;", cells, fixed = TRUE)
  dashes <- strrep("-", pmax(column_widths(table), 3L))
  rule <- ifelse(align == "l", paste0(":", dashes), paste0(dashes, ":"))
  rows <- apply(cells, 1L, paste, collapse = "|")
  paste0("|", c(rows[1L], paste(rule, collapse = "|"), rows[-1L]), "|", collapse = "\n")
}

# As pandoc writes tables, so that the styles of every format apply; only as wide as it has to be.
html_table <- function(cells, align) {
  style <- sprintf(" style=\"text-align: %s;\"", ifelse(align == "l", "left", "right"))
  row <- function(k) {
    tag <- if (k == 1L) "th" else "td"
    kind <- if (k == 1L) "header" else if (k %% 2L) "even" else "odd"
    sprintf("<tr class=\"%s\">\n%s\n</tr>", kind,
            paste0("<", tag, style, ">", cells[k, ], "</", tag, ">", collapse = "\n"))
  }
  rows <- vapply(seq_len(nrow(cells)), row, "")
  paste0(
    "<div style=\"overflow-x: auto;\">\n<table style=\"width: auto;\">\n<thead>\n", rows[1L], "\n</thead>\n<tbody>\n",
    paste(rows[-1L], collapse = "\n"), "\n</tbody>\n</table>\n</div>"
  )
}

# A table of which pdfTeX shows characters by their numbers, for its widths.
numbered_codes <- function(table) {
  change <- function(text) {
    for (code in foreign_codes(text)) {
      if (is.na(tex_signs[sprintf("%04X", code)])) text <- gsub(intToUtf8(code), "<U+0000>", text, fixed = TRUE)
    }
    text
  }
  table[] <- change(enc2utf8(table))
  colnames(table) <- change(enc2utf8(colnames(table)))
  table
}

#' A table in Word's own markup, made to fit the page
#'
#' Pandoc gives all columns of a wide pipe table a share of the page, in which figures are broken. Here columns are as
#' wide as their texts, letters become smaller where that is too much, and at last the widest column of text is wrapped.
#' Figures are never broken.
#' @noRd
word_table <- function(table, align, caption = NULL, width = 9360) {
  # capitals are wider
  chars <- pmax(column_widths(table), nchar(colnames(table)) + 0.3 * nchar(gsub("[^A-Z]", "", colnames(table))))
  # letters in half points, widths in twentieths of points; a character is 0.6 of the height of the letters wide, and a
  # cell has margins of 70 on both sides
  for (size in c(20L, 18L, 16L, 14L)) {
    widths <- ceiling(chars * 0.6 * 10 * size) + 170
    wrapped <- rep(FALSE, length(chars))
    if (sum(widths) <= width) break
    widest <- which.max(ifelse(align == "l", widths, 0))
    room <- width - sum(widths[-widest])
    if (align[widest] == "l" && (room >= 2600 || size == 14L)) {
      wrapped[widest] <- TRUE
      widths[widest] <- max(room, 1200)
      break
    }
  }
  # more columns than a page has room for: all are narrower
  if (sum(widths) > width) widths <- floor(widths * width / sum(widths))
  cells <- rbind(colnames(table), table)
  cells[] <- escape(cells, "openxml")
  # a small table stays on one page; its title always stays with the first row
  small <- nrow(cells) <= 15L
  rows <- vapply(seq_len(nrow(cells)), function(i) {
    word_row(cells[i, ], align, widths, wrapped, size, i == 1L, i == 1L || (small && i < nrow(cells)))
  }, "")
  title <- if (length(caption)) {
    paste0("<w:p><w:pPr><w:pStyle w:val=\"BodyText\"/><w:keepNext/></w:pPr><w:r><w:rPr><w:b/></w:rPr><w:t>",
      escape(caption, "openxml"), "</w:t></w:r></w:p>\n")
  }
  grid <- paste0("<w:gridCol w:w=\"", widths, "\"/>", collapse = "")
  paste0(
    "~~~{=openxml}\n", title, "<w:tbl><w:tblPr><w:tblStyle w:val=\"Table\"/><w:tblW w:w=\"", sum(widths),
    "\" w:type=\"dxa\"/><w:tblLayout w:type=\"fixed\"/>",
    "<w:tblCellMar><w:left w:w=\"70\" w:type=\"dxa\"/><w:right w:w=\"70\" w:type=\"dxa\"/></w:tblCellMar>",
    "<w:tblLook w:firstRow=\"1\" w:lastRow=\"0\" ",
    "w:firstColumn=\"0\" w:lastColumn=\"0\" w:noHBand=\"0\" w:noVBand=\"0\" w:val=\"0020\"/></w:tblPr><w:tblGrid>",
    grid, "</w:tblGrid>\n", paste(rows, collapse = "\n"), "\n</w:tbl>\n~~~"
  )
}

word_row <- function(cells, align, widths, wrapped, size, header, keep) {
  side <- ifelse(align == "l", "left", "right")
  # of the end of the paragraph too: an empty cell has the height of that
  look <- paste0("<w:rPr><w:sz w:val=\"", size, "\"/><w:szCs w:val=\"", size, "\"/></w:rPr>")
  border <- if (header) "<w:tcBorders><w:bottom w:val=\"single\" w:sz=\"6\"/></w:tcBorders>"
  paste0(
    "<w:tr><w:trPr><w:cantSplit/>", if (header) "<w:tblHeader/>", "</w:trPr>", paste0(
      "<w:tc><w:tcPr><w:tcW w:w=\"", widths, "\" w:type=\"dxa\"/>", border, ifelse(wrapped, "", "<w:noWrap/>"),
      "</w:tcPr><w:p><w:pPr><w:pStyle w:val=\"Compact\"/>", if (keep) "<w:keepNext/>", "<w:jc w:val=\"", side,
      "\"/>", look, "</w:pPr><w:r>", look, "<w:t xml:space=\"preserve\">", cells, "</w:t></w:r></w:p></w:tc>",
      collapse = ""
    ), "</w:tr>"
  )
}

#' A table in LaTeX, made to fit the page
#'
#' Letters become smaller first; then the widest column of text is wrapped; at last the columns are set in several
#' tables, each with the first column. Needs no LaTeX package.
#' @noRd
latex_tables <- function(cells, table, align, width, title) {
  widths <- 5 * column_widths(table) + 11
  sizes <- c("\\normalsize" = 1, "\\small" = 0.9, "\\footnotesize" = 0.8, "\\scriptsize" = 0.7)
  fits <- which(sum(widths) * sizes <= width)
  if (length(fits)) return(latex_table(cells, align, names(sizes)[fits[1L]], title))
  small <- 0.8
  widest <- which.max(ifelse(align == "l", widths, 0))
  room <- width / small - sum(widths[-widest])
  if (align[widest] == "l" && room >= 80) {
    align[widest] <- sprintf("p{%.0fpt}", floor(room * small) - 10)
    return(latex_table(cells, align, "\\footnotesize", title))
  }
  page <- page_of(widths[-1L], width / small - widths[1L])
  pieces <- lapply(split(seq_along(page) + 1L, page), function(columns) {
    title <- if (columns[1L] == 2L) title
    latex_table(cells[, c(1L, columns), drop = FALSE], align[c(1L, columns)], "\\footnotesize", title)
  })
  paste(pieces, collapse = "\n")
}

# Which page each column stands on, when pages are `room` wide.
page_of <- function(widths, room) {
  page <- integer(length(widths))
  used <- Inf
  for (k in seq_along(widths)) {
    used <- used + widths[k]
    if (used > room) used <- widths[k]
    page[k] <- (if (k > 1L) page[k - 1L] else 0L) + (used == widths[k])
  }
  page
}

# The title is a line of the same paragraph, so that no page ends between it and the table.
latex_table <- function(cells, align, size, title) {
  rows <- paste0(apply(cells, 1L, paste, collapse = " & "), " \\\\")
  rule <- function(above, height, below) {
    sprintf("\\noalign{\\vskip %sex\\hrule height %sem\\vskip %sex}", above, height, below)
  }
  title <- if (length(title)) sprintf("\\textbf{%s}\\\\*[0.7ex]\n", title)
  paste0(
    "\\begin{flushleft}", title, size, "\n\\begin{tabular}{@{}", paste(align, collapse = ""), "@{}}\n",
    rule(0, 0.08, 0.6), "\n", rows[1L], "\n", rule(0.4, 0.05, 0.6), "\n", paste(rows[-1L], collapse = "\n"), "\n",
    rule(0.4, 0.08, 0), "\n\\end{tabular}\n\\end{flushleft}"
  )
}

# Users' text ----------------------------------------------------------------------------------------------------------

# One or more texts in the markup of `format`; `unicode` is FALSE for LaTeX engines that know few characters.
escape <- function(text, format, unicode = TRUE) {
  text <- gsub("[[:space:]]+", " ", enc2utf8(as.character(text)))
  switch(format,
    html = , openxml = replace_each(text, html_marks),
    latex = escape_latex(text, unicode),
    escape_markdown(text)
  )
}

html_marks <- c("&" = "&amp;", "<" = "&lt;", ">" = "&gt;", "\"" = "&quot;")

replace_each <- function(text, marks) {
  for (mark in names(marks)) text <- gsub(mark, marks[[mark]], text, fixed = TRUE)
  text
}

# Backslashes escape most marks; before brackets and parentheses they would begin mathematics in R Markdown.
escape_markdown <- function(text) {
  text <- replace_each(text, c("\\" = "\001", "&" = "&amp;"))
  text <- gsub("([`*_<>$~^#@\"])", "\\\\\\1", text)
  text <- gsub("-(?=-)", "\\\\-", text, perl = TRUE)
  text <- gsub("[.](?=[.][.])", "\\\\.", text, perl = TRUE)
  replace_each(text, c("\001" = "&#92;", "[" = "&#91;", "]" = "&#93;"))
}

# Braces around `[` and `*`: behind the end of a row they would be arguments of it. `--` would become a dash.
escape_latex <- function(text, unicode) {
  text <- gsub("\\", "\001", text, fixed = TRUE)
  text <- gsub("([#$%&_{}])", "\\\\\\1", text)
  text <- replace_each(text, c(
    "\001" = "\\textbackslash{}", "^" = "\\textasciicircum{}", "~" = "\\textasciitilde{}", "<" = "\\textless{}",
    ">" = "\\textgreater{}", "|" = "\\textbar{}", "`" = "\\textasciigrave{}", "\"" = "\\char34{}",
    "[" = "{[}", "]" = "{]}", "*" = "{*}", "--" = "-{}-"
  ))
  if (unicode) with_fonts(text) else plain_latex(text)
}

# For engines that read Unicode: what TeX's own fonts lack is set in a font of the system that has it. A character that
# no font has, or that cannot be looked up, is shown by its number, as it would be left out without a word.
with_fonts <- function(text) {
  foreign <- foreign_codes(text)
  if (!length(foreign)) return(text)
  fonts <- vapply(foreign, font_of_code, "")
  vapply(text, function(one) {
    codes <- utf8ToInt(one)
    font <- fonts[match(codes, foreign)]
    font[!codes %in% foreign] <- " "
    runs <- rle(unname(font))
    ends <- cumsum(runs$lengths)
    paste(vapply(seq_along(ends), function(k) {
      own <- codes[seq.int(ends[k] - runs$lengths[k] + 1L, ends[k])]
      switch(runs$values[k], " " = intToUtf8(own), "?" = paste(code_number(own), collapse = ""),
        sprintf("{\\fontspec{%s}%s}", runs$values[k], intToUtf8(own)))
    }, ""), collapse = "")
  }, "", USE.NAMES = FALSE)
}

# Characters outside of the Latin alphabets and the signs that every TeX knows.
foreign_codes <- function(text) {
  codes <- unique(unlist(lapply(text, utf8ToInt)))
  codes[!is.na(codes) & codes > 0x17fL & !codes %in% known_to_tex]
}

# What stands for a character without a sign.
code_number <- function(code) sprintf("\\textless{}U+%04X\\textgreater{}", code)

# The family of a font that has a character, one with serifs if there is one; "?" where fontconfig finds none. Asked
# once for each character of a session.
font_of_code <- function(code) {
  key <- as.character(code)
  if (is.null(known_fonts[[key]])) assign(key, find_font(code), envir = known_fonts)
  known_fonts[[key]]
}

known_fonts <- new.env(parent = emptyenv())

find_font <- function(code) {
  program <- Sys.which("fc-list")
  if (!nzchar(program)) return("?")
  # a status other than zero is no answer, like an empty one
  query <- c(sprintf(":charset=%x", code), "family")
  families <- suppressWarnings(system2(program, query, stdout = TRUE, stderr = FALSE))
  families <- sort(unique(sub("[,:].*$", "", families)))
  families <- families[grepl("^[A-Za-z0-9 -]+$", families)]
  if (!length(families)) return("?")
  serif <- c(intersect(c("DejaVu Serif", "Noto Serif CJK SC"), families), grep("Serif", families, value = TRUE))
  c(serif, families)[1L]
}

# For pdfTeX: Greek letters and some signs as mathematics, other characters that it does not know by their numbers.
plain_latex <- function(text) {
  for (code in foreign_codes(text)) {
    command <- tex_signs[sprintf("%04X", code)]
    if (is.na(command)) command <- code_number(code)
    text <- gsub(intToUtf8(code), command, text, fixed = TRUE)
  }
  text
}

# Dashes, quotation marks, bullet, dots, per mille, euro, trade mark.
known_to_tex <- c(
  0x2013L, 0x2014L, 0x2018L, 0x2019L, 0x201aL, 0x201cL, 0x201dL, 0x201eL, 0x2020L, 0x2021L, 0x2022L, 0x2026L, 0x2030L,
  0x20acL, 0x2122L
)

# Commands by the number of the character.
tex_signs <- local({
  small <- c(
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "o", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"
  )
  large <- c(
    "A", "B", "Gamma", "Delta", "E", "Z", "H", "Theta", "I", "K", "Lambda", "M", "N", "Xi", "O", "Pi", "P", NA, "Sigma",
    "T", "Upsilon", "Phi", "X", "Psi", "Omega"
  )
  letter <- c(large, small)
  letter <- ifelse(nchar(letter) == 1L, letter, paste0("\\", letter))
  names(letter) <- sprintf("%04X", c(0x391L + 0:24, 0x3b1L + 0:24))
  signs <- c(
    "2190" = "\\leftarrow", "2192" = "\\rightarrow", "2211" = "\\sum", "2212" = "-", "221A" = "\\surd",
    "221E" = "\\infty", "2248" = "\\approx", "2260" = "\\neq", "2264" = "\\leq", "2265" = "\\geq"
  )
  raised <- stats::setNames(paste0("^{", 4:9, "}"), sprintf("%04X", 0x2074L + 0:5))
  lowered <- stats::setNames(paste0("_{", 0:9, "}"), sprintf("%04X", 0x2080L + 0:9))
  commands <- c(letter[!is.na(letter)], signs, raised, lowered)
  stats::setNames(paste0("\\ensuremath{", commands, "}"), names(commands))
})
