# Residuals that are not alike: the arguments `dispersion` and `correlation` from the call to the fitted object.
#
# Reads   what formula-residual.R reads.
# Writes  the field `residual` of a fit: list(phi, rho, hessian, scale, correlation), `NULL` when residuals are alike:
#         Var(e_i) = sigma^2 exp(2 s_i'd) / w_i with d the first elements of phi, correlation rho within series.
# Used by fit-lmm.R, data-frame.R, design-columns.R, fit-object.R, and by every method that needs Var(e).

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

# The columns of a dispersion ------------------------------------------------------------------------------------------
#
# Writes  the field `residual$scale` of a fit: list(text, terms, names, contrasts, xlevels, variables, expressions,
#         strata), where `strata` is a grouping factor with `values` (a row of the columns for each stratum), `NULL`
#         when a variable is numeric; and for the engine the columns as blocks, or the codes of the strata with
#         `values`: the log standard deviation is linear in them.

#' The dispersion of a model over its frame
#'
#' @param dispersion From `read_dispersion()`.
#' @param terms Its terms object, with predvars.
#' @param factors The grouping factors of the design: their codes are not made again.
#' @returns list(scale, blocks, strata): what the fit keeps, and the columns of the engine, or its strata.
#' @noRd
build_dispersion <- function(dispersion, terms, factors, frame, memory, call) {
  variables <- predictor_names(terms)
  columns <- .subset(frame, variables)
  scale <- list(
    text = dispersion$text, terms = terms, names = NULL, contrasts = NULL, xlevels = list(), variables = variables,
    expressions = predictor_expressions(terms), strata = NULL
  )
  category <- vapply(columns, function(v) is.factor(v) || is.character(v) || is.logical(v), NA)
  if (all(category)) {
    factor <- series_factor(scale$expressions, paste(variables, collapse = ":"), factors, frame, call)
    if (factor$n_levels < 2L) one_stratum(factor, call)
    strata <- factor[names(factor) != "codes"]
    strata$values <- strata_values(terms, strata, call)
    scale$names <- colnames(strata$values)
    scale$strata <- strata
    return(list(scale = scale, strata = list(codes = factor$codes, values = unname(strata$values))))
  }
  categories <- category_levels(terms, frame)
  for (name in names(categories)) if (length(categories[[name]]) < 2L) one_level(name, categories[[name]], call)
  check_size(terms, frame, categories, memory, "`dispersion`", call)
  scale$contrasts <- treatment(names(categories))
  scale$xlevels <- categories[!vapply(columns[names(categories)], is.logical, NA)]
  made <- tryCatch(
    without_intercept(columns_of(terms, frame, scale$contrasts)),
    error = function(e) bad_dispersion(paste0("Its columns cannot be computed: ", conditionMessage(e), "."), call)
  )
  scale$names <- shown_powers(made$names, dispersion$powers)
  check_scale(made$blocks, scale$names, frame, call)
  list(scale = scale, blocks = made$blocks)
}

treatment <- function(names) {
  if (length(names)) stats::setNames(rep(list("contr.treatment"), length(names)), names)
}

# The columns of a fitted dispersion over any frame that has its variables; NA where a level is new.
scale_columns <- function(scale, frame) {
  if (!is.null(scale$strata)) return(strata_columns(scale$strata$values, codes_in(scale$strata, frame)))
  without_intercept(columns_of(scale$terms, frame, scale$contrasts))$blocks
}

strata_columns <- function(values, codes) lapply(seq_len(ncol(values)), function(k) values[, k][codes])

without_intercept <- function(columns) {
  first <- columns$blocks[[1L]]
  blocks <- if (is.matrix(first)) list(first[, -1L, drop = FALSE]) else columns$blocks[-1L]
  list(blocks = blocks, names = columns$names[-1L])
}

# "log(abs(x))" back to "power(x)".
shown_powers <- function(names, powers) {
  for (made in names(powers)) names <- gsub(made, powers[[made]], names, fixed = TRUE)
  names
}

# A row of the columns for each stratum. With the interaction of all variables in the formula every stratum but the
# first has a parameter of its own; otherwise they are the columns of the terms under treatment contrasts.
strata_values <- function(terms, strata, call) {
  if (any(attr(terms, "order") == length(strata$variables))) {
    values <- diag(strata$n_levels)[, -1L, drop = FALSE]
    label <- if (length(strata$variables) == 1L) strata$variables else ""
    colnames(values) <- paste0(label, strata$levels[-1L])
    return(values)
  }
  parents <- or_else(strata$parents, matrix(seq_len(strata$n_levels)))
  cells <- lapply(seq_along(strata$variables), function(j) {
    factor(strata$parent_levels[[j]][parents[, j]], levels = strata$parent_levels[[j]])
  })
  names(cells) <- strata$variables
  for (name in strata$variables) {
    if (nlevels(cells[[name]]) < 2L) one_level(name, levels(cells[[name]]), call)
  }
  attr(terms, "dataClasses")[] <- "factor"
  cells <- structure(cells, class = "data.frame", row.names = seq_len(strata$n_levels))
  columns <- columns_of(terms, cells, treatment(strata$variables))
  values <- columns$blocks[[1L]][, -1L, drop = FALSE]
  colnames(values) <- columns$names[-1L]
  aliased <- qr(cbind(1, values))
  if (aliased$rank <= ncol(values)) alias_column(colnames(values)[aliased$pivot[aliased$rank + 1L] - 1L], call)
  values
}

one_stratum <- function(factor, call) {
  bad_dispersion(
    paste0("`", factor$name, "` has one level in the rows of the fit: \"", factor$levels, "\"."), call,
    "Leave `dispersion` out, or check the column."
  )
}

alias_column <- function(name, call) {
  bad_dispersion(
    paste0("Its column `", name, "` can be made from the other columns and a constant."), call,
    "Leave out one of the terms that overlap."
  )
}

# Finite, not constant, linearly independent with a constant.
check_scale <- function(blocks, names, frame, call) {
  at <- 0L
  for (block in blocks) {
    for (j in seq_len(NCOL(block))) {
      at <- at + 1L
      column <- if (is.matrix(block)) block[, j] else block
      if (!is.finite(sum(column)) && !all(is.finite(column))) nonfinite_scale(column, names[at], frame, call)
      if (min(column) == max(column)) {
        bad_dispersion(paste0("`", names[at], "` is constant: ", format(column[1L], digits = 6L), "."), call,
          "Leave it out: a constant factor of the standard deviation is sigma."
        )
      }
    }
  }
  x <- dense_blocks(blocks, nrow(frame))
  centre <- colMeans(x)
  x <- sweep(x, 2L, centre)
  size <- sqrt(colSums(x^2))
  far <- abs(centre) > 100 * size / sqrt(nrow(x))
  if (any(far)) off_centre(names[far][1L], centre[far][1L], call)
  if (at < 2L) return(invisible())
  x <- sweep(x, 2L, size, "/")
  decomposition <- qr(crossprod(x), tol = 1e-11)
  if (decomposition$rank < at) alias_column(names[decomposition$pivot[decomposition$rank + 1L]], call)
}

# sigma is the standard deviation where all columns are zero: that must be a number that can be computed with.
off_centre <- function(name, centre, call) {
  x <- sub("^power\\((.*)\\)$", "\\1", name)
  power <- x != name
  value <- format(signif(if (power) exp(centre) else centre, 4L), scientific = FALSE)
  abort_ferrite(
    "dispersion",
    "The values of a covariate in `dispersion` must not be far from zero: sigma is the standard deviation there.",
    paste0("`", x, "` is ", value, " on average, far from ", if (power) "one" else "zero",
           " compared with its spread."),
    hint = if (power) paste0("Measure it in another unit: `power(", x, " / ", value, ")`.")
    else paste0("Measure it from a point among its values: `I(", x, " - ", value, ")`."),
    call = call, data = list(variable = x)
  )
}

# After the fit: a sigma that is so far from the standard deviations of the rows is not to be trusted.
check_centre <- function(phi, design, call) {
  scale <- design$scale
  if (!is.null(scale$strata)) return(invisible())
  centre <- colMeans(dense_blocks(design$residual$scale, length(design$y)))
  moved <- centre * phi[seq_along(centre)]
  if (abs(sum(moved)) > 9) {
    worst <- which.max(abs(moved))
    off_centre(scale$names[worst], centre[worst], call)
  }
}

# After the fit: a standard deviation that is small beside the others, in a direction in which the criterion is flat, is
# on its way to zero; where the search stopped means nothing. As the engine's data of a failure, or `NULL`.
vanished_scale <- function(raw, design) {
  if (!length(raw$eigenvalues) || min(raw$eigenvalues) > 1e-4) return(NULL)
  d <- raw$residual$phi[seq_along(design$scale$names)]
  strata <- design$scale$strata
  s <- if (is.null(strata)) dense_blocks(design$residual$scale, length(design$y)) else strata$values
  if (diff(range(s %*% d)) < 4) return(NULL)
  column <- which.max(abs(d) * apply(s, 2L, function(x) diff(range(x))))
  list(column = column, to = if (d[column] < 0) "zero" else "infinite")
}

nonfinite_scale <- function(column, name, frame, call) {
  rows <- which(!is.finite(column))
  x <- sub("^power\\((.*)\\)$", "\\1", name)
  zero <- x != name && all(column[rows] == -Inf)
  abort_ferrite(
    "dispersion",
    if (zero) "In `power(x)` no value may be zero: the residual standard deviation would be zero or infinite."
    else "All values in `dispersion` must be finite.",
    paste0("`", x, "` is ", if (zero) "zero" else describe_nonfinite(column[rows]), " in ", row_list(frame, rows), "."),
    hint = if (zero) paste0("Use `~ ", x, "`, which is exp(d ", x, "), or `power(", x, " + c)` with a constant c.")
    else "Correct the values, or set them to NA to drop the rows.",
    call = call, data = list(variable = x, rows = rows)
  )
}

# Failures of the engine --------------------------------------------------------------------------------------------

# A standard deviation that tends to zero or infinity, or on which the likelihood does not depend.
fail_dispersion <- function(data, design, frame, fail) {
  scale <- design$scale
  name <- scale$names[data$column]
  strata <- scale$strata
  own <- if (!is.null(strata)) which(strata$values[, data$column] != 0)
  single <- length(own) == 1L && sum(strata$values[own, ] != 0) == 1L
  if (identical(data$to, "flat")) {
    fail(
      "The residual standard deviations must be estimable from the data.",
      paste0("The likelihood does not depend on `", name, "` in `dispersion = ", scale$text, "`",
             if (length(strata)) rows_text(own, strata, frame), "."),
      hint = "Join strata with few rows, or simplify the random part."
    )
  }
  zero <- identical(data$to, "zero")
  low <- if (single) strata$levels[if (zero) own else 1L]
  fail(
    "The residual standard deviation must be greater than zero for every row.",
    if (single) {
      paste0("In the stratum \"", low, "\" of `", strata$name, "` it tends to zero",
             rows_text(if (zero) own else 1L, strata, frame), ".")
    } else {
      paste0("The coefficient of `", name, "` in `dispersion = ", scale$text, "` tends to ",
             if (zero) "minus infinity" else "infinity", ".")
    },
    hint = if (single) "The model reproduces these rows exactly: join the stratum with another, or leave the rows out."
    else "The model reproduces some rows exactly: simplify `dispersion`, or look at the rows with the smallest values."
  )
}

# " (1 row)": how many rows strata have.
rows_text <- function(own, strata, frame) paste0(" (", counted(sum(codes_in(strata, frame) %in% own), "row"), ")")
