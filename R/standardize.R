# Standardised fits, for datawizard and parameters: the model refitted to data with mean 0 and standard deviation 1.
#
# Reads   a fit, its data again (recover.R), datawizard for the scaling.
# Writes  a fit.

# Method of datawizard::standardize(). Grouping factors, weights, offsets and variables inside of log() and the like
# stay as they are.
standardize_model <- function(x, robust = FALSE, two_sd = FALSE, weights = TRUE, verbose = TRUE,
                              include_response = TRUE, ...) {
  data <- insight_data(x, verbose = verbose)
  fixed <- unlist(lapply(x$factors, `[[`, "variables"))
  fixed <- c(fixed, all.vars(x$call$weights), all.vars(x$call$offset), curved_variables(x$formula))
  if (!include_response) fixed <- c(fixed, all.vars(x$formula[[2L]]))
  numeric <- names(data)[vapply(data, function(column) is.numeric(column) && is.null(dim(column)), NA)]
  scaled <- setdiff(numeric, fixed)
  own <- if (isTRUE(weights)) weights_of(x$frame)
  scale <- getExportedValue("datawizard", "standardize")
  data[scaled] <- scale(data[scaled], robust = robust, two_sd = two_sd, weights = own, verbose = FALSE)
  call <- x$call
  call$formula <- x$formula
  call$data <- data
  call$subset <- NULL
  fit <- eval(call, environment(x$formula))
  fit$call$data <- x$call$data
  fit
}

# Names inside of functions that need positive numbers.
curved_variables <- function(expression) {
  if (!is.call(expression)) return(NULL)
  curved <- is.symbol(expression[[1L]]) && as.character(expression[[1L]]) %in%
    c("log", "log2", "log10", "log1p", "sqrt", "exp", "expm1", "offset")
  if (curved) all.vars(expression) else unlist(lapply(as.list(expression)[-1L], curved_variables))
}
