# What the engine found of variances that cannot be told apart, in the user's names, with a model that can be fitted.
#
# Reads   the failure of the engine (a direction in the covariance matrices, as parts), the design, the model frame.
# Raises  `ferrite_error_unidentified` with the fields `terms`, `columns` and `suggestion`.
# Used by engine.R. What R can see before the engine is asked: identify.R.
# No model is named as a way out that the engine does not find identified.

fail_unidentified <- function(data, design, frame, call) {
  parts <- direction_parts(data)
  texts <- unique(vapply(design$terms[unique(parts$term)], function(term) or_else(term$text, term$group), ""))
  columns <- unique(unlist(Map(function(k, i) design$terms[[k]]$effects[i], parts$term, parts$row)))
  way <- way_out(texts, parts$sigma, design, frame, call)
  fixed <- identical(data$reason, "fixed")
  abort_ferrite(
    "unidentified",
    if (fixed) "The columns of a random term must not all be fixed effects as well."
    else "The variances of the random terms must be estimable from the data.",
    switch(
      data$reason,
      fixed = fixed_text(columns, texts, design$terms[[data$term]]),
      few = few_text(design$terms[[data$term]], texts, design),
      direction_text(parts, texts, columns, design)
    ),
    hint = paste0(
      way$text, if (fixed) paste0(", or take `", design$terms[[data$term]]$group, "` out of the fixed part"), "."
    ),
    call = call, data = list(terms = texts, columns = columns, suggestion = way$suggestion)
  )
}

# Term, row and column of each element, without sigma^2, and whether that is one of them.
direction_parts <- function(data) {
  parts <- matrix(as.integer(data$parts), nrow = 3L)
  random <- parts[, parts[1L, ] > 0L, drop = FALSE]
  list(term = random[1L, ], row = random[2L, ], column = random[3L, ], sigma = ncol(random) < ncol(parts))
}

fixed_text <- function(columns, texts, term) {
  what <- if (length(term$effects) == 1L) paste0("Those of `", texts, "`")
  else paste0("In `", texts, "` ", quoted_list(columns), " within the levels of `", term$group, "`")
  paste0(what, " can be made from the fixed part of the formula, so its variance is not estimable.")
}

few_text <- function(term, texts, design) {
  q <- length(term$effects)
  inside <- pmin(tabulate(design$factors[[term$factor]]$codes), q)
  paste0("`", short_text(texts), "` has ", counted(q * (q + 1) / 2, "parameter"),
         ", where the rows within the levels of `",
         term$group, "` tell at most ", format(sum(inside * (inside + 1) / 2), big.mark = ","), " apart.")
}

# A term of many columns, cut in the middle.
short_text <- function(text) {
  if (nchar(text) <= 60L) text else paste0(substr(text, 1L, 30L), " ... ", substring(text, nchar(text) - 20L))
}

direction_text <- function(parts, texts, columns, design) {
  if (length(texts) > 1L || parts$sigma) {
    return(paste0("The likelihood does not depend on how variance is split between ",
                  plain_list(c(paste0("`", texts, "`"), if (parts$sigma) "sigma^2")), "."))
  }
  what <- element_names(parts, columns, design)
  still <- constant_columns(parts, columns, design)
  group <- design$terms[[parts$term[1L]]]$group
  paste0(
    "In `", texts, "` the likelihood ",
    if (length(parts$term) == 1L) "does not depend on " else "depends only on a combination of ", what,
    if (length(still)) paste0(": ", quoted_list(still), if (length(still) == 1L) " does" else " do",
                              " not vary within `", group, "`"), "."
  )
}

# "the variance of `x` and the covariance of `x` and `(Intercept)`"
element_names <- function(parts, columns, design) {
  if (length(parts$term) > 3L) return(paste0("the variances and covariances of ", quoted_list(columns)))
  names <- Map(function(k, i, j) {
    effects <- design$terms[[k]]$effects
    if (i == j) paste0("the variance of `", effects[i], "`")
    else paste0("the covariance of `", effects[i], "` and `", effects[j], "`")
  }, parts$term, parts$row, parts$column)
  plain_list(unlist(names)[order(parts$row != parts$column)])
}

# Those of the columns, but the intercept, that have one value within each level.
constant_columns <- function(parts, columns, design) {
  found <- lapply(unique(parts$term), function(k) {
    term <- design$terms[[k]]
    codes <- design$factors[[term$factor]]$codes
    first <- match(codes, codes)
    own <- setdiff(intersect(term$effects, columns), "(Intercept)")
    own[vapply(match(own, term$effects), function(i) {
      column <- rep_len(block_column(term$basis, i), length(codes))
      all(column == column[first])
    }, NA)]
  })
  unlist(found)
}

# The first change of one of the terms that leaves a model that is identified: list(text, suggestion).
way_out <- function(texts, sigma, design, frame, call) {
  lost <- function(term) is.null(term$lhs) || is.null(term$text)
  if (any(vapply(design$terms, lost, NA))) return(removal(texts))
  for (text in texts) {
    at <- which(vapply(design$terms, `[[`, "", "text") == text)
    term <- design$terms[[at[1L]]]
    for (left in simpler_columns(term, uncorrelated = length(at) > 1L, sigma)) {
      simpler <- replaced_term(design, at, left, frame, call)
      if (!is.null(simpler) && is_identified(simpler)) {
        new <- bar_of(left, term$group)
        instead <- if (length(design$terms) > length(at)) paste0(" for `", text, "`")
        return(list(text = paste0("Write `", new, "`", instead), suggestion = new))
      }
    }
  }
  for (text in rev(texts)) {
    at <- which(vapply(design$terms, `[[`, "", "text") == text)
    if (length(at) < length(design$terms) && is_identified(only_terms(design, -at))) {
      return(list(text = paste0("Remove `", text, "`"), suggestion = NULL))
    }
  }
  removal(texts)
}

removal <- function(texts) {
  list(text = paste0("Remove ", quoted_list(texts, length(texts))), suggestion = NULL)
}

# What can stand left of the bar instead: the same columns without covariances, where they are those of a factor one for
# each level; and fewer columns, first where the term takes the place of sigma^2. list(expr, sign) each.
simpler_columns <- function(term, uncorrelated, sigma) {
  labels <- attr(term$lhs, "term.labels")
  if (!is.null(term$structure) || !length(labels)) return(list())
  intercept <- attr(term$lhs, "intercept") == 1L
  sign <- if (uncorrelated) "||" else "|"
  columns <- function(labels, intercept, sign) {
    expr <- sum_of(lapply(c(if (!intercept) "0", if (length(labels)) labels else "1"), str2lang))
    list(list(expr = expr, sign = sign))
  }
  cells <- if (intercept) cell_labels(term, labels)
  split <- if (!uncorrelated) {
    c(if (length(cells)) columns(cells, FALSE, "||"),
      if (length(term$effects) > 1L) list(list(expr = term$lhs[[2L]], sign = "||")))
  }
  fewer <- lapply(rev(seq_along(labels)), function(k) {
    if (length(labels) > 1L || intercept) columns(labels[-k], intercept, if (length(labels) > 1L) sign else "|")
  })
  fewer <- c(if (intercept) columns(labels, FALSE, sign), unlist(fewer, recursive = FALSE))
  if (sigma) c(fewer, split) else c(split, fewer)
}

# The labels that without an intercept have one column for each level of a factor, or for each cell of several; `NULL`
# where there are none.
cell_labels <- function(term, labels) {
  factors <- names(term$xlevels)
  parts <- strsplit(labels, ":", fixed = TRUE)
  own <- vapply(parts, function(part) all(part %in% factors), NA)
  if (!any(own)) return(NULL)
  top <- which(own)[which.max(lengths(parts[own]))]
  covered <- vapply(parts[own], function(part) all(part %in% parts[[top]]), NA)
  if (all(covered)) c(labels[top], labels[!own])
}

bar_of <- function(left, group) paste0("(", deparse_one(left$expr), " ", left$sign, " ", group, ")")

# The design with other columns in one term of the formula; `NULL` where these cannot be columns of a term.
replaced_term <- function(design, at, left, frame, call) {
  old <- design$terms[[at[1L]]]
  formula <- stats::as.formula(call("~", left$expr), environment(old$lhs))
  lhs <- with_predvars(stats::terms(formula), old$lhs)
  term <- list(text = old$text, uncorrelated = left$sign == "||")
  new <- tryCatch(
    random_columns(term, lhs, old$factor, design$factors, frame, old$contrasts, Inf, call),
    ferrite_error = function(e) NULL
  )
  if (is.null(new)) return(NULL)
  design$terms <- c(design$terms[-at], new)
  only_terms(design, seq_along(design$terms))
}

# The design with some of its terms, and the factors that these have.
only_terms <- function(design, keep) {
  ordered <- order_terms(design$terms[keep], design$factors)
  design$terms <- ordered$terms
  design$factors <- ordered$factors
  design
}
