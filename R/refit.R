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
  if (missing(newresp)) ask_lme4("refit", object, ...) else ask_lme4("refit", object, newresp, ...)
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
  ask_lme4("refitML", x, ...)
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
