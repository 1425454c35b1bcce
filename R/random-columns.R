# The random terms of a design: their columns, their order, the names of theta.
#
# Reads   parsed terms, the model frame, grouping factors.
# Writes  the elements `terms` and `factors` of the design.
# Used by design.R, and by methods that need the columns of a term again.

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
