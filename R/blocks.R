# Arithmetic on the blocks of a design: how R multiplies what design_of() returns.
#
# A block is a double vector (one column), a double matrix (several) or the single number 1 (a constant column).

# The blocks as one dense n x m matrix without names.
dense_blocks <- function(blocks, n) {
  columns <- lapply(blocks, function(block) if (is.matrix(block)) unname(block) else rep_len(as.double(block), n))
  if (length(columns)) do.call(cbind, columns) else matrix(0, n, 0L)
}

# blocks %*% coefficients for every row, without building the matrix. A coefficient that is NA counts as a dropped
# column.
times_blocks <- function(blocks, coefficients, n) {
  total <- numeric(n)
  at <- 0L
  for (block in blocks) {
    width <- if (is.matrix(block)) ncol(block) else 1L
    own <- coefficients[at + seq_len(width)]
    own[is.na(own)] <- 0
    total <- total + if (is.matrix(block)) drop(block %*% own) else block * own
    at <- at + width
  }
  total
}

# Row i of the basis times row codes[i] of `b` (levels x columns): the contribution of one random term to every row.
times_levels <- function(blocks, b, codes) {
  total <- numeric(length(codes))
  at <- 0L
  for (block in blocks) {
    width <- if (is.matrix(block)) ncol(block) else 1L
    for (column in seq_len(width)) {
      values <- if (is.matrix(block)) block[, column] else block
      total <- total + values * b[codes, at + column]
    }
    at <- at + width
  }
  unname(total)
}

# The two parts of the linear predictor at the rows of the fit.
fixed_part <- function(fit, design) {
  offset <- if (is.null(design$offset)) 0 else design$offset
  times_blocks(design$x, unname(fit$beta), length(design$y)) + offset
}

random_part <- function(fit, design) {
  total <- numeric(length(design$y))
  for (k in seq_along(fit$random)) {
    term <- design$terms[[k]]
    total <- total + times_levels(term$basis, fit$random[[k]]$b, design$factors[[term$factor]]$codes)
  }
  total
}
