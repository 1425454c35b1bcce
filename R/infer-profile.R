#' Profile likelihood
#'
#' Follows each parameter away from its estimate: at each value all other parameters are optimised again. With
#' \eqn{d} the criterion (minus twice the log-likelihood) so obtained and \eqn{\hat d} its minimum, the profile is
#' \eqn{\zeta = \pm\sqrt{d - \hat d}}, negative below the estimate. A straight line means that the Wald interval is
#' right; a bent one, that the limits should be asymmetric. [confint()] uses it.
#'
#' @param fitted An object of class `lmm`.
#' @param which Names or numbers of parameters; `"theta_"` stands for all standard deviations and correlations,
#'   `"beta_"` for all coefficients. Default `NULL`: all.
#' @param zeta Largest \eqn{|\zeta|}, a positive number. Default 3, which covers intervals up to 99.7 %.
#' @param points Number of points on each side of the estimate. Default 12.
#' @param progress `TRUE` to show a progress bar in long work. Default: in interactive sessions only.
#' @param x An object of class `profile.lmm`.
#' @param level Coverage of the interval that `plot()` marks.
#' @param row.names,optional As in [as.data.frame()]; not used.
#' @param n Number of rows printed; `Inf` prints all.
#' @param digits Significant digits printed.
#' @param i,j,drop As for a data frame: a part of a profile is an ordinary data frame.
#' @param ... `profile()` takes no other argument and says so. `plot()` takes graphical parameters.
#' @details
#' Every point is found by a search for the root of \eqn{|\zeta|} minus its value on the grid; nothing is interpolated.
#'
#' Standard deviations, correlations and `sigma` are profiled under the criterion of the fit (so that a REML fit has
#' REML profiles), coefficients under maximum likelihood: the restricted likelihood is no function of them. A REML fit
#' is refitted once for that. Coefficients that were dropped, and correlations with an effect of variance zero, have
#' no profile.
#'
#' Where the parameter space ends first (a standard deviation of 0, a correlation of -1 or 1) the last point is that
#' edge, with the \eqn{\zeta} that is reached there (to 0.001 of the step).
#'
#' Of residuals that are not alike (`dispersion`, `correlation`) the ratios of standard deviations, the coefficients and
#' the correlation are profiled too, and are optimised again in all profiles; see [confint.lmm()] for their names.
#' @returns A data frame of class `profile.lmm` with the columns `par`, `zeta` and `value`. `confint()` of it finds the
#'   limits anew by root finding, so that they do not depend on the grid.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_warning_interval` for points that were not found; `ferrite_warning_interrupted`
#'   after Ctrl-C: the parameters that are finished are returned.
#' @references Bates, Maechler, Bolker and Walker (2015), section 5.1, \doi{10.18637/jss.v067.i01}.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, REML = FALSE)
#' p <- profile(fit)
#' p[p$par == "sigma" & p$zeta %in% c(-2, 0, 2), ] # 1.2254, 1.4227, 1.6793
#' plot(p)
#' @importFrom stats profile
#' @export
profile.lmm <- function(fitted, which = NULL, zeta = 3, points = 12L, progress = interactive(), ...) {
  call <- method_call()
  set_aside_arguments("profile", ..., words = words_of_profiles, call = call)
  check_amount(zeta, "zeta", call)
  points <- check_count(points, "points", call)
  check_flag(progress, "progress", call, "argument")
  table <- parameter_table(fitted)
  table <- table[pick_parameters(new_parameter_names(which, table), table$name, table$kind, "which", call), ]
  usable <- !is.na(table$estimate)
  table <- table[usable, ]
  fits <- profile_fits(fitted, table$kind, call)
  grid <- seq_len(points) * zeta / points
  found <- profile_values(fits, table, grid, call, progress)
  pieces <- list()
  tryCatch(
    for (i in which(is_finished(found))) pieces[[i]] <- profile_rows(fits, table[i, ], found[[i]], grid, call),
    interrupt = function(condition) NULL
  )
  finished <- sum(is_finished(pieces))
  if (nrow(table) && !finished) raise_interrupt()
  if (finished < nrow(table)) {
    warn_interrupted(finished, nrow(table), "parameter", "The result holds the finished ones.", call)
  }
  rows <- do.call(rbind, c(list(data.frame(par = character(), zeta = numeric(), value = numeric())), pieces))
  rows$par <- factor(rows$par, levels = table$name)
  warn_missing(rows$par[is.nan(rows$value)], call)
  structure(
    rows[!is.nan(rows$value), ], row.names = seq_len(sum(!is.nan(rows$value))),
    class = c("profile.lmm", "data.frame"), fits = fits
  )
}

# What lme4's profile() knows beside.
words_of_profiles <- c(
  words_of_intervals[names(words_of_intervals) != "zeta"], alphamax = "`zeta` says how far profiles go",
  delta = "`points` says how fine they are",
  delta.cutoff = "`points` says how fine they are", maxmult = "there are no steps", startmethod = "starts are chosen",
  optimizer = "the engine is the optimiser", control = "the settings are those of the fit",
  signames = "rows are named as by `confint()`"
)

check_amount <- function(x, name, call) {
  if (!is.numeric(x) || length(x) != 1L || !is.finite(x) || x <= 0) {
    bad_setting(x, name, "one positive number", call, "argument")
  }
}

# The fits whose criteria are profiled: `variance` is the fit itself, `fixed` the same by ML (made when needed).
profile_fits <- function(fit, kinds, call) {
  fixed <- if (!fit$REML || !any(kinds == "beta")) fit else muffled(refit_frame(fit, list(REML = FALSE)))
  list(variance = fit, fixed = fixed)
}

#' Values of parameters at given zetas
#'
#' @param fits From `profile_fits()`.
#' @param table Rows of `parameter_table()`, all with a target.
#' @returns A list with an element a row: `estimate`, `lower`, `upper` (each as long as `zetas`), or `NULL` for a row
#'   that Ctrl-C left undone. An interrupt when none is done.
#' @noRd
profile_values <- function(fits, table, zetas, call, progress = FALSE) {
  out <- vector("list", nrow(table))
  fixed <- table$kind == "beta"
  meter <- progress_meter(progress)
  on.exit(meter$close())
  points <- 2 * length(zetas)
  report <- function(before) {
    if (!is.null(meter$report)) function(done, total) meter$report(points * before + done, points * length(out))
  }
  if (any(!fixed)) out[!fixed] <- profile_engine(fits$variance, table$target[!fixed], zetas, report(0), call)
  for (i in which(table$kind == "ratio" & is_finished(out))) {
    out[[i]] <- ended_ratio(lapply(out[[i]], exp), table$target[[i]][2L], fits$variance, zetas, call)
  }
  for (i in which(table$kind == "rho" & is_finished(out))) {
    out[[i]] <- lapply(out[[i]], rho_at_one, correlation = fits$variance$residual$correlation)
  }
  if (any(fixed) && all(is_finished(out[!fixed]))) {
    of_fixed <- function() profile_engine(fits$fixed, table$target[fixed], zetas, report(sum(!fixed)), call)
    out[fixed] <- if (all(fixed)) of_fixed() else tryCatch(of_fixed(), interrupt = function(condition) list(NULL))
  }
  out
}

# Which elements of a list there are.
is_finished <- function(x) !vapply(x, is.null, NA)

# A standard deviation of zero, or of another stratum, can leave a finite criterion where random effects take its place:
# then the limit is 0 (or Inf). The criterion with the k-th coefficient held is that of a fit with weights in its place.
ended_ratio <- function(found, k, fit, zetas, call) {
  for (side in c("lower", "upper")) {
    lost <- is.nan(found[[side]])
    if (!any(lost)) next
    edge <- if (side == "lower") 0 else Inf
    held <- unname(fit$residual$phi[k]) + if (side == "lower") -10 else 10
    rise <- criterion_held(fit, k, held, call) - fit$criterion
    if (is.finite(rise)) found[[side]][lost & zetas^2 >= rise - 1e-7] <- edge
  }
  found
}

# The criterion of a fit with the k-th coefficient of its dispersion at a value; Inf when there is none.
criterion_held <- function(fit, k, value, call) {
  design <- with_texts_of(fit, design_of(fit))
  columns <- dense_blocks(scale_columns(fit$residual$scale, fit$frame), fit$nobs)
  design$weights <- or_else(design$weights, 1) * exp(-2 * value * columns[, k])
  design$residual[c("scale", "strata")] <- list(if (ncol(columns) > 1L) list(columns[, -k, drop = FALSE]), NULL)
  if (all(vapply(design$residual, is.null, NA))) design["residual"] <- list(NULL)
  design["scale"] <- list(NULL)
  tryCatch(muffled(fit_design(design, fit$REML, NULL, quiet_control(fit), fit$frame, call))$criterion,
    ferrite_error = function(e) Inf)
}

# The design with what the messages of a refit need.
with_texts_of <- function(fit, design) {
  design$scale <- fit$residual$scale
  design$correlation <- fit$residual$correlation
  design
}

quiet_control <- function(fit) {
  control <- fit$control
  control$progress <- FALSE
  control
}

# The values where a parameter ends.
parameter_edges <- function(kind) {
  switch(kind, sd = , sigma = , ratio = c(0, Inf), cor = , rho = c(-1, 1), dispersion = , beta = c(-Inf, Inf))
}

at_edge <- function(values, edge) {
  !is.nan(values) & (values == edge | (is.finite(edge) & abs(values - edge) <= 1e-12))
}

# Of compound symmetry -1 / (m - 1), of car1() zero, else -1.
lowest_correlation <- function(fit, row) {
  serial <- fit$residual$correlation
  form <- if (row$kind == "rho") serial$form else fit$random[[row$target[[1L]][2L]]]$structure$kind
  m <- if (row$kind == "rho") longest_series(fit) else length(fit$random[[row$target[[1L]][2L]]]$effects)
  switch(or_else(form, "us"), car1 = 0, cs = -1 / (m - 1), -1)
}

# One parameter as rows in the order of zeta. Points at the edge of the parameter space become one point.
profile_rows <- function(fits, row, found, grid, call) {
  edges <- parameter_edges(row$kind)
  if (row$kind %in% c("cor", "rho")) edges[1L] <- lowest_correlation(fits$variance, row)
  side <- function(values, edge, sign) {
    inside <- !at_edge(values, edge)
    zetas <- grid[inside]
    values <- values[inside]
    if (!all(inside) && found$estimate != edge) {
      zetas <- c(zetas, edge_zeta(fits, row, grid[inside], grid[!inside][1L], sign, edge, call))
      values <- c(values, edge)
    }
    data.frame(par = rep(row$name, length(values)), zeta = sign * zetas, value = values)
  }
  lower <- side(found$lower, edges[1L], -1)
  centre <- data.frame(par = row$name, zeta = 0, value = found$estimate)
  rbind(lower[rev(seq_len(nrow(lower))), ], centre, side(found$upper, edges[2L], 1))
}

# zeta at the edge, which lies between the last point of the grid inside and the first one beyond.
edge_zeta <- function(fits, row, inside, beyond, sign, edge, call) {
  low <- max(0, inside)
  for (round in 1:2) {
    fine <- seq(low, beyond, length.out = 33L)[-1L]
    found <- profile_values(fits, row, fine, call)[[1L]]
    values <- if (sign < 0) found$lower else found$upper
    first <- which(at_edge(values, edge))[1L]
    if (is.na(first)) break
    beyond <- fine[first]
    low <- if (first > 1L) fine[first - 1L] else low
  }
  beyond
}

warn_missing <- function(names, call) {
  if (!length(names)) {
    return(invisible())
  }
  warn_ferrite("interval", "Every point of a profile should be found.",
    paste0("The search failed for ", quoted_list(unique(as.character(names))), "."),
    hint = "Use `method = \"boot\"` for its interval, or see `convergence(fit)`.", call = call
  )
}

#' @rdname profile.lmm
#' @export
as.data.frame.profile.lmm <- function(x, row.names = NULL, optional = FALSE, ...) {
  attr(x, "fits") <- NULL
  class(x) <- "data.frame"
  x
}

#' @rdname profile.lmm
#' @export
`[.profile.lmm` <- function(x, i, j, drop = TRUE) {
  x <- as.data.frame.profile.lmm(x)
  if (nargs() - (!missing(drop)) < 3L) return(if (missing(i)) x else x[i])
  if (missing(drop)) x[i, j] else x[i, j, drop = drop]
}

#' @rdname profile.lmm
#' @export
print.profile.lmm <- function(x, n = 20, digits = max(3L, getOption("digits") - 2L), ...) {
  check_printed(digits, n)
  cat("Profile likelihood: ", profile_criterion_text(attr(x, "fits"), unique(as.character(x$par))), "\n", sep = "")
  table <- as.data.frame.profile.lmm(x)
  print(utils::head(table, n), digits = digits, row.names = FALSE)
  more <- nrow(table) - min(n, nrow(table))
  if (more > 0) cat("... and ", more, " more rows\n", sep = "")
  invisible(x)
}

# "REML; coefficients by ML", for the parameters that there are.
profile_criterion_text <- function(fits, names) {
  kinds <- parameter_table(fits$variance)
  used <- unique(kinds$kind[kinds$name %in% names] == "beta")
  own <- if (fits$variance$REML) "REML" else "maximum likelihood"
  if (!fits$variance$REML || identical(used, FALSE)) return(own)
  if (identical(used, TRUE)) "maximum likelihood" else "REML; coefficients by maximum likelihood"
}
