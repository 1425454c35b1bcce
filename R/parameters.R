# The parameters of a fit as a user reads them: standard deviations, correlations, sigma and coefficients by name.
#
# Reads   a fit.
# Writes  a table with one row a parameter, in the order of theta, then sigma, then the coefficients:
#   name    "sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject", "sigma", "Days"
#   kind    "sd", "cor", "sigma" or "beta"
#   estimate   NA for a correlation with an effect of variance zero, and for a dropped coefficient
#   target  what profile_engine() calls it; NULL for a dropped coefficient
# Used by profile.R, confint.R, bootstrap.R. Not here: variances and covariances (varcorr.R), theta itself.

parameter_table <- function(fit) {
  random <- do.call(rbind, lapply(seq_along(fit$random), function(k) term_parameters(fit$random[[k]], k)))
  table <- data.frame(
    name = c(make.unique(random$name), "sigma", fit$x_names),
    kind = c(random$kind, "sigma", rep("beta", length(fit$x_names))),
    estimate = c(sd_cor_columns(fit, fit$theta, fit$sigma), fit$sigma, unname(fit$beta))
  )
  place <- match(seq_along(fit$x_names), fit$kept)
  coefficients <- lapply(place, function(k) if (!is.na(k)) c(4L, k))
  table$target <- c(random$target, list(3L), coefficients)
  table
}

# The lower triangle of one random term by columns.
term_parameters <- function(term, k) {
  effects <- term$effects
  cells <- which(lower.tri(diag(length(effects)), diag = TRUE), arr.ind = TRUE)
  row <- unname(cells[, 1L])
  col <- unname(cells[, 2L])
  sd <- row == col
  names <- ifelse(sd, paste0("sd_", effects[row]), paste0("cor_", effects[row], ".", effects[col]))
  table <- data.frame(name = paste0(names, "|", term$group), kind = ifelse(sd, "sd", "cor"))
  table$target <- Map(function(i, j) if (i == j) c(1L, k, i) else c(2L, k, j, i), row, col)
  table
}

#' Standard deviations and correlations of random effects for many values of theta
#'
#' @param theta A vector, or a matrix with a row for each value of theta.
#' @param sigma As many residual standard deviations.
#' @returns A vector, or a matrix with a column for each element of theta. NA where a correlation is undefined.
#' @noRd
sd_cor_columns <- function(fit, theta, sigma) {
  values <- if (is.matrix(theta)) theta else matrix(theta, 1L)
  out <- values
  at <- 0L
  for (term in fit$random) {
    q <- length(term$effects)
    cells <- which(lower.tri(diag(q), diag = TRUE), arr.ind = TRUE)
    columns <- at + seq_len(nrow(cells))
    place <- matrix(0L, q, q)
    place[cells] <- columns
    product <- function(i, j) {
      shared <- seq_len(min(i, j))
      rowSums(values[, place[i, shared], drop = FALSE] * values[, place[j, shared], drop = FALSE])
    }
    size <- lapply(seq_len(q), function(i) sqrt(product(i, i)))
    for (k in seq_along(columns)) {
      i <- cells[k, 1L]
      j <- cells[k, 2L]
      out[, columns[k]] <- if (i == j) size[[i]] * sigma else correlation_of(product(i, j), size[[i]] * size[[j]])
    }
    at <- at + length(columns)
  }
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
    return(picked)
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
