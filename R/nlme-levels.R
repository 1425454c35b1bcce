# `level` of nlme: how many grouping factors count, from the outermost. 0 is the population.
#
# Reads   a fit, and `level` of fitted(), residuals(), predict(), ranef(), coef().
# Writes  which random effects count, as `re.form` does (re-form.R); for several levels tables as nlme's.
# Raises  `ferrite_error_argument`.
# Used by residuals.R, predict.R, ranef.R, coef.R, nlme.R.

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
