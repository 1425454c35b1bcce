# Which random effects count: `re.form` of lme4 as one logical vector per random term, `level` of nlme as the number of
# grouping factors that count, from the outermost (0 is the population).
#
# Reads   a fit and what the user gave; no data.
# Writes  the random effects that count; for several levels tables as nlme's.
# Raises  `ferrite_error_re_form`, `ferrite_error_argument`.
# Used by extract-coef.R, extract-residuals.R, predict-lmm.R, predict-simulate.R, interop-nlme.R.

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

# `level` of nlme ------------------------------------------------------------------------------------------------------

is_whole <- function(x) is.numeric(x) && length(x) > 0L && all(is.finite(x)) && all(x == trunc(x))

# Grouping factors from the outermost to the innermost.
outermost_first <- function(fit) rev(factor_order(fit))

# `level` as numbers; those between none and all need nested factors.
check_nlme_level <- function(fit, level, call, least = 0L) {
  factors <- outermost_first(fit)
  most <- length(factors)
  if (!is_whole(level) || anyDuplicated(level) || any(level < least | level > most)) {
    bad_setting(level, "level", sprintf("numbers of levels of grouping, from %d to %d", least, most), call, "argument")
  }
  if (all(level %in% c(0L, most)) || nested_factors(fit, factors)) return(sort(as.integer(level)))
  names <- vapply(fit$factors[factors], `[[`, "", "name")
  abort_ferrite("argument", "`level` must be 0 or that of all factors where grouping factors are not nested.",
    sprintf("%s are crossed.", quoted_list(names)),
    hint = "Say by `re.form` which random effects count, as in `re.form = ~ (1 | g)`.", call = call,
    data = list(argument = "level")
  )
}

nested_factors <- function(fit, factors) {
  factors <- design_of(fit)$factors[factors]
  all(vapply(seq_along(factors)[-1L], function(k) !is.null(parent_codes(factors[[k]], factors[[k - 1L]])), NA))
}

# For each random term: do its effects count at this level?
effects_to_level <- function(fit, level) {
  counted <- utils::head(outermost_first(fit), level)
  lapply(fit$random, function(term) rep(as.integer(term$factor) %in% counted, length(term$effects)))
}

# "fixed", "Lot", "Wafer": an inner factor by the variable that it adds to the one around it.
level_labels <- function(fit) {
  factors <- fit$factors[outermost_first(fit)]
  c("fixed", vapply(seq_along(factors), function(k) {
    new <- setdiff(factors[[k]]$variables, if (k > 1L) factors[[k - 1L]]$variables)
    if (length(new) == 1L) new else factors[[k]]$name
  }, ""))
}

# Means of the rows of the fit at each level, a matrix.
means_to_level <- function(fit, level) {
  rows <- rows_of_fit(fit)
  means <- vapply(level, function(one) mean_of_rows(fit, rows, effects_to_level(fit, one)), numeric(fit$nobs))
  matrix(means, ncol = length(level), dimnames = list(rownames(fit$frame), level_labels(fit)[level + 1L]))
}

# A vector named by the rows for one level, a matrix for several.
values_of_level <- function(fit, values, restore) {
  values <- restore(fit$na.action, values)
  if (ncol(values) == 1L) values[, 1L] else values
}

# The levels of the grouping factors in the rows of `data`, an inner one with those around it: "1/2".
level_groups <- function(fit, data, call) {
  factors <- fit$factors[outermost_first(fit)]
  labels <- level_labels(fit)[-1L]
  columns <- list()
  for (k in seq_along(factors)) {
    values <- group_values(factors[[k]], fit, data, call)
    own <- or_else(values[[labels[k]]], interaction(values, sep = ":", drop = TRUE))
    columns[[labels[k]]] <- if (k == 1L) as.factor(own) else factor(paste(columns[[k - 1L]], own, sep = "/"))
  }
  as.data.frame(columns, optional = TRUE)
}

# Is predict()'s `level` nlme's? A coverage is no whole number.
is_nlme_level <- function(level, interval, re_form, call) {
  if (!is_whole(level)) return(FALSE)
  if (interval == "none" && is.null(re_form)) return(TRUE)
  abort_ferrite("argument", "`level` must be a coverage between 0 and 1 where there is an interval or `re.form`.",
    sprintf("It is %s, as of nlme, where it says how many grouping factors count.", plain_list(level)),
    hint = if (interval == "none") "Leave out one of `level` and `re.form`."
    else "Write `re.form = NA` for `level = 0`, and leave `level` out.",
    call = call, data = list(argument = "level")
  )
}

# nlme's table: the grouping factors, and the predictions at each level.
predict_levels <- function(fit, newdata, level, se_fit, one_level, call) {
  if (se_fit) bad_setting(level, "level", "one number where standard errors are asked for", call, "argument")
  values <- lapply(level, one_level)
  rows <- if (is.null(newdata)) fit$frame else check_newdata(newdata, call)
  groups <- level_groups(fit, rows, call)[match(names(values[[1L]]), rownames(rows)), , drop = FALSE]
  names(values) <- paste0("predict.", level_labels(fit)[level + 1L])
  structure(c(as.list(groups), lapply(values, unname)), row.names = names(values[[1L]]), class = "data.frame")
}
