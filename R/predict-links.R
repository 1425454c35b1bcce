# What the residuals of the fit say of those of new rows, and the variance of what is left.
#
# Reads   a fit with a correlation; `serial` of predict-serial.R, `rows` of predict-rows.R.
# Writes  links: list(row, old, weight), by which a row has weight times the row `old` of the fit taken off; variances.
# Used by predict.R, predict-error.R, simulate.R, hatvalues.R.

#' What the residuals of the fit say of those of new rows
#'
#' The best linear predictor of the residual of a new row is the sum of `weight` times the residual of the row `old`.
#'
#' @param serial From `new_serial()`.
#' @param sd Standard deviations of the new residuals, relative to sigma, weights counted.
#' @returns list(row, old, weight), and `left`: for each new row the share of its variance that is not predicted: 1 in a
#'   new series, and at a time at which the series was observed.
#' @noRd
serial_links <- function(fit, serial, sd) {
  blocks <- residual_blocks(fit)
  links <- if (blocks$form == "cs") shared_links(blocks, serial$codes) else neighbour_links(blocks, serial)
  left <- rep(1, length(serial$codes))
  explained <- rowsum(links$weight * links$correlation, links$row)
  left[as.integer(rownames(explained))] <- 1 - explained[, 1L]
  list(
    row = links$row, old = links$old, weight = links$weight * sd[links$row] / residual_sd(fit)[links$old], left = left
  )
}

# Compound symmetry: all rows of the series count alike.
shared_links <- function(blocks, codes) {
  known <- which(!is.na(codes))
  sizes <- lengths(blocks$rows)[codes[known]]
  size <- rep(sizes, sizes)
  list(
    row = rep(known, sizes), old = unlist(blocks$rows[codes[known]]),
    weight = blocks$rho / (1 + (size - 1) * blocks$rho), correlation = rep(blocks$rho, length(size))
  )
}

# AR(1): the last row before and the first row after, in the same series.
neighbour_links <- function(blocks, serial) {
  n <- length(blocks$codes)
  new <- which(!is.na(serial$codes))
  codes <- c(blocks$codes, serial$codes[new])
  time <- c(blocks$time, serial$time[new])
  order <- order(codes, time, rep(0:1, c(n, length(new))), method = "radix")
  seen <- order <= n
  nearest <- cummax(ifelse(seen, seq_along(order), 0L))
  before <- after <- rep(NA_integer_, length(order))
  before[order] <- order[ifelse(nearest > 0L, nearest, NA)]
  following <- rev(cummin(rev(ifelse(seen, seq_along(order), length(order) + 1L))))
  after[order] <- order[following]
  at <- n + seq_along(new)
  before <- before[at]
  after <- after[at]
  before[codes[before] != codes[at]] <- NA
  after[codes[after] != codes[at]] <- NA
  observed <- !is.na(before) & time[before] == time[at]
  before[observed] <- NA
  after[observed] <- NA
  past <- ifelse(is.na(before), 0, blocks$rho^(time[at] - time[before]))
  future <- ifelse(is.na(after), 0, blocks$rho^(time[after] - time[at]))
  both <- 1 - past^2 * future^2
  back <- which(!is.na(before))
  ahead <- which(!is.na(after))
  list(
    row = new[c(back, ahead)], old = c(before[back], after[ahead]),
    weight = c((past * (1 - future^2) / both)[back], (future * (1 - past^2) / both)[ahead]),
    correlation = c(past[back], future[ahead])
  )
}

# For each of n rows the sum of `values` (a row for each link).
sum_links <- function(values, row, n) {
  values <- as.matrix(values)
  total <- matrix(0, n, ncol(values))
  if (length(row)) {
    sums <- rowsum(values, row)
    total[as.integer(rownames(sums)), ] <- sums
  }
  total
}

#' Variance of prediction errors of rows less multiples of rows of the fit
#'
#' Where the levels of a row and of those taken off are the same, one row of columns says it all and the engine answers;
#' otherwise Henderson's equations are solved here, as dense matrices.
#'
#' @param rows As for `prediction_variance()`; all random effects count.
#' @param links list(row, old, weight).
#' @noRd
linked_variance <- function(fit, rows, links, call) {
  design <- design_of(fit)
  n <- rows$n
  less <- function(blocks, old_blocks) {
    old <- dense_blocks(old_blocks, fit$nobs)[links$old, , drop = FALSE]
    dense_blocks(blocks, n) - sum_links(links$weight * old, links$row, n)
  }
  same <- rep(TRUE, length(links$row))
  for (term in fit$random) {
    equal <- rows$codes[[term$factor]][links$row] == design$factors[[term$factor]]$codes[links$old]
    same <- same & !is.na(equal) & equal
  }
  apart <- sort(unique(links$row[!same]))
  others <- setdiff(seq_len(n), apart)
  x <- less(rows$x, design$x)
  variance <- numeric(n)
  if (length(others)) {
    part <- list(
      n = length(others), x = list(x[others, , drop = FALSE]),
      codes = lapply(rows$codes, function(codes) codes[others]),
      bases = Map(function(basis, term) list(less(basis, term$basis)[others, , drop = FALSE]), rows$bases, design$terms)
    )
    variance[others] <- prediction_variance(fit, part, rep("known", length(fit$random)), call)
  }
  if (length(apart)) variance[apart] <- dense_variance(fit, design, rows, x, links, apart, call)
  variance
}

# The rows `apart` of linked_variance(): sigma^2 m (M'M + D)^-1 m' with M the whitened (X, Z Lambda).
dense_variance <- function(fit, design, rows, x, links, apart, call) {
  p <- fit$rank
  q <- random_count(fit)
  bytes <- 3 * 8 * (p + q) * (fit$nobs + length(apart) + p + q)
  if (bytes > fit$control$memory) {
    abort_ferrite("too_large", "The equations of the predictions must fit in memory.",
      sprintf("The levels of neighbours in a series differ; %s effects need %s where %s are allowed.",
        big_number(p + q), gigabytes(bytes), gigabytes(fit$control$memory)),
      hint = "Predict without standard errors or with `serial = FALSE`, or raise `lmm_control(memory = )`.",
      call = call, data = list(bytes = bytes, limit = fit$control$memory)
    )
  }
  factor <- relative_factor(fit)
  z <- random_matrix(fit, design)
  inner <- cbind(dense_blocks(design$x, fit$nobs)[, fit$kept, drop = FALSE], z %*% factor) / residual_sd(fit)
  inner <- crossprod(whiten_rows(fit, unname(inner)))
  diag(inner) <- diag(inner) + rep(0:1, c(p, q))
  own <- matrix(0, length(apart), q)
  added <- numeric(length(apart))
  at <- 0L
  for (k in seq_along(fit$random)) {
    term <- fit$random[[k]]
    basis <- dense_blocks(rows$bases[[k]], rows$n)[apart, , drop = FALSE]
    codes <- rows$codes[[term$factor]][apart]
    old <- which(!is.na(codes))
    width <- ncol(basis)
    for (j in seq_len(width)) own[cbind(old, at + (codes[old] - 1L) * width + j)] <- basis[old, j]
    new <- which(is.na(codes))
    added[new] <- added[new] + quadratic_forms(basis[new, , drop = FALSE], term$varcov)
    at <- at + width * nrow(term$b)
  }
  links <- lapply(links[c("row", "old", "weight")], `[`, links$row %in% apart)
  own <- own - sum_links(links$weight * z[links$old, , drop = FALSE], match(links$row, apart), length(apart))
  target <- cbind(x[apart, fit$kept, drop = FALSE], own %*% factor)
  fit$sigma^2 * colSums(backsolve(chol(inner), t(target), transpose = TRUE)^2) + added
}
