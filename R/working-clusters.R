# The clusters of a fit with their fitted covariance matrices.
#
# Reads   a fit, its design, its clusters (clusters.R).
# Writes  working_model(): what all of them are taken from; whitened_clusters(): L, X and residuals of each.
# Used by vcov-robust.R.

# Columns over the rows, sorted by cluster; covariances relative to sigma^2.
working_model <- function(fit, design, clusters) {
  n <- fit$nobs
  order <- order(clusters$codes, method = "radix")
  sorted <- function(m) m[order, , drop = FALSE]
  terms <- lapply(seq_along(fit$random), function(k) {
    factor <- design$factors[[design$terms[[k]]$factor]]
    basis <- sorted(dense_blocks(design$terms[[k]]$basis, n))
    covariance <- unname(fit$random[[k]]$varcov) / fit$sigma^2
    # a cluster has one level of a factor that has as many levels as there are clusters
    list(basis = basis, spread = basis %*% covariance, covariance = covariance,
         codes = if (factor$n_levels != clusters$n) factor$codes[order])
  })
  serial <- residual_blocks(fit)
  if (!is.null(serial)) serial[c("codes", "time")] <- list(serial$codes[order], serial$time[order])
  list(
    x = sorted(dense_blocks(design$x, n)[, fit$kept, drop = FALSE]), e = (design$y - fixed_part(fit, design))[order],
    deviation = residual_sd(fit)[order], terms = terms, serial = serial,
    ends = cumsum(tabulate(clusters$codes, clusters$n))
  )
}

#' All clusters after division by their factors
#'
#' A cluster of many rows is turned into the space of its columns first.
#' @param keep Whether the factors are wanted.
#' @returns List of list(root: L or `NULL`; x, e: both after L'^-1).
#' @noRd
whitened_clusters <- function(working, keep, limit, call) {
  ends <- working$ends
  begins <- c(0L, ends[-length(ends)]) + 1L
  kept <- 0
  out <- vector("list", length(ends))
  for (j in seq_along(ends)) {
    rows <- begins[j]:ends[j]
    part <- if (length(rows) > 40L && is.null(working$serial)) reduced_cluster(rows, working)
    size <- if (is.null(part)) length(rows) else nrow(part$v)
    # besides the factors that are kept, a few matrices as large as this one
    if (8 * (kept + 6 * size^2) > limit) clusters_too_large(size, kept + 6 * size^2, limit, call)
    kept <- kept + keep * size^2
    if (is.null(part)) part <- whole_cluster(rows, working)
    root <- chol(part$v)
    white <- backsolve(root, cbind(part$x, part$e), transpose = TRUE)
    last <- ncol(white)
    out[[j]] <- list(root = if (keep) root, x = white[, -last, drop = FALSE], e = white[, last])
  }
  out
}

clusters_too_large <- function(size, numbers, limit, call) {
  abort_ferrite("too_large", "The covariance matrices of the clusters must fit in memory.",
    sprintf("With a cluster of %s they need %s or more where %s are allowed.", counted(size, "row"),
      bytes_text(8 * numbers), bytes_text(limit)),
    hint = "Use the model's covariance matrix, smaller clusters, or raise `lmm_control(memory = )`.", call = call,
    data = list(bytes = 8 * numbers, limit = limit)
  )
}

whole_cluster <- function(rows, working) {
  n <- length(rows)
  v <- matrix(0, n, n)
  deviation <- working$deviation[rows]
  if (is.null(working$serial)) {
    v[seq.int(1L, n * n, n + 1L)] <- deviation^2
  } else {
    codes <- working$serial$codes[rows]
    v <- outer(codes, codes, `==`) * working$serial$correlation(working$serial$time[rows]) * tcrossprod(deviation)
  }
  for (term in working$terms) {
    own <- tcrossprod(term$spread[rows, , drop = FALSE], term$basis[rows, , drop = FALSE])
    if (!is.null(term$codes)) {
      codes <- term$codes[rows]
      own <- own * outer(codes, codes, `==`)
    }
    v <- v + own
  }
  list(v = v, x = working$x[rows, , drop = FALSE], e = working$e[rows])
}

# Where rows have the same residual variance, X, Z and V act in the span of the columns of X and Z alone: outside of it
# the adjustment is the identity and X is zero. `NULL` if that span is not small.
reduced_cluster <- function(rows, working) {
  deviation <- working$deviation[rows]
  strata <- match(deviation, unique(deviation))
  levels <- lapply(working$terms, function(term) {
    if (is.null(term$codes)) rep.int(1L, length(rows)) else match(term$codes[rows], unique(term$codes[rows]))
  })
  widths <- vapply(working$terms, function(term) ncol(term$basis), 0L) * vapply(levels, max, 0L)
  x <- working$x[rows, , drop = FALSE]
  if (2 * max(strata) * (ncol(x) + sum(widths)) > length(rows)) return(NULL)
  z <- Map(function(term, level, width) {
    basis <- term$basis[rows, , drop = FALSE]
    q <- ncol(basis)
    wide <- matrix(0, length(rows), width)
    for (i in seq_len(q)) wide[cbind(seq_along(rows), (level - 1L) * q + i)] <- basis[, i]
    wide
  }, working$terms, levels, widths)
  columns <- cbind(x, do.call(cbind, z))
  pieces <- lapply(seq_len(max(strata)), function(s) {
    own <- which(strata == s)
    decomposition <- qr(columns[own, , drop = FALSE], LAPACK = TRUE)
    size <- min(length(own), ncol(columns))
    turned <- qr.R(decomposition)
    turned[, decomposition$pivot] <- turned
    list(
      columns = turned, e = qr.qty(decomposition, working$e[rows][own])[seq_len(size)],
      variance = rep(deviation[own[1L]]^2, size)
    )
  })
  columns <- do.call(rbind, lapply(pieces, `[[`, "columns"))
  v <- diag(unlist(lapply(pieces, `[[`, "variance")), nrow(columns))
  at <- ncol(x)
  for (k in seq_along(z)) {
    own <- columns[, at + seq_len(widths[k]), drop = FALSE]
    covariance <- working$terms[[k]]$covariance
    v <- v + own %*% kronecker(diag(widths[k] / ncol(covariance)), covariance) %*% t(own)
    at <- at + widths[k]
  }
  list(v = v, x = columns[, seq_len(ncol(x)), drop = FALSE], e = unlist(lapply(pieces, `[[`, "e")))
}
