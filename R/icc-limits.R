# Limits of intraclass correlations: exact, by the delta method on the logit scale, by the bootstrap.
#
# Reads   a fit, its variance parts and the table of estimates (icc.R).
# Writes  a matrix with a row for each row of the table: lower, upper.

# Exact --------------------------------------------------------------------------------------------------------------

# Harville and Fenech (1985): with r and f degrees of freedom, Q(ratio) / r over the within mean square is F(r, f) at
# the true ratio. Limits below zero are zero.
exact_limits <- function(fit, table, level, design) {
  a <- absorb_term(fit, 1L, design)
  squares <- absorbed_squares(a)
  limits <- matrix(NA_real_, nrow(table), 2L)
  if (squares$df1 < 1 || squares$df2 < 1) return(limits)
  f <- function(ratio) (weighed_between(a, ratio) / squares$df1) / (squares$within / squares$df2)
  quantile <- stats::qf((1 + c(level, -level)) / 2, squares$df1, squares$df2)
  ratio <- vapply(quantile, function(value) ratio_at(f, value), 0)
  limits[1L, ] <- ratio / (1 + ratio)
  limits
}

# Where the decreasing function f takes a value; 0 if it is below the value at 0.
ratio_at <- function(f, value) {
  if (f(0) <= value) return(0)
  high <- 1
  while (f(high) > value && high < 1e15) high <- high * 4
  stats::uniroot(function(ratio) log(f(ratio) / value), c(0, high), tol = 1e-12 * high, maxiter = 1000L)$root
}

# Logit ---------------------------------------------------------------------------------------------------------------

# The share of row i is v / (v + rest), with v and rest quadratic in theta (in units of sigma^2), and for the
# conditional form a rest that depends on beta and sigma as well. Covariance of theta: twice the inverse Hessian of the
# profiled criterion; that of log sigma^2 follows from its gradient in theta.
logit_limits <- function(fit, parts, table, level) {
  gradients <- theta_gradients(fit, parts)
  covariance <- variance_covariance(fit, parts)
  sizes <- parts$variance / parts$sigma2
  k <- length(parts$groups)
  z <- stats::qnorm((1 + level) / 2)
  rows <- lapply(seq_len(nrow(table)), function(i) {
    own <- if (table$group[i] == "all") seq_len(k) else match(table$group[i], parts$groups)
    v <- sum(sizes[own])
    fixed <- if (table$type[i] == "conditional") parts$fixed / parts$sigma2 else 0
    rest <- 1 + sum(sizes[-own]) + fixed
    d_v <- rowSums(gradients[, own, drop = FALSE])
    d_rest <- rowSums(gradients[, -own, drop = FALSE])
    gradient <- c(d_v / v - d_rest / rest, fixed / rest)
    variance <- sum(gradient * covariance %*% gradient) + fixed_term(fit, parts, rest, fixed)
    stats::plogis(log(v / rest) + c(-1, 1) * z * sqrt(variance))
  })
  do.call(rbind, rows)
}

# d (variance of each factor / sigma^2) / d theta: 2 S T, S the mean of z z'; theta x factors.
theta_gradients <- function(fit, parts) {
  templates <- templates(fit)
  gradient <- matrix(0, length(fit$theta), length(parts$groups))
  at <- 0L
  for (k in seq_along(templates)) {
    free <- lower.tri(templates[[k]], diag = TRUE)
    rows <- at + seq_len(sum(free))
    gradient[rows, parts$of_term[k]] <- (2 * parts$mean[[k]] %*% templates[[k]])[free]
    at <- at + sum(free)
  }
  gradient
}

# Covariance matrix of (theta, log sigma^2). sigma^2 = r2(theta) / nu: given theta its log has variance 2 / nu.
variance_covariance <- function(fit, parts) {
  theta <- 2 * solve(fit$convergence$hessian)
  nu <- if (fit$REML) fit$nobs - fit$rank else fit$nobs
  slope <- pwrss_gradient(fit, parts$design) / fit$pwrss
  shared <- drop(theta %*% slope)
  rbind(cbind(theta, shared), c(shared, sum(slope * shared) + 2 / nu), deparse.level = 0)
}

# d pwrss / d theta, element (a, b) of a template: -2 sum over levels of (Z'We)_a u_b, e the residual.
pwrss_gradient <- function(fit, design) {
  residual <- design$y - fixed_part(fit, design) - random_part(fit, design)
  if (!is.null(design$weights)) residual <- residual * design$weights
  n <- length(design$y)
  pieces <- Map(function(term, stored) {
    codes <- design$factors[[term$factor]]$codes
    score <- rowsum(dense_blocks(term$basis, n) * residual, codes)
    gradient <- -2 * crossprod(score, stored$u)
    gradient[lower.tri(gradient, diag = TRUE)]
  }, design$terms, fit$random)
  unlist(pieces, use.names = FALSE)
}

# The part of the variance of a conditional logit that comes from the coefficients: their estimates are independent of
# those of the variances, asymptotically.
fixed_term <- function(fit, parts, rest, fixed) {
  if (!fixed) return(0)
  gradient <- -2 * drop(parts$spread %*% unname(fit$beta[fit$kept])) / (parts$sigma2 * rest)
  sum(gradient * fit$vcov %*% gradient)
}

# Bootstrap -----------------------------------------------------------------------------------------------------------

# The attribute `draws` counts the samples: fewer than asked for after an interrupt.
boot_limits <- function(fit, parts, table, level, nsim, threads, call) {
  draws <- bootstrap_engine(fit, nsim, draw_seed(), threads, fit$control$progress, call)
  if (draws$stopped) {
    if (!length(draws$index)) raise_interrupt()
    warn_interrupted(length(draws$index), nsim, "replicate", "The interval is from the finished ones.", call)
  }
  warn_failures(rep("failed", draws$failed), nsim, "parametric", call)
  k <- length(parts$groups)
  sizes <- matrix(0, nrow(draws$theta), k)
  at <- 0L
  for (j in seq_along(fit$random)) {
    q <- length(fit$random[[j]]$effects)
    own <- draws$theta[, at + seq_len(q * (q + 1L) / 2L), drop = FALSE]
    sizes[, parts$of_term[j]] <- sizes[, parts$of_term[j]] + template_means(own, parts$mean[[j]])
    at <- at + ncol(own)
  }
  beta <- draws$beta
  fixed <- if (ncol(beta)) rowSums((beta %*% parts$spread) * beta) / draws$sigma^2 else 0
  probability <- (1 + c(-level, level)) / 2
  rows <- lapply(seq_len(nrow(table)), function(i) {
    own <- if (table$group[i] == "all") seq_len(k) else match(table$group[i], parts$groups)
    total <- 1 + rowSums(sizes) + if (table$type[i] == "conditional") fixed else 0
    stats::quantile(rowSums(sizes[, own, drop = FALSE]) / total, probability, na.rm = TRUE, names = FALSE)
  })
  structure(do.call(rbind, rows), draws = length(draws$sigma))
}

# trace(T T' S) for each row of `theta`, the lower triangles of T by columns.
template_means <- function(theta, mean) {
  q <- ncol(mean)
  cells <- which(lower.tri(mean, diag = TRUE), arr.ind = TRUE)
  total <- numeric(nrow(theta))
  for (b in seq_len(q)) {
    at <- which(cells[, 2L] == b)
    column <- theta[, at, drop = FALSE]
    total <- total + rowSums((column %*% mean[cells[at, 1L], cells[at, 1L], drop = FALSE]) * column)
  }
  total
}
