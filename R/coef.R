#' Coefficients by group
#'
#' For every level of a grouping factor, the fixed effects plus that level's random effects: the coefficients of the
#' regression of that group.
#'
#' @param object An object of class `lmm`.
#' @param ... No other argument is known.
#' @returns A list of class `coef.lmm` with one data frame per grouping factor: a row per level, a column per
#'   coefficient. An effect that is only random counts as having a fixed effect of zero and stands first. Coefficients
#'   that could not be estimated (dropped columns) are left out.
#' @seealso [fixef.lmm()] for the fixed effects alone.
#' @examples
#' fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
#' head(coef(fit)$Subject, 3) # M16: 16.57335 and 0.5913; the population: 16.7611 and 0.6602
#' @importFrom stats coef
#' @export
coef.lmm <- function(object, ...) {
  refuse_arguments("coef", ..., call = method_call())
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

#' @export
print.coef.lmm <- function(x, n = 20, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
  print.ranef.lmm(x, n = n, digits = digits, ...)
}
