# bootstrap(): parametric, of cases, of residuals; the statistics of each replicate.
#
# Reads   a fit and the engine's replicates (theta, beta, sigma: a row each).
# Writes  an object of class `lmm_bootstrap`. Limits: infer-bootstrap-limits.R. What is drawn: infer-resample.R.

#' Bootstrap
#'
#' Makes new data from a fit, refits the model to each, and collects statistics of the refits: data drawn from the
#' fitted model, made of resampled random effects and residuals, or of resampled groups of rows.
#'
#' @param fit An object of class `lmm`.
#' @param statistic `NULL` (default): all parameters, that is standard deviations and correlations of the random
#'   effects, `sigma` and the coefficients, named as in [confint.lmm()]. Or a function of a fit that gives a numeric
#'   vector, always of the same length. See *Statistics*.
#' @param nsim Number of replicates, a positive whole number. Default 1000.
#' @param type `"parametric"` (default), `"residual"` or `"cases"`: see *Which bootstrap*.
#' @param seed `NULL` (default): the state of R's generator decides, so that [set.seed()] makes results reproducible. A
#'   whole number: as after `set.seed(seed)`, and R's generator is left as it was. The number of threads does not change
#'   results.
#' @param threads Number of threads. Default: those of the fit.
#' @param progress `TRUE` to show a progress bar in long work. Default: in interactive sessions only.
#' @param resample For cases: what is drawn with replacement, `TRUE` or `FALSE` for each level from the outermost factor
#'   to the rows, by position or by name, such as `c(school = TRUE, rows = TRUE)`. Default: the outermost groups alone,
#'   each with all its rows.
#' @param cluster For cases: the groups, as in [robust()]. Default: the levels of the outermost grouping factor.
#' @param ... Must be empty.
#' @section Which bootstrap:
#'   * `"parametric"`: new random effects and new residuals, all normal with the estimated variances. Best if the model
#'     is right. Drawn and refitted in the engine from cross-products: a thousand refits of an ordinary model take
#'     milliseconds.
#'   * `"residual"`: the conditional modes of the random effects and the residuals of the fit are drawn with
#'     replacement, levels and rows independently, so that they need not be normal. Since both vary less than what they
#'     predict, they are centred first and multiplied so that their covariance matrices are exactly the estimated ones
#'     (Carpenter, Goldstein and Rasbash 2003). Residuals are taken relative to their standard
#'     deviations (weights, `dispersion`) and free of the fitted correlation; both are put back. Works for nested and
#'     crossed factors. The variances must be right, the distributions need not be.
#'   * `"cases"`: whole groups are drawn with replacement; a group that is drawn twice is two groups. Nothing of the
#'     model is taken for true but that groups are independent: neither the distributions, nor equal variances, nor the
#'     random part. Needs many groups (say 20), and groups that are as good as a random sample; a resample may lack
#'     groups of a condition altogether, then it is left out, with a warning. Drawing rows within groups as well
#'     (`resample`) adds their variance a second time and is for groups of many rows (van der Leeden, Meijer and Busing
#'     2008). The refits are made one after the other.
#' @section Statistics:
#'   The function is called with a light copy of the fit for each replicate, on which [fixef()], [sigma()], [VarCorr()],
#'   `component(fit, "theta")` and all else that depends on the parameters alone give the values of that replicate.
#'   What depends on its response (random effects, residuals, standard errors) is not kept and is NA. It runs in R, one
#'   replicate after the other; the refits have been made before.
#' @section Interrupts:
#'   Ctrl-C ends the work. What is done by then is returned, with a warning of class `ferrite_warning_interrupted`.
#' @returns An object of class `lmm_bootstrap`: a list with `estimate` (the statistic of the fit itself), `replicates`
#'   (a matrix with a row for each replicate), `index` (their numbers), `nsim` (asked for), `certified` (whether the
#'   refit is a certified optimum), `type`, `drawn` (for cases: `resample`, `codes` of the outermost groups that were
#'   drawn, `n` of each level) and `fit`. For it there are `print()`, [summary()], [as.data.frame()] and
#'   [confint()][confint.lmm_bootstrap].
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_error_statistic` when the statistic fails or changes its length;
#'   `ferrite_error_bootstrap` when there is no replicate, or fewer levels than effects to draw;
#'   `ferrite_error_cluster` for cases where crossed factors leave no groups; `ferrite_warning_bootstrap` for replicates
#'   without a fit; `ferrite_warning_interrupted`.
#' @references Carpenter, Goldstein and Rasbash (2003) \doi{10.1111/1467-9876.00415}; van der Leeden, Meijer and Busing
#'   (2008) \doi{10.1007/978-0-387-73186-5_11}; Davison and Hinkley (1997) \doi{10.1017/CBO9780511802843}.
#' @seealso [confint.lmm_bootstrap()] for intervals; [robust()] for standard errors of coefficients by a formula.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' boot <- bootstrap(fit, nsim = 200, seed = 1)
#' summary(boot) # standard error of age close to that of summary(fit), 0.0616
#' icc <- function(fit) {
#'   variance <- c(VarCorr(fit)$Subject)
#'   c(icc = variance / (variance + sigma(fit)^2))
#' }
#' confint(bootstrap(fit, icc, nsim = 200, seed = 1), type = "bca") # estimate 0.6857
#' # slopes differ among children: the standard error of age is 0.0713 by robust(fit)
#' bootstrap(fit, nsim = 200, type = "cases", seed = 1)
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
bootstrap.lmm <- function(fit, statistic = NULL, nsim = 1000, type = c("parametric", "residual", "cases"), seed = NULL,
                          threads = fit$control$threads, progress = interactive(), resample = NULL, cluster = NULL,
                          ...) {
  call <- method_call()
  refuse_arguments("bootstrap", ..., call = call)
  type <- choose_one(type, c("parametric", "residual", "cases"), "type", call)
  for (name in c("resample", "cluster")) {
    if (type != "cases" && !is.null(get(name))) {
      abort_ferrite("argument", sprintf("`%s` must come with `type = \"cases\"`.", name),
        sprintf("`type` is \"%s\".", type), hint = sprintf("Leave `%s` out, or draw cases.", name), call = call,
        data = list(argument = name)
      )
    }
  }
  check_statistic(statistic, "statistic", call)
  scheme <- if (type == "cases") case_scheme(fit, resample, cluster, call)
  run_bootstrap(fit, statistic, nsim, seed, threads, progress, call, type, scheme)
}

check_statistic <- function(statistic, name, call) {
  if (is.null(statistic) || is.function(statistic)) return(invisible())
  abort_ferrite("argument", sprintf("`%s` must be a function of a fit.", name),
    paste0("It is ", a_kind(statistic), "."),
    hint = sprintf("Write, for example, `%s = function(fit) fixef(fit)`; leave it out for all parameters.", name),
    call = call, data = list(argument = name)
  )
}

# All arguments but `statistic` and the fit still to be checked: confint(method = "boot") comes here as well.
run_bootstrap <- function(fit, statistic, nsim, seed, threads, progress, call, type = "parametric", scheme = NULL) {
  nsim <- check_count(nsim, "nsim", call)
  threads <- at_most_cores(check_count(threads, "threads", call))
  check_flag(progress, "progress", call, "argument")
  estimate <- if (is.null(statistic)) default_statistic(fit) else first_statistic(fit, statistic, call)
  pair <- if (type == "parametric") seed_pair(seed, call)
  drawn <- if (type == "parametric") bootstrap_engine(fit, nsim, pair, threads, progress, call)
  else with_seed(seed, call, switch(type,
    residual = residual_bootstrap(fit, nsim, threads, progress, call),
    cases = case_bootstrap(fit, scheme, nsim, threads, progress, call)
  ))
  done <- length(drawn$index)
  interrupted <- drawn$stopped > 0
  warn_failures(or_else(drawn$failures, rep("failed", drawn$failed)), nsim, type, call)
  if (!done && interrupted) raise_interrupt()
  if (!done) {
    abort_ferrite("bootstrap", "At least one replicate must be finished.", "None is.",
      hint = "Let it run longer, or see whether the fit is sound with `convergence(fit)`.", call = call
    )
  }
  replicates <- if (is.null(statistic)) default_replicates(fit, drawn)
  else statistic_replicates(fit, drawn, statistic, estimate, progress, call)
  kept <- seq_len(nrow(replicates))
  stopped <- nrow(replicates) < done || interrupted
  if (stopped) {
    warn_interrupted(nrow(replicates), nsim, "replicate", "The result holds the finished ones.", call)
  }
  structure(class = "lmm_bootstrap", list(
    estimate = estimate, replicates = replicates, index = drawn$index[kept], nsim = nsim, interrupted = stopped,
    certified = as.logical(drawn$certified)[kept], statistic = statistic, type = type,
    drawn = if (type == "cases") cases_drawn(scheme), fit = fit, call = call
  ))
}

warn_failures <- function(failures, nsim, type, call) {
  if (!length(failures)) return(invisible())
  reasons <- c(
    rank = "a coefficient could not be estimated", unidentified = "a variance could not be estimated",
    residual_scale = "a parameter of the residuals could not be estimated"
  )
  text <- reasons[failures]
  text[is.na(text)] <- "the fit failed"
  counts <- table(text)
  warn_ferrite("bootstrap", "Every replicate should allow a fit of the model.",
    sprintf("%s of %s did not: %s.", big_number(length(failures)), big_number(nsim),
      paste0(names(counts), " (", counts, ")", collapse = "; ")),
    hint = if (type == "cases") {
      "They are left out. With few groups per condition use `type = \"residual\"` or `\"parametric\"`."
    } else {
      "They are left out: the others are a selection. A simpler model may be estimable from such data."
    }, call = call, data = list(failures = failures)
  )
}

# What a result keeps of a scheme: `codes` of the outermost units that are drawn.
cases_drawn <- function(scheme) {
  outermost <- scheme$units[[which(scheme$resample)[1L]]]
  list(resample = scheme$resample, codes = outermost$codes, n = vapply(scheme$units, `[[`, 0L, "n_levels"))
}

# The value of an expression that draws from R's generator.
with_seed <- function(seed, call, expr) {
  state <- generator_state(seed, call)
  if (is.null(seed)) return(expr)
  on.exit(restore_generator(state$old))
  set.seed(seed)
  expr
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
#'   acceleration. `"normal"`: the estimate less its bias, plus and minus a normal quantile times the standard
#'   deviation of the replicates, cut as `"basic"`.
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
#' for memory; a random term has its constant column behind others) it is taken as zero, with a message. For resampled
#' cases the acceleration is that of the jackknife: each group is left out in turn, exactly.
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
#' confint(boot, "theta_", type = "bca") # sigma 1.4316: 1.2582 to 1.6888
#' summary(boot) # standard error of age 0.0589; 0.0616 in summary(fit)
#' head(as.data.frame(boot), 3) # sigma 1.4670, 1.6303, 1.2940
#' @export
confint.lmm_bootstrap <- function(object, parm = NULL, level = 0.95, type = c("percentile", "basic", "bca", "normal"),
                                  ...) {
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
  chosen <- names[pick_parameters(parm, names, kind, "parm", call)]
  boot_intervals(object, chosen, level, type, call)
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
  check_printed(digits)
  done <- nrow(x$replicates)
  cat(bootstrap_title(x), "\nFormula: ", deparse_one(x$fit$formula), "\n", sep = "")
  share <- if (done < x$nsim) paste(" of", big_number(x$nsim))
  cat(counted(done, "replicate"), share, if (x$interrupted) " (interrupted)", "\n", sep = "")
  table <- summary.lmm_bootstrap(x)
  if (all(table$n == done)) table$n <- NULL
  print(table, digits = digits)
  doubtful <- sum(!x$certified)
  if (doubtful) cat(counted(doubtful, "refit"), "not certified as an optimum\n")
  invisible(x)
}

# "Cases bootstrap (drawn: 27 of Subject) of a linear mixed model fit by REML"
bootstrap_title <- function(x) {
  chosen <- x$drawn$resample
  what <- if (x$type == "cases") {
    sprintf(" (drawn: %s)", plain_list(sprintf("%s %s", big_number(x$drawn$n[chosen]),
      ifelse(names(chosen)[chosen] == "rows", "rows", paste("of", names(chosen)[chosen])))))
  }
  kind <- switch(x$type, parametric = "Parametric", residual = "Residual", cases = "Cases")
  paste0(kind, " bootstrap", what, " of a linear mixed model fit by ", if (x$fit$REML) "REML" else "maximum likelihood")
}

#' @rdname confint.lmm_bootstrap
#' @export
as.data.frame.lmm_bootstrap <- function(x, row.names = NULL, optional = FALSE, ...) {
  as.data.frame(x$replicates, optional = TRUE)
}

# Statistics of replicates ---------------------------------------------------------------------------------------------
#
# A light fit is a fit with other parameters; what depends on a response that was never made is NA.

# The fit without all that belongs to its own response.
light_fit <- function(fit) {
  fit$light <- TRUE
  fit$vcov[] <- NA_real_
  if (!is.null(fit$residual$correlation)) {
    fit$residual$longest <- max(tabulate(serial_columns(fit$residual$correlation, fit$frame)$codes))
  }
  fit[c("criterion", "ld_l", "ld_rx", "pwrss")] <- NA_real_
  fit$random <- lapply(fit$random, function(term) {
    for (name in c("b", "u", "condvar")) term[[name]][] <- NA_real_
    term
  })
  fit
}

# A light fit at given parameters; `beta` are the kept coefficients, `phi` those of residuals that are not alike.
at_parameters <- function(light, theta, beta, sigma, criterion = NA_real_, phi = light$residual$phi) {
  light$light <- TRUE
  if (length(phi)) light$residual <- residual_at(light, phi)
  light$theta[] <- theta
  light$beta[light$kept] <- beta
  light$sigma <- sigma
  light$criterion <- criterion
  factors <- templates(light)
  for (k in seq_along(factors)) {
    size <- abs(diag(factors[[k]]))
    light$random[[k]]$varcov <- sigma^2 * tcrossprod(factors[[k]])
    light$random[[k]]$rank <- sum(size > 1e-8 * max(abs(factors[[k]])))
  }
  light
}

# The field `residual` at another phi.
residual_at <- function(fit, phi) {
  residual <- fit$residual
  residual$phi[] <- phi
  strata <- residual$scale$strata
  if (!is.null(strata)) {
    residual$scale$strata$ratio[] <- exp(drop(strata$values %*% residual$phi[seq_along(residual$scale$names)]))
  }
  if (is.null(residual$correlation)) return(residual)
  residual$unit_rho <- unit_rho_of(residual$phi[[length(phi)]], residual$correlation, residual$longest)
  residual$rho <- rho_at_one(residual$unit_rho, residual$correlation)
  residual
}

# All parameters as confint() names them; those that were not estimated are left out.
default_statistic <- function(fit) {
  table <- parameter_table(fit)
  table <- table[!vapply(table$target, is.null, NA), ]
  stats::setNames(table$estimate, table$name)
}

default_replicates <- function(fit, drawn) {
  values <- cbind(
    sd_cor_columns(fit, drawn$theta, drawn$sigma), drawn$sigma, residual_columns(fit, drawn$phi), drawn$beta
  )
  dimnames(values) <- list(NULL, names(default_statistic(fit)))
  values
}

# The light fit of one replicate.
replicate_at <- function(light, drawn, i) {
  phi <- if (NCOL(drawn$phi)) drawn$phi[i, ]
  at_parameters(light, drawn$theta[i, ], drawn$beta[i, ], drawn$sigma[i], drawn$criterion[i], phi)
}

# The statistic of the fit itself: also the check that it is one.
first_statistic <- function(fit, statistic, call) {
  value <- call_statistic(statistic, at_parameters(light_fit(fit), fit$theta, fit$beta[fit$kept], fit$sigma,
    fit$criterion), "the fit itself", call)
  if (!is.numeric(value) || !length(value)) {
    abort_ferrite("statistic", "`statistic` must give a numeric vector.", paste0("It gave ", a_kind(value), "."),
      hint = "For a list or a table, take the numbers out: `function(fit) c(name = ...)`.", call = call
    )
  }
  names <- or_else(names(value), rep("", length(value)))
  blank <- !nzchar(names)
  names[blank] <- paste0("t", seq_along(value))[blank]
  stats::setNames(as.double(value), make.unique(names))
}

call_statistic <- function(statistic, light, where, call) {
  tryCatch(statistic(light), error = function(e) {
    abort_ferrite("statistic", "`statistic` must work on every replicate.",
      sprintf("On %s it stopped: %s", where, sub("[.]?$", ".", conditionMessage(e))),
      hint = "It gets a light fit: parameters, but no random effects or residuals. Try it with `statistic(fit)`.",
      call = call, data = list(parent = e)
    )
  })
}

# A row for each replicate; after Ctrl-C those that are done.
statistic_replicates <- function(fit, drawn, statistic, estimate, progress, call) {
  done <- length(drawn$index)
  values <- matrix(NA_real_, done, length(estimate), dimnames = list(NULL, names(estimate)))
  light <- light_fit(fit)
  meter <- progress_meter(progress)
  on.exit(meter$close())
  last <- 0L
  tryCatch(
    for (i in seq_len(done)) {
      one <- replicate_at(light, drawn, i)
      value <- call_statistic(statistic, one, paste("replicate", drawn$index[i]), call)
      if (!is.numeric(value) || length(value) != length(estimate)) {
        abort_ferrite("statistic", "`statistic` must always give as many numbers as for the fit.",
          sprintf("For the fit it gave %d, for replicate %d %s.", length(estimate), drawn$index[i],
            if (is.numeric(value)) length(value) else a_kind(value)),
          hint = "Give NA for what a replicate does not have.", call = call
        )
      }
      values[i, ] <- value
      last <- i
      if (!is.null(meter$report)) meter$report(i, done)
    },
    interrupt = function(condition) NULL
  )
  if (!last) raise_interrupt()
  values[seq_len(last), , drop = FALSE]
}
