#' Fit the same model to many responses
#'
#' Refits the model of a fit to each of many responses, in threads and from cross-products: ten thousand responses of a
#' hundred rows take a second or two.
#'
#' @param fit An object of class `lmm`.
#' @param Y The responses: a numeric matrix or data frame with a column for each, or a list of vectors. Their values are
#'   as for [refit()]. The names of columns or elements name the responses.
#' @param threads Number of threads. Default: those of the fit. It does not change results.
#' @param progress `TRUE` to show a progress bar in long work. Default: in interactive sessions only.
#' @param x An object of class `lmm_refits`.
#' @param row.names,optional As in [as.data.frame()]; not used.
#' @param digits Significant digits printed.
#' @param ... No other argument is known.
#' @returns An object of class `lmm_refits`: a list with `parameters` (a matrix with a row for each response: standard
#'   deviations and correlations of the random effects, `sigma` and the other parameters of the residuals, and
#'   coefficients, named as in [confint.lmm()]), `theta` and `phi` (likewise; `phi` are the parameters of `dispersion`
#'   and `correlation` on the scale of the optimiser, `NULL` if there are none), `criterion`, `certified` (whether the
#'   refit is a certified optimum), `names` (of the responses, or `NULL`) and `fit`. A response for which the model has
#'   no fit (it is constant, say), or which was not reached before Ctrl-C ended the work, has `NA` and is not certified.
#'
#'   `as.data.frame()` gives one row per response with the columns `response` (name or number), the parameters,
#'   `criterion` and `certified`. For a whole fit to one of the responses use [refit()].
#' @section Conditions:
#'   `ferrite_error_response`, `ferrite_error_argument`; `ferrite_warning_interrupted` after Ctrl-C: responses that are
#'   not done are NA.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' refits <- refit_many(fit, simulate(fit, nsim = 100, seed = 1))
#' refits
#' slopes <- as.data.frame(refits)$age
#' sd(slopes) # close to the standard error 0.0616 of summary(fit)
#' @export
refit_many <- function(fit, Y, ...) { # nolint: object_name_linter.
  UseMethod("refit_many")
}

#' @export
refit_many.default <- function(fit, Y, ...) { # nolint: object_name_linter.
  abort_ferrite("argument", "`refit_many()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(fit), "."),
    hint = "Fit a model with `lmm()`.", call = method_call()
  )
}

#' @rdname refit_many
#' @export
refit_many.lmm <- function(fit, Y, threads = fit$control$threads, progress = interactive(), ...) { # nolint
  call <- method_call()
  refuse_arguments("refit_many", ..., call = call)
  fit$control$threads <- at_most_cores(check_count(threads, "threads", call))
  check_flag(progress, "progress", call, "argument")
  if (missing(Y)) bad_response("It is left out.", "Give a matrix, data frame or list of responses.", call)
  if (is.atomic(Y) && is.null(dim(Y))) Y <- list(Y) # nolint: object_name_linter.
  if (!is.list(Y) && !is.matrix(Y)) bad_response(paste0("It is ", a_kind(Y), "."), "Give a numeric matrix.", call)
  if (!NCOL(Y) || (is.list(Y) && !length(Y))) bad_response("There is none.", "Give at least one response.", call)
  names <- if (is.list(Y)) names(Y) else colnames(Y)
  responses <- responses_matrix(fit, unclass(Y), call)
  done <- refit_engine(fit, responses, progress)
  if (done$stopped) {
    if (!length(done$index) && !done$failed) raise_interrupt()
    finished <- ncol(responses) - done$stopped
    warn_interrupted(finished, ncol(responses), "response", "The others are NA in the result.", call)
  }
  place <- match(seq_len(ncol(responses)), done$index)
  structure(class = "lmm_refits", list(
    parameters = default_replicates(fit, done)[place, , drop = FALSE], theta = done$theta[place, , drop = FALSE],
    phi = if (length(fit$residual$phi)) done$phi[place, , drop = FALSE],
    criterion = done$criterion[place], certified = as.logical(done$certified)[place] %in% TRUE, names = names,
    fit = fit, call = call
  ))
}

#' @rdname refit_many
#' @export
print.lmm_refits <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  total <- length(x$criterion)
  cat("Refits of a linear mixed model by", if (x$fit$REML) "REML\n" else "maximum likelihood\n")
  cat("Formula: ", deparse_one(x$fit$formula), "\n", sep = "")
  cat(counted(total, "response"), "\n", sep = "")
  print(refits_table(x), digits = digits)
  failed <- sum(is.na(x$criterion))
  doubtful <- sum(!x$certified) - failed
  if (failed) cat(counted(failed, "response"), "without a fit\n")
  if (doubtful) cat(counted(doubtful, "refit"), "not certified as an optimum\n")
  invisible(x)
}

# Mean, spread and range of each parameter over the responses.
refits_table <- function(x) {
  values <- x$parameters
  known <- function(f) apply(values, 2L, function(v) if (any(!is.na(v))) f(v[!is.na(v)]) else NA_real_)
  data.frame(
    mean = known(mean), sd = known(stats::sd), min = known(min), max = known(max), row.names = colnames(values)
  )
}

#' @rdname refit_many
#' @export
as.data.frame.lmm_refits <- function(x, row.names = NULL, optional = FALSE, ...) {
  response <- or_else(x$names, seq_along(x$criterion))
  table <- data.frame(response = response, x$parameters, check.names = FALSE)
  table$criterion <- x$criterion
  table$certified <- x$certified
  table
}
