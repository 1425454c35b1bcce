# Simultaneous tests by multcomp: what glht() asks of a model.
#
# Reads   a fit.
# Writes  modelparm_lmm(): the estimates, their covariance matrix and degrees of freedom, as multcomp::modelparm() does.
# Registered by register.R when multcomp is loaded.

#' Simultaneous inference by multcomp
#'
#' `multcomp::glht()` works on the models of `lmm()`: with `mcp(f = "Tukey")` and other contrasts of a factor, with
#' expressions in the coefficients, and with a matrix; then `summary()`, `confint()`, `cld()` and `plot()`. The tests
#' are of the fixed effects, and normal as for the models of lme4, unless `glht(df = )` gives degrees of freedom:
#' multcomp knows one number for all contrasts. `emmeans::emm()` as the linear function brings those of its own
#' contrasts, as one number: `glht(fit, emmeans::emm(pairwise ~ Machine))`. Where columns were dropped as linearly
#' dependent, multcomp takes no expressions, only `mcp()` and matrices with a column for each coefficient.
#'
#' @section Conditions:
#'   `ferrite_error_argument` when `df` is not a positive number.
#' @seealso [emmeans] for tests with Satterthwaite's or Kenward and Roger's degrees of freedom, [contest()].
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
#' if (requireNamespace("multcomp", quietly = TRUE)) {
#'   all_pairs <- multcomp::glht(fit, multcomp::mcp(Machine = "Tukey"))
#'   summary(all_pairs) # B - A: 7.967, standard error 2.177
#' }
#' @name multcomp
NULL

# Method of multcomp::modelparm().
modelparm_lmm <- function(model, coef. = NULL, vcov. = NULL, df = NULL, ...) { # nolint: object_name_linter.
  value <- function(given, default) if (is.function(given)) given(model) else or_else(given, default)
  beta <- value(coef., fixef(model))
  if (!is.numeric(beta) || length(beta) != length(model$x_names)) {
    bad_setting(beta, "coef.", "the coefficients, or a function that gives them", quote(glht()), "argument")
  }
  variance <- if (is.null(vcov.)) vcov(model, complete = FALSE) else given_matrix(model, vcov., quote(glht()))
  estimable <- !is.na(beta)
  if (!is.null(df) && !(is.numeric(df) && length(df) == 1L && !is.na(df) && df >= 0)) {
    bad_setting(df, "df", "one number that is not negative", quote(glht()), "argument")
  }
  structure(
    list(coef = beta[estimable], vcov = variance, df = if (is.null(df) || is.infinite(df)) 0 else df,
         estimable = unname(estimable)),
    class = "modelparm"
  )
}
