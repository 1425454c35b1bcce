# Variances of predictions: of the predicted mean, and of an observation around it.
#
# Reads   a fit, `rows` (predict-rows.R), which effects count; the joint variance comes from prediction_variance().
# Writes  variances in the unit of y squared, a number for each row. Theta and sigma count as known.
# Used by predict.R.

#' Mean of the rows with its variance
#'
#' @param mean From `mean_of_rows()`.
#' @param links From `serial_links()`, when residuals of the fit are part of the prediction.
#' @param ddf One of the methods of `contest()`; others than `"asymptotic"` only where no random effect counts.
#' @returns `mean` (of the REML refit for Kenward and Roger's method on a fit by ML), `variance`, `df` (`Inf`, or a
#'   number for each row).
#' @noRd
error_of_mean <- function(fit, rows, chosen, mean, ddf, call, links = NULL) {
  if (ddf != "asymptotic" && fit$rank && rows$n) {
    inference <- inference_of(fit, ddf, call)
    L <- dense_blocks(rows$x, rows$n)[, fit$kept, drop = FALSE] # nolint: object_name_linter.
    error <- list(
      mean = drop(L %*% inference$beta) + or_else(rows$offset, 0), variance = quadratic_forms(L, inference$variance),
      df = row_df(inference, L)
    )
  } else {
    variance <- if (length(links$row)) linked_variance(fit, rows, links, call) else joint_variance(fit, rows, chosen)
    error <- list(mean = mean, variance = variance, df = Inf)
  }
  error$mean[rows$not_estimable] <- NA
  error$variance[rows$not_estimable] <- NA
  error
}

# Var(x'beta_hat + z'b_hat - x'beta - z'b) for the effects that count.
joint_variance <- function(fit, rows, chosen) {
  if (!rows$n) {
    return(numeric())
  }
  counts <- vapply(chosen, any, NA)
  bases <- Map(function(basis, own) if (any(own)) only_columns(basis, own, rows$n), rows$bases, chosen)
  known <- list(n = rows$n, x = rows$x, codes = rows$codes, bases = bases)
  prediction_variance(fit, known, ifelse(counts, "known", "none"))
}

# Blocks with the other columns set to zero.
only_columns <- function(blocks, own, n) {
  if (all(own)) {
    return(blocks)
  }
  basis <- dense_blocks(blocks, n)
  basis[, !own] <- 0
  list(basis)
}

# What an observation adds to the variance of the mean: its residual, and the effects that do not count as drawn anew.
# At a new level all effects of a term are one draw; those that count are in the variance of the mean already. `left`:
# the share of the variance of the residuals that is not predicted by those of the fit.
variance_around <- function(fit, rows, chosen, weights, left = 1) {
  total <- fit$sigma^2 * scale_of_rows(fit, rows)^2 / weights * left
  for (k in which(!vapply(chosen, all, NA))) {
    term <- fit$random[[k]]
    counts <- chosen[[k]]
    basis <- dense_blocks(rows$bases[[k]], rows$n)
    known <- basis
    known[, counts] <- 0
    added <- quadratic_forms(known, term$varcov)
    new <- if (any(counts)) which(is.na(rows$codes[[term$factor]]))
    if (length(new)) {
      counted <- basis[new, , drop = FALSE]
      counted[, !counts] <- 0
      added[new] <- quadratic_forms(basis[new, , drop = FALSE], term$varcov) - quadratic_forms(counted, term$varcov)
    }
    total <- total + added
  }
  total
}
