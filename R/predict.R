#' Predictions
#'
#' @param object An object of class `lmm`.
#' @param newdata Data frame with the variables of the model; `NULL` (default) predicts for the data of the fit. A row
#'   with a missing value in a variable that is needed gets `NA`.
#' @param re.form Which random effects count. `NULL` (default): all. `NA` or `~ 0`: none, the population mean. A
#'   one-sided formula such as `~ (1 | Subject)`: those effects of those factors.
#' @param allow.new.levels `FALSE` (default): a level of a grouping factor that was not in the fit is an error. `TRUE`:
#'   its random effects count as zero, their mean.
#' @param ... No other argument is known.
#' @returns A vector with one prediction per row, named by the rows. Without `newdata` and with `re.form = NULL` these
#'   are the fitted values. The offset is included. If columns of the model matrix were dropped as linearly dependent, a
#'   new row for which the prediction would depend on that choice gets `NA`, with a warning.
#' @section Conditions:
#'   `ferrite_error_newdata` (columns missing or of another kind), `ferrite_error_new_levels`, `ferrite_error_re_form`,
#'   `ferrite_warning_not_estimable`.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' new <- data.frame(age = c(9, 11), Subject = "M01")
#' predict(fit, new, re.form = NA) # 16.7611 + 0.660185 * age: 22.7028 24.0231
#' predict(fit, new)
#' @importFrom stats predict
#' @export
predict.lmm <- function(object, newdata = NULL, re.form = NULL, allow.new.levels = FALSE, ...) {
  call <- method_call()
  refuse_arguments("predict", ..., call = call)
  chosen <- chosen_effects(object, re.form, call)
  if (is.null(newdata)) {
    design <- design_of(object)
    codes <- lapply(design$factors, function(factor) factor$codes)
    bases <- lapply(design$terms, function(term) term$basis)
    values <- fixed_part(object, design) + chosen_part(object, chosen, bases, codes, object$nobs)
    return(by_row(object, values, stats::napredict))
  }
  newdata <- check_newdata(newdata, call)
  complete <- which(complete_rows(object, chosen, newdata, call))
  values <- stats::setNames(rep(NA_real_, nrow(newdata)), rownames(newdata))
  if (length(complete)) {
    values[complete] <- predict_rows(object, newdata[complete, , drop = FALSE], chosen, allow.new.levels, call)
  }
  values
}

# Predictions for rows without missing values.
predict_rows <- function(fit, newdata, chosen, allow_new, call) {
  n <- nrow(newdata)
  frame <- new_frame(fit$terms, fit$xlevels, newdata, call)
  x <- new_columns(fit$terms, frame, fit$contrasts, call)
  total <- times_blocks(x, unname(fit$beta), n) + new_offset(fit, frame, newdata, call)
  total[not_estimable(fit, x, n, call)] <- NA
  used <- vapply(chosen, any, NA)
  codes <- vector("list", length(fit$factors))
  for (k in unique(vapply(fit$random[used], function(term) as.integer(term$factor), 0L))) {
    codes[[k]] <- new_codes(fit, k, newdata, allow_new, call)
  }
  bases <- vector("list", length(fit$random))
  for (k in which(used)) {
    term <- fit$random[[k]]
    bases[[k]] <- new_basis(term, new_frame(term$lhs, term$xlevels, newdata, call), call)
  }
  total + chosen_part(fit, chosen, bases, codes, n)
}

# The contribution of the chosen effects. A code of NA (a new level) contributes zero.
chosen_part <- function(fit, chosen, bases, codes, n) {
  total <- numeric(n)
  for (k in which(vapply(chosen, any, NA))) {
    term <- fit$random[[k]]
    b <- rbind(term$b, 0)
    b[, !chosen[[k]]] <- 0
    own <- codes[[term$factor]]
    own[is.na(own)] <- nrow(b)
    total <- total + times_levels(bases[[k]], b, own)
  }
  total
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
