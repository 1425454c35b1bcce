# Models of many shapes against fits that independent programs agree on (helper-reference.R has source and figures).
#
# Tolerances are those that hold between independent programs: criterion 1e-7 absolute and one-sided (a lower value is
# no failure), beta and sigma 1e-7 relative, standard errors, theta and variances 1e-5 relative, `cake_3way_ml` 1e-4
# (its criterion is flat).

relative_difference <- function(ours, theirs) {
  ours <- as.numeric(ours)
  if (length(ours) != length(theirs)) return(Inf)
  max(abs(ours - theirs)) / max(abs(theirs), 1e-8)
}

fit_reference <- function(reference) {
  data <- reference_data(reference$data)
  call <- list(quote(lmm), reference$formula, data = quote(data), REML = reference$REML)
  if (!is.null(reference$weights)) call$weights <- as.name(reference$weights)
  suppressMessages(eval(as.call(call)))
}

for (id in names(reference_fits)) {
  test_that(paste("reference fit", id), {
    reference <- reference_fits[[id]]
    fit <- fit_reference(reference)
    loose <- if (id == "cake_3way_ml") 1e-4 else 1e-5
    expect_lte(fit$criterion, reference$criterion + 1e-7)
    expect_gte(fit$criterion, reference$criterion - 1e-6)
    expect_lt(relative_difference(fixef(fit)[!is.na(fixef(fit))], reference$beta), 1e-7)
    expect_lt(relative_difference(sqrt(diag(vcov(fit, complete = FALSE))), reference$se), loose)
    expect_lt(relative_difference(sigma(fit), reference$sigma), 1e-7)
    expect_lt(relative_difference(fit$theta, reference$theta), loose)
    varcov <- unlist(lapply(fit$random, function(term) as.numeric(t(term$varcov))))
    expect_lt(relative_difference(varcov, reference$varcov), loose)
    expect_identical(isSingular(fit), reference$singular)
    expect_identical(fit$convergence$status, if (reference$singular) "on_boundary" else "converged")
    expect_lt(fit$convergence$decrement, 1e-8)
  })
}
