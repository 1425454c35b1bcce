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
