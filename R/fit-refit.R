# The same model with other responses: refit(), refitML(), refit_many().
#
# Reads   a fit and the responses.
# Writes  a fit; of many responses a table of class `lmm_refits`, from one call of the engine.

#' Fit the same model to another response
#'
#' Keeps everything of a fit but its response: formula, data, weights, criterion and settings.
#'
#' @param object A fitted model: an object of class `lmm`.
#' @param newresp The new response: a numeric vector with one value for each row of the fit, or for each row of the data
#'   (values of rows that the fit left out for missing values are then dropped), in the unit of the response of the
#'   model, offset included. A data frame or matrix of one column will do, such as [simulate()] gives. Left out: the
#'   response stays, and the search starts again from the estimates.
#' @param control Settings of the new fit, see [lmm_control()]. Default `NULL`: those of the old one.
#' @param x An object of class `lmm`.
#' @param ... `rename.response`, `maxit`, `verbose` and `optimizer`, which lme4 knows, mean nothing here and give a
#'   message. No other argument is known.
#' @returns A new object of class `lmm`, the same as a fit of the model to data with that response. Its model frame
#'   holds the new response under the old name; the call is the old one. A change by [update()] that needs the data
#'   again is an error for such a fit, as they hold the old response: update first, then refit.
#'   `refitML()`: the fit by maximum likelihood; one that is by maximum likelihood is returned as it is.
#' @section Conditions:
#'   `ferrite_error_response` (not numeric, of another length, missing in a row of the fit), and those of a fit: see
#'   [lmm()].
#' @section Beside lme4:
#'   lme4 has functions of the same names. Whichever was attached last, they work on the models of both packages, and
#'   `lme4::bootMer()` works on fits of [lmm()]; [bootstrap()] is its quick form.
#' @seealso [refit_many()] for many responses at once.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' fixef(refit(fit, 10 * nlme::Orthodont$distance)) # ten times 16.7611 and 0.6602
#' refit(fit, simulate(fit, seed = 1))
#' deviance(refitML(fit)) # 443.3895
#' @export
refit <- function(object, newresp, ...) {
  UseMethod("refit")
}

#' @export
refit.default <- function(object, newresp, ...) {
  if (missing(newresp)) ask_package("lme4", "refit", object, ...)
  else ask_package("lme4", "refit", object, newresp, ...)
}

#' @rdname refit
#' @export
refit.lmm <- function(object, newresp, control = NULL, ...) {
  call <- method_call()
  set_aside_arguments("refit", ..., words = words_of_refits, call = call)
  new <- object
  if (!missing(newresp)) new$frame[[1L]] <- one_response(object, newresp, call)
  start <- if (object$convergence$status == "converged") unname(object$theta)
  new <- refit_frame(new, list(start = start, control = control), call)
  new$call <- object$call
  new$other_response <- if (missing(newresp)) object$other_response else TRUE
  new
}

words_of_refits <- c(
  rename.response = "the response keeps its name", maxit = "the settings are those of `control`",
  verbose = "progress is shown by `lmm_control(progress = )`", optimizer = "the engine is the optimiser"
)

#' @rdname refit
#' @export
refitML <- function(x, ...) {
  UseMethod("refitML")
}

#' @export
refitML.default <- function(x, ...) {
  ask_package("lme4", "refitML", x, ...)
}

#' @rdname refit
#' @export
refitML.lmm <- function(x, ...) {
  call <- method_call()
  set_aside_arguments("refitML", ..., words = words_of_refits, call = call)
  if (!x$REML) return(x)
  new <- refit_frame(x, list(REML = FALSE), call)
  new$call <- x$call
  new$call$REML <- FALSE
  new$other_response <- x$other_response
  new
}

# One response as a double vector over the rows of the fit.
one_response <- function(fit, values, call) {
  if (is.data.frame(values) || is.matrix(values)) {
    if (ncol(values) != 1L) {
      bad_response(sprintf("It has %s.", counted(ncol(values), "column")),
        "Give one column, or use `refit_many()` for all of them.", call
      )
    }
    values <- if (is.matrix(values)) values[, 1L] else values[[1L]]
  }
  drop(responses_matrix(fit, list(values), call))
}

#' Responses over the rows of the fit
#'
#' @param values List of vectors, or a matrix with a column for each response.
#' @returns A double matrix with a row for each row of the fit.
#' @noRd
responses_matrix <- function(fit, values, call) {
  columns <- is.list(values)
  simple <- function(v) is.numeric(v) && (is.null(dim(v)) || NCOL(v) == 1L) && !is.factor(v)
  odd <- if (columns) which(!vapply(values, simple, NA)) else if (!is.numeric(values)) 1L
  if (length(odd)) {
    found <- a_kind(if (columns) values[[odd[1L]]] else values)
    bad_response(paste0(response_name(values, odd[1L]), " is ", found, "."), "Use `as.numeric()` on it.", call)
  }
  sizes <- if (columns) lengths(values) else rep(nrow(values), ncol(values))
  n <- fit$nobs
  padded <- n + length(fit$na.action)
  odd <- which(!sizes %in% c(n, padded))
  if (length(odd)) {
    bad_response(
      sprintf("%s has %s; the fit has %s%s.", response_name(values, odd[1L]), counted(sizes[odd[1L]], "value"),
        counted(n, "row"), if (padded > n) sprintf(" of %s in the data", big_number(padded)) else ""),
      "Give a value for each row.", call
    )
  }
  if (columns && length(unique(sizes)) > 1L) {
    values[sizes > n] <- lapply(values[sizes > n], function(v) v[-fit$na.action])
    sizes[] <- n
  }
  out <- if (columns) matrix(as.double(unlist(values, use.names = FALSE)), sizes[1L]) else values
  if (nrow(out) > n) out <- out[-fit$na.action, , drop = FALSE]
  storage.mode(out) <- "double"
  dimnames(out) <- NULL
  if (anyNA(out)) missing_response(fit, values, out, call)
  out
}

missing_response <- function(fit, values, responses, call) {
  column <- which(colSums(is.na(responses)) > 0)[1L]
  rows <- which(is.na(responses[, column]))
  bad_response(
    sprintf("%s is missing in %s.", response_name(values, column), row_list(fit$frame, rows)),
    "Only rows that the fit left out may be missing: for others fit the model again by `lmm()`.", call
  )
}

# "It" for the only response, else its name or number.
response_name <- function(values, k) {
  names <- if (is.list(values)) names(values) else colnames(values)
  total <- if (is.list(values)) length(values) else ncol(values)
  if (total == 1L) return("It")
  if (length(names) && nzchar(names[k])) sprintf("Response `%s`", names[k]) else paste("Response", k)
}

bad_response <- function(found, hint, call) {
  abort_ferrite("response", "A new response must be numeric, with one value for each row of the fit.", found,
    hint = hint, call = call
  )
}

# Many responses -------------------------------------------------------------------------------------------------------

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
