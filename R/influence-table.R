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
  rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

#' @rdname as.data.frame.influence.lmm
#' @export
print.influence.lmm <- function(x, n = 6, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
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
    cat(strwrap(influence_note(x), 0.95 * getOption("width")), sep = "\n")
  }
  if (there < m) cat(counted(m - there, "deletion"), "without a result, see $status\n")
  invisible(x)
}

# The most influential deletions as text: of the coefficients and of the other parameters the one that moves most.
influence_text <- function(x, n, digits, width = getOption("width")) {
  table <- as.data.frame.influence.lmm(x)
  top <- utils::head(order(table$cooks.distance, x$status %in% c("ok", "stalled"), decreasing = TRUE), n)
  changes <- scaled_changes(x)[top, , drop = FALSE]
  text <- cbind(deleted = table$deleted, if (any(table$rows != 1L)) cbind(rows = table$rows))[top, , drop = FALSE]
  if (ncol(changes)) {
    largest <- max.col(abs(changes), "first")
    text <- cbind(text,
      "Cook's D" = format(table$cooks.distance[top], digits = max(1L, digits - 1L)),
      dfbetas = format(changes[cbind(seq_along(top), largest)], digits = max(1L, digits - 1L)),
      coefficient = colnames(changes)[largest]
    )
  }
  moved <- as.matrix(table[top, startsWith(names(table), "change_"), drop = FALSE])
  largest <- max.col(parameter_moves(moved, c(x$sd, x$residual)), "first")
  text <- cbind(text,
    change = format(moved[cbind(seq_along(top), largest)], digits = max(1L, digits - 1L)),
    parameter = sub("^change_(sd_)?", "", colnames(moved))[largest]
  )
  rownames(text) <- rep("", nrow(text))
  fitted_names(text, intersect(c("coefficient", "parameter"), colnames(text)), width)
}

# A table of text whose columns of names are cut where it would be wider than a line.
fitted_names <- function(text, columns, width) {
  widths <- apply(rbind(colnames(text), text), 2L, function(cells) max(nchar(cells, type = "width"))) + 1L
  for (k in seq_along(columns)) {
    over <- sum(widths) - width + 1L
    if (over <= 0L) break
    # the first gives way down to a quarter of the line, the last takes what is left
    least <- if (k < length(columns)) max(15L, width %/% 4L) else 12L
    widths[[columns[k]]] <- max(least, widths[[columns[k]]] - over)
    text[, columns[k]] <- shortened(text[, columns[k]], widths[[columns[k]]] - 1L)
  }
  text
}

# How far parameters move, on a common scale: standard deviations and ratios as a share of the sum of both values, so
# that one that becomes or was zero counts as one; the correlation and coefficients of a dispersion as they are.
parameter_moves <- function(moved, before) {
  positive <- !grepl("^(rho|dispersion)_", names(before))
  before <- rep(before, each = nrow(moved))
  share <- abs(moved) / pmax(2 * before + moved, .Machine$double.xmin)
  moves <- ifelse(rep(positive, each = nrow(moved)), share, abs(moved))
  moves[is.na(moves)] <- 0
  matrix(moves, nrow(moved))
}

# Names cut to a width; the end is kept, which names the group.
shortened <- function(names, width) {
  size <- nchar(names)
  long <- size > width
  end <- (width - 2L) %/% 2L
  names[long] <- paste0(substr(names, 1L, width - 2L - end), "..", substring(names, size - end + 1L))[long]
  names
}

influence_note <- function(x) {
  paste0(
    if (length(x$fixed.effects)) "dfbetas: the largest of the coefficients. ",
    "change: of the standard deviation", if (length(x$residual)) " or other parameter of the errors",
    " that moves most. All are in as.data.frame()."
  )
}
