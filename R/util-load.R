# What happens when the package is built and loaded: checks in front of every method, methods for generics of packages
# that may or may not be there.

# Register `method` as generic.class in `package` now if it is loaded, and whenever it is loaded later.
register_s3 <- function(package, generic, class, method) {
  method <- guarded(method, class, generic, foreign = TRUE)
  register <- function(...) {
    space <- asNamespace(package)
    if (exists(generic, envir = space, mode = "function")) {
      registerS3method(generic, class, method, envir = space)
    }
  }
  if (isNamespaceLoaded(package)) register()
  setHook(packageEvent(package, "onLoad"), register)
  invisible()
}

# package, generic, class, method. lme4's generics are other functions than ours of the same name.
foreign_methods <- function() {
  list(
    list("knitr", "knit_print", "lmm", knit_print_lmm),
    list("knitr", "knit_print", "summary.lmm", knit_print_summary),
    list("knitr", "knit_print", "VarCorr.lmm", knit_print_varcorr),
    list("knitr", "knit_print", "ranef.lmm", knit_print_ranef),
    list("knitr", "knit_print", "coef.lmm", knit_print_ranef),
    list("knitr", "knit_print", "contest", knit_print_contest),
    list("knitr", "knit_print", "anova", knit_print_anova),
    list("knitr", "knit_print", "lmm_confint", knit_print_confint),
    list("knitr", "knit_print", "profile.lmm", knit_print_profile),
    list("knitr", "knit_print", "lmm_bootstrap", knit_print_bootstrap),
    list("knitr", "knit_print", "lmm_convergence", knit_print_convergence),
    list("knitr", "knit_print", "influence.lmm", knit_print_influence),
    list("knitr", "knit_print", "lmm_refits", knit_print_refits),
    list("knitr", "knit_print", "lmm_plan", knit_print_plan),
    list("knitr", "knit_print", "ranova_lmm", knit_print_ranova),
    list("knitr", "knit_print", "lmm_comparison", knit_print_comparison),
    list("knitr", "knit_print", "icc_lmm", knit_print_icc),
    list("knitr", "knit_print", "varcomp_anova", knit_print_moments),
    list("knitr", "knit_print", "lmm_shrinkage", knit_print_shrinkage),
    list("knitr", "knit_print", "lmm_robust", knit_print_robust),
    list("generics", "tidy", "lmm_robust", tidy_robust),
    list("ggplot2", "autoplot", "lmm", autoplot_lmm),
    list("ggplot2", "autoplot", "profile.lmm", autoplot_profile),
    list("emmeans", "recover_data", "lmm", recover_data_lmm),
    list("emmeans", "emm_basis", "lmm", emm_basis_lmm),
    list("multcomp", "modelparm", "lmm", modelparm_lmm),
    list("car", "linearHypothesis", "lmm", linear_hypothesis_lmm),
    list("car", "Anova", "lmm", car_anova_lmm),
    list("car", "deltaMethod", "lmm", delta_method_lmm),
    list("car", "vif", "lmm", vif_lmm),
    list("effects", "effSources", "lmm", eff_sources_lmm),
    list("ggeffects", "get_predictions", "lmm", get_predictions_lmm),
    list("marginaleffects", "get_coef", "lmm", get_coef_lmm),
    list("marginaleffects", "set_coef", "lmm", set_coef_lmm),
    list("marginaleffects", "get_vcov", "lmm", get_vcov_lmm),
    list("marginaleffects", "get_predict", "lmm", get_predict_lmm),
    list("lmerTest", "contest", "lmm", contest_by_model),
    list("lmerTest", "contest1D", "lmm", contest_one),
    list("lmerTest", "contestMD", "lmm", contest_several),
    list("lmerTest", "ls_means", "lmm", ls_means.lmm),
    list("lmerTest", "lsmeansLT", "lmm", ls_means.lmm),
    list("lmerTest", "difflsmeans", "lmm", difflsmeans.lmm),
    list("lmerTest", "show_tests", "lmm_means", show_tests.default),
    list("lmerTest", "step", "lmm", eliminate.lmm),
    list("lmerTest", "get_model", "lmm_step", get_model.lmm_step),
    list("lme4", "isREML", "lmm", isREML.lmm),
    list("lme4", "ngrps", "lmm", ngrps.lmm),
    list("lme4", "getME", "lmm", getME.lmm),
    list("lme4", "refit", "lmm", refit.lmm),
    list("lme4", "refitML", "lmm", refitML.lmm),
    list("lme4", "rePCA", "lmm", rePCA.lmm),
    list("lme4", "isLMM", "lmm", function(x, ...) TRUE),
    list("lme4", "isGLMM", "lmm", function(x, ...) FALSE),
    list("lme4", "isNLMM", "lmm", function(x, ...) FALSE)
  )
}

# Called once, by .onLoad().
register_foreign_methods <- function() {
  methods <- c(
    foreign_methods(), tidy_methods(), insight_methods(), performance_methods(), parameters_methods(),
    club_sandwich_methods(), car_methods(), nlme_methods(), lattice_methods(), result_plots(), part_methods()
  )
  for (entry in methods) do.call(register_s3, entry)
  for (entry in s4_methods()) do.call(register_s4, entry)
  offer_to_marginaleffects()
}

#' @useDynLib ferrite, .registration = TRUE
NULL

# When the package is built, after all other files were read: the checks of util-guard.R stand in front of every method.
guard_methods(environment())

.onLoad <- function(libname, pkgname) {
  register_foreign_methods()
}

.onUnload <- function(libpath) {
  library.dynam.unload("ferrite", libpath)
}
