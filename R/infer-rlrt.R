# Tests of variances whose null hypothesis lies on the boundary: the exact (restricted) likelihood ratio test of one
# variance component, mixtures of chi-squares for all others, and the sums by level that exact tests rest on.
#
# Reads   a fit and the number of a random term with one column; for mixtures what a test adds: parameters, and how many
#         of them are variances that are zero under the hypothesis.
# Writes  spectra, likelihood ratios, p-values and the text of how they were obtained.
# Used by infer-ranova.R, infer-compare.R, infer-icc.R. The draws are the engine's (simulate_rlrt()).

# Exact test of one variance -------------------------------------------------------------------------------------------
#
# Crainiceanu and Ruppert (2004), J. R. Statist. Soc. B 66, 165-185: under the hypothesis the ratio depends on the data
# only through the eigenvalues mu of Z'MZ (and, by ML, xi of Z'Z). With other random terms in the model the same
# spectrum is used with the observed ratio of the two full models (Greven, Crainiceanu, Kuechenhoff and Peters 2008),
# as RLRsim does: "conditional".
# Rows must be independent with variances known up to sigma, so that not for `dispersion` and `correlation`.

#' The spectrum of one random term
#'
#' @param fit An object of class `lmm`.
#' @param term Number of a random term with one column.
#' @returns list(mu, xi, n, p, rounded): eigenvalues of Z'MZ (positive ones) and of Z'Z, M the residual projection of
#'   the fixed part, rows transformed by sqrt(weight); `rounded` when levels were put into classes of like size.
#' @noRd
rlrt_spectrum <- function(fit, term, sums = term_sums(fit, term)) {
  spectrum <- term_spectrum(sums)
  list(
    mu = spectrum$mu, xi = sort(sums$d, decreasing = TRUE), n = sums$n, p = sums$p,
    rounded = spectrum$rounded
  )
}

#' P-value of one variance component
#'
#' @param statistic The observed (restricted) likelihood ratio.
#' @returns list(p_value, method, draws): method is "exact" when the term is the only one, else "conditional"; the
#'   p-value counts the observed ratio among the draws, so that it is never zero.
#' @noRd
rlrt_test <- function(fit, term, statistic, nsim, seed, threads, sums = term_sums(fit, term)) {
  method <- if (length(fit$random) == 1L) "exact" else "conditional"
  if (statistic <= 0) return(list(p_value = 1, method = method, draws = 0L))
  spectrum <- rlrt_spectrum(fit, term, sums)
  draws <- simulate_rlrt(
    mu = spectrum$mu, xi = if (fit$REML) numeric() else spectrum$xi, n = spectrum$n, p = spectrum$p, fixed = 0,
    nsim = nsim, seed = seed, threads = threads, progress = fit$control$progress
  )
  list(p_value = (1 + sum(draws >= statistic)) / (1 + length(draws)), method = method, draws = length(draws))
}

# Mixtures of chi-squares ----------------------------------------------------------------------------------------------
#
# One new variance with k covariances: the alternatives near the hypothesis are a half-space of dimension k + 1, so the
# ratio is an equal mixture of chi-square with k and with k + 1 degrees of freedom (Self and Liang 1987, cases 5 and 6;
# Stram and Lee 1994). With two or more new variances they are a cone whose shape depends on the design; since one new
# variance must not be negative, it lies in a half-space, and the same mixture bounds the p-value from above.

# The statistic from two criteria (minus twice the log-likelihoods). Searches that end in the same place differ by their
# tolerance (1e-10 each) and by rounding, a few 1e-16 of the criterion; a ratio below 1e-7 does not differ from zero for
# any p-value that can be read (a half at zero, 0.4999 there).
likelihood_ratio <- function(small, large) {
  ratio <- small - large
  if (abs(ratio) < max(1e-7, 1e-12 * abs(large))) 0 else ratio
}

# What is added: `df` parameters, `variances` of them zero under the hypothesis.
mixture_p <- function(statistic, df, variances) {
  x <- max(statistic, 0)
  upper <- function(df) if (df == 0) as.double(x <= 0) else stats::pchisq(x, df, lower.tail = FALSE)
  if (variances < 1L) upper(df) else (upper(df - 1) + upper(df)) / 2
}

# "chi2(1)", "chi2(0:1)" for the equal mixture of 0 and 1 degrees of freedom, "chi2(2:3) bound".
mixture_text <- function(df, variances) {
  if (variances < 1L) return(paste0("chi2(", df, ")"))
  paste0("chi2(", df - 1L, ":", df, ")", if (variances > 1L) " bound")
}

# What the column Reference means, for below a table; nothing when it has ordinary chi-squares only.
mixture_notes <- function(reference) {
  reference <- unique(reference[!is.na(reference)])
  mixed <- grep(":", reference, fixed = TRUE, value = TRUE)
  example <- sub(" bound", "", mixed[1L], fixed = TRUE)
  df <- strsplit(gsub("chi2|[()]", "", example), ":", fixed = TRUE)[[1L]]
  c(
    if (length(mixed)) {
      paste0("A variance of zero is on the boundary. Reference ", example, ": the equal mixture of chi-square with ",
             df[1L], " and ", df[2L], " degrees of freedom (Self and Liang 1987; Stram and Lee 1994).")
    },
    if (any(grepl("bound", reference, fixed = TRUE))) {
      "Bound: several variances are tested at once; the p-value is at most the one shown."
    },
    if (any(grepl("?", reference, fixed = TRUE))) "Nested?: it was not recognised whether the random parts are nested.",
    if ("not nested" %in% reference) "Not nested: there is no likelihood ratio test; compare AIC and BIC."
  )
}

# The spectrum of one term ---------------------------------------------------------------------------------------------
#
# With Q an orthonormal basis of the fixed part, e the residual of y on it, M = I - QQ' and J levels:
#   d (J) = z'z, t (J) = z'e, B (J x p) = z'Q, all by level, so that Z'MZ = diag(d) - BB' and Z'My = t.
# Subtracting z t / d and z B / d from e and Q leaves what varies within levels; its cross-products are `inside`.

term_sums <- function(fit, k, design = design_of(fit)) {
  term <- design$terms[[k]]
  codes <- design$factors[[term$factor]]$codes
  n <- length(design$y)
  root <- if (is.null(design$weights)) 1 else sqrt(design$weights)
  fixed <- fixed_residual(fit, design)
  z <- rep_len(root * block_column(term$basis, 1L), n)
  basis <- cbind(fixed$basis, fixed$residual)
  sums <- unname(rowsum(z * basis, codes))
  d <- unname(drop(rowsum(z^2, codes)))
  mean <- sums / d
  mean[d <= 0, ] <- 0
  inside <- crossprod(basis - z * mean[codes, , drop = FALSE])
  p <- ncol(fixed$basis)
  list(
    n = n, p = p, d = d[d > 0], t = sums[d > 0, p + 1L], B = sums[d > 0, seq_len(p), drop = FALSE], inside = inside,
    rss = fixed$rss
  )
}

# Residual of the response on the fixed part alone, an orthonormal basis of that part (both times sqrt(weight)), the
# residual sum of squares, and the logarithms that the likelihood of that model needs.
fixed_residual <- function(fit, design) {
  n <- length(design$y)
  y <- design$y - (if (is.null(design$offset)) 0 else design$offset)
  # the mean first: a response of large mean and small spread keeps its digits
  if ("(Intercept)" %in% fit$x_names[fit$kept]) y <- y - mean(y)
  root <- if (is.null(design$weights)) 1 else sqrt(design$weights)
  x <- root * dense_blocks(design$x, n)[, fit$kept, drop = FALSE]
  y <- root * y
  log_w <- if (is.null(design$weights)) 0 else sum(log(design$weights))
  if (!ncol(x)) return(list(residual = y, basis = x, rss = sum(y^2), log_x = 0, log_w = log_w, df = n))
  qr <- qr(x, LAPACK = TRUE)
  basis <- qr.Q(qr)
  residual <- y - drop(basis %*% crossprod(basis, y))
  residual <- residual - drop(basis %*% crossprod(basis, residual))
  list(
    residual = residual, basis = basis, rss = sum(residual^2), log_x = 2 * sum(log(abs(diag(qr.R(qr))))),
    log_w = log_w, df = n - ncol(x)
  )
}

# Minus twice the (restricted) log-likelihood of the fixed part of a fit without any random term.
null_criterion <- function(fit, REML = fit$REML, design = design_of(fit)) { # nolint: object_name_linter.
  if (!is.null(fit$residual)) return(gls_criterion(fit, REML, design))
  fixed <- fixed_residual(fit, design)
  nu <- if (REML) fixed$df else fit$nobs
  nu * (1 + log(2 * pi * fixed$rss / nu)) - fixed$log_w + if (REML) fixed$log_x else 0
}

# The sums of squares when the term is fixed as well: between (given the fixed part) and within, with degrees of
# freedom.
term_squares <- function(a) {
  p <- a$p
  part <- inside_part(a)
  between <- sum(a$t^2 / a$d) + part$explained
  rank <- length(a$d) + part$rank
  list(between = between, within = a$inside[p + 1L, p + 1L] - part$explained, df1 = rank - p, df2 = a$n - rank)
}

# What the fixed part explains within levels, and its rank there.
inside_part <- function(a) {
  p <- a$p
  if (!p) return(list(explained = 0, rank = 0L))
  own <- eigen(a$inside[seq_len(p), seq_len(p), drop = FALSE], symmetric = TRUE)
  keep <- own$values > 1e-10
  cross <- crossprod(own$vectors[, keep, drop = FALSE], a$inside[seq_len(p), p + 1L])
  list(explained = sum(cross^2 / own$values[keep]), rank = sum(keep))
}

# Exact F test of a variance of zero (Wald 1947); F > 1 pulls the estimate off zero in balanced one-way layouts.
term_f_test <- function(a) {
  squares <- term_squares(a)
  if (squares$df1 < 1 || squares$df2 < 1) return(NULL)
  f <- (squares$between / squares$df1) / (squares$within / squares$df2)
  list(
    statistic = f, df1 = squares$df1, df2 = squares$df2,
    p_value = stats::pf(f, squares$df1, squares$df2, lower.tail = FALSE)
  )
}

# The between sum of squares, each direction weighed by 1 / (1 + ratio mu): chi-square with df1 degrees of freedom times
# sigma^2 when `ratio` is the true ratio of the variances. Decreases in `ratio`.
weighed_between <- function(a, ratio) {
  p <- a$p
  h <- 1 / (a$d * (1 + ratio * a$d))
  between <- sum(a$t^2 * h)
  if (!p) return(between)
  at <- seq_len(p)
  whole <- a$inside[at, at, drop = FALSE] + crossprod(a$B, a$B * h)
  cross <- a$inside[at, p + 1L] + drop(crossprod(a$B, a$t * h))
  between + inside_part(a)$explained - sum(cross * solve(whole, cross, tol = 0))
}

# Eigenvalues of Z'MZ = diag(d) - BB', positive ones only, in decreasing order. Levels with the same d share all but p
# of theirs, so that the matrix that is left has order p times the number of distinct d. When that is above `limit`, d
# is rounded to classes of equal width on the log scale (`rounded`).
term_spectrum <- function(a, limit = 1500L) {
  p <- a$p
  class <- signif(a$d, 10L)
  most <- max(1L, limit %/% max(p, 1L))
  rounded <- length(a$d) > limit && length(unique(class)) > most
  if (rounded) {
    scale <- range(log(a$d))
    class <- round((log(a$d) - scale[1L]) / diff(scale) * (most - 1L))
  }
  members <- split(seq_along(a$d), class)
  value <- unname(vapply(members, function(at) mean(a$d[at]), 0))
  pieces <- lapply(members, function(at) shared_rows(a$B[at, , drop = FALSE]))
  kept <- vapply(pieces, nrow, 1L)
  shared <- rep(value, lengths(members) - kept)
  left <- diag(rep(value, kept), sum(kept)) - tcrossprod(do.call(rbind, pieces))
  own <- if (sum(kept)) eigen(left, symmetric = TRUE, only.values = TRUE)$values
  mu <- sort(c(shared, own), decreasing = TRUE)
  list(mu = mu[mu > 1e-9 * max(a$d)], rounded = rounded)
}

# At most p rows R with R'R = B'B: those of the directions in which levels with the same d differ from each other.
shared_rows <- function(rows) {
  if (nrow(rows) <= ncol(rows)) return(rows)
  if (!ncol(rows)) return(matrix(0, 0L, 0L))
  qr <- qr(rows, LAPACK = TRUE)
  qr.R(qr)[, order(qr$pivot), drop = FALSE]
}
