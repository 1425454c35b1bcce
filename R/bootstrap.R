#' Parametric bootstrap
#'
#' Draws responses from the fitted model, refits it to each, and collects statistics of the refits. Responses are drawn
#' and refitted in the engine from cross-products, in threads: a thousand refits of an ordinary model take milliseconds.
#'
#' @param fit An object of class `lmm`.
#' @param statistic `NULL` (default): all parameters, that is standard deviations and correlations of the random
#'   effects, `sigma` and the coefficients, named as in [confint.lmm()]. Or a function of a fit that gives a numeric
#'   vector, always of the same length. See *Statistics*.
#' @param nsim Number of replicates, a positive whole number. Default 1000.
#' @param type `"parametric"`, the only kind there is: new random effects and new residuals, both normal, in each.
#' @param seed `NULL` (default): the state of R's generator decides, so that [set.seed()] makes results reproducible. A
#'   whole number: as after `set.seed(seed)`, and R's generator is left as it was. The number of threads does not change
#'   results.
#' @param threads Number of threads. Default: those of the fit.
#' @param progress `TRUE` to show a progress bar in long work. Default: in interactive sessions only.
#' @param ... Must be empty.
#' @section Statistics:
#'   The function is called with a light copy of the fit for each replicate, on which [fixef()], [sigma()], [VarCorr()],
#'   `component(fit, "theta")` and all else that depends on the parameters alone give the values of that replicate.
#'   What depends on its response (random effects, residuals, standard errors) is not kept and is NA. It runs in R, one
#'   replicate after the other; the refits have been made before.
#' @section Interrupts:
#'   Ctrl-C ends the work. What is done by then is returned, with a warning of class `ferrite_warning_interrupted`.
#' @returns An object of class `lmm_bootstrap`: a list with `estimate` (the statistic of the fit itself), `replicates`
#'   (a matrix with a row for each replicate), `index` (their numbers), `nsim` (asked for), `certified` (whether the
#'   refit is a certified optimum) and `fit`. For it there are `print()`, [summary()], [as.data.frame()] and
#'   [confint()][confint.lmm_bootstrap].
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_error_statistic` when the statistic fails or changes its length;
#'   `ferrite_warning_interrupted`.
#' @seealso [confint.lmm_bootstrap()] for intervals.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' boot <- bootstrap(fit, nsim = 200, seed = 1)
#' summary(boot) # standard error of age close to that of summary(fit), 0.0616
#' icc <- function(fit) {
#'   variance <- c(VarCorr(fit)$Subject)
#'   c(icc = variance / (variance + sigma(fit)^2))
#' }
#' confint(bootstrap(fit, icc, nsim = 200, seed = 1), type = "bca") # estimate 0.6857
#' @export
bootstrap <- function(fit, ...) {
  UseMethod("bootstrap")
}

#' @export
bootstrap.default <- function(fit, ...) {
  abort_ferrite("argument", "`bootstrap()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(fit), "."),
    hint = if (inherits(fit, "merMod")) "For a fit of lme4 use `lme4::bootMer()`." else "Fit a model with `lmm()`.",
    call = method_call()
  )
}

#' @rdname bootstrap
#' @export
bootstrap.lmm <- function(fit, statistic = NULL, nsim = 1000, type = "parametric", seed = NULL,
                          threads = fit$control$threads, progress = interactive(), ...) {
  call <- method_call()
  refuse_arguments("bootstrap", ..., call = call)
  if (!identical(type, "parametric")) {
    abort_ferrite("argument", "`type` must be \"parametric\".",
      if (is.character(type) && length(type) == 1L) sprintf("It is \"%s\".", type)
      else paste0("It is ", a_kind(type), "."),
      hint = "Leave `type` out.", call = call, data = list(argument = "type")
    )
  }
  if (!is.null(statistic) && !is.function(statistic)) {
    abort_ferrite("argument", "`statistic` must be a function of a fit.", paste0("It is ", a_kind(statistic), "."),
      hint = "Write, for example, `statistic = function(fit) fixef(fit)`; leave it out for all parameters.",
      call = call, data = list(argument = "statistic")
    )
  }
  run_bootstrap(fit, statistic, nsim, seed, threads, progress, call)
}

# All arguments but `statistic` and the fit still to be checked: confint(method = "boot") comes here as well.
run_bootstrap <- function(fit, statistic, nsim, seed, threads, progress, call) {
  nsim <- check_count(nsim, "nsim", call)
  threads <- at_most_cores(check_count(threads, "threads", call))
  check_flag(progress, "progress", call, "argument")
  estimate <- if (is.null(statistic)) default_statistic(fit) else first_statistic(fit, statistic, call)
  seed <- seed_pair(seed, call)
  drawn <- bootstrap_engine(fit, nsim, seed, threads, progress, call)
  done <- length(drawn$index)
  if (!done) {
    abort_ferrite("bootstrap", "At least one replicate must be finished.", "None is.",
      hint = "Let it run longer, or see whether the fit is sound with `convergence(fit)`.", call = call
    )
  }
  replicates <- if (is.null(statistic)) default_replicates(fit, drawn)
  else statistic_replicates(fit, drawn, statistic, estimate, progress, call)
  kept <- seq_len(nrow(replicates))
  stopped <- nrow(replicates) < done || !nsim %in% drawn$index
  if (stopped) {
    warn_ferrite("interrupted", "All replicates should be finished.",
      sprintf("The work was interrupted after %s of %s.", format(nrow(replicates), big.mark = ","),
        counted(nsim, "replicate")),
      hint = "The result holds the finished ones.", call = call, data = list(done = nrow(replicates), nsim = nsim)
    )
  }
  structure(class = "lmm_bootstrap", list(
    estimate = estimate, replicates = replicates, index = drawn$index[kept], nsim = nsim, interrupted = stopped,
    certified = as.logical(drawn$certified)[kept], statistic = statistic, type = "parametric", fit = fit, call = call
  ))
}

# Two integers for the engine, from R's generator or from a seed of its own.
seed_pair <- function(seed, call) {
  if (is.null(seed)) {
    return(draw_seed())
  }
  good <- is.numeric(seed) && length(seed) == 1L && is.finite(seed) && seed == round(seed)
  if (!good || abs(seed) > .Machine$integer.max) {
    bad_setting(seed, "seed", "`NULL` or one whole number", call, "argument")
  }
  space <- globalenv()
  old <- space[[".Random.seed"]]
  on.exit(if (is.null(old)) rm(".Random.seed", envir = space) else assign(".Random.seed", old, envir = space))
  set.seed(seed)
  draw_seed()
}

#' Intervals from a bootstrap
#'
#' @param object,x An object of class `lmm_bootstrap`.
#' @param parm Names or numbers of statistics; for the default statistic also `"theta_"` and `"beta_"`. Default: all.
#' @param level Coverage, between 0 and 1. Default 0.95.
#' @param type `"percentile"` (default): quantiles of the replicates. `"basic"`: those reflected at the estimate, cut at
#'   the edges of the parameter space for the default statistic. `"bca"`: percentiles corrected for bias and
#'   acceleration.
#' @param row.names,optional As in [as.data.frame()]; not used.
#' @param digits Significant digits printed.
#' @param ... `confint()` takes no other argument and says so; not used by the others.
#' @details
#' Quantiles are those of type 6 of [stats::quantile()]. Replicates in which a statistic is NA (a correlation where a
#' variance is zero) are left out of its quantiles.
#'
#' BCa (Efron 1987): the bias correction is the normal quantile of the share of replicates below the estimate, ties
#' counted half (a variance of zero gives ties). The acceleration is one sixth of the skewness of the score in Stein's
#' least favourable direction (his section 6, for parametric families with several parameters), under the fitted normal
#' model with the restricted likelihood of the variance parameters. It is computed exactly, up to numerical
#' derivatives; nothing is left out in turn, so that crossed factors make no difficulty. For a coefficient it is zero;
#' for a variance estimated with \eqn{\nu} degrees of freedom it is \eqn{\sqrt{8/\nu}/6}. On the edge of the
#' parameter space it is taken a little inside. Where it cannot be had (the grouping factors are crossed and too large
#' for memory; a random term has its constant column behind others) it is taken as zero, with a message.
#' @returns `confint()`: a matrix as from [confint.lmm()]. `summary()`: a data frame with a row for each statistic and
#'   the columns `estimate`, `mean`, `bias` (mean minus estimate), `se` (standard deviation of the replicates) and `n`
#'   (replicates that are not NA). `as.data.frame()`: a row for each replicate, a column for each statistic.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_warning_interval` when there are too few replicates for the level;
#'   `ferrite_message_interval` when the acceleration is not to be had.
#' @references Efron (1987) \doi{10.1080/01621459.1987.10478410}; Davison and Hinkley (1997), chapter 5,
#'   \doi{10.1017/CBO9780511802843}.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' boot <- bootstrap(fit, nsim = 500, seed = 2)
#' confint(boot, "theta_", type = "bca")
#' head(as.data.frame(boot), 3)
#' @export
confint.lmm_bootstrap <- function(object, parm = NULL, level = 0.95, type = c("percentile", "basic", "bca"), ...) {
  call <- method_call()
  refuse_arguments("confint", ..., call = call)
  type <- choose_one(type, boot_types, "type", call)
  check_level(level, call)
  names <- names(object$estimate)
  kind <- rep("", length(names))
  if (is.null(object$statistic)) {
    table <- parameter_table(object$fit)
    kind <- table$kind[match(names, table$name)]
  }
  boot_intervals(object, names[pick_parameters(parm, names, kind, "parm", call)], level, type, call)
}

#' @rdname confint.lmm_bootstrap
#' @export
summary.lmm_bootstrap <- function(object, ...) {
  values <- object$replicates
  mean <- colMeans(values, na.rm = TRUE)
  mean[is.nan(mean)] <- NA_real_
  data.frame(
    estimate = object$estimate, mean = mean, bias = mean - object$estimate,
    se = apply(values, 2L, stats::sd, na.rm = TRUE), n = colSums(!is.na(values)), row.names = names(object$estimate)
  )
}

#' @rdname confint.lmm_bootstrap
#' @export
print.lmm_bootstrap <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  done <- nrow(x$replicates)
  cat("Parametric bootstrap of a linear mixed model fit by", if (x$fit$REML) "REML\n" else "maximum likelihood\n")
  cat("Formula: ", deparse_one(x$fit$formula), "\n", sep = "")
  share <- if (done < x$nsim) paste(" of", format(x$nsim, big.mark = ","))
  cat(counted(done, "replicate"), share, if (x$interrupted) " (interrupted)", "\n", sep = "")
  table <- summary.lmm_bootstrap(x)
  if (all(table$n == done)) table$n <- NULL
  print(table, digits = digits)
  doubtful <- sum(!x$certified)
  if (doubtful) cat(counted(doubtful, "refit"), "not certified as an optimum\n")
  invisible(x)
}

#' @rdname confint.lmm_bootstrap
#' @export
as.data.frame.lmm_bootstrap <- function(x, row.names = NULL, optional = FALSE, ...) {
  as.data.frame(x$replicates, optional = TRUE)
}
