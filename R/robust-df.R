# Degrees of freedom of cluster-robust variances: moments of the estimate under the fitted model.
#
# Reads   the pieces of vcov-robust.R, rows of L.
# Writes  degrees of freedom of t tests (Bell and McCaffrey 2002) and of F tests (Tipton and Pustejovsky 2015).
# Used by robust.R.

#' Moments of robust variances under the working model
#'
#' The robust covariance of a, b in R'^-1 (rows of L) is a sum of products of linear forms of y, whose covariances are
#' P_ij = [i = j] a'(n_j + k_j k_j')b - (k_i'a)'(k_j'b).
#' @param rows Matrix over the coefficients.
#' @returns list(own: J x q x q, a'n_j b; along: list of q matrices J x r, k_j'a).
#' @noRd
robust_forms <- function(pieces, rows) {
  m <- backsolve(pieces$root, t(rows), transpose = TRUE)
  j <- dim(pieces$k)[1L]
  r <- nrow(m)
  q <- ncol(m)
  along <- lapply(seq_len(q), function(s) {
    matrix(matrix(aperm(pieces$k, c(1L, 3L, 2L)), j * r) %*% m[, s], j)
  })
  own <- array(0, c(j, q, q))
  for (s in seq_len(q)) {
    half <- matrix(matrix(pieces$n, j * r) %*% m[, s], j)
    own[, s, ] <- half %*% m
  }
  list(own = own, along = along)
}

# Satterthwaite's degrees of freedom of each row: 2 E^2 / Var of its robust variance; NA where that is no variance.
robust_df <- function(pieces, rows) {
  forms <- robust_forms(pieces, rows)
  df <- vapply(seq_len(nrow(rows)), function(s) {
    own <- forms$own[, s, s]
    along <- forms$along[[s]]
    sum(own)^2 / (sum(own^2) + sum(crossprod(along)^2) - sum(rowSums(along^2)^2))
  }, 0)
  df[rest_on_one(pieces, rows)] <- NA
  df
}

#' F test of several rows: Hotelling's T^2 with approximate degrees of freedom
#'
#' The form HTZ of Tipton and Pustejovsky (2015): that of a Wishart matrix whose elements have the same total variance.
#' @param rows Linearly independent.
#' @returns Vector F, ndf, ddf.
#' @noRd
robust_f <- function(pieces, rows, distance) {
  q <- nrow(rows)
  if (any(rest_on_one(pieces, rows))) return(c(F = NA, ndf = q, ddf = NA))
  expected <- colSums(robust_forms(pieces, rows)$own)
  inner <- rows %*% robust_matrix(pieces) %*% t(rows)
  size <- sqrt(diag(matrix(expected, q)))
  turned <- eigen(matrix(expected, q) / outer(size, size), symmetric = TRUE)
  # fewer clusters than rows
  if (min(turned$values) < 1e-10) return(c(F = NA, ndf = q, ddf = NA))
  half <- t(turned$vectors / rep(sqrt(turned$values), each = q)) / rep(size, each = q)
  forms <- robust_forms(pieces, half %*% rows)
  total <- 0
  for (s in seq_len(q)) {
    for (t in seq_len(q)) {
      a <- forms$along[[s]]
      b <- forms$along[[t]]
      both <- sum(forms$own[, s, s] * forms$own[, t, t]) + sum(forms$own[, s, t]^2)
      shared <- crossprod(b, a)
      total <- total + both + sum(shared^2) + sum(shared * t(shared)) -
        sum(rowSums(a^2) * rowSums(b^2)) - sum(rowSums(a * b)^2)
    }
  }
  eta <- q * (q + 1) / total
  statistic <- sum(distance * solve_scaled(inner, distance))
  ddf <- eta - q + 1
  c(F = if (ddf > 0) ddf / (eta * q) * statistic else NA, ndf = q, ddf = ddf)
}
