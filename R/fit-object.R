# new_lmm(): the fitted model. Plain data: it survives saveRDS(), a new session and another machine.
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
