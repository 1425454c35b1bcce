# Other functions of the package car: Confint(), S(), brief(), matchCoefs(), influencePlot(), infIndexPlot(),
# outlierTest(), Boot().
#
# Reads   a fit.
# Writes  what car gives for models of lme4. Tests of hypotheses: linear-hypothesis.R.
# Registered by register.R when car is loaded. Plots and outlier tests are car's own, of our residuals and leverages.

car_methods <- function() {
  c(list(list("car", "infIndexPlot", "influence.lmm", car_index_plot)), listed_methods("car", list(
    Confint = car_confint, S = car_summary, brief = print_car_brief, matchCoefs = car_match,
    influencePlot = car_own("influencePlot"), infIndexPlot = car_own("infIndexPlot"),
    outlierTest = car_own("outlierTest"), Boot = car_boot
  )))
}

# car's own plot of models of lme4, whose result has the fields of ours.
car_index_plot <- function(model, ...) {
  utils::getS3method("infIndexPlot", "influence.merMod", envir = asNamespace("car"))(model, ...)
}

# Method of car::Confint(): normal limits of the fixed effects, beside their estimates.
car_confint <- function(object, estimate = TRUE, level = 0.95, vcov. = NULL, ...) { # nolint: object_name_linter.
  call <- quote(Confint())
  check_flag(estimate, "estimate", call, "argument")
  check_level(level, call)
  variance <- if (is.null(vcov.)) vcov(object, complete = FALSE) else given_variance(object, vcov., call)
  beta <- fixef(object)
  half <- rep(NA_real_, length(beta))
  half[object$kept] <- stats::qnorm((1 + level) / 2) * sqrt(diag(variance))
  limits <- cbind(beta, beta - half, beta + half)
  dimnames(limits) <- list(names(beta), c("Estimate", percent_names(level)))
  if (estimate) limits else limits[, -1L, drop = FALSE]
}

percent_names <- function(level) {
  paste(format(100 * c(1 - level, 1 + level) / 2, trim = TRUE, scientific = FALSE, digits = 3L), "%")
}

# Method of car::S(): our summary, with t tests.
car_summary <- function(object, brief = FALSE, KR = FALSE, correlation = FALSE, ...) { # nolint: object_name_linter.
  call <- quote(S())
  check_flag(brief, "brief", call, "argument")
  check_flag(KR, "KR", call, "argument")
  summary(object, ddf = if (KR) "Kenward-Roger" else "Satterthwaite", correlation = isTRUE(correlation), ...)
}

# Method of car::brief(): coefficients and standard errors side by side.
print_car_brief <- function(object, terms = ~ ., intercept = missing(terms), pvalues = FALSE, digits = 3,
                            horizontal = TRUE, ...) {
  call <- quote(brief())
  check_flag(pvalues, "pvalues", call, "argument")
  check_flag(horizontal, "horizontal", call, "argument")
  found <- summary(object)
  labels <- attr(object$terms, "term.labels")
  fixed <- stats::update.formula(stats::formula(object, fixed.only = TRUE), terms)
  chosen <- attr(stats::terms(fixed), "term.labels")
  wrong <- chosen[is.na(match_terms(chosen, labels))]
  if (length(wrong)) {
    abort_ferrite("argument", "`terms` must have terms of the model.", paste0("It has ", quoted_list(wrong), "."),
      hint = name_hint(wrong[1L], labels, "Terms"), call = call, data = list(argument = "terms")
    )
  }
  assign <- attr(kept_matrix(object), "assign")
  used <- assign %in% c(if (isTRUE(intercept)) 0L, match_terms(chosen, labels))
  table <- found$coefficients[used, c("Estimate", "Std. Error", if (pvalues) "Pr(>|t|)"), drop = FALSE]
  print(if (horizontal) t(table) else table, digits = digits)
  invisible(found)
}

# Method of car::matchCoefs(): names of coefficients.
car_match <- function(model, pattern, ...) {
  grep(pattern, names(fixef(model)), value = TRUE)
}

# car's function for linear models, which asks for residuals, leverages and distances only.
car_own <- function(name) {
  function(model, ...) utils::getS3method(name, "lm", envir = asNamespace("car"))(model, ...)
}

# Method of car::Boot(): its resampling of cases does not know groups.
car_boot <- function(object, ...) {
  abort_ferrite("argument", "`Boot()` must be given a model of independent observations.",
    "This one has random effects.", hint = "Use `bootstrap(fit)` and `confint(bootstrap(fit))`.", call = quote(Boot())
  )
}
