# The random terms of a design: their columns, their order, the names of theta; the matrices Z and Lambda when somebody
# asks for them; and what is seen before the fit of terms that cannot be told apart.
#
# Reads   parsed terms, the model frame, grouping factors; a fit for Z, Lambda and their labels.
# Writes  the elements `terms` and `factors` of the design.
# Raises  `ferrite_error_unidentified`.
# Not here: what only the sums show (a term in the span of X, a direction that the likelihood cannot see): the engine
# decides that, and engine-failure.R says it.
# Order of the random effects everywhere: term, then level, then effect.

# One random term of the formula -> the random terms of the design: one, or one for each column when written with `||`.
random_columns <- function(term, lhs, factor, factors, frame, contrasts, memory, call) {
  columns <- checked_columns(lhs, frame, contrasts, memory, paste0("`", term$text, "`"), call)
  common <- list(
    group = factors[[factor]]$name, factor = factor, lhs = lhs, text = term$text,
    contrasts = columns$contrasts, xlevels = columns$xlevels
  )
  if (!is.null(term$structure)) common$structure <- check_structure(term, lhs, columns, call)
  if (!term$uncorrelated) return(list(c(common, list(effects = columns$names, basis = columns$blocks))))
  lapply(seq_along(columns$names), function(j) {
    c(common, list(effects = columns$names[j], basis = list(block_column(columns$blocks, j))))
  })
}

# Column j of a list of blocks.
block_column <- function(blocks, j) {
  for (block in blocks) {
    width <- if (is.matrix(block)) ncol(block) else 1L
    if (j <= width) return(if (is.matrix(block)) block[, j] else block)
    j <- j - width
  }
}

# The basis of a stored random term over a frame (that of the fit, or of new data).
basis_in <- function(term, frame) {
  columns <- columns_of(term$lhs, frame, term$contrasts)
  if (identical(columns$names, term$effects)) return(columns$blocks)
  at <- match(term$effects, columns$names)
  if (anyNA(at)) changed_field("random", "a list of terms whose `lhs` gives their `effects`", "It gives others.")
  lapply(at, block_column, blocks = columns$blocks)
}

# As in lme4: by decreasing number of levels. Terms that stand so in the formula stay as they are; where the order
# changes, ties are reversed.
order_terms <- function(terms, factors) {
  sizes <- vapply(factors, `[[`, 1L, "n_levels")
  of <- vapply(terms, `[[`, 1L, "factor")
  if (length(terms) == 1L && length(factors) == 1L) return(list(factors = factors, terms = terms))
  if (is.unsorted(-sizes[of])) terms <- terms[rev(order(sizes[of]))]
  of <- vapply(terms, `[[`, 1L, "factor")
  kept <- unique(of)
  list(
    factors = factors[kept],
    terms = lapply(terms, function(term) {
      term$factor <- match(term$factor, kept)
      term
    })
  )
}

# Names of theta as lme4 gives them: "g.(Intercept)", "g.x.(Intercept)", "g.x".
theta_names <- function(terms) {
  unlist(lapply(terms, function(term) {
    e <- term$effects
    q <- length(e)
    row <- sequence(q:1, seq_len(q))
    column <- rep.int(seq_len(q), q:1)
    second <- paste0(".", e[column])
    second[row == column] <- ""
    paste0(term$group, ".", e[row], second)
  }))
}

# Z and Lambda ---------------------------------------------------------------------------------------------------------

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

# What R can see of identifiability ------------------------------------------------------------------------------------

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
