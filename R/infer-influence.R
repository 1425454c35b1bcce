# influence(): refits without a group of rows or one row each, and what they say: dfbeta, dfbetas, Cook's distances.
#
# Reads   a fit; the refits are the engine's (deletion_engine()).
# Writes  an object of class `influence.lmm`; `NA` where a deletion has no estimate.

#' Influence of cases or groups: exact deletion
#'
#' Refits the model without each case, or without each level of a grouping variable, and keeps what the estimates
#' become. Nothing is approximated: each refit is the optimum for the rows that are left. It starts from the fit and
#' works on cross-products from which those of the deleted rows are subtracted, so that the data are not read again.
#'
#' @param model An object of class `lmm`.
#' @param groups `NULL` (default): each row by itself. Or the name of a variable of the model, or of a grouping factor
#'   as [ngrps()] lists them (`"cask:batch"`): all rows with the same value together. Several names: each combination
#'   of values that occurs.
#' @param data Data frame in which variables of `groups` are looked up that are not in the model; its row names must be
#'   those of the data of the fit.
#' @param threads Number of threads. Default: those of the fit.
#' @param ncores lme4's word for `threads`.
#' @param do.coef `FALSE`, as in lme4: nothing is refitted, and the result is a list of the [hatvalues()] alone. Default
#'   `TRUE`.
#' @param progress `TRUE` to show a progress bar in long work. Default: in interactive sessions only.
#' @param ... `maxfun` and `start`, which lme4 knows, mean nothing here and give a message. No other argument is known.
#' @details
#' The elements have lme4's names, so that code written for its `influence()` finds them. Ids of cases are the row names
#' of the data; those of groups the levels, in their order.
#'
#' Columns that depend on the data, as those of `poly()` and `scale()`, stay as they are in the fit: the coefficients of
#' all refits mean the same.
#'
#' Rows without which a coefficient cannot be estimated give `NA` for everything, with a warning that names them.
#'
#' A deletion costs a few evaluations of the criterion, whatever the number of rows. All cases of a fit with thousands
#' of levels are many such refits and take minutes; a progress bar shows, and Ctrl-C returns what is done.
#' @returns A list of class `influence.lmm`; with `g` for `case` or the names of the grouping variables joined by dots:
#'   * `fixed.effects`: the coefficients; `fixed.effects[-g]`: without each deletion, a matrix with a row each;
#'   * `var.cov.comps`, `var.cov.comps[-g]`: residual variance, variances (`v[...]`) and covariances (`C[...]`);
#'   * `vcov`, `vcov[-g]`: covariance matrix of the coefficients; a list of them;
#'   * `groups`: `g`; `deleted`: the ids; `converged`: whether the refit is a certified optimum; `function.evals`: how
#'     often its criterion was evaluated;
#'   * `sd`, `sd[-g]`: standard deviations of random effects, and `sigma`; `se[-g]`: standard errors;
#'   * `residual`, `residual[-g]`, for fits with `dispersion` or `correlation`: ratios of the residual standard
#'     deviations of strata to sigma or coefficients of covariates, and the correlation, named as in [confint.lmm()];
#'     `sigma` is the standard deviation at the reference of `dispersion`;
#'   * `status` (`"ok"`; `"stalled"`: not certified; `"rank"`: a coefficient cannot be estimated; `"failed"`;
#'     `"stopped"`: not reached before Ctrl-C), `rows` (rows of each deletion), `nobs`, `formula`, `na.action`.
#' @section Conditions:
#'   `ferrite_error_argument` (a variable that is not there: the message lists those that are; only one group),
#'   `ferrite_error_too_large`, `ferrite_warning_deletion` for deletions without a result or without a certified one,
#'   `ferrite_warning_interrupted` after Ctrl-C: what is done by then is returned.
#' @seealso [dfbetas()][dfbetas.influence.lmm], [cooks.distance()][cooks.distance.influence.lmm] and
#'   [as.data.frame()][as.data.frame.influence.lmm] for the result; [hatvalues.lmm()] for measures without a refit.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' influence(fit, "Subject") # without M13 the slope of age falls by 0.898 standard errors
#' cases <- influence(fit)
#' which.max(cooks.distance(cases)) # row 49, one of M13's: a distance of 0.2057
#' @importFrom stats influence
#' @export
influence.lmm <- function(model, groups = NULL, data = NULL, threads = model$control$threads, ncores = NULL,
                          progress = interactive(), do.coef = TRUE, ...) {
  call <- method_call()
  set_aside_arguments("influence", ..., call = call, words = c(
    maxfun = "each refit has the settings of the fit", start = "each refit starts from the fit"
  ))
  check_flag(progress, "progress", call, "argument")
  if (!check_flag(do.coef, "do.coef", call, "argument")) return(list(hat = stats::hatvalues(model)))
  if (!is.null(data) && !is.data.frame(data)) {
    bad_setting(data, "data", "a data frame with the rows of the data of the fit", call, "argument")
  }
  threads <- if (is.null(ncores)) check_count(threads, "threads", call) else check_count(ncores, "ncores", call)
  sets <- deletion_sets(model, groups, data, call)
  check_deletion_memory(model, length(sets$labels), call)
  model$control$threads <- at_most_cores(threads)
  refits <- deletion_engine(model, sets$codes, progress, call)
  if (all(refits$status == "stopped")) raise_interrupt()
  result <- new_influence(model, sets, refits)
  report_deletions(result, call)
  result
}

# Which rows are deleted together: list(name, labels, codes); a code of 0 is a row that always stays.
deletion_sets <- function(fit, groups, data, call) {
  if (is.null(groups)) {
    return(list(name = "case", labels = rownames(fit$frame), codes = seq_len(fit$nobs)))
  }
  if (!is.character(groups) || !length(groups) || anyNA(groups)) {
    bad_groups(fit, data, paste0("It is ", a_kind(groups), "."), "", call)
  }
  groups <- unique(groups)
  coded <- lapply(groups, deletion_variable, fit = fit, data = data, call = call)
  one <- if (length(coded) == 1L) coded[[1L]] else crossed_deletions(coded)
  if (length(one$levels) < 2L) {
    abort_ferrite("argument", "`groups` must make at least 2 groups.",
      sprintf("%s has the same value in all rows.", quoted_list(groups)),
      hint = "Without its only group there would be no data.", call = call, data = list(argument = "groups")
    )
  }
  list(name = paste(groups, collapse = "."), labels = one$levels, codes = one$codes)
}

# One variable as list(codes, levels), found among grouping factors, in the frame, or in `data`.
deletion_variable <- function(name, fit, data, call) {
  parts <- strsplit(name, ":", fixed = TRUE)[[1L]]
  factor <- Filter(function(factor) factor$name == name || setequal(factor$variables, parts), fit$factors)
  if (length(factor)) {
    return(list(codes = codes_in(factor[[1L]], fit$frame), levels = factor[[1L]]$levels))
  }
  values <- if (name %in% deletion_names(fit)) fit$frame[[name]] else other_variable(name, fit, data, call)
  coded <- code_variable(values, name, call)
  coded$codes[is.na(coded$codes)] <- 0L
  coded
}

# A variable of `data` at the rows of the fit.
other_variable <- function(name, fit, data, call) {
  known <- is.data.frame(data) && name %in% names(data)
  if (!known) bad_groups(fit, data, paste0("There is no ", quoted_list(name), "."), name, call)
  at <- match(rownames(fit$frame), rownames(data))
  if (anyNA(at)) {
    abort_ferrite("argument", "`data` must have the rows of the data of the fit.",
      paste0("It lacks ", row_list(fit$frame, which(is.na(at))), "."),
      hint = "Give the data frame that the model was fitted to.", call = call, data = list(argument = "data")
    )
  }
  data[[name]][at]
}

deletion_names <- function(fit) {
  single <- vapply(fit$frame, function(v) is.null(dim(v)), NA)
  unique(c(factor_names(fit), setdiff(names(fit$frame)[single], c("(weights)", "(offset)"))))
}

bad_groups <- function(fit, data, found, name, call) {
  known <- c(deletion_names(fit), if (is.data.frame(data)) names(data))
  similar <- similar_names(name, known)
  abort_ferrite("argument", "`groups` must name variables of the model, or of `data`.", found,
    hint = c(
      if (length(similar)) paste0("Did you mean ", paste0("`", similar, "`", collapse = " or "), "?"),
      paste0("Variables of the model: ", quoted_list(deletion_names(fit), 20L), ". Others: `data = `.")
    ), call = call, data = list(argument = "groups", known = known)
  )
}

# Combinations that occur, first variable slowest; a row that lacks a value stays.
crossed_deletions <- function(coded) {
  codes <- lapply(coded, `[[`, "codes")
  whole <- Reduce(`&`, lapply(codes, `>`, 0L))
  crossed <- cross_coded(coded, whole)
  list(
    codes = replace(integer(length(whole)), whole, crossed$codes),
    levels = unique_labels(do.call(paste, c(crossed$parts, sep = ".")))
  )
}

# A covariance matrix is kept for each deletion.
check_deletion_memory <- function(fit, deletions, call) {
  bytes <- 3 * 8 * deletions * (fit$rank + 1)^2
  if (bytes <= fit$control$memory) {
    return(invisible())
  }
  abort_ferrite("too_large", "The covariance matrices of all deletions must fit in memory.",
    sprintf("For %s and %s they need %s where %s are allowed.", counted(deletions, "deletion"),
      counted(fit$rank, "coefficient"), gigabytes(bytes), gigabytes(fit$control$memory)),
    hint = "Delete groups of rows with `groups = `, or raise `lmm_control(memory = )`.", call = call
  )
}

# The object -----------------------------------------------------------------------------------------------------------

new_influence <- function(fit, sets, refits) {
  ids <- sets$labels
  m <- length(ids)
  r <- fit$rank
  coefficients <- names(fit$beta)[fit$kept]
  named <- function(values, columns) matrix(values, m, length(columns), dimnames = list(ids, columns))
  theta <- matrix(refits$theta, m)
  components <- covariance_columns(fit, rbind(unname(fit$theta), theta), c(fit$sigma, refits$sigma))
  spread <- lapply(fit$random, function(term) paste0("sd_", term$effects, "|", term$group))
  spread <- c(make.unique(unlist(spread)), "sigma")
  sds <- sqrt(components[, c(which(startsWith(attr(components, "kind"), "v")), 1L), drop = FALSE])
  vcov <- array(refits$vcov, c(r, r, m))
  diagonal <- matrix(vcov, r * r, m)[seq.int(1L, by = r + 1L, length.out = r), , drop = FALSE]
  covariances <- lapply(seq_len(m), function(s) {
    matrix(vcov[, , s], r, r, dimnames = list(coefficients, coefficients))
  })
  minus <- paste0("[-", sets$name, "]")
  values <- list(
    fit$beta[fit$kept], named(refits$beta, coefficients),
    components[1L, ], named(components[-1L, ], colnames(components)),
    fit$vcov, stats::setNames(covariances, ids),
    sets$name, ids, stats::setNames(refits$status == "ok", ids), stats::setNames(as.integer(refits$evaluations), ids),
    stats::setNames(sds[1L, ], spread), named(sds[-1L, ], spread),
    named(sqrt(t(diagonal)), coefficients),
    stats::setNames(refits$status, ids), stats::setNames(tabulate(sets$codes, m), ids), fit$nobs, fit$formula,
    fit$na.action
  )
  names(values) <- c(
    "fixed.effects", paste0("fixed.effects", minus), "var.cov.comps", paste0("var.cov.comps", minus), "vcov",
    paste0("vcov", minus), "groups", "deleted", "converged", "function.evals", "sd", paste0("sd", minus),
    paste0("se", minus), "status", "rows", "nobs", "formula", "na.action"
  )
  if (length(fit$residual$phi)) {
    moved <- residual_columns(fit, rbind(unname(fit$residual$phi), unname(refits$phi)))
    table <- parameter_table(fit)
    colnames(moved) <- table$name[table$kind %in% c("ratio", "dispersion", "rho")]
    place <- match("status", names(values)) - 1L
    values <- append(values, after = place, stats::setNames(
      list(moved[1L, ], named(moved[-1L, ], colnames(moved))), c("residual", paste0("residual", minus))
    ))
  }
  structure(values, class = "influence.lmm")
}

# Residual variance, then the lower triangle of each Var(b), for many values of theta, with lme4's names.
covariance_columns <- function(fit, theta, sigma) {
  groups <- make.unique(vapply(fit$random, function(term) term$group, ""))
  prefix <- if (length(groups) > 1L) paste0(groups, ":") else ""
  out <- list(sigma^2)
  names <- "sigma^2"
  at <- 0L
  for (k in seq_along(fit$random)) {
    effects <- fit$random[[k]]$effects
    cells <- which(lower.tri(diag(length(effects)), diag = TRUE), arr.ind = TRUE)
    place <- matrix(0L, length(effects), length(effects))
    place[cells] <- at + seq_len(nrow(cells))
    for (cell in seq_len(nrow(cells))) {
      i <- cells[cell, 1L]
      j <- cells[cell, 2L]
      shared <- seq_len(j)
      product <- rowSums(theta[, place[i, shared], drop = FALSE] * theta[, place[j, shared], drop = FALSE])
      out <- c(out, list(sigma^2 * product))
      own <- if (i == j) paste0("v[", effects[i], "]") else paste0("C[", effects[i], ",", effects[j], "]")
      names <- c(names, paste0(prefix[k], own))
    }
    at <- at + nrow(cells)
  }
  structure(matrix(unlist(out), ncol = length(names), dimnames = list(NULL, names)),
    kind = sub("^.*([vC])\\[.*$", "\\1", names))
}

report_deletions <- function(x, call) {
  named <- function(status) {
    ids <- x$deleted[x$status == status]
    if (!length(ids)) {
      return(NULL)
    }
    paste0(if (x$groups == "case") "row ", quoted_list(ids), if (x$groups != "case") sprintf(" of `%s`", x$groups))
  }
  said <- function(status, text) if (!is.null(named(status))) paste0("Without ", named(status), " ", text)
  found <- c(
    said("rank", "a coefficient cannot be estimated: NA is returned."),
    said("failed", "the refit failed: NA is returned."),
    said("stalled", "the refit is not certified as an optimum.")
  )
  if (length(found)) {
    warn_ferrite("deletion", "Every coefficient and variance should be estimable without the deleted rows.", found,
      hint = "The element `status` of the result says which. What cannot be estimated rests on the deleted rows alone.",
      call = call, data = split(x$deleted, x$status)
    )
  }
  stopped <- sum(x$status == "stopped")
  if (stopped) {
    m <- length(x$deleted)
    warn_interrupted(m - stopped, m, "refit", "The result holds the finished ones; the others are NA.", call)
  }
}

# Changes of estimates -------------------------------------------------------------------------------------------------

#' What a deletion changes
#'
#' @param model What [influence.lmm()] returned. For `dfbeta()` and `dfbetas()` also an object of class `lmm`; then
#'   [influence.lmm()] is called first and gets the further arguments.
#' @param which `"fixed"` (default): the coefficients. `"var.cov"`: residual variance, variances and covariances.
#' @param adjust `TRUE` (default): lme4's and car's definition of Cook's distance. `FALSE`: the textbook's. See
#'   *Details*.
#' @param ... Not used; for a fit, arguments of [influence.lmm()].
#' @details
#' Of deletion i, with \eqn{b} the coefficients and \eqn{V} their covariance matrix, p their number, m the number of
#' deletions:
#'   * `dfbeta`: \eqn{b_{(i)} - b}, estimate *without* the rows minus estimate with them. This is lme4's sign; that of
#'     [stats::dfbeta()] for `lm` is the opposite.
#'   * `dfbetas`: the same divided by the standard errors *without* the rows.
#'   * `cooks.distance`: \eqn{D_i = (b_{(i)} - b)' V^{-1} (b_{(i)} - b) / p}, by default times \eqn{(m - p) / m}.
#'     lme4 and car have that factor. For few groups it matters: with m = 6 groups and p = 3 it halves the distances.
#'     Where it is not positive, m <= p, it is left out, with a message.
#' @returns `dfbeta()`, `dfbetas()`: a matrix, a row for each deletion. `cooks.distance()`: a vector. For cases of a fit
#'   with `na.action = na.exclude` they have one element per row of the data, `NA` where a row was set aside.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' child <- influence(fit, "Subject")
#' dfbetas(child)["M13", ] # age: -0.898
#' cooks.distance(child)["M13"] # 0.30039
#' cooks.distance(child, adjust = FALSE)["M13"] # 0.32442 = 0.30039 * 27 / 25
#' @name dfbetas.influence.lmm
NULL

#' @rdname dfbetas.influence.lmm
#' @importFrom stats dfbeta
#' @export
dfbeta.influence.lmm <- function(model, which = c("fixed", "var.cov"), ...) {
  which <- choose_one(which, c("fixed", "var.cov"), "which", method_call())
  name <- c(fixed = "fixed.effects", var.cov = "var.cov.comps")[[which]]
  without <- without_deleted(model, name)
  pad_cases(model, without - rep(model[[name]], each = nrow(without)))
}

#' @rdname dfbetas.influence.lmm
#' @importFrom stats dfbetas
#' @export
dfbetas.influence.lmm <- function(model, ...) {
  pad_cases(model, scaled_changes(model))
}

#' @rdname dfbetas.influence.lmm
#' @export
cooks.distance.influence.lmm <- function(model, adjust = TRUE, ...) {
  call <- method_call()
  check_flag(adjust, "adjust", call, "argument")
  pad_cases(model, deletion_distances(model, adjust, call))
}

#' @rdname dfbetas.influence.lmm
#' @export
dfbeta.lmm <- function(model, which = c("fixed", "var.cov"), ...) {
  dfbeta.influence.lmm(influence.lmm(model, ...), which)
}

#' @rdname dfbetas.influence.lmm
#' @export
dfbetas.lmm <- function(model, ...) {
  dfbetas.influence.lmm(influence.lmm(model, ...))
}

# The estimates without each deletion: "fixed.effects[-case]" and the like.
without_deleted <- function(x, name) {
  x[[paste0(name, "[-", x$groups, "]")]]
}

# dfbetas without the padding of na.exclude.
scaled_changes <- function(x) {
  without <- without_deleted(x, "fixed.effects")
  (without - rep(x$fixed.effects, each = nrow(without))) / without_deleted(x, "se")
}

deletion_distances <- function(x, adjust, call) {
  without <- without_deleted(x, "fixed.effects")
  p <- ncol(without)
  m <- nrow(without)
  if (!p) {
    return(stats::setNames(rep(NA_real_, m), x$deleted))
  }
  change <- without - rep(x$fixed.effects, each = m)
  distance <- colSums(backsolve(chol(x$vcov), t(change), transpose = TRUE)^2) / p
  names(distance) <- x$deleted
  if (adjust && m <= p) {
    inform_ferrite("cooks_distance", "The factor (m - p) / m of Cook's distance must be positive.",
      sprintf("There are m = %s and p = %s: the factor is left out.", counted(m, "deletion"),
        counted(p, "coefficient")),
      hint = "Use `adjust = FALSE` for distances without it in all cases.", call = call
    )
    return(distance)
  }
  if (adjust) distance * (m - p) / m else distance
}

# Rows that na.exclude set aside come back as NA where deletions are rows.
pad_cases <- function(x, values) {
  if (identical(x$groups, "case")) stats::naresid(x$na.action, values) else values
}

# The table ------------------------------------------------------------------------------------------------------------

#' Influence as a table
#'
#' @param x What [influence.lmm()] returned.
#' @param n Number of deletions printed, those with the largest Cook's distances.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... Not used.
#' @returns A data frame with a row for each deletion and the columns
#'   * `deleted`: id; `rows`: number of rows;
#'   * `cooks.distance`: see [cooks.distance()][cooks.distance.influence.lmm];
#'   * `dfbetas_<coefficient>`: [dfbetas()][dfbetas.influence.lmm], one column for each coefficient;
#'   * `change_sd_<effect>|<factor>`, `change_sigma`: standard deviation without the deletion minus that of the fit;
#'   * with `dispersion` or `correlation` the same for each of their parameters, named as in [confint.lmm()]:
#'     `change_ratio_SexFemale`, `change_rho_ar1|Mare`.
#'
#'   Rows that `na.exclude` set aside are not in it.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' table <- as.data.frame(influence(fit, "Subject"))
#' table[which.max(table$cooks.distance), ] # M13: sigma falls by 0.172 without this child
#' @export
as.data.frame.influence.lmm <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  changes <- scaled_changes(x)
  colnames(changes) <- paste0("dfbetas_", names(x$fixed.effects), recycle0 = TRUE)
  spread <- without_deleted(x, "sd") - rep(x$sd, each = length(x$deleted))
  colnames(spread) <- paste0("change_", names(x$sd))
  if (length(x$residual)) {
    moved <- without_deleted(x, "residual") - rep(x$residual, each = length(x$deleted))
    colnames(moved) <- paste0("change_", names(x$residual))
    spread <- cbind(spread, moved)
  }
  distance <- suppressMessages(deletion_distances(x, TRUE, NULL))
  table <- data.frame(
    deleted = x$deleted, rows = unname(x$rows), cooks.distance = unname(distance), changes, spread, check.names = FALSE
  )
  rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

#' @rdname as.data.frame.influence.lmm
#' @export
print.influence.lmm <- function(x, n = 6, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
  m <- length(x$deleted)
  there <- sum(x$status %in% c("ok", "stalled"))
  cat(influence_title(x, there), "\n", sep = "")
  formula <- deparse_one(x$formula)
  cat(strwrap(formula, 0.95 * getOption("width"), initial = "Formula: ", prefix = strrep(" ", 9L)), sep = "\n")
  shown <- min(n, there)
  if (shown) {
    cat("\n", if (shown < there) sprintf("The %d with the largest Cook's distances", shown) else "By Cook's distance",
      ":\n", sep = "")
    print_table(influence_text(x, shown, digits), "deleted")
    cat(strwrap(influence_note(x), 0.95 * getOption("width")), sep = "\n")
  }
  if (there < m) cat(counted(m - there, "deletion"), "without a result, see $status\n")
  invisible(x)
}

influence_title <- function(x, there) {
  what <- if (x$groups == "case") "case" else paste0("group (", x$groups, ")")
  paste0("Influence: deletion of each ", what, ", ", counted(there, "exact refit"))
}

# The most influential deletions as text: of the coefficients and of the other parameters the one that moves most.
influence_text <- function(x, n, digits, width = getOption("width")) {
  table <- as.data.frame.influence.lmm(x)
  top <- utils::head(order(table$cooks.distance, x$status %in% c("ok", "stalled"), decreasing = TRUE), n)
  changes <- scaled_changes(x)[top, , drop = FALSE]
  text <- cbind(deleted = table$deleted, if (any(table$rows != 1L)) cbind(rows = table$rows))[top, , drop = FALSE]
  if (ncol(changes)) {
    largest <- max.col(abs(changes), "first")
    text <- cbind(text,
      "Cook's D" = format(table$cooks.distance[top], digits = max(1L, digits - 1L)),
      dfbetas = format(changes[cbind(seq_along(top), largest)], digits = max(1L, digits - 1L)),
      coefficient = colnames(changes)[largest]
    )
  }
  moved <- as.matrix(table[top, startsWith(names(table), "change_"), drop = FALSE])
  largest <- max.col(parameter_moves(moved, c(x$sd, x$residual)), "first")
  text <- cbind(text,
    change = format(moved[cbind(seq_along(top), largest)], digits = max(1L, digits - 1L)),
    parameter = sub("^change_(sd_)?", "", colnames(moved))[largest]
  )
  rownames(text) <- rep("", nrow(text))
  fitted_names(text, intersect(c("coefficient", "parameter"), colnames(text)), width)
}

# A table of text whose columns of names are cut where it would be wider than a line.
fitted_names <- function(text, columns, width) {
  widths <- apply(rbind(colnames(text), text), 2L, function(cells) max(nchar(cells, type = "width"))) + 1L
  for (k in seq_along(columns)) {
    over <- sum(widths) - width + 1L
    if (over <= 0L) break
    # the first gives way down to a quarter of the line, the last takes what is left
    least <- if (k < length(columns)) max(15L, width %/% 4L) else 12L
    widths[[columns[k]]] <- max(least, widths[[columns[k]]] - over)
    text[, columns[k]] <- shortened(text[, columns[k]], widths[[columns[k]]] - 1L)
  }
  text
}

# How far parameters move, on a common scale: standard deviations and ratios as a share of the sum of both values, so
# that one that becomes or was zero counts as one; the correlation and coefficients of a dispersion as they are.
parameter_moves <- function(moved, before) {
  positive <- !grepl("^(rho|dispersion)_", names(before))
  before <- rep(before, each = nrow(moved))
  share <- abs(moved) / pmax(2 * before + moved, .Machine$double.xmin)
  moves <- ifelse(rep(positive, each = nrow(moved)), share, abs(moved))
  moves[is.na(moves)] <- 0
  matrix(moves, nrow(moved))
}

# Names cut to a width; the end is kept, which names the group.
shortened <- function(names, width) {
  size <- nchar(names)
  long <- size > width
  end <- (width - 2L) %/% 2L
  names[long] <- paste0(substr(names, 1L, width - 2L - end), "..", substring(names, size - end + 1L))[long]
  names
}

influence_note <- function(x) {
  paste0(
    if (length(x$fixed.effects)) "dfbetas: the largest of the coefficients. ",
    "change: of the standard deviation", if (length(x$residual)) " or other parameter of the errors",
    " that moves most. All are in as.data.frame()."
  )
}
