# ranova(): a likelihood ratio test of each random term, or of each column of it.
#
# Reads   a fit, and the fits of its model without the term or column. The null distributions are those of infer-rlrt.R.
# Writes  a table of class `ranova_lmm`.

#' Tests of the random terms
#'
#' Removes each random term, or reduces it by one of its slopes, refits from the data of the fit, and compares.
#'
#' @param fit,x An object of class `lmm`; for the methods of the table, what `ranova()` returned.
#' @param nsim Number of draws from the exact null distribution, a positive whole number. Default 10000: a p-value of
#'   0.05 then has a standard error of 0.002. Reproducible by [set.seed()], whatever the number of threads.
#' @param reduce.terms `TRUE` (default): `(x | g)` is reduced to `(1 | g)`, `(x + z | g)` to `(z | g)` and to `(x | g)`;
#'   `(1 | g)` is removed. `FALSE`: every term is removed as a whole.
#' @param threads Threads for the draws. Default: those of the fit.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... Not used.
#' @details
#'   The likelihood ratio is that of the criterion of the fit: restricted for REML, full for ML. A variance of zero is
#'   on the boundary of the parameter space, so that an ordinary chi-square would give p-values that are too large:
#'   * `Pr(>Chisq)` is from the chi-bar-square mixture that the column `Reference` names: `chi2(0:1)`, half a point mass
#'     at zero and half chi-square with 1 degree of freedom, for one variance; `chi2(1:2)` for a slope with its
#'     covariance with the intercept. When several variances are tested at once, the mixture gives an upper bound of
#'     the p-value (`bound`). Mixtures hold for many groups.
#'   * `Pr(>RLRT)` (`Pr(>LRT)` by ML), wherever one variance is tested, is from the finite-sample null distribution,
#'     simulated in its spectral form. `exact` when the term is the only one; `conditional` when there are others, which
#'     the distribution then leaves out, as the package RLRsim does. Prefer it to the mixture with few groups.
#'   * With `dispersion` or `correlation` the reduced models have them too, estimated again. There is then no exact null
#'     distribution and no F test: both need residuals that are independent with variances known up to sigma. For a
#'     structured random term, such as `cs(x | g)`, the mixture counts the parameters that go.
#'   * With one random term of one column there is also Wald's F test, exact for any sizes of the groups and any fixed
#'     part. In a balanced one-way layout it is the F test of the analysis of variance.
#' @returns A data frame of class `ranova_lmm` with a row for the model and one for each reduction: `npar`, `logLik`,
#'   `AIC`, `LRT`, `Df`, `Pr(>Chisq)`, `Reference`, and, if some row tests one variance, `Pr(>RLRT)` or `Pr(>LRT)` and
#'   `Method`. Attribute `F`: list of `statistic`, `df1`, `df2`, `p_value` of the exact F test, or `NULL`.
#' @section Conditions:
#'   `ferrite_error_argument` for wrong arguments; the errors of [lmm()] when a reduced model cannot be fitted.
#' @references Self and Liang (1987) \doi{10.1080/01621459.1987.10478472}; Stram and Lee (1994) \doi{10.2307/2533455};
#'   Crainiceanu and Ruppert (2004) \doi{10.1111/j.1467-9868.2004.00438.x}; Greven, Crainiceanu, Kuechenhoff and Peters
#'   (2008) \doi{10.1198/106186008X386599}; Wald (1947) \doi{10.1214/aoms/1177730350}.
#' @seealso [anova.lmm()] compares models that you name; [varcomp_anova()] has the F tests of several layers.
#' @examples
#' fit <- lmm(y ~ 1 + (1 | person), estrone)
#' set.seed(1)
#' ranova(fit) # LRT 114.6992; F(4, 75) = 87.01
#' @export
ranova <- function(fit, nsim = 10000, reduce.terms = TRUE, threads = NULL, ...) { # nolint: object_name_linter.
  UseMethod("ranova")
}

#' @export
ranova.default <- function(fit, ...) {
  if (inherits(fit, c("lmerMod", "lmerModLmerTest")) && requireNamespace("lmerTest", quietly = TRUE)) {
    return(getExportedValue("lmerTest", "ranova")(fit, ...))
  }
  abort_ferrite("argument", "`ranova()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(fit), "."),
    hint = if (inherits(fit, "merMod")) "For a model of lme4 use `lmerTest::ranova()`." else "Fit one with `lmm()`.",
    call = method_call()
  )
}

#' @export
ranova.lmm <- function(fit, nsim = 10000, reduce.terms = TRUE, threads = NULL, ...) { # nolint: object_name_linter.
  call <- method_call()
  refuse_arguments("ranova", ..., call = call)
  nsim <- check_count(nsim, "nsim", call)
  check_flag(reduce.terms, "reduce.terms", call, "argument")
  threads <- if (is.null(threads)) fit$control$threads else check_count(threads, "threads", call)
  design <- design_of(fit)
  reductions <- random_reductions(fit, design, reduce.terms)
  meter <- progress_meter(fit$control$progress)
  on.exit(meter$close())
  rows <- lapply(seq_along(reductions), function(i) {
    if (!is.null(meter$report)) meter$report(i - 1, length(reductions))
    reduction_row(fit, design, reductions[[i]], nsim, threads, call)
  })
  whole <- data.frame(
    npar = fit$npar, logLik = -fit$criterion / 2, AIC = fit$criterion + 2 * fit$npar, LRT = NA_real_, Df = NA_integer_,
    p = NA_real_, Reference = NA_character_, exact = NA_real_, Method = NA_character_
  )
  table <- do.call(rbind, c(list(whole), rows))
  rownames(table) <- make.unique(c("<none>", vapply(reductions, `[[`, "", "label")))
  names(table)[c(6L, 8L)] <- c("Pr(>Chisq)", if (fit$REML) "Pr(>RLRT)" else "Pr(>LRT)")
  if (all(is.na(table[[8L]]))) table <- table[1:7]
  one <- length(fit$random) == 1L && length(fit$random[[1L]]$effects) == 1L && is.null(fit$residual)
  structure(
    table, class = c("ranova_lmm", "anova", "data.frame"), REML = fit$REML, formula = fit$formula, nsim = nsim,
    F = if (one) term_f_test(term_sums(fit, 1L, design))
  )
}

# nsim, threads and the like, as arguments of a method.
check_count <- function(x, name, call) check_whole(x, name, call, "argument")

# Reductions ------------------------------------------------------------------------------------------------------

#' The random parts that are one step smaller
#'
#' @returns List of list(label, terms (the random terms that are left, as in a design), df and variances (parameters
#'   and variances that go), removed (the number of the removed term when it has one column, else NULL)).
#' @noRd
random_reductions <- function(fit, design, reduce) {
  all <- Map(function(new, old) c(new, old[intersect(c("lhs", "text"), names(old))]), design$terms, fit$random)
  steps <- lapply(seq_along(all), function(k) {
    stored <- fit$random[[k]]
    smaller <- if (reduce) reduced_terms(stored, fit)
    if (length(smaller)) {
      return(lapply(smaller, function(step) {
        count <- parameter_change(stored, step$term)
        c(list(label = paste(step$drop, "in", stored$text), terms = replace(all, k, list(step$term))), count)
      }))
    }
    several <- sum(vapply(fit$random, function(term) identical(term$text, stored$text), NA)) > 1L
    label <- if (several) paste(stored$effects[1L], "in", stored$text) else stored$text
    one <- length(stored$effects) == 1L
    list(c(
      list(label = label, terms = all[-k]), parameter_change(stored, NULL), list(removed = if (one) k)
    ))
  })
  unlist(steps, recursive = FALSE)
}

parameter_change <- function(from, to) {
  from <- c(covariance_count(list(from)), variance_count(from))
  to <- if (is.null(to)) c(0L, 0L) else c(covariance_count(list(to)), variance_count(to))
  list(df = from[1L] - to[1L], variances = from[2L] - to[2L])
}

# Variances of a random term that are parameters: one when they are equal.
variance_count <- function(term) if (isTRUE(term$structure$hom)) 1L else length(term$effects)

# A term without one of its variables, for each that may go by marginality; none when the term is one column, or when
# nothing nested in it is left.
reduced_terms <- function(stored, fit) {
  if (length(stored$effects) < 2L || isTRUE(stored$structure$hom)) return(list())
  labels <- attr(stored$lhs, "term.labels")
  if (length(labels) == 1L && attr(stored$lhs, "intercept") == 0L && !holds_intercept(stored, fit)) return(list())
  lapply(stats::drop.scope(stats::formula(stored$lhs)), function(drop) {
    left <- if (length(labels) > 1L) stats::update.formula(stored$lhs, paste("~ . -", drop)) else ~ 1
    lhs <- with_predvars(stats::terms(left), stored$lhs)
    columns <- columns_of(lhs, fit$frame, own_contrasts(stored$contrasts, lhs))
    term <- list(
      group = stored$group, factor = stored$factor, effects = columns$names, basis = columns$blocks, lhs = lhs,
      text = stored$text, structure = if (length(columns$names) > 1L) stored$structure
    )
    list(drop = drop, term = term)
  })
}

# May `(0 + f | g)` be reduced to `(1 | g)`? If its columns make up the constant, and no other term of g is there.
holds_intercept <- function(stored, fit) {
  others <- sum(vapply(fit$random, function(term) term$factor == stored$factor, NA)) > 1L
  if (others) return(FALSE)
  basis <- dense_blocks(basis_in(stored, fit$frame), fit$nobs)
  sum(qr.resid(qr(basis), rep(1, fit$nobs))^2) < 1e-14 * fit$nobs
}

# Criterion of the fixed part of a fit with other random terms, from the data of the fit.
criterion_without <- function(fit, design, terms, call) {
  if (!length(terms)) return(null_criterion(fit, design = design))
  ordered <- order_terms(terms, design$factors)
  design$factors <- ordered$factors
  design$terms <- ordered$terms
  raw <- fit_design(with_texts_of(fit, design), fit$REML, NULL, quiet_control(fit), fit$frame, call)
  if (raw$status %in% c("stalled", "max_evaluations")) {
    warn_ferrite("not_converged", "The optimiser should reach an optimum.",
      "It did not for the model without one of the random terms, so that its test may be wrong.",
      hint = "Raise `lmm_control(max_evaluations = )` and fit again.", call = call
    )
  }
  raw$criterion
}

# One row of the table.
reduction_row <- function(fit, design, reduction, nsim, threads, call) {
  criterion <- criterion_without(fit, design, reduction$terms, call)
  statistic <- max(0, likelihood_ratio(criterion, fit$criterion))
  npar <- fit$npar - reduction$df
  test <- list(p_value = NA_real_, method = NA_character_)
  if (!is.null(reduction$removed) && is.null(fit$residual)) {
    test <- rlrt_test(fit, reduction$removed, statistic, nsim, draw_seed(), threads,
      term_sums(fit, reduction$removed, design))
  }
  data.frame(
    npar = npar, logLik = -criterion / 2, AIC = criterion + 2 * npar, LRT = statistic, Df = reduction$df,
    p = mixture_p(statistic, reduction$df, reduction$variances),
    Reference = mixture_text(reduction$df, reduction$variances), exact = test$p_value, Method = test$method
  )
}

# Output ----------------------------------------------------------------------------------------------------------

#' @rdname ranova
#' @export
print.ranova_lmm <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  cat(ranova_title(x), "\nModel: ", deparse_one(attr(x, "formula")), "\n\n", sep = "")
  print(ranova_text(x, digits), quote = FALSE, right = TRUE)
  cat("\n", paste0(strwrap(ranova_notes(x, digits), 0.95 * getOption("width")), "\n"), sep = "")
  invisible(x)
}

ranova_title <- function(x) {
  paste("Random terms, each removed or reduced: likelihood ratio tests by", if (attr(x, "REML")) "REML" else "ML")
}

# Cells as text; p-values as format.pval() writes them, an NA as an empty cell.
ranova_text <- function(x, digits) {
  text <- vapply(names(x), function(name) {
    cells <- rep("", nrow(x))
    known <- !is.na(x[[name]])
    value <- x[[name]][known]
    cells[known] <- if (name == "Pr(>Chisq)") format.pval(value, digits = max(1L, digits - 1L))
    else if (startsWith(name, "Pr(")) format.pval(value, digits = max(1L, digits - 1L), eps = 1 / attr(x, "nsim"))
    else if (name %in% c("logLik", "AIC")) format(value, nsmall = 2L, digits = digits + 2L)
    else if (is.double(value)) format_column(value, digits + 1L)
    else as.character(value)
    cells
  }, character(nrow(x)))
  matrix(text, nrow(x), dimnames = list(rownames(x), names(x)))
}

ranova_notes <- function(x, digits) {
  f <- attr(x, "F")
  exact <- x$Method[!is.na(x$Method)]
  name <- if (attr(x, "REML")) "Pr(>RLRT)" else "Pr(>LRT)"
  c(
    mixture_notes(x$Reference),
    if (length(exact)) {
      paste0(name, ": ", big_number(attr(x, "nsim")), " draws from the ",
             if (any(exact == "exact")) "exact null distribution." else "null distribution of the term by itself, ",
             if (any(exact == "conditional")) "conditional on the other random terms.")
    },
    if (!is.null(f)) {
      paste0("Exact F test: F(", f$df1, ", ", f$df2, ") = ", format(f$statistic, digits = digits + 3L), ", p ",
             p_text(f$p_value, max(1L, digits - 1L)), ".")
    }
  )
}

# "= 0.012" or "< 2e-16".
p_text <- function(p, digits) {
  text <- format.pval(p, digits = digits)
  if (startsWith(text, "<")) sub("^< *", "< ", text) else paste("=", text)
}

#' @rdname ranova
#' @export
as.data.frame.ranova_lmm <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  bare_table(x, row.names, method_call())
}

# In reports (registered in util-load.R).
knit_print_ranova <- function(x, ...) {
  digits <- report_digits()
  text <- ranova_text(x, digits)
  text <- cbind(Term = rownames(text), text)
  as_output(c(list(captioned(text, ranova_title(x), left = 1L)), as.list(ranova_notes(x, digits))))
}

# Without random terms -------------------------------------------------------------------------------------------------

gls_criterion <- function(fit, REML = fit$REML, design = design_of(fit)) { # nolint: object_name_linter.
  light <- light_fit(fit)
  blocks <- residual_blocks(fit)
  y <- design$y - or_else(design$offset, 0)
  x <- dense_blocks(design$x, fit$nobs)[, fit$kept, drop = FALSE]
  if ("(Intercept)" %in% fit$x_names[fit$kept]) y <- y - mean(y)
  criterion_at <- function(phi) {
    moved <- replace(light, "residual", list(residual_at(light, phi)))
    if (!is.null(blocks)) blocks$rho <- moved$residual$unit_rho
    sd <- residual_sd(moved)
    white <- whiten_rows(moved, cbind(x, y) / sd, blocks)
    value <- least_squares_criterion(white, REML) + 2 * sum(log(sd)) + log_correlation(blocks)
    if (is.finite(value)) value else 1e300
  }
  begin <- lapply(list(fit$residual$phi, 0 * fit$residual$phi), unname)
  if (identical(blocks$form, "car1")) begin[[2L]][length(begin[[2L]])] <- 0.3
  found <- vapply(begin, function(phi) {
    # the second search starts where the first has lost its steps
    first <- stats::nlminb(phi, criterion_at)
    min(first$objective, stats::nlminb(first$par, criterion_at)$objective)
  }, 0)
  min(found)
}

# Of the last column on the others.
least_squares_criterion <- function(columns, REML) { # nolint: object_name_linter.
  p <- ncol(columns) - 1L
  y <- columns[, p + 1L]
  if (!p) return(length(y) * (1 + log(2 * pi * sum(y^2) / length(y))))
  qr <- qr(columns[, seq_len(p), drop = FALSE], LAPACK = TRUE)
  nu <- if (REML) length(y) - p else length(y)
  basis <- qr.Q(qr)
  rss <- sum((y - basis %*% crossprod(basis, y))^2)
  nu * (1 + log(2 * pi * rss / nu)) + if (REML) 2 * sum(log(abs(diag(qr.R(qr))))) else 0
}

# log |C| over all series.
log_correlation <- function(blocks) {
  if (is.null(blocks)) return(0)
  steps <- if (blocks$form == "cs") cs_steps(blocks) else ar_steps(blocks)
  2 * sum(log(steps$sd))
}
