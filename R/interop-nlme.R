# Methods for generics of nlme: intervals(), getVarCov(), ACF(), Variogram(), getData(), getGroups(), getResponse(),
# augPred(), comparePred().
#
# Reads   a fit.
# Writes  what nlme's methods for lme() fits return, of nlme's classes, so that its print and plot methods apply.

#' Generics of nlme
#'
#' Methods for fits of [lmm()], whose results are of nlme's classes: nlme prints and plots them.
#'
#' @name nlme
#' @aliases intervals.lmm getVarCov.lmm ACF.lmm Variogram.lmm getData.lmm getGroups.lmm getResponse.lmm
#'   augPred.lmm comparePred.lmm
#' @section Usage:
#' ```
#' nlme::intervals(object, level = 0.95, which = c("all", "var-cov", "fixed"))
#' nlme::getVarCov(obj, individuals = NULL, type = c("random.effects", "conditional", "marginal"))
#' nlme::ACF(object, maxLag = NULL, resType = c("pearson", "response", "normalized"))
#' nlme::Variogram(object, form = ~1, resType = c("pearson", "response", "normalized"), maxDist = NULL, nint = 20)
#' nlme::getData(object); nlme::getGroups(object, level = NULL); nlme::getResponse(object)
#' nlme::augPred(object, primary = NULL, minimum = min(primary), maximum = max(primary), length.out = 51, level = NULL)
#' nlme::comparePred(object1, object2, primary = NULL, minimum, maximum, length.out = 51, level = NULL)
#' ```
#' @section Value:
#'   * `intervals()`: matrices and data frames `fixed`, `reStruct` (one for each random term), `corStruct`, `varStruct`
#'     and `sigma` with the columns `lower`, `est.`, `upper`. Coefficients have t intervals by Satterthwaite's degrees
#'     of freedom, as in [contest()]; variances have profile intervals as in [confint.lmm()], where nlme's are of a
#'     normal approximation.
#'   * `getVarCov()`: the covariance matrix of the random effects (a list of them if there are several random terms), or
#'     of the responses of the levels `individuals` of the grouping factor with the most levels (default: its first),
#'     given the random effects (`"conditional"`) or not (`"marginal"`).
#'   * `ACF()`: `lag` and `ACF` of residuals in the order of the rows within the grouping factor with the most levels.
#'     For a band that counts the estimation of the effects see `plot(object, which = "acf")`.
#'   * `Variogram()`: `variog`, `dist` and `n.pairs`: means of half the squared differences of residuals of a group, at
#'     each distance, or, of more than `nint` distances, in that many classes of as many pairs each (`dist` is their
#'     median; nlme's lowest class leaves out the pairs at the shortest distance). `form`: `~ 1` is the
#'     order of the rows, `~ x` a numeric variable.
#'   * `getData()`: the data at the rows of the fit; `getGroups()`: the grouping factor with the most levels, or that at
#'     `level` (its name, or its number from the outermost, 1); `getResponse()`: the response.
#'   * `augPred()`: the observations, and predictions for each group along `primary` (a one-sided formula or a name;
#'     default: the covariate of data of class groupedData), other variables at their means or most frequent values in
#'     the group; of `level`, see [predict.lmm()] (default: all grouping factors). `comparePred()`: those of two fits.
#'     nlme's `plot()` draws them.
#' @section Conditions:
#'   `ferrite_error_argument`; those of [confint.lmm()]; `ferrite_error_recover`.
#' @examples
#' fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' nlme::intervals(fit)$fixed # age 0.6602, 0.5143 to 0.8061
#' nlme::getVarCov(fit, "M01", type = "marginal")
#' nlme::ACF(fit)
NULL

nlme_methods <- function() {
  list(
    list("nlme", "intervals", "lmm", intervals_lmm),
    list("nlme", "getVarCov", "lmm", get_var_cov_lmm),
    list("nlme", "ACF", "lmm", acf_lmm),
    list("nlme", "Variogram", "lmm", variogram_lmm),
    list("nlme", "getData", "lmm", get_data_lmm),
    list("nlme", "getGroups", "lmm", get_groups_lmm),
    list("nlme", "getResponse", "lmm", get_response_lmm),
    list("nlme", "augPred", "lmm", aug_pred_lmm),
    list("nlme", "comparePred", "lmm", compare_pred_lmm)
  )
}

# Intervals -----------------------------------------------------------------------------------------------------------

intervals_lmm <- function(object, level = 0.95, which = c("all", "var-cov", "fixed"), ...) {
  call <- method_call()
  refuse_arguments("intervals", ..., call = call)
  check_level(level, call)
  which <- choose_one(which, c("all", "var-cov", "fixed"), "which", call)
  columns <- c("lower", "est.", "upper")
  out <- list()
  if (which != "var-cov" && object$rank) {
    names <- names(object$beta)[object$kept]
    rows <- diag(object$rank)
    dimnames(rows) <- list(names, names)
    tests <- contest.lmm(object, rows, joint = FALSE, level = level)
    out$fixed <- structure(cbind(tests$lower, tests$Estimate, tests$upper), dimnames = list(names, columns),
      label = "Fixed effects:")
  }
  if (which != "fixed") out <- c(out, variance_intervals(object, level, columns, call))
  structure(out, level = level, class = "intervals.lme")
}

variance_intervals <- function(fit, level, columns, call) {
  table <- parameter_table(fit)
  table <- table[table$kind != "beta", ]
  limits <- unclass(profile_intervals(profile_fits(fit, table$kind, call), table, level, call))
  values <- cbind(limits[, 1L], table$estimate, limits[, 2L])
  dimnames(values) <- list(NULL, columns)
  at <- 0L
  terms <- lapply(fit$random, function(term) {
    cells <- parameter_cells(term)
    own <- at + seq_len(nrow(cells))
    at <<- at + nrow(cells)
    sd <- cells[, 1L] == cells[, 2L]
    effects <- term$effects
    names <- ifelse(sd, sprintf("sd(%s)", effects[cells[, 1L]]),
      sprintf("cor(%s,%s)", effects[cells[, 2L]], effects[cells[, 1L]]))
    order <- order(!sd)
    data.frame(values[own[order], , drop = FALSE], row.names = names[order], check.names = FALSE)
  })
  names(terms) <- make.unique(vapply(fit$random, `[[`, "", "group"))
  part <- function(kinds, label, change = identity) {
    rows <- which(table$kind %in% kinds)
    if (!length(rows)) return(NULL)
    structure(change(values[rows, , drop = FALSE]), dimnames = list(names(fit$residual$phi)[rows - at - 1L], columns),
      label = label)
  }
  out <- list(
    reStruct = structure(terms, label = "Random Effects:"), corStruct = part("rho", "Correlation structure:"),
    varStruct = part(c("ratio", "dispersion"), "Variance function:"),
    sigma = structure(values[table$kind == "sigma", ], label = "Within-group standard error:")
  )
  Filter(Negate(is.null), out)
}

# Covariance matrices -------------------------------------------------------------------------------------------------

get_var_cov_lmm <- function(obj, individuals = NULL, type = c("random.effects", "conditional", "marginal"), ...) {
  call <- method_call()
  refuse_arguments("getVarCov", ..., call = call)
  type <- choose_one(type, c("random.effects", "conditional", "marginal"), "type", call)
  if (type == "random.effects") {
    matrices <- lapply(obj$random, function(term) {
      structure(term$varcov, class = c("random.effects", "VarCov"), group.levels = term$group)
    })
    names(matrices) <- make.unique(vapply(obj$random, `[[`, "", "group"))
    return(if (length(matrices) == 1L) matrices[[1L]] else matrices)
  }
  factor <- obj$factors[[factor_order(obj)[1L]]]
  wanted <- if (is.null(individuals)) factor$levels[1L] else if (is.factor(individuals)) as.character(individuals)
  else individuals
  numbered <- is.numeric(wanted) && length(wanted) && all(wanted %in% seq_along(factor$levels))
  if (numbered && !any(as.character(wanted) %in% factor$levels)) wanted <- factor$levels[wanted]
  if (is.numeric(wanted)) wanted <- as.character(wanted)
  check_names(wanted, factor$levels, "individuals", paste0("levels of `", factor$name, "`"), call)
  design <- design_of(obj)
  codes <- codes_in(factor, obj$frame)
  blocks <- residual_blocks(obj)
  sd <- residual_sd(obj)
  matrices <- lapply(stats::setNames(nm = wanted), function(level) {
    rows <- which(codes == match(level, factor$levels))
    covariance <- response_covariance(obj, design, rows, blocks, sd, type == "marginal")
    dimnames(covariance) <- list(seq_along(rows), seq_along(rows))
    covariance
  })
  structure(matrices, class = c(type, "VarCov"), group.levels = factor$name)
}

# Var(y) of some rows, of the residuals alone or with the random effects.
response_covariance <- function(fit, design, rows, blocks, sd, marginal) {
  correlation <- diag(length(rows))
  if (!is.null(blocks)) {
    same <- outer(blocks$codes[rows], blocks$codes[rows], "==")
    correlation <- ifelse(same, blocks$correlation(blocks$time[rows]), 0)
  }
  total <- fit$sigma^2 * outer(sd[rows], sd[rows]) * correlation
  if (!marginal) return(total)
  for (k in seq_along(design$terms)) {
    term <- design$terms[[k]]
    basis <- dense_blocks(term$basis, length(design$y))[rows, , drop = FALSE]
    codes <- design$factors[[term$factor]]$codes[rows]
    total <- total + basis %*% fit$random[[k]]$varcov %*% t(basis) * outer(codes, codes, "==")
  }
  unname(total)
}

# Residuals within groups ---------------------------------------------------------------------------------------------

# Residuals of the rows by groups, list(values, codes): pearson ones over sigma, as nlme has them.
grouped_residuals <- function(fit, type, call) {
  type <- choose_one(type, c("pearson", "response", "normalized"), "resType", call)
  fit <- fit_of_rows(fit)
  factor <- fit$factors[[factor_order(fit)[1L]]]
  list(
    values = unname(residuals.lmm(fit, type, scaled = type == "pearson")), codes = codes_in(factor, fit$frame),
    levels = factor$n_levels
  )
}

acf_lmm <- function(object, maxLag = NULL, resType = c("pearson", "response", "normalized"), ...) { # nolint
  call <- method_call()
  refuse_arguments("ACF", ..., call = call)
  residual <- grouped_residuals(object, resType, call)
  longest <- max(tabulate(residual$codes))
  most <- if (is.null(maxLag)) min(longest - 1L, as.integer(10 * log10(longest)))
  else min(check_count(maxLag, "maxLag", call), longest - 1L)
  order <- order(residual$codes)
  codes <- residual$codes[order]
  series <- list(order = order, lags = seq_len(most), partner = partner_finder(codes, sequence(tabulate(codes)), most))
  series$pairs <- vapply(series$lags, function(lag) sum(!is.na(series$partner(lag))), 0L)
  acf <- if (most) lag_products(residual$values, series)[, 1L]
  structure(data.frame(lag = c(0L, series$lags), ACF = c(1, acf)),
    n.used = c(length(codes), as.double(series$pairs)), class = c("ACF", "data.frame")
  )
}

variogram_lmm <- function(object, form = ~1, resType = c("pearson", "response", "normalized"), # nolint
                          maxDist = NULL, nint = 20, ...) { # nolint: object_name_linter.
  call <- method_call()
  refuse_arguments("Variogram", ..., call = call)
  nint <- check_count(nint, "nint", call)
  if (!is.null(maxDist) && !(is.numeric(maxDist) && length(maxDist) == 1L && isTRUE(maxDist > 0))) {
    bad_setting(maxDist, "maxDist", "one positive number", call, "argument")
  }
  residual <- grouped_residuals(object, resType, call)
  place <- variogram_places(object, form, residual, call)
  pairs <- do.call(rbind, lapply(unname(split(seq_along(residual$codes), residual$codes)), function(rows) {
    if (length(rows) < 2L) return(NULL)
    at <- which(lower.tri(diag(length(rows))), arr.ind = TRUE)
    a <- rows[at[, 1L]]
    b <- rows[at[, 2L]]
    cbind(abs(place[a] - place[b]), (residual$values[a] - residual$values[b])^2 / 2)
  }))
  if (!is.null(maxDist)) pairs <- pairs[pairs[, 1L] <= maxDist, , drop = FALSE]
  distances <- sort(unique(pairs[, 1L]))
  bin <- match(pairs[, 1L], distances)
  if (length(distances) > nint) {
    cuts <- unique(stats::quantile(pairs[, 1L], seq(0, 1, length.out = nint + 1L), names = FALSE))
    bin <- as.integer(cut(pairs[, 1L], cuts, include.lowest = TRUE))
  }
  n <- as.vector(table(bin))
  structure(
    data.frame(variog = as.vector(rowsum(pairs[, 2L], bin)) / n,
      dist = as.vector(tapply(pairs[, 1L], bin, stats::median)), n.pairs = n),
    class = c("Variogram", "data.frame"), collapse = TRUE
  )
}

# The places of the rows on a line: their order within groups, or a variable.
variogram_places <- function(fit, form, residual, call) {
  if (!inherits(form, "formula") || length(form) != 2L) {
    abort_ferrite("argument", "`form` must be a one-sided formula such as `~ time`.",
      paste0("It is ", a_kind(form), "."), hint = "Leave it out for the order of the rows.", call = call,
      data = list(argument = "form")
    )
  }
  expr <- formula_parts(form)$x
  if (identical(expr, 1)) return(row_times(residual$codes, residual$levels))
  fit <- fit_of_rows(fit)
  mask <- formula_mask(fit, list(expr), environment(form), call)
  value <- formula_value(expr, mask, environment(form), fit$nobs, call)
  if (!is.numeric(value)) {
    abort_ferrite("argument", "The distances of `form` must be those of a numeric variable.",
      sprintf("`%s` is %s.", code_text(expr), a_kind(value)), hint = "Leave it out for the order of the rows.",
      call = call, data = list(argument = "form")
    )
  }
  as.double(value)
}

# Data ----------------------------------------------------------------------------------------------------------------

get_data_lmm <- function(object) {
  call <- method_call()
  names <- unique(c(columns_of_call(object), setdiff(unlist(lapply(data_expressions(object, "all"), all.vars)), ".")))
  table <- recover_variables(object, lapply(names, as.name), call)
  attr(table, "constants") <- NULL
  table
}

get_groups_lmm <- function(object, form, level = NULL, data, sep, ...) {
  call <- method_call()
  factors <- outermost_first(object)
  names <- vapply(object$factors[factors], `[[`, "", "name")
  if (is.null(level)) level <- length(names)
  if (is.numeric(level) && length(level) == 1L && level %in% seq_along(names)) level <- names[level]
  level <- check_names(level, names, "level", "grouping factors", call)
  if (length(level) > 1L) bad_setting(level, "level", "one grouping factor", call, "argument")
  factor <- object$factors[[factors[match(level, names)]]]
  structure(factor(factor$levels[codes_in(factor, object$frame)], factor$levels), label = factor$name)
}

get_response_lmm <- function(object, form) {
  value <- as_double(object$frame[[1L]])
  names(value) <- rownames(object$frame)
  structure(value, label = response_label(object))
}

# Predictions for each group ------------------------------------------------------------------------------------------

aug_pred_lmm <- function(object, primary = NULL, minimum = min(primary), maximum = max(primary),
                         length.out = 51, level = NULL, ...) { # nolint: object_name_linter.
  call <- method_call()
  refuse_arguments("augPred", ..., call = call)
  points <- check_count(length.out, "length.out", call)
  level <- check_nlme_level(object, or_else(level, length(object$factors)), call)
  covariate <- primary_covariate(object, primary, call)
  primary <- covariate$values
  ends <- list(minimum = minimum, maximum = maximum)
  for (name in names(ends)) {
    if (!is_number(ends[[name]])) bad_setting(ends[[name]], name, "one number", call, "argument")
  }
  along <- seq(ends$minimum, ends$maximum, length.out = points)
  groups <- get_groups_lmm(object, level = max(level, 1L))
  present <- unique(as.character(groups))
  shared <- nlme::gsummary(covariate$data, groups = groups)[rep(present, each = points), , drop = FALSE]
  shared[[covariate$name]] <- rep(along, length(present))
  row.names(shared) <- NULL
  found <- predict.lmm(object, shared, level = level, serial = FALSE)
  words <- if (length(level) > 1L) paste0("predict.", level_labels(object)[level + 1L]) else "predicted"
  response <- get_response_lmm(object)
  times <- length(words)
  table <- list(
    c(primary, rep(shared[[covariate$name]], times)),
    factor(c(as.character(groups), rep(rep(present, each = points), times)), levels(groups), ordered = TRUE),
    c(unname(response), if (times > 1L) unlist(found[words], use.names = FALSE) else unname(found)),
    ordered(rep(c("original", words), c(object$nobs, rep(nrow(shared), times))), c(words, "original"))
  )
  names(table) <- c(covariate$name, ".groups", names(object$frame)[1L], ".type")
  attr(table$.groups, "label") <- attr(groups, "label")
  formula <- call("~", as.name(names(table)[3L]), call("|", as.name(covariate$name), quote(.groups)))
  structure(
    table, row.names = .set_row_names(length(table[[1L]])), formula = stats::as.formula(formula, globalenv()),
    labels = or_else(covariate$labels, list(x = covariate$name, y = response_label(object))), units = covariate$units,
    class = c("augPred", "data.frame")
  )
}

# The variable along which predictions are made: that of data of class groupedData unless it is named.
primary_covariate <- function(fit, primary, call) {
  source <- tryCatch(eval(fit$call$data, environment(fit$formula)), error = function(e) NULL)
  grouped <- inherits(source, "groupedData")
  expr <- if (is.null(primary) && grouped) nlme::getCovariateFormula(source)[[2L]]
  else if (is.character(primary) && length(primary) == 1L) as.name(primary)
  else if (inherits(primary, "formula") && length(primary) == 2L) primary[[2L]]
  data <- get_data_lmm(fit)
  if (is.symbol(expr) && is.numeric(data[[as.character(expr)]])) {
    return(list(
      name = as.character(expr), values = data[[as.character(expr)]], data = data,
      labels = if (grouped) attr(source, "labels"), units = if (grouped) attr(source, "units")
    ))
  }
  abort_ferrite("argument", "`primary` must be a numeric variable of the model, as `~ time`.",
    if (is.null(primary)) "It is left out, and the data are not of class groupedData, which would name one."
    else sprintf("It is `%s`.", code_text(primary)),
    hint = name_hint(if (is.symbol(expr)) as.character(expr) else "", names(Filter(is.numeric, data)), "Variables"),
    call = call, data = list(argument = "primary")
  )
}

compare_pred_lmm <- function(object1, object2, primary = NULL, minimum = NULL, maximum = NULL, length.out = 51, # nolint
                             level = NULL, ...) { # nolint: object_name_linter.
  call <- method_call()
  refuse_arguments("comparePred", ..., call = call)
  if (length(level) > 1L) bad_setting(level, "level", "one number", call, "argument")
  if (is.null(primary)) primary <- call("~", as.name(primary_covariate(object1, NULL, call)$name))
  primary <- stats::as.formula(primary)
  values <- primary_covariate(object1, primary, call)$values
  names <- c(code_text(substitute(object1)), code_text(substitute(object2)))
  tables <- lapply(list(object1, object2), nlme::augPred, primary = primary, minimum = or_else(minimum, min(values)),
    maximum = or_else(maximum, max(values)), length.out = length.out, level = level)
  same <- identical(names(tables[[1L]]), names(tables[[2L]])) &&
    setequal(levels(tables[[1L]]$.groups), levels(tables[[2L]]$.groups))
  if (!same) {
    abort_ferrite("argument", "`object1` and `object2` must have the same response and the same groups.",
      sprintf("`%s` and `%s` have not.", names[1L], names[2L]), hint = "Compare fits to the same data.", call = call,
      data = list(argument = "object2")
    )
  }
  predicted <- tables[[2L]][tables[[2L]]$.type != "original", ]
  whole <- do.call(rbind, lapply(list(tables[[1L]], predicted), function(table) {
    as.data.frame(unclass(table), optional = TRUE)
  }))
  types <- c(as.character(tables[[1L]]$.type), as.character(predicted$.type))
  second <- seq_along(types) > nrow(tables[[1L]])
  types[types != "original"] <- names[1L + second[types != "original"]]
  whole$.type <- ordered(types, c(names, "original"))
  structure(whole, formula = attr(tables[[1L]], "formula"), labels = attr(tables[[1L]], "labels"),
    units = attr(tables[[1L]], "units"), class = c("comparePred", "augPred", "data.frame"))
}
