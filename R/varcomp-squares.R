# Sequential sums of squares and the coefficients of their expectations, from cross-products of the random terms.
#
# Reads   a fit whose random terms have one column each.
# Writes  the list `squares`:
#   source        names of the sources: fixed terms, random terms (fewest levels first), "Residual"
#   fixed         logical; df, ss, ms: degrees of freedom, sums of squares, mean squares (NA without df)
#   coefficients  sources x (variances of the random terms, sigma^2): of the expected mean squares
#   owner         for each source the column of its own variance (NA for a fixed one)
#   variances     names of the random terms in that order; terms: their numbers in the fit
#   unbalanced    do the expectations show that the sums of squares are not orthogonal?
# Used by varcomp-anova.R.

sequential_squares <- function(fit, design, call) {
  terms <- random_sequence(design)
  check_square_size(fit, design, call)
  fixed <- fixed_squares(fit, design, terms)
  random <- random_squares(fixed, design, terms)
  labels <- make.unique(vapply(fit$random[terms], source_label, "", fit = fit))
  k <- length(terms)
  residual_df <- length(design$y) - fixed$rank - sum(random$df)
  if (residual_df < 1L) {
    abort_ferrite("varcomp", "There must be degrees of freedom left for the residual.",
      paste0("The fixed and random terms take all ", length(design$y), " of them."),
      hint = "Remove the random term with the most levels.", call = call
    )
  }
  df <- c(fixed$df, random$df, residual_df)
  ss <- c(fixed$ss, random$ss, random$residual)
  trace <- rbind(fixed$trace, random$trace, numeric(k))
  coefficients <- cbind(trace / ifelse(df > 0L, df, NA), 1)
  coefficients[df == 0L, ] <- 0
  coefficients[abs(coefficients) < 1e-9 * max(coefficients)] <- 0
  source <- c(fixed$source, labels, "Residual")
  dimnames(coefficients) <- list(source, c(labels, "Residual"))
  list(
    source = source, fixed = rep(c(TRUE, FALSE), c(length(fixed$df), k + 1L)), df = as.integer(df), ss = ss,
    ms = ifelse(df > 0L, ss / df, NA_real_), coefficients = coefficients,
    owner = c(rep(NA_integer_, length(fixed$df)), seq_len(k + 1L)), variances = labels, terms = terms,
    unbalanced = is_unbalanced(coefficients, design, terms)
  )
}

# "g", or "x in g" for a column that is not the intercept.
source_label <- function(term, fit) {
  if (identical(term$effects, "(Intercept)")) term$group else paste(term$effects, "in", term$group)
}

# Fewest levels first; among terms of a factor, and among ties, in the order of the formula.
random_sequence <- function(design) {
  sizes <- vapply(design$terms, function(term) design$factors[[term$factor]]$n_levels, 1L)
  order(sizes)
}

check_square_size <- function(fit, design, call) {
  q <- sum(vapply(design$terms, function(term) as.double(design$factors[[term$factor]]$n_levels), 0))
  bytes <- 3 * 8 * q^2
  if (bytes <= fit$control$memory) return(invisible())
  abort_ferrite("too_large", "The cross-products of the random terms must fit in memory.",
    paste0("For ", counted(q, "random effect"), " they need ", gigabytes(bytes), " where ",
           gigabytes(fit$control$memory), " are allowed."),
    hint = "Use `VarCorr()` for the REML estimates, or raise `lmm_control(memory = )` in the fit.", call = call,
    data = list(bytes = bytes, limit = fit$control$memory)
  )
}

# Fixed terms -----------------------------------------------------------------------------------------------------

# Sums of squares of the fixed terms, each after those before it, with trace(Z'PZ) for each random term; and what the
# random terms need: for each term its column z (times sqrt(weight)), its codes, Z'Q, and the residual e.
fixed_squares <- function(fit, design, terms) {
  n <- length(design$y)
  root <- if (is.null(design$weights)) rep(1, n) else sqrt(design$weights)
  y <- design$y - (if (is.null(design$offset)) 0 else design$offset)
  x <- fixed_matrix(fit, fit$frame)
  assign <- attr(x, "assign")[fit$kept]
  labels <- attr(fit$terms, "term.labels")
  # a constant moves into the intercept, where it cannot cancel digits of the rest
  if (0L %in% assign) y <- y - mean(y)
  x <- root * x[, fit$kept, drop = FALSE]
  own <- sequential_basis(x)
  effects <- drop(crossprod(own, root * y))
  residual <- root * y - drop(own %*% effects)
  residual <- residual - drop(own %*% crossprod(own, residual))
  used <- setdiff(unique(assign), 0L)
  columns <- lapply(terms, function(k) {
    codes <- design$factors[[design$terms[[k]]$factor]]$codes
    z <- rep_len(root * block_column(design$terms[[k]]$basis, 1L), n)
    list(z = z, codes = codes, n_levels = design$factors[[design$terms[[k]]$factor]]$n_levels,
         cross = unname(rowsum(z * own, codes)))
  })
  by_term <- function(values) unname(vapply(used, function(a) sum(values[assign == a]), 0))
  list(
    source = labels[used], df = unname(vapply(used, function(a) sum(assign == a), 0L)), ss = by_term(effects^2),
    trace = matrix(vapply(columns, function(column) by_term(colSums(column$cross^2)), numeric(length(used))),
      length(used), length(columns)),
    rank = ncol(own), columns = columns, residual = residual
  )
}

# Orthonormal columns, the first j of which span the first j of x (of full rank).
sequential_basis <- function(x) {
  if (!ncol(x)) return(x)
  attributes(x) <- attributes(x)["dim"]
  x <- sweep(x, 2L, sqrt(colSums(x^2)), "/")
  qr.Q(qr(x, tol = 0))
}

# Random terms ----------------------------------------------------------------------------------------------------

# With A = Z'MZ of all random terms side by side and t = Z'e, block by block: the rows that a block contributes are
# F = R^-T A[block, ], R'R its own block, of which ss, trace and rank are read, and A and t of the later blocks are
# swept by them. (Within its own block the squares of F sum to the trace of A.)
random_squares <- function(fixed, design, terms) {
  columns <- fixed$columns
  k <- length(columns)
  sizes <- vapply(columns, `[[`, 1L, "n_levels")
  block <- rep(seq_len(k), sizes)
  cross <- do.call(rbind, lapply(columns, `[[`, "cross"))
  a <- products(columns, block) - tcrossprod(cross)
  by_level <- function(v) unlist(lapply(columns, function(column) rowsum(column$z * v(column), column$codes)))
  t <- by_level(function(column) fixed$residual)
  scale <- by_level(function(column) column$z)
  df <- integer(k)
  ss <- numeric(k)
  trace <- matrix(0, k, k)
  for (s in seq_len(k)) {
    at <- which(block == s)
    rest <- which(block > s)
    root <- suppressWarnings(chol(a[at, at, drop = FALSE], pivot = TRUE, tol = 1e-9 * max(scale[at])))
    df[s] <- attr(root, "rank")
    if (!df[s]) next
    first <- seq_len(df[s])
    pivot <- attr(root, "pivot")[first]
    solve_rows <- function(v) backsolve(root, v, k = df[s], transpose = TRUE)
    own <- drop(solve_rows(t[at[pivot]]))
    ss[s] <- sum(own^2)
    trace[s, s] <- sum(diag(a)[at])
    if (!length(rest)) next
    rows <- solve_rows(a[at[pivot], rest, drop = FALSE])
    for (j in unique(block[rest])) trace[s, j] <- sum(rows[, block[rest] == j]^2)
    a[rest, rest] <- a[rest, rest] - crossprod(rows)
    t[rest] <- t[rest] - drop(crossprod(rows, own))
  }
  total <- sum(fixed$residual^2)
  list(df = df, ss = ss, trace = trace, residual = total - sum(ss))
}

# Z'Z of one-column terms side by side.
products <- function(columns, block) {
  a <- matrix(0, length(block), length(block))
  for (i in seq_along(columns)) {
    for (j in seq_len(i)) {
      one <- columns[[i]]
      two <- columns[[j]]
      cell <- one$codes + (two$codes - 1) * one$n_levels
      sums <- rowsum(one$z * two$z, cell)
      filled <- matrix(0, one$n_levels, two$n_levels)
      filled[as.double(rownames(sums))] <- sums
      a[block == i, block == j] <- filled
      a[block == j, block == i] <- t(filled)
    }
  }
  a
}

# Text ----------------------------------------------------------------------------------------------------------------

# "sigma^2 + 2 sigma_cask:batch^2 + 6 sigma_batch^2", with Q(term) for a fixed one.
expectation_text <- function(squares) {
  k <- ncol(squares$coefficients)
  vapply(seq_along(squares$source), function(s) {
    row <- squares$coefficients[s, ]
    if (!squares$df[s]) return("")
    random <- rev(which(row[-k] > 0))
    parts <- c(
      "sigma^2", sprintf("%ssigma_%s^2", vapply(row[random], multiplier, ""), squares$variances[random]),
      if (squares$fixed[s]) sprintf("Q(%s)", squares$source[s])
    )
    paste(parts, collapse = " + ")
  }, "")
}

# "" for 1, "16 " for 16, "5.8462 " for a fraction.
multiplier <- function(value) {
  whole <- abs(value - round(value)) < 1e-6 * max(1, abs(value))
  if (whole && round(value) == 1) return("")
  paste0(if (whole) format(round(value), scientific = FALSE) else format(value, digits = 5L), " ")
}

# "cask:batch", "0.5 a + 0.5 b", "a + b - Residual".
combination_text <- function(weights, names) {
  size <- vapply(abs(weights), multiplier, "")
  sign <- ifelse(weights < 0, " - ", " + ")
  sign[1L] <- if (weights[1L] < 0) "-" else ""
  paste0(sign, size, names, collapse = "")
}

# In a balanced design each random source has one coefficient for each variance, the same for every source that has it.
is_unbalanced <- function(coefficients, design, terms) {
  own <- coefficients[nrow(coefficients) - rev(seq_along(terms)), seq_along(terms), drop = FALSE]
  spread <- apply(own, 2L, function(column) {
    column <- column[column > 0]
    length(column) > 0L && diff(range(column)) > 1e-6 * max(column)
  })
  any(spread)
}
