# re.form: which random effects count, as one logical vector per random term.
#
# Reads   a fit and what the user gave; no data.
# Raises  `ferrite_error_re_form`.
# Used by predict.R, simulate.R.

# `re.form`, or what lme4's old words for it in `...` say; anything else there is refused.
re_form_of <- function(verb, re_form, ..., call) {
  old <- ...names() %in% c("ReForm", "REForm", "REform")
  if (sum(old) != ...length() || sum(old) > 1L) refuse_arguments(verb, ..., call = call)
  if (any(old)) ...elt(which(old)) else re_form
}

# re.form as one logical vector per random term: which of its effects count.
chosen_effects <- function(fit, re_form, call) {
  sizes <- lapply(fit$random, function(term) rep(FALSE, length(term$effects)))
  if (is.null(re_form)) {
    return(lapply(sizes, `!`))
  }
  if (length(re_form) == 1L && is.atomic(re_form) && is.na(re_form)) {
    return(sizes)
  }
  if (!inherits(re_form, "formula") || length(re_form) != 2L) {
    bad_re_form(fit, paste0("It is ", a_kind(re_form), "."), call)
  }
  if (identical(re_form[[2L]], 0) || identical(re_form[[2L]], quote(-1))) {
    return(sizes)
  }
  check_text(all.names(re_form), "re_form", "The names in `re.form`", call)
  parts <- split_terms(re_form[[2L]], re_form, call)
  if (!is.null(parts$fixed)) bad_re_form(fit, sprintf("It has the fixed part `%s`.", code_text(parts$fixed)), call)
  bars <- lapply(parts$bars, read_bar, call = call)
  for (term in unlist(lapply(bars, terms_of_bar, dots = character(), call = call), recursive = FALSE)) {
    sizes <- choose_term(fit, sizes, term, environment(re_form), call)
  }
  sizes
}

# Mark the effects of one term of re.form in the terms of the fit that have them.
choose_term <- function(fit, sizes, term, env, call) {
  same <- vapply(fit$random, function(own) {
    setequal(fit$factors[[own$factor]]$variables, term$variables)
  }, NA)
  if (!any(same)) bad_re_form(fit, sprintf("The model has no random term for `%s`.", term$group), call)
  lhs <- stats::terms(stats::as.formula(call("~", term$lhs), env))
  wanted <- unlist(lapply(which(same), function(k) wanted_columns(fit, fit$random[[k]], lhs)))
  for (k in which(same)) sizes[[k]] <- sizes[[k]] | fit$random[[k]]$effects %in% wanted
  there <- unlist(lapply(fit$random[same], function(own) own$effects))
  lost <- setdiff(wanted, there)
  if (length(lost)) bad_re_form(fit, sprintf("`%s` has no random effect %s.", term$group, quoted_list(lost)), call)
  sizes
}

# Names of the columns of a left-hand side, found without data: the terms of the fit tell which columns a label has.
wanted_columns <- function(fit, own, lhs) {
  labels <- attr(lhs, "term.labels")
  intercept <- if (attr(lhs, "intercept") == 1L) "(Intercept)"
  if (setequal(labels, attr(own$lhs, "term.labels"))) {
    names <- columns_of(own$lhs, utils::head(fit$frame, 1L), own$contrasts)$names
    return(c(intercept, setdiff(names, "(Intercept)")))
  }
  c(intercept, labels)
}

bad_re_form <- function(fit, found, call) {
  texts <- unique(vapply(fit$random, function(term) {
    sprintf("(%s | %s)", paste(sub("(Intercept)", "1", term$effects, fixed = TRUE), collapse = " + "), term$group)
  }, ""))
  abort_ferrite("re_form", "`re.form` must be NULL, NA, or a one-sided formula with random terms of the model.", found,
    hint = paste0("The model has ", quoted_list(texts), "."), call = call
  )
}
