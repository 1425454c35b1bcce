# Text of users (names of variables and levels, formulas) made safe for LaTeX, HTML and Markdown.
#
# Reads   nothing but its arguments.
# Used by the rendering of reports (knit-render.R).

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
