# No, partial and complete pooling for one grouping factor: the numbers of shrinkage().
#
# Reads   a fit and its design.
# Writes  matrices levels x effects: none, complete, partial, factor.
#
# The columns Z_j of a level and the fixed part meet in the rows of the level: whatever part of X beta lies in the span
# of Z_j in every level (the intercept; a covariate of the levels; its product with a column of Z_j) is a part of the
# level's own coefficients, D_j beta. The rest of X keeps common coefficients. So
#   complete_j = D_j beta (least squares), partial_j = D_j beta (mixed model) + b_j + effects of outer levels,
# and none_j, the least-squares coefficients of the level beside the common ones, are three answers to one question.

#' Pooling of one unit
#'
#' @param unit list(factor, terms): a grouping factor and the numbers of its terms that are taken together.
#' @noRd
pool_unit <- function(fit, design, unit) {
  codes <- design$factors[[unit$factor]]$codes
  n <- length(design$y)
  n_levels <- fit$factors[[unit$factor]]$n_levels
  root <- if (is.null(design$weights)) 1 else sqrt(design$weights)
  z <- root * unit_basis(design, unit, n)
  x <- root * dense_blocks(design$x, n)[, fit$kept, drop = FALSE]
  y <- root * (design$y - (if (is.null(design$offset)) 0 else design$offset))
  within <- factor_within(z, codes, n_levels)
  common <- common_part(within, x, y)
  none <- common$own
  none[!estimable_within(within)] <- NA_real_
  absorbed <- x[, common$absorbed, drop = FALSE] - x[, common$kept, drop = FALSE] %*% common$relation
  shares <- level_shares(within, z, absorbed)
  beta <- unname(fit$beta[fit$kept])
  least_squares <- if (ncol(x)) qr.coef(qr(x, LAPACK = TRUE), y) else numeric()
  modes <- do.call(cbind, lapply(fit$random[unit$terms], function(term) unname(term$b)))
  list(
    complete = level_values(shares, least_squares[common$absorbed]), none = none,
    partial = level_values(shares, beta[common$absorbed]) + modes + outer_part(fit, design, unit, within, z, root),
    factor = shrinkage_factors(fit, design, unit, z, within, root)
  )
}

unit_basis <- function(design, unit, n) {
  do.call(cbind, lapply(design$terms[unit$terms], function(term) dense_blocks(term$basis, n)))
}

# Least squares with own coefficients in every level. `kept` columns of x have common coefficients; the others are, but
# for kept %*% relation, absorbed by the levels.
common_part <- function(within, x, y) {
  p <- ncol(x)
  fit <- regress_within(within, cbind(x, y))
  rest <- fit$residual[, seq_len(p), drop = FALSE]
  scale <- sqrt(colSums(x^2))
  free <- which(sqrt(colSums(rest^2)) > 1e-7 * scale)
  kept <- integer()
  relation <- matrix(0, 0L, p)
  beta <- numeric()
  if (length(free)) {
    qr <- qr(sweep(rest[, free, drop = FALSE], 2L, scale[free], "/"), tol = 1e-7)
    kept <- sort(free[qr$pivot[seq_len(qr$rank)]])
    qr <- qr(rest[, kept, drop = FALSE], LAPACK = TRUE)
    beta <- qr.coef(qr, fit$residual[, p + 1L])
    relation <- matrix(qr.coef(qr, rest), length(kept), p)
  }
  absorbed <- setdiff(seq_len(p), kept)
  relation[, !seq_len(p) %in% free] <- 0
  own <- level_values(fit$coefficients, c(replace(numeric(p), kept, -beta), 1))
  list(kept = kept, absorbed = absorbed, relation = relation[, absorbed, drop = FALSE], own = own)
}

# J x k x m times m: J x k.
level_values <- function(shares, beta) {
  matrix(times_matrix(shares, matrix(beta, ncol = 1L)), dim(shares)[1L])
}

# D_j: the coefficients of columns that the levels absorb, on the columns of each level. Where a level's own rows do not
# determine them, the pattern of the other levels does: the same numbers if all have the same, or else the same columns.
level_shares <- function(within, z, columns) {
  shares <- regress_within(within, columns)$coefficients
  whole <- rowSums(!within$used) == 0
  if (all(whole) || !ncol(columns)) return(shares)
  rows <- !whole[within$codes]
  for (m in seq_len(ncol(columns))) {
    known <- matrix(shares[whole, , m], ncol = ncol(z))
    same <- vapply(seq_len(ncol(z)), function(j) identical(z[, j], columns[, m]), NA)
    if (any(same)) {
      known <- rbind(as.double(seq_along(same) == which(same)[1L]))
    }
    spread <- if (nrow(known)) apply(known, 2L, function(v) diff(range(v))) else Inf
    if (all(spread <= 1e-7 * max(abs(known), 0))) {
      shares[!whole, , m] <- rep(colMeans(known), each = sum(!whole))
      next
    }
    active <- if (nrow(known)) which(colSums(abs(known)) > 1e-7 * sum(abs(known))) else seq_len(ncol(z))
    part <- factor_within(z[rows, active, drop = FALSE], match(within$codes[rows], which(!whole)), sum(!whole))
    own <- regress_within(part, columns[rows, m, drop = FALSE])$coefficients
    own[rowSums(!part$used) > 0, , ] <- NA_real_
    shares[!whole, , m] <- 0
    shares[!whole, active, m] <- own
  }
  shares
}

# Effects of the levels of other factors in which the levels of this one lie, on the level's own columns.
outer_part <- function(fit, design, unit, within, z, root) {
  total <- matrix(0, nrow(within$used), ncol(z))
  codes <- within$codes
  for (k in outer_factors(fit, design, unit$factor)) {
    parent <- integer(nrow(total))
    parent[codes] <- design$factors[[k]]$codes
    for (t in which(vapply(fit$random, function(term) term$factor == k, NA))) {
      basis <- root * dense_blocks(design$terms[[t]]$basis, length(codes))
      left <- sqrt(colSums(regress_within(within, basis)$residual^2))
      for (column in which(left <= 1e-7 * sqrt(colSums(basis^2)))) {
        share <- level_shares(within, z, basis[, column, drop = FALSE])
        total <- total + matrix(share, nrow(total)) * fit$random[[t]]$b[parent, column]
      }
    }
  }
  total
}

# Nested factors -------------------------------------------------------------------------------------------------------

# Does every level of factor i lie in one level of factor k, and are there more of the former?
lies_in <- function(fit, design, i, k) {
  inner <- design$factors[[i]]$codes
  outer <- design$factors[[k]]$codes
  if (fit$factors[[i]]$n_levels <= fit$factors[[k]]$n_levels) return(FALSE)
  parent <- integer(fit$factors[[i]]$n_levels)
  parent[inner] <- outer
  identical(parent[inner], as.integer(outer))
}

outer_factors <- function(fit, design, k) {
  Filter(function(other) lies_in(fit, design, k, other), setdiff(seq_along(fit$factors), k))
}

# Factors nested in factor k and in each other, innermost first.
inner_chain <- function(fit, design, k) {
  inside <- Filter(function(other) lies_in(fit, design, other, k), setdiff(seq_along(fit$factors), k))
  inside <- inside[order(-vapply(fit$factors[inside], function(factor) factor$n_levels, 1L))]
  chain <- integer()
  for (i in inside) if (!length(chain) || lies_in(fit, design, chain[length(chain)], i)) chain <- c(chain, i)
  chain
}

# Shrinkage factors ----------------------------------------------------------------------------------------------------

# The diagonal of G (G + A_j^-1)^-1 = L (I + L'A_j L)^-1 L'A_j, G = LL', for every level.
shrinkage_factors <- function(fit, design, unit, z, within, root) {
  l <- fit$sigma * block_diagonal(templates(fit)[unit$terms])
  a <- level_information(fit, design, unit, z, within, root)
  right <- aperm(times_matrix(a, l), c(1L, 3L, 2L))
  left <- times_matrix(right, l)
  for (i in seq_len(ncol(z))) left[, i, i] <- left[, i, i] + 1
  solved <- solve_levels(left, right)
  out <- matrix(0, dim(a)[1L], ncol(z))
  for (i in seq_len(ncol(z))) {
    for (j in seq_len(ncol(z))) out[, i] <- out[, i] + l[i, j] * solved[, j, i]
  }
  out
}

# A_j: Z_j'W_jZ_j / sigma^2, or Z_j'V_j^-1 Z_j where other factors are nested in this one: their effects are eliminated
# from the cross-products, innermost first.
level_information <- function(fit, design, unit, z, within, root) {
  chain <- inner_chain(fit, design, unit$factor)
  if (!length(chain)) return(level_squares(within$r) / fit$sigma^2)
  all_templates <- templates(fit)
  pieces <- lapply(chain, function(k) {
    terms <- which(vapply(fit$random, function(term) term$factor == k, NA))
    basis <- unit_basis(design, list(terms = terms), nrow(z))
    root * basis %*% block_diagonal(all_templates[terms])
  })
  sizes <- vapply(pieces, ncol, 1L)
  steps <- c(lapply(design$factors[chain], `[[`, "codes"), list(within$codes))
  products <- level_products(do.call(cbind, c(pieces, list(z / fit$sigma))), steps[[1L]], max(steps[[1L]]))
  for (k in seq_along(chain)) {
    products <- eliminate_effects(products, sizes[k])
    parent <- integer(dim(products)[1L])
    parent[steps[[k]]] <- steps[[k + 1L]]
    left <- dim(products)[2L]
    products <- array(level_sums(matrix(products, dim(products)[1L]), parent), c(max(parent), left, left))
  }
  products
}

# R'R for every level.
level_squares <- function(r) {
  k <- dim(r)[2L]
  out <- array(0, dim(r))
  for (i in seq_len(k)) for (j in seq_len(k)) out[, i, j] <- rowSums(matrix(r[, , i] * r[, , j], dim(r)[1L]))
  out
}

# Cross-products without the first `m` columns, whose effects are independent with variance one (in units of the rows).
eliminate_effects <- function(products, m) {
  for (i in seq_len(m)) products[, i, i] <- products[, i, i] + 1
  for (step in seq_len(m)) {
    pivot <- products[, 1L, 1L]
    k <- dim(products)[2L]
    rest <- seq_len(k)[-1L]
    ratio <- matrix(products[, 1L, ], ncol = k) / pivot
    for (i in rest) products[, i, ] <- matrix(products[, i, ], ncol = k) - products[, i, 1L] * ratio
    products <- products[, rest, rest, drop = FALSE]
  }
  products
}

block_diagonal <- function(blocks) {
  sizes <- vapply(blocks, ncol, 1L)
  out <- matrix(0, sum(sizes), sum(sizes))
  at <- 0L
  for (block in blocks) {
    here <- at + seq_len(ncol(block))
    out[here, here] <- block
    at <- at + ncol(block)
  }
  out
}
