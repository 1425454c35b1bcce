#' Influence as a table
#'
#' @param x What [influence.lmm()] returned.
#' @param n Number of deletions printed, those with the largest Cook's distances.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... Not used.
#' @returns A data frame with a row for each deletion and the columns
#'   * `deleted`: id; `rows`: number of rows;
#'   * `cooks.distance`: see [cooks.distance()][cooks.distance.influence.lmm];
#'   * `dfbetas_<coefficient>`: [dfbetas()][dfbetas.influence.lmm], one column for each coefficient;
#'   * `change_sd_<effect>|<factor>`, `change_sigma`: standard deviation without the deletion minus that of the fit;
#'   * with `dispersion` or `correlation` the same for each of their parameters, named as in [confint.lmm()]:
#'     `change_ratio_SexFemale`, `change_rho_ar1|Mare`.
#'
#'   Rows that `na.exclude` set aside are not in it.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' table <- as.data.frame(influence(fit, "Subject"))
#' table[which.max(table$cooks.distance), ] # M13: sigma falls by 0.172 without this child
#' @export
as.data.frame.influence.lmm <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  changes <- scaled_changes(x)
  colnames(changes) <- paste0("dfbetas_", names(x$fixed.effects), recycle0 = TRUE)
  spread <- without_deleted(x, "sd") - rep(x$sd, each = length(x$deleted))
  colnames(spread) <- paste0("change_", names(x$sd))
  if (length(x$residual)) {
    moved <- without_deleted(x, "residual") - rep(x$residual, each = length(x$deleted))
    colnames(moved) <- paste0("change_", names(x$residual))
    spread <- cbind(spread, moved)
  }
  distance <- suppressMessages(deletion_distances(x, TRUE, NULL))
  table <- data.frame(
    deleted = x$deleted, rows = unname(x$rows), cooks.distance = unname(distance), changes, spread, check.names = FALSE
  )
  rownames(table) <- row.names
  table
}

#' @rdname as.data.frame.influence.lmm
#' @export
print.influence.lmm <- function(x, n = 6, digits = max(3L, getOption("digits") - 3L), ...) {
  m <- length(x$deleted)
  there <- sum(x$status %in% c("ok", "stalled"))
  what <- if (x$groups == "case") "case" else paste0("group (", x$groups, ")")
  cat("Influence: deletion of each ", what, ", ", counted(there, "exact refit"), "\n", sep = "")
  formula <- deparse_one(x$formula)
  cat(strwrap(formula, 0.95 * getOption("width"), initial = "Formula: ", prefix = strrep(" ", 9L)), sep = "\n")
  shown <- min(n, there)
  if (shown) {
    cat("\n", if (shown < there) sprintf("The %d with the largest Cook's distances", shown) else "By Cook's distance",
      ":\n", sep = "")
    print_table(influence_text(x, shown, digits), "deleted")
    cat(if (length(x$fixed.effects)) "dfbetas: the largest of the coefficients. ",
      "Last columns: change of standard deviations.\n", sep = "")
  }
  if (there < m) cat(counted(m - there, "deletion"), "without a result, see $status\n")
  invisible(x)
}

# The most influential deletions as text.
influence_text <- function(x, n, digits) {
  table <- as.data.frame.influence.lmm(x)
  top <- utils::head(order(table$cooks.distance, x$status %in% c("ok", "stalled"), decreasing = TRUE), n)
  changes <- scaled_changes(x)[top, , drop = FALSE]
  text <- cbind(deleted = table$deleted, if (any(table$rows != 1L)) cbind(rows = table$rows))[top, , drop = FALSE]
  if (ncol(changes)) {
    largest <- max.col(abs(changes), "first")
    text <- cbind(text,
      "Cook's D" = format(table$cooks.distance[top], digits = digits - 1L),
      dfbetas = format(changes[cbind(seq_along(top), largest)], digits = digits - 1L),
      of = colnames(changes)[largest]
    )
  }
  spread <- names(table) %in% paste0("change_", names(x$sd))
  cells <- vapply(table[top, spread, drop = FALSE], format, character(length(top)), digits = digits - 1L)
  cells <- matrix(cells, length(top), dimnames = list(NULL, sub("^sd_", "", names(x$sd))))
  text <- cbind(text, cells[, utils::tail(seq_along(x$sd), 4L), drop = FALSE])
  rownames(text) <- rep("", nrow(text))
  text
}
