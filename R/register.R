# Methods for generics of packages that may or may not be there: registered when that package is loaded.

# Register `method` as generic.class in `package` now if it is loaded, and whenever it is loaded later.
register_s3 <- function(package, generic, class, method) {
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
    list("knitr", "knit_print", "ranova_lmm", knit_print_ranova),
    list("knitr", "knit_print", "lmm_comparison", knit_print_comparison),
    list("knitr", "knit_print", "icc_lmm", knit_print_icc),
    list("knitr", "knit_print", "varcomp_anova", knit_print_moments),
    list("lmerTest", "contest", "lmm", contest.lmm),
    list("lme4", "isREML", "lmm", isREML.lmm),
    list("lme4", "ngrps", "lmm", ngrps.lmm),
    list("lme4", "getME", "lmm", get_me_lmm),
    list("lme4", "isLMM", "lmm", function(x, ...) TRUE),
    list("lme4", "isGLMM", "lmm", function(x, ...) FALSE),
    list("lme4", "isNLMM", "lmm", function(x, ...) FALSE)
  )
}

# Called once, by .onLoad().
register_foreign_methods <- function() {
  for (entry in foreign_methods()) do.call(register_s3, entry)
}
