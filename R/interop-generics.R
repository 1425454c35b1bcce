# Small generics by which other packages ask a model for its parts: MuMIn, DHARMa, texreg, arm, clubSandwich.
#
# Reads   a fit; for clubSandwich its clusters and their covariance matrices (infer-clusters.R).
# Writes  vectors and matrices as each of them gives for models of lme4.
# Registered by util-load.R when such a package is loaded; texreg and arm have S4 generics.

# MuMIn, DHARMa, texreg, arm -------------------------------------------------------------------------------------------

part_methods <- function() {
  c(
    listed_methods("arm", list(sigma.hat = arm_deviations)),
    listed_methods("MuMIn", list(r.squaredGLMM = nakagawa_shares, coeffs = plain_estimates)),
    listed_methods("DHARMa", list(
      getObservedResponse = observed_response, getSimulations = simulated_responses, getFitted = population_means,
      getFixedEffects = plain_estimates, getRefit = refit_response, getResiduals = plain_residuals
    ))
  )
}

# S4 methods for packages that may come later: package, generic, method.
s4_methods <- function() {
  list(
    list("texreg", "extract", texreg_parts),
    list("arm", "display", print_arm_display),
    list("arm", "se.coef", arm_errors)
  )
}

# Set `method` for the class now if the package is loaded, and whenever it is loaded later. The methods are kept in an
# environment of this package's own, as its namespace is sealed by then.
register_s4 <- function(package, generic, method) {
  register <- function(...) {
    space <- asNamespace(package)
    if (!methods::isGeneric(generic, where = space)) return(invisible())
    home <- new.env(parent = space)
    methods::setOldClass("lmm", where = home)
    methods::setMethod(methods::getGeneric(generic, where = space), "lmm", method, where = home)
  }
  if (isNamespaceLoaded(package)) register()
  setHook(packageEvent(package, "onLoad"), register)
  invisible()
}

plain_estimates <- function(model, ...) fixef(model, complete = FALSE)

# Method of MuMIn::r.squaredGLMM(): R2 of the fixed effects, and with the random ones.
nakagawa_shares <- function(object, null, ...) {
  parts <- variance_parts(object)
  residual <- object$sigma^2 * mean_residual_variance(object)
  random <- sum(parts$variance)
  shares <- c(R2m = parts$fixed, R2c = parts$fixed + random) / (parts$fixed + random + residual)
  matrix(shares, 1L, dimnames = list(NULL, c("R2m", "R2c")))
}

# Methods for DHARMa: its residuals are ranks of the response among simulated ones.
observed_response <- function(object, ...) object$frame[[1L]]

simulated_responses <- function(object, nsim = 1, type = c("normal", "refit"), ...) {
  type <- choose_one(type, c("normal", "refit"), "type", quote(getSimulations()))
  draws <- simulate(object, nsim = nsim, ...)
  if (type == "refit") draws else data.matrix(draws)
}

population_means <- function(object, ...) predict(object, re.form = NA)

refit_response <- function(object, newresp, ...) refit.lmm(object, newresp)

plain_residuals <- function(object, ...) residuals(object)

# Method of texreg::extract(): a column of its tables.
texreg_parts <- function(model, ddf = ddf_methods, include.variance = TRUE, include.loglik = TRUE, # nolint
                         include.nobs = TRUE, include.groups = TRUE, ...) { # nolint: object_name_linter.
  do.call(getExportedValue("texreg", "createTexreg"),
    texreg_arguments(model, ddf, include.variance, include.loglik, include.nobs, include.groups))
}

texreg_arguments <- function(fit, ddf, variance, loglik, nobs, groups) {
  tests <- fixed_tests(inference_of(fit, ddf, quote(extract())))
  components <- as.data.frame(VarCorr(fit), order = "lower.tri")
  residual <- components$grp == "Residual"
  single <- is.na(components$var2)
  names <- ifelse(residual, "Var: Residual",
    ifelse(single, paste0("Var: ", components$grp, " ", components$var1),
      paste("Cov:", components$grp, components$var1, components$var2)))
  level <- ngrps(fit)
  counts <- c(if (nobs) fit$nobs, if (groups) level)
  values <- c(
    if (loglik) c(stats::AIC(fit), stats::BIC(fit), as.numeric(logLik(fit))), counts,
    if (variance) components$vcov
  )
  labels <- c(
    if (loglik) c("AIC", "BIC", "Log Likelihood"), if (nobs) "Num. obs.",
    if (groups) paste("Num. groups:", names(level)), if (variance) names
  )
  whole <- labels %in% c("Num. obs.", paste("Num. groups:", names(level)))
  list(
    coef.names = rownames(tests), coef = unname(tests[, 1L]), se = unname(tests[, 2L]),
    pvalues = unname(tests[, ncol(tests)]), gof.names = labels, gof = unname(values), gof.decimal = !whole
  )
}

# Method of arm::display(): estimates and standard errors, the random effects, sizes.
print_arm_display <- function(object, digits = 2, detail = FALSE, ...) {
  table <- fixed_tests(inference_of(object, "asymptotic", quote(display())))
  columns <- if (detail) seq_len(ncol(table)) else 1:2
  shown <- table[, columns, drop = FALSE]
  colnames(shown)[1:2] <- c("coef.est", "coef.se")
  print(object$call)
  print(noquote(format(round(shown, digits), nsmall = digits)))
  cat("\nError terms:\n")
  print(VarCorr(object), digits = digits + 1L)
  level <- ngrps(object)
  cat("---\nnumber of obs: ", object$nobs, ", groups: ", paste(names(level), level, sep = ", ", collapse = "; "), "\n",
    "AIC = ", format(round(stats::AIC(object), 1L), nsmall = 1L), ", deviance = ",
    format(round(deviance(object, REML = FALSE), 1L), nsmall = 1L), "\n", sep = "")
  invisible(table)
}

# Method of arm::se.coef(): standard errors of fixed and of random effects.
arm_errors <- function(object, ...) {
  random <- lapply(unclass(ranef(object)), function(table) {
    structure(conditional_sd(attr(table, "postVar")), dimnames = list(rownames(table), names(table)))
  })
  c(list(fixef = unname(sqrt(diag(vcov(object, complete = FALSE))))), random)
}

# Method of arm::sigma.hat(): standard deviations and correlations, of the residuals and of each grouping factor.
arm_deviations <- function(object, ...) {
  components <- VarCorr(object)
  cors <- lapply(unclass(components), function(one) {
    correlation <- attr(one, "correlation")
    if (length(correlation) > 1L) correlation else NA
  })
  attributes(cors) <- list(names = names(components))
  sigmas <- lapply(stats::setNames(nm = names(components)), function(name) attr(components[[name]], "stddev"))
  list(sigma = c(list(data = object$sigma), sigmas), cors = c(list(data = NA), cors))
}

# clubSandwich ---------------------------------------------------------------------------------------------------------
#
# matrices of n rows.

club_sandwich_methods <- function() {
  c(
    listed_methods("clubSandwich", list(
      vcovCR = vcov_cr_lmm, model_matrix = club_matrix, residuals_CS = club_residuals, coef_CS = club_estimates,
      targetVariance = club_variances, weightMatrix = club_weights, v_scale = club_scale
    )),
    list(list("sandwich", "bread", "lmm", club_bread))
  )
}

# Method of clubSandwich::vcovCR(), through which insight and parameters ask for `vcov = "CR2"` too.
vcov_cr_lmm <- function(obj, cluster = NULL, type = "CR2", target = NULL, inverse_var = is.null(target),
                        form = "sandwich", ...) {
  call <- quote(vcovCR())
  type <- choose_one(type, c("CR2", "CR0", "CR1", "CR1p", "CR1S", "CR3", "CR4"), "type", call)
  found <- find_clusters(obj, cluster, design_of(obj), call)
  values <- factor(found$codes, seq_len(found$n), or_else(found$labels, seq_len(found$n)))
  own <- utils::getS3method("vcovCR", "default", envir = asNamespace("clubSandwich"))
  own(obj, cluster = values, type = type, target = target, inverse_var = inverse_var, form = form)
}

club_matrix <- function(obj) kept_matrix(obj)

club_estimates <- function(obj) fixef(obj, complete = FALSE)

club_residuals <- function(obj) {
  design <- design_of(obj)
  design$y - fixed_part(obj, design)
}

# Cluster by cluster, in the order of the levels; rows in the order of the data.
club_variances <- function(obj, cluster) {
  cluster <- droplevels(as.factor(cluster))
  design <- design_of(obj)
  clusters <- list(codes = as.integer(cluster), n = nlevels(cluster))
  working <- working_model(obj, design, clusters)
  begins <- c(0L, working$ends[-length(working$ends)]) + 1L
  parts <- Map(function(first, last) whole_cluster(first:last, working)$v, begins, working$ends)
  stats::setNames(parts, levels(cluster))
}

club_weights <- function(obj, cluster) lapply(club_variances(obj, cluster), function(v) chol2inv(chol(v)))

# The factor that meat is divided and bread multiplied by: for models of lme4 the smallest number of levels.
club_scale <- function(obj) min(ngrps(obj))

club_bread <- function(x, ...) vcov(x, complete = FALSE) * club_scale(x) / x$sigma^2
