# varcomp_anova(): variance components from the analysis of variance, beside those of REML.
#
# Reads   a fit whose random terms have one column each.
# Writes  a table of class `varcomp_anova`.

#' Analysis of variance and variance components by the method of moments
#'
#' The table of an analysis of variance with its expected mean squares written out, F tests with the error terms that
#' these call for, and the variance components from equating mean squares to their expectations, beside those by REML.
#'
#' @param object A fit of [lmm()], or a formula as for [lmm()]. Every random term must have one column, such as
#'   `(1 | g)`, `(1 | a/b)`, `(0 + x | g)` or `(x || g)`.
#' @param x What `varcomp_anova()` returned.
#' @param data Data frame with the variables of the formula; for a formula only.
#' @param digits Significant digits printed.
#' @param row.names,optional As in [as.data.frame()]; `optional` is not used.
#' @param ... For a formula: further arguments of [lmm()], such as `weights` and `subset`. Otherwise not used.
#' @details
#'   Sums of squares are sequential (type I; for the components this is Henderson's method 3): first the terms of the
#'   fixed part in the order of the formula, then the random terms, those with the fewest levels first (so that `b`
#'   within `a` comes after `a`; ties as in the formula), each adjusted for what stands above it. In balanced designs
#'   the order does not matter. With the projection P of a source on its df dimensions the coefficient of
#'   \eqn{\sigma_k^2} in its expected mean square is trace(Z_k' P Z_k) / df; `Q(a)` stands for a quadratic form in the
#'   fixed effects.
#'
#'   The error term of a source is the mean square with the same expectation if the source has no effect. Where no
#'   single one has it, it is the linear combination of the mean squares below that has, with Satterthwaite's degrees of
#'   freedom \eqn{(\sum a_i M_i)^2 / \sum ((a_i M_i)^2 / f_i)}; the test is then approximate. The others are exact in
#'   balanced designs; in unbalanced ones that of the last random source is.
#'
#'   Moment estimates may be negative: they are unbiased, and an estimate of a small variance can fall below zero. They
#'   are shown as they are; REML does not leave the parameter space. In balanced designs both agree when no moment
#'   estimate is negative.
#' @returns An object of class `varcomp_anova`: a list of
#'   * `table`: data frame with a row for each source and the columns `Df`, `Sum Sq`, `Mean Sq`, `E(Mean Sq)` (text),
#'     `Error` (text), `Error MS`, `Error Df`, `F value`, `Pr(>F)`;
#'   * `components`: data frame with `group`, `moments`, `REML` (variances);
#'   * `coefficients`: matrix of the expected mean squares, sources x variances;
#'   * `notes`, `formula`.
#'
#'   `as.data.frame()` gives the table.
#' @section Conditions:
#'   `ferrite_error_varcomp` when a random term has several correlated columns or leaves no degree of freedom, and for
#'   models with `dispersion` or `correlation`,
#'   `ferrite_error_too_large`; those of [lmm()].
#' @references Searle, Casella and McCulloch (1992) *Variance Components*, chapters 4 and 5; Henderson (1953)
#'   \doi{10.2307/3001853}; Satterthwaite (1946) \doi{10.2307/3002019}.
#' @seealso [icc()], [ranova()].
#' @examples
#' # F(4, 75) = 87.01; E(MS) = sigma^2 + 16 sigma_person^2,
#' # so sigma_person^2 = (28.316 - 0.325) / 16 = 1.7494
#' varcomp_anova(y ~ 1 + (1 | person), estrone)
#' @export
varcomp_anova <- function(object, ...) {
  UseMethod("varcomp_anova")
}

#' @export
varcomp_anova.default <- function(object, ...) {
  abort_ferrite("argument", "`varcomp_anova()` must be given a formula or a fit of `lmm()`.",
    paste0("It was given ", a_kind(object), "."), hint = "Write, for example, `varcomp_anova(y ~ 1 + (1 | g), data)`.",
    call = method_call()
  )
}

#' @rdname varcomp_anova
#' @export
varcomp_anova.formula <- function(object, data, ...) {
  fit <- match.call()
  fit[[1L]] <- quote(lmm)
  names(fit)[2L] <- "formula"
  # the fit is made where varcomp_anova() was called, by the package's own lmm()
  space <- new.env(parent = parent.frame())
  space$lmm <- lmm
  fit <- tryCatch(muffled(eval(fit, space)), ferrite_error = function(e) {
    e$call[[1L]] <- quote(varcomp_anova)
    names(e$call)[2L] <- ""
    stop(e)
  })
  moments_table(fit, method_call())
}

#' @rdname varcomp_anova
#' @export
varcomp_anova.lmm <- function(object, ...) {
  call <- method_call()
  refuse_arguments("varcomp_anova", ..., call = call)
  moments_table(object, call)
}

moments_table <- function(fit, call) {
  check_single_columns(fit, call)
  design <- design_of(fit)
  squares <- sequential_squares(fit, design, call)
  k <- nrow(squares$coefficients)
  tests <- lapply(seq_len(k - 1L), function(s) source_test(squares, s))
  tests[[k]] <- no_test
  column <- function(name) unlist(lapply(tests, `[[`, name))
  table <- data.frame(
    Df = squares$df, "Sum Sq" = squares$ss, "Mean Sq" = squares$ms, "E(Mean Sq)" = expectation_text(squares),
    Error = column("error"), "Error MS" = column("ms"), "Error Df" = column("df"), "F value" = column("f"),
    "Pr(>F)" = column("p"), check.names = FALSE, row.names = squares$source
  )
  components <- data.frame(
    group = c(squares$variances, "Residual"), moments = moment_estimates(squares), REML = reml_estimates(fit, squares)
  )
  structure(
    class = "varcomp_anova",
    list(
      table = table, components = components, coefficients = squares$coefficients, formula = fit$formula,
      notes = moments_notes(squares, components, column("approximate"), tests)
    )
  )
}

check_single_columns <- function(fit, call) {
  if (!is.null(fit$residual)) {
    abort_ferrite("varcomp", "In an analysis of variance residuals must be independent with one variance.",
      "The model has `dispersion` or `correlation`: its mean squares do not have these expectations, nor F ratios.",
      hint = "Use `VarCorr()`, `confint()` and `ranova()`.", call = call
    )
  }
  wide <- Filter(function(term) length(term$effects) > 1L, fit$random)
  if (!length(wide)) return(invisible())
  abort_ferrite("varcomp", "Every random term must have one column, such as `(1 | g)`.",
    paste0("`", wide[[1L]]$text, "` has ", length(wide[[1L]]$effects), " correlated columns: ",
           quoted_list(wide[[1L]]$effects), "."),
    hint = paste0("Use `VarCorr()` for such models, or write `||` for uncorrelated columns."), call = call,
    data = list(term = wide[[1L]]$text)
  )
}

# Tests and estimates ----------------------------------------------------------------------------------------------

no_test <- list(error = NA_character_, ms = NA_real_, df = NA_real_, f = NA_real_, p = NA_real_, approximate = FALSE)

#' F test of one source against the combination of mean squares with its expectation under the hypothesis
#'
#' Expectations are triangular: a source below another one has no part of what the upper one has removed, so that the
#' combination is found from the top down, and is unique.
#' @noRd
source_test <- function(squares, s) {
  if (is.na(squares$ms[s]) || !squares$df[s]) return(no_test)
  coefficients <- squares$coefficients
  random <- which(!squares$fixed & squares$df > 0L)
  below <- random[random > s]
  goal <- coefficients[s, ]
  if (!squares$fixed[s]) goal[squares$owner[s]] <- 0
  weights <- numeric(0)
  for (i in below) {
    own <- squares$owner[i]
    weight <- goal[own] / coefficients[i, own]
    if (abs(weight) < 1e-7) weight <- 0
    goal <- goal - weight * coefficients[i, ]
    weights <- c(weights, weight)
  }
  if (max(abs(goal)) > 1e-6 * max(coefficients)) return(no_test)
  used <- weights != 0
  parts <- weights[used] * squares$ms[below[used]]
  ms <- sum(parts)
  df <- if (sum(used) == 1L) squares$df[below[used]] else ms^2 / sum(parts^2 / squares$df[below[used]])
  text <- combination_text(weights[used], squares$source[below[used]])
  approximate <- sum(used) > 1L || abs(weights[used][1L] - 1) > 1e-6
  if (ms <= 0) return(replace(no_test, c("error", "approximate"), list(text, approximate)))
  f <- squares$ms[s] / ms
  list(
    error = text, ms = ms, df = df, f = f, p = stats::pf(f, squares$df[s], df, lower.tail = FALSE),
    approximate = approximate
  )
}

# Variances from mean squares: coefficients x = ms, from the bottom up.
moment_estimates <- function(squares) {
  random <- which(!squares$fixed & squares$df > 0L)
  m <- ncol(squares$coefficients)
  estimates <- rep(NA_real_, m)
  for (i in rev(random)) {
    own <- squares$owner[i]
    others <- squares$coefficients[i, -own] * estimates[-own]
    others <- others[squares$coefficients[i, -own] != 0]
    estimates[own] <- (squares$ms[i] - sum(others)) / squares$coefficients[i, own]
  }
  estimates
}

reml_estimates <- function(fit, squares) {
  reml <- if (fit$REML) fit else muffled(refit_frame(fit, list(REML = TRUE)))
  variance <- vapply(reml$random, function(term) term$varcov[1L, 1L], 0)
  c(variance[squares$terms], reml$sigma^2)
}

# Output -------------------------------------------------------------------------------------------------------------

moments_notes <- function(squares, components, approximate, tests) {
  random <- which(!squares$fixed & squares$df > 0L)
  negative <- components$group[!is.na(components$moments) & components$moments < 0]
  lost <- squares$source[!squares$df]
  c(
    if (any(approximate, na.rm = TRUE)) {
      "Errors that combine mean squares have Satterthwaite's degrees of freedom: these tests are approximate."
    },
    if (any(vapply(tests, function(t) !is.na(t$error) && is.na(t$f), NA))) {
      "Where the combined error mean square is not positive, there is no test."
    },
    if (any(vapply(tests[squares$df > 0L & squares$source != "Residual"], function(t) is.na(t$error), NA))) {
      "Where no combination of mean squares has the expectation that the hypothesis calls for, there is no test."
    },
    if (length(negative)) {
      paste0("Negative moment estimate: ", quoted_list(negative), ". The mean square is below what the residual and ",
             "the other components alone lead one to expect. The estimate is unbiased, but no variance; read it as no ",
             "evidence of a variance above zero (REML estimates cannot be negative).")
    },
    if (length(lost)) paste0("No degrees of freedom are left for ", quoted_list(lost), "."),
    if (squares$unbalanced && length(random) > 2L) {
      "Unbalanced: sums of squares depend on the order of the sources, and mean squares are not independent."
    }
  )
}

#' @rdname varcomp_anova
#' @export
print.varcomp_anova <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  cat("Analysis of variance with expected mean squares\nModel: ", deparse_one(x$formula), "\n\n", sep = "")
  print(moments_text(x, digits), quote = FALSE, right = TRUE)
  cat("\nTests against their error terms:\n")
  print(moments_tests(x, digits), quote = FALSE, right = TRUE)
  cat("\nVariance components:\n")
  print(component_text(x, digits), quote = FALSE, right = TRUE)
  if (length(x$notes)) cat("\n", paste0(strwrap(x$notes, 0.95 * getOption("width")), "\n"), sep = "")
  invisible(x)
}

filled <- function(values, text) ifelse(is.na(values), "", text)

moments_text <- function(x, digits) {
  table <- x$table
  text <- cbind(
    Df = table$Df, "Sum Sq" = format(table[["Sum Sq"]], digits = digits),
    "Mean Sq" = filled(table[["Mean Sq"]], format(table[["Mean Sq"]], digits = digits)),
    "E(Mean Sq)" = formatC(table[["E(Mean Sq)"]], flag = "-", width = max(nchar(table[["E(Mean Sq)"]])))
  )
  rownames(text) <- rownames(table)
  text
}

moments_tests <- function(x, digits) {
  table <- x$table[-nrow(x$table), , drop = FALSE]
  cells <- function(name, text) filled(table[[name]], text(table[[name]]))
  short <- function(value) format(value, digits = digits)
  text <- cbind(
    "F value" = cells("F value", short), Df = table$Df,
    "Error Df" = cells("Error Df", function(v) format(signif(v, 5L))),
    "Pr(>F)" = cells("Pr(>F)", function(v) format.pval(v, digits = max(1L, digits - 1L))),
    Error = cells("Error", as.character)
  )
  rownames(text) <- rownames(table)
  text
}

component_text <- function(x, digits) {
  known <- !is.na(x$components$moments)
  moments <- ifelse(known, format(x$components$moments, digits = digits), "")
  text <- cbind(Moments = moments, REML = format(x$components$REML, digits = digits))
  rownames(text) <- x$components$group
  text
}

#' @rdname varcomp_anova
#' @export
as.data.frame.varcomp_anova <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  table <- x$table
  if (!is.null(row.names)) rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

# In reports (registered in util-load.R).
knit_print_moments <- function(x, ...) {
  digits <- report_digits()
  piece <- function(text, first, caption) {
    text <- cbind(rownames(text), text)
    colnames(text)[1L] <- first
    captioned(text, caption, left = c(1L, match(c("E(Mean Sq)", "Error"), colnames(text), nomatch = 1L)))
  }
  as_output(c(
    list(
      piece(moments_text(x, digits), "Source", "Analysis of variance with expected mean squares"),
      piece(moments_tests(x, digits), "Source", "Tests against their error terms"),
      piece(component_text(x, digits), "Component", "Variance components")
    ),
    as.list(x$notes)
  ))
}

# Sums of squares ------------------------------------------------------------------------------------------------------
#
# Writes  the list `squares`:
#   source        names of the sources: fixed terms, random terms (fewest levels first), "Residual"
#   fixed         logical; df, ss, ms: degrees of freedom, sums of squares, mean squares (NA without df)
#   coefficients  sources x (variances of the random terms, sigma^2): of the expected mean squares
#   owner         for each source the column of its own variance (NA for a fixed one)
#   variances     names of the random terms in that order; terms: their numbers in the fit
#   unbalanced    do the expectations show that the sums of squares are not orthogonal?

sequential_squares <- function(fit, design, call) {
  terms <- random_sequence(design)
  check_square_size(fit, design, call)
  fixed <- fixed_squares(fit, design, terms)
  random <- random_squares(fixed, design, terms)
  labels <- make.unique(vapply(fit$random[terms], source_label, "", fit = fit))
  k <- length(terms)
  residual_df <- length(design$y) - fixed$rank - sum(random$df)
  if (residual_df < 1L) {
    abort_ferrite("varcomp", "There must be degrees of freedom left for the residual.",
      paste0("The fixed and random terms take all ", length(design$y), " of them."),
      hint = "Remove the random term with the most levels.", call = call
    )
  }
  df <- c(fixed$df, random$df, residual_df)
  ss <- c(fixed$ss, random$ss, random$residual)
  trace <- rbind(fixed$trace, random$trace, numeric(k))
  coefficients <- cbind(trace / ifelse(df > 0L, df, NA), 1)
  coefficients[df == 0L, ] <- 0
  coefficients[abs(coefficients) < 1e-9 * max(coefficients)] <- 0
  source <- c(fixed$source, labels, "Residual")
  dimnames(coefficients) <- list(source, c(labels, "Residual"))
  list(
    source = source, fixed = rep(c(TRUE, FALSE), c(length(fixed$df), k + 1L)), df = as.integer(df), ss = ss,
    ms = ifelse(df > 0L, ss / df, NA_real_), coefficients = coefficients,
    owner = c(rep(NA_integer_, length(fixed$df)), seq_len(k + 1L)), variances = labels, terms = terms,
    unbalanced = is_unbalanced(coefficients, design, terms)
  )
}

# "g", or "x in g" for a column that is not the intercept.
source_label <- function(term, fit) {
  if (identical(term$effects, "(Intercept)")) term$group else paste(term$effects, "in", term$group)
}

# Fewest levels first; among terms of a factor, and among ties, in the order of the formula.
random_sequence <- function(design) {
  sizes <- vapply(design$terms, function(term) design$factors[[term$factor]]$n_levels, 1L)
  order(sizes)
}

check_square_size <- function(fit, design, call) {
  q <- sum(vapply(design$terms, function(term) as.double(design$factors[[term$factor]]$n_levels), 0))
  bytes <- 3 * 8 * q^2
  if (bytes <= fit$control$memory) return(invisible())
  abort_ferrite("too_large", "The cross-products of the random terms must fit in memory.",
    paste0("For ", counted(q, "random effect"), " they need ", gigabytes(bytes), " where ",
           gigabytes(fit$control$memory), " are allowed."),
    hint = "Use `VarCorr()` for the REML estimates, or raise `lmm_control(memory = )` in the fit.", call = call,
    data = list(bytes = bytes, limit = fit$control$memory)
  )
}

# Fixed terms -----------------------------------------------------------------------------------------------------

# Sums of squares of the fixed terms, each after those before it, with trace(Z'PZ) for each random term; and what the
# random terms need: for each term its column z (times sqrt(weight)), its codes, Z'Q, and the residual e.
fixed_squares <- function(fit, design, terms) {
  n <- length(design$y)
  root <- if (is.null(design$weights)) rep(1, n) else sqrt(design$weights)
  y <- design$y - (if (is.null(design$offset)) 0 else design$offset)
  x <- fixed_matrix(fit, fit$frame)
  assign <- attr(x, "assign")[fit$kept]
  labels <- attr(fit$terms, "term.labels")
  # a constant moves into the intercept, where it cannot cancel digits of the rest
  if (0L %in% assign) y <- y - mean(y)
  x <- root * x[, fit$kept, drop = FALSE]
  own <- sequential_basis(x)
  effects <- drop(crossprod(own, root * y))
  residual <- root * y - drop(own %*% effects)
  residual <- residual - drop(own %*% crossprod(own, residual))
  used <- setdiff(unique(assign), 0L)
  columns <- lapply(terms, function(k) {
    codes <- design$factors[[design$terms[[k]]$factor]]$codes
    z <- rep_len(root * block_column(design$terms[[k]]$basis, 1L), n)
    list(z = z, codes = codes, n_levels = design$factors[[design$terms[[k]]$factor]]$n_levels,
         cross = unname(rowsum(z * own, codes)))
  })
  by_term <- function(values) unname(vapply(used, function(a) sum(values[assign == a]), 0))
  list(
    source = labels[used], df = unname(vapply(used, function(a) sum(assign == a), 0L)), ss = by_term(effects^2),
    trace = matrix(vapply(columns, function(column) by_term(colSums(column$cross^2)), numeric(length(used))),
      length(used), length(columns)),
    rank = ncol(own), columns = columns, residual = residual
  )
}

# Orthonormal columns, the first j of which span the first j of x (of full rank).
sequential_basis <- function(x) {
  if (!ncol(x)) return(x)
  attributes(x) <- attributes(x)["dim"]
  x <- sweep(x, 2L, sqrt(colSums(x^2)), "/")
  qr.Q(qr(x, tol = 0))
}

# Random terms ----------------------------------------------------------------------------------------------------

# With A = Z'MZ of all random terms side by side and t = Z'e, block by block: the rows that a block contributes are
# F = R^-T A[block, ], R'R its own block, of which ss, trace and rank are read, and A and t of the later blocks are
# swept by them. (Within its own block the squares of F sum to the trace of A.)
random_squares <- function(fixed, design, terms) {
  columns <- fixed$columns
  k <- length(columns)
  sizes <- vapply(columns, `[[`, 1L, "n_levels")
  block <- rep(seq_len(k), sizes)
  cross <- do.call(rbind, lapply(columns, `[[`, "cross"))
  a <- products(columns, block) - tcrossprod(cross)
  by_level <- function(v) unlist(lapply(columns, function(column) rowsum(column$z * v(column), column$codes)))
  t <- by_level(function(column) fixed$residual)
  scale <- by_level(function(column) column$z)
  df <- integer(k)
  ss <- numeric(k)
  trace <- matrix(0, k, k)
  for (s in seq_len(k)) {
    at <- which(block == s)
    rest <- which(block > s)
    root <- suppressWarnings(chol(a[at, at, drop = FALSE], pivot = TRUE, tol = 1e-9 * max(scale[at])))
    df[s] <- attr(root, "rank")
    if (!df[s]) next
    first <- seq_len(df[s])
    pivot <- attr(root, "pivot")[first]
    solve_rows <- function(v) backsolve(root, v, k = df[s], transpose = TRUE)
    own <- drop(solve_rows(t[at[pivot]]))
    ss[s] <- sum(own^2)
    trace[s, s] <- sum(diag(a)[at])
    if (!length(rest)) next
    rows <- solve_rows(a[at[pivot], rest, drop = FALSE])
    for (j in unique(block[rest])) trace[s, j] <- sum(rows[, block[rest] == j]^2)
    a[rest, rest] <- a[rest, rest] - crossprod(rows)
    t[rest] <- t[rest] - drop(crossprod(rows, own))
  }
  total <- sum(fixed$residual^2)
  list(df = df, ss = ss, trace = trace, residual = total - sum(ss))
}

# Z'Z of one-column terms side by side.
products <- function(columns, block) {
  a <- matrix(0, length(block), length(block))
  for (i in seq_along(columns)) {
    for (j in seq_len(i)) {
      one <- columns[[i]]
      two <- columns[[j]]
      cell <- one$codes + (two$codes - 1) * one$n_levels
      sums <- rowsum(one$z * two$z, cell)
      filled <- matrix(0, one$n_levels, two$n_levels)
      filled[as.double(rownames(sums))] <- sums
      a[block == i, block == j] <- filled
      a[block == j, block == i] <- t(filled)
    }
  }
  a
}

# Text ----------------------------------------------------------------------------------------------------------------

# "sigma^2 + 2 sigma_cask:batch^2 + 6 sigma_batch^2", with Q(term) for a fixed one.
expectation_text <- function(squares) {
  k <- ncol(squares$coefficients)
  vapply(seq_along(squares$source), function(s) {
    row <- squares$coefficients[s, ]
    if (!squares$df[s]) return("")
    random <- rev(which(row[-k] > 0))
    parts <- c(
      "sigma^2", sprintf("%ssigma_%s^2", vapply(row[random], multiplier, ""), squares$variances[random]),
      if (squares$fixed[s]) sprintf("Q(%s)", squares$source[s])
    )
    paste(parts, collapse = " + ")
  }, "")
}

# "" for 1, "16 " for 16, "5.8462 " for a fraction.
multiplier <- function(value) {
  whole <- abs(value - round(value)) < 1e-6 * max(1, abs(value))
  if (whole && round(value) == 1) return("")
  paste0(if (whole) format(round(value), scientific = FALSE) else format(value, digits = 5L), " ")
}

# "cask:batch", "0.5 a + 0.5 b", "a + b - Residual".
combination_text <- function(weights, names) {
  size <- vapply(abs(weights), multiplier, "")
  sign <- ifelse(weights < 0, " - ", " + ")
  sign[1L] <- if (weights[1L] < 0) "-" else ""
  paste0(sign, size, names, collapse = "")
}

# In a balanced design each random source has one coefficient for each variance, the same for every source that has it.
is_unbalanced <- function(coefficients, design, terms) {
  own <- coefficients[nrow(coefficients) - rev(seq_along(terms)), seq_along(terms), drop = FALSE]
  spread <- apply(own, 2L, function(column) {
    column <- column[column > 0]
    length(column) > 0L && diff(range(column)) > 1e-6 * max(column)
  })
  any(spread)
}
