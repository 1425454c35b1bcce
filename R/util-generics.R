# The generics that this package shares with others, and its own.
#
# `fixef`, `ranef` and `VarCorr` are nlme's own function objects, passed on: lme4 passes on the same ones, so the three
# packages can be attached in any order. `isREML`, `isSingular`, `ngrps` and `REMLcrit` also exist in lme4 as other
# functions; ours hand lme4's models to lme4, and R/util-load.R registers our methods with lme4's generics.

#' @importFrom nlme fixef
#' @export
nlme::fixef

#' @importFrom nlme ranef
#' @export
nlme::ranef

#' @importFrom nlme VarCorr
#' @export
nlme::VarCorr

#' REML or ML, singular or not, number of groups
#'
#' @param x,object A fitted model: an object of class `lmm`.
#' @param tol Zero or a small positive number. With `0`, the default, `isSingular()` says what the optimiser certified:
#'   the covariance matrix of some random term has less than full rank, exactly. With a positive `tol` a fit that is
#'   merely close also counts: the smallest standard deviation, over all directions of a random term, of that term's
#'   contribution to the response is below `tol` times the residual standard deviation. This figure does not depend on
#'   the unit or the origin of a covariate.
#' @param ... Not used by the methods of this package.
#' @returns `isREML()` and `isSingular()`: `TRUE` or `FALSE`. `ngrps()`: a named integer vector, the number of levels of
#'   each grouping factor.
#' @section Beside lme4:
#'   lme4 has functions of the same names. If both packages are attached, the one attached last masks the other's, and R
#'   says so. `isREML()`, `isSingular()` and `ngrps()` then work on the models of both packages, whichever came last:
#'   the ones here pass a model of class `merMod` on to lme4, and lme4's find the methods registered by this package.
#'   Two differences remain when lme4 was attached last: `isSingular()` then applies lme4's rule (a diagonal element of
#'   theta below 1e-4), and [REMLcrit()] has to be called as `ferrite::REMLcrit()`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' isREML(fit) # TRUE
#' ngrps(fit) # Subject 27
#' isSingular(fit) # FALSE
#' @export
isREML <- function(x, ...) {
  UseMethod("isREML")
}

#' @export
isREML.default <- function(x, ...) {
  ask_package("lme4", "isREML", x, ...)
}

#' @export
isREML.lmm <- function(x, ...) {
  x$REML
}

#' @rdname isREML
#' @export
isSingular <- function(x, tol = 0, ...) {
  UseMethod("isSingular")
}

#' @export
isSingular.default <- function(x, tol = 0, ...) {
  # lme4's default tolerance stays in force unless the user gave one
  if (missing(tol)) ask_package("lme4", "isSingular", x, ...)
  else ask_package("lme4", "isSingular", x, tol = tol, ...)
}

#' @export
isSingular.lmm <- function(x, tol = 0, ...) {
  if (!is.numeric(tol) || length(tol) != 1L || is.na(tol) || tol < 0) {
    bad_setting(tol, "tol", "one number that is not negative", method_call(), "argument")
  }
  deficient <- any(vapply(x$random, function(term) term$rank < length(term$effects), NA))
  deficient || (tol > 0 && min(smallest_spread(x)) < tol)
}

#' @rdname isREML
#' @export
ngrps <- function(object, ...) {
  UseMethod("ngrps")
}

#' @export
ngrps.default <- function(object, ...) {
  ask_package("lme4", "ngrps", object, ...)
}

#' @export
ngrps.lmm <- function(object, ...) {
  used <- object$factors[factor_order(object)]
  stats::setNames(
    vapply(used, function(factor) as.integer(factor$n_levels), 0L),
    vapply(used, function(factor) factor$name, "")
  )
}

# Hand a model of lme4 to lme4 or lmerTest; anything else is an error that names the class.
ask_package <- function(package, name, model, ...) {
  if (inherits(model, "merMod") && requireNamespace(package, quietly = TRUE)) {
    return(getExportedValue(package, name)(model, ...))
  }
  abort_ferrite("argument", sprintf("`%s()` must be given a fitted mixed model.", name),
    paste0("It was given ", a_kind(model), "."),
    hint = "Fit one with `lmm()`.", call = sys.call(-2)
  )
}

# The call of the method that asks, spelled as the user wrote it: with the name of the generic.
method_call <- function(call = sys.call(sys.parent())) {
  if (is.call(call) && is.symbol(call[[1L]])) {
    name <- sub("[.](lmm|default)$", "", as.character(call[[1L]]))
    call[[1L]] <- as.name(sub("^(print|as[.]data[.]frame|confint|summary)[.].*$", "\\1", name))
  }
  call
}

# Numbers of the grouping factors in the order of the terms (most levels first), each once.
factor_order <- function(fit) {
  unique(vapply(fit$random, function(term) as.integer(term$factor), 0L))
}

# For each random term: the smallest standard deviation, relative to sigma, of its contribution to the response in any
# direction of its columns. With basis'basis / n = R'R these are the square roots of the eigenvalues of
# R Var(b) R' / sigma^2, which no change of unit, origin or basis of the columns alters.
smallest_spread <- function(fit) {
  design <- design_of(fit)
  n <- length(design$y)
  vapply(seq_along(fit$random), function(k) {
    r <- qr.R(qr(dense_blocks(design$terms[[k]]$basis, n))) / sqrt(n)
    values <- eigen(r %*% fit$random[[k]]$varcov %*% t(r), symmetric = TRUE, only.values = TRUE)$values
    sqrt(max(min(values), 0)) / fit$sigma
  }, 0)
}
