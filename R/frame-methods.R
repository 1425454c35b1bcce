#' The pieces of the model: formula, terms, frame, matrix, weights
#'
#' @param x,object,formula An object of class `lmm`.
#' @param fixed.only `TRUE`: only the fixed part, with the random terms removed. For `formula()` and `model.frame()` the
#'   default is `FALSE`, for `terms()` it is `TRUE`.
#' @param type `"fixed"` (default): the model matrix of the fixed effects with all columns the formula asks for, dropped
#'   ones included, and the attributes `assign` and `contrasts`, as for [lm()]. `"random"`: the matrix of the random
#'   effects, dense; see [component()] about its size.
#' @param ... `model.matrix()` takes no other argument and says so; not used by the others.
#' @returns
#'   * `formula()`: the formula of the call, or its fixed part;
#'   * `terms()`: the terms object of the fixed part, from which predictions are made;
#'   * `model.frame()`: the data used in the fit, one row per observation, with fixed, random and grouping variables;
#'   * `model.matrix()`: see `type`;
#'   * `weights()`: the prior weights, ones if none were given, padded with `NA` for rows that `na.exclude` set aside;
#'   * `family()`: the gaussian family with identity link.
#'
#'   `getCall()` returns the call, through its default method.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' formula(fit, fixed.only = TRUE) # distance ~ age
#' head(model.matrix(fit), 4) # ages 8, 10, 12, 14
#' getCall(fit)
#' @name formula.lmm
NULL

#' @rdname formula.lmm
#' @importFrom stats formula
#' @export
formula.lmm <- function(x, fixed.only = FALSE, ...) {
  if (!fixed.only) {
    return(x$formula)
  }
  fixed <- stats::formula(x$terms)
  attributes(fixed) <- NULL
  stats::as.formula(fixed, env = environment(x$formula))
}

#' @rdname formula.lmm
#' @importFrom stats terms
#' @export
terms.lmm <- function(x, fixed.only = TRUE, ...) {
  if (fixed.only) x$terms else stats::terms(x$formula)
}

#' @rdname formula.lmm
#' @importFrom stats model.frame
#' @export
model.frame.lmm <- function(formula, fixed.only = FALSE, ...) {
  frame <- formula$frame
  if (!fixed.only) {
    return(frame)
  }
  wanted <- c(rownames(attr(formula$terms, "factors")), names(attr(formula$terms, "dataClasses")))
  wanted <- c(wanted, vapply(as.list(attr(formula$terms, "variables"))[-1L], deparse_one, ""))
  fixed <- frame[intersect(names(frame), c(wanted, "(weights)", "(offset)"))]
  attr(fixed, "terms") <- formula$terms
  fixed
}

#' @rdname formula.lmm
#' @importFrom stats model.matrix
#' @export
model.matrix.lmm <- function(object, type = c("fixed", "random"), ...) {
  call <- method_call()
  refuse_arguments("model.matrix", ..., call = call)
  switch(choose_one(type, c("fixed", "random"), "type", call),
    fixed = fixed_matrix(object, object$frame),
    random = component(object, "Z")
  )
}

# The fixed-effects matrix over the rows of `frame`: all columns of the formula, with the contrasts of the fit.
fixed_matrix <- function(fit, frame) {
  check_frame(fit)
  stats::model.matrix(stats::delete.response(fit$terms), frame, contrasts.arg = used_contrasts(fit))
}

# model.matrix() wants NULL rather than an empty list.
used_contrasts <- function(fit) {
  if (length(fit$contrasts)) fit$contrasts
}

#' @rdname formula.lmm
#' @importFrom stats weights
#' @export
weights.lmm <- function(object, ...) {
  weights <- object$frame[["(weights)"]]
  if (is.null(weights)) weights <- rep(1, nrow(object$frame))
  stats::naresid(object$na.action, as.vector(weights))
}

#' @rdname formula.lmm
#' @importFrom stats family gaussian
#' @export
family.lmm <- function(object, ...) {
  gaussian()
}
