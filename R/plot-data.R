#' The tables behind the plots
#'
#' Everything that [plot.lmm()] draws, as a data frame, for use with any other graphics system.
#'
#' @param x An object of class `lmm`.
#' @param which One of
#'   * `"residuals"`: columns `row` (name of the row), `fitted`, `residual` (scaled Pearson residual), `trend` (a
#'     running mean of the residuals along the fitted values);
#'   * `"qq"`: columns `row`, `theoretical` (standard normal quantile), `residual` (scaled Pearson residual), sorted;
#'   * `"caterpillar"`: the columns of `as.data.frame(ranef(x))` and `lower`, `upper` (limits of the interval),
#'     `position` (rank of the level within its effect, 1 the smallest).
#' @param level Coverage of the intervals of the caterpillar plot. Default 0.95. The intervals are conditional on the
#'   estimated covariance parameters.
#' @param ... Not used.
#' @returns A data frame.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' head(plot_data(fit, "caterpillar"))
#' @export
plot_data <- function(x, which, ...) {
  UseMethod("plot_data")
}

#' @rdname plot_data
#' @export
plot_data.lmm <- function(x, which = c("residuals", "qq", "caterpillar"), level = 0.95, ...) {
  switch(match.arg(which),
    residuals = residual_data(x),
    qq = qq_data(x),
    caterpillar = caterpillar_data(x, level, method_call())
  )
}

residual_data <- function(fit) {
  residual <- drop_missing_values(residuals(fit, "pearson", scaled = TRUE))
  fitted <- drop_missing_values(fitted(fit))
  table <- data.frame(row = names(residual), fitted = unname(fitted), residual = unname(residual))
  # a robust smooth needs some spread in x
  smooth <- stats::lowess(table$fitted, table$residual)
  varies <- length(unique(smooth$x)) > 1L
  table$trend <- mean(residual)
  if (varies) table$trend <- stats::approx(smooth$x, smooth$y, table$fitted, ties = mean, rule = 2L)$y
  table
}

qq_data <- function(fit) {
  residual <- drop_missing_values(residuals(fit, "pearson", scaled = TRUE))
  order <- order(residual)
  data.frame(
    row = names(residual)[order],
    theoretical = stats::qnorm(stats::ppoints(length(residual))),
    residual = unname(residual)[order]
  )
}

caterpillar_data <- function(fit, level, call) {
  if (!is.numeric(level) || length(level) != 1L || is.na(level) || level <= 0 || level >= 1) {
    bad_setting(level, "level", "one number between 0 and 1", call, "argument")
  }
  table <- as.data.frame(ranef(fit))
  attr(table, "level") <- level
  half <- stats::qnorm((1 + level) / 2) * table$condsd
  table$lower <- table$condval - half
  table$upper <- table$condval + half
  panel <- interaction(table$grpvar, table$term, drop = TRUE)
  table$position <- stats::ave(table$condval, panel, FUN = function(values) rank(values, ties.method = "first"))
  table
}

drop_missing_values <- function(values) values[!is.na(values)]
