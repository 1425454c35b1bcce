# lmm_plan(): what a fit will cost, before it is done.
#
# Reads   formula and data as lmm() does; the engine sums the rows and finds the structure, nothing is factorised.
# Writes  a list of class "lmm_plan".
# Not here: what the structure is (the engine's), the limit on memory (fit-control.R).

# Floating-point operations a second that an evaluation reaches, and how many evaluations a search takes, measured by
# bench/plan.R (two cores of 2025): small blocks by themselves, blocks that update a trailing matrix, that matrix if it
# is dense, if it is sparse. `overhead` of an evaluation and `call` of R in seconds; evaluations: `fixed`, and `each`
# for an element of theta. With residuals that are not alike: `joint` evaluations, `joint_each` more for an element of
# theta and for a parameter of the residuals; elements a second: `combined` of kept sums, `again` of rows read again.
plan_rates <- list(
  blocks = 4.5e8, update = 2.5e9, dense = 7e10, sparse = 1.6e9, overhead = 1e-5, call = 5e-4, fixed = 6, each = 0.12,
  joint = 15, joint_each = 5, combined = 2.5e9, again = 4e8
)

#' What a fit will cost
#'
#' Reads the data and finds the structure of the equations as [lmm()] does, and stops there: how much memory the fit
#' takes, and about how long. A fit that is within seconds needs no plan; two crossed grouping factors of ten thousand
#' levels each do, and so do long series with a correlation that are crossed with a factor of many levels.
#'
#' @inheritParams lmm
#' @param REML,start Make no difference to the cost. They are here so that a call of [lmm()] becomes one of `lmm_plan()`
#'   by its name alone.
#' @param control Settings made by [lmm_control()]; `threads` and `memory` count.
#' @param x An object of class `lmm_plan`.
#' @param row.names,optional As in [as.data.frame()].
#' @param ... Must be empty: an unknown or misspelled argument is an error. Not used by the methods.
#' @returns A list of class `lmm_plan`:
#'   * `formula`, `nobs`, `p` (columns of the fixed part), `n_theta` (variance parameters);
#'   * `residual`: `NULL` without `dispersion` and `correlation`, else a list of `text`, `parameters`, `classes` (of
#'     rows whose weights are the same function of the parameters: strata, distances in time, lengths of series), `kept`
#'     (`TRUE` if there are so few that each has its sums; `FALSE`: the rows are read again in each evaluation, as for
#'     a covariate or irregular times), `elements` of one set of sums, `touched` (elements in one reading of the rows),
#'     and `bytes` that all this takes;
#'   * `groups`: data frame of the grouping factors with the number of levels and of random effects per level;
#'   * `structure`: text: which factors are eliminated level by level, one small block after the other, and which are
#'     left over in the *trailing* matrix, dense or sparse;
#'   * `order`, `fill`, `dense`: order of the trailing matrix, elements of its factor, and whether it is dense;
#'   * `bytes`: the workspace of the factorisation, known before it is allocated; `limit`, what `lmm_control(memory = )`
#'     allows, and `fits`, whether that is enough. Codes of the groups, sums and estimates come on top: about 16 bytes
#'     for each row and grouping factor, and as much as the workspace again if no trailing matrix is large, and
#'     `residual$bytes`. If the trailing matrix is sparse, what a correlation adds to its elements is not known before;
#'   * `work`: floating-point operations of one evaluation of the criterion and its gradient;
#'   * `evaluations`: how many a search may take;
#'   * `seconds`: `read` (model frame and design) and `sums` (over the rows), both measured just now, `evaluation` (of
#'     the criterion), `total`, and `lower` and `upper`, half and twice the total. The time is an estimate from rates
#'     measured on one machine; the number of evaluations depends on the data. Take the limits seriously.
#'
#'   `as.data.frame()` has the numbers in one row, so that plans can be compared by `rbind()`.
#' @section Conditions:
#'   The errors of [lmm()] that come before the fit. A plan that exceeds the memory is a result and no error.
#' @seealso [lmm()], `vignette("performance", "ferrite")`.
#' @examples
#' lmm_plan(distance ~ age + (age | Subject), nlme::Orthodont)
#' lmm_plan(distance ~ age + (age | Subject), nlme::Orthodont)$n_theta # 3
#' @export
lmm_plan <- function(formula, data, REML = TRUE, weights, offset, subset, na.action, # nolint: object_name_linter.
                     contrasts = NULL, dispersion = ~ 1, correlation = NULL, start = NULL, control = lmm_control(),
                     ...) {
  begin <- clock()
  call <- user_call(match.call())
  input <- read_arguments(environment(), parent.frame(), call, "lmm_plan")
  built <- build_frame(input$parsed, input$data, input$extras, input$na_action, call)
  design <- build_design(built, input$parsed$random, contrasts, input$control$memory, call)
  # On few rows the first call of a session takes longer than the next; `call` of the rates stands for it.
  read <- if (length(design$y) > 1e4) clock() - begin else 0
  raw <- plan_engine(design, input$control, built$frame, call)
  new_plan(raw, design, input$parsed$formula, input$control, read)
}

new_plan <- function(raw, design, formula, control, read) {
  names <- vapply(design$factors, `[[`, "", "name")
  groups <- data.frame(
    group = names, levels = vapply(design$factors, `[[`, 1L, "n_levels"), effects = as.integer(effect_counts(design))
  )
  plan <- list(
    formula = formula, nobs = length(design$y), p = length(design$x_names), n_theta = raw$n_theta, groups = groups,
    residual = planned_residual(design, raw), structure = named_structure(raw$structure, names), order = raw$order,
    fill = raw$fill, dense = raw$dense,
    bytes = raw$bytes, limit = control$memory, fits = raw$bytes <= control$memory, work = raw$work,
    threads = control$threads
  )
  plan <- c(plan, planned_time(plan, raw$seconds_sums, read))
  class(plan) <- "lmm_plan"
  plan
}

# Evaluations and seconds. Work on the trailing matrix runs at the rate of its kind, all else at that of blocks.
planned_time <- function(plan, sums, read, rates = plan_rates) {
  trailing <- if (plan$order == 0) 0
  else if (plan$dense) as.double(plan$order)^3
  else 3 * plan$fill^2 / plan$order
  blocks <- max(plan$work - trailing, 0)
  evaluation <- rates$overhead + blocks / (if (plan$order == 0) rates$blocks else update_rate(plan, blocks, rates)) +
    trailing / (if (plan$dense) rates$dense else rates$sparse)
  evaluations <- rates$fixed + rates$each * plan$n_theta
  residual <- plan$residual
  if (!is.null(residual)) {
    evaluations <- rates$joint + rates$joint_each * (plan$n_theta + residual$parameters)
    # the sums themselves, and their derivative in each parameter
    times <- 1 + residual$parameters
    evaluation <- evaluation + times * if (residual$kept) residual$classes * residual$elements / rates$combined
    else residual$touched / rates$again
  }
  total <- rates$call + read + sums + evaluations * evaluation
  list(
    evaluations = evaluations,
    seconds = c(read = read, sums = sums, evaluation = evaluation, total = total, lower = total / 2, upper = 2 * total)
  )
}

# Blocks that update a trailing matrix: three operations for each pair of columns that an effect meets there. Where it
# meets most of them, the update is one of dense matrices, and faster the larger they are.
update_rate <- function(plan, work, rates) {
  eliminated <- sum(as.double(plan$groups$levels) * plan$groups$effects) - plan$order
  met <- if (eliminated > 0) sqrt(work / (3 * eliminated)) else 0
  rates$update * if (met > plan$order / 3) min(max(met / 100, 1), 10) else 1
}

#' @rdname lmm_plan
#' @export
print.lmm_plan <- function(x, ...) {
  row <- function(label, text) {
    lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
    cat(paste0(formatC(c(paste0(label, ":"), rep("", length(lines) - 1L)), width = -12L), lines, "\n"), sep = "")
  }
  cat("Plan of a linear mixed model; nothing is fitted\n")
  row("Formula", code_text(x$formula, 200L))
  row("Size", plan_size(x))
  if (!is.null(x$residual)) row("Residuals", residual_cost(x$residual))
  row("Structure", sub("\nworkspace: [^\n]*$", "", x$structure))
  row("Memory", memory_text(x))
  row("Time", paste0("about ", duration(x$seconds[["total"]]), " (", duration(x$seconds[["lower"]]), " to ",
                     duration(x$seconds[["upper"]]), "): sums ", duration(x$seconds[["sums"]]), ", about ",
                     counted(round(x$evaluations), "evaluation"), " of ", duration(x$seconds[["evaluation"]])))
  invisible(x)
}

plan_size <- function(x) {
  paste0(
    counted(x$nobs, "row"), ", ", counted(x$p, "fixed effect"), ", ",
    counted(sum(as.double(x$groups$levels) * x$groups$effects), "random effect"), ", ",
    counted(x$n_theta, "variance parameter"), " besides sigma"
  )
}

residual_cost <- function(residual) {
  paste0(
    residual$text, "\n", counted(residual$parameters, "parameter"), ", ", counted(residual$classes, "kind"),
    " of rows, ", if (residual$kept) "summed once for each" else "so that every evaluation reads the rows"
  )
}

memory_text <- function(x) {
  bytes <- x$bytes + or_else(x$residual$bytes, 0)
  size <- if (bytes < 1e9) paste(signif(bytes / 1e6, 3), "MB") else gigabytes(bytes)
  text <- paste0(size, " of workspace beyond the data; ", gigabytes(signif(x$limit, 2)), " are allowed")
  if (x$fits) text else paste0(text, ": lmm() will refuse")
}

# "0.3 ms", "12 s", "4 min", "2.1 h"
duration <- function(seconds) {
  unit <- findInterval(seconds, c(0, 0.1, 90, 5400))
  size <- c(1e-3, 1, 60, 3600)[unit]
  number <- vapply(signif(seconds / size, 2), format, "", scientific = FALSE)
  paste(number, c("ms", "s", "min", "h")[unit])
}

#' @rdname lmm_plan
#' @export
as.data.frame.lmm_plan <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  data.frame(
    formula = deparse_one(x$formula), nobs = x$nobs, p = x$p,
    random_effects = sum(as.double(x$groups$levels) * x$groups$effects), n_theta = x$n_theta, order = x$order,
    dense = x$dense, fill = x$fill, bytes = x$bytes, fits = x$fits, work = x$work, evaluations = x$evaluations,
    seconds = x$seconds[["total"]], row.names = row_names(row.names, 1L, method_call())
  )
}

# Residuals that are not alike -----------------------------------------------------------------------------------------
#
# The engine keeps sums of the rows for each class, if there are few classes of them: the rows of a stratum, neighbours
# in time of two strata at one distance, series of one length. With many (a covariate, irregular times) it reads the
# rows again in each evaluation.

#' Cost of the residual structure
#'
#' @param design From `build_design()`.
#' @param raw From `plan_engine()`, which has counted the classes.
#' @returns `NULL` for residuals that are alike; else list(text (the arguments as written), parameters, classes, kept
#'   (whether sums of classes are kept), elements (of one set of sums), touched (elements in one reading of the rows),
#'   bytes (of the sums that are kept, and what is known of each row)).
#' @noRd
planned_residual <- function(design, raw) {
  if (is.null(design$residual)) return(NULL)
  n <- length(design$y)
  list(
    text = errors_text(list(residual = list(scale = design$scale, correlation = design$correlation))),
    parameters = length(design$scale$names) + !is.null(design$correlation), classes = raw$classes, kept = raw$kept,
    elements = raw$elements, touched = n * (length(design$x_names) + 1 + sum(effect_counts(design)))^2,
    bytes = 40 * n + if (raw$kept) 8 * raw$classes * raw$elements else 0
  )
}

# Random effects of a level of each grouping factor.
effect_counts <- function(design) {
  columns <- vapply(design$terms, function(term) length(term$effects), 1L)
  of <- vapply(design$terms, `[[`, 1L, "factor")
  vapply(seq_along(design$factors), function(k) as.double(sum(columns[of == k])), 1)
}
