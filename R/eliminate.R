# Backward elimination of random and fixed terms, in the words of lmerTest.
#
# Reads   a fit, its data again (update.R): each smaller model is a fit of its own.
# Writes  `lmm_step`: the tables of both stages; attributes `model` (the last fit) and `drop1` (its table).
# Tests: those of ranova.R (mixtures of chi-squares) and of drop1.R. Used by register.R too, for lmerTest's generics.

#' Backward elimination
#'
#' Removes random terms, then fixed ones, each time the one with the largest p-value above a limit, and fits again. The
#' procedure, the arguments and the tables are those of lmerTest's `step()`, which works on our fits too. It is a
#' search: p-values and intervals of the model that it ends with do not know of it.
#'
#' @param object An object of class `lmm`.
#' @param ddf Denominator degrees of freedom: `"Satterthwaite"` (default) or `"Kenward-Roger"`, see [contest()].
#' @param alpha.random,alpha.fixed The p-value above which a random (0.1) or fixed (0.05) term goes.
#' @param reduce.random,reduce.fixed `FALSE`: leave the random or the fixed part as it is.
#' @param keep Names of terms of the fixed part that stay.
#' @param ... Not used.
#' @details
#'   Random terms are reduced as in [ranova()]: a slope goes before the intercept of its term, a term of one column as a
#'   whole. The p-values are the column `Pr(>Chisq)` there, of the mixture that a variance on the boundary needs, and
#'   so at most those of lmerTest, which takes a plain chi-square: fewer random terms go. The last random term stays,
#'   with a message, as a model must have one. Fixed terms are tested as in [drop1()], so that no term goes that is
#'   contained in another.
#'
#'   The data are looked up again as by [update()].
#' @returns An object of class `lmm_step`, a list of two tables of class `anova`: `random` (`Eliminated`, `npar`,
#'   `logLik`, `AIC`, `LRT`, `Df`, `Pr(>Chisq)`) and `fixed` (`Eliminated`, `Sum Sq`, `Mean Sq`, `NumDF`, `DenDF`,
#'   `F value`, `Pr(>F)`). `Eliminated` numbers the terms that went; it is 0 for those that stay, tested in the last
#'   model of the stage. `get_model()` takes the last model out.
#' @section Conditions:
#'   `ferrite_error_argument`; `ferrite_error_step` when a smaller model has other rows than the fit, because the term
#'   that went had missing values, or cannot be written as a formula; `ferrite_message_step` when the last random term
#'   would go; those of [lmm()] and [update()].
#' @section Beside stats and lmerTest:
#'   `stats::step()` is another procedure, by AIC, and no generic function; so that it is not masked, this one has a
#'   name of its own. With lmerTest attached `step(fit)` is this elimination.
#' @seealso [ranova()], [drop1.lmm()].
#' @examples
#' fit <- lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont)
#' found <- eliminate(fit)
#' found # the slopes go, LRT 1.176
#' formula(get_model(found)) # distance ~ age * Sex + (1 | Subject)
#' @export
eliminate <- function(object, ...) {
  UseMethod("eliminate")
}

#' @export
eliminate.default <- function(object, ...) {
  if (inherits(object, "merMod") && requireNamespace("lmerTest", quietly = TRUE)) {
    return(getExportedValue("lmerTest", "step")(object, ...))
  }
  abort_ferrite("argument", "`eliminate()` must be given a fitted mixed model.",
    paste0("It was given ", a_kind(object), "."), hint = "Use `step()` for other models.", call = method_call()
  )
}

#' @rdname eliminate
#' @export
eliminate.lmm <- function(object, ddf = c("Satterthwaite", "Kenward-Roger"), alpha.random = 0.1, # nolint
                          alpha.fixed = 0.05, reduce.fixed = TRUE, reduce.random = TRUE, # nolint: object_name_linter.
                          keep = NULL, ...) {
  call <- method_call()
  refuse_arguments("eliminate", ..., call = call)
  ddf <- choose_one(ddf, ddf_methods[1:2], "ddf", call)
  check_share(alpha.random, "alpha.random", call)
  check_share(alpha.fixed, "alpha.fixed", call)
  check_flag(reduce.fixed, "reduce.fixed", call, "argument")
  check_flag(reduce.random, "reduce.random", call, "argument")
  keep <- check_keep(keep, object, call)
  caller <- parent.frame()
  random <- eliminate_random(object, if (reduce.random) alpha.random else 1, caller, call)
  fixed <- eliminate_fixed(random$fit, if (reduce.fixed) alpha.fixed else 1, ddf, keep, caller, call)
  structure(
    list(random = random$table, fixed = fixed$table), model = fixed$fit, drop1 = fixed$drop1, class = "lmm_step"
  )
}

check_share <- function(x, name, call) {
  good <- is.numeric(x) && length(x) == 1L && !is.na(x) && x >= 0 && x <= 1
  if (!good) bad_setting(x, name, "one number from 0 to 1", call, "argument")
}

check_keep <- function(keep, fit, call) {
  labels <- attr(fit$terms, "term.labels")
  if (!length(keep)) return(character())
  found <- if (is.character(keep)) match_terms(keep, labels) else NA
  if (!anyNA(found)) return(labels[found])
  abort_ferrite("argument", "`keep` must name terms of the fixed part.",
    paste0("It is ", if (is.character(keep)) quoted_list(keep[is.na(found)]) else a_kind(keep), "."),
    hint = if (is.character(keep)) name_hint(keep[is.na(found)][1L], labels, "Terms") else "Leave it out.",
    call = call, data = list(argument = "keep")
  )
}

# Random terms ----------------------------------------------------------------------------------------------------

eliminate_random <- function(fit, alpha, caller, call) {
  none <- data.frame(
    npar = fit$npar, logLik = -fit$criterion / 2, AIC = fit$criterion + 2 * fit$npar, LRT = NA_real_, Df = NA_integer_,
    p = NA_real_, row.names = "<none>"
  )
  gone <- list()
  repeat {
    design <- design_of(fit)
    reductions <- random_reductions(fit, design, TRUE)
    rows <- lapply(reductions, function(reduction) {
      reduction$removed <- NULL # no exact null distribution: its p-value is not used here
      reduction_row(fit, design, reduction, 1L, 1L, call)[names(none)]
    })
    rows <- do.call(rbind, rows)
    rownames(rows) <- make.unique(vapply(reductions, `[[`, "", "label"))
    worst <- which.max(rows$p)
    if (!length(worst) || rows$p[worst] <= alpha) break
    if (!length(reductions[[worst]]$terms)) {
      report_last(rownames(rows)[worst], rows$p[worst], call)
      break
    }
    gone[[length(gone) + 1L]] <- rows[worst, ]
    fit <- smaller_fit(fit, stats::formula(fit, fixed.only = TRUE), random_texts(fit, reductions[[worst]]$terms, call),
      caller, call)
  }
  all <- c(list(none), gone, list(rows))
  table <- cbind(Eliminated = c(NA, seq_along(gone), rep(0, nrow(rows))), stack_rows(all))
  names(table)[7L] <- "Pr(>Chisq)"
  heading <- "Backward elimination of random terms\n"
  list(fit = fit, table = structure(table, heading = heading, class = c("anova", "data.frame")))
}

# Rows below each other that keep their names; a name that stands again gets a number.
stack_rows <- function(tables) {
  names <- make.unique(unlist(lapply(tables, rownames)))
  table <- do.call(rbind, lapply(tables, function(rows) {
    rownames(rows) <- NULL
    rows
  }))
  rownames(table) <- names
  table
}

report_last <- function(label, p, call) {
  inform_ferrite("step", "A model must have a random term.",
    sprintf("The last one, `%s`, stays although its p-value is %s.", label, format.pval(p, 3L)),
    hint = "For independent observations use `lm()`.", call = call, data = list(term = label, p_value = p)
  )
}

# The random terms of a reduction as expressions. A bar all of whose parts are still there is written as it was.
random_texts <- function(fit, terms, call) {
  texts <- vapply(terms, `[[`, "", "text")
  whole <- vapply(fit$random, `[[`, "", "text")
  written <- lapply(formula_bars(fit), function(bar) terms_of_bar(read_bar(bar, call), character(), call))
  written <- vapply(unlist(written, recursive = FALSE), `[[`, "", "text")
  lapply(intersect(written, texts), function(text) {
    own <- terms[texts == text]
    before <- fit$random[whole == text]
    effects <- function(parts) lapply(parts, `[[`, "effects")
    bar <- str2lang(text)
    if (identical(effects(own), effects(before))) return(bar)
    inner <- strip_parens(bar)
    structured <- is_structured(inner)
    group <- if (structured) inner[[2L]][[3L]] else inner[[3L]]
    made <- lapply(own, function(term) {
      lhs <- if (length(before) > 1L) single_column(term, text, call) else stats::formula(term$lhs)[[2L]]
      bar <- call("|", lhs, group)
      if (!structured || is.null(term$structure)) return(call("(", bar))
      inner[[2L]] <- bar
      inner
    })
    sum_of(made)
  })
}

# The random terms of a formula as they are written.
formula_bars <- function(fit) split_terms(fit$formula[[3L]], fit$formula, NULL)$bars

as_summand <- function(bar) if (is_bar(bar)) call("(", bar) else bar

# The column of a part of `||`: 1, or 0 + x.
single_column <- function(term, text, call) {
  if (identical(term$effects, "(Intercept)")) return(1)
  at <- match(term$effects, attr(term$lhs, "term.labels"))
  if (length(term$effects) == 1L && !is.na(at)) return(call("+", 0, str2lang(attr(term$lhs, "term.labels")[at])))
  abort_ferrite("step", "The smaller model must be one that a formula can tell.",
    sprintf("What is left of `%s` is the column %s of a factor.", text, quoted_list(term$effects)),
    hint = "Use `reduce.random = FALSE`, or `ranova()`.", call = call, data = list(term = text)
  )
}

# Fixed terms ---------------------------------------------------------------------------------------------------------

eliminate_fixed <- function(fit, alpha, ddf, keep, caller, call) {
  gone <- list()
  repeat {
    found <- drop1.lmm(fit, ddf = ddf)
    free <- found[!rownames(found) %in% keep, , drop = FALSE]
    worst <- which.max(free[["Pr(>F)"]])
    if (!length(worst) || free[["Pr(>F)"]][worst] <= alpha) break
    gone[[length(gone) + 1L]] <- as.data.frame(free)[worst, ]
    formula <- stats::update.formula(stats::formula(fit, fixed.only = TRUE),
      call("~", quote(.), call("-", quote(.), str2lang(rownames(free)[worst]))))
    fit <- smaller_fit(fit, formula, lapply(formula_bars(fit), as_summand), caller, call)
  }
  table <- cbind(
    Eliminated = c(seq_along(gone), rep(0, nrow(found))), stack_rows(c(gone, list(as.data.frame(found))))
  )
  heading <- c("Backward elimination of fixed terms", paste0("Tests: ", ddf, "\n"))
  list(fit = fit, drop1 = found, table = structure(table, heading = heading, class = c("anova", "data.frame")))
}

# The fit of a smaller formula to the same rows.
smaller_fit <- function(fit, fixed, random, caller, call) {
  formula <- fixed
  formula[[3L]] <- sum_of(c(list(fixed[[3L]]), random))
  attributes(formula) <- list(class = "formula", .Environment = environment(fit$formula))
  changed <- fit$call
  changed$formula <- formula
  new <- evaluate_again(fit, changed, list(), caller)
  if (identical(attr(new$frame, "row.names"), attr(fit$frame, "row.names"))) return(new)
  abort_ferrite("step", "Every smaller model must have the rows of the fit.",
    sprintf("Without the terms that went there are %s instead of %s.", counted(new$nobs, "row"), format(fit$nobs)),
    hint = "Remove the rows with missing values from the data and fit again.", call = call
  )
}

# What it found -------------------------------------------------------------------------------------------------------

#' @rdname eliminate
#' @param x What `eliminate()` returned.
#' @export
get_model <- function(x, ...) {
  UseMethod("get_model")
}

#' @export
get_model.default <- function(x, ...) {
  if (inherits(x, "step_list") && requireNamespace("lmerTest", quietly = TRUE)) {
    return(getExportedValue("lmerTest", "get_model")(x, ...))
  }
  abort_ferrite("argument", "`get_model()` must be given what `eliminate()` returned.",
    paste0("It was given ", a_kind(x), "."), hint = "Use `get_model(eliminate(fit))`.", call = method_call()
  )
}

#' @rdname eliminate
#' @export
get_model.lmm_step <- function(x, ...) attr(x, "model")

#' @rdname eliminate
#' @export
print.lmm_step <- function(x, ...) {
  print(x$random)
  cat("\n")
  print(x$fixed)
  cat("\nModel found:\n", paste(deparse(stats::formula(attr(x, "model")), width.cutoff = 80L), collapse = "\n"), "\n",
    sep = "")
  invisible(x)
}
