# Can the variances of the random terms be told from each other and from sigma^2? What R can see before the fit.
#
# Reads   the finished design.
# Raises  `ferrite_error_unidentified`.
# Not here: what only the sums show (a term in the span of X, a direction that the likelihood cannot see): the engine
# decides that, and unidentified.R says it.

check_random <- function(design, call) {
  check_repeated(design, call)
  check_number(design, call)
  check_same_partition(design, call)
  # one random effect for each row can be told from a residual that is correlated or scaled by a covariate
  strata <- is.null(design$residual) || (is.null(design$correlation) && !is.null(design$scale$strata))
  for (k in seq_along(design$factors)) if (strata) check_saturated(k, design, call)
}

# There must not be more variances and covariances than rows.
check_number <- function(design, call) {
  count <- function(term) if (is.null(term$structure)) choose(length(term$effects) + 1, 2) else 1
  counts <- vapply(design$terms, count, 1)
  n <- length(design$y)
  if (sum(counts) < n) return(invisible())
  largest <- design$terms[[which.max(counts)]]
  abort_ferrite(
    "unidentified", "There must be fewer variances and covariances than observations.",
    paste0("There are ", counted(n, "observation"), " and ", format(sum(counts), big.mark = ","),
           " variances and covariances, ", format(max(counts), big.mark = ","), " of them in `",
           short_text(largest$text), "`."),
    hint = "Use fewer columns, or `||`, which leaves out the covariances.",
    call = call, data = list(terms = largest$text, n_obs = n)
  )
}

# A column must enter a grouping factor once.
check_repeated <- function(design, call) {
  for (j in seq_along(design$terms)) {
    for (i in seq_len(j - 1L)) {
      a <- design$terms[[i]]
      b <- design$terms[[j]]
      shared <- if (a$factor == b$factor) intersect(a$effects, b$effects)
      if (length(shared)) repeated_term(a, b, shared, call)
    }
  }
}

repeated_term <- function(a, b, shared, call) {
  abort_ferrite(
    "unidentified", "A column must enter the random terms of a grouping factor only once.",
    paste0(quoted_list(shared), if (length(shared) == 1L) " is" else " are", " in `", a$text,
           "` and again in `", b$text, "`, so the two variances cannot be told apart."),
    hint = if (identical(a$text, b$text)) paste0("Write `", b$text, "` once.")
    else paste0("Remove one of the two terms",
                if (any(shared == "(Intercept)")) ", or write `0 +` in one of them", "."),
    call = call, data = list(factor = a$group, columns = shared)
  )
}

# Two factors that group the rows in the same way are one factor under two names.
check_same_partition <- function(design, call) {
  factors <- design$factors
  for (j in seq_along(factors)) {
    for (i in seq_len(j - 1L)) {
      if (factors[[i]]$n_levels != factors[[j]]$n_levels || !same_partition(factors[[i]], factors[[j]])) next
      for (a in terms_on(i, design)) for (b in terms_on(j, design)) {
        if (length(intersect(a$effects, b$effects))) one_partition(a, b, call)
      }
    }
  }
}

same_partition <- function(a, b) {
  to_b <- b$codes[match(seq_len(a$n_levels), a$codes)]
  identical(to_b[a$codes], b$codes)
}

terms_on <- function(factor, design) Filter(function(term) term$factor == factor, design$terms)

one_partition <- function(a, b, call) {
  abort_ferrite(
    "unidentified", "Two grouping factors must group the rows differently.",
    paste0("`", a$group, "` and `", b$group, "` put the same rows together, so the variances of `", a$text, "` and `",
           b$text, "` cannot be told apart."),
    hint = paste0("Remove one of the two terms, for example `", b$text, "`."),
    call = call, data = list(factor = c(a$group, b$group))
  )
}

# One level for each row: the term adds to the variance of each row a combination of the products of its columns. When
# these products can make up 1 / weights, the shape of the residual variance, sigma^2 cannot be told from them.
check_saturated <- function(k, design, call) {
  n <- length(design$y)
  factor <- design$factors[[k]]
  if (factor$n_levels < n) return(invisible())
  terms <- terms_on(k, design)
  residual <- if (is.null(design$weights)) rep(1, n) else 1 / design$weights
  products <- do.call(cbind, lapply(terms, function(term) column_products(term$basis, n)))
  scale <- sqrt(colMeans(products^2))
  if (!all(is.finite(scale))) return(invisible())
  products <- sweep(products[, scale > 0, drop = FALSE], 2L, scale[scale > 0], "/")
  if (ncol(products) && ncol(products) < n) {
    left <- qr.resid(qr(products), residual)
    if (sum(left^2) > 1e-14 * sum(residual^2)) return(invisible())
  }
  abort_ferrite(
    "unidentified", paste0("Grouping factor `", factor$name, "` must have fewer levels than there are observations."),
    paste0("It has ", factor$n_levels, " levels for ", n, " observations, so its variance ",
           "cannot be told from sigma^2."),
    hint = paste0("Remove ", paste0("`", unique(vapply(terms, `[[`, "", "text")), "`", collapse = " and "),
                  " from the formula, or check that the column is not a row identifier."),
    call = call, data = list(factor = factor$name, n_levels = factor$n_levels, n_obs = n)
  )
}

# n x q(q+1)/2: the products of all pairs of columns.
column_products <- function(blocks, n) {
  width <- sum(vapply(blocks, function(block) if (is.matrix(block)) ncol(block) else 1L, 1L))
  columns <- lapply(seq_len(width), function(j) rep_len(block_column(blocks, j), n))
  pairs <- which(upper.tri(diag(width), diag = TRUE), arr.ind = TRUE)
  vapply(seq_len(nrow(pairs)), function(i) columns[[pairs[i, 1L]]] * columns[[pairs[i, 2L]]], numeric(n))
}
