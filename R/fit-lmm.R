#' Fit a linear mixed-effects model
#'
#' Estimates the covariance parameters \eqn{\theta}, the fixed effects \eqn{\beta} and \eqn{\sigma} of
#' \eqn{y = X\beta + Zb + e} by minimising the profiled REML criterion (or, with `REML = FALSE`, minus twice the
#' profiled log-likelihood). The model and all symbols are defined in `vignette("ferrite", "ferrite")`.
#'
#' @param formula Two-sided formula; its right-hand side is a formula as in [lm()] plus random terms
#'   `(columns | factor)` in parentheses, at least one. See *Random terms*. `.` stands for all columns of `data` that
#'   are neither in the response nor grouping variables. Text that reads as a formula is accepted. `y ~ 1 | g` is
#'   `y ~ (1 | g)`; a bar without parentheses takes everything to its left, with a message where columns are in it.
#' @param data Data frame (or list, or environment) with the variables of `formula`. A variable that is not in it
#'   is taken from the environment of the formula. Default: all are.
#' @param REML `TRUE` (default) or 1 for REML. Use `FALSE` (or 0) before comparing models with different fixed effects.
#' @param weights Positive prior weights, one for each row, as an expression in the columns of `data`: the residual
#'   variance of row i is \eqn{\sigma^2 / w_i}. A row of weight zero is left out, with a message. Default: all one.
#' @param offset Numeric, one for each row: a part of the response that is known. Added to the `offset()` terms of the
#'   formula. Default: none.
#' @param subset Rows to use, as a logical or index expression in the columns of `data`. Default: all rows.
#' @param na.action What to do with rows in which a variable of the model, `weights` or `offset` is missing (NA or
#'   NaN): [na.omit()] drops them, [na.exclude()] drops them and pads residuals and fitted values with NA,
#'   [na.fail()] is an error. Default: the option `na.action` of the session, usually `na.omit`.
#' @param contrasts Named list of contrasts of factors, as in [lm()]. They hold in the fixed and in the random part.
#'   Default: those of the factors themselves, else `options("contrasts")`.
#' @param dispersion One-sided formula of what the residual standard deviation depends on, such as `~ g` (one for each
#'   level of the factor `g`) or `~ power(x)`. Default `~ 1`: one for all rows. See *Residuals*.
#' @param correlation Correlation of the residuals in series: `ar1(~ time | series)`, `car1(~ time | series)` or
#'   `cs(~ 1 | series)`. Default `NULL`: none. See *Residuals*.
#' @param start Starting values of \eqn{\theta}, in the order of the names of `component(fit, "theta")`, or with these
#'   names; also `list(theta = )`. Default `NULL`: found from the data. The search begins there too, beside the points
#'   that it begins at anyway, so that a start can lead to a lower optimum (see `global` of [convergence()]) but never
#'   to a higher one.
#' @param control Settings made by [lmm_control()], or a list of them. Those of lme4's `lmerControl()` and of
#'   [nlme::lmeControl()] have no meaning here, and one message names them; a limit on evaluations is taken over.
#' @param ... `verbose` of lme4: a positive number shows a progress bar, with a message. `devFunOnly = TRUE` of lme4:
#'   the model is fitted, and its criterion as a function of theta is returned, `getME(fit, "devfun")`. Anything else is
#'   an error; for `random` of [nlme::lme()] it gives the formula to write.
#' @returns An object of class `lmm`: plain data with its own copy of the variables, whatever becomes of `data`; to be
#'   read by [fixef()], [ranef()], [VarCorr()], `summary()`, [vcov()], [component()] and the other methods. A fit that
#'   did not converge is returned with a warning of class `ferrite_warning_not_converged`; a fit on the boundary (a
#'   variance of zero, a correlation of one) is a result like any other and comes with a message of class
#'   `ferrite_message_singular`. Linearly dependent columns of the fixed part are dropped as in [lm()], with a message
#'   of class `ferrite_message_rank`; their coefficients are NA.
#' @section Random terms:
#'
#'   For each level of the factor `g` there is a vector of random effects, with a covariance matrix that is estimated:
#'   * `(1 | g)`: an intercept;
#'   * `(x | g)`, the same as `(1 + x | g)`: intercept and slope, correlated (3 parameters);
#'   * `(0 + x | g)`: a slope alone;
#'   * `(x || g)`: each column by itself, uncorrelated (2 parameters); for a factor `x` too, one variance for each of
#'     its columns;
#'   * `(f | g)`: the columns of the factor `f` under its contrasts, correlated (k (k + 1) / 2 parameters for k levels);
#'   * `(1 | a/b)`, the same as `(1 | b:a) + (1 | a)`: `b` within `a`;
#'   * `(1 | a:b)`: an intercept for each combination that occurs.
#'
#'   * `us(x | g)`, the same as `(x | g)`; `diag(x | g)`, the same as `(x || g)`; `diag(f | g, hom = TRUE)`: one
#'     variance for all columns;
#'   * `cs(f | g)`: compound symmetry, a variance for each column and one correlation; `cs(f | g, hom = TRUE)`: one
#'     variance and one correlation (2 parameters);
#'   * `ar1(0 + f | g)`: autoregression over the levels of the factor `f`, in their order, each one step from the next:
#'     one variance and one correlation; `hom = FALSE`: a variance for each level. These words and their defaults are
#'     those of lme4 2.0.
#'
#'   `g` may be a factor, character, logical, numeric or date variable, or a call such as `factor(g)`; unused
#'   levels are dropped. Terms are ordered by decreasing number of levels of their factor, ties as in the formula.
#' @section Residuals:
#'
#'   By default residuals are independent with the variance \eqn{\sigma^2 / w_i}. With `dispersion` and `correlation`
#'   they have the variance \eqn{\sigma^2 \exp(2 s_i'd) / w_i} and a correlation within series; \eqn{d} and the
#'   correlation are estimated together with all else, by REML or ML. `anova(m0, m1)` tests whether they are needed.
#'
#'   `dispersion` is a formula for the log of the standard deviation. Its intercept is \eqn{\sigma}, factors have
#'   treatment contrasts.
#'   * `~ g`: a standard deviation for each level of a factor (character, logical); \eqn{\sigma} is that of the first;
#'   * `~ g:h`, `~ g * h`: one for each combination that occurs; `~ g + h`: levels of `h` have the same ratios in all
#'     levels of `g`;
#'   * `~ x` with a numeric `x`: proportional to \eqn{\exp(d x)}; \eqn{\sigma} is that at `x = 0`, so measure `x` from a
#'     point among its values. For strata numbered 1, 2, 3 write `~ factor(x)`;
#'   * `~ power(x)`: proportional to \eqn{|x|^d}; no `x` may be zero. Also `~ g + power(x)`, `~ g:power(x)` and so on.
#'
#'   `correlation` is written as it stands here and not evaluated. `series` is a variable, or several joined by `:`; it
#'   need not be one of the grouping factors. Without `| series` all rows are one series. Rows may be in any order.
#'   * `ar1(~ time | series)`: correlation \eqn{\rho^{|t - s|}} for whole numbers as times, gaps allowed. `~ 1` takes
#'     the order of the rows that are used as times 1, 2, 3. A date counts in days, a factor as the numbers that its
#'     levels are, or else by their order;
#'   * `car1(~ time | series)`: the same for times at any distance, \eqn{\rho \ge 0}: the correlation at distance one;
#'   * `cs(~ 1 | series)`: one correlation for all pairs of a series; as a random intercept, but it may be negative.
#'
#'   The functions `corAR1()`, `corCAR1()` and `corCompSymm()` of nlme are understood as well.
#' @section Conditions:
#'   All have the class `ferrite_error` (`ferrite_warning`, `ferrite_message`) as well. Errors before the fit:
#'   `ferrite_error_argument` (one that is not known), `_formula`, `_variable` (not found, or of the wrong kind or
#'   length), `_data`, `_weights`, `_offset`, `_subset`, `_missing`, `_rows` (none left), `_response`, `_levels` (a
#'   fixed factor of one level), `_groups` (a grouping factor of one level), `_contrasts`, `_start`, `_control`,
#'   `_dispersion`, `_correlation`,
#'   `_structure` (a random term such as `cs()`). In the fit: `_nonfinite`, `_constant_response`, `_perfect_fit`,
#'   `_no_residual_df`, `_unidentified` (a direction in the variances and covariances that the likelihood cannot see; a
#'   property of the design, found before the search and whatever `start` is; the field `suggestion` holds a random term
#'   that can be fitted, if there is one), `_rank_random`, `_too_large`, `_tied_times` (in a series),
#'   `_residual_scale` (a residual standard deviation that tends to zero, a correlation that tends to one),
#'   `_internal`. Warnings:
#'   `ferrite_warning_not_converged`, `_levels` (of the factor in `ar1()`, out of order). Messages:
#'   `ferrite_message_singular`, `_rank`, `_levels` (a grouping factor of 2), `_logical_response`, `_zero_weights`,
#'   `_formula` (a bar without parentheses), `_argument`, `_control`, `_start` (words of lme4 without a meaning here).
#'   Methods given a fit or a result that was edited, cut short or made by another version: `ferrite_error_object`,
#'   which names the field.
#' @references Bates, Maechler, Bolker and Walker (2015) \doi{10.18637/jss.v067.i01}.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' fixef(fit)                # 16.7611 and 0.6602
#' lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont, REML = FALSE)
#' # residual standard deviations 1.6296 (Male) and 0.6662 (Female)
#' lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont, dispersion = ~ Sex)
#' # correlation of successive residuals 0.6168
#' lmm(follicles ~ sin(2 * pi * Time) + (1 | Mare), nlme::Ovary, correlation = ar1(~ 1 | Mare))
#' @export
lmm <- function(formula, data, REML = TRUE, weights, offset, subset, na.action, # nolint: object_name_linter.
                contrasts = NULL, dispersion = ~ 1, correlation = NULL, start = NULL, control = lmm_control(), ...) {
  begin <- clock()
  call <- user_call(match.call())
  input <- read_arguments(environment(), parent.frame(), call)
  built <- build_frame(input$parsed, input$data, input$extras, input$na_action, call)
  framed <- clock()
  design <- build_design(built, input$parsed$random, contrasts, input$control$memory, call)
  designed <- clock()
  raw <- fit_design(design, input$REML, start, input$control, built$frame, call)
  fit <- new_lmm(raw, design, built, input$parsed$formula, input$REML, input$control, call)
  fit$convergence$timing <- stage_times(fit$convergence$timing, c(begin, framed, designed, clock()))
  report_outcome(fit, call)
  if (isTRUE(input$asked$devfun)) criterion_function(fit, call) else fit
}

# Seconds, to a millionth.
clock <- function() as.double(Sys.time())

# The engine's seconds with R's own around them: `object` is what is left of the total.
stage_times <- function(engine, marks) {
  own <- pmax(diff(marks), 0)
  stages <- c(frame = own[1L], design = own[2L], engine)
  total <- max(sum(own), sum(stages))
  c(stages, object = total - sum(stages), total = total)
}

# The call as the user wrote it; do.call() with the function itself would put its whole text in front of a message.
user_call <- function(call) {
  if (!is.symbol(call[[1L]]) && !is.call(call[[1L]])) call[[1L]] <- quote(lmm)
  call
}

# What the user should know about the way the fit ended.
report_outcome <- function(fit, call) {
  if (length(fit$kept) < length(fit$x_names)) {
    dropped <- fit$x_names[!seq_along(fit$x_names) %in% fit$kept]
    inform_ferrite(
      "rank", "The columns of the fixed part should be linearly independent.",
      paste0(quoted_list(dropped), if (length(dropped) == 1L) " depends" else " depend",
             " on other columns and ", if (length(dropped) == 1L) "is" else "are", " dropped (coefficient NA)."),
      hint = "The fit is that of the remaining columns; nothing needs to be done.",
      call = call, data = list(columns = dropped)
    )
  }
  if (!is.null(fit$residual)) report_steps(fit, call)
  switch(
    fit$convergence$status,
    on_boundary = inform_ferrite(
      "singular", "The fit is singular: a covariance matrix of random effects has less than full rank.",
      singular_text(fit$random),
      hint = "This can be the right answer; a simpler random part gives the same likelihood.",
      call = call
    ),
    stalled = , max_evaluations = warn_ferrite(
      "not_converged", "The optimiser should reach an optimum.",
      paste0("It ", if (fit$convergence$status == "stalled") "made no further progress" else "was stopped", " after ",
             counted(fit$convergence$evaluations, "evaluation"), "; the criterion may still fall by ",
             format(fit$convergence$decrement, digits = 2), "."),
      hint = "See `convergence(fit)`; raise `lmm_control(max_evaluations = )` or simplify the random part.",
      call = call, data = list(convergence = fit$convergence)
    )
  )
  invisible()
}

singular_text <- function(random) {
  deficient <- Filter(function(term) term$rank < length(term$effects), random)
  vapply(deficient, function(term) {
    q <- length(term$effects)
    paste0("`", term$group, "`, ", quoted_list(term$effects), ": ",
           if (q == 1L) "the variance is zero" else paste0("rank ", term$rank, " of ", q), ".")
  }, "")
}
