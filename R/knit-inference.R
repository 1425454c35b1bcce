# Tables of inference in reports: analysis of variance, intervals, profiles, bootstrap, convergence.
#
# Used by knitr, through register.R. Those of ranova(), icc(), varcomp_anova() and of comparisons stand beside their
# classes.

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
