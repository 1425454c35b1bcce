# Cluster-robust covariance matrices of the fixed effects: CR0, CR1, CR2.
#
# Reads   a fit, its clusters (clusters.R).
# Writes  `pieces`: everything that covariances and degrees of freedom are made of, without an n x n matrix.
# Used by vcov.lmm(), robust.R; their degrees of freedom are in robust-df.R.
#
# In a cluster V_j = L'L (relative to sigma^2), x = L'^-1 X_j, e = L'^-1 (y_j - X_j beta); over all clusters x = U R by
# QR, so that U'U = I and vcov = sigma^2 R^-1 R'^-1. With t_j the rows that stand for the adjusted cluster,
#   CR    R^-1 [ sum_j s_j s_j' ] R'^-1        s_j = t_j'e_j      CR0: t = U
#   CR2   t = LL' B^(-1/2) U                   B = LL' (I - UU') LL'
# which is A = L'B^(-1/2)L of Bell and McCaffrey (2002) for the working covariance V (Pustejovsky and Tipton 2018), with
# a generalised inverse where a cluster alone determines a combination of coefficients. For the covariances of the terms
# of the sum,   k_j = t_j'U_j      n_j = t_j't_j - k_j k_j'.

robust_types <- c("CR0", "CR1", "CR2")

# The covariance matrix over the estimated coefficients.
robust_covariance <- function(fit, type, cluster, call) {
  if (!fit$rank) return(fit$vcov)
  design <- design_of(fit)
  pieces <- cluster_pieces(fit, find_clusters(fit, cluster, design, call), type, design, call)
  warn_alone(pieces, "its variance is too small", call)
  robust_matrix(pieces)
}

robust_matrix <- function(pieces) {
  factor <- backsolve(pieces$root, t(pieces$scores))
  out <- pieces$scale * tcrossprod(factor)
  dimnames(out) <- list(pieces$names, pieces$names)
  out
}

#' Sums by cluster
#'
#' @returns list(root: R; scores: J x r; k, n: J x r x r; scale: the factor of CR1; alone: columns v with U_jv = 0 in
#'   all clusters but one; names).
#' @noRd
cluster_pieces <- function(fit, clusters, type, design, call) {
  working <- working_model(fit, design, clusters)
  small <- whitened_clusters(working, type == "CR2", fit$control$memory, call)
  x <- do.call(rbind, lapply(small, `[[`, "x"))
  e <- unlist(lapply(small, `[[`, "e"), use.names = FALSE)
  sizes <- vapply(small, function(one) length(one$e), 0L)
  codes <- rep.int(seq_along(sizes), sizes)
  # columns of one length first: with tolerance zero nothing is left out
  lengths <- sqrt(colSums(x^2))
  decomposition <- qr(x / rep(lengths, each = nrow(x)), tol = 0)
  u <- qr.Q(decomposition)
  last <- cumsum(sizes)
  rows <- lapply(seq_along(sizes), function(j) (last[j] - sizes[j] + 1L):last[j])
  alone <- lapply(rows, function(own) own_directions(u[own, , drop = FALSE]))
  t <- u
  if (type == "CR2") {
    for (j in seq_along(sizes)) {
      t[rows[[j]], ] <- adjusted_rows(small[[j]]$root, u[rows[[j]], , drop = FALSE], max(0L, ncol(alone[[j]])))
    }
  }
  j <- length(sizes)
  r <- ncol(u)
  k <- array(0, c(j, r, r))
  for (i in seq_len(r)) k[, i, ] <- level_sums(t[, i] * u, codes)
  n <- level_products(t, codes, j)
  for (i in seq_len(r)) for (h in seq_len(r)) n[, i, h] <- n[, i, h] - rowSums(matrix(k[, i, ] * k[, h, ], j))
  list(
    root = qr.R(decomposition) * rep(lengths, each = r), scores = level_sums(t * e, codes), k = k, n = n,
    scale = if (type == "CR1") j / (j - 1) else 1, alone = do.call(cbind, alone), names = fit$x_names[fit$kept]
  )
}

# Directions in which one cluster has all the information: eigenvalues 1 of U_j'U_j. `NULL` if there is none.
own_directions <- function(u) {
  if (sum(u^2) < 1 - 1e-6) return(NULL)
  turned <- eigen(crossprod(u), symmetric = TRUE)
  own <- turned$values > 1 - 1e-8
  if (any(own)) turned$vectors[, own, drop = FALSE]
}

# Rows t of the adjusted cluster. In `null` directions B has the eigenvalue 0.
adjusted_rows <- function(root, u, null) {
  inner <- tcrossprod(root)
  turned <- eigen(tcrossprod(inner) - tcrossprod(inner %*% u), symmetric = TRUE)
  power <- 1 / sqrt(pmax(turned$values, 0))
  power[length(power) + 1L - seq_len(null)] <- 0
  inner %*% (turned$vectors %*% (power * crossprod(turned$vectors, u)))
}

# Which combinations of coefficients (rows of L) rest on one cluster alone? Its residuals are zero in that direction, so
# that its share is missing in the robust variance.
rest_on_one <- function(pieces, rows) {
  if (is.null(pieces$alone)) return(rep(FALSE, nrow(rows)))
  m <- backsolve(pieces$root, t(rows), transpose = TRUE)
  colSums(crossprod(pieces$alone, m)^2) > 1e-8 * colSums(m^2)
}

warn_alone <- function(pieces, consequence, call) {
  lost <- pieces$names[rest_on_one(pieces, diag(length(pieces$names)))]
  if (!length(lost)) return(invisible())
  warn_ferrite("cluster", "A coefficient must vary in several clusters to have a robust variance.",
    paste0(quoted_list(lost), " rest", if (length(lost) == 1L) "s", " on one cluster alone: ", consequence, "."),
    hint = "Use the standard error of the model, or tests such as `summary(fit, ddf = \"Kenward-Roger\")`.",
    call = call, data = list(coefficients = lost)
  )
}

# vcov(fit, type = , cluster = ).
chosen_variance <- function(fit, type, cluster, call) {
  type <- choose_one(type, c("model", robust_types), "type", call)
  if (type != "model") return(robust_covariance(fit, type, cluster, call))
  if (is.null(cluster)) return(fit$vcov)
  abort_ferrite("argument", "`cluster` must come with a robust `type`.", "`type` is \"model\".",
    hint = "Write, for example, `vcov(fit, type = \"CR2\", cluster = ~ g)`.", call = call,
    data = list(argument = "type")
  )
}
