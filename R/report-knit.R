# How fits and their tables appear in a report: knit_print() methods, registered when knitr is loaded (util-load.R).
#
# A report is a list of pieces, each lines of text or a table of text cells (report-render.R); it is written once and
# rendered as Markdown, HTML or LaTeX, whatever the document is.
# Not here: tables of ranova(), icc(), varcomp_anova(), shrinkage(), robust() and of comparisons, which stand beside
# their classes.

#' Fits in reports
#'
#' In an R Markdown, Quarto or Sweave document a fit that is printed by its name becomes formatted tables instead of
#' text output, and so do `summary(fit)`, `VarCorr(fit)`, `ranef(fit)`, `coef(fit)`, `confint(fit)`, `anova(fit)`,
#' `drop1(fit)`, `anova(m0, m1)`, `ranova(fit)`, `contest(fit, L)`, `icc(fit)`, `varcomp_anova(fit)`, `profile(fit)`,
#' `bootstrap(fit)`, `convergence(fit)` and the other tables of this package. Nothing has to be loaded besides knitr;
#' `print(fit)` still gives the text output.
#'
#' @details
#' The markup is that of the document: HTML where pandoc writes HTML, LaTeX for PDF (no LaTeX package is needed; a wide
#' table gets smaller letters, and is set in parts if that is not enough), Word's own tables for `word_document`, whose
#' columns are as wide as their figures, and pipe tables for GitHub and all else.
#' Names of variables and levels may have any characters. With `latex_engine: xelatex` (or `lualatex`) those outside of
#' the Latin alphabets are set in a font of the system that has them. Where PDF is made by pdfLaTeX, Greek letters and
#' some signs are set as mathematics, and other characters are shown by their numbers, `<U+4E2D>`. The template of a
#' report takes xelatex where it is installed.
#'
#' Every table is also a data frame, by `as.data.frame()`, for those who want to format it themselves.
#' @section Options:
#'   The number of significant digits follows `options("digits")`, as in `print()`. Long tables, such as random effects,
#'   show the first 20 rows; `knitr::knit_print(ranef(fit), n = 50)` shows 50.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' # a pipe table for Markdown; the residual standard deviation is 1.432
#' if (requireNamespace("knitr", quietly = TRUE)) cat(knitr::knit_print(VarCorr(fit)))
#' @name reports
NULL

knit_print_lmm <- function(x, ...) {
  as_output(c(report_head(x), report_random(VarCorr(x)), list(size_text(x)), report_fixed(x, fixed_table(x)),
    list(convergence_line(x))))
}

knit_print_summary <- function(x, ...) {
  digits <- report_digits()
  quantiles <- stats::quantile(x$residuals, na.rm = TRUE, names = FALSE)
  spread <- matrix(format(zapsmall(quantiles, digits), digits = max(1L, digits - 1L)), 1L,
    dimnames = list(NULL, c("Min", "1Q", "Median", "3Q", "Max"))
  )
  as_output(c(
    report_head(x),
    list(captioned(information_text(x$AICtab), "Information criteria"), captioned(spread, "Scaled residuals")),
    report_random(x$varcor), list(size_text(x)),
    report_fixed(x, x$coefficients, paste0("Fixed effects (", summary_ddf_text(x), ")")),
    list(if (isTRUE(x$show_correlation) && nrow(x$coefficients) > 1L) correlation_text(x$correlation),
      x$convergence_line)
  ))
}

# The lower triangle without its diagonal, when it was asked for.
correlation_text <- function(correlation) {
  p <- ncol(correlation)
  text <- matrix(formatC(correlation, digits = 3L, format = "f"), p, p, dimnames = list(NULL, colnames(correlation)))
  text[!lower.tri(text)] <- ""
  captioned(labelled(text[-1L, -p, drop = FALSE], rownames(correlation)[-1L], "Term"), "Correlation of fixed effects",
    left = 1L
  )
}

# Two decimals, as differences of one are what matters; the degrees of freedom are whole.
information_text <- function(table) {
  text <- formatC(table, digits = 2L, format = "f")
  text["df.resid"] <- formatC(table[["df.resid"]], format = "d")
  matrix(text, 1L, dimnames = list(NULL, information_headings(table)))
}

knit_print_contest <- function(x, ...) {
  joint <- "F value" %in% names(x)
  text <- if (joint) f_text(x) else labelled(test_text(x), rownames(x), "Contrast")
  rhs <- attr(x, "rhs")
  as_output(list(
    captioned(text, paste0("Contrasts of fixed effects (", attr(x, "heading"), ")"), left = if (joint) 0L else 1L),
    if (any(rhs != 0)) paste("Right-hand side:", paste(format(rhs, digits = report_digits()), collapse = ", ")),
    if (!joint) paste("Intervals:", format(100 * attr(x, "level")), "%")
  ))
}

knit_print_varcorr <- function(x, ...) {
  as_output(report_random(x, Inf))
}

knit_print_ranef <- function(x, n = 20L, ...) {
  what <- if (inherits(x, "coef.lmm")) "Coefficients by" else "Random effects of"
  pieces <- lapply(names(x), function(group) {
    table <- x[[group]]
    if (!is.data.frame(table)) {
      table <- data.frame("(Intercept)" = as.vector(table), row.names = names(table), check.names = FALSE)
    }
    long_table(table, paste(what, group), group, n)
  })
  as_output(unlist(pieces, recursive = FALSE))
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

# `most`: strata of the residuals that are shown.
report_random <- function(varcor, most = 12L) {
  digits <- report_digits()
  list(
    captioned(varcorr_table(varcor, digits = digits, most = most), "Random effects", left = 1:2),
    residual_lines(varcor, digits, most)
  )
}

report_fixed <- function(x, table, caption = "Fixed effects") {
  dropped <- dropped_text(x)
  list(
    if (nrow(table)) captioned(labelled(test_text(table), rownames(table), "Term"), caption, left = 1L)
    else "No fixed effects",
    if (length(dropped)) trimws(dropped)
  )
}

# The first `n` rows of a data frame of figures, with the names of the rows in front, and how many more there are.
long_table <- function(table, caption, label, n = 20L, more = "more level") {
  shown <- utils::head(as.data.frame(table), n)
  rest <- nrow(table) - nrow(shown)
  list(
    captioned(labelled(text_table(shown, report_digits()), rownames(shown), label), caption, left = 1L),
    if (rest > 0L) paste("... and", counted(rest, more))
  )
}

# A table of text cells with a first column of names.
labelled <- function(text, names, label) {
  text <- cbind(names, text)
  colnames(text)[1L] <- label
  text
}

# Figures as text ------------------------------------------------------------------------------------------------------

# One format per column; p-values as print() shows them; what is missing is an empty cell.
text_table <- function(table, digits) {
  table <- as.data.frame(table, optional = TRUE)
  text <- vapply(names(table), function(name) column_text(table[[name]], name, digits), character(nrow(table)))
  matrix(text, nrow(table), dimnames = list(NULL, names(table)))
}

column_text <- function(values, name, digits) {
  text <- rep("", length(values))
  known <- !is.na(values)
  values <- values[known]
  text[known] <- if (!is.numeric(values)) as.character(values)
  else if (startsWith(name, "Pr(")) format.pval(values, digits = max(3L, digits - 1L))
  else if (is.integer(values) || all(values == round(values) & abs(values) < 1e6)) format(values, scientific = FALSE)
  else if (name %in% c("df", "NumDF", "DenDF")) format(round(values, 2L), nsmall = 2L)
  else if (name %in% c("t value", "z value", "F value")) formatC(values, digits = max(1L, digits - 1L), format = "f")
  else format_column(values, digits)
  text
}

# Tests of estimates: these, their standard errors and limits have common decimals.
test_text <- function(table) {
  digits <- report_digits()
  table <- as.data.frame(unclass(table), row.names = rownames(table), optional = TRUE)
  text <- text_table(table, digits)
  scale <- intersect(c("Estimate", "Std. Error", "lower", "upper"), names(table))
  if (all(c("Estimate", "Std. Error") %in% scale)) {
    places <- common_places(table[["Std. Error"]], max(3L, digits - 1L))
    for (name in scale) {
      known <- !is.na(table[[name]])
      text[known, name] <- fixed_point(table[[name]], places)[known]
    }
  }
  text
}

# Decimals that show the smallest of some positive figures; one number for each if they are of too different size.
common_places <- function(values, digits) {
  size <- floor(log10(ifelse(is.na(values) | values <= 0, NA, values)))
  places <- max(1L, digits - 1L) - size
  if (all(is.na(size))) return(rep(digits, length(values)))
  places[is.na(places)] <- max(places, na.rm = TRUE)
  if (diff(range(size, na.rm = TRUE)) <= 2) places[] <- max(places)
  pmax(places, 0)
}

# With so many decimals each; exponents where that would be long.
fixed_point <- function(values, places) {
  long <- places > 8 | abs(values) >= 1e8
  text <- mapply(function(value, k) formatC(value, digits = k, format = "f"), values, pmin(places, 8))
  text[which(long)] <- formatC(values[which(long)], digits = report_digits() - 1L, format = "e")
  text
}

# Inference ------------------------------------------------------------------------------------------------------------

# anova.lmm() and drop1.lmm() give tables of class `anova`, as do lm() and many others: only ours, which hold their
# method and their hypotheses, are formatted here.
knit_print_anova <- function(x, ...) {
  if (is.null(attr(x, "hypotheses")) || is.null(attr(x, "ddf"))) return(NextMethod())
  heading <- attr(x, "heading")
  model <- grep("^Model: ", heading, value = TRUE)
  notes <- setdiff(heading[-1L], c(model, ""))
  as_output(list(
    if (nrow(x)) captioned(labelled(f_text(x), rownames(x), "Term"), heading[1L], left = 1L)
    else structure(heading[1L], role = "title"),
    if (length(model)) structure(sub("^Model: ", "Formula: ", model), role = "code"),
    notes
  ))
}

# Cells of F tests. Sums of squares have common decimals.
f_text <- function(x) {
  digits <- report_digits()
  table <- as.data.frame(unclass(x), optional = TRUE)
  text <- text_table(table, digits)
  squares <- intersect(c("Sum Sq", "Mean Sq"), names(table))
  if (length(squares) == 2L && nrow(table)) {
    places <- common_places(table[["Mean Sq"]], digits)
    for (name in squares) {
      known <- !is.na(table[[name]])
      text[known, name] <- fixed_point(table[[name]], places)[known]
    }
  }
  text
}

knit_print_confint <- function(x, ...) {
  limits <- unclass(x)
  text <- matrix("", nrow(limits), 2L, dimnames = list(NULL, colnames(limits)))
  digits <- report_digits()
  for (k in which(rowSums(!is.na(limits)) > 0L)) {
    places <- common_places(max(abs(limits[k, ]), na.rm = TRUE), digits)
    text[k, ] <- ifelse(is.na(limits[k, ]) | limits[k, ] == 0, limits[k, ], fixed_point(limits[k, ], rep(places, 2L)))
  }
  text[is.na(text)] <- "NA"
  as_output(list(
    captioned(labelled(text, rownames(limits), "Parameter"), "Confidence intervals", left = 1L),
    confint_text(attr(x, "method"), unname(attr(x, "criterion")), attr(x, "note"))
  ))
}

knit_print_profile <- function(x, n = 20L, ...) {
  table <- as.data.frame.profile.lmm(x)
  title <- paste0("Profile likelihood: ", profile_criterion_text(attr(x, "fits"), unique(as.character(x$par))))
  shown <- utils::head(table, n)
  value <- column_text(shown$value, "value", report_digits() + 1L)
  zeta <- formatC(shown$zeta, digits = 2L, format = "f")
  text <- cbind(Parameter = as.character(shown$par), zeta = zeta, value = value)
  rest <- nrow(table) - nrow(shown)
  as_output(list(
    captioned(text, title, left = 1L), if (rest > 0L) paste("... and", counted(rest, "more row"))
  ))
}

knit_print_bootstrap <- function(x, ...) {
  done <- nrow(x$replicates)
  table <- summary.lmm_bootstrap(x)
  if (all(table$n == done)) table$n <- NULL
  digits <- report_digits()
  text <- text_table(table, digits)
  places <- common_places(table$se, max(3L, digits - 1L))
  for (name in c("estimate", "mean", "bias", "se")) text[, name] <- fixed_point(table[[name]], places)
  names <- intersect(c("estimate", "mean", "bias", "se", "n"), colnames(text))
  doubtful <- sum(!x$certified)
  as_output(list(
    structure(bootstrap_title(x), role = "title"),
    structure(paste("Formula:", deparse_one(x$fit$formula)), role = "code"),
    captioned(labelled(text[, names, drop = FALSE], rownames(table), "Statistic"), left = 1L),
    paste0(
      counted(done, "replicate"), if (done < x$nsim) paste(" of", big_number(x$nsim)),
      if (x$interrupted) " (interrupted)", ".",
      if (doubtful) paste0(" ", counted(doubtful, "refit"), " not certified as an optimum.")
    )
  ))
}

knit_print_convergence <- function(x, ...) {
  number <- function(value) format(value, digits = 3L)
  rows <- c(
    Status = x$status,
    stats::setNames(format(x$criterion, nsmall = 4L, digits = 10L), if (x$REML) "REML criterion" else "-2 log L"),
    Work = paste0(
      counted(x$evaluations, "evaluation"), ", ", counted(x$iterations, "iteration"), ", ", counted(x$starts, "start")
    ),
    if (length(x$faces)) c("Other optima" = other_optima_text(x)),
    "Scaled gradient" = number(x$gradient),
    "Newton decrement" = decrement_text(x$decrement, 3L),
    if (is.finite(x$kkt)) c("Score at boundary" = paste0(number(x$kkt), if (x$kkt >= 0) " (>= 0: optimal)")),
    "Hessian eigenvalues" = eigenvalue_text(x, 3L),
    Structure = gsub("\n", "; ", x$structure, fixed = TRUE)
  )
  text <- cbind(Item = names(rows), Value = unname(rows))
  sentence <- convergence_sentence(x, 3L)
  as_output(list(
    captioned(text, paste("Convergence:", sentence), left = 1:2)
  ))
}

# Influence, refits, plans ---------------------------------------------------------------------------------------------

knit_print_influence <- function(x, n = 6L, ...) {
  m <- length(x$deleted)
  there <- sum(x$status %in% c("ok", "stalled"))
  shown <- min(n, there)
  title <- influence_title(x, there)
  as_output(list(
    if (shown) captioned(influence_text(x, shown, report_digits(), 100L), title, left = 1L)
    else structure(title, role = "title"),
    if (shown) {
      paste0(if (shown < there) sprintf("The %d with the largest Cook's distances. ", shown),
             influence_note(x))
    },
    if (there < m) paste(counted(m - there, "deletion"), "without a result.")
  ))
}

knit_print_refits <- function(x, ...) {
  failed <- sum(is.na(x$criterion))
  doubtful <- sum(!x$certified) - failed
  table <- refits_table(x)
  text <- text_table(table, report_digits())
  places <- common_places(table$sd, max(3L, report_digits() - 1L))
  for (name in names(table)) text[, name] <- ifelse(is.na(table[[name]]), "", fixed_point(table[[name]], places))
  title <- paste("Refits of a linear mixed model by", if (x$fit$REML) "REML" else "maximum likelihood")
  as_output(list(
    structure(paste("Formula:", deparse_one(x$fit$formula)), role = "code"),
    captioned(labelled(text, rownames(table), "Parameter"), title, left = 1L),
    paste0(
      counted(length(x$criterion), "response"), ".",
      if (failed) paste0(" ", counted(failed, "response"), " without a fit."),
      if (doubtful) paste0(" ", counted(doubtful, "refit"), " not certified as an optimum.")
    )
  ))
}

knit_print_plan <- function(x, ...) {
  rows <- c(
    Size = plan_size(x),
    Residuals = if (!is.null(x$residual)) gsub("\n", "; ", residual_cost(x$residual), fixed = TRUE),
    Structure = gsub("\n", "; ", sub("\nworkspace: [^\n]*$", "", x$structure), fixed = TRUE),
    Memory = memory_text(x),
    Time = paste0(
      "about ", duration(x$seconds[["total"]]), " (", duration(x$seconds[["lower"]]), " to ",
      duration(x$seconds[["upper"]]), ")"
    )
  )
  as_output(list(
    structure(paste("Formula:", deparse_one(x$formula)), role = "code"),
    captioned(cbind(Item = names(rows), Value = unname(rows)), "Plan of a linear mixed model", left = 1:2)
  ))
}
