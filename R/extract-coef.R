# The effects of a fit: fixef() and vcov(), ranef() with conditional variances, coef() as their sums by level.
#
# Reads   a fit.
# Writes  named vectors, and data frames with a row for each level.

#' Fixed effects and their covariance matrix
#'
#' @param object An object of class `lmm`.
#' @param complete `TRUE` (default): columns of the model matrix that were dropped because they depend on others are
#'   kept as `NA`, as [lm()] does. `FALSE`: only the estimated coefficients.
#' @param add.dropped lme4's word for `complete`.
#' @param type `"model"` (default), or a cluster-robust estimate, `"CR0"`, `"CR1"` or `"CR2"`: see [robust()], which
#'   has their degrees of freedom.
#' @param cluster The clusters of a robust estimate, see [robust()]. Default: the outermost grouping factor.
#' @param ... `fixef()` takes no other argument and says so; not used by `vcov()`.
#' @section Conditions:
#'   `ferrite_error_argument`.
#' @returns `fixef()`: a named vector. `vcov()`: the covariance matrix of the estimates, named alike. For a REML fit and
#'   for an ML fit that of the model is \eqn{\hat\sigma^2 (X' V^{-1} X)^{-1}} with the estimate of \eqn{\sigma^2} of
#'   that fit.
#' @seealso [coef.lmm()] for coefficients by group, [summary.lmm()] for the table with standard errors.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' fixef(fit) # slope 0.660185
#' sqrt(diag(vcov(fit))) # age 0.0616
#' sqrt(diag(vcov(fit, type = "CR2"))) # age 0.0713
#' @name fixef.lmm
NULL

#' @rdname fixef.lmm
#' @export
fixef.lmm <- function(object, complete = TRUE, add.dropped = complete, ...) {
  call <- method_call()
  refuse_arguments("fixef", ..., call = call)
  check_flag(complete, "complete", call, "argument")
  if (check_flag(add.dropped, "add.dropped", call, "argument")) object$beta else object$beta[object$kept]
}

#' @rdname fixef.lmm
#' @importFrom stats vcov
#' @export
vcov.lmm <- function(object, complete = TRUE, type = c("model", "CR0", "CR1", "CR2"), cluster = NULL, ...) {
  check_flag(complete, "complete", method_call(), "argument")
  variance <- object$vcov
  if (!missing(type) || !missing(cluster)) variance <- chosen_variance(object, type, cluster, method_call())
  if (!complete || length(object$kept) == length(object$x_names)) {
    return(variance)
  }
  p <- length(object$x_names)
  full <- matrix(NA_real_, p, p, dimnames = list(object$x_names, object$x_names))
  full[object$kept, object$kept] <- variance
  full
}

# Estimates, standard errors and t values, one row per estimated coefficient: what print, summary and reports show.
fixed_table <- function(fit) {
  estimate <- fixef(fit, complete = FALSE)
  error <- sqrt(diag(fit$vcov))
  table <- cbind(Estimate = estimate, "Std. Error" = error, "t value" = estimate / error)
  rownames(table) <- fit$x_names[fit$kept]
  table
}

# Random effects -------------------------------------------------------------------------------------------------------

#' Random effects: conditional means and variances
#'
#' The conditional means of the random effects given the data (best linear unbiased predictions at the estimated
#' covariance parameters), and the conditional variances, which treat those parameters and the fixed effects as known.
#'
#' @param object,x An object of class `lmm`; for the methods of the table, what `ranef()` returned.
#' @param condVar `TRUE` (default) attaches the conditional variances.
#' @param whichel Character or `NULL` (default: all). Names of the grouping factors wanted.
#' @param postVar lme4's old word for `condVar`.
#' @param level nlme's: the number of a grouping factor, from the outermost, 1. `NULL` (default): the list of all. One
#'   number gives the data frame of that factor, as in nlme; several a list of them.
#' @param drop `TRUE` turns a factor with one effect into a named vector. Default `FALSE`.
#' @param n Number of levels printed per factor; `Inf` prints all.
#' @param digits Significant digits printed.
#' @param row.names,optional,stringsAsFactors As in [as.data.frame()]; `stringsAsFactors` is not used.
#' @param ... `ranef()` takes no other argument and says so. `print()` passes them to the print method of data frames.
#' @returns `ranef()`: a list of class `ranef.lmm` with one data frame per grouping factor, rows are levels, columns are
#'   effects; all terms of a factor stand side by side. Each data frame has the attribute `postVar` if `condVar`: an
#'   array effects x effects x levels, or, for a factor with several terms, a list of such arrays, one per term.
#'   `as.data.frame()` of it: one row per level and effect with the columns `grpvar`, `term`, `grp`, `condval` and, if
#'   the variances are there, `condsd`. The levels of `term` keep the order of the fit, those of `grp` are ordered by
#'   the first effect of their factor, as in lme4, so that they stand in that order in a picture.
#' @section Conditions:
#'   `ferrite_error_argument`.
#' @seealso [coef.lmm()] adds the fixed effects.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' head(ranef(fit)$Subject) # M16: -0.9180
#' head(as.data.frame(ranef(fit))) # condsd, the conditional standard deviation: 0.6780 for all
#' @name ranef.lmm
NULL

#' @rdname ranef.lmm
#' @export
ranef.lmm <- function(object, condVar = TRUE, whichel = NULL, drop = FALSE, postVar = condVar, level = NULL, ...) {
  call <- method_call()
  refuse_arguments("ranef", ..., call = call)
  check_flag(condVar, "condVar", call, "argument")
  check_flag(drop, "drop", call, "argument")
  condVar <- check_flag(postVar, "postVar", call, "argument") # nolint: object_name_linter.
  groups <- factor_names(object)
  if (!is.null(whichel) && (!is.character(whichel) || !length(whichel))) {
    bad_setting(whichel, "whichel", "names of grouping factors", call, "argument")
  }
  tables <- lapply(groups, function(group) group_table(object, group, condVar, drop))
  names(tables) <- groups
  if (!is.null(level)) {
    tables <- tables[rev(groups)][check_nlme_level(object, level, call, least = 1L)]
    return(if (length(tables) == 1L) tables[[1L]] else structure(tables, class = "ranef.lmm"))
  }
  if (!is.null(whichel)) {
    unknown <- setdiff(whichel, groups)
    if (length(unknown)) {
      abort_ferrite("argument", "`whichel` must name grouping factors of the model.",
        paste0("There is no ", quoted_list(unknown), "."),
        hint = name_hint(unknown[1L], groups, "Grouping factors"), call = call
      )
    }
    tables <- tables[whichel]
  }
  structure(tables, class = "ranef.lmm")
}

# Names of the grouping factors in the order of the terms.
factor_names <- function(fit) {
  vapply(fit$factors[factor_order(fit)], function(factor) factor$name, "")
}

# The terms of one grouping factor side by side, with their conditional variances.
group_table <- function(fit, group, with_variance, drop) {
  terms <- Filter(function(term) identical(term$group, group), fit$random)
  b <- do.call(cbind, lapply(terms, function(term) term$b))
  arrays <- lapply(terms, function(term) {
    array(term$condvar, dim(term$condvar), dimnames = list(term$effects, term$effects, rownames(term$b)))
  })
  if (length(arrays) == 1L) {
    arrays <- arrays[[1L]]
  } else {
    names(arrays) <- vapply(terms, function(term) paste(term$effects, collapse = "."), "")
  }
  table <- as.data.frame(b)
  names(table) <- unlist(lapply(terms, function(term) term$effects))
  rownames(table) <- rownames(b)
  if (drop && ncol(b) == 1L) {
    table <- stats::setNames(table[[1L]], rownames(b))
    if (with_variance && is.array(arrays)) arrays <- stats::setNames(as.vector(arrays), rownames(b))
  }
  if (with_variance) attr(table, "postVar") <- arrays
  table
}

#' @rdname ranef.lmm
#' @export
as.data.frame.ranef.lmm <- function(x, row.names = NULL, optional = FALSE, ..., stringsAsFactors = FALSE) {
  long <- long_effects(x, row.names)
  first <- lapply(split(long, factor(long$grpvar, unique(long$grpvar))), function(one) one[one$term == one$term[1L], ])
  ordered <- unlist(lapply(first, function(one) as.character(one$grp)[order(one$condval)]))
  long$grp <- factor(long$grp, levels = unique(ordered))
  long
}

# All factors as rows, levels and effects in the order of the fit.
long_effects <- function(x, given = NULL) {
  pieces <- lapply(names(x), function(group) long_group(x[[group]], group))
  long <- do.call(rbind, pieces)
  long$term <- factor(long$term, levels = unique(long$term))
  long$grp <- factor(long$grp, levels = unique(long$grp))
  if (!is.null(given)) rownames(long) <- row_names(given, nrow(long), method_call())
  long
}

# One grouping factor as rows (level within effect).
long_group <- function(table, group) {
  variance <- attr(table, "postVar")
  if (!is.data.frame(table)) {
    # a factor that ranef(drop = TRUE) made a vector
    variance <- if (!is.null(variance)) array(variance, c(1L, 1L, length(variance)))
    table <- data.frame("(Intercept)" = as.vector(table), row.names = names(table), check.names = FALSE)
  }
  long <- data.frame(
    grpvar = group,
    term = rep(names(table), each = nrow(table)),
    grp = rep(rownames(table), times = ncol(table)),
    condval = unlist(table, use.names = FALSE)
  )
  if (!is.null(variance)) long$condsd <- as.vector(conditional_sd(variance))
  long
}

# Square roots of the diagonals of one array, or of a list of arrays: levels x effects.
conditional_sd <- function(variance) {
  if (is.list(variance)) {
    return(do.call(cbind, lapply(unname(variance), conditional_sd)))
  }
  q <- dim(variance)[1L]
  diagonals <- matrix(variance, nrow = q * q)[seq.int(1L, by = q + 1L, length.out = q), , drop = FALSE]
  sqrt(pmax(t(diagonals), 0))
}

#' @rdname ranef.lmm
#' @export
print.ranef.lmm <- function(x, n = 20, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
  for (group in names(x)) {
    cat("$", group, "\n", sep = "")
    table <- x[[group]]
    attr(table, "postVar") <- NULL
    print(utils::head(table, n), digits = digits, ...)
    more <- NROW(table) - min(n, NROW(table))
    if (more > 0) cat("... and ", more, " more levels\n", sep = "")
    cat("\n")
  }
  if (any(vapply(x, function(table) !is.null(attr(table, "postVar")), NA))) {
    cat("With conditional variances (attribute \"postVar\").\n")
  }
  invisible(x)
}

# Coefficients of the levels -------------------------------------------------------------------------------------------

#' Coefficients by group
#'
#' For every level of a grouping factor, the fixed effects plus that level's random effects: the coefficients of the
#' regression of that group.
#'
#' @param object An object of class `lmm`.
#' @param level nlme's: the number of a grouping factor, from the outermost, 1. `NULL` (default): the list of all. One
#'   number gives one data frame, as in nlme: the fixed effects plus the random effects of that factor and of those
#'   around it.
#' @param ... No other argument is known.
#' @section Conditions:
#'   `ferrite_error_argument`.
#' @returns A list of class `coef.lmm` with one data frame per grouping factor: a row per level, a column per
#'   coefficient. An effect that is only random counts as having a fixed effect of zero and stands first. Coefficients
#'   that could not be estimated (dropped columns) are left out.
#' @seealso [fixef.lmm()] for the fixed effects alone.
#' @examples
#' fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' head(coef(fit)$Subject, 3) # M16: 16.57335 and 0.5913; the population: 16.7611 and 0.6602
#' @importFrom stats coef
#' @export
coef.lmm <- function(object, level = NULL, ...) {
  call <- method_call()
  refuse_arguments("coef", ..., call = call)
  # car::compareCoefs() asks for the coefficients of any model by this name
  if (identical(topenv(parent.frame()), asked_by_car())) return(fixef(object))
  if (!is.null(level)) return(coefficients_to_level(object, check_nlme_level(object, level, call, least = 1L), call))
  fixed <- fixef(object, complete = FALSE)
  random_only <- setdiff(unlist(lapply(object$random, function(term) term$effects)), names(fixed))
  fixed <- c(stats::setNames(numeric(length(random_only)), random_only), fixed)
  groups <- factor_names(object)
  tables <- lapply(groups, function(group) {
    terms <- Filter(function(term) identical(term$group, group), object$random)
    levels <- rownames(terms[[1L]]$b)
    table <- matrix(fixed, length(levels), length(fixed), byrow = TRUE, dimnames = list(levels, names(fixed)))
    for (term in terms) table[, term$effects] <- table[, term$effects] + term$b
    as.data.frame(table)
  })
  structure(stats::setNames(tables, groups), class = "coef.lmm")
}

asked_by_car <- function() if (isNamespaceLoaded("car")) asNamespace("car")

# Fixed effects plus the random effects of a factor and of those around it: a row for each level of the factor.
coefficients_to_level <- function(fit, level, call) {
  if (length(level) > 1L) bad_setting(level, "level", "one number", call, "argument")
  own <- outermost_first(fit)[level]
  counted <- effects_to_level(fit, level)
  first <- match(seq_len(fit$factors[[own]]$n_levels), design_of(fit)$factors[[own]]$codes)
  all <- coef(fit)
  table <- all[[fit$factors[[own]]$name]]
  for (k in which(vapply(counted, any, NA))) {
    term <- fit$random[[k]]
    if (term$factor == own) next
    codes <- design_of(fit)$factors[[term$factor]]$codes[first]
    table[term$effects] <- table[term$effects] + term$b[codes, , drop = FALSE]
  }
  table
}

#' @export
print.coef.lmm <- function(x, n = 20, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
  print.ranef.lmm(x, n = n, digits = digits, ...)
}
