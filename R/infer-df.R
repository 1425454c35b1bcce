# Degrees of freedom: tests of L beta = rhs with Satterthwaite's, Kenward and Roger's or no approximation.
#
# Reads   a fit and, through infer_fixed(), the derivatives of the covariance matrix of the estimates.
# Writes  `inference`, the list that every test of fixed effects starts from:
#   method    the method used (not always the one asked for)
#   beta, vcov_beta, sigma   estimates, their covariance matrix, residual sd; of the REML refit for Kenward-Roger on ML
#             fits
#   variance  covariance matrix for standard errors: vcov_beta, or Kenward and Roger's adjusted one
#   jac, cov  the derivatives of vcov_beta in K variance parameters (r x r x K), and the covariance matrix of these
#             (K x K): of the free ones by the observed information (Satterthwaite, and Kenward-Roger for fits with a
#             structure), of all by the expected one (Kenward-Roger); NULL when asymptotic
# Used by report-print.R, infer-contest.R, infer-anova.R, infer-drop1.R. Nothing of it is stored in a fit.
# Satterthwaite with several rows as in Fai and Cornelius (1996) with the averaging of lmerTest (Kuznetsova, Brockhoff
# and Christensen 2017); Kenward and Roger (1997), section 3, with the limiting cases of pbkrtest (Halekoh, Hojsgaard
# 2014).

ddf_methods <- c("Satterthwaite", "Kenward-Roger", "asymptotic")

check_ddf <- function(ddf, call) choose_one(ddf, ddf_methods, "ddf", call)

#' What the tests of fixed effects start from
#'
#' @param fit An object of class `lmm`.
#' @param ddf What the user gave.
#' @returns The list `inference`; see the head of this file.
#' @noRd
inference_of <- function(fit, ddf, call) {
  method <- check_ddf(ddf, call)
  if (method == "Kenward-Roger" && fit$rank) {
    found <- kenward_roger_of(fit, call)
    if (!is.null(found)) return(found)
    method <- "Satterthwaite"
  }
  basis <- inference_basis(fit, method)
  if (method == "Satterthwaite" && fit$rank) {
    found <- infer_fixed(fit, kr = FALSE, call = call)$free
    basis[c("jac", "cov")] <- found[c("jac", "cov")]
  }
  basis
}

inference_basis <- function(fit, method) {
  v <- vcov(fit, complete = FALSE)
  list(method = method, beta = fixef(fit, complete = FALSE), vcov_beta = v, variance = v, sigma = fit$sigma)
}

# NULL, with a message, when Kenward and Roger's quantities are not to be had.
kenward_roger_of <- function(fit, call) {
  used <- if (fit$REML) fit else muffled(refit_frame(fit, list(REML = TRUE)))
  found <- infer_fixed(used, kr = TRUE, call = call)
  if (is.null(found$kr)) {
    inform_ferrite(
      "ddf", "Kenward and Roger's method must fit in memory.", kr_reason_text(found),
      hint = "Satterthwaite's method is used instead; `lmm_control(memory = )` sets what is allowed.", call = call,
      data = list(bytes = found$bytes_needed, method = "Satterthwaite")
    )
    return(NULL)
  }
  if (!fit$REML) {
    inform_ferrite(
      "ddf", "Kenward and Roger's method is for REML fits.", "This fit is by maximum likelihood.",
      hint = "Estimates and tests of fixed effects are those of the same model refitted by REML.", call = call,
      data = list(method = "Kenward-Roger")
    )
  }
  basis <- inference_basis(used, "Kenward-Roger")
  basis$variance <- structure(found$kr$vcov_adjusted, dim = dim(basis$vcov_beta), dimnames = dimnames(basis$vcov_beta))
  # with C = vcov_beta, dC / dv_i = -C P_i C
  basis$jac <- found$kr$P
  for (i in seq_len(dim(basis$jac)[3L])) basis$jac[, , i] <- -basis$vcov_beta %*% found$kr$P[, , i] %*% basis$vcov_beta
  basis$cov <- found$kr$W
  basis
}

# What a refit has to say was said by the fit.
muffled <- function(expr) {
  withCallingHandlers(expr, ferrite_message = function(m) invokeRestart("muffleMessage"))
}

kr_reason_text <- function(found) {
  if (is.null(found$bytes_needed)) return("The information about the variances is singular.")
  paste0("The crossed grouping factors make it need ", bytes_text(found$bytes_needed), ".")
}

# One row at a time ---------------------------------------------------------------------------------------------------

# t tests of the rows of L: matrix with Estimate, Std. Error, df, t value, Pr(>|t|).
t_tests <- function(inference, L, rhs = 0) { # nolint: object_name_linter.
  t_matrix(L, drop(L %*% inference$beta), sqrt(quadratic_forms(L, inference$variance)), row_df(inference, L), rhs)
}

t_columns <- c("Estimate", "Std. Error", "df", "t value", "Pr(>|t|)")

t_matrix <- function(L, estimate, error, df, rhs) { # nolint: object_name_linter.
  statistic <- (estimate - rhs) / error
  table <- cbind(estimate, error, df, statistic, 2 * stats::pt(-abs(statistic), df))
  dimnames(table) <- list(rownames(L), t_columns)
  table
}

# l' A l for each row l of L.
quadratic_forms <- function(L, A) unname(rowSums((L %*% A) * L)) # nolint: object_name_linter.

# Degrees of freedom of each row of L: 2 v^2 / Var(v) for v = l' C l with C = vcov_beta. Kenward and Roger's formulas
# come to the same in one dimension (A1 = A2 = A there, so that df = 2 / A, with scale 1), only with their covariance of
# the parameters.
row_df <- function(inference, L) { # nolint: object_name_linter.
  if (is.null(inference$jac)) return(rep(Inf, nrow(L)))
  gradient <- matrix(apply(inference$jac, 3L, function(slope) quadratic_forms(L, slope)), nrow(L))
  df <- 2 * quadratic_forms(L, inference$vcov_beta)^2 / quadratic_forms(gradient, inference$cov)
  # at a fit that is no minimum the observed information can be indefinite
  df[!is.na(df) & df <= 0] <- NaN
  df
}

# Several rows together -----------------------------------------------------------------------------------------------

#' F test of L beta = rhs
#'
#' @param L Matrix over the estimated coefficients; rows may depend on each other.
#' @returns Vector F (scaled), scale, ndf, ddf; NA when no row is left.
#' @noRd
f_test <- function(inference, L, rhs = 0) { # nolint: object_name_linter.
  basis <- independent_rows(inference, L, rhs)
  q <- nrow(basis$L)
  if (!q) return(c(F = NA_real_, scale = NA_real_, ndf = NA_real_, ddf = NA_real_))
  inner <- basis$L %*% inference$variance %*% t(basis$L)
  statistic <- sum(basis$distance * solve_scaled(inner, basis$distance)) / q
  ddf <- row_df(inference, basis$L)
  scale <- 1
  if (q > 1L && inference$method == "Kenward-Roger") {
    found <- kenward_roger_f(inference, basis$L)
    ddf <- found$ddf
    scale <- found$scale
  } else if (q > 1L) {
    ddf <- average_df(ddf)
  }
  c(F = scale * statistic, scale = scale, ndf = q, ddf = ddf)
}

# The rows of L turned so that their estimates are uncorrelated, list(L, distance): eigenvectors of L C L' with
# C = vcov_beta, by which lmerTest defines its denominator degrees of freedom. Rank is judged after scaling each row to
# variance one, so that the units of the covariates do not matter; rows whose variances are too far apart for the
# eigenvectors of the unscaled matrix are turned after that scaling.
independent_rows <- function(inference, L, rhs = 0) { # nolint: object_name_linter.
  distance <- drop(L %*% inference$beta) - rhs
  spread <- sqrt(quadratic_forms(L, inference$vcov_beta))
  used <- which(is.finite(spread) & spread > 0)
  L <- L[used, , drop = FALSE] # nolint: object_name_linter.
  if (length(used) < 2L) return(list(L = L, distance = distance[used]))
  scaled <- L / spread[used]
  turn <- eigen(scaled %*% inference$vcov_beta %*% t(scaled), symmetric = TRUE)
  rank <- sum(turn$values > 1e-10 * turn$values[1L])
  rows <- L
  distance <- distance[used]
  plain <- eigen(rows %*% inference$vcov_beta %*% t(rows), symmetric = TRUE)
  if (sum(plain$values > 1e-8 * plain$values[1L]) == rank) {
    turn <- plain
  } else {
    rows <- scaled
    distance <- distance / spread[used]
  }
  turned <- crossprod(turn$vectors, rows)
  distance <- drop(crossprod(turn$vectors, distance))
  kept <- seq_len(rank)
  list(L = turned[kept, , drop = FALSE], distance = distance[kept])
}

# A^-1 b for a covariance matrix of rows of any units.
solve_scaled <- function(a, b) {
  size <- sqrt(diag(a))
  solve(a / outer(size, size), b / size) / size
}

# Denominator degrees of freedom of an average of squared t variables with `nu` each: those of the F distribution with
# the same mean, E = sum nu / (nu - 2); 2 when a mean does not exist.
average_df <- function(nu) {
  if (anyNA(nu)) return(NA_real_)
  if (all(nu == nu[1L]) || max(nu) - min(nu) < 1e-8) return(mean(nu))
  if (any(nu <= 2)) return(2)
  excess <- sum(2 / (nu - 2))
  2 * (excess + length(nu)) / excess
}

# Scale and denominator degrees of freedom of Kenward and Roger (1997, section 3) for q > 1 independent rows: those of
# the F distribution with the approximate mean and variance of the Wald statistic.
kenward_roger_f <- function(inference, L) { # nolint: object_name_linter.
  q <- nrow(L)
  inner <- L %*% inference$vcov_beta %*% t(L)
  slopes <- lapply(seq_len(dim(inference$jac)[3L]), function(i) {
    solve_scaled(inner, L %*% inference$jac[, , i] %*% t(L))
  })
  traces <- vapply(slopes, function(m) sum(diag(m)), 0)
  # element i, j: the trace of slope i times slope j
  flat <- function(m) matrix(unlist(m), q * q)
  products <- crossprod(flat(lapply(slopes, t)), flat(slopes))
  a1 <- sum(inference$cov * outer(traces, traces))
  a2 <- sum(inference$cov * products)
  b <- (a1 + 6 * a2) / (2 * q)
  g <- ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
  base <- 3 * q + 2 * (1 - g)
  v0 <- 1 + g / base * b
  if (abs(v0) < 1e-10) v0 <- 0
  v1 <- 1 - (q - g) / base * b
  v2 <- 1 - (q + 2 - g) / base * b
  mean_part <- 1 - a2 / q
  ratio <- if (abs(mean_part) < 1e-14 && abs(v1) < 1e-14) 1 else mean_part / v1
  rho <- ratio^2 * v0 / v2 / q
  ddf <- 4 + (q + 2) / (q * rho - 1)
  list(ddf = ddf, scale = if (abs(ddf - 2) < 0.01) 1 else ddf * mean_part / (ddf - 2))
}
