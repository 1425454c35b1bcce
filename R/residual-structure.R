# Residuals that are not alike: the arguments `dispersion` and `correlation` from the call to the fitted object.
#
# Reads   what dispersion.R and correlation.R read and build.
# Writes  the field `residual` of a fit: list(phi, rho, hessian, scale, correlation), `NULL` when residuals are alike:
#         Var(e_i) = sigma^2 exp(2 s_i'd) / w_i with d the first elements of phi, correlation rho within series.
# Used by lmm.R, frame.R, design.R, object.R, and by every method that needs Var(e).

#' Read both arguments
#'
#' @param dispersion,force Functions that give the values of the arguments.
#' @param correlation The expression of the argument.
#' @returns list(dispersion, correlation), `NULL` when residuals are alike.
#' @noRd
read_residual <- function(dispersion, correlation, force, call) {
  residual <- list(
    dispersion = read_dispersion(dispersion, call), correlation = read_correlation(correlation, force, call)
  )
  if (!all(vapply(residual, is.null, NA))) residual
}

# Terms and variables of the model frame.
residual_terms <- function(parsed, call) {
  residual <- parsed$residual
  if (is.null(residual)) return(NULL)
  if (!is.null(residual$dispersion)) residual$terms <- dispersion_terms(residual$dispersion, parsed, call)
  serial <- residual$correlation
  residual$variables <- c(
    as.list(attr(residual$terms, "variables"))[-1L], if (!is.null(serial$time)) list(serial$time),
    serial$group$variables
  )
  response <- deparse_one(parsed$response)
  if (response %in% vapply(residual$variables, deparse_one, "")) {
    abort_ferrite(
      if (response %in% variable_names(residual$terms)) "dispersion" else "correlation",
      "The residuals must not depend on the response itself.",
      paste0("`", response, "` is in `dispersion` or `correlation`."), hint = "Name a covariate, a factor or a series.",
      call = call, data = list(variable = response)
    )
  }
  residual
}

# The design's part: `residual` for the engine, `scale` and `correlation` for the fit.
build_residual <- function(residual, factors, frame, memory, call) {
  if (is.null(residual)) return(NULL)
  dispersion <- if (!is.null(residual$dispersion)) {
    build_dispersion(residual$dispersion, residual$terms, factors, frame, memory, call)
  }
  correlation <- if (!is.null(residual$correlation)) build_correlation(residual$correlation, factors, frame, call)
  list(
    residual = list(scale = dispersion$blocks, strata = dispersion$strata, correlation = correlation$serial),
    scale = dispersion$scale, correlation = correlation$correlation
  )
}

# The engine's part of the design of a finished fit.
residual_design <- function(fit) {
  residual <- fit$residual
  if (is.null(residual)) return(NULL)
  scale <- residual$scale
  strata <- scale$strata
  list(
    scale = if (!is.null(scale) && is.null(strata)) scale_columns(scale, fit$frame),
    strata = if (!is.null(strata)) list(codes = codes_in(strata, fit$frame), values = unname(strata$values)),
    correlation = if (!is.null(residual$correlation)) {
      in_units(serial_columns(residual$correlation, fit$frame), residual$correlation)
    }
  )
}

# The field `residual` of the object.
residual_result <- function(raw, design) {
  if (is.null(design$residual)) return(NULL)
  scale <- design$scale
  phi <- as.double(raw$phi)
  names(phi) <- c(scale$names, design$correlation$form)
  if (!is.null(scale$strata)) {
    scale$strata$ratio <- stats::setNames(
      exp(drop(scale$strata$values %*% phi[seq_along(scale$names)])), scale$strata$levels
    )
  }
  k <- sqrt(length(raw$hessian))
  rho <- raw$rho
  if (!is.null(rho) && abs(rho) < 1e-14) rho <- 0
  list(
    phi = phi, rho = if (!is.null(rho)) rho_at_one(rho, design$correlation), unit_rho = rho,
    hessian = matrix(raw$hessian, k, k), scale = scale, correlation = design$correlation
  )
}

# The variance of the residuals ---------------------------------------------------------------------------------------

#' Standard deviations of the residuals beside sigma
#'
#' @param fit A fitted model.
#' @param frame `NULL` for the rows of the fit; else a frame with the variables of the dispersion (prior weights are not
#'   looked for there), `NA` where a stratum is new.
#' @returns One number for each row: exp(s'd), for the rows of the fit over the square root of the prior weight.
#' @noRd
residual_sd <- function(fit, frame = NULL) {
  scale <- fit$residual$scale
  rows <- or_else(frame, fit$frame)
  sd <- if (is.null(scale)) rep(1, nrow(rows))
  else if (!is.null(scale$strata)) unname(scale$strata$ratio[codes_in(scale$strata, rows)])
  else exp(times_blocks(scale_columns(scale, rows), dispersion_coefficients(fit), nrow(rows)))
  weights <- if (is.null(frame)) weights_of(fit$frame)
  if (is.null(weights)) sd else sd / sqrt(weights)
}

# The coefficients d of the log standard deviation.
dispersion_coefficients <- function(fit) fit$residual$phi[seq_along(fit$residual$scale$names)]

# Standard deviation in every stratum: a data frame of level, n (rows) and sd; `NULL` without strata.
residual_strata <- function(fit) {
  strata <- fit$residual$scale$strata
  if (is.null(strata)) return(NULL)
  data.frame(
    level = strata$levels, n = tabulate(codes_in(strata, fit$frame), strata$n_levels),
    sd = unname(fit$sigma * strata$ratio)
  )
}

#' Series of correlated residuals
#'
#' @param fit A fitted model.
#' @returns `NULL` when residuals are not correlated; else a list:
#'   * `form` (`"ar1"`, `"car1"`, `"cs"`), `rho` at one unit of time, `name` and `levels` of the series;
#'   * `codes` and `time` of the rows, in units (for `"cs"`, and where the rows are in order, the place in the series);
#'   * `order`: the rows by series and time; `previous`: for each row the one before it in its series, `NA` for none;
#'   * `rows`, `times`: lists with an element for each series, in the order of time;
#'   * `correlation(times, others)`: the correlation matrix of residuals of one series.
#' @noRd
residual_blocks <- function(fit) {
  stored <- fit$residual$correlation
  if (is.null(stored)) return(NULL)
  serial <- in_units(serial_columns(stored, fit$frame), stored)
  time <- or_else(serial$time, row_times(serial$codes, serial$n_levels))
  order <- order(serial$codes, time, method = "radix")
  sizes <- tabulate(serial$codes, serial$n_levels)
  previous <- rep(NA_integer_, length(order))
  later <- sequence(sizes) > 1L
  previous[order[later]] <- order[which(later) - 1L]
  rho <- fit$residual$unit_rho
  series <- factor(serial$codes[order], seq_len(serial$n_levels))
  list(
    form = stored$form, rho = rho, name = stored$series$name, levels = or_else(stored$series$levels, ""),
    codes = serial$codes, time = time, order = order, previous = previous,
    rows = unname(split(order, series)), times = unname(split(time[order], series)),
    correlation = if (stored$form == "cs") {
      function(times, others = times) ifelse(outer(times, others, "=="), 1, rho)
    } else {
      function(times, others = times) rho^abs(outer(times, others, "-"))
    }
  )
}
