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
  ask_lme4("getME", fit, name)
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
