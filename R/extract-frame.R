#' The pieces of the model: formula, terms, frame, matrix, weights
#'
#' @param x,object,formula An object of class `lmm`.
#' @param fixed.only `TRUE`: only the fixed part, with the random terms removed. For `formula()` and `model.frame()` the
#'   default is `FALSE`, for `terms()` it is `TRUE` unless `random.only` is.
#' @param random.only `TRUE`: only the random part. Default `FALSE`; both at once are an error.
#' @param type `"fixed"` (default): the model matrix of the fixed effects with all columns the formula asks for, dropped
#'   ones included, and the attributes `assign` and `contrasts`, as for [lm()]. `"random"`: the matrix of the random
#'   effects, dense; see [component()] about its size.
#' @param ... `model.matrix()` takes no other argument and says so; not used by the others.
#' @returns
#'   * `formula()`: the formula of the call, or its fixed part, or the response with its random part;
#'   * `terms()`: the terms object of the fixed part, from which predictions are made; or that of the formula with every
#'     bar as a plus, with all variables, or those of the random part;
#'   * `model.frame()`: the data used in the fit, one row per observation, with fixed, random and grouping variables; or
#'     those of the one part, response and weights included;
#'   * `model.matrix()`: see `type`;
#'   * `weights()`: the prior weights, ones if none were given, padded with `NA` for rows that `na.exclude` set aside;
#'   * `family()`: the gaussian family with identity link.
#'
#'   `getCall()` returns the call, through its default method.
#' @section Conditions:
#'   `ferrite_error_argument` when a flag is not `TRUE` or `FALSE`, or both parts are to be left out.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' formula(fit, random.only = TRUE) # distance ~ (1 | Subject)
#' formula(fit, fixed.only = TRUE) # distance ~ age
#' head(model.matrix(fit), 4) # ages 8, 10, 12, 14
#' getCall(fit)
#' @name formula.lmm
NULL

#' @rdname formula.lmm
#' @importFrom stats formula
#' @export
formula.lmm <- function(x, fixed.only = FALSE, random.only = FALSE, ...) { # nolint: object_name_linter.
  switch(
    choose_part(fixed.only, random.only, method_call()),
    whole = x$formula,
    random = random_part_formula(x),
    fixed = {
      fixed <- stats::formula(x$terms)
      attributes(fixed) <- NULL
      stats::as.formula(fixed, env = environment(x$formula))
    }
  )
}

# Which part is asked for?
choose_part <- function(fixed_only, random_only, call) {
  check_flag(fixed_only, "fixed.only", call, "argument")
  check_flag(random_only, "random.only", call, "argument")
  if (fixed_only && random_only) {
    abort_ferrite(
      "argument", "`fixed.only` and `random.only` must not both be `TRUE`.", "Nothing would be left.",
      hint = "Leave both out for the whole model.", call = call
    )
  }
  if (fixed_only) "fixed" else if (random_only) "random" else "whole"
}

# The response and the random terms.
random_part_formula <- function(fit) {
  bars <- split_terms(fit$formula[[3L]], fit$formula, NULL)$bars
  bars <- lapply(bars, function(bar) if (is_structured(bar)) bar else call("(", bar))
  formula <- fit$formula
  formula[[3L]] <- sum_of(bars)
  formula
}

#' @rdname formula.lmm
#' @importFrom stats terms
#' @export
terms.lmm <- function(x, fixed.only = !isTRUE(random.only), random.only = FALSE, # nolint: object_name_linter.
                      ...) {
  part <- choose_part(fixed.only, random.only, method_call())
  if (part == "fixed") {
    return(x$terms)
  }
  formula <- if (part == "random") random_part_formula(x) else x$formula
  formula[[3L]] <- bars_as_plus(formula[[3L]])
  stats::terms(formula)
}

# The formula with all variables as predictors: a bar becomes a plus, a word such as cs() goes.
bars_as_plus <- function(expr) {
  if (is_structured(expr)) expr <- call("(", expr[[2L]])
  if (is_bar(expr)) {
    return(call("+", expr[[2L]], expr[[3L]]))
  }
  if (has_bar(expr)) for (i in seq_along(expr)[-1L]) expr[[i]] <- bars_as_plus(expr[[i]])
  expr
}

#' @rdname formula.lmm
#' @importFrom stats model.frame
#' @export
model.frame.lmm <- function(formula, fixed.only = FALSE, random.only = FALSE, ...) { # nolint: object_name_linter.
  part <- choose_part(fixed.only, random.only, method_call())
  frame <- formula$frame
  if (part == "whole") {
    return(frame)
  }
  wanted <- if (part == "fixed") {
    variable_names(formula$terms)
  } else {
    c(names(frame)[1L], unlist(lapply(formula$random, function(term) variable_names(term$lhs))),
      unlist(lapply(formula$factors, `[[`, "variables")))
  }
  chosen <- frame[intersect(names(frame), c(wanted, "(weights)", "(offset)"))]
  attr(chosen, "terms") <- if (part == "fixed") formula$terms else stats::terms(formula, random.only = TRUE)
  chosen
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
