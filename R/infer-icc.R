# icc(): intraclass correlations and their limits: exact, by the delta method on the logit scale, by the bootstrap.
#
# Reads   a fit.
# Writes  a table of class `icc_lmm` with a row for each part of the variance.

#' Intraclass correlation
#'
#' The share of the variance that lies between the levels of each grouping factor, and of all together, with an
#' interval.
#'
#' @param fit,x An object of class `lmm`; for the methods of the table, what `icc()` returned.
#' @param level Coverage of the intervals, between 0 and 1. Default 0.95.
#' @param method How the interval is made; see *Intervals*. `"auto"` (default): `"exact"` where there is one random
#'   intercept and nothing else random, else `"logit"`, or `"boot"` when a variance is estimated as zero.
#' @param nsim Number of bootstrap samples, a positive whole number. Default 1000.
#' @param threads Threads for the bootstrap. Default: those of the fit.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... Not used.
#' @details
#'   With the variance \eqn{\sigma_k^2} of the random effects of factor k in an observation and the residual variance
#'   \eqn{\sigma^2},
#'   \deqn{ICC_k = \sigma_k^2 / (\sum_l \sigma_l^2 + \sigma^2).}
#'   This is the `adjusted` form: the variance that the fixed part explains is left out. The `conditional` form, given
#'   beside it when the fixed part varies, has the sample variance of the fixed part in the denominator as well
#'   (Nakagawa, Johnson and Schielzeth 2017). For random slopes the variance of an observation depends on the covariate;
#'   \eqn{\sigma_k^2} is then its mean over the rows of the data (Johnson 2014). With prior weights \eqn{\sigma^2} is
#'   that of an observation of weight one.
#'
#'   `ratio` is \eqn{\sigma_k^2 / \sigma^2}. `covariance` is that of two observations of the same level of the factor:
#'   \eqn{\sigma_k^2}, and for a nested factor also the variances of the factors within which its levels lie;
#'   `correlation` is the covariance divided by the variance of an observation, both given the fixed part. In a one-way
#'   layout it is the ICC.
#' @section Intervals:
#'   * `"exact"`: for one random intercept, whatever the sizes of the groups and the fixed part. The between sum of
#'     squares with every direction weighed by its variance under a ratio \eqn{\lambda}, over the within mean square,
#'     has an F distribution if \eqn{\lambda} is the true ratio; it decreases in \eqn{\lambda}, so that its roots are
#'     the limits (Wald 1940; Harville and Fenech 1985 for any fixed part). In balanced layouts these are Searle's
#'     closed limits.
#'   * `"logit"`: normal on the scale of the logit, with a standard error by the delta method from the Hessian of the
#'     criterion. Approximate: needs many groups.
#'   * `"boot"`: percentiles of the parametric bootstrap; reproducible by [set.seed()].
#'   With `correlation` in the model the ICC is of observations of one level that are too far apart in time for their
#'   residuals to be correlated, and only the bootstrap gives an interval. With `dispersion` there is no single residual
#'   variance, hence no ICC; see *Conditions*.
#' @returns An object of class `icc_lmm`: a list of `table` (data frame with the columns `group`, `type`, `icc`,
#'   `lower`, `upper`, `ratio`, `variance`, `covariance`, `correlation`; the row of all factors together has `group`
#'   `"all"`), `sigma2`, `fixed` (variance of the fixed part), `level`, `method` (the one used), `notes`.
#'   `as.data.frame()` gives the table.
#' @section Conditions:
#'   `ferrite_error_argument` for wrong arguments, `ferrite_error_icc` when `"exact"` is asked for and does not apply or
#'   `"logit"` at a variance of zero, or when the model has a `dispersion`. With `"boot"` `ferrite_warning_interrupted`
#'   after Ctrl-C, `ferrite_warning_bootstrap` for replicates without a fit.
#' @references Searle (1971) *Linear Models*, 9.9; Wald (1940) \doi{10.1214/aoms/1177731882}; Harville and Fenech (1985)
#'   \doi{10.2307/2530650}; Nakagawa, Johnson and Schielzeth (2017) \doi{10.1098/rsif.2017.0213}; Johnson (2014)
#'   \doi{10.1111/2041-210X.12225}.
#' @examples
#' fit <- lmm(y ~ 1 + (1 | person), estrone)
#' icc(fit) # 0.8431522; (MSB - MSE) / (MSB + 15 MSE) by hand
#' @export
icc <- function(fit, level = 0.95, method = c("auto", "exact", "logit", "boot"), nsim = 1000, threads = NULL, ...) {
  UseMethod("icc")
}

#' @export
icc.default <- function(fit, ...) {
  abort_ferrite("argument", "`icc()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(fit), "."),
    hint = "Fit one with `lmm()`; for other models see `performance::icc()`.", call = method_call()
  )
}

#' @export
icc.lmm <- function(fit, level = 0.95, method = c("auto", "exact", "logit", "boot"), nsim = 1000, threads = NULL,
                    ...) {
  call <- method_call()
  refuse_arguments("icc", ..., call = call)
  check_level(level, call)
  method <- choose_one(method, c("auto", "exact", "logit", "boot"), "method", call)
  nsim <- check_count(nsim, "nsim", call)
  threads <- if (is.null(threads)) fit$control$threads else check_count(threads, "threads", call)
  check_one_residual(fit, call)
  parts <- variance_parts(fit)
  method <- decide_icc_method(method, fit, parts, call)
  table <- icc_table(parts)
  limits <- switch(method,
    exact = exact_limits(fit, table, level, parts$design),
    logit = logit_limits(fit, parts, table, level),
    boot = boot_limits(fit, parts, table, level, nsim, threads, call)
  )
  table$lower <- limits[, 1L]
  table$upper <- limits[, 2L]
  structure(
    class = "icc_lmm",
    list(
      table = table, sigma2 = fit$sigma^2, fixed = parts$fixed, level = level, method = method, REML = fit$REML,
      formula = fit$formula, notes = icc_notes(fit, parts, method, attr(limits, "draws"))
    )
  )
}

# Variances -------------------------------------------------------------------------------------------------------

#' The variance of an observation, by source
#'
#' @returns list(groups, factor of each term, mean (for each term the mean of z z' over the rows), variance (by group),
#'   sigma2, fixed (sample variance of the fixed part), contained (groups x groups: does sharing a level of the row's
#'   factor mean sharing one of the column's?), design).
#' @noRd
variance_parts <- function(fit) {
  design <- design_of(fit)
  n <- length(design$y)
  groups <- factor_names(fit)
  of_term <- match(vapply(fit$random, `[[`, "", "group"), groups)
  mean <- lapply(design$terms, function(term) crossprod(dense_blocks(term$basis, n)) / n)
  variance <- vapply(seq_along(mean), function(k) sum(fit$random[[k]]$varcov * mean[[k]]), 0)
  x <- dense_blocks(design$x, n)[, fit$kept, drop = FALSE]
  spread <- if (ncol(x)) stats::cov(x) else matrix(0, 0L, 0L)
  beta <- unname(fit$beta[fit$kept])
  codes <- lapply(design$factors[factor_order(fit)], `[[`, "codes")
  inside <- function(a, b) all(b[match(a, a)] == b)
  list(
    groups = groups, of_term = of_term, mean = mean, variance = as.vector(rowsum(variance, of_term)),
    sigma2 = fit$sigma^2, fixed = max(0, sum(beta * spread %*% beta)), spread = spread,
    contained = outer(seq_along(codes), seq_along(codes), Vectorize(function(i, j) inside(codes[[i]], codes[[j]]))),
    design = design
  )
}

icc_table <- function(parts) {
  groups <- parts$groups
  several <- length(groups) > 1L
  variance <- c(parts$variance, if (several) sum(parts$variance))
  covariance <- c(drop(parts$contained %*% parts$variance), if (several) sum(parts$variance))
  total <- sum(parts$variance) + parts$sigma2
  one <- function(type, denominator) {
    data.frame(
      group = c(groups, if (several) "all"), type = type, icc = variance / denominator, lower = NA_real_,
      upper = NA_real_, ratio = variance / parts$sigma2, variance = variance, covariance = covariance,
      correlation = covariance / total
    )
  }
  if (!fixed_varies(parts)) return(one("adjusted", total))
  rbind(one("adjusted", total), one("conditional", total + parts$fixed))
}

fixed_varies <- function(parts) parts$fixed > 1e-12 * (sum(parts$variance) + parts$sigma2)

# Method --------------------------------------------------------------------------------------------------------------

# Residuals of one variance?
check_one_residual <- function(fit, call) {
  if (is.null(fit$residual$scale)) return(invisible())
  abort_ferrite("icc", "An intraclass correlation must have one residual variance in its denominator.",
    paste0("With `dispersion = ", fit$residual$scale$text, "` it differs between rows."),
    hint = "Choose the variance that you mean: `bootstrap(fit, statistic)` with a ratio of variances of `VarCorr()`.",
    call = call
  )
}

decide_icc_method <- function(method, fit, parts, call) {
  plain <- is.null(fit$residual) && all(vapply(fit$random, function(term) is.null(term$structure), NA))
  if (!plain) {
    if (method %in% c("auto", "boot")) return("boot")
    abort_ferrite("icc",
      paste0("For the ", method, " interval residuals must be independent and random terms unstructured."),
      paste0("The model has ", if (is.null(fit$residual)) "a structured random term." else
        paste0("`correlation = ", fit$residual$correlation$text, "`.")),
      hint = "Use `method = \"boot\"`.", call = call
    )
  }
  one_way <- length(fit$random) == 1L && identical(fit$random[[1L]]$effects, "(Intercept)")
  inside <- all(vapply(fit$random, function(term) term$rank == length(term$effects), NA))
  if (method == "auto") return(if (one_way) "exact" else if (inside) "logit" else "boot")
  if (method == "exact" && !one_way) {
    abort_ferrite("icc", "An exact interval must have one random intercept and no other random term.",
      paste0("The random part is ", quoted_list(unique(vapply(fit$random, `[[`, "", "text"))), "."),
      hint = "Use `method = \"logit\"` or `method = \"boot\"`.", call = call
    )
  }
  if (method == "logit" && !inside) {
    abort_ferrite("icc", "For the logit interval every covariance matrix of random effects must have full rank.",
      singular_text(fit$random), hint = "Use `method = \"boot\"`.", call = call
    )
  }
  method
}

icc_notes <- function(fit, parts, method, draws) {
  slopes <- any(vapply(fit$random, function(term) !identical(term$effects, "(Intercept)"), NA))
  several <- length(parts$groups) > 1L
  c(
    switch(method,
      exact = "Interval: exact, from the F distribution (Wald 1940; Harville and Fenech 1985; Searle 1971).",
      logit = "Interval: delta method on the logit scale (approximate).",
      boot = paste0("Interval: percentiles of ", big_number(draws), " parametric bootstrap samples.")
    ),
    if (fixed_varies(parts)) {
      paste("adjusted: given the fixed part; conditional: its variance counts in the total (Nakagawa, Johnson and",
            "Schielzeth 2017).")
    },
    if (method == "exact" && fixed_varies(parts)) "The conditional form has no exact interval; it is given without.",
    if (!is.null(fit$residual)) "Correlated residuals: of observations far apart in time.",
    if (slopes) "Random slopes: variances are means over the rows of the data (Johnson 2014).",
    if (several) "covariance: of two observations of the same level of that factor and of the factors it lies within.",
    if (fit$weights_used) "Prior weights: the residual variance is that of an observation of weight one."
  )
}

# Output --------------------------------------------------------------------------------------------------------------

#' @rdname icc
#' @export
print.icc_lmm <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  cat(icc_title(x), "\nModel: ", deparse_one(x$formula), "\n\n", sep = "")
  text <- icc_text(x, digits)
  rownames(text) <- rep("", nrow(text))
  print(text, quote = FALSE, right = TRUE)
  cat(icc_residual(x, digits), "\n\n", paste0(strwrap(x$notes, 0.95 * getOption("width")), "\n"), sep = "")
  invisible(x)
}

icc_title <- function(x) {
  paste0("Intraclass correlation (", if (x$REML) "REML" else "ML", ", ", format(100 * x$level), "% interval)")
}

icc_residual <- function(x, digits) {
  paste0("Residual variance ", format(x$sigma2, digits = digits),
         if (any(x$table$type == "conditional")) ", variance of the fixed part ",
         if (any(x$table$type == "conditional")) format(x$fixed, digits = digits))
}

icc_text <- function(x, digits) {
  table <- x$table
  if (all(table$type == "adjusted")) table$type <- NULL
  text <- vapply(names(table), function(name) {
    value <- table[[name]]
    if (is.character(value)) return(value)
    share <- name %in% c("icc", "lower", "upper", "correlation")
    ifelse(is.na(value), "", if (share) formatC(value, digits = digits, format = "f")
           else vapply(value, format, "", digits = digits))
  }, character(nrow(table)))
  matrix(text, nrow(table), dimnames = list(NULL, names(table)))
}

#' @rdname icc
#' @export
as.data.frame.icc_lmm <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  table <- x$table
  if (!is.null(row.names)) rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

# In reports (registered in util-load.R).
knit_print_icc <- function(x, ...) {
  digits <- report_digits()
  as_output(c(
    list(captioned(icc_text(x, digits), icc_title(x), left = 1L), icc_residual(x, digits)), as.list(x$notes)
  ))
}

# Limits ---------------------------------------------------------------------------------------------------------------

# Exact --------------------------------------------------------------------------------------------------------------

# Harville and Fenech (1985): with r and f degrees of freedom, Q(ratio) / r over the within mean square is F(r, f) at
# the true ratio. Limits below zero are zero.
exact_limits <- function(fit, table, level, design) {
  a <- term_sums(fit, 1L, design)
  squares <- term_squares(a)
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
