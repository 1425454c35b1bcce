#' Confidence intervals
#'
#' Intervals for all parameters of a fit: standard deviations and correlations of the random effects, the residual
#' standard deviation, the fixed effects.
#'
#' @param object An object of class `lmm`, or of class `profile.lmm` (see [profile.lmm()]).
#' @param parm Names or numbers of the rows wanted; `"theta_"` stands for all standard deviations and correlations
#'   including `sigma`, `"beta_"` for all coefficients. Default: all.
#' @param level Coverage, between 0 and 1. Default 0.95.
#' @param method `"profile"` (default): where the profiled criterion has risen by the quantile of chi-square with 1
#'   degree of freedom. `"Wald"`: estimate plus and minus a normal quantile times the standard error, for coefficients
#'   only. `"boot"`: by the parametric bootstrap, see [bootstrap()].
#' @param nsim,type,seed,threads For `method = "boot"`: number of replicates (default 1000), kind of interval
#'   (see [confint.lmm_bootstrap()]) and further arguments of [bootstrap()].
#' @param boot.type lme4's word for `type`: `"perc"`, `"basic"`, `"norm"`.
#' @param FUN For `method = "boot"`: a function of a fit that gives the numbers for which intervals are wanted, the
#'   `statistic` of [bootstrap()]. Default: all parameters.
#' @param quiet `TRUE`: no progress bar and no message. Default `FALSE`.
#' @param oldNames,signames `TRUE` names standard deviations and correlations as lme4 does by default, `.sig01`,
#'   `.sig02` and so on, and the residual standard deviation `.sigma`. Default `FALSE`, or `TRUE` when `parm` has such
#'   names.
#' @param progress `TRUE` to show a progress bar in long work. Default: in interactive sessions only.
#' @param x What `confint()` returned.
#' @param digits Significant digits printed.
#' @param ... `confint()` takes no other argument and says so; `print()` passes them on.
#' @details
#' Profile intervals are found by a search for roots, to ten digits; nothing is interpolated. Variance parameters are
#' profiled under the criterion of the fit: REML intervals for REML fits. (`lme4` profiles the likelihood whatever the
#' fit.) Coefficients are profiled under maximum likelihood, after one refit of a REML fit. With few groups intervals
#' from tests with Satterthwaite's or Kenward and Roger's degrees of freedom are wider and hold their level better.
#'
#' Limits respect the parameter space: where the criterion at a standard deviation of 0, or a correlation of -1 or 1,
#' has not risen enough, that edge is the limit. Where an effect has variance zero its correlations are undefined:
#' their limits are NA, with a message. A coefficient that was dropped has NA limits.
#'
#' Residuals that are not alike have parameters beside `sigma`, the standard deviation in the first stratum or where all
#' covariates of `dispersion` are zero: `ratio_...`, the standard deviation of another stratum over `sigma` (1 lies
#' outside its interval when they differ); `dispersion_...`, a coefficient of the log of the standard deviation, or the
#' exponent of `power(x)`; `rho_...|series`, the correlation (for `car1()` at a distance of 1 in time, not below zero).
#' A structured random term, such as `cs(x | g)`, has each common standard deviation or correlation once, as `sd_cs|g`
#' and `cor_cs|g`. All of them are re-optimised in every profile.
#'
#' There is no Wald interval for a standard deviation or a correlation. Their likelihood is skewed, so that a symmetric
#' interval can reach below zero and covers less than it says.
#' @returns A matrix of class `lmm_confint` with a row for each parameter, named `sd_(Intercept)|Subject`,
#'   `cor_Days.(Intercept)|Subject`, `sigma`, then as the coefficients, and two columns named as by [stats::confint()],
#'   with the attributes `method` and `criterion` (`"REML"` or `"ML"` for each row). `as.data.frame()` of it has these
#'   columns and row names.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_message_argument` for words of lme4 without a meaning here (`zeta`, `parallel`);
#'   `ferrite_message_interval` where there is no interval, with the reason;
#'   `ferrite_warning_interval` for a limit that was not found (NA); `ferrite_warning_interrupted` after Ctrl-C: the
#'   limits that are not finished are NA.
#' @references Venzon and Moolgavkar (1988) \doi{10.2307/2347496}; Bates et al. (2015) \doi{10.18637/jss.v067.i01}.
#' @examples
#' # Pinheiro and Bates (2000): 18 travel times on six rails
#' fit <- lmm(travel ~ 1 + (1 | Rail), nlme::Rail, REML = FALSE)
#' confint(fit) # sd 13.9292 to 45.5470, sigma 2.8246 to 6.3777, mean 44.9607 to 88.0393
#' confint(fit, "sigma", level = 0.9)
#' confint(fit, "beta_", method = "Wald")
#' @importFrom stats confint
#' @export
confint.lmm <- function(object, parm = NULL, level = 0.95, method = c("profile", "Wald", "boot"), nsim = 1000,
                        type = c("percentile", "basic", "bca", "normal"), seed = NULL,
                        threads = object$control$threads, progress = interactive(), boot.type = NULL, FUN = NULL,
                        quiet = FALSE, oldNames = FALSE, signames = oldNames, ...) {
  call <- method_call()
  set_aside_arguments("confint", ..., words = words_of_intervals, call = call)
  method <- choose_one(method, c("profile", "Wald", "boot"), "method", call)
  type <- interval_type(type, boot.type, !missing(type), call)
  check_level(level, call)
  check_flag(quiet, "quiet", call, "argument")
  progress <- check_flag(progress, "progress", call, "argument") && !quiet
  check_flag(oldNames, "oldNames", call, "argument")
  old <- check_flag(signames, "signames", call, "argument") || oldNames
  table <- parameter_table(object)
  if (!is.null(FUN) && method == "boot") {
    check_statistic(FUN, "FUN", call)
    boot <- quietly(quiet, run_bootstrap(object, FUN, nsim, seed, threads, progress, call))
    names <- names(boot$estimate)
    picked <- pick_parameters(parm, names, rep("", length(names)), "parm", call)
    return(quietly(quiet, boot_intervals(boot, names[picked], level, type, call)))
  }
  if (!is.null(FUN)) note_without_effect("FUN", "it belongs to `method = \"boot\"`", call)
  picked <- pick_parameters(new_parameter_names(parm, table), table$name, table$kind, "parm", call)
  old <- old || (missing(oldNames) && missing(signames) && any(parm %in% old_parameter_names(table)[picked] &
    !parm %in% table$name))
  limits <- quietly(quiet, if (method == "boot") {
    boot <- run_bootstrap(object, NULL, nsim, seed, threads, progress, call)
    boot_intervals(boot, table$name[picked], level, type, call)
  } else if (method == "Wald") {
    wald_intervals(object, table[picked, ], level, call)
  } else {
    profile_intervals(profile_fits(object, table$kind[picked], call), table[picked, ], level, call, progress)
  })
  if (old) rename_limits(limits, old_parameter_names(table)[picked]) else limits
}

# What lme4's confint(), profile() and bootMer() know beside.
words_of_intervals <- c(
  zeta = "limits are found by a search for roots, without a grid",
  devtol = "the criterion is checked by the fit", maxpts = "there is no grid",
  verbose = "progress is shown by `progress`", .progress = "progress is shown by `progress`",
  PBargs = "progress is shown by `progress`",
  parallel = "threads are given by `threads`", ncpus = "threads are given by `threads`", cl = "threads are used"
)

# The kind of a bootstrap interval, by either of its names.
interval_type <- function(type, boot_type, given, call) {
  if (is.null(boot_type)) return(choose_one(type, boot_types, "type", call))
  if (given) {
    abort_ferrite("argument", "Only one of `type` and `boot.type` must be given.", "Both are.",
      hint = "They mean the same: leave `boot.type` out.", call = call, data = list(argument = "boot.type")
    )
  }
  known <- c(perc = "percentile", basic = "basic", norm = "normal", bca = "bca")
  known[[choose_one(boot_type, names(known), "boot.type", call)]]
}

# The value of an expression, without messages of this package when `quiet`.
quietly <- function(quiet, expr) {
  if (!quiet) return(expr)
  withCallingHandlers(expr, ferrite_message = function(m) invokeRestart("muffleMessage"))
}

# ".sig01", ".sig02", ..., ".sigma": the variance parameters as lme4 numbers them.
old_parameter_names <- function(table) {
  random <- table$kind %in% c("sd", "cor")
  names <- table$name
  names[random] <- sprintf(".sig%02d", seq_len(sum(random)))
  names[table$kind == "sigma"] <- ".sigma"
  names
}

# Such names as those of the rows of the table; others stay as they are.
new_parameter_names <- function(names, table) {
  if (!is.character(names)) return(names)
  at <- match(names, old_parameter_names(table))
  renamed <- !is.na(at) & !names %in% table$name
  names[renamed] <- table$name[at[renamed]]
  names
}

rename_limits <- function(limits, names) {
  rownames(limits) <- names
  names(attr(limits, "criterion")) <- names
  limits
}

#' @rdname confint.lmm
#' @export
confint.profile.lmm <- function(object, parm = NULL, level = 0.95, ...) {
  call <- method_call()
  refuse_arguments("confint", ..., call = call)
  check_level(level, call)
  fits <- attr(object, "fits")
  table <- parameter_table(fits$variance)
  parm <- new_parameter_names(parm, table)
  table <- table[match(levels(object$par), table$name), ]
  table <- table[pick_parameters(parm, table$name, table$kind, "parm", call), ]
  profile_intervals(fits, table, level, call)
}

profile_intervals <- function(fits, table, level, call, progress = FALSE) {
  limits <- matrix(NA_real_, nrow(table), 2L)
  defined <- !is.na(table$estimate)
  if (any(defined)) {
    found <- profile_values(fits, table[defined, ], stats::qnorm((1 + level) / 2), call, progress)
    done <- which(defined)[is_finished(found)]
    found <- found[is_finished(found)]
    limits[done, ] <- cbind(vapply(found, function(one) one$lower, 0), vapply(found, function(one) one$upper, 0))
    if (length(done) < sum(defined)) {
      left <- setdiff(table$name[defined], table$name[done])
      warn_interrupted(length(done), sum(defined), "interval",
        paste0("The others are NA: ", quoted_list(left), ". Ask for them with `parm`."), call)
    }
  }
  lost <- rowSums(is.nan(limits)) > 0
  limits[is.nan(limits)] <- NA_real_
  undefined <- table$name[!defined & table$kind == "cor"]
  if (length(undefined)) {
    inform_ferrite("interval", "A correlation must have two effects that vary.",
      paste0("An effect has variance zero, so ", quoted_list(undefined),
             if (length(undefined) == 1L) " has" else " have", " no estimate and no interval (NA)."),
      hint = "A random part without that effect gives the same likelihood.", call = call,
      data = list(parameters = undefined)
    )
  }
  warn_missing(table$name[lost], call)
  own <- if (fits$variance$REML) "REML" else "ML"
  new_confint(limits, table$name, level, "profile", ifelse(table$kind == "beta", "ML", own))
}

wald_intervals <- function(fit, table, level, call) {
  limits <- matrix(NA_real_, nrow(table), 2L)
  fixed <- table$kind == "beta"
  error <- sqrt(diag(vcov(fit)))[match(table$name[fixed], coefficient_parameters(fit, fit$x_names))]
  limits[fixed, ] <- table$estimate[fixed] + outer(error, c(-1, 1) * stats::qnorm((1 + level) / 2))
  if (any(!fixed)) {
    inform_ferrite("interval", "A Wald interval must be for a coefficient.",
      paste0("The likelihood of standard deviations and correlations is skewed, a symmetric interval is wrong: ",
             quoted_list(table$name[!fixed]), if (sum(!fixed) == 1L) " is NA." else " are NA."),
      hint = "For them use `method = \"profile\"` or `method = \"boot\"`.", call = call,
      data = list(parameters = table$name[!fixed])
    )
  }
  new_confint(limits, table$name, level, "Wald", rep(if (fit$REML) "REML" else "ML", nrow(table)))
}

new_confint <- function(limits, names, level, method, criterion, note = NULL) {
  tails <- c((1 - level) / 2, (1 + level) / 2)
  columns <- paste(format(100 * tails, trim = TRUE, scientific = FALSE, digits = 3L, decimal.mark = "."), "%")
  dimnames(limits) <- list(names, columns)
  structure(limits, class = c("lmm_confint", "matrix", "array"), method = method,
    criterion = stats::setNames(criterion, names), note = note
  )
}

#' @rdname confint.lmm
#' @export
print.lmm_confint <- function(x, digits = max(3L, getOption("digits") - 2L), ...) {
  check_printed(digits)
  limits <- unclass(x)
  attributes(limits) <- attributes(limits)[c("dim", "dimnames")]
  print(limits, digits = digits, ...)
  cat(confint_text(attr(x, "method"), unname(attr(x, "criterion")), attr(x, "note")), "\n", sep = "")
  invisible(x)
}

# "Profile likelihood (REML; coefficients by ML)"
confint_text <- function(method, criterion, note) {
  used <- unique(criterion)
  under <- if (length(used) == 2L) "REML; coefficients by ML" else used
  kind <- switch(method,
    profile = "Profile likelihood", Wald = "Wald", boot = "Parametric bootstrap", residual = "Residual bootstrap",
    cases = "Cases bootstrap"
  )
  paste0(kind, " (", paste(c(under, note), collapse = "; "), ")")
}
