# The matrices of the random effects, built only when asked for: Z, Lambda and their labels.
# Order of the random effects everywhere: term, then level, then effect.

or_else <- function(value, default) if (is.null(value)) default else value

random_count <- function(fit) {
  sum(vapply(fit$random, function(term) as.double(length(term$b)), 0))
}

# "Subject.308.Days" for every random effect.
random_labels <- function(fit) {
  unlist(lapply(fit$random, function(term) {
    levels <- rownames(term$b)
    paste(term$group, rep(levels, each = length(term$effects)), rep(term$effects, times = length(levels)), sep = ".")
  }))
}

# "b" or "u" of all terms as one named vector.
stack_terms <- function(fit, what) {
  values <- unlist(lapply(fit$random, function(term) as.vector(t(term[[what]]))))
  stats::setNames(values, random_labels(fit))
}

# The dense n x q matrix of the random effects.
random_matrix <- function(fit, design) {
  n <- length(design$y)
  z <- matrix(0, n, random_count(fit), dimnames = list(rownames(fit$frame), random_labels(fit)))
  at <- 0L
  for (k in seq_along(design$terms)) {
    term <- design$terms[[k]]
    basis <- dense_blocks(term$basis, n)
    q <- ncol(basis)
    codes <- as.integer(design$factors[[term$factor]]$codes)
    for (column in seq_len(q)) z[cbind(seq_len(n), at + (codes - 1L) * q + column)] <- basis[, column]
    at <- at + q * length(design$factors[[term$factor]]$levels)
  }
  z
}

# theta as lower triangular matrices, one per term, filled by columns.
templates <- function(fit) {
  at <- 0L
  terms <- lapply(fit$random, function(term) {
    q <- length(term$effects)
    t <- matrix(0, q, q, dimnames = list(term$effects, term$effects))
    free <- lower.tri(t, diag = TRUE)
    t[free] <- fit$theta[at + seq_len(sum(free))]
    at <<- at + sum(free)
    t
  })
  stats::setNames(terms, make.unique(vapply(fit$random, function(term) term$group, "")))
}

# Lambda: each template repeated down the diagonal once per level.
relative_factor <- function(fit) {
  q_all <- random_count(fit)
  lambda <- matrix(0, q_all, q_all)
  all_templates <- templates(fit)
  at <- 0L
  for (k in seq_along(all_templates)) {
    template <- all_templates[[k]]
    q <- nrow(template)
    starts <- at + q * (seq_len(nrow(fit$random[[k]]$b)) - 1L)
    for (i in seq_len(q)) {
      for (j in seq_len(i)) lambda[cbind(starts + i, starts + j)] <- template[i, j]
    }
    at <- at + q * length(starts)
  }
  lambda
}
