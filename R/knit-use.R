# Tables of using a fit in reports: influence, refits, plans. That of shrinkage() stands beside its class.
#
# Used by knitr, through register.R.

knit_print_influence <- function(x, n = 6L, ...) {
  m <- length(x$deleted)
  there <- sum(x$status %in% c("ok", "stalled"))
  shown <- min(n, there)
  what <- if (x$groups == "case") "case" else paste0("group (", x$groups, ")")
  title <- paste0("Influence: deletion of each ", what, ", ", counted(there, "exact refit"))
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
