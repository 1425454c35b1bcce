# contest(): tests of L beta = rhs, one row at a time or all together.
#
# Reads   a fit and L as numbers, text or names of coefficients. The tests are those of infer-df.R.
# Writes  a table of class `contest` with a row for each contrast, or one joint test.
# Raises  `ferrite_error_contrast`.

#' Test contrasts of the fixed effects
#'
#' Tests \eqn{L\beta = c} for any matrix L, all rows together by an F test or each row by a t test.
#'
#' @param fit An object of class `lmm`.
#' @param L What is tested, in one of these forms:
#'   * expressions in the names of the coefficients, such as `"MachineB - MachineC"` or
#'     `c(mean = "(Intercept) + age / 2 = 20")`; what stands after `=` is added to `rhs`. The names label the rows;
#'   * a numeric vector, or a matrix with one row for each contrast, with one number for each coefficient in the order
#'     of `fixef(fit)` (those of dropped columns may be left out);
#'   * the same with names (columns named) by coefficients: those that are not named count as zero;
#'   * a list of any of these: several hypotheses, each with a row of its own (`joint = TRUE`) or with its rows.
#' @param joint `TRUE` (default): one F test of all rows together. `FALSE`: a t test and an interval for each row.
#' @param ddf Degrees of freedom:
#'   * `"Satterthwaite"` (default): \eqn{2 v^2 / \mathrm{Var}(v)} for the variance \eqn{v} of a contrast, from exact
#'     second derivatives of the criterion of the fit (REML or ML); variance parameters on the boundary count as known.
#'     Several rows are turned to uncorrelated ones and averaged as in lmerTest;
#'   * `"Kenward-Roger"`: also adjusts the covariance matrix of the estimates for the estimation of the variances, and
#'     scales F. For a fit by maximum likelihood the model is refitted by REML, with a message, and all numbers are
#'     those of the refit. Prior weights are taken into account. Where crossed factors make it exceed the memory,
#'     Satterthwaite's method is used, with a message. With `dispersion`, `correlation` or random terms with a pattern
#'     (`cs()`, `ar1()`, `diag(hom = TRUE)`) all of their parameters count, at any size: the covariance matrix of the
#'     variance parameters is then that of the observed information, as for Satterthwaite's method, instead of the
#'     expected one, so that a single contrast has Satterthwaite's degrees of freedom; and the adjustment is that of
#'     first order, without the term in second derivatives of V, which would depend on how parameters are chosen;
#'   * `"asymptotic"`: infinite.
#' @param rhs The right-hand side c: one number, or one for each row. Default 0.
#' @param level Confidence level of the intervals, between 0 and 1. Default 0.95.
#' @param confint `FALSE`: rows without their intervals. Default `TRUE`.
#' @param collect `TRUE` (default) for one table, of all hypotheses if `L` is a list; `FALSE` for a list with a table of
#'   each, as in lmerTest.
#' @param check_estimability As in lmerTest, but always `TRUE`: a hypothesis that is not estimable is an error.
#' @returns A data frame of class `contest`. With `joint = TRUE` one row with the columns of [anova.lmm()]: `Sum Sq`,
#'   `Mean Sq`, `NumDF` (the rank of L), `DenDF`, `F value`, `Pr(>F)`. With `joint = FALSE` a row for each contrast with
#'   `Estimate`, `Std. Error`, `df`, `t value`, `lower`, `upper`, `Pr(>|t|)`. Attributes: `L`, `rhs`, `ddf` (the method
#'   used), `level`.
#' @section Conditions:
#'   `ferrite_error_contrast` (wrong length, unknown coefficient, not a number, not linear, zero, contradictory, not
#'   estimable in a fit with dropped columns), `ferrite_error_argument`, `ferrite_message_ddf` (Kenward-Roger needs more
#'   memory than allowed, with fields `bytes` and `method`; or refits by REML).
#' @section Beside lmerTest:
#'   lmerTest has a function of the same name. Whichever was attached last, it works on the models of both packages.
#' @references Kenward and Roger (1997) \doi{10.2307/2533558}; Fai and Cornelius (1996)
#'   \doi{10.1080/00949659608811740}; Kuznetsova, Brockhoff and Christensen (2017) \doi{10.18637/jss.v082.i13}.
#' @seealso [summary.lmm()] for the coefficients themselves, [anova.lmm()] for terms.
#' @examples
#' fit <- lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
#' contest(fit, c("MachineB", "MachineC")) # F 20.576 on 2 and 10, as in the analysis of variance
#' contest(fit, c("C - B" = "MachineC - MachineB"), joint = FALSE) # 5.95, standard error 2.177, 10 df
#' @export
contest <- function(fit, L, ...) { # nolint: object_name_linter.
  UseMethod("contest")
}

#' @export
contest.default <- function(fit, L, ...) { # nolint: object_name_linter.
  if (inherits(fit, c("lmerMod", "lmerModLmerTest")) && requireNamespace("lmerTest", quietly = TRUE)) {
    return(getExportedValue("lmerTest", "contest")(fit, L, ...))
  }
  abort_ferrite(
    "argument", "`contest()` must be given a fitted mixed model.", paste0("It was given ", a_kind(fit), "."),
    hint = "Fit one with `lmm()`.", call = method_call()
  )
}

#' @rdname contest
#' @param ... Not used.
#' @export
contest.lmm <- function(fit, L, joint = TRUE, ddf = c("Satterthwaite", "Kenward-Roger", "asymptotic"), # nolint
                        rhs = 0, level = 0.95, confint = TRUE, collect = TRUE, check_estimability = TRUE, ...) {
  call <- method_call()
  refuse_arguments("contest", ..., call = call)
  check_flag(joint, "joint", call, "argument")
  check_level(level, call)
  check_flag(confint, "confint", call, "argument")
  check_flag(collect, "collect", call, "argument")
  check_flag(check_estimability, "check_estimability", call, "argument")
  check_ddf(ddf, call)
  several <- !missing(L) && is.list(L) && !is.data.frame(L) && length(L) > 0L
  tested <- lapply(if (several) L else list(if (!missing(L)) L), function(one) restriction_of(fit, one, rhs, call))
  inference <- inference_of(fit, ddf, call)
  tables <- lapply(tested, function(one) contest_table(inference, one, joint, level, confint))
  if (!collect) return(tables)
  if (several) collected_tables(tables) else tables[[1L]]
}

contest_table <- function(inference, tested, joint, level, confint) {
  table <- if (joint) f_row(inference, tested$L, tested$rhs) else t_table(inference, tested, level)
  if (!joint && !confint) table <- table[setdiff(names(table), c("lower", "upper"))]
  structure(
    table, L = tested$L, rhs = tested$rhs, ddf = inference$method, level = level, heading = ddf_title(inference),
    class = c("contest", "data.frame")
  )
}

# The tables of several hypotheses below each other.
collected_tables <- function(tables) {
  plain <- lapply(tables, function(table) {
    structure(as.list(table), row.names = attr(table, "row.names"), class = "data.frame")
  })
  joint <- "F value" %in% names(plain[[1L]])
  table <- do.call(rbind, unname(plain))
  given <- or_else(names(tables), character(length(tables)))
  rows <- if (joint) ifelse(nzchar(given), given, paste0("L", seq_along(tables)))
  else unlist(Map(function(table, name) if (nrow(table) == 1L && nzchar(name)) name else rownames(table), plain, given))
  rownames(table) <- make.unique(rows)
  part <- function(name) lapply(unname(tables), attr, name)
  structure(table, L = do.call(rbind, part("L")), rhs = unlist(part("rhs")), ddf = attr(tables[[1L]], "ddf"),
    level = attr(tables[[1L]], "level"), heading = attr(tables[[1L]], "heading"), several = TRUE,
    class = c("contest", "data.frame")
  )
}

# Method of lmerTest's contest(), whose first argument has another name.
contest_by_model <- function(model, L, ...) contest.lmm(model, L, ...) # nolint: object_name_linter.

# Methods of lmerTest's contest1D() and contestMD(): a t test of one row, an F test of several, without further words.
contest_one <- function(model, L, rhs = 0, ddf = ddf_methods, confint = FALSE, level = 0.95, ...) { # nolint
  call <- quote(contest1D())
  if (missing(L)) L <- NULL # nolint: object_name_linter.
  refuse_arguments("contest1D", ..., call = call)
  check_flag(confint, "confint", call, "argument")
  check_level(level, call)
  tested <- restriction_of(model, L, rhs, call)
  if (nrow(tested$L) != 1L) {
    abort_ferrite("contrast", "`contest1D()` must be given one contrast.",
      sprintf("`L` has %s.", counted(nrow(tested$L), "row")), hint = "Use `contest()` for several.", call = call
    )
  }
  plain_table(contest_table(inference_of(model, ddf, call), tested, FALSE, level, confint))
}

# `eps`, their tolerance for the rank of L, has no use here: rank is judged after scaling.
contest_several <- function(model, L, rhs = 0, ddf = ddf_methods, eps = NULL, ...) { # nolint: object_name_linter.
  call <- quote(contestMD())
  if (missing(L)) L <- NULL # nolint: object_name_linter.
  refuse_arguments("contestMD", ..., call = call)
  inference <- inference_of(model, ddf, call)
  if (is.matrix(L) && !nrow(L)) return(f_row(inference, L)[0L, ])
  tested <- restriction_of(model, L, rhs, call)
  plain_table(contest_table(inference, tested, TRUE, 0.95, TRUE))
}

plain_table <- function(table) {
  structure(as.list(table), row.names = .set_row_names(nrow(table)), class = "data.frame")
}

# A t test and an interval for each row.
t_table <- function(inference, tested, level) with_t_limits(t_tests(inference, tested$L, tested$rhs), level)

# t tests with limits between the statistic and the p-value.
with_t_limits <- function(tests, level) {
  half <- stats::qt((1 + level) / 2, tests[, "df"]) * tests[, "Std. Error"]
  table <- data.frame(
    tests[, 1:4, drop = FALSE], lower = tests[, 1L] - half, upper = tests[, 1L] + half, tests[, 5L],
    row.names = make.unique(rownames(tests))
  )
  names(table)[c(1:4, 7L)] <- colnames(tests)
  table
}

#' @rdname contest
#' @param x What `contest()` returned.
#' @param digits Significant digits. Default: those of `options("digits")` less 3.
#' @export
print.contest <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  joint <- "F value" %in% names(x)
  what <- if (!joint) "t tests of contrasts" else if (is.null(attr(x, "several"))) "F test of all contrasts together"
  else "F tests of hypotheses"
  cat(what, ", ", attr(x, "heading"), "\n", sep = "")
  rhs <- attr(x, "rhs")
  if (any(rhs != 0)) cat("Right-hand side: ", paste(format(rhs, digits = digits), collapse = ", "), "\n", sep = "")
  print_tests(x, digits)
  if ("lower" %in% names(x)) cat("Intervals: ", format(100 * attr(x, "level")), " %\n", sep = "")
  invisible(x)
}

# L as the user writes it ----------------------------------------------------------------------------------------------

restriction_of <- function(fit, L, rhs, call) { # nolint: object_name_linter.
  fail <- function(problem, found, hint = NULL) {
    if (is.null(hint)) hint <- paste0("The coefficients: ", quoted_list(fit$x_names, 10L), ".")
    abort_ferrite("contrast", problem, found, hint = hint, call = call, data = list(coefficients = fit$x_names))
  }
  added <- 0
  if (is.character(L) && length(L) && !anyNA(L)) {
    parsed <- lapply(L, parse_contrast, names = fit$x_names, fail = fail)
    added <- vapply(parsed, function(one) one$rhs, 0)
    rows <- do.call(rbind, lapply(parsed, function(one) one$row))
    labels <- if (is.null(names(L))) L else ifelse(nzchar(names(L)), names(L), L)
    dimnames(rows) <- list(labels, fit$x_names)
  } else {
    rows <- numeric_rows(L, fit, fail)
  }
  rhs <- check_rhs(rhs, nrow(rows), fail) + added
  rows <- estimated_part(rows, fit, fail)
  zero <- which(rowSums(abs(rows)) == 0)
  if (length(zero)) {
    fail("Every row of `L` must have a coefficient that is not zero.",
         paste0(if (length(zero) == 1L) "Row " else "Rows ", plain_list(zero), " of ", nrow(rows),
                if (length(zero) == 1L) " is" else " are", " zero on the estimated coefficients."))
  }
  check_consistent(rows, rhs, fail)
  list(L = rows, rhs = rhs)
}

# Numbers: by position, or by names of coefficients.
numeric_rows <- function(L, fit, fail) { # nolint: object_name_linter.
  if (is.data.frame(L)) L <- as.matrix(L) # nolint: object_name_linter.
  if (is.numeric(L) && !is.matrix(L)) {
    L <- matrix(L, 1L, dimnames = list(NULL, names(L))) # nolint: object_name_linter.
  }
  if (!is.numeric(L) || !length(L) || !all(is.finite(L))) {
    fail("`L` must be expressions in the coefficients, or finite numbers.",
         paste0("It is ", if (is.numeric(L) && length(L)) "not finite" else a_kind(L), "."),
         paste0("For example: `\"", paste(utils::tail(fit$x_names, 1L)), "\"`, or one number for each coefficient."))
  }
  if (is.null(rownames(L))) rownames(L) <- if (nrow(L) == 1L) "L" else paste0("L", seq_len(nrow(L))) # nolint
  p <- length(fit$x_names)
  names <- colnames(L)
  if (!is.null(names)) {
    unknown <- setdiff(names, fit$x_names)
    if (length(unknown)) {
      fail("The names of `L` must be those of coefficients.", paste0("There is no ", quoted_list(unknown), "."),
           name_hint(unknown[1L], fit$x_names, "Coefficients"))
    }
    if (anyDuplicated(names)) {
      fail("`L` must name a coefficient once.", paste0(quoted_list(names[duplicated(names)]), " stands twice."))
    }
  } else if (ncol(L) == p) {
    names <- fit$x_names
  } else if (ncol(L) == fit$rank) {
    names <- fit$x_names[fit$kept]
  } else {
    fail("`L` must have one number for each coefficient.",
         paste0("It has ", counted(ncol(L), "number"), if (nrow(L) > 1L) " in a row",
                "; there are ", counted(p, "coefficient"), "."))
  }
  rows <- matrix(0, nrow(L), p, dimnames = list(rownames(L), fit$x_names))
  rows[, names] <- L
  rows
}

check_rhs <- function(rhs, n, fail) {
  if (is.numeric(rhs) && all(is.finite(rhs)) && length(rhs) %in% c(1L, n)) return(rep_len(as.double(rhs), n))
  fail("`rhs` must be one finite number, or one for each row of `L`.",
       paste0("It is ", if (is.numeric(rhs) && !all(is.finite(rhs))) "not finite" else a_kind(rhs), "."),
       "Leave `rhs` out for 0.")
}

# The columns of estimated coefficients. A contrast that gives weight to dropped ones is estimable if it is zero on
# every combination of columns that is zero: dropped column = estimated columns times B, so the weights must agree with
# B.
estimated_part <- function(rows, fit, fail) {
  dropped <- setdiff(seq_along(fit$x_names), fit$kept)
  kept <- rows[, fit$kept, drop = FALSE]
  if (!length(dropped) || !any(rows[, dropped] != 0)) return(kept)
  x <- fixed_matrix(fit, fit$frame)
  relation <- express(x[, fit$kept, drop = FALSE], x[, dropped, drop = FALSE])
  off <- abs(rows[, dropped, drop = FALSE] - kept %*% relation)
  size <- abs(rows[, dropped, drop = FALSE]) + abs(kept) %*% abs(relation)
  bad <- which(rowSums(off > 1e-7 * size) > 0)
  if (length(bad)) {
    fail("A contrast must be estimable.",
         paste0("Row ", plain_list(bad), " is not: `lmm()` dropped the columns of ",
                quoted_list(fit$x_names[dropped]), ", on which it depends."),
         "Give contrasts of the coefficients that are not NA in `fixef()`.")
  }
  kept
}

# Rows that say the same of the coefficients must have the same right-hand side.
check_consistent <- function(rows, rhs, fail) {
  if (nrow(rows) < 2L || all(rhs == 0)) return(invisible())
  size <- sqrt(rowSums(rows^2))
  left <- qr.resid(qr(rows / size, tol = 1e-10), rhs / size)
  if (max(abs(left)) > 1e-8 * max(abs(rhs / size))) {
    fail("The rows of `L` must not contradict each other.",
         "Some rows depend on others, but the elements of `rhs` do not in the same way.",
         "Remove rows that follow from others.")
  }
}

# Expressions ----------------------------------------------------------------------------------------------------------

# "MachineB - MachineC = 2" -> list(row, rhs). Names of coefficients are found by their text, the longest first, since
# they need not be names in R ("age:SexFemale", "poly(x, 2)1").
parse_contrast <- function(text, names, fail) {
  text <- readable(text)
  refuse <- function(found) {
    fail("A contrast must be a linear expression in the coefficients.", paste0("`", text_line(text), "`: ", found, "."))
  }
  coded <- encode_names(text, names)
  sides <- strsplit(coded, "={1,2}")[[1L]]
  if (!length(sides)) refuse("it is empty")
  if (length(sides) > 2L) refuse("there is more than one `=`")
  values <- lapply(sides, function(side) {
    expression <- tryCatch(str2lang(side), error = function(e) refuse("it is not an expression"))
    linear_form(expression, length(names), refuse)
  })
  difference <- values[[1L]] - if (length(values) == 2L) values[[2L]] else 0
  # without `=` a constant is an error: it has no place in a contrast
  if (length(values) == 1L && difference[1L] != 0) refuse("a constant belongs after `=`")
  list(row = difference[-1L], rhs = -difference[1L])
}

# Names of coefficients, plain or in backticks, as calls ..coefficient(1) and so on.
encode_names <- function(text, names) {
  order <- order(nchar(names), decreasing = TRUE)
  forms <- rbind(paste0("`", names[order], "`"), names[order])
  result <- ""
  text <- readable_text(text)
  while (nzchar(text)) {
    found <- which(vapply(forms, begins_with, NA, text = text, before = result))[1L]
    # no name begins inside of a word
    width <- if (!is.na(found)) nchar(forms[found]) else max(1L, attr(regexpr("^[[:alnum:]._]+", text), "match.length"))
    piece <- if (is.na(found)) substr(text, 1L, width) else paste0("..coefficient(", rep(order, each = 2L)[found], ")")
    result <- paste0(result, piece)
    text <- substring(text, width + 1L)
  }
  result
}

# Does the text begin with the name, and not with a longer word, and not inside one?
begins_with <- function(name, text, before) {
  word <- "[[:alnum:]._]"
  joins <- function(left, right) grepl(paste0(word, "$"), left) && grepl(paste0("^", word), right)
  startsWith(text, name) && !joins(name, substring(text, nchar(name) + 1L)) && !joins(before, name)
}

# The value of an expression as c(constant, coefficients); only + - * / and parentheses.
linear_form <- function(expression, p, refuse) {
  if (is.numeric(expression)) return(c(expression, numeric(p)))
  if (is.symbol(expression)) refuse(paste0("there is no coefficient `", text_line(as.character(expression)), "`"))
  operator <- if (is.call(expression) && is.symbol(expression[[1L]])) as.character(expression[[1L]]) else ""
  if (operator == "..coefficient") return(replace(numeric(p + 1L), expression[[2L]] + 1L, 1))
  if (!operator %in% c("+", "-", "*", "/", "(")) {
    refuse(if (nzchar(operator)) paste0("`", operator, "` is not one of + - * /") else "it is not arithmetic")
  }
  values <- lapply(as.list(expression)[-1L], linear_form, p = p, refuse = refuse)
  if (length(values) == 1L) return(if (operator == "-") -values[[1L]] else values[[1L]])
  combine_forms(operator, values[[1L]], values[[2L]], refuse)
}

combine_forms <- function(operator, first, second, refuse) {
  constant <- c(all(first[-1L] == 0), all(second[-1L] == 0))
  if (operator == "*" && !any(constant)) refuse("coefficients are multiplied with each other")
  if (operator == "/" && !(constant[2L] && second[1L] != 0)) refuse("it divides by a coefficient or by 0")
  switch(
    operator,
    "+" = first + second,
    "-" = first - second,
    "*" = if (constant[1L]) first[1L] * second else first * second[1L],
    "/" = first / second[1L]
  )
}
