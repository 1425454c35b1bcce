# How a fit is printed: print() and summary().
#
# Reads   a fit.
# Writes  to the console, and the object of class `summary.lmm`.

#' Print a fit
#'
#' @param x An object of class `lmm`.
#' @param digits Significant digits. Default: those of `options("digits")` less 3.
#' @param ranef.comp What is printed of the variance components: `"Variance"`, `"Std.Dev."` (default), or both.
#' @param ... Not used.
#' @returns `x`, invisibly.
#' @examples
#' # REML criterion 447.0025; standard deviations 2.115 and 1.432
#' lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' @export
print.lmm <- function(x, digits = max(3L, getOption("digits") - 3L), ranef.comp = "Std.Dev.", ...) {
  check_printed(digits)
  ranef.comp <- choose_several(ranef.comp, c("Variance", "Std.Dev."), "ranef.comp", method_call())
  print_header(x)
  cat(criterion_text(x, digits + 3L), "\n", sep = "")
  cat("Random effects:\n")
  print_components(VarCorr(x), ranef.comp, digits, 12L)
  cat(size_text(x), "\n", sep = "")
  estimates <- fixef(x)
  if (length(estimates)) {
    cat("Fixed effects:\n")
    print(format(estimates, digits = digits), quote = FALSE)
  } else {
    cat("No fixed effects\n")
  }
  cat(dropped_text(x), convergence_line(x), "\n", sep = "")
  invisible(x)
}

# What a fit or its summary is: method, formula, data.
print_header <- function(x) {
  cat(title_text(x), "\n", sep = "")
  for (line in header_lines(x)) {
    label <- sub("^( *\\w+: ).*$", "\\1", line)
    text <- substring(line, nchar(label) + 1L)
    cat(strwrap(text, 0.95 * getOption("width"), initial = label, prefix = strrep(" ", 9L)), sep = "\n")
  }
}

title_text <- function(x) {
  paste("Linear mixed model fit by", if (x$REML) "REML" else "maximum likelihood")
}

# "Formula: ...", "   Data: ..." and so on, one string per line that the call holds.
header_lines <- function(x) {
  labels <- c(data = "Data", weights = "Weights", offset = "Offset", subset = "Subset")
  given <- intersect(names(labels), names(x$call))
  text <- vapply(as.list(x$call)[given], short_line, "")
  c(
    paste("Formula:", deparse_one(x$formula)), sprintf("%7s: %s", labels[given], text),
    if (!is.null(x$residual)) paste(" Errors:", errors_text(x))
  )
}

# "dispersion = ~g, correlation = ar1(~1 | s)": the residuals of a fit, as they were written.
errors_text <- function(x) {
  paste(c(
    if (!is.null(x$residual$scale)) paste("dispersion =", x$residual$scale$text),
    if (!is.null(x$residual$correlation)) paste("correlation =", x$residual$correlation$text)
  ), collapse = ", ")
}

# A data argument can be a value and not a name (do.call): keep it short.
short_line <- function(expression) {
  if (!is.language(expression) && length(expression) > 1L) {
    return(sprintf("<%s>", class(expression)[1L]))
  }
  text <- deparse_one(expression)
  if (nchar(text) > 200L) paste(substr(text, 1L, 197L), "...") else text
}

criterion_text <- function(x, digits) {
  label <- if (x$REML) "REML criterion" else "-2 log-likelihood"
  paste0(label, ": ", format(x$criterion, digits = digits, nsmall = 1L))
}

# "Number of obs: 180, groups: Subject 18"
size_text <- function(x) {
  groups <- ngrps(x)
  text <- paste0("Number of obs: ", x$nobs, ", groups: ", paste(names(groups), groups, collapse = ", "))
  set_aside <- length(x$na.action)
  reason <- if ("weights" %in% names(x$call)) "missing values or weight zero" else "missing values"
  if (set_aside) text <- paste0(text, "\n(", counted(set_aside, "row"), " left out: ", reason, ")")
  text
}

# One line that names the dropped columns; nothing if there are none.
dropped_text <- function(x) {
  dropped <- x$x_names[setdiff(seq_along(x$x_names), x$kept)]
  if (length(dropped)) {
    paste0("Dropped, linearly dependent on other columns: ", paste(dropped, collapse = ", "), "\n")
  }
}

# Summary --------------------------------------------------------------------------------------------------------------

#' Summary of a fit
#'
#' @param object,x An object of class `lmm`; for `print()`, what `summary()` returned.
#' @param ddf Degrees of freedom of the t tests of the fixed effects: `"Satterthwaite"` (default), `"Kenward-Roger"` or
#'   `"asymptotic"`; what they mean is told in [contest()]. They are computed here and not in [lmm()]. `"lme4"`: no
#'   degrees of freedom and p-values, as in summaries of lme4.
#' @param correlation Print the correlations of the fixed-effects estimates? `NULL` (default): with 2 to 10 estimates;
#'   `print()` takes what `summary()` was told.
#' @param digits Significant digits. Default: those of `options("digits")` less 3.
#' @param symbolic.cor `TRUE` prints the correlations as symbols, see [symnum()]. Default `FALSE`.
#' @param signif.stars `TRUE` prints stars of significance. Default `FALSE`.
#' @param ranef.comp What is printed of the variance components: `"Variance"`, `"Std.Dev."`, or both (default).
#' @param show.resids `FALSE` leaves out the quantiles of the scaled residuals. Default `TRUE`.
#' @param ... Not used by `print()`; `summary()` takes no other argument and says so.
#' @returns An object of class `summary.lmm`: a list with
#'   * `coefficients`: matrix with a row per estimated fixed effect and the columns `Estimate`, `Std. Error`, `df`,
#'     `t value`, `Pr(>|t|)`; with `ddf = "asymptotic"` instead `z value`, `Pr(>|z|)` and no `df`. For Kenward-Roger
#'     the standard errors are the adjusted ones, and a fit by maximum likelihood is refitted by REML for the whole
#'     table, with a message;
#'   * `ddf`: the method used, which differs from the one asked for if that was not possible;
#'   * `varcor`: what [VarCorr()] gives; `sigma`, `ngrps`, `nobs`, `criterion`, `REML`, `logLik`;
#'   * `AICtab`: `AIC`, `BIC`, `logLik`, `deviance` (-2 log-likelihood; `REML`, the criterion, of a REML fit) and
#'     `df.resid`;
#'   * `residuals`: the scaled residuals; `vcov`; `correlation` of the estimates; `convergence`; `call`, `formula`;
#'   * further elements of lme4's summary: `methTitle`, `objClass`, `devcomp` (see [getME()]), `isLmer`, `useScale`,
#'     `family`, `link`, `fitMsgs`, `optinfo` (`optimizer`, `control`, `derivs` with the `gradient` (its largest
#'     element) and the `Hessian` of the criterion, `conv` with `opt`, 0 for a certified optimum, and `lme4$messages`,
#'     `feval`, `message`, `warnings`, `val`).
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_message_argument` for lme4's `use.hessian`, which means nothing here;
#'   `ferrite_message_ddf` (see [contest()]).
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' summary(fit)
#' coef(summary(fit)) # age: estimate 0.6602, standard error 0.0616, 80 df, t 10.72
#' coef(summary(fit, ddf = "asymptotic"))
#' @name summary.lmm
NULL

#' @rdname summary.lmm
#' @export
summary.lmm <- function(object, ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic"), correlation = NULL, ...) {
  call <- method_call()
  set_aside_arguments("summary", ..., call = call, words = c(use.hessian = "the covariance matrix is the exact one"))
  if (!is.null(correlation)) check_flag(correlation, "correlation", call, "argument")
  inference <- inference_of(object, if (identical(ddf, "lme4")) "asymptotic" else ddf, call)
  tests <- fixed_tests(inference)
  if (identical(ddf, "lme4")) {
    inference$method <- "lme4"
    tests <- without_df(tests)
  }
  structure(
    list(
      call = object$call, formula = object$formula, residual = object$residual, REML = object$REML,
      criterion = object$criterion, logLik = logLik(object), AICtab = information_table(object),
      coefficients = tests, ddf = inference$method, vcov = object$vcov,
      correlation = estimate_correlation(object), show_correlation = correlation,
      varcor = VarCorr(object), sigma = object$sigma, residuals = residuals(object, "pearson", scaled = TRUE),
      nobs = object$nobs, ngrps = ngrps(object), na.action = object$na.action, x_names = object$x_names,
      kept = object$kept, convergence = convergence(object), convergence_line = convergence_line(object),
      methTitle = title_text(object), objClass = class(object), devcomp = criterion_parts(object), isLmer = TRUE,
      useScale = TRUE, family = NULL, link = NULL, fitMsgs = character(), optinfo = optimiser_record(object)
    ),
    class = "summary.lmm"
  )
}

#' @rdname summary.lmm
#' @export
print.summary.lmm <- function(x, digits = max(3L, getOption("digits") - 3L), correlation = NULL, symbolic.cor = FALSE,
                              signif.stars = FALSE, ranef.comp = c("Variance", "Std.Dev."), show.resids = TRUE, ...) {
  check_printed(digits)
  call <- method_call()
  if (is.null(correlation)) correlation <- x$show_correlation
  else check_flag(correlation, "correlation", call, "argument")
  check_flag(symbolic.cor, "symbolic.cor", call, "argument")
  check_flag(signif.stars, "signif.stars", call, "argument")
  check_flag(show.resids, "show.resids", call, "argument")
  ranef.comp <- choose_several(ranef.comp, c("Variance", "Std.Dev."), "ranef.comp", call)
  print_header(x)
  cat("\n", criterion_text(x, digits + 3L), "\n", sep = "")
  if (!x$REML) print_information(x$AICtab, digits)
  if (show.resids) {
    cat("\nScaled residuals:\n")
    print_quantiles(x$residuals, digits)
  }
  cat("\nRandom effects:\n")
  print_components(x$varcor, ranef.comp, digits, 12L)
  cat(size_text(x), "\n\n", sep = "")
  if (nrow(x$coefficients)) {
    cat("Fixed effects (", summary_ddf_text(x), "):\n", sep = "")
    print_tests(x$coefficients, digits, signif.stars)
  } else {
    cat("No fixed effects\n")
  }
  cat(dropped_text(x))
  p <- nrow(x$coefficients)
  wanted <- if (is.null(correlation)) p <= 10L else correlation
  if (wanted && p > 1L) print_correlation(x$correlation, symbolic.cor)
  cat("\n", x$convergence_line, "\n", sep = "")
  invisible(x)
}

#' @export
ngrps.summary.lmm <- function(object, ...) {
  object$ngrps
}

#' @rdname summary.lmm
#' @export
vcov.summary.lmm <- function(object, ...) {
  object$vcov
}

# AIC, BIC and their ingredients; of the criterion under which the model was fitted.
information_table <- function(fit) {
  table <- c(
    AIC = stats::AIC(fit), BIC = stats::BIC(fit), logLik = as.numeric(logLik(fit)), deviance = fit$criterion,
    df.resid = df.residual(fit)
  )
  if (fit$REML) names(table)[4L] <- "REML"
  table
}

# The headings of that table.
information_headings <- function(table) {
  headings <- names(table)
  headings[headings == "deviance"] <- "-2 log L"
  headings[headings == "REML"] <- "REML criterion"
  headings
}

# How the search ended, as lme4 files it.
optimiser_record <- function(fit) {
  record <- fit$convergence
  certified <- record$status %in% c("converged", "on_boundary")
  text <- convergence_line(fit)
  list(
    optimizer = "ferrite", control = unclass(fit$control),
    derivs = list(gradient = record$gradient, Hessian = record$hessian),
    conv = list(opt = if (certified) 0L else 1L, lme4 = if (!certified) list(messages = text) else list()),
    feval = record$evaluations, message = text, warnings = list(), val = unname(fit$theta)
  )
}

print_information <- function(table, digits) {
  names(table) <- information_headings(table)
  text <- c(format(table[-length(table)], digits = digits + 2L, nsmall = 1L), df.resid = format(table[["df.resid"]]))
  print(text, quote = FALSE)
}

print_quantiles <- function(residuals, digits) {
  quantiles <- stats::quantile(residuals, na.rm = TRUE, names = FALSE)
  print(stats::setNames(zapsmall(quantiles, digits + 1L), c("Min", "1Q", "Median", "3Q", "Max")), digits = digits)
}

# Tests of fixed effects, by rows: estimates, standard errors and limits with common decimals.
print_tests <- function(table, digits, stars = FALSE) {
  columns <- colnames(table)
  tests <- match(c("t value", "z value", "F value"), columns, 0L)
  stats::printCoefmat(as.matrix(as.data.frame(unclass(table), row.names = rownames(table), optional = TRUE)),
    digits = digits, signif.stars = stars, has.Pvalue = any(startsWith(columns, "Pr(")),
    P.values = any(startsWith(columns, "Pr(")),
    cs.ind = which(columns %in% c("Estimate", "Std. Error", "lower", "upper")), tst.ind = tests[tests > 0L],
    zap.ind = which(columns %in% c("df", "NumDF", "DenDF")), na.print = ""
  )
}

# t tests of all estimated coefficients; z tests when asymptotic.
fixed_tests <- function(inference) {
  r <- length(inference$beta)
  table <- t_tests(inference, matrix(diag(r), r, r, dimnames = list(names(inference$beta), NULL)))
  if (inference$method != "asymptotic") return(table)
  table <- table[, -3L, drop = FALSE]
  colnames(table)[3:4] <- c("z value", "Pr(>|z|)")
  table
}

# Estimates, standard errors and their ratios alone.
without_df <- function(tests) {
  tests <- tests[, 1:3, drop = FALSE]
  colnames(tests)[3L] <- "t value"
  tests
}

# "t tests, Satterthwaite's method"
summary_ddf_text <- function(x) {
  if (x$ddf == "lme4") return("no tests")
  if (x$ddf == "asymptotic") "asymptotic z tests" else paste0("t tests, ", x$ddf, "'s method")
}

estimate_correlation <- function(fit) {
  if (fit$rank == 0L) fit$vcov else stats::cov2cor(fit$vcov)
}

# Lower triangle without its diagonal, names abbreviated in the header.
print_correlation <- function(correlation, symbols = FALSE) {
  cat("\nCorrelation of fixed effects:\n")
  if (symbols) return(print(stats::symnum(correlation, abbr.colnames = TRUE)))
  p <- ncol(correlation)
  text <- matrix(formatC(correlation, digits = 3L, format = "f"), p, p)
  text[!lower.tri(text)] <- ""
  # it warns of letters beyond ASCII, which it cuts as well
  short <- suppressWarnings(abbreviate(colnames(correlation), minlength = 6L))
  dimnames(text) <- list(rownames(correlation), short)
  print(text[-1L, -p, drop = FALSE], quote = FALSE, right = TRUE)
}
