# shrinkage(): no, partial and complete pooling of the coefficients of each level, and how far they moved.
#
# Reads   a fit and its design.
# Writes  a table with a row for each level and effect. Everything by level is vectorised: nothing loops over rows.

#' Complete, no and partial pooling side by side
#'
#' For every level of a grouping factor, three estimates of its own coefficients: as if there were no groups, from its
#' own rows alone, and by the mixed model, which lies between the two. The shrinkage factor says how far.
#'
#' @param fit,x An object of class `lmm`; for the methods of the table, what `shrinkage()` returned.
#' @param group,effect `NULL` (default): all. Or names of grouping factors, of random effects.
#' @param n Number of levels printed for each effect; `Inf` prints all.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... No other argument is known.
#' @section The three models:
#'   * `complete`: least squares without random effects. One mean, one line, for all.
#'   * `none`: least squares with a parameter for each level in the place of its random effects, beside the fixed
#'     effects that the levels leave free, which stay common; other random terms are left out. Where all fixed
#'     effects are random as well this is a fit to each group by itself. `NA` where the rows of a level do not
#'     determine the coefficient: a slope from one row.
#'   * `partial`: the mixed model: fixed effects plus the conditional mode of the level, as [coef.lmm()] has them.
#'
#'   Every fixed effect that is constant within levels, or is its product with a random effect's column, is part of what
#'   a parameter per level stands for. It therefore counts in all three columns: with `age * Sex + (age | Subject)` a
#'   girl's line is compared with the line of girls. So do the random effects of levels in which the level lies
#'   (`(1 | batch/cask)`: the cask's mean is compared, batch included). In these two cases `partial` differs from
#'   [coef.lmm()].
#' @section The shrinkage factor:
#'   With \eqn{G} the covariance matrix of the level's random effects and \eqn{Z_j} their columns in the rows of level
#'   j,
#'   \deqn{F_j = G (G + \sigma^2 (Z_j' W_j Z_j)^{-1})^{-1},}
#'   the weight of the level's own estimate: \eqn{partial_j = F_j none_j + (I - F_j) fixed_j} if nothing but the random
#'   effects is estimated. `factor` is its diagonal. For a random intercept that is
#'   \eqn{\tau^2 / (\tau^2 + \sigma^2 / n_j)}, with the sum of the weights in the place of \eqn{n_j}: 1 is no pooling, 0
#'   complete pooling. A factor of several effects can have elements outside of 0 and 1. The form computed,
#'   \eqn{L (I + L' A_j L)^{-1} L' A_j} with \eqn{G = LL'} and \eqn{A_j = Z_j' W_j Z_j / \sigma^2}, needs no inverse of
#'   either matrix.
#'
#'   With several grouping factors, those nested in this one count as noise of the level:
#'   \eqn{A_j = Z_j' V_j^{-1} Z_j} with \eqn{V_j} the covariance of the rows given the level's effects. All others count
#'   as known. In balanced designs `partial` is then exactly on the way from the fixed part, with the effects of outer
#'   levels, to `none`.
#'
#'   What the mixed model shrinks towards is its own fixed part. In unbalanced data that is not quite `complete`.
#' @returns A data frame of class `lmm_shrinkage` with a row for each level and effect, in the order of
#'   `as.data.frame(ranef(fit))`, and the columns `group`, `level`, `effect`, `n` (rows of the level), `complete`,
#'   `none`, `partial`, `factor`. Terms of one grouping factor, as `(x || g)` makes them, are taken together.
#' @section Conditions:
#'   `ferrite_error_argument` for a group or an effect that the model does not have.
#' @seealso [coef.lmm()], [ranef.lmm()].
#' @examples
#' fit <- lmm(y ~ 1 + (1 | person), estrone)
#' shrinkage(fit) # factor 0.988507 for all: 1 - 1/F, F = 87.0097 of the analysis of variance
#' lines <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' print(shrinkage(lines, effect = "age"), n = 3) # M13: 1.95 alone, 1.074 partially pooled
#' @export
shrinkage <- function(fit, ...) {
  UseMethod("shrinkage")
}

#' @export
shrinkage.default <- function(fit, ...) {
  abort_ferrite("argument", "`shrinkage()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(fit), "."),
    hint = "Fit a model with `lmm()`.", call = method_call()
  )
}

#' @rdname shrinkage
#' @export
shrinkage.lmm <- function(fit, group = NULL, effect = NULL, ...) {
  call <- method_call()
  refuse_arguments("shrinkage", ..., call = call)
  groups <- check_names(group, factor_names(fit), "group", "grouping factors", call)
  of_group <- unique(unlist(lapply(fit$random, function(term) if (term$group %in% groups) term$effects)))
  effects <- check_names(effect, of_group, "effect", "random effects", call)
  design <- design_of(fit)
  units <- Filter(function(unit) unit$group %in% groups, pooling_units(fit, design))
  tables <- lapply(units, function(unit) {
    pooled <- pool_unit(fit, design, unit)
    level <- fit$factors[[unit$factor]]$levels
    rows <- tabulate(design$factors[[unit$factor]]$codes, length(level))
    wanted <- which(unit$effects %in% effects)
    columns <- lapply(pooled[c("complete", "none", "partial", "factor")], function(values) as.vector(values[, wanted]))
    data.frame(
      group = unit$group, level = rep(level, length(wanted)), effect = rep(unit$effects[wanted], each = length(level)),
      n = rep(rows, length(wanted)), columns
    )
  })
  structure(
    do.call(rbind, tables),
    formula = fit$formula, REML = fit$REML, sigma = fit$sigma,
    sd = unlist(lapply(units, function(unit) {
      sd <- unlist(lapply(fit$random[unit$terms], function(term) unname(sqrt(diag(term$varcov)))))
      stats::setNames(sd, paste(unit$group, unit$effects, sep = "\r"))
    })),
    class = c("lmm_shrinkage", "data.frame")
  )
}

# `NULL` or some of the names that there are.
check_names <- function(value, known, argument, what, call) {
  if (is.null(value)) {
    return(known)
  }
  unknown <- if (is.character(value)) setdiff(value, known)
  if (is.character(value) && length(value) && !length(unknown)) {
    return(unique(value))
  }
  abort_ferrite("argument", sprintf("`%s` must name %s of the model.", argument, what),
    if (length(unknown)) paste0("There is no ", quoted_list(unknown), ".") else paste0("It is ", a_kind(value), "."),
    hint = name_hint(or_else(unknown, "")[1L], known, paste0(toupper(substr(what, 1L, 1L)), substring(what, 2L))),
    call = call, data = list(argument = argument, known = known)
  )
}

# list(group, factor, terms, effects): the terms of one grouping factor together, unless their columns are linearly
# dependent, as in (1 | g) + (0 + f | g): then each by itself.
pooling_units <- function(fit, design) {
  units <- lapply(factor_order(fit), function(k) {
    terms <- which(vapply(fit$random, function(term) term$factor == k, NA))
    together <- length(terms) == 1L || {
      basis <- unit_basis(design, list(terms = terms), fit$nobs)
      qr(basis, tol = 1e-7)$rank == ncol(basis)
    }
    lapply(if (together) list(terms) else as.list(terms), function(own) {
      list(
        group = fit$random[[own[1L]]]$group, factor = k, terms = own,
        effects = unlist(lapply(fit$random[own], function(term) term$effects))
      )
    })
  })
  unlist(units, recursive = FALSE)
}

#' @rdname shrinkage
#' @export
as.data.frame.lmm_shrinkage <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  bare_table(x, row.names, method_call())
}

# Printing -------------------------------------------------------------------------------------------------------------

#' @rdname shrinkage
#' @export
print.lmm_shrinkage <- function(x, n = 20, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
  pieces <- pooling_pieces(x, n, digits)
  if (is.null(pieces)) {
    print(as.data.frame(x), digits = digits, ...)
    return(invisible(x))
  }
  width <- 0.95 * getOption("width")
  cat(pooling_title(x), "\n", sep = "")
  cat(strwrap(deparse_one(attr(x, "formula")), width, initial = "Formula: ", prefix = strrep(" ", 9L)), sep = "\n")
  for (piece in pieces) {
    cat("\n", paste0(strwrap(piece$heading, width), "\n"), sep = "")
    print_table(piece$table, "level")
    if (length(piece$rest)) cat(piece$rest, "\n", sep = "")
  }
  invisible(x)
}

pooling_title <- function(x) {
  paste("Complete, no and partial pooling, mixed model by", if (attr(x, "REML")) "REML" else "maximum likelihood")
}

# list(heading, table, rest) for each grouping factor and effect; NULL for a table that lost columns or attributes.
pooling_pieces <- function(x, n, digits) {
  wanted <- c("group", "level", "effect", "n", "complete", "none", "partial", "factor")
  if (!nrow(x) || !all(wanted %in% names(x)) || !all(c("formula", "REML", "sd") %in% names(attributes(x)))) {
    return(NULL)
  }
  key <- paste(x$group, x$effect, sep = "\r")
  lapply(unique(key), function(one) pooling_piece(as.data.frame(x)[key == one, ], attr(x, "sd")[[one]], n, digits))
}

pooling_piece <- function(rows, sd, n, digits) {
  levels <- nrow(rows)
  heading <- sprintf("%s, %s: %s of %s, standard deviation %s, shrinkage factor %s", rows$group[1L], rows$effect[1L],
    counted(levels, "level"), span_text(rows$n, 7L, "row"), format(sd, digits = digits),
    span_text(rows$factor, digits))
  spread <- stats::median(abs(rows$none - rows$complete), na.rm = TRUE)
  rest <- character()
  if (levels > n) {
    moved <- order(abs(rows$none - rows$partial), decreasing = TRUE)
    rows <- rows[moved[seq_len(n)], ]
    heading <- paste0(heading, ". The ", n, " levels that partial pooling moves most:")
    rest <- paste("... and", counted(levels - n, "more level"))
  } else {
    heading <- paste0(heading, ".")
  }
  estimates <- lapply(rows[c("complete", "none", "partial")], format_spread, spread = spread, digits = digits)
  table <- cbind(
    level = rows$level, n = format(rows$n), do.call(cbind, estimates), factor = format_spread(rows$factor, 0.1, digits)
  )
  rownames(table) <- rep("", nrow(table))
  list(heading = heading, table = table, rest = rest)
}

# As many decimals as show differences of the size of `spread`.
format_spread <- function(values, spread, digits) {
  decimals <- digits - 2L - floor(log10(spread))
  if (!is.finite(decimals) || decimals > 12L) {
    return(format(values, digits = digits))
  }
  text <- formatC(values, digits = max(0L, decimals), format = "f", big.mark = thousands())
  trimws(sub("^( *)-(0[.]?0*)$", "\\1\\2", text))
}

# "10 rows", "1 to 12 rows (median 4)", "0.7513", "0.1 to 0.9 (median 0.5)"
span_text <- function(values, digits, noun = NULL) {
  text <- function(value) format(signif(value, digits), digits = digits, big.mark = thousands())
  if (diff(range(values)) <= 1e-6 * max(abs(values))) {
    return(if (is.null(noun)) text(values[1L]) else counted(values[1L], noun))
  }
  paste0(text(min(values)), " to ", text(max(values)), if (!is.null(noun)) paste0(" ", noun, "s"),
    " (median ", text(stats::median(values)), ")")
}

# In reports (registered in util-load.R).
knit_print_shrinkage <- function(x, n = 20L, ...) {
  pieces <- pooling_pieces(x, n, report_digits())
  if (is.null(pieces)) {
    return(knitr::knit_print(as.data.frame(x)))
  }
  parts <- lapply(pieces, function(piece) {
    list(captioned(piece$table, piece$heading, left = 1L), if (length(piece$rest)) piece$rest)
  })
  head <- list(structure(pooling_title(x), role = "title"), structure(deparse_one(attr(x, "formula")), role = "code"))
  as_output(c(head, Filter(length, unlist(parts, recursive = FALSE))))
}

# No, partial and complete pooling -------------------------------------------------------------------------------------
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
  spanned <- x[, common$spanned, drop = FALSE] - x[, common$kept, drop = FALSE] %*% common$relation
  shares <- level_shares(within, z, spanned)
  beta <- unname(fit$beta[fit$kept])
  least_squares <- if (ncol(x)) qr.coef(qr(x, LAPACK = TRUE), y) else numeric()
  modes <- do.call(cbind, lapply(fit$random[unit$terms], function(term) unname(term$b)))
  list(
    complete = level_values(shares, least_squares[common$spanned]), none = none,
    partial = level_values(shares, beta[common$spanned]) + modes + outer_part(fit, design, unit, within, z, root),
    factor = shrinkage_factors(fit, design, unit, z, within, root)
  )
}

unit_basis <- function(design, unit, n) {
  do.call(cbind, lapply(design$terms[unit$terms], function(term) dense_blocks(term$basis, n)))
}

# Least squares with own coefficients in every level. `kept` columns of x have common coefficients; the others are, but
# for kept %*% relation, spanned by the levels.
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
  spanned <- setdiff(seq_len(p), kept)
  relation[, !seq_len(p) %in% free] <- 0
  own <- level_values(fit$coefficients, c(replace(numeric(p), kept, -beta), 1))
  list(kept = kept, spanned = spanned, relation = relation[, spanned, drop = FALSE], own = own)
}

# J x k x m times m: J x k.
level_values <- function(shares, beta) {
  matrix(times_matrix(shares, matrix(beta, ncol = 1L)), dim(shares)[1L])
}

# D_j: the coefficients of columns that the levels span, on the columns of each level. Where a level's own rows do not
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

# Least squares within levels ------------------------------------------------------------------------------------------
#
# With Z_j the columns in level j: Z_j = Q_j R_j by Gram-Schmidt, done twice. A column that the earlier ones make up in
# a level has a zero column of Q and a zero on the diagonal of R there.

#' @returns list(q: n x k, r: J x k x k, used: J x k, codes).
#' @noRd
factor_within <- function(z, codes, n_levels, tolerance = 1e-7) {
  k <- ncol(z)
  q <- matrix(0, nrow(z), k)
  r <- array(0, c(n_levels, k, k))
  used <- matrix(FALSE, n_levels, k)
  for (column in seq_len(k)) {
    v <- z[, column]
    before <- sqrt(level_sums(v^2, codes))
    earlier <- seq_len(column - 1L)
    for (pass in 1:2) {
      if (!length(earlier)) break
      along <- level_sums(q[, earlier, drop = FALSE] * v, codes)
      v <- v - rowSums(q[, earlier, drop = FALSE] * along[codes, , drop = FALSE])
      r[, earlier, column] <- r[, earlier, column] + along
    }
    size <- sqrt(level_sums(v^2, codes))
    free <- size > tolerance * before
    used[, column] <- free
    r[free, column, column] <- size[free]
    q[, column] <- ifelse(free[codes], v / size[codes], 0)
  }
  list(q = q, r = r, used = used, codes = codes)
}

# Sums by level: a vector for a vector, J x columns for a matrix. Every level has a row.
level_sums <- function(values, codes) {
  sums <- unname(rowsum(values, codes))
  if (is.matrix(values)) sums else drop(sums)
}

#' Regress columns on the columns of each level
#'
#' @returns list(coefficients: J x k x columns, zero for a column not used in a level; residual: n x columns).
#' @noRd
regress_within <- function(within, columns) {
  k <- ncol(within$q)
  along <- array(0, c(dim(within$used), ncol(columns)))
  for (pass in 1:2) {
    for (column in seq_len(k)) {
      sums <- level_sums(within$q[, column] * columns, within$codes)
      along[, column, ] <- along[, column, ] + sums
      columns <- columns - within$q[, column] * sums[within$codes, , drop = FALSE]
    }
  }
  list(coefficients = solve_within(within, along), residual = columns)
}

# R_j x = along_j for every level by back substitution.
solve_within <- function(within, along) {
  r <- within$r
  for (column in rev(seq_len(dim(along)[2L]))) {
    along[, column, ] <- along[, column, ] / ifelse(within$used[, column], r[, column, column], Inf)
    for (row in seq_len(column - 1L)) {
      along[, row, ] <- along[, row, ] - r[, row, column] * along[, column, ]
    }
  }
  along
}

# Which coefficients a level's own rows determine: J x k. Where column d is made up of earlier ones, d and those that it
# is made of are not determined; the others are.
estimable_within <- function(within, tolerance = 1e-7) {
  out <- within$used
  k <- ncol(out)
  sizes <- matrix(0, nrow(out), k)
  for (j in seq_len(k)) sizes[, j] <- sqrt(rowSums(matrix(within$r[, , j]^2, nrow(out))))
  for (column in seq_len(k)[-1L]) {
    at <- which(!within$used[, column])
    if (!length(at)) next
    earlier <- seq_len(column - 1L)
    part <- list(
      r = within$r[at, earlier, earlier, drop = FALSE], used = within$used[at, earlier, drop = FALSE]
    )
    made <- solve_within(part, array(within$r[at, earlier, column], c(length(at), length(earlier), 1L)))
    made <- matrix(made, length(at))
    share <- abs(made) * sizes[at, earlier, drop = FALSE] > tolerance * sizes[at, column]
    out[at, earlier] <- out[at, earlier] & !share
  }
  out
}

# Small systems, one a level ------------------------------------------------------------------------------------------

# a_j x_j = b_j for symmetric positive definite a (J x k x k) and b (J x k x m); no pivoting is needed.
solve_levels <- function(a, b) {
  k <- dim(a)[2L]
  for (column in seq_len(k)) {
    pivot <- a[, column, column]
    for (row in seq_len(k)[-column]) {
      ratio <- a[, row, column] / pivot
      a[, row, ] <- a[, row, ] - ratio * a[, column, ]
      b[, row, ] <- b[, row, ] - ratio * b[, column, ]
    }
  }
  for (row in seq_len(k)) b[, row, ] <- b[, row, ] / a[, row, row]
  b
}

# a_j m for one matrix m and every level: J x k x ncol(m).
times_matrix <- function(a, m) {
  size <- dim(a)
  array(matrix(a, size[1L] * size[2L], size[3L]) %*% m, c(size[1L], size[2L], ncol(m)))
}

# Cross-products of columns by level: J x k x k.
level_products <- function(columns, codes, n_levels) {
  k <- ncol(columns)
  out <- array(0, c(n_levels, k, k))
  for (i in seq_len(k)) {
    later <- i:k
    sums <- level_sums(columns[, later, drop = FALSE] * columns[, i], codes)
    out[, i, later] <- sums
    out[, later, i] <- sums
  }
  out
}
