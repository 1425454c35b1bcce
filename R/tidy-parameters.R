# The variance parameters of a fit as tidy rows, with their limits: effects "ran_pars" of tidy().
#
# Reads   a fit.
# Writes  rows in the order of theta, then the residual; a standard deviation for each stratum of a dispersion.
# Used by tidy.R.
# The limits are those of confint(). A stratum's standard deviation is sigma of the same model with this stratum as the
# reference, and has its limits: a likelihood knows no reference.

# Rows in the order of theta, then the residual; limits of a parameter that stands in several rows in all of them.
tidy_parameters <- function(fit, scale, prefix, with_limits, limits, call) {
  prefix <- check_prefix(or_else(prefix, if (scale == "vcov") c("var", "cov") else c("sd", "cor")), call)
  rows <- tidy_components(fit, scale, prefix)
  table <- rows[c("effect", "group", "term", "estimate")]
  table$estimate[is.nan(table$estimate)] <- NA_real_
  if (!with_limits) return(table)
  own <- matrix(NA_real_, nrow(table), 2L)
  if (!is.null(limits)) own <- unname(unclass(limits)[match(rows$parameter, rownames(limits)), , drop = FALSE])
  if (scale == "vcov") {
    sd <- rows$kind == "sd"
    own[sd, ] <- own[sd, ]^2
    own[rows$kind == "cor", ] <- NA_real_
  }
  table$conf.low <- own[, 1L]
  table$conf.high <- own[, 2L]
  table
}

# The rows of VarCorr() under tidy names, and the parameter of confint() that each shows: of residuals in strata the
# standard deviation of each, sigma for the first; coefficients of a dispersion; the residual correlation.
tidy_components <- function(fit, scale, prefix) {
  rows <- as.data.frame(VarCorr(fit), order = "lower.tri")
  parameters <- parameter_table(fit)
  residual <- rows$grp == "Residual" & seq_len(nrow(rows)) > nrow(rows) - residual_row_count(fit)
  serial <- residual & !is.na(rows$var2)
  single <- is.na(rows$var2)
  first <- ifelse(is.na(rows$var1), "Observation", rows$var1)
  term <- ifelse(single, paste0(prefix[1L], "__", first), paste0(prefix[2L], "__", first, ".", rows$var2))
  term[serial] <- paste0("cor__", rows$var1[serial])
  parameter <- rep(NA_character_, nrow(rows))
  parameter[!residual] <- parameters$name[unlist(parameter_places(fit))]
  parameter[residual & !serial] <- c("sigma", strata_parameters(fit))
  own <- residual_parameters(fit)
  parameter[serial] <- own$name[own$kind == "rho"]
  estimate <- rows[[scale]]
  estimate[serial] <- rows$sdcor[serial]
  table <- data.frame(
    effect = "ran_pars", group = rows$grp, term = term, estimate = estimate, parameter = parameter,
    kind = ifelse(serial, "rho", ifelse(single, "sd", "cor"))
  )
  slopes <- own[which(own$kind == "dispersion"), ]
  if (!NROW(slopes)) return(table)
  rbind(table, data.frame(
    effect = "ran_pars", group = "Residual", term = sub("_", "__", slopes$name), estimate = slopes$estimate,
    parameter = slopes$name, kind = "dispersion"
  ))
}

# Rows of the residual in the table of VarCorr().
residual_row_count <- function(fit) {
  max(1L, fit$residual$scale$strata$n_levels) + !is.null(fit$residual$correlation)
}

# For each random term the row of parameter_table() of every cell of its lower triangle.
parameter_places <- function(fit) {
  at <- 0L
  lapply(fit$random, function(term) {
    own <- parameter_cells(term)
    cells <- parameter_cells(list(effects = term$effects))
    sd <- own[, 1L] == own[, 2L]
    place <- at + seq_len(nrow(own))
    at <<- at + nrow(own)
    if (is.null(term$structure)) return(place)
    on <- cells[, 1L] == cells[, 2L]
    out <- rep(NA_integer_, nrow(cells))
    out[on] <- rep_len(place[sd], sum(on))
    shown <- if (term$structure$kind == "ar1") cells[, 1L] == cells[, 2L] + 1L else !on
    if (any(!sd)) out[shown] <- place[!sd]
    out
  })
}

#' Limits of the parameters by profile or bootstrap
#'
#' @returns The matrix of `confint.lmm()`, variance parameters first; `NULL` when there is nothing to compute.
#' @noRd
tidy_limits <- function(fit, wanted, method, level, nsim, seed, call) {
  kinds <- c(if ("ran_pars" %in% wanted) variance_kinds, if ("fixed" %in% wanted) "beta")
  if (method %in% c("none", "Wald") || !length(kinds)) return(NULL)
  table <- parameter_table(fit)
  table <- table[table$kind %in% kinds, ]
  strata <- if ("ran_pars" %in% wanted) strata_parameters(fit)
  if (method == "profile") {
    limits <- profile_intervals(profile_fits(fit, table$kind, call), table, level, call)
    return(rbind(unclass(limits), profiled_strata(fit, strata, level, call)))
  }
  boot <- run_bootstrap(fit, NULL, nsim, seed, fit$control$threads, FALSE, call)
  if (length(strata)) boot <- with_strata(boot, fit, strata)
  boot_intervals(boot, c(table$name, strata), level, "percentile", call)
}

# Names for the standard deviations of all strata but the first.
strata_parameters <- function(fit) {
  strata <- fit$residual$scale$strata
  if (!is.null(strata)) paste("sd of stratum", strata$levels[-1L])
}

profiled_strata <- function(fit, names, level, call) {
  limits <- lapply(seq_along(names), function(k) {
    own <- rebased(fit, k + 1L)
    table <- parameter_table(own)
    table <- table[table$kind == "sigma", ]
    table$name <- names[k]
    unclass(profile_intervals(list(variance = own, fixed = own), table, level, call))
  })
  do.call(rbind, limits)
}

# The same fit with another stratum as the reference of its dispersion; for what depends on the likelihood alone.
rebased <- function(fit, k) {
  strata <- fit$residual$scale$strata
  ratio <- strata$ratio[[k]]
  strata$values <- sweep(strata$values, 2L, strata$values[k, ])
  strata$ratio <- strata$ratio / ratio
  fit$residual$scale$strata <- strata
  fit$sigma <- fit$sigma * ratio
  fit$theta <- fit$theta / ratio
  fit
}

# A bootstrap with the standard deviations of all strata but the first as further statistics.
with_strata <- function(boot, fit, names) {
  strata <- fit$residual$scale$strata
  own <- residual_parameters(fit)
  ratios <- own$name[own$kind == "ratio"]
  sd <- function(values) {
    shares <- exp(log(values[, ratios, drop = FALSE]) %*% t(strata$values[-1L, , drop = FALSE]))
    matrix(values[, "sigma"] * shares, nrow(values), dimnames = list(NULL, names))
  }
  boot$replicates <- cbind(boot$replicates, sd(boot$replicates))
  boot$estimate <- c(boot$estimate, sd(rbind(boot$estimate))[1L, ])
  boot
}
