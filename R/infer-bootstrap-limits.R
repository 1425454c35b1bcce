# Limits from bootstrap replicates: percentile, basic, bias-corrected and accelerated, normal.
#
# Reads   an object of class lmm_bootstrap.
# Writes  a matrix of class lmm_confint.
# Davison and Hinkley (1997), chapter 5; Efron (1987). The acceleration of resampled cases is in infer-resample.R.

boot_types <- c("percentile", "basic", "bca", "normal")

#' Intervals from a bootstrap
#'
#' @param names Of statistics; one that is not in the bootstrap (a coefficient that was dropped) gives a row of NA.
#' @returns A matrix as that of `confint.lmm()`.
#' @noRd
boot_intervals <- function(boot, names, level, type, call) {
  needed <- ceiling(2 / (1 - level) - 1 - 1e-9)
  if (nrow(boot$replicates) < needed) {
    warn_ferrite(
      "interval", sprintf("An interval of level %g must have at least %s.", level, counted(needed, "replicate")),
      sprintf("There are %d, so that the limits are the smallest and the largest.", nrow(boot$replicates)),
      hint = "Raise `nsim`.", call = call
    )
  }
  acceleration <- if (type == "bca") boot_acceleration(boot, call)
  edges <- if (type %in% c("basic", "normal")) boot_edges(boot)
  picked <- match(names, names(boot$estimate))
  limits <- matrix(NA_real_, length(names), 2L)
  for (row in which(!is.na(picked))) {
    k <- picked[row]
    values <- boot$replicates[, k]
    values <- values[!is.na(values)]
    estimate <- boot$estimate[[k]]
    if (!length(values) || is.na(estimate)) next
    limits[row, ] <- switch(type,
      percentile = boot_quantile(values, c((1 - level) / 2, (1 + level) / 2)),
      normal = {
        around <- 2 * estimate - mean(values) + stats::sd(values) * stats::qnorm(c((1 - level) / 2, (1 + level) / 2))
        pmax(edges[1L, k], pmin(edges[2L, k], around))
      },
      basic = {
        reflected <- 2 * estimate - boot_quantile(values, c((1 + level) / 2, (1 - level) / 2))
        pmax(edges[1L, k], pmin(edges[2L, k], reflected))
      },
      bca = boot_quantile(values, bca_shares(values, estimate, acceleration[[k]], level))
    )
  }
  criterion <- rep(if (boot$fit$REML) "REML" else "ML", length(names))
  note <- paste0(switch(type, bca = "BCa", type), " intervals, ", counted(nrow(boot$replicates), "replicate"))
  new_confint(limits, names, level, if (boot$type == "parametric") "boot" else boot$type, criterion, note)
}

boot_quantile <- function(values, shares) stats::quantile(values, shares, names = FALSE, type = 6L)

# The shares of the replicates that are the limits of a BCa interval.
bca_shares <- function(values, estimate, acceleration, level) {
  below <- mean(values < estimate) + mean(values == estimate) / 2
  bias <- stats::qnorm(below)
  if (!is.finite(bias)) {
    # all replicates on one side: no correction can be made of it but to the end of that side
    return(if (bias < 0) c(0, 0) else c(1, 1))
  }
  shifted <- bias + stats::qnorm(c((1 - level) / 2, (1 + level) / 2))
  room <- 1 - acceleration * shifted
  ifelse(room > 0, stats::pnorm(bias + shifted / room), as.numeric(shifted > 0))
}

# Smallest and largest possible values of the statistics; those of the user are not limited.
boot_edges <- function(boot) {
  edges <- matrix(c(-Inf, Inf), 2L, length(boot$estimate))
  if (is.null(boot$statistic)) {
    table <- parameter_table(boot$fit)
    kinds <- table$kind[match(names(boot$estimate), table$name)]
    edges <- vapply(kinds, parameter_edges, c(0, 0))
  }
  edges
}

# Acceleration of each statistic: zero, with a message, where it is not to be had.
boot_acceleration <- function(boot, call) {
  found <- if (boot$type == "cases") case_accelerations(boot)
  else accelerations(boot$fit, or_else(boot$statistic, default_statistic), length(boot$estimate))
  if (anyNA(found)) {
    inform_ferrite("interval", "A BCa interval must have an acceleration.",
      paste0("It could not be computed for ", quoted_list(names(boot$estimate)[is.na(found)]), "."),
      hint = "It is taken as zero: the interval is corrected for bias only.", call = call
    )
    found[is.na(found)] <- 0
  }
  found
}

# The acceleration -----------------------------------------------------------------------------------------------------
#
# The skewness of the score in the least favourable direction (Efron 1987, section 6) of a statistic t(beta, v), where v
# are the variances: for every term the lower triangle of Var(b) by columns, then sigma^2. With the gradient (g_b, g_v)
# of t, C = (X'V^-1X)^-1 and the expected information I of v, that direction is d_b = C g_b, d_v = I^-1 g_v. The score
# in it is a linear plus a quadratic form in normal variables, with the cumulants
#   k2 = d_b' g_b + d_v' g_v
#   k3 = - sum_ijk d_i d_j d_k dI_jk/dv_i - 3 sum_i d_i d_b' P_i d_b,     P_i = d(X'V^-1X)/dv_i,
# since the third cumulant of the score of a covariance that is linear in v, tr((PV_d)^3), is minus the derivative of
# the information, tr((PV_d)^2)/2, in its own direction. The acceleration is k3 / (6 k2^(3/2)).

#' @returns As many numbers as the statistic has; NA where they cannot be computed.
#' @noRd
accelerations <- function(fit, statistic, size) {
  place <- interior_place(fit)
  units <- engine_units(fit, place)
  centre <- if (!is.null(units)) information_at(fit, place, units)
  if (is.null(centre) || !is_coherent(centre, place)) {
    return(rep(NA_real_, size))
  }
  slopes <- information_slopes(fit, place, units)
  light <- light_fit(fit)
  value_at <- function(place, beta) {
    tryCatch(
      as.double(statistic(at_parameters(light, theta_of(place), beta, sqrt(place$sigma2)))),
      error = function(e) rep(NA_real_, size)
    )
  }
  beta <- unname(fit$beta[fit$kept])
  steps <- 1e-4 * sqrt(diag(centre$vcov_beta))
  beta_gradient <- vapply(seq_along(beta), function(k) {
    step <- replace(numeric(length(beta)), k, steps[k])
    (value_at(place, beta + step) - value_at(place, beta - step)) / (2 * steps[k])
  }, numeric(size))
  variance_gradient <- vapply(seq_along(place$steps), function(i) {
    step <- place$steps[i]
    (value_at(shifted(place, i, step), beta) - value_at(shifted(place, i, -step), beta)) / (2 * step)
  }, numeric(size))
  beta_gradient <- matrix(beta_gradient, size)
  variance_gradient <- matrix(variance_gradient, size)
  vapply(seq_len(size), function(k) {
    skewness_of_score(beta_gradient[k, ], variance_gradient[k, ], centre, slopes) / 6
  }, 0)
}

skewness_of_score <- function(beta_gradient, variance_gradient, centre, slopes) {
  if (!all(is.finite(c(beta_gradient, variance_gradient)))) {
    return(NA_real_)
  }
  d_beta <- drop(centre$vcov_beta %*% beta_gradient)
  d_variance <- drop(centre$inverse %*% variance_gradient)
  second <- sum(d_beta * beta_gradient) + sum(d_variance * variance_gradient)
  if (!is.finite(second) || second <= 0) {
    return(NA_real_)
  }
  m <- length(d_variance)
  third <- 0
  for (i in seq_len(m)) {
    along <- sum(d_variance * (slopes[, , i] %*% d_variance))
    mixed <- sum(d_beta * (matrix(centre$P[, , i], length(d_beta)) %*% d_beta))
    third <- third - d_variance[i] * (along + 3 * mixed)
  }
  third / second^1.5
}

# Where the derivatives are taken: the fit, or a little inside when it is on the edge of the parameter space. A list:
# `covariances` (matrices), `sigma2`, `steps` for numerical derivatives, `cells` (term, row, column of each parameter).
interior_place <- function(fit) {
  design <- design_of(fit)
  sigma2 <- fit$sigma^2
  covariances <- list()
  steps <- numeric()
  cells <- NULL
  for (k in seq_along(fit$random)) {
    covariance <- unname(fit$random[[k]]$varcov)
    basis <- dense_blocks(design$terms[[k]]$basis, fit$nobs)
    # a variance that adds as much to the response as the residuals do, and the one that there is
    unit <- sqrt(diag(covariance) + sigma2 / pmax(colMeans(basis^2), 1e-300))
    scaled <- covariance / outer(unit, unit)
    lowest <- min(eigen(scaled, symmetric = TRUE, only.values = TRUE)$values)
    if (lowest < 1e-3) diag(scaled) <- diag(scaled) + 1e-3
    covariances[[k]] <- scaled * outer(unit, unit)
    at <- which(lower.tri(scaled, diag = TRUE), arr.ind = TRUE)
    steps <- c(steps, 1e-4 * unit[at[, 1L]] * unit[at[, 2L]])
    cells <- rbind(cells, cbind(k, at))
  }
  list(covariances = covariances, sigma2 = sigma2, steps = c(steps, 1e-4 * sigma2), cells = unname(cells))
}

# The place with parameter i moved.
shifted <- function(place, i, step) {
  if (i > nrow(place$cells)) {
    place$sigma2 <- place$sigma2 + step
    return(place)
  }
  at <- place$cells[i, ]
  covariance <- place$covariances[[at[1L]]]
  covariance[at[2L], at[3L]] <- covariance[at[2L], at[3L]] + step
  covariance[at[3L], at[2L]] <- covariance[at[2L], at[3L]]
  place$covariances[[at[1L]]] <- covariance
  place
}

theta_of <- function(place) {
  unlist(lapply(place$covariances, function(covariance) {
    factor <- t(chol(covariance / place$sigma2))
    factor[lower.tri(factor, diag = TRUE)]
  }))
}

variances_of <- function(place) {
  lower <- function(covariance) covariance[lower.tri(covariance, diag = TRUE)]
  c(unlist(lapply(place$covariances, lower)), place$sigma2)
}

# How the engine's parameters come from the variances: `M`, up to the square of a unit of the response, and that
# `unit2`. It makes the columns of each term orthonormal from left to right, with unit (weighted) mean square:
# basis = Q A, so that its covariances are A Var(b) A'; its weights have a geometric mean of one.
engine_units <- function(fit, place) {
  design <- design_of(fit)
  weights <- or_else(design$weights, rep(1, fit$nobs))
  roots <- lapply(design$terms, function(term) {
    chol(crossprod(sqrt(weights / sum(weights)) * dense_blocks(term$basis, fit$nobs)))
  })
  m <- length(place$steps)
  M <- diag(c(numeric(m - 1L), 1 / exp(mean(log(weights))))) # nolint: object_name_linter.
  for (i in seq_len(m - 1L)) {
    at <- place$cells[i, ]
    root <- roots[[at[1L]]]
    direction <- matrix(0, nrow(root), nrow(root))
    direction[at[2L], at[3L]] <- direction[at[3L], at[2L]] <- 1
    turned <- root %*% direction %*% t(root)
    M[which(place$cells[, 1L] == at[1L]), i] <- turned[lower.tri(turned, diag = TRUE)]
  }
  units <- list(M = M, unit2 = 1)
  own <- place
  own$covariances <- lapply(fit$random, function(term) unname(term$varcov))
  # at the fit itself the engine's sigma^2 is known
  found <- information_at(fit, own, units, fit$theta)
  if (is.null(found)) {
    return(NULL)
  }
  units$unit2 <- (if (fit$REML) 1 else fit$nobs / (fit$nobs - fit$rank)) / found$ratio
  units
}

# Expected information at a place, its `inverse`, `vcov_beta` and `P`; NULL if they do not fit in memory. The engine
# takes sigma^2 from the data; v'I v = (n - r)/2 at every v says by which `ratio` it differs from that of the place.
information_at <- function(fit, place, units, theta = theta_of(place)) {
  fit$REML <- TRUE
  fit$theta[] <- theta
  # there is no information about the parameters of a pattern; those of the residuals count as known
  patterned <- any(lengths(lapply(fit$random, `[[`, "structure")))
  found <- if (!patterned) infer_fixed(fit, kr = TRUE, known = TRUE)
  if (is.null(found$kr)) {
    return(NULL)
  }
  size <- sqrt(diag(found$kr$W))
  information <- crossprod(units$M / size, solve(found$kr$W / outer(size, size), units$M / size))
  v <- variances_of(place)
  ratio <- sqrt((fit$nobs - fit$rank) / 2 / sum(v * (information %*% v)))
  turned <- solve(units$M)
  slopes <- matrix(found$kr$P, ncol = length(v)) %*% units$M
  list(
    ratio = ratio, information = ratio^2 * information, inverse = turned %*% found$kr$W %*% t(turned) / ratio^2,
    vcov_beta = found$vcov_beta / (ratio * units$unit2), P = array(ratio^2 * units$unit2 * slopes, dim(found$kr$P))
  )
}

# X'V^-1X = - sum v_i P_i: false if the parameters are not what they are taken for.
is_coherent <- function(centre, place) {
  r <- nrow(centre$vcov_beta)
  product <- centre$vcov_beta %*% matrix(matrix(centre$P, ncol = length(place$steps)) %*% variances_of(place), r)
  all(abs(product + diag(r)) < 1e-6)
}

# d information / d v_i, an m x m x m array.
information_slopes <- function(fit, place, units) {
  m <- length(place$steps)
  slopes <- vapply(seq_len(m), function(i) {
    step <- place$steps[i]
    above <- information_at(fit, shifted(place, i, step), units)$information
    below <- information_at(fit, shifted(place, i, -step), units)$information
    (above - below) / (2 * step)
  }, matrix(0, m, m))
  array(slopes, c(m, m, m))
}
