#' The tables behind the plots
#'
#' Everything that [plot.lmm()] draws, as a data frame, for use with any other graphics system.
#'
#' @param x An object of class `lmm`.
#' @param which One of
#'   * `"residuals"`: columns `row` (name of the row), `fitted`, `residual` (scaled Pearson residual), `trend` (a
#'     running mean of the residuals along the fitted values);
#'   * `"qq"`: columns `row`, `theoretical` (standard normal quantile), `residual` (scaled Pearson residual), sorted,
#'     and `line` (the straight line through the quartiles);
#'   * `"caterpillar"`: the columns of `as.data.frame(ranef(x))` and `lower`, `upper` (limits of the interval),
#'     `position` (rank of the level within its effect, 1 the smallest).
#' @param level Coverage of the intervals of the caterpillar plot. Default 0.95. The intervals are conditional on the
#'   estimated covariance parameters.
#' @param ... No other argument is known.
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
  call <- method_call()
  refuse_arguments("plot_data", ..., call = call)
  check_level(level, call)
  switch(choose_one(which, c("residuals", "qq", "caterpillar"), "which", call),
    residuals = residual_data(x),
    qq = qq_data(x),
    caterpillar = caterpillar_data(x, level)
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
  theoretical <- stats::qnorm(stats::ppoints(length(residual)))
  # conditional residuals shrink: their spread is that of the quartiles, not one
  at <- stats::qnorm(c(0.25, 0.75))
  quartiles <- stats::quantile(residual, c(0.25, 0.75), names = FALSE)
  slope <- diff(quartiles) / diff(at)
  data.frame(
    row = names(residual)[order],
    theoretical = theoretical,
    residual = unname(residual)[order],
    line = quartiles[1L] + slope * (theoretical - at[1L])
  )
}

caterpillar_data <- function(fit, level) {
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
