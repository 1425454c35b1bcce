# Principal components of the random effects of each grouping factor.

#' Principal components of the random effects
#'
#' Of each grouping factor: the singular values of the relative covariance factor (standard deviations of the principal
#' components over the residual standard deviation) and their directions. A value of zero tells that the covariance
#' matrix of the random effects has less than full rank.
#'
#' @param x An object of class `lmm`.
#' @param ... Must be empty.
#' @returns A list of class `prcomplist` with an object of class `prcomp` for each grouping factor: `sdev` and
#'   `rotation`; all terms of a factor together. The sign of a direction is arbitrary.
#' @section Beside lme4:
#'   lme4 has a function of the same name. Whichever was attached last, it works on the models of both packages.
#' @examples
#' fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' rePCA(fit)$Subject$sdev # 1.7794 and 0.1368
#' @export
rePCA <- function(x, ...) {
  UseMethod("rePCA")
}

#' @export
rePCA.default <- function(x, ...) {
  ask_lme4("rePCA", x, ...)
}

#' @rdname rePCA
#' @export
rePCA.lmm <- function(x, ...) {
  refuse_arguments("rePCA", ..., call = method_call())
  factors <- plain_templates(x)
  groups <- unique(names(factors))
  parts <- lapply(stats::setNames(nm = groups), function(group) {
    found <- svd(block_diagonal(unname(factors[names(factors) == group])), nv = 0L)
    structure(list(sdev = found$d, rotation = found$u, center = FALSE, scale = FALSE), class = "prcomp")
  })
  structure(parts, class = "prcomplist")
}
