#' How the optimum was reached
#'
#' @param fit,x An object of class `lmm`; for `print()`, what `convergence()` returned.
#' @param digits Significant digits printed.
#' @param ... Not used.
#' @returns A list of class `lmm_convergence`:
#'   * `status`: `"converged"` (inside the parameter space), `"on_boundary"` (a covariance matrix of less than full
#'     rank, and the optimality conditions there hold), `"stalled"` or `"max_evaluations"` (not an optimum);
#'   * `evaluations`, `iterations`, `starts`: counts of the optimiser;
#'   * `gradient`: the largest scaled component of the gradient in the free directions;
#'   * `decrement`: the Newton decrement, by how much the criterion could still fall, in its own unit;
#'   * `kkt`: on the boundary, the smallest eigenvalue of the scaled score in the directions that are zero: not negative
#'     means that leaving the boundary would not lower the criterion; `NA` inside;
#'   * `hessian`: second derivatives of the criterion in theta; `eigenvalues`: theirs, descending;
#'   * `terms`: data frame of the random terms with the number of effects and the rank of the covariance matrix;
#'   * `structure`: one text about blocks, order, fill and memory; `timing`: seconds by step;
#'   * `criterion`, `REML`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' convergence(fit)
#' convergence(fit)$decrement < 1e-8 # TRUE
#' @export
convergence <- function(fit, ...) {
  UseMethod("convergence")
}

#' @export
convergence.default <- function(fit, ...) {
  abort_ferrite("argument", "`convergence()` must be given a fit of `lmm()`.",
    paste0("It was given ", a_kind(fit), "."), hint = "Fit the model with `lmm()`."
  )
}

#' @rdname convergence
#' @export
convergence.lmm <- function(fit, ...) {
  hessian <- matrix(fit$convergence$hessian, length(fit$theta), dimnames = list(names(fit$theta), names(fit$theta)))
  usable <- length(hessian) > 0L && all(is.finite(hessian))
  eigenvalues <- rep(NA_real_, nrow(hessian))
  if (usable) eigenvalues <- eigen(hessian, symmetric = TRUE, only.values = TRUE)$values
  terms <- data.frame(
    group = vapply(fit$random, function(term) term$group, ""),
    effects = vapply(fit$random, function(term) paste(term$effects, collapse = ", "), ""),
    size = vapply(fit$random, function(term) length(term$effects), 0L),
    rank = vapply(fit$random, function(term) as.integer(term$rank), 0L)
  )
  own <- fit$convergence
  own$hessian <- hessian
  own <- c(own, list(eigenvalues = eigenvalues, terms = terms, criterion = fit$criterion, REML = fit$REML))
  structure(own, class = "lmm_convergence")
}

#' @rdname convergence
#' @export
print.lmm_convergence <- function(x, digits = 3L, ...) {
  number <- function(value) format(value, digits = digits)
  row <- function(label, ...) cat(formatC(paste0(label, ":"), width = -21L), ..., "\n", sep = "")
  cat(convergence_sentence(x, digits), "\n", sep = "")
  row(if (x$REML) "REML criterion" else "-2 log-likelihood", format(x$criterion, nsmall = 4L, digits = 10L))
  row("Work", counted(x$evaluations, "evaluation"), ", ", counted(x$iterations, "iteration"), ", ",
    counted(x$starts, "start"))
  row("Scaled gradient", number(x$gradient))
  row("Newton decrement", number(x$decrement))
  if (is.finite(x$kkt)) row("Score at boundary", number(x$kkt), if (x$kkt >= 0) " (>= 0: optimal)")
  row("Hessian eigenvalues", paste(vapply(x$eigenvalues, number, ""), collapse = ", "))
  row("Structure", x$structure)
  if (length(x$timing)) {
    row("Seconds", paste(names(x$timing), vapply(x$timing, number, ""), collapse = ", "))
  }
  invisible(x)
}

# The one line of print, summary and reports.
convergence_line <- function(fit, digits = 2L) {
  paste("Convergence:", convergence_sentence(convergence(fit), digits))
}

# Status in words with the figures that prove it.
convergence_sentence <- function(x, digits = 2L) {
  number <- function(value) format(value, digits = digits)
  work <- counted(x$evaluations, "evaluation")
  switch(x$status,
    converged = sprintf("certified optimum (%s, decrement %s)", work, number(x$decrement)),
    on_boundary = sprintf("certified optimum on the boundary (%s): %s%s", work, boundary_text(x$terms),
      if (is.finite(x$kkt)) sprintf(" (score %s%s)", number(x$kkt), if (x$kkt >= 0) " >= 0" else "") else ""),
    stalled = sprintf("NOT reached: no further progress after %s, decrement %s", work, number(x$decrement)),
    max_evaluations = sprintf("NOT reached: stopped after %s, decrement %s", work, number(x$decrement)),
    x$status
  )
}

# Which covariance matrices are deficient, in words.
boundary_text <- function(terms) {
  low <- terms[terms$rank < terms$size, , drop = FALSE]
  if (!nrow(low)) {
    return("a covariance matrix has less than full rank")
  }
  what <- ifelse(low$effects == "(Intercept)", low$group, paste(low$group, low$effects))
  text <- ifelse(low$size == 1L, sprintf("%s variance is exactly 0", what),
    ifelse(low$rank == 0L, sprintf("%s covariance matrix is exactly 0", low$group),
      sprintf("%s covariance matrix has rank %d of %d", low$group, low$rank, low$size)
    )
  )
  paste(text, collapse = "; ")
}
