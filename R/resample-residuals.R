# The residual bootstrap: responses made of resampled random effects and residuals of a fit.
#
# Reads   a fit: its conditional modes and residuals.
# Writes  what bootstrap_engine() does: index, theta, beta, sigma, phi, criterion, certified of the refits.
# Used by bootstrap.R.
#
# Carpenter, Goldstein and Rasbash (2003), section 3.2: conditional modes and residuals vary less than what they
# predict, so they are centred and turned to have exactly the estimated covariance matrix before they are drawn.

#' @returns As `bootstrap_engine()`, with `stopped`.
#' @noRd
residual_bootstrap <- function(fit, nsim, threads, progress, call) {
  fit$control$threads <- threads
  pool <- residual_pool(fit, call)
  n <- fit$nobs
  # as many responses at once as fill 32 MB, and at least twenty rounds for the progress bar
  size <- max(1, min(floor(4e6 / n), ceiling(nsim / 20)))
  meter <- progress_meter(progress)
  on.exit(meter$close())
  rounds <- list()
  done <- 0
  interrupted <- FALSE
  tryCatch(
    while (done < nsim && !interrupted) {
      wanted <- min(size, nsim - done)
      responses <- draw_residual(fit, pool, wanted)
      refits <- refit_engine(fit, responses, call = call)
      interrupted <- refits$stopped > 0
      refits$index <- as.integer(done + refits$index)
      rounds <- c(rounds, list(refits))
      done <- done + wanted
      if (!is.null(meter$report)) meter$report(done, nsim)
    },
    interrupt = function(condition) interrupted <<- TRUE
  )
  if (!length(rounds)) raise_interrupt()
  out <- join_rounds(rounds)
  out$failed <- sum(out$failed)
  out$stopped <- sum(out$stopped) + nsim - done
  out
}

join_rounds <- function(rounds) {
  fields <- names(rounds[[1L]])
  stats::setNames(lapply(fields, function(field) {
    parts <- lapply(rounds, `[[`, field)
    if (is.matrix(parts[[1L]])) do.call(rbind, parts) else unlist(parts)
  }), fields)
}

# What is drawn from: `mean`, `effects` (for each grouping factor: codes, columns of the rows, modes: levels x columns),
# `noise` with mean 0 and variance 1, `deviation` of the residuals, `blocks` of correlated ones.
residual_pool <- function(fit, call) {
  design <- design_of(fit)
  mean <- fixed_part(fit, design)
  deviation <- fit$sigma * residual_sd(fit)
  blocks <- residual_blocks(fit)
  noise <- whiten_rows(fit, (design$y - mean - random_part(fit, design)) / deviation, blocks)
  noise <- noise - mean(noise)
  owner <- vapply(design$terms, `[[`, 0L, "factor")
  effects <- lapply(unique(owner), function(k) {
    own <- which(owner == k)
    list(
      codes = design$factors[[k]]$codes,
      columns = dense_blocks(unlist(lapply(design$terms[own], `[[`, "basis"), recursive = FALSE), fit$nobs),
      modes = reflated_modes(fit$random[own], design$factors[[k]]$name, call)
    )
  })
  list(mean = mean, effects = effects, noise = noise / sqrt(mean(noise^2)), deviation = deviation, blocks = blocks)
}

#' Conditional modes with the estimated covariance matrix
#'
#' S = F F' is the covariance matrix of the centred modes (divisor: the number of levels), Var(b) = H H'; the modes are
#' multiplied by (H F^-1)'. Both factors are lower triangular, so that neither the unit of a covariate nor its origin
#' matters. An effect without variance of its own has a zero column in both.
#' @param terms Random terms of one factor: their effects are drawn together, and are uncorrelated between terms.
#' @noRd
reflated_modes <- function(terms, name, call) {
  modes <- do.call(cbind, lapply(terms, `[[`, "b"))
  modes <- modes - rep(colMeans(modes), each = nrow(modes))
  target <- matrix(0, ncol(modes), ncol(modes))
  at <- 0L
  for (term in terms) {
    own <- at + seq_along(term$effects)
    target[own, own] <- term$varcov
    at <- at + length(own)
  }
  wanted <- semidefinite_root(target)
  found <- semidefinite_root(crossprod(modes) / nrow(modes))
  free <- which(diag(wanted) > 0 & diag(found) > 0)
  # an effect that is all but determined by the earlier ones may stay so
  if (any(diag(found) == 0 & diag(wanted)^2 > 1e-6 * diag(target))) {
    abort_ferrite("bootstrap", "Modes of random effects that are drawn must vary as their covariance matrix does.",
      sprintf("`%s` has %s for %s.", name, counted(nrow(modes), "level"), counted(ncol(modes), "effect")),
      hint = "Use `type = \"parametric\"`, or a simpler random part.", call = call, data = list(factor = name)
    )
  }
  out <- matrix(0, nrow(modes), ncol(modes))
  if (length(free)) {
    inverse <- backsolve(found[free, free, drop = FALSE], diag(length(free)), upper.tri = FALSE)
    out <- modes[, free, drop = FALSE] %*% t(wanted[, free, drop = FALSE] %*% inverse)
  }
  out
}

# Lower triangular F with F F' = S; a column of zeros where an effect has no variance beside the earlier ones.
semidefinite_root <- function(s, tolerance = 1e-10) {
  q <- ncol(s)
  root <- matrix(0, q, q)
  for (i in seq_len(q)) {
    left <- s[i:q, i] - drop(root[i:q, seq_len(i - 1L), drop = FALSE] %*% root[i, seq_len(i - 1L)])
    if (left[1L] > tolerance * s[i, i] && left[1L] > 0) root[i:q, i] <- left / sqrt(left[1L])
  }
  root
}

# n x `count` responses.
draw_residual <- function(fit, pool, count) {
  n <- length(pool$mean)
  values <- matrix(pool$mean, n, count)
  for (effect in pool$effects) {
    levels <- nrow(effect$modes)
    drawn <- matrix(sample.int(levels, levels * count, TRUE), levels)[effect$codes, , drop = FALSE]
    for (k in seq_len(ncol(effect$modes))) values <- values + effect$columns[, k] * effect$modes[drawn, k]
  }
  noise <- matrix(pool$noise[sample.int(n, n * count, TRUE)], n)
  values + pool$deviation * colour_rows(fit, noise, pool$blocks)
}
