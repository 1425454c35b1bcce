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
