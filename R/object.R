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
#               contrasts, xlevels, varcov q x q, b and u J x q, condvar q x q x J, rank
#   factors     list: name, levels, n_levels, variables, parents (J x k codes of a crossing, or NULL),
#               parent_levels (the levels of each variable)
#   criterion, ld_l, ld_rx, pwrss, nobs, rank, npar (r + m + 1), weights_used
#   convergence list(status, evaluations, iterations, starts, decrement, gradient, kkt, eigenvalues (of the free
#               directions, descending), hessian (m x m), structure (text, names of factors), timing (named seconds))
#   control     the settings

new_lmm <- function(raw, design, built, formula, REML, control, call) { # nolint: object_name_linter.
  kept <- as.integer(raw$kept)
  kept_names <- design$x_names[kept]
  beta <- as.double(raw$beta)
  beta[setdiff(seq_along(beta), kept)] <- NA_real_
  terms <- Map(random_result, design$terms, raw$terms, lapply(design$terms, function(t) design$factors[[t$factor]]))
  structure(
    class = "lmm",
    list(
      call = call, formula = formula, REML = REML, terms = built$terms, frame = built$frame,
      na.action = built$na.action, contrasts = design$contrasts, xlevels = design$xlevels, x_names = design$x_names,
      beta = stats::setNames(beta, design$x_names), kept = kept,
      vcov = matrix(raw$vcov, length(kept), length(kept), dimnames = list(kept_names, kept_names)),
      theta = stats::setNames(raw$theta, theta_names(design$terms)), sigma = raw$sigma,
      random = unname(terms),
      factors = lapply(design$factors, function(factor) factor[setdiff(names(factor), "codes")]),
      criterion = raw$criterion, ld_l = raw$ld_l, ld_rx = raw$ld_rx, pwrss = raw$pwrss,
      nobs = length(design$y), rank = length(kept), npar = length(kept) + length(raw$theta) + 1L,
      weights_used = !is.null(design$weights), convergence = convergence_record(raw, design), control = control
    )
  )
}

random_result <- function(term, raw, factor) {
  q <- length(term$effects)
  by_level <- list(factor$levels, term$effects)
  list(
    group = term$group, factor = term$factor, effects = term$effects, text = term$text, lhs = term$lhs,
    contrasts = term$contrasts, xlevels = term$xlevels,
    varcov = matrix(raw$varcov, q, q, dimnames = list(term$effects, term$effects)),
    b = matrix(raw$b, ncol = q, dimnames = by_level),
    u = matrix(raw$u, ncol = q, dimnames = by_level),
    condvar = array(raw$condvar, c(q, q, factor$n_levels), list(term$effects, term$effects, factor$levels)),
    rank = as.integer(raw$rank)
  )
}

convergence_record <- function(raw, design) {
  m <- length(raw$theta)
  record <- raw[c("status", "evaluations", "iterations", "starts", "decrement", "gradient", "kkt", "eigenvalues",
                  "hessian", "structure", "timing")]
  record$eigenvalues <- sort(as.double(record$eigenvalues), decreasing = TRUE)
  record$hessian <- matrix(record$hessian, m, m)
  record$structure <- named_structure(record$structure, vapply(design$factors, function(factor) factor$name, ""))
  names(record$timing) <- c("crossprod", "optimise", "estimates")[seq_along(record$timing)]
  record
}

# "factor 2: 10 blocks ..." with the name of the second grouping factor.
named_structure <- function(text, factors) {
  lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
  number <- as.integer(sub("^factor ([0-9]+):.*$", "\\1", ifelse(grepl("^factor [0-9]+:", lines), lines, NA)))
  known <- !is.na(number)
  lines[known] <- paste0(factors[number[known]], sub("^factor [0-9]+", "", lines[known]))
  paste(lines, collapse = "\n")
}
