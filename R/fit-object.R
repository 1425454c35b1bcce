# new_lmm(): the fitted model. Plain data: it survives saveRDS(), a new session and another machine. convergence(): the
# certificate that it carries.
#
# Reads   the engine's list, the design, the frame.
# Writes  a list of class "lmm"; every field below has one type and shape.
#   call, formula (user's, `.` expanded), REML (TRUE/FALSE)
#   terms       terms object of the fixed part, with predvars
#   frame       the one model frame (n rows); na.action NULL or as from na.omit()
#   contrasts, xlevels   lists of the fixed part, as in lm()
#   x_names     character p; beta double p, named, NA for a dropped column; kept integer r; vcov r x r
#   theta       double m, named as lme4 does; sigma double
#   random      list of terms: group, factor (index into factors), effects, text, lhs (terms object of its columns),
#               contrasts, xlevels, structure (NULL, or list(kind, hom)), varcov q x q, b and u J x q, condvar
#               q x q x J, rank
#   factors     list: name, levels, n_levels, variables, expressions, parents (J x k codes of a crossing, or NULL),
#               parent_levels (the levels of each variable)
#   criterion, ld_l, ld_rx, pwrss, nobs, rank, npar (all parameters), weights_used
#   residual    NULL, or list(phi, rho, hessian, scale, correlation): residuals that are not alike
#   convergence list(status, evaluations, iterations, starts, faces (looked, of), global, decrement, gradient, kkt,
#               eigenvalues (of the free directions, descending), hessian (m x m), structure (text, names of factors),
#               timing (named seconds))
#   control     the settings

new_lmm <- function(raw, design, built, formula, REML, control, call) { # nolint: object_name_linter.
  kept <- as.integer(raw$kept)
  kept_names <- design$x_names[kept]
  beta <- as.double(raw$beta)
  beta[setdiff(seq_along(beta), kept)] <- NA_real_
  names(beta) <- design$x_names
  theta <- raw$theta
  names(theta) <- theta_names(design$terms)
  random <- lapply(seq_along(design$terms), function(k) {
    term <- design$terms[[k]]
    random_result(term, raw$terms[[k]], design$factors[[term$factor]])
  })
  fit <- list(
    call = call, formula = formula, REML = REML, terms = built$terms, frame = built$frame,
    na.action = built$na.action, contrasts = design$contrasts, xlevels = design$xlevels, x_names = design$x_names,
    beta = beta, kept = kept,
    vcov = matrix(raw$vcov, length(kept), length(kept), dimnames = list(kept_names, kept_names)),
    theta = theta, sigma = raw$sigma, random = random,
    factors = lapply(design$factors, function(factor) factor[names(factor) != "codes"]),
    criterion = raw$criterion, ld_l = raw$ld_l, ld_rx = raw$ld_rx, pwrss = raw$pwrss,
    nobs = length(design$y), rank = length(kept),
    npar = length(kept) + covariance_count(design$terms) + length(raw$residual$phi) + 1L,
    weights_used = !is.null(design$weights), residual = residual_result(raw$residual, design),
    convergence = convergence_record(raw, design), control = control
  )
  class(fit) <- "lmm"
  fit
}

#' @export
`$<-.lmm` <- function(x, name, value) { # nolint: object_name_linter.
  # step() and MASS::stepAIC() write the terms of the fixed part in place of the formula, and into the call
  if (name == "formula") value <- whole_formula(value, .subset2(x, "random"))
  if (name == "call" && is.call(value)) value$formula <- whole_formula(value$formula, .subset2(x, "random"))
  NextMethod()
}

# Terms of a fixed part as a formula with the random terms of the fit; a formula as it is.
whole_formula <- function(formula, random) {
  if (!inherits(formula, "terms") || length(formula) != 3L) return(formula)
  bars <- lapply(unique(vapply(random, `[[`, "", "text")), str2lang)
  whole <- formula
  attributes(whole) <- list(class = "formula", .Environment = environment(formula))
  whole[[3L]] <- Reduce(function(sum, bar) call("+", sum, bar), bars, formula[[3L]])
  whole
}

# Free parameters of the covariance matrices of the random terms.
covariance_count <- function(terms) {
  sum(vapply(terms, function(term) {
    q <- length(term$effects)
    structure <- term$structure
    if (is.null(structure)) return((q * (q + 1L)) %/% 2L)
    (if (structure$hom) 1L else q) + (structure$kind != "diag")
  }, 1L))
}

random_result <- function(term, raw, factor) {
  q <- length(term$effects)
  by_level <- list(factor$levels, term$effects)
  list(
    group = term$group, factor = term$factor, effects = term$effects, text = term$text, lhs = term$lhs,
    contrasts = term$contrasts, xlevels = term$xlevels, structure = term$structure,
    varcov = matrix(raw$varcov, q, q, dimnames = list(term$effects, term$effects)),
    b = matrix(raw$b, ncol = q, dimnames = by_level),
    u = matrix(raw$u, ncol = q, dimnames = by_level),
    condvar = array(raw$condvar, c(q, q, factor$n_levels), list(term$effects, term$effects, factor$levels)),
    rank = as.integer(raw$rank)
  )
}

convergence_record <- function(raw, design) {
  m <- length(raw$theta)
  record <- raw[c("status", "evaluations", "iterations", "starts", "faces", "global", "decrement",
                  "gradient", "kkt", "eigenvalues", "hessian", "structure", "timing")]
  curvatures <- as.double(record$eigenvalues)
  record$eigenvalues <- curvatures[order(curvatures, decreasing = TRUE, na.last = NA)]
  record$hessian <- matrix(record$hessian, m, m)
  if (length(record$faces)) names(record$faces) <- c("looked", "of")[seq_along(record$faces)]
  record$structure <- named_structure(record$structure, vapply(design$factors, function(factor) factor$name, ""))
  names(record$timing) <- c("crossprod", "optimise", "estimates")[seq_along(record$timing)]
  record
}

# "factor 2: 10 blocks ..." with the name of the second grouping factor.
named_structure <- function(text, factors) {
  text <- paste0("\n", text)
  for (k in seq_along(factors)) {
    text <- sub(paste0("\nfactor ", k, ":"), paste0("\n", factors[k], ":"), text, fixed = TRUE)
  }
  substring(text, 2L)
}

# The certificate ------------------------------------------------------------------------------------------------------

#' How the optimum was reached
#'
#' @param fit,x An object of class `lmm`; for `print()`, what `convergence()` returned.
#' @param digits Significant digits printed.
#' @param ... `convergence()` takes no other argument and says so; not used by `print()`.
#' @returns A list of class `lmm_convergence`:
#'   * `status`: `"converged"` (inside the parameter space), `"on_boundary"` (a covariance matrix of less than full
#'     rank, and the optimality conditions there hold), `"stalled"` or `"max_evaluations"` (not an optimum);
#'   * `evaluations`, `iterations`, `starts`: counts of the optimiser;
#'   * `global`: `TRUE` if no other optimum is left unlooked for: the criterion is known to have one only (one random
#'     term, all levels alike), or the search has looked from every face of the boundary. `FALSE`: the optimum is proved
#'     where it is, and another might be lower; the one-line certificate says "local";
#'   * `faces`: how many faces the search has looked from (`looked`), and how many there are (`of`): each variance zero
#'     or not, each covariance matrix of full rank, of rank one with either sign of its correlations, or zero, and one
#'     start far out. Fewer where an evaluation takes tens of thousands of operations, none where it takes more, where
#'     the criterion is known to have one optimum, and for residuals or covariance matrices with a structure, which are
#'     searched from `starts`;
#'   * `gradient`: the largest scaled component of the gradient in the free directions;
#'   * `decrement`: the Newton decrement, by how much the criterion could still fall, in its own unit;
#'   * `kkt`: on the boundary, the smallest eigenvalue of the scaled score in the directions that are zero: not negative
#'     means that leaving the boundary would not lower the criterion; `NA` inside;
#'   * `hessian`: second derivatives of the criterion in theta; `NaN` on the boundary, where not all of them exist;
#'   * `eigenvalues`: curvatures of the criterion in the free directions, descending, in the optimiser's coordinates
#'     (covariates standardised). All positive: a minimum. On the boundary there are fewer than elements of theta;
#'   * `parameters`: number of parameters searched, theta (of terms with a structure, their standard deviations and
#'     correlation) and those of `dispersion` and `correlation`;
#'   * `terms`: data frame of the random terms with the number of effects and the rank of the covariance matrix;
#'   * `structure`: one text about blocks, order, fill and memory;
#'   * `timing`: seconds by step: `frame` (formula and model frame), `design` (columns and grouping factors),
#'     `crossprod` (sums of squares and products, from the rows of the data), `optimise` (the search), `estimates`,
#'     `object` (the rest: what the engine found, as an R object), `total`. A refit by [update()] has those of the
#'     engine alone;
#'   * `criterion`, `REML`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' convergence(fit) # REML criterion 447.0025, its curvature at the optimum 29
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
  refuse_arguments("convergence", ..., call = method_call())
  hessian <- matrix(fit$convergence$hessian, length(fit$theta), dimnames = list(names(fit$theta), names(fit$theta)))
  terms <- data.frame(
    group = vapply(fit$random, function(term) term$group, ""),
    effects = vapply(fit$random, function(term) paste(term$effects, collapse = ", "), ""),
    size = vapply(fit$random, function(term) length(term$effects), 0L),
    rank = vapply(fit$random, function(term) as.integer(term$rank), 0L)
  )
  own <- fit$convergence
  own$hessian <- hessian
  own <- c(own, list(terms = terms, parameters = fit$npar - fit$rank - 1L, criterion = fit$criterion, REML = fit$REML))
  structure(own, class = "lmm_convergence")
}

#' @rdname convergence
#' @export
print.lmm_convergence <- function(x, digits = 3L, ...) {
  check_printed(digits)
  number <- function(value) format(value, digits = digits)
  row <- function(label, ...) {
    lines <- strsplit(paste0(...), "\n", fixed = TRUE)[[1L]]
    cat(paste0(formatC(c(paste0(label, ":"), rep("", length(lines) - 1L)), width = -21L), lines, "\n"), sep = "")
  }
  cat(convergence_sentence(x, digits), "\n", sep = "")
  row(if (x$REML) "REML criterion" else "-2 log-likelihood", format(x$criterion, nsmall = 4L, digits = 10L))
  row("Work", counted(x$evaluations, "evaluation"), ", ", counted(x$iterations, "iteration"), ", ",
    counted(x$starts, "start"))
  if (length(x$faces)) row("Other optima", other_optima_text(x))
  row("Scaled gradient", number(x$gradient))
  row("Newton decrement", decrement_text(x$decrement, digits))
  if (is.finite(x$kkt)) row("Score at boundary", number(x$kkt), if (x$kkt >= 0) " (>= 0: optimal)")
  row("Hessian eigenvalues", eigenvalue_text(x, digits))
  row("Structure", x$structure)
  if (length(x$timing)) row("Seconds", timing_text(x$timing))
  invisible(x)
}

other_optima_text <- function(x) {
  if (x$global && x$faces[["looked"]] == 0) return("there are none")
  if (x$faces[["looked"]] == 0) return("not looked for at the boundary: a local optimum")
  sprintf("looked for from %.0f of %s%s", x$faces[["looked"]], counted(x$faces[["of"]], "face"),
          if (x$global) "" else ": a local optimum")
}

# Below 1e-15 a decrement is rounding, whatever its digits; exactly 0 when no direction is free.
decrement_text <- function(decrement, digits) {
  if (isTRUE(decrement > 0 && decrement < 1e-15)) "< 1e-15" else format(decrement, digits = digits)
}

eigenvalue_text <- function(x, digits) {
  values <- vapply(x$eigenvalues, function(value) format(value, digits = digits), "")
  fixed <- x$parameters - length(values)
  if (!length(values)) {
    return("none, no direction is free")
  }
  paste0(paste(values, collapse = ", "), if (fixed > 0L) sprintf(" (of %s)", counted(length(values), "free direction")))
}

# Such as "0.036 in all: < 0.0001 frame, < 0.0001 design, 0.0012 sums, 0.034 search, < 0.0001 estimates".
timing_text <- function(timing) {
  words <- c(frame = "frame", design = "design", crossprod = "sums", optimise = "search", estimates = "estimates",
             object = "object", total = "in all:")
  seconds <- vapply(timing, function(value) {
    if (value < 1e-4) "< 0.0001" else format(signif(value, if (value < 1) 2L else 3L), scientific = FALSE)
  }, "")
  text <- paste(seconds, words[names(timing)])
  total <- names(timing) == "total"
  paste(c(text[total], paste(text[!total], collapse = ", ")), collapse = " ")
}

# The one line of print, summary and reports.
convergence_line <- function(fit, digits = 2L) {
  paste("Convergence:", convergence_sentence(convergence(fit), digits))
}

# Status in words with the figures that prove it.
convergence_sentence <- function(x, digits = 2L) {
  number <- function(value) format(value, digits = digits)
  spent <- counted(x$evaluations, "evaluation")
  work <- paste0(if (isFALSE(x$global)) "local, ", spent)
  decrement <- decrement_text(x$decrement, digits)
  switch(x$status,
    converged = sprintf("certified optimum (%s, decrement %s)", work, decrement),
    on_boundary = sprintf("certified optimum on the boundary (%s): %s%s", work, boundary_text(x$terms),
      if (is.finite(x$kkt)) sprintf(" (score %s%s)", number(x$kkt), if (x$kkt >= 0) " >= 0" else "") else ""),
    stalled = sprintf("NOT reached: no further progress after %s, decrement %s", spent, decrement),
    max_evaluations = sprintf("NOT reached: stopped after %s, decrement %s", spent, decrement),
    x$status
  )
}

# Which covariance matrices are deficient, in words.
boundary_text <- function(terms) {
  low <- terms[terms$rank < terms$size, , drop = FALSE]
  if (!nrow(low)) {
    return("a covariance matrix has less than full rank, or a correlation is at its limit")
  }
  what <- ifelse(low$effects == "(Intercept)", low$group, paste(low$group, low$effects))
  text <- ifelse(low$size == 1L, sprintf("%s variance is exactly 0", what),
    ifelse(low$rank == 0L, sprintf("%s covariance matrix is exactly 0", low$group),
      sprintf("%s covariance matrix has rank %d of %d", low$group, low$rank, low$size)
    )
  )
  paste(text, collapse = "; ")
}
