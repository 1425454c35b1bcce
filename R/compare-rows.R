# Are models that are to be compared fitted to the same rows, responses and weights?
#
# Reads   fits of lmm() or lm().
# Raises  `ferrite_error_comparison`, which names the rows that differ.
# Used by compare.R.

model_rows <- function(model) {
  frame <- stats::model.frame(model)
  list(
    rows = as.character(attr(frame, "row.names")), name = names(frame)[1L],
    y = as.double(stats::model.response(frame)), weights = frame[["(weights)"]]
  )
}

check_same_rows <- function(models, names, call) {
  rows <- lapply(models, model_rows)
  first <- rows[[1L]]
  fail <- function(rule, found, hint) abort_ferrite("comparison", rule, found, hint = hint, call = call)
  for (k in seq_along(rows)[-1L]) {
    other <- rows[[k]]
    if (length(first$y) != length(other$y)) {
      fail("All models must be fitted to the same rows.",
           different_rows(first, other, names[c(1L, k)]),
           "Fit all to the rows without missing values in any variable, for example by `subset`.")
    }
    at <- same_order(first$rows, other$rows)
    scale <- max(abs(first$y), abs(other$y))
    if (max(abs(first$y - other$y[at])) > 1e-10 * scale) {
      same <- identical(first$name, other$name)
      fail("All models must be fitted to the same response.",
           if (same) different_values(first, other, at, names[c(1L, k)])
           else paste0("It is `", first$name, "` in `", names[1L], "` and `", other$name, "` in `", names[k], "`."),
           if (same) "Fit all models to the same data frame." else "Compare models of one response on one scale.")
    }
    if (!same_weights(first$weights, other$weights[at])) {
      fail("All models must be fitted with the same weights.",
           paste0("Those of `", names[1L], "` and `", names[k], "` differ."), "Fit all with the same `weights`.")
    }
  }
}

same_weights <- function(a, b) {
  if (is.null(a) && is.null(b)) return(TRUE)
  isTRUE(all.equal(as.double(or_else(a, rep(1, length(b)))), as.double(or_else(b, rep(1, length(a))))))
}

different_rows <- function(a, b, names) {
  only <- function(x, y, name) {
    more <- setdiff(x$rows, y$rows)
    if (length(more)) {
      paste0(if (length(more) == 1L) "Row " else "Rows ", plain_list(more), if (length(more) == 1L) " is" else " are",
             " only in `", name, "`.")
    }
  }
  c(
    paste0("`", names[1L], "` has ", length(a$y), " rows, `", names[2L], "` has ", length(b$y), "."),
    only(a, b, names[1L]), only(b, a, names[2L])
  )
}

different_values <- function(a, b, at, names) {
  where <- which(a$y != b$y[at])
  paste0("`", a$name, "` has other values in `", names[2L], "` than in `", names[1L], "`, first in row ",
         a$rows[where[1L]], ".")
}
