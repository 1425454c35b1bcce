# Least squares with own coefficients in every level of a factor, without a dense matrix of indicators.
#
# Reads   columns over the rows (times the square root of the weights), codes of the rows, the number of levels J.
# Writes  arrays with the level as their first dimension; everything is vectorised over levels.
# Used by pooling.R.
#
# With Z_j the columns in level j: Z_j = Q_j R_j by Gram-Schmidt, done twice. A column that the earlier ones make up in
# a level has a zero column of Q and a zero on the diagonal of R there.

#' @returns list(q: n x k, r: J x k x k, used: J x k, codes).
#' @noRd
factor_within <- function(z, codes, n_levels, tolerance = 1e-7) {
  k <- ncol(z)
  q <- matrix(0, nrow(z), k)
  r <- array(0, c(n_levels, k, k))
  used <- matrix(FALSE, n_levels, k)
  for (column in seq_len(k)) {
    v <- z[, column]
    before <- sqrt(level_sums(v^2, codes))
    earlier <- seq_len(column - 1L)
    for (pass in 1:2) {
      if (!length(earlier)) break
      along <- level_sums(q[, earlier, drop = FALSE] * v, codes)
      v <- v - rowSums(q[, earlier, drop = FALSE] * along[codes, , drop = FALSE])
      r[, earlier, column] <- r[, earlier, column] + along
    }
    size <- sqrt(level_sums(v^2, codes))
    free <- size > tolerance * before
    used[, column] <- free
    r[free, column, column] <- size[free]
    q[, column] <- ifelse(free[codes], v / size[codes], 0)
  }
  list(q = q, r = r, used = used, codes = codes)
}

# Sums by level: a vector for a vector, J x columns for a matrix. Every level has a row.
level_sums <- function(values, codes) {
  sums <- unname(rowsum(values, codes))
  if (is.matrix(values)) sums else drop(sums)
}

#' Regress columns on the columns of each level
#'
#' @returns list(coefficients: J x k x columns, zero for a column not used in a level; residual: n x columns).
#' @noRd
regress_within <- function(within, columns) {
  k <- ncol(within$q)
  along <- array(0, c(dim(within$used), ncol(columns)))
  for (pass in 1:2) {
    for (column in seq_len(k)) {
      sums <- level_sums(within$q[, column] * columns, within$codes)
      along[, column, ] <- along[, column, ] + sums
      columns <- columns - within$q[, column] * sums[within$codes, , drop = FALSE]
    }
  }
  list(coefficients = solve_within(within, along), residual = columns)
}

# R_j x = along_j for every level by back substitution.
solve_within <- function(within, along) {
  r <- within$r
  for (column in rev(seq_len(dim(along)[2L]))) {
    along[, column, ] <- along[, column, ] / ifelse(within$used[, column], r[, column, column], Inf)
    for (row in seq_len(column - 1L)) {
      along[, row, ] <- along[, row, ] - r[, row, column] * along[, column, ]
    }
  }
  along
}

# Which coefficients a level's own rows determine: J x k. Where column d is made up of earlier ones, d and those that it
# is made of are not determined; the others are.
estimable_within <- function(within, tolerance = 1e-7) {
  out <- within$used
  k <- ncol(out)
  sizes <- matrix(0, nrow(out), k)
  for (j in seq_len(k)) sizes[, j] <- sqrt(rowSums(matrix(within$r[, , j]^2, nrow(out))))
  for (column in seq_len(k)[-1L]) {
    at <- which(!within$used[, column])
    if (!length(at)) next
    earlier <- seq_len(column - 1L)
    part <- list(
      r = within$r[at, earlier, earlier, drop = FALSE], used = within$used[at, earlier, drop = FALSE]
    )
    made <- solve_within(part, array(within$r[at, earlier, column], c(length(at), length(earlier), 1L)))
    made <- matrix(made, length(at))
    share <- abs(made) * sizes[at, earlier, drop = FALSE] > tolerance * sizes[at, column]
    out[at, earlier] <- out[at, earlier] & !share
  }
  out
}

# Small systems, one a level ------------------------------------------------------------------------------------------

# a_j x_j = b_j for symmetric positive definite a (J x k x k) and b (J x k x m); no pivoting is needed.
solve_levels <- function(a, b) {
  k <- dim(a)[2L]
  for (column in seq_len(k)) {
    pivot <- a[, column, column]
    for (row in seq_len(k)[-column]) {
      ratio <- a[, row, column] / pivot
      a[, row, ] <- a[, row, ] - ratio * a[, column, ]
      b[, row, ] <- b[, row, ] - ratio * b[, column, ]
    }
  }
  for (row in seq_len(k)) b[, row, ] <- b[, row, ] / a[, row, row]
  b
}

# a_j m for one matrix m and every level: J x k x ncol(m).
times_matrix <- function(a, m) {
  size <- dim(a)
  array(matrix(a, size[1L] * size[2L], size[3L]) %*% m, c(size[1L], size[2L], ncol(m)))
}

# Cross-products of columns by level: J x k x k.
level_products <- function(columns, codes, n_levels) {
  k <- ncol(columns)
  out <- array(0, c(n_levels, k, k))
  for (i in seq_len(k)) {
    later <- i:k
    sums <- level_sums(columns[, later, drop = FALSE] * columns[, i], codes)
    out[, i, later] <- sums
    out[, later, i] <- sums
  }
  out
}
