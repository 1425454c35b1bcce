# The pieces of a model: component() under the names of this package, getME() under lme4's names and in lme4's shapes,
# with large matrices as sparse ones of Matrix.
#
# Reads   a fit.
# Writes  for getME() what lme4's function would give for the same model: the order of the random effects is the same
#         (term, level, effect), so that every piece can be taken for the other.
# Raises  `ferrite_error_component`, `ferrite_error_package` (Matrix is not installed).

#' The pieces of the model in the notation of the theory
#'
#' Gives any vector or matrix of \eqn{y = X\beta + Zb + e}, \eqn{b = \Lambda_\theta u}, computed from the fit when
#' asked.
#'
#' @param fit An object of class `lmm`.
#' @param name One or more names of the table below.
#' @param limit Largest size of a matrix in bytes, default one gigabyte (`1e9`). A matrix that would be larger is
#'   refused with `ferrite_error_too_large`, which states the size.
#' @param ... Must be empty.
#' @returns The piece; for several names a named list of pieces. All matrices of this table are ordinary dense ones.
#'
#' | name | what | size |
#' |---|---|---|
#' | `y`, `offset`, `weights` | response, offset (zeros), prior weights (ones) | n |
#' | `mu` | fitted values | n |
#' | `X` | fixed-effects matrix, estimated columns | n x p |
#' | `beta` | estimated fixed effects | p |
#' | `Z`, `Zt` | random-effects matrix, its transpose | n x q, q x n |
#' | `b`, `u` | random effects, in the unit of y and spherical | q |
#' | `theta`, `lower` | covariance parameters, their lower bounds | number of parameters |
#' | `T` | list of the template matrices of Lambda, one per term | |
#' | `Lambda`, `Lambdat` | relative covariance factor, its transpose | q x q |
#' | `L` | lower Cholesky factor of Lambda'Z'WZ Lambda + I; W is sigma^2 R^-1 in any model | q x q |
#' | `RX` | upper Cholesky factor of X'V^-1 X sigma^2 | p x p |
#' | `G` | covariance matrix of b: sigma^2 Lambda Lambda' | q x q |
#' | `R` | covariance matrix of e: sigma^2 W^-1; with `dispersion` and `correlation` theirs | n x n |
#' | `V` | covariance matrix of y: Z G Z' + R | n x n |
#' | `sigma`, `pwrss` | residual standard deviation, penalised residual sum of squares | 1 |
#' | `n`, `p`, `q` | numbers of observations, estimated fixed effects, random effects | 1 |
#' | `flist` | data frame of the grouping factors | n rows |
#' | `cnms` | list of the effects of each term | |
#'
#' Random effects are ordered by term, within a term by level, within a level by effect. Nothing is permuted.
#' Further names are those of lme4: see [getME()], which also has the large matrices as sparse ones.
#' @section Conditions:
#'   `ferrite_error_component` (no such name), `ferrite_error_argument` (`limit`), `ferrite_error_too_large`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' component(fit, "theta")
#' dim(component(fit, "Z")) # 108 27
#' V <- component(fit, "V")
#' X <- component(fit, "X")
#' solve(t(X) %*% solve(V) %*% X) # equals vcov(fit)
#' @export
component <- function(fit, name, limit = 1e9, ...) {
  UseMethod("component")
}

#' @export
component.default <- function(fit, name, limit = 1e9, ...) {
  ask_package("lme4", "getME", fit, name)
}

#' @export
component.lmm <- function(fit, name, limit = 1e9, ...) {
  call <- method_call()
  refuse_arguments("component", ..., call = call)
  if (missing(name)) name <- NULL
  if (!is.numeric(limit) || length(limit) != 1L || is.na(limit) || limit <= 0) {
    bad_setting(limit, "limit", "one positive number of bytes", call, "argument")
  }
  name <- known_components(name, c(names(component_makers), setdiff(names(me_makers), names(component_makers))), call)
  for (one in name) refuse_large(fit, one, limit, call)
  pieces <- lapply(name, function(one) {
    if (one %in% names(component_makers)) component_makers[[one]](fit) else me_makers[[one]](fit, call)
  })
  if (length(name) == 1L) pieces[[1L]] else stats::setNames(pieces, name)
}

# One or more of the names; the error lists them.
known_components <- function(name, known, call) {
  unknown <- if (is.character(name)) setdiff(name, known) else a_kind(name)
  if (is.character(name) && length(name) && !length(unknown)) return(name)
  near <- if (is.character(name) && length(unknown) && !is.na(unknown[1L])) similar_names(unknown[1L], known)
  abort_ferrite("component", "`name` must be the name of a component, or several.",
    if (is.character(name)) {
      if (length(name)) paste0("There is no ", quoted_list(unknown), ".") else "There is none."
    } else {
      paste0("It is ", unknown, ".")
    },
    hint = c(
      if (length(near)) paste0("Did you mean ", paste0("`", near, "`", collapse = " or "), "?"),
      paste0("The names are ", paste(known, collapse = ", "), ".")
    ), call = call, data = list(name = name, known = known)
  )
}

# Rows and columns of the matrices whose size can be a surprise.
component_size <- function(fit, name) {
  n <- fit$nobs
  q <- random_count(fit)
  switch(name,
    X = c(n, fit$rank),
    Z = c(n, q),
    Zt = c(q, n),
    Lambda = c(q, q),
    Lambdat = c(q, q),
    G = c(q, q),
    # the factor is made from a weighted copy of Z
    L = c(max(n, q), q),
    R = c(n, n),
    V = c(n, max(n, q)),
    c(0, 0)
  )
}

refuse_large <- function(fit, name, limit, call) {
  size <- component_size(fit, name)
  bytes <- 8 * prod(as.numeric(size))
  if (bytes > limit) {
    abort_ferrite("too_large", sprintf("Component `%s` must not need more than `limit` bytes.", name),
      sprintf("%s numbers need %s; the limit is %s.",
        paste(big_number(size), collapse = " x "), bytes_text(bytes), bytes_text(limit)),
      hint = sprintf("If the memory is there, use `component(fit, \"%s\", limit = %s)`.", name,
        format(signif(1.1 * bytes, 2))),
      call = call, data = list(name = name, size = size, bytes = bytes, limit = limit)
    )
  }
}

# The n x n covariance matrix of the errors.
residual_covariance <- function(fit) {
  deviation <- fit$sigma * residual_sd(fit)
  covariance <- diag(deviation^2, fit$nobs)
  blocks <- residual_blocks(fit)
  for (k in seq_along(blocks$rows)) {
    rows <- blocks$rows[[k]]
    covariance[rows, rows] <- blocks$correlation(blocks$times[[k]]) * tcrossprod(deviation[rows])
  }
  covariance
}

bytes_text <- function(bytes) {
  units <- c("bytes", "kB", "MB", "GB", "TB", "PB")
  step <- if (bytes < 1) 0 else min(floor(log10(bytes) / 3), length(units) - 1)
  paste(format(signif(bytes / 1000^step, 3)), units[step + 1])
}

# How each component is made from a fit.
component_makers <- list(
  y = function(fit) design_of(fit)$y,
  offset = function(fit) or_else(design_of(fit)$offset, numeric(fit$nobs)),
  weights = function(fit) or_else(design_of(fit)$weights, rep(1, fit$nobs)),
  mu = function(fit) {
    design <- design_of(fit)
    fixed_part(fit, design) + random_part(fit, design)
  },
  X = function(fit) {
    x <- dense_blocks(design_of(fit)$x, fit$nobs)[, fit$kept, drop = FALSE]
    dimnames(x) <- list(rownames(fit$frame), fit$x_names[fit$kept])
    x
  },
  beta = function(fit) fixef(fit, complete = FALSE),
  Z = function(fit) random_matrix(fit, design_of(fit)),
  Zt = function(fit) t(random_matrix(fit, design_of(fit))),
  b = function(fit) stack_terms(fit, "b"),
  u = function(fit) stack_terms(fit, "u"),
  theta = function(fit) fit$theta,
  lower = function(fit) {
    unlist(lapply(fit$random, function(term) {
      square <- diag(length(term$effects))
      ifelse(square[lower.tri(square, diag = TRUE)] == 1, 0, -Inf)
    }))
  },
  T = function(fit) templates(fit),
  Lambda = function(fit) relative_factor(fit),
  Lambdat = function(fit) t(relative_factor(fit)),
  L = function(fit) {
    design <- design_of(fit)
    z <- random_matrix(fit, design) %*% relative_factor(fit)
    z <- if (is.null(fit$residual)) z * sqrt(or_else(design$weights, 1)) else whiten_rows(fit, z / residual_sd(fit))
    inner <- crossprod(z)
    diag(inner) <- diag(inner) + 1
    t(chol(inner))
  },
  RX = function(fit) {
    if (fit$rank == 0L) {
      return(fit$vcov)
    }
    factor <- chol(fit$sigma^2 * chol2inv(chol(fit$vcov)))
    dimnames(factor) <- dimnames(fit$vcov)
    factor
  },
  G = function(fit) {
    g <- fit$sigma^2 * tcrossprod(relative_factor(fit))
    dimnames(g) <- list(random_labels(fit), random_labels(fit))
    g
  },
  R = function(fit) residual_covariance(fit),
  V = function(fit) {
    z <- random_matrix(fit, design_of(fit))
    v <- fit$sigma^2 * tcrossprod(z %*% relative_factor(fit)) + residual_covariance(fit)
    dimnames(v) <- list(rownames(fit$frame), rownames(fit$frame))
    v
  },
  sigma = function(fit) fit$sigma,
  pwrss = function(fit) fit$pwrss,
  n = function(fit) fit$nobs,
  p = function(fit) fit$rank,
  q = function(fit) random_count(fit),
  flist = function(fit) {
    design <- design_of(fit)
    used <- design$factors[factor_order(fit)]
    lists <- lapply(used, function(factor) {
      structure(as.integer(factor$codes), levels = factor$levels, class = "factor")
    })
    names(lists) <- vapply(used, function(factor) factor$name, "")
    # which factor belongs to each term, as in lme4
    own <- vapply(fit$random, function(term) as.integer(term$factor), 0L)
    structure(as.data.frame(lists, optional = TRUE), assign = match(own, factor_order(fit)))
  },
  cnms = function(fit) {
    stats::setNames(
      lapply(fit$random, function(term) term$effects), vapply(fit$random, function(term) term$group, "")
    )
  }
)

# getME() --------------------------------------------------------------------------------------------------------------

#' lme4's names for the pieces of the model
#'
#' @param object An object of class `lmm`.
#' @param name One or more of lme4's names, see *Details*; `"ALL"` for all of them.
#' @param ... Not used.
#' @details
#' The names that [component()] has as well: `X`, `Z`, `Zt`, `y`, `mu`, `u`, `b`, `L`, `Lambda`, `Lambdat`, `RX`,
#' `sigma`, `flist`, `beta`, `theta`, `n`, `p`, `q`, `cnms`, `offset`, `lower`. The others: `fixef` (`beta` with names),
#' `Ztlist`, `mmList` (blocks of `Zt`, model matrices of the random terms), `Tlist`, `ST` (templates of Lambda, and with
#' the columns divided by the diagonal), `Lind` (which element of theta each element of `Lambdat` is), `Gp`, `Tp` (where
#' terms begin in `b` and in theta), `A` (`Lambdat` times `Zt`), `RZX`, `REML` (p, or 0 for a fit by ML), `is_REML`,
#' `n_rtrms`, `k` (random terms), `n_rfacs` (grouping factors), `N`, `p_i`, `l_i`, `q_i`, `m_i` (per term: columns,
#' levels, random effects, elements of theta), `m` (elements of theta), `par` (theta), `devcomp` (`cmp`, the parts of
#' the criterion, and `dims`), `devfun` (the criterion as a function of theta), `glmer.nb.theta` (`NA`).
#'
#' `Z`, `Zt`, `Ztlist`, `Lambda`, `Lambdat`, `A` and `b` are matrices of the package Matrix, and `L` is its factor with
#' a permutation, as in lme4. [component()] has ordinary dense ones without permutations. `component(fit, name)` knows
#' all of these names too.
#'
#' With `dispersion` or `correlation` the rows of `Z` and `X` are whitened in `L`, `RX`, `RZX` and `devfun`, at the
#' estimated parameters of the residuals.
#' @returns The piece; for several names a named list.
#' @section Conditions:
#'   `ferrite_error_component` (no such name), `ferrite_error_package` (Matrix is not installed).
#' @section Beside lme4:
#'   lme4 has a function of the same name. Whichever was attached last, it works on the models of both packages.
#' @seealso [component()], which also has `G`, `R` and `V`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' getME(fit, "theta")
#' getME(fit, c("n", "p", "q"))
#' getME(fit, "devcomp")$cmp["pwrss"]
#' getME(fit, "devfun")(getME(fit, "theta")) # 447.0025
#' @export
getME <- function(object, name, ...) {
  UseMethod("getME")
}

#' @export
getME.default <- function(object, name, ...) {
  ask_package("lme4", "getME", object, name, ...)
}

#' @rdname getME
#' @export
getME.lmm <- function(object, name, ...) {
  call <- method_call()
  refuse_arguments("getME", ..., call = call)
  if (missing(name)) name <- NULL
  if (identical(name, "ALL")) name <- names(me_makers)
  known <- c(names(me_makers), setdiff(names(component_makers), names(me_makers)))
  # as lme4, by the beginning of a name: merTools writes "n_rfac"
  if (is.character(name)) name <- or_text(known[pmatch(name, known, duplicates.ok = TRUE)], name)
  name <- known_components(name, known, call)
  pieces <- lapply(name, function(one) {
    if (one %in% names(me_makers)) me_makers[[one]](object, call) else component_makers[[one]](object)
  })
  if (length(name) == 1L) pieces[[1L]] else stats::setNames(pieces, name)
}

# The function of a namespace that may be absent.
from_matrix <- function(name, call) {
  if (requireNamespace("Matrix", quietly = TRUE)) {
    return(getExportedValue("Matrix", name))
  }
  abort_ferrite("package", "The package Matrix must be installed for sparse matrices.", "It is not there.",
    hint = "Install it, or use `component()` for dense `Z`, `Zt`, `Lambda`, `Lambdat` and `L`.", call = call
  )
}

term_sizes <- function(fit) vapply(fit$random, function(term) length(term$effects), 0L)

term_groups <- function(fit) vapply(fit$random, function(term) term$group, "")

term_levels <- function(fit) vapply(fit$random, function(term) nrow(term$b), 0L)

# "Days | Subject" for every random term, as lme4 splits and writes them.
bar_names <- function(fit) {
  vapply(fit$random, function(term) {
    whole <- length(columns_of(term$lhs, utils::head(fit$frame, 1L), term$contrasts)$names) == length(term$effects)
    left <- if (whole) deparse_one(stats::formula(term$lhs)[[2L]])
    else if (identical(term$effects, "(Intercept)")) "1" else paste("0 +", term$effects)
    paste(left, "|", term$group)
  }, "")
}

# Where the random effects of each term begin, and their end: 0-based, as lme4's Gp.
random_offsets <- function(fit) as.integer(cumsum(c(0L, term_sizes(fit) * term_levels(fit))))

# The n x q matrix of the random effects as a sparse matrix; every row has an entry for each effect.
sparse_random <- function(fit, call) {
  design <- design_of(fit)
  n <- fit$nobs
  begin <- random_offsets(fit)
  blocks <- lapply(seq_along(design$terms), function(k) {
    basis <- dense_blocks(design$terms[[k]]$basis, n)
    codes <- as.integer(design$factors[[design$terms[[k]]$factor]]$codes)
    list(i = rep(seq_len(n), ncol(basis)), x = as.vector(basis),
      j = begin[k] + rep((codes - 1L) * ncol(basis), ncol(basis)) + rep(seq_len(ncol(basis)), each = n))
  })
  piece <- function(name) unlist(lapply(blocks, `[[`, name))
  levels <- unlist(lapply(fit$random, function(term) rep(rownames(term$b), each = length(term$effects))))
  from_matrix("sparseMatrix", call)(piece("i"), piece("j"), x = piece("x"), dims = c(n, utils::tail(begin, 1L)),
    dimnames = list(rownames(fit$frame), levels))
}

# Which element of theta stands at each place of Lambda', by columns.
theta_index <- function(fit) {
  sizes <- term_sizes(fit)
  first <- cumsum(c(0L, (sizes * (sizes + 1L)) %/% 2L))
  unlist(lapply(seq_along(sizes), function(k) {
    place <- diag(sizes[k])
    place[lower.tri(place, diag = TRUE)] <- first[k] + seq_len((sizes[k] * (sizes[k] + 1L)) %/% 2L)
    one <- lapply(seq_len(sizes[k]), function(row) as.integer(place[row, seq_len(row)]))
    rep(unlist(one), term_levels(fit)[k])
  }))
}

# Lambda' at a value of theta, zeros of the pattern included.
sparse_factor <- function(fit, theta, call) {
  sizes <- term_sizes(fit)
  column <- unlist(Map(function(q, levels) rep(seq_len(q), levels), sizes, term_levels(fit)))
  above <- seq_along(column) - column
  from_matrix("sparseMatrix", call)(
    rep(above, column) + sequence(column), rep(seq_along(column), column), x = theta[theta_index(fit)],
    dims = rep(length(column), 2L)
  )
}

# Rows divided by their standard deviations relative to sigma, and freed of their correlation.
whitened <- function(fit, x) {
  if (is.null(fit$residual$correlation)) return(x / residual_sd(fit))
  whiten_rows(fit, as.matrix(x) / residual_sd(fit))
}

# The permuted sparse Cholesky factor of Lambda'Z'WZ Lambda + I.
sparse_cholesky <- function(fit, a, call) {
  from_matrix("Cholesky", call)(from_matrix("tcrossprod", call)(a), perm = TRUE, LDL = FALSE, Imult = 1)
}

# Lambda'Z' over whitened rows.
weighted_a <- function(fit, theta, call) {
  z <- from_matrix("Matrix", call)(whitened(fit, sparse_random(fit, call)), sparse = TRUE)
  sparse_factor(fit, theta, call) %*% from_matrix("t", call)(z)
}

# The borders of the factor: L^-1 P Lambda'Z'W v for the columns of v (whitened).
border_of <- function(factor, a, v, call) {
  solve <- from_matrix("solve", call)
  as.matrix(solve(factor, solve(factor, a %*% v, system = "P"), system = "L"))
}

# The criterion as lme4's method gives it; that of lists would make a function of the fields.
#' @rdname getME
#' @param x An object of class `lmm`: `as.function()` gives the piece `devfun`.
#' @export
as.function.lmm <- function(x, ...) {
  call <- method_call()
  refuse_arguments("as.function", ..., call = call)
  criterion_function(x, call)
}

# The criterion of the fit as a function of theta.
criterion_function <- function(fit, call) {
  force(fit)
  x <- whitened(fit, component_makers$X(fit))
  design <- design_of(fit)
  y <- drop(whitened(fit, as.matrix(design$y - or_else(design$offset, 0))))
  # What X leaves of y: the criterion is the same, and squares of a y far from zero would drown it.
  if (ncol(x)) y <- qr.resid(qr(as.matrix(x)), y)
  constant <- fit$criterion - dense_criterion(fit, unname(fit$theta), x, y, call)
  function(theta) {
    if (!is.numeric(theta) || length(theta) != length(fit$theta) || !all(is.finite(theta))) {
      abort_ferrite("argument", sprintf("`theta` must be %s.", counted(length(fit$theta), "finite number")),
        paste0("It is ", a_kind(theta), "."), hint = paste0("Their order: ", plain_list(names(fit$theta), 8L), "."),
        call = quote(devfun(theta))
      )
    }
    dense_criterion(fit, theta, x, y, call) + constant
  }
}

# The criterion up to what does not depend on theta (weights, the determinant of R).
dense_criterion <- function(fit, theta, x, y, call) {
  a <- weighted_a(fit, theta, call)
  factor <- sparse_cholesky(fit, a, call)
  own <- border_of(factor, a, cbind(x, y), call)
  inner <- crossprod(cbind(x, y)) - crossprod(own)
  p <- ncol(x)
  corner <- chol(inner)
  nu <- fit$nobs - if (fit$REML) p else 0L
  log_l <- 2 * as.numeric(from_matrix("determinant", call)(factor, sqrt = TRUE)$modulus)
  log_rx <- if (fit$REML && p) 2 * sum(log(diag(corner)[seq_len(p)])) else 0
  log_l + log_rx + nu * (1 + log(2 * pi * corner[p + 1L, p + 1L]^2 / nu))
}

# The parts of the criterion, and the sizes.
criterion_parts <- function(fit) {
  ussq <- sum(unlist(lapply(fit$random, function(term) term$u^2)))
  n <- fit$nobs
  p <- fit$rank
  list(
    cmp = c(
      ldL2 = fit$ld_l, ldRX2 = fit$ld_rx, wrss = fit$pwrss - ussq, ussq = ussq, pwrss = fit$pwrss, drsum = NA,
      REML = if (fit$REML) fit$criterion else NA, dev = if (fit$REML) NA else fit$criterion,
      sigmaML = sqrt(fit$pwrss / n), sigmaREML = sqrt(fit$pwrss / (n - p))
    ),
    dims = c(
      N = n, n = n, p = p, nmp = n - p, q = utils::tail(random_offsets(fit), 1L), nth = length(fit$theta), useSc = 1L,
      reTrms = length(fit$random), spFe = 0L, REML = if (fit$REML) p else 0L, GLMM = 0L, NLMM = 0L
    )
  )
}

plain_templates <- function(fit) stats::setNames(lapply(templates(fit), unname), term_groups(fit))

# How each piece is made, in lme4's order.
me_makers <- list(
  X = function(fit, call) kept_matrix(fit),
  Z = function(fit, call) sparse_random(fit, call),
  Zt = function(fit, call) from_matrix("t", call)(sparse_random(fit, call)),
  Ztlist = function(fit, call) {
    zt <- from_matrix("t", call)(sparse_random(fit, call))
    begin <- random_offsets(fit)
    rows <- unlist(lapply(seq_along(fit$random), function(k) {
      q <- term_sizes(fit)[k]
      lapply(seq_len(q), function(j) seq.int(begin[k] + j, by = q, length.out = term_levels(fit)[k]))
    }), recursive = FALSE)
    names <- unlist(lapply(fit$random, function(term) paste(term$group, term$effects, sep = ".")))
    stats::setNames(lapply(rows, function(i) zt[i, , drop = FALSE]), names)
  },
  mmList = function(fit, call) {
    design <- design_of(fit)
    stats::setNames(lapply(seq_along(fit$random), function(k) {
      term <- fit$random[[k]]
      structure(dense_blocks(design$terms[[k]]$basis, fit$nobs), dimnames = list(rownames(fit$frame), term$effects))
    }), bar_names(fit))
  },
  y = function(fit, call) component_makers$y(fit),
  mu = function(fit, call) component_makers$mu(fit),
  u = function(fit, call) unname(stack_terms(fit, "u")),
  b = function(fit, call) from_matrix("Matrix", call)(unname(stack_terms(fit, "b")), ncol = 1L, sparse = FALSE),
  Gp = function(fit, call) random_offsets(fit),
  Tp = function(fit, call) {
    sizes <- term_sizes(fit)
    stats::setNames(c(0, cumsum(sizes * (sizes + 1) / 2)), c("beg__", term_groups(fit)))
  },
  L = function(fit, call) sparse_cholesky(fit, weighted_a(fit, unname(fit$theta), call), call),
  Lambda = function(fit, call) from_matrix("t", call)(sparse_factor(fit, unname(fit$theta), call)),
  Lambdat = function(fit, call) sparse_factor(fit, unname(fit$theta), call),
  Lind = function(fit, call) theta_index(fit),
  Tlist = function(fit, call) plain_templates(fit),
  A = function(fit, call) {
    sparse_factor(fit, unname(fit$theta), call) %*% from_matrix("t", call)(sparse_random(fit, call))
  },
  RX = function(fit, call) component_makers$RX(fit),
  RZX = function(fit, call) {
    a <- weighted_a(fit, unname(fit$theta), call)
    x <- component_makers$X(fit)
    rzx <- border_of(sparse_cholesky(fit, a, call), a, whitened(fit, x), call)
    dimnames(rzx) <- list(NULL, colnames(x))
    rzx
  },
  sigma = function(fit, call) fit$sigma,
  flist = function(fit, call) component_makers$flist(fit),
  fixef = function(fit, call) fixef(fit, complete = FALSE),
  beta = function(fit, call) unname(fixef(fit, complete = FALSE)),
  theta = function(fit, call) fit$theta,
  ST = function(fit, call) {
    lapply(plain_templates(fit), function(template) {
      size <- diag(template)
      scaled <- template / rep(ifelse(size == 0, 1, size), each = nrow(template))
      diag(scaled) <- size
      scaled
    })
  },
  REML = function(fit, call) if (fit$REML) fit$rank else 0L,
  is_REML = function(fit, call) fit$REML,
  n_rtrms = function(fit, call) length(fit$random),
  n_rfacs = function(fit, call) length(factor_order(fit)),
  N = function(fit, call) fit$nobs,
  n = function(fit, call) fit$nobs,
  p = function(fit, call) fit$rank,
  q = function(fit, call) utils::tail(random_offsets(fit), 1L),
  p_i = function(fit, call) stats::setNames(term_sizes(fit), bar_names(fit)),
  l_i = function(fit, call) ngrps(fit),
  q_i = function(fit, call) stats::setNames(term_sizes(fit) * term_levels(fit), bar_names(fit)),
  k = function(fit, call) length(fit$random),
  m_i = function(fit, call) stats::setNames(choose(term_sizes(fit) + 1, 2), bar_names(fit)),
  m = function(fit, call) length(fit$theta),
  cnms = function(fit, call) component_makers$cnms(fit),
  devcomp = function(fit, call) criterion_parts(fit),
  offset = function(fit, call) component_makers$offset(fit),
  lower = function(fit, call) stats::setNames(component_makers$lower(fit), names(fit$theta)),
  devfun = function(fit, call) criterion_function(fit, call),
  glmer.nb.theta = function(fit, call) NA,
  par = function(fit, call) unname(fit$theta)
)
