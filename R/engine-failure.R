# What the engine answers when it cannot, in the user's names.
#
# Reads   a failure record list(class, message, data), the design, the model frame.
# Raises  `ferrite_error_<class>`; `ferrite_error_unidentified` has the fields `terms`, `columns` and `suggestion`.
# Used by engine-calls.R. What R can see of unidentified variances before the engine is asked:
#         design-random.R. Failures of residuals that are not alike: design-residual.R, design-correlation.R.

# Numbers of which the squares are zero or infinite.
check_squares <- function(y, name, call) {
  size <- max(abs(y))
  if (size > 1e-150 && size < 1e150) return(invisible())
  abort_ferrite("response", "The squares of the response must be numbers that double precision can hold.",
    sprintf("The largest value of `%s` is %s.", name, format(size, digits = 3L)),
    hint = "Measure it in another unit, for example multiply or divide it by a power of ten.", call = call
  )
}

raise_failure <- function(failure, design, frame, call) {
  data <- failure$data
  response <- names(frame)[1L]
  fail <- function(problem, ..., hint) {
    abort_ferrite(failure$class, problem, ..., hint = hint, call = call, data = as.list(data))
  }
  lost <- failure$class %in% c("rank_random", "not_positive_definite") && weight_span(design$weights) > 1e12
  if (lost) far_weights(design$weights, call)
  if (failure$class == "not_positive_definite") {
    check_squares(design$y, response, call)
    if (!is.null(design$weights) && max(design$weights) < 1e-150) far_weights(design$weights, call)
  }
  if (identical(data$kind, "time")) check_times(design$residual$correlation$time, design$correlation, frame, call)
  switch(
    failure$class,
    interrupted = raise_interrupt(),
    nonfinite = fail(
      "All values in the model must be finite.", nonfinite_text(data, design, frame),
      hint = "Correct the values, or set them to NA to drop the rows."
    ),
    constant_response = fail(
      "The response must vary.", constant_text(response, design),
      hint = "Check how the response was read or computed."
    ),
    perfect_fit = fail_perfect(data, response, fail),
    scale = fail(
      "Variances must be numbers that double precision can hold (1e-308 to 1e308).",
      if (data$term == 0) paste0("The residual variance of `", response, "` is out of that range.")
      else paste0("That of `", design$terms[[data$term]]$effects[data$column], "` in `", design$terms[[data$term]]$text,
                  "` is out of that range."),
      hint = "Measure the variable in another unit, for example divide it by a power of ten."
    ),
    no_residual_df = fail(
      "There must be more observations than fixed effects.",
      paste0("There are ", counted(data$n, "observation"), " and ", counted(data$rank, "fixed effect"), "."),
      hint = "Remove terms from the fixed part, or check that no identifier is a fixed factor."
    ),
    unidentified = fail_unidentified(data, design, frame, call),
    tied_times = fail_tied(data, design, frame, fail),
    residual_scale = if (data$column == 0) fail_correlation(data, design, fail)
    else fail_dispersion(data, design, frame, fail),
    rank_random = fail(
      "The columns of a random term must be linearly independent.", rank_text(data, design),
      hint = "Remove that column from the random term."
    ),
    too_large = fail(
      "The fit must fit in memory.",
      paste0("It needs ", gigabytes(data$bytes), " where ", gigabytes(data$limit), " are allowed."),
      hint = "Remove a crossed grouping factor of many levels, or raise `lmm_control(memory = )`."
    ),
    fail(
      "The engine must return a fit.", paste0("It said: ", failure$message),
      hint = "This is a fault of the package: please report it with the data and the call."
    )
  )
}

# After Ctrl-C: how much of `noun` is done, for what keeps it.
warn_interrupted <- function(done, total, noun, hint, call) {
  warn_ferrite("interrupted", paste0("All ", noun, "s should be finished."),
    sprintf("The work was interrupted after %s of %s.", big_number(done), counted(total, noun)),
    hint = hint, call = call, data = list(done = done, total = total)
  )
}

# Ctrl-C in the engine is Ctrl-C in R.
raise_interrupt <- function() {
  signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  invokeRestart("abort")
}

# sigma is zero to rounding, is lost in the rounding of larger random effects, or tends to zero.
fail_perfect <- function(data, response, fail) {
  made <- paste0("The ", if (identical(data$reason, "fixed")) "fixed effects" else "fixed and random effects")
  ratio <- or_else(data$ratio, 0)
  tends <- identical(data$reason, "vanishes")
  found <- if (tends) {
    paste0("The likelihood does not fall as that of `", response, "` tends to zero: the random effects take all that ",
           "the fixed effects leave.")
  } else if (ratio < 3.2e-7) {
    paste0(made, " reproduce `", response, "` exactly, or to within 3e-7 of its spread.")
  } else {
    paste0(made, " reproduce `", response, "` to within ", format(ratio, digits = 1L), " of its spread, where ",
           "rounding hides the maximum of the likelihood.")
  }
  fail(
    "The residual variance must be greater than zero.", found,
    hint = if (tends) "Remove or simplify the term that has an effect for each row of a level."
    else "Check whether the response was computed from the other variables, or remove the term that determines it."
  )
}

nonfinite_text <- function(data, design, frame) {
  column <- data$column
  term <- if (isTRUE(data$term > 0)) design$terms[[data$term]]
  values <- switch(
    data$kind,
    response = design$y, weights = design$weights, offset = design$offset,
    fixed = block_column(design$x, column),
    if (!is.null(term)) block_column(term$basis, column)
  )
  rows <- if (is.null(values)) data$row else which(!is.finite(values))
  name <- switch(
    data$kind,
    response = names(frame)[1L], weights = "weights", offset = "offset",
    source_of(frame, rows[1L], if (data$kind == "fixed") design$x_names[column] else term$effects[column])
  )
  bad <- if (is.null(values)) "not finite" else describe_nonfinite(values[rows])
  paste0("`", name, "` is ", bad, " in ", row_list(frame, rows), ".")
}

describe_nonfinite <- function(values) {
  if (all(is.nan(values))) "NaN" else if (anyNA(values)) "not finite" else "infinite"
}

# The variable of the frame that makes a column nonfinite in a row; the column's own name when none does.
source_of <- function(frame, row, column) {
  bad <- vapply(frame[-1L], function(v) is.numeric(v) && !all(is.finite(as.matrix(v)[row, ])), NA)
  c(names(frame)[-1L][bad], column, "a random term")[1L]
}

constant_text <- function(response, design) {
  value <- format(design$y[1L], digits = 15)
  if (length(unique(design$y)) == 1L) {
    return(paste0("All ", length(design$y), " values of `", response, "` are ", value, "."))
  }
  paste0("`", response, "`", if (!is.null(design$offset)) " less the offset", " does not vary beyond rounding.")
}

rank_text <- function(data, design) {
  term <- design$terms[[data$term]]
  column <- if (length(data$column)) term$effects[data$column] else term$effects[1L]
  paste0("In `", term$text, "` the column `", column, "` is zero or can be made from the other columns.")
}

# Variances that cannot be told apart ----------------------------------------------------------------------------------
#
# With a model that can be fitted: none is named as a way out that the engine does not find identified.

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

# The elements in words: variances first.
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
  without_a_term(texts, design)
}

# The last of the terms without which the rest is identified.
without_a_term <- function(texts, design) {
  for (text in rev(texts)) {
    at <- which(vapply(design$terms, `[[`, "", "text") == text)
    if (length(at) < length(design$terms) && is_identified(only_terms(design, -at))) return(removal(text))
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
