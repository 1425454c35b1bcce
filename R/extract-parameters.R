# The parameters of a fit as a user reads them: standard deviations, correlations, sigma and coefficients by name.
#
# Reads   a fit.
# Writes  a table with one row a parameter, in the order of theta, then sigma and what else there is of the residuals,
#         then the coefficients:
#   name    "sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject", "sigma", "Days"; of a structured term that has one
#           standard deviation or one correlation "sd_cs|Subject", "cor_cs|Subject"; of the residuals "ratio_SexFemale"
#           (a standard deviation over sigma), "dispersion_age" (a coefficient d), "rho_ar1|Subject"
#           A coefficient of a variable with one of these names stands in backticks: "`sigma`"
#   kind    "sd", "cor", "sigma", "ratio", "dispersion", "rho" or "beta"
#   estimate   NA for a correlation with an effect of variance zero, and for a dropped coefficient
#   target  what profile_engine() calls it; NULL for a dropped coefficient
# Used by infer-profile.R, infer-confint.R, infer-bootstrap.R.
# Not here: variances and covariances (extract-varcorr.R), theta itself.

variance_kinds <- c("sd", "cor", "sigma", "ratio", "dispersion", "rho")

parameter_table <- function(fit) {
  random <- do.call(rbind, lapply(seq_along(fit$random), function(k) term_parameters(fit$random[[k]], k)))
  residual <- residual_parameters(fit)
  variance <- c(make.unique(random$name), "sigma", residual$name)
  coefficients <- ifelse(fit$x_names %in% variance, sprintf("`%s`", fit$x_names), fit$x_names)
  table <- data.frame(
    name = c(variance, as.character(coefficients)),
    kind = c(random$kind, "sigma", residual$kind, rep("beta", length(fit$x_names))),
    estimate = c(sd_cor_columns(fit, fit$theta, fit$sigma), fit$sigma, residual$estimate, unname(fit$beta))
  )
  place <- match(seq_along(fit$x_names), fit$kept)
  coefficients <- lapply(place, function(k) if (!is.na(k)) c(4L, k))
  table$target <- c(random$target, list(3L), residual$target, coefficients)
  table
}

# The names in parameter_table() of coefficients.
coefficient_parameters <- function(fit, names) {
  table <- parameter_table(fit)
  table$name[table$kind == "beta"][match(names, fit$x_names)]
}

# The parameters of one random term: the lower triangle by columns; of a structured term every common one once.
term_parameters <- function(term, k) {
  effects <- term$effects
  cells <- parameter_cells(term)
  row <- cells[, 1L]
  col <- cells[, 2L]
  sd <- row == col
  names <- ifelse(sd, paste0("sd_", effects[row]), paste0("cor_", effects[row], ".", effects[col]))
  structure <- term$structure
  if (!is.null(structure)) {
    common <- !sd | structure$hom
    names[common] <- paste0(ifelse(sd, "sd_", "cor_"), structure$kind)[common]
  }
  table <- data.frame(name = paste0(names, "|", term$group), kind = ifelse(sd, "sd", "cor"))
  table$target <- Map(function(i, j) if (i == j) c(1L, k, i) else c(2L, k, j, i), row, col)
  table
}

# Row and column, in the lower triangle, of the parameters of a term: all cells by columns; for a structured term one
# for each variance, and the first covariance.
parameter_cells <- function(term) {
  q <- length(term$effects)
  cells <- unname(which(lower.tri(diag(q), diag = TRUE), arr.ind = TRUE))
  structure <- term$structure
  if (is.null(structure)) return(cells)
  sd <- which(cells[, 1L] == cells[, 2L])
  if (structure$hom) sd <- sd[1L]
  cells[c(sd, if (structure$kind != "diag") 2L), , drop = FALSE]
}

# The parameters of residuals that are not alike, in the order of phi; `NULL` when they are alike.
residual_parameters <- function(fit) {
  residual <- fit$residual
  if (is.null(residual)) return(NULL)
  scale <- residual$scale
  serial <- residual$correlation
  kind <- if (is.null(scale$strata)) "dispersion" else "ratio"
  table <- data.frame(
    name = c(
      if (!is.null(scale)) paste0(kind, "_", scale$names),
      if (!is.null(serial)) paste0("rho_", serial$form, "|", or_else(serial$series$name, "all rows"))
    ),
    kind = c(rep(kind, length(scale$names)), if (!is.null(serial)) "rho"),
    estimate = drop(unname(residual_columns(fit, rbind(residual$phi))))
  )
  table$target <- c(lapply(seq_along(scale$names), function(k) c(5L, k)), if (!is.null(serial)) list(6L))
  table
}

#' The parameters of the residuals for many values of phi
#'
#' @param phi A matrix with a row for each value.
#' @returns A matrix: ratios exp(d) of strata, coefficients d of covariates, the correlation; `NULL` for plain
#'   residuals.
#' @noRd
residual_columns <- function(fit, phi) {
  residual <- fit$residual
  if (is.null(residual)) return(NULL)
  k <- seq_along(residual$scale$names)
  d <- phi[, k, drop = FALSE]
  if (!is.null(residual$scale$strata)) d <- exp(d)
  if (is.null(residual$correlation)) return(d)
  cbind(d, rho_of(phi[, length(k) + 1L], residual$correlation, longest_series(fit)))
}

longest_series <- function(fit) {
  known <- fit$residual$longest
  max(2L, or_else(known, max(tabulate(serial_columns(fit$residual$correlation, fit$frame)$codes))))
}

#' Standard deviations and correlations of random effects for many values of theta
#'
#' @param theta A vector, or a matrix with a row for each value of theta.
#' @param sigma As many residual standard deviations.
#' @returns A vector, or a matrix with a column for each parameter of the random part. NA where a correlation is
#'   undefined.
#' @noRd
sd_cor_columns <- function(fit, theta, sigma) {
  values <- if (is.matrix(theta)) theta else matrix(theta, 1L)
  at <- 0L
  out <- lapply(fit$random, function(term) {
    q <- length(term$effects)
    all <- which(lower.tri(diag(q), diag = TRUE), arr.ind = TRUE)
    place <- matrix(0L, q, q)
    place[all] <- at + seq_len(nrow(all))
    at <<- at + nrow(all)
    product <- function(i, j) {
      shared <- seq_len(min(i, j))
      rowSums(values[, place[i, shared], drop = FALSE] * values[, place[j, shared], drop = FALSE])
    }
    size <- lapply(seq_len(q), function(i) sqrt(product(i, i)))
    cells <- parameter_cells(term)
    columns <- lapply(seq_len(nrow(cells)), function(k) {
      i <- cells[k, 1L]
      j <- cells[k, 2L]
      if (i == j) size[[i]] * sigma else correlation_of(product(i, j), size[[i]] * size[[j]])
    })
    matrix(unlist(columns), nrow(values))
  })
  out <- do.call(cbind, out)
  if (is.matrix(theta)) out else drop(unname(out))
}

correlation_of <- function(product, scale) {
  ifelse(scale > 0, pmax(-1, pmin(1, product / scale)), NA_real_)
}

#' Rows of the table that the user asked for
#'
#' @param parm Missing (`NULL`): all. Names, numbers, `"theta_"` (all variance parameters) or `"beta_"`.
#' @param names,kind Of all parameters.
#' @returns Row numbers.
#' @noRd
pick_parameters <- function(parm, names, kind, argument, call) {
  all <- seq_along(names)
  if (is.null(parm)) {
    return(all)
  }
  if (is.numeric(parm)) {
    picked <- if (length(parm) && all(is.finite(parm)) && all(parm == round(parm))) all[parm]
    if (!length(picked) || anyNA(picked)) {
      bad_parameter(argument, sprintf("Its numbers are not among 1 to %d.", length(all)), names, call)
    }
    return(unique(picked))
  }
  if (!is.character(parm) || !length(parm)) {
    bad_parameter(argument, paste0("It is ", a_kind(parm), "."), names, call)
  }
  groups <- list(theta_ = all[kind != "beta"], beta_ = all[kind == "beta"])
  unknown <- setdiff(parm, c(names, names(groups)))
  if (length(unknown)) {
    begun <- names[startsWith(names, unknown[1L])]
    near <- if (length(begun)) utils::head(begun, 3L) else similar_names(unknown[1L], c(names, names(groups)))
    bad_parameter(argument, paste0("There is no ", quoted_list(unknown), "."), names, call, near)
  }
  picked <- lapply(parm, function(one) if (one %in% names) match(one, names) else groups[[one]])
  unique(unlist(picked))
}

bad_parameter <- function(argument, found, names, call, near = character()) {
  abort_ferrite("argument", sprintf("`%s` must name or number parameters of the model.", argument), found,
    hint = if (length(near)) paste0("Did you mean ", paste0("`", near, "`", collapse = " or "), "?")
    else paste0("They are ", quoted_list(names, 8L), "; `theta_` and `beta_` stand for all of a kind."),
    call = call, data = list(argument = argument, known = names)
  )
}
