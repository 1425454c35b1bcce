# Statistics of bootstrap replicates: a light fit for each, and what the user's function says of it.
#
# Reads   a fit and the engine's replicates (theta, beta, sigma: a row each).
# Writes  a matrix with a row for each replicate.
# A light fit is a fit with other parameters; what depends on a response that was never made is NA.

# The fit without all that belongs to its own response.
light_fit <- function(fit) {
  fit$light <- TRUE
  fit$vcov[] <- NA_real_
  if (!is.null(fit$residual$correlation)) {
    fit$residual$longest <- max(tabulate(serial_columns(fit$residual$correlation, fit$frame)$codes))
  }
  fit[c("criterion", "ld_l", "ld_rx", "pwrss")] <- NA_real_
  fit$random <- lapply(fit$random, function(term) {
    for (name in c("b", "u", "condvar")) term[[name]][] <- NA_real_
    term
  })
  fit
}

# A light fit at given parameters; `beta` are the kept coefficients, `phi` those of residuals that are not alike.
at_parameters <- function(light, theta, beta, sigma, criterion = NA_real_, phi = light$residual$phi) {
  light$light <- TRUE
  if (length(phi)) light$residual <- residual_at(light, phi)
  light$theta[] <- theta
  light$beta[light$kept] <- beta
  light$sigma <- sigma
  light$criterion <- criterion
  factors <- templates(light)
  for (k in seq_along(factors)) {
    size <- abs(diag(factors[[k]]))
    light$random[[k]]$varcov <- sigma^2 * tcrossprod(factors[[k]])
    light$random[[k]]$rank <- sum(size > 1e-8 * max(abs(factors[[k]])))
  }
  light
}

# The field `residual` at another phi.
residual_at <- function(fit, phi) {
  residual <- fit$residual
  residual$phi[] <- phi
  strata <- residual$scale$strata
  if (!is.null(strata)) {
    residual$scale$strata$ratio[] <- exp(drop(strata$values %*% residual$phi[seq_along(residual$scale$names)]))
  }
  if (is.null(residual$correlation)) return(residual)
  residual$unit_rho <- unit_rho_of(residual$phi[[length(phi)]], residual$correlation, residual$longest)
  residual$rho <- rho_at_one(residual$unit_rho, residual$correlation)
  residual
}

# All parameters as confint() names them; those that were not estimated are left out.
default_statistic <- function(fit) {
  table <- parameter_table(fit)
  table <- table[!vapply(table$target, is.null, NA), ]
  stats::setNames(table$estimate, table$name)
}

default_replicates <- function(fit, drawn) {
  values <- cbind(
    sd_cor_columns(fit, drawn$theta, drawn$sigma), drawn$sigma, residual_columns(fit, drawn$phi), drawn$beta
  )
  dimnames(values) <- list(NULL, names(default_statistic(fit)))
  values
}

# The light fit of one replicate.
replicate_at <- function(light, drawn, i) {
  phi <- if (NCOL(drawn$phi)) drawn$phi[i, ]
  at_parameters(light, drawn$theta[i, ], drawn$beta[i, ], drawn$sigma[i], drawn$criterion[i], phi)
}

# The statistic of the fit itself: also the check that it is one.
first_statistic <- function(fit, statistic, call) {
  value <- call_statistic(statistic, at_parameters(light_fit(fit), fit$theta, fit$beta[fit$kept], fit$sigma,
    fit$criterion), "the fit itself", call)
  if (!is.numeric(value) || !length(value)) {
    abort_ferrite("statistic", "`statistic` must give a numeric vector.", paste0("It gave ", a_kind(value), "."),
      hint = "For a list or a table, take the numbers out: `function(fit) c(name = ...)`.", call = call
    )
  }
  names <- or_else(names(value), rep("", length(value)))
  blank <- !nzchar(names)
  names[blank] <- paste0("t", seq_along(value))[blank]
  stats::setNames(as.double(value), make.unique(names))
}

call_statistic <- function(statistic, light, where, call) {
  tryCatch(statistic(light), error = function(e) {
    abort_ferrite("statistic", "`statistic` must work on every replicate.",
      sprintf("On %s it stopped: %s", where, sub("[.]?$", ".", conditionMessage(e))),
      hint = "It gets a light fit: parameters, but no random effects or residuals. Try it with `statistic(fit)`.",
      call = call, data = list(parent = e)
    )
  })
}

# A row for each replicate; after Ctrl-C those that are done.
statistic_replicates <- function(fit, drawn, statistic, estimate, progress, call) {
  done <- length(drawn$index)
  values <- matrix(NA_real_, done, length(estimate), dimnames = list(NULL, names(estimate)))
  light <- light_fit(fit)
  meter <- progress_meter(progress)
  on.exit(meter$close())
  last <- 0L
  tryCatch(
    for (i in seq_len(done)) {
      one <- replicate_at(light, drawn, i)
      value <- call_statistic(statistic, one, paste("replicate", drawn$index[i]), call)
      if (!is.numeric(value) || length(value) != length(estimate)) {
        abort_ferrite("statistic", "`statistic` must always give as many numbers as for the fit.",
          sprintf("For the fit it gave %d, for replicate %d %s.", length(estimate), drawn$index[i],
            if (is.numeric(value)) length(value) else a_kind(value)),
          hint = "Give NA for what a replicate does not have.", call = call
        )
      }
      values[i, ] <- value
      last <- i
      if (!is.null(meter$report)) meter$report(i, done)
    },
    interrupt = function(condition) NULL
  )
  if (!last) raise_interrupt()
  values[seq_len(last), , drop = FALSE]
}
