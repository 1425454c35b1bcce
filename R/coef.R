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
