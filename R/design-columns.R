# Frame -> design: y, offset, weights, columns of X, grouping factors, random terms. The only caller of model.matrix()
# for a fit.
#
# Reads   what build_frame() returns, or (design_of) a finished fit.
# Writes  the design list of the seam: y, offset, weights, x, x_names, factors, terms, residual.
# Used by engine-calls.R, fit-object.R, and every method that needs X or Z again.
# A block of columns is a double vector, a double matrix, or the number 1 (a constant column): an intercept or a numeric
# variable is passed on as it is, so that a large fit needs no model matrix. Random terms: design-random.R.

#' Build the design from the model frame
#'
#' @param built From `build_frame()`.
#' @param random The random terms of `parse_formula()`.
#' @param contrasts The user's list or `NULL`; holds for the fixed and the random part alike.
#' @param memory Bytes that a model matrix may take.
#' @noRd
build_design <- function(built, random, contrasts, memory, call) {
  frame <- built$frame
  check_contrasts(contrasts, c(list(built$terms), built$lhs), frame, call)
  y <- response_of(frame, call)
  x <- checked_columns(built$terms, frame, contrasts, memory, "the fixed part", call)
  groups <- lapply(random, `[[`, "variables")
  keys <- vapply(groups, function(v) if (length(v) == 1L) v else paste(sort(v), collapse = "\r"), "")
  first <- which(!duplicated(keys))
  factors <- grouping_factors(random[first], frame, call)
  own <- match(keys, keys[first])
  terms <- lapply(seq_along(random), function(k) {
    random_columns(random[[k]], built$lhs[[k]], own[k], factors, frame, contrasts, memory, call)
  })
  terms <- unlist(terms, recursive = FALSE)
  ordered <- order_terms(terms, factors)
  design <- c(list(
    y = y, offset = offset_of(frame), weights = weights_of(frame),
    x = x$blocks, x_names = x$names, factors = ordered$factors, terms = ordered$terms,
    contrasts = x$contrasts, xlevels = x$xlevels
  ), build_residual(built$residual, ordered$factors, frame, memory, call))
  check_random(design, call)
  check_shared(design, call)
  check_cells(design, call)
  design
}

#' The design of a finished fit
#'
#' Rebuilds from `fit$frame` what the fit was computed from: nothing of it is stored twice.
#'
#' @returns list(y, offset, weights, x, x_names, factors, terms, residual); each factor has its `codes`, each term its
#'   `basis`.
#' @noRd
design_of <- function(fit) {
  check_frame(fit)
  frame <- fit$frame
  x <- columns_of(fit$terms, frame, fit$contrasts)
  if (!identical(x$names, fit$x_names)) changed_field("frame", "that of the columns `x_names`", "It gives others.")
  list(
    y = as_double(frame[[1L]]), offset = offset_of(frame), weights = weights_of(frame),
    x = x$blocks, x_names = x$names,
    factors = lapply(fit$factors, function(factor) c(factor, list(codes = fitted_codes(factor, frame)))),
    terms = lapply(fit$random, function(term) {
      list(
        group = term$group, factor = term$factor, effects = term$effects, structure = term$structure,
        basis = basis_in(term, frame)
      )
    }),
    residual = residual_design(fit)
  )
}

fitted_codes <- function(factor, frame) {
  codes <- codes_in(factor, frame)
  if (anyNA(codes)) changed_frame(factor$variables[1L], "one of the levels of the fit in each row", "It has others.")
  codes
}

# Response, offset, weights ---------------------------------------------------------------------------------------

response_of <- function(frame, call) {
  y <- .subset2(frame, 1L)
  name <- names(frame)[1L]
  if (is.logical(y) && is.null(dim(y))) {
    inform_ferrite(
      "logical_response", "The response of a linear mixed model should be numeric.",
      paste0("`", name, "` is logical and is fitted as 0 (FALSE) and 1 (TRUE)."),
      hint = "A linear model of a probability may predict values outside 0 and 1.", call = call
    )
  } else if (!is.numeric(y)) {
    abort_ferrite(
      "response", "The response must be numeric.", paste0("`", name, "` is ", a_kind(y), "."),
      hint = paste0("Use `as.numeric()`, or a model for ", if (is.factor(y)) "categories." else "such data."),
      call = call, data = list(variable = name)
    )
  } else if (NCOL(y) > 1L) {
    abort_ferrite(
      "response", "The response must be one column.", paste0("`", name, "` has ", NCOL(y), "."),
      hint = "Fit one model for each column.", call = call, data = list(variable = name)
    )
  }
  as_double(y)
}

as_double <- function(x) if (is.double(x) && is.null(attributes(x))) x else as.double(x)

offset_of <- function(frame) {
  offset <- stats::model.offset(frame)
  if (!is.null(offset)) as_double(offset)
}

weights_of <- function(frame) {
  weights <- .subset2(frame, "(weights)")
  if (!is.null(weights)) as_double(weights)
}

# Columns ---------------------------------------------------------------------------------------------------------

# The columns of a terms object over a frame: list(blocks, names, contrasts).
columns_of <- function(terms, frame, contrasts = NULL) {
  simple <- simple_variables(terms, frame)
  if (!is.null(simple)) return(simple_columns(terms, simple, frame))
  x <- stats::model.matrix(stats::delete.response(terms), frame, own_contrasts(contrasts, terms))
  contrasts <- attr(x, "contrasts")
  names <- colnames(x)
  attributes(x) <- attributes(x)["dim"]
  storage.mode(x) <- "double"
  list(blocks = list(x), names = names, contrasts = contrasts)
}

# Without a model matrix: the variables as they are.
simple_columns <- function(terms, variables, frame) {
  intercept <- attr(terms, "intercept") == 1L
  blocks <- lapply(variables, function(name) as_double(.subset2(frame, name)))
  list(
    blocks = c(if (intercept) list(1), blocks),
    names = c(if (intercept) "(Intercept)", attr(terms, "term.labels"))
  )
}

# The variables of the terms when every term is the main effect of a numeric vector; NULL when model.matrix() is needed.
simple_variables <- function(terms, frame) {
  if (any(attr(terms, "order") != 1L)) return(NULL)
  factors <- attr(terms, "factors")
  if (!length(factors)) return(character())
  names <- dimnames(factors)
  at <- variable_names(terms)[match(names[[2L]], names[[1L]])]
  if (anyNA(at)) return(NULL)
  for (name in at) {
    x <- .subset2(frame, name)
    if (!is.numeric(x) || !is.null(dim(x))) return(NULL)
  }
  at
}

# Names that the variables of a terms object have in a model frame.
variable_names <- function(terms) {
  variables <- as.list(attr(terms, "variables"))[-1L]
  vapply(variables, if (all(vapply(variables, is.symbol, NA))) as.character else deparse_one, "")
}

# The same without response and offsets.
predictor_names <- function(terms) {
  drop <- c(attr(terms, "response"), attr(terms, "offset"))
  names <- variable_names(terms)
  if (any(drop > 0L)) names[-drop] else names
}

own_contrasts <- function(contrasts, terms) {
  own <- contrasts[names(contrasts) %in% predictor_names(terms)]
  if (length(own)) own
}

# columns_of() for a fit: with the checks that model.matrix() lacks.
checked_columns <- function(terms, frame, contrasts, memory, where, call) {
  simple <- simple_variables(terms, frame)
  if (!is.null(simple) && length(simple) == length(predictor_names(terms))) {
    if (8 * (length(simple) + 1) * length(.subset2(frame, 1L)) > memory) {
      check_size(terms, frame, list(), memory, where, call)
    }
    return(c(simple_columns(terms, simple, frame), list(xlevels = list())))
  }
  categories <- category_levels(terms, frame)
  for (name in names(categories)) {
    check_text(categories[[name]], "data", paste0("The levels of `", name, "`"), call)
    if (length(categories[[name]]) < 2L) one_level(name, categories[[name]], call)
  }
  check_size(terms, frame, categories, memory, where, call)
  columns <- tryCatch(
    columns_of(terms, frame, contrasts),
    error = function(e) {
      abort_ferrite(
        "variable", paste0("The columns of ", where, " must be computable."), paste0(conditionMessage(e), "."),
        hint = "Check the variables and their contrasts.", call = call
      )
    }
  )
  columns$xlevels <- categories[!vapply(frame[names(categories)], is.logical, NA)]
  columns
}

# Levels of the factors, texts and logicals among the predictors.
category_levels <- function(terms, frame) {
  names <- predictor_names(terms)
  columns <- .subset(frame, names)
  columns <- columns[vapply(columns, function(v) is.factor(v) || is.character(v) || is.logical(v), NA)]
  lapply(columns, function(v) if (is.factor(v)) levels(v) else as.character(sort(unique(as.vector(v)))))
}

one_level <- function(name, levels, call) {
  abort_ferrite(
    "levels", "A factor in the model must have at least 2 levels.",
    paste0("`", name, "` has ", length(levels), if (length(levels)) paste0(": \"", levels, "\"") else "",
           ", after dropping missing values."),
    hint = paste0("Remove `", name, "` from the formula, or check the column."),
    call = call, data = list(variable = name)
  )
}

# A model matrix that would not fit in memory (an identifier taken as a factor, say) is refused before it is made.
check_size <- function(terms, frame, categories, memory, where, call) {
  factors <- attr(terms, "factors")
  if (!length(factors)) return(invisible())
  width <- vapply(variable_names(terms), function(name) {
    as.double(if (name %in% names(categories)) length(categories[[name]]) - 1 else NCOL(frame[[name]]))
  }, 0)
  columns <- apply(factors, 2L, function(f) prod(width[f > 0L] + (f[f > 0L] == 2L)))
  bytes <- 8 * sum(columns) * nrow(frame)
  if (bytes <= memory) return(invisible())
  abort_ferrite(
    "too_large", "The model matrices must fit in memory.",
    paste0("The ", big_number(round(sum(columns))), " columns of ", where, " need ", gigabytes(bytes),
           " where ", gigabytes(memory), " are allowed; most belong to `", names(which.max(columns)), "`."),
    hint = "Make a factor of many levels a random term, or raise `lmm_control(memory = )`.",
    call = call, data = list(bytes = bytes, limit = memory)
  )
}

gigabytes <- function(bytes) paste(format(signif(bytes / 1e9, 3), scientific = FALSE, trim = TRUE), "GB")

check_contrasts <- function(contrasts, terms, frame, call) {
  if (is.null(contrasts)) return(invisible())
  names <- unique(unlist(lapply(terms, function(t) names(category_levels(t, frame)))))
  wrong <- if (is.list(contrasts)) setdiff(names(contrasts), names)
  if (is.list(contrasts) && length(names(contrasts)) == length(contrasts) && !length(wrong)) return(invisible())
  abort_ferrite(
    "contrasts", "`contrasts` must be a list named by factors of the model, as in `lm()`.",
    if (!is.list(contrasts)) paste0("It is ", a_kind(contrasts), ".")
    else if (length(wrong)) paste0(quoted_list(wrong), " is no factor of the model.") else "It has no names.",
    hint = if (length(names)) paste0("Factors: ", quoted_list(names), ".")
    else "The model has no factor: leave `contrasts` out.",
    call = call
  )
}

# Arithmetic on blocks -------------------------------------------------------------------------------------------------
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
