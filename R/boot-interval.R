# Limits from bootstrap replicates: percentile, basic, bias-corrected and accelerated, normal.
#
# Reads   an object of class lmm_bootstrap.
# Writes  a matrix of class lmm_confint.
# Davison and Hinkley (1997), chapter 5; Efron (1987). The acceleration is in acceleration.R; of resampled cases in
# resample-cases.R.

boot_types <- c("percentile", "basic", "bca", "normal")

#' Intervals from a bootstrap
#'
#' @param names Of statistics; one that is not in the bootstrap (a coefficient that was dropped) gives a row of NA.
#' @returns A matrix as that of `confint.lmm()`.
#' @noRd
boot_intervals <- function(boot, names, level, type, call) {
  needed <- ceiling(2 / (1 - level) - 1 - 1e-9)
  if (nrow(boot$replicates) < needed) {
    warn_ferrite(
      "interval", sprintf("An interval of level %g must have at least %s.", level, counted(needed, "replicate")),
      sprintf("There are %d, so that the limits are the smallest and the largest.", nrow(boot$replicates)),
      hint = "Raise `nsim`.", call = call
    )
  }
  acceleration <- if (type == "bca") boot_acceleration(boot, call)
  edges <- if (type %in% c("basic", "normal")) boot_edges(boot)
  picked <- match(names, names(boot$estimate))
  limits <- matrix(NA_real_, length(names), 2L)
  for (row in which(!is.na(picked))) {
    k <- picked[row]
    values <- boot$replicates[, k]
    values <- values[!is.na(values)]
    estimate <- boot$estimate[[k]]
    if (!length(values) || is.na(estimate)) next
    limits[row, ] <- switch(type,
      percentile = boot_quantile(values, c((1 - level) / 2, (1 + level) / 2)),
      normal = {
        around <- 2 * estimate - mean(values) + stats::sd(values) * stats::qnorm(c((1 - level) / 2, (1 + level) / 2))
        pmax(edges[1L, k], pmin(edges[2L, k], around))
      },
      basic = {
        reflected <- 2 * estimate - boot_quantile(values, c((1 + level) / 2, (1 - level) / 2))
        pmax(edges[1L, k], pmin(edges[2L, k], reflected))
      },
      bca = boot_quantile(values, bca_shares(values, estimate, acceleration[[k]], level))
    )
  }
  criterion <- rep(if (boot$fit$REML) "REML" else "ML", length(names))
  note <- paste0(switch(type, bca = "BCa", type), " intervals, ", counted(nrow(boot$replicates), "replicate"))
  new_confint(limits, names, level, if (boot$type == "parametric") "boot" else boot$type, criterion, note)
}

boot_quantile <- function(values, shares) stats::quantile(values, shares, names = FALSE, type = 6L)

# The shares of the replicates that are the limits of a BCa interval.
bca_shares <- function(values, estimate, acceleration, level) {
  below <- mean(values < estimate) + mean(values == estimate) / 2
  bias <- stats::qnorm(below)
  if (!is.finite(bias)) {
    # all replicates on one side: no correction can be made of it but to the end of that side
    return(if (bias < 0) c(0, 0) else c(1, 1))
  }
  shifted <- bias + stats::qnorm(c((1 - level) / 2, (1 + level) / 2))
  room <- 1 - acceleration * shifted
  ifelse(room > 0, stats::pnorm(bias + shifted / room), as.numeric(shifted > 0))
}

# Smallest and largest possible values of the statistics; those of the user are not limited.
boot_edges <- function(boot) {
  edges <- matrix(c(-Inf, Inf), 2L, length(boot$estimate))
  if (is.null(boot$statistic)) {
    table <- parameter_table(boot$fit)
    kinds <- table$kind[match(names(boot$estimate), table$name)]
    edges <- vapply(kinds, parameter_edges, c(0, 0))
  }
  edges
}

# Acceleration of each statistic: zero, with a message, where it is not to be had.
boot_acceleration <- function(boot, call) {
  found <- if (boot$type == "cases") case_accelerations(boot)
  else accelerations(boot$fit, or_else(boot$statistic, default_statistic), length(boot$estimate))
  if (anyNA(found)) {
    inform_ferrite("interval", "A BCa interval must have an acceleration.",
      paste0("It could not be computed for ", quoted_list(names(boot$estimate)[is.na(found)]), "."),
      hint = "It is taken as zero: the interval is corrected for bias only.", call = call
    )
    found[is.na(found)] <- 0
  }
  found
}
