# What a whole object is: the fields of fits and of results, their types and sizes.
#
# Reads   an object, in time that does not grow with the rows.
# Writes  the first fault that is found, or `NULL`.
# Used by util-guard.R.

absent <- structure(list(), class = "absent")

# A field that is not what it must be; `found` left out: there is none.
fault <- function(field, rule, found = absent, kind = "field") {
  list(field = sprintf("The %s `%s`", kind, field), rule = rule, found = found)
}

# Fits ------------------------------------------------------------------------------------------------------------

# Fields that every fit has (fit-object.R); the others may be `NULL`.
fit_fields <- c(
  "call", "formula", "REML", "terms", "frame", "x_names", "beta", "kept", "vcov", "theta", "sigma", "random", "factors",
  "criterion", "ld_l", "ld_rx", "pwrss", "nobs", "rank", "npar", "weights_used", "convergence", "control"
)

# The first field of a fit that is not as fit-object.R says, or `NULL`. What a light fit (infer-bootstrap.R) lacks is
# NA.
fit_fault <- function(fit) { # nolint: cyclocomp_linter.
  x <- unclass(fit)
  if (!is.list(x)) return(list(field = "The content", rule = "a list", found = x))
  lost <- match(fit_fields, names(x), 0L) == 0L
  if (any(lost)) return(fault(fit_fields[lost][1L], "there"))
  if (!is_function_call(x$call)) return(fault("call", "a call of a function", x$call))
  if (!is_formula(x$formula)) return(fault("formula", "a formula with two sides", x$formula))
  if (!is_flag(x$REML)) return(fault("REML", "`TRUE` or `FALSE`", x$REML))
  if (!is_terms(x$terms)) return(fault("terms", "a terms object", x$terms))
  if (!is_settings(x$contrasts, single = TRUE)) {
    return(fault("contrasts", "`NULL` or contrasts by variable", x$contrasts))
  }
  if (!is_settings(x$xlevels)) return(fault("xlevels", "`NULL` or levels by variable", x$xlevels))
  found <- numbers_fault(x, fit_numbers, "", finite = !isTRUE(x$light))
  if (!is.null(found)) return(found)
  if (!isTRUE(x$sigma >= 0)) return(fault("sigma", "one number that is not negative", x$sigma))
  or_else(frame_fault(x), or_else(fixed_fault(x), or_else(random_fault(x),
    or_else(if (!isTRUE(x$light)) search_fault(x), control_fault(x$control)))))
}

fit_numbers <- c("sigma", "criterion", "ld_l", "ld_rx", "pwrss", "nobs", "rank", "npar")

# Each of `names` in the list `x` is one number: looked at together first, which is several times faster.
numbers_fault <- function(x, names, prefix, finite = FALSE) { # nolint: cyclocomp_linter.
  there <- x[names]
  together <- unlist(there, recursive = FALSE, use.names = FALSE)
  good <- is.numeric(together) && length(together) == length(names) && (!finite || all(is.finite(together)))
  if (good && all(lengths(there, use.names = FALSE) == 1L)) return(NULL)
  for (name in names) {
    one <- x[[name]]
    if (!is.numeric(one) || length(one) != 1L || (finite && !is.finite(one))) {
      rule <- if (finite) "one finite number" else "one number"
      return(if (is.null(one)) fault(paste0(prefix, name), rule) else fault(paste0(prefix, name), rule, one))
    }
  }
}

frame_fault <- function(x) { # nolint: cyclocomp_linter.
  frame <- x$frame
  n <- x$nobs
  if (!is.data.frame(frame)) return(fault("frame", "a data frame", frame))
  sizes <- lengths(unclass(frame), use.names = FALSE)
  if (.row_names_info(frame, 2L) != n || any(sizes < n) || any(sizes %% n != 0)) {
    return(fault("frame", sprintf("a data frame with %s, those of the fit", counted(n, "row")), frame))
  }
  columns <- names(attr(attr(frame, "terms"), "dataClasses"))
  if (is.null(columns)) return(fault("frame", "a model frame with its terms", frame))
  lost <- columns[match(columns, names(frame), 0L) == 0L]
  if (length(lost)) return(fault(paste0("frame$", lost[1L]), "there"))
  aside <- x$na.action
  if (!is.null(aside) && !(is.numeric(aside) && !anyNA(aside) && inherits(aside, c("omit", "exclude")))) {
    return(fault("na.action", "`NULL` or what `na.omit()` or `na.exclude()` gives", aside))
  }
  if (!is_flag(x$weights_used)) return(fault("weights_used", "`TRUE` or `FALSE`", x$weights_used))
}

# Are the columns of the frame still those that were fitted? For methods that build matrices from it: takes a look at
# every row. The response may be another one (refit()).
check_frame <- function(fit) { # nolint: cyclocomp_linter.
  frame <- fit$frame
  classes <- attr(attr(frame, "terms"), "dataClasses")
  for (name in names(classes)) {
    column <- frame[[name]]
    kind <- stats::.MFclass(column)
    response <- name == names(frame)[1L]
    if (!identical(kind, classes[[name]]) && !(response && is.numeric(column))) {
      changed_frame(name, paste("of the class with which it was fitted,", classes[[name]]),
        paste0("It is of class ", kind, ".")
      )
    }
    if (anyNA(column)) changed_frame(name, "without missing values", "It has some.")
    if (is.double(column) && !is.object(column) && !response && !is.finite(sum(column)) && !all(is.finite(column))) {
      changed_frame(name, "finite", "It is not in some rows.")
    }
    coding <- fit$contrasts[[name]]
    if (is.character(coding) && length(coding) == 1L && !exists(coding, mode = "function")) {
      changed_field("contrasts", "contrasts that R knows", sprintf("There is no function `%s`.", coding))
    }
    levels <- fit$xlevels[[name]]
    if (is.factor(column) && !is.null(levels) && !identical(levels(column), levels)) {
      changed_frame(name, "a factor with the levels of the fit", "It has others.")
    }
  }
}

changed_frame <- function(name, rule, found) {
  changed_field(paste0("frame$", name), rule, found)
}

changed_field <- function(field, rule, found) {
  abort_ferrite("object", sprintf("The field `%s` of an object of class lmm must be %s.", field, rule),
    sub("\\.$", ": the object was edited.", found),
    hint = "Fit the model again with `lmm()`, or read an intact copy with `readRDS()`.", call = NULL,
    data = list(field = field)
  )
}

fixed_fault <- function(x) { # nolint: cyclocomp_linter.
  p <- length(x$x_names)
  r <- x$rank
  if (p && !is.character(x$x_names)) return(fault("x_names", "names of columns", x$x_names))
  if (!is.integer(x$kept) || length(x$kept) != r || anyNA(x$kept) || any(x$kept < 1L) || any(x$kept > p)) {
    return(fault("kept", sprintf("%s from 1 to %d", counted(r, "whole number"), p), x$kept))
  }
  beta <- x$beta
  if (!is.double(beta) || length(beta) != p || !identical(names(beta), if (p) x$x_names else names(beta))) {
    return(fault("beta", sprintf("%s with the names of `x_names`", counted(p, "number")), beta))
  }
  if (!all(is.finite(beta[x$kept]))) return(fault("beta", "finite where a column was kept", beta))
  if (!is_square(x$vcov, r) || (!all(is.finite(x$vcov)) && !isTRUE(x$light))) {
    return(fault("vcov", sprintf("a matrix of %1$d x %1$d numbers", as.integer(r)), x$vcov))
  }
}

random_fault <- function(x) { # nolint: cyclocomp_linter.
  if (!is.list(x$factors) || !length(x$factors)) return(fault("factors", "a list of grouping factors", x$factors))
  for (k in seq_along(x$factors)) {
    one <- x$factors[[k]]
    whole <- is.list(one) && is_text(one$name) && is_number(one$n_levels) && is.character(one$levels) &&
      length(one$levels) == one$n_levels && is.character(one$variables) && length(one$variables) &&
      all(one$variables %in% names(x$frame)) && is.list(one$parent_levels) &&
      length(one$parent_levels) == length(one$variables)
    if (!whole) return(fault(sprintf("factors[[%d]]", k), "a grouping factor with its name, levels and variables", one))
  }
  if (!is.list(x$random) || !length(x$random)) return(fault("random", "a list of random terms", x$random))
  m <- 0
  parameters <- 0
  used <- integer()
  for (k in seq_along(x$random)) {
    term <- x$random[[k]]
    found <- term_fault(term, k, x$factors, isTRUE(x$light))
    if (!is.null(found)) return(found)
    used <- c(used, term$factor)
    q <- length(term$effects)
    m <- m + q * (q + 1) / 2
    kind <- term$structure
    parameters <- parameters +
      if (is.null(kind)) q * (q + 1) / 2 else (if (kind$hom) 1 else q) + (kind$kind != "diag")
  }
  if (!all(seq_along(x$factors) %in% used)) return(fault("factors", "those of the random terms", x$factors))
  if (!is.double(x$theta) || length(x$theta) != m || is.null(names(x$theta)) || !all(is.finite(x$theta))) {
    return(fault("theta", paste(counted(m, "finite number"), "with names"), x$theta))
  }
  residual <- x$residual
  if (!is.null(residual) && !residual_whole(residual)) {
    return(fault("residual", "`NULL`, or the parameters of residuals that are not alike", residual))
  }
  if (x$npar != x$rank + parameters + length(residual$phi) + 1) {
    return(fault("npar", "the number of parameters that the other fields have", x$npar))
  }
}

term_fault <- function(term, k, factors, light) { # nolint: cyclocomp_linter.
  wrong <- function(name, rule) {
    fault(sprintf("random[[%d]]$%s", k, name), rule, if (name %in% names(term)) term[[name]] else absent)
  }
  if (!is.list(term)) return(fault(sprintf("random[[%d]]", k), "a random term", term))
  if (!is_text(term$group)) return(wrong("group", "the name of a grouping factor"))
  if (!is_text(term$text)) return(wrong("text", "one word"))
  if (!is.numeric(term$factor) || length(term$factor) != 1L || !term$factor %in% seq_along(factors)) {
    return(wrong("factor", "the number of a grouping factor"))
  }
  q <- length(term$effects)
  if (!is.character(term$effects) || !q) return(wrong("effects", "names of columns"))
  levels <- factors[[term$factor]]$n_levels
  if (!is_terms(term$lhs)) return(wrong("lhs", "a terms object"))
  if (!is.null(term$structure) && !(is.list(term$structure) && is_text(term$structure$kind) &&
                                      is_flag(term$structure$hom))) {
    return(wrong("structure", "`NULL` or a kind of covariance"))
  }
  if (!is_settings(term$contrasts, single = TRUE)) return(wrong("contrasts", "`NULL` or contrasts by variable"))
  if (!is_settings(term$xlevels)) return(wrong("xlevels", "`NULL` or levels by variable"))
  if (!is_square(term$varcov, q) || !all(is.finite(term$varcov)) || !identical(colnames(term$varcov), term$effects)) {
    return(wrong("varcov", sprintf("a matrix of %1$d x %1$d numbers with the names of the effects", q)))
  }
  for (name in c("b", "u")) {
    one <- term[[name]]
    if (!is.double(one) || !identical(as.double(dim(one)), c(levels, q) + 0) || is.null(rownames(one))) {
      return(wrong(name, sprintf("a matrix of %d x %d numbers with the names of the levels", as.integer(levels), q)))
    }
  }
  if (!is.double(term$condvar) || !identical(as.double(dim(term$condvar)), c(q, q, levels) + 0)) {
    return(wrong("condvar", sprintf("an array of %1$d x %1$d x %2$d numbers", q, as.integer(levels))))
  }
  for (name in if (!light) c("b", "u", "condvar")) {
    # a million numbers would take a millisecond
    if (length(term[[name]]) <= 1e5 && anyNA(term[[name]])) return(wrong(name, "without missing values"))
  }
  if (!is_number(term$rank) || term$rank < 0 || term$rank > q) {
    return(wrong("rank", sprintf("a whole number from 0 to %d", q)))
  }
}

residual_whole <- function(residual) { # nolint: cyclocomp_linter.
  is.list(residual) && is.double(residual$phi) && length(residual$phi) && !is.null(names(residual$phi)) &&
    all(is.finite(residual$phi)) && is.matrix(residual$hessian) && is.double(residual$hessian) &&
    (!is.null(residual$scale) || !is.null(residual$correlation)) &&
    (is.null(residual$scale) || (is.list(residual$scale) && is.character(residual$scale$names))) &&
    (is.null(residual$correlation) ||
       (is.list(residual$correlation) && is_text(residual$correlation$form) && is_number(residual$rho) &&
          is_number(residual$unit_rho) && abs(residual$rho) <= 1 && abs(residual$unit_rho) <= 1)) &&
    length(residual$phi) == length(residual$scale$names) + !is.null(residual$correlation)
}

search_fault <- function(x) { # nolint: cyclocomp_linter.
  found <- x$convergence
  m <- length(x$theta)
  wrong <- function(name, rule) {
    fault(paste0("convergence$", name), rule, if (name %in% names(found)) found[[name]] else absent)
  }
  if (!is.list(found)) return(fault("convergence", "a list", found))
  if (!is_text(found$status)) return(wrong("status", "one word"))
  odd <- or_else(
    numbers_fault(found, c("evaluations", "iterations", "starts"), "convergence$", finite = TRUE),
    numbers_fault(found, c("decrement", "gradient", "kkt"), "convergence$")
  )
  if (!is.null(odd)) return(odd)
  if (!is.double(found$eigenvalues)) return(wrong("eigenvalues", "numbers"))
  if (!is_square(found$hessian, m)) return(wrong("hessian", sprintf("a matrix of %1$d x %1$d numbers", m)))
  if (!is_text(found$structure)) return(wrong("structure", "one text"))
}

control_fault <- function(control) {
  if (!is.list(control)) return(fault("control", "settings made by `lmm_control()`", control))
  odd <- numbers_fault(control, c("tolerance", "memory", "threads", "max_evaluations"), "control$", finite = TRUE)
  if (!is.null(odd)) return(odd)
  for (name in c("threads", "max_evaluations")) {
    if (!is.integer(control[[name]]) || control[[name]] < 1L) {
      return(fault(paste0("control$", name), "one positive whole number", control[[name]]))
    }
  }
  for (name in c("tolerance", "memory")) {
    if (control[[name]] <= 0) return(fault(paste0("control$", name), "one positive number", control[[name]]))
  }
  if (!is_flag(control$progress)) return(fault("control$progress", "`TRUE` or `FALSE`", control$progress))
}

# Kinds of values -------------------------------------------------------------------------------------------------

is_flag <- function(x) is.logical(x) && length(x) == 1L && !is.na(x)
is_number <- function(x) is.numeric(x) && length(x) == 1L && is.finite(x)
is_text <- function(x) is.character(x) && length(x) == 1L && !is.na(x)
is_words <- function(x) is.character(x) && !anyNA(x) && all(validEnc(x))
is_word <- function(x) is_words(x) && length(x) == 1L && nzchar(x)
is_formula <- function(x) inherits(x, "formula") && is.call(x) && length(x) == 3L
is_terms <- function(x) inherits(x, "terms") && is.call(x) && length(x) > 1L
is_function_call <- function(x) {
  head <- if (is.call(x)) x[[1L]]
  is.symbol(head) || is.function(head) || (is.call(head) && !identical(head[[1L]], quote(`~`)))
}

# A list by variables of levels or (`single`) of contrasts: a name or a matrix each.
is_settings <- function(x, single = FALSE) {
  if (!length(x)) return(is.null(x) || is.list(x))
  text <- function(one) is.character(one) && (!single || length(one) == 1L || is.matrix(one))
  is.list(x) && !is.null(names(x)) && !anyNA(x) &&
    all(vapply(x, function(one) text(one) || (is.numeric(one) && is.matrix(one)), NA))
}
is_square <- function(x, k) is.double(x) && length(dim(x)) == 2L && all(dim(x) == k)

# Results ---------------------------------------------------------------------------------------------------------

# The kinds that a field of a result can have: what to say, and the test.
result_kinds <- list(
  flag = list("`TRUE` or `FALSE`", is_flag),
  number = list("one number", function(x) is.numeric(x) && length(x) == 1L),
  numbers = list("numbers", is.numeric),
  count = list("one whole number that is not negative", function(x) is_number(x) && x >= 0),
  counts = list("numbers with names, none negative", function(x) {
    is.numeric(x) && !is.null(names(x)) && !anyNA(x) && all(x >= 0)
  }),
  named = list("numbers with names", function(x) is.numeric(x) && (!length(x) || !is.null(names(x)))),
  text = list("one text", is_text),
  texts = list("words", is.character),
  labels = list("words, none missing", function(x) is.character(x) && !anyNA(x)),
  sizes = list("whole numbers, none negative", function(x) is.numeric(x) && !anyNA(x) && all(x >= 0)),
  words = list("`NULL` or words", function(x) is.null(x) || is.character(x)),
  flags = list("logical", is.logical),
  formula = list("a formula with two sides", is_formula),
  call = list("a call", is.call),
  matrix = list("a matrix of numbers with names of columns", function(x) {
    is.matrix(x) && is.numeric(x) && (!ncol(x) || !is.null(colnames(x)))
  }),
  table = list("a data frame", is.data.frame),
  factor = list("a factor", is.factor),
  list = list("a list", is.list)
)

#' The test of a result
#'
#' @param fields,attributes Named words: the kind of each field and attribute that must be there.
#' @param parts May fields and attributes be missing, as in a part of a table?
#' @param further A function of the object for what kinds do not say: a fault or `NULL`.
#' @noRd
result_test <- function(fields = character(), attributes = character(), further = NULL, parts = FALSE) {
  force(further)
  function(x) {
    content <- unclass(x)
    if (length(fields) && !is.list(content)) return(list(field = "The content", rule = "a list", found = content))
    kind <- if (inherits(x, "data.frame")) "column" else "field"
    found <- or_else(
      kinds_fault(fields, names(content), function(name) content[[name]], kind, parts),
      kinds_fault(attributes, names(attributes(x)), function(name) attr(x, name, exact = TRUE), "attribute", parts)
    )
    if (is.null(found) && kind == "column" && !all(lengths(content) == .row_names_info(x, 2L))) {
      found <- list(field = "The columns", rule = "of one length", found = lengths(content))
    }
    if (is.null(found) && !is.null(further)) further(content) else found
  }
}

kinds_fault <- function(kinds, there, value, what, parts) {
  for (name in names(kinds)) {
    kind <- result_kinds[[kinds[[name]]]]
    if (!name %in% there) {
      if (parts || kinds[[name]] == "words") next
      return(fault(name, kind[[1L]], kind = what))
    }
    if (!kind[[2L]](value(name))) return(fault(name, kind[[1L]], value(name), what))
  }
}

# The columns of a table in a field; those that are not there are none, with `parts`.
columns_fault <- function(table, kinds, field, parts = TRUE) {
  value <- function(name) .subset2(table, name)
  found <- kinds_fault(kinds, names(table), value, "column", parts)
  if (is.null(found)) return(NULL)
  found$field <- sub("`", paste0("`", field, "$"), found$field, fixed = TRUE)
  found
}

# The fit that a result keeps.
kept_fault <- function(fit, name) {
  if (!inherits(fit, "lmm")) return(fault(name, "a fit of `lmm()`", fit))
  found <- fit_fault(fit)
  if (!is.null(found)) {
    found$field <- sub("`", paste0("`", name, "$"), found$field, fixed = TRUE)
    found
  }
}

# A list by groups: each a table, or numbers with names.
groups_fault <- function(x) { # nolint: cyclocomp_linter.
  if (!is.list(x) || (length(x) && is.null(names(x)))) {
    return(list(field = "The content", rule = "a list with names", found = x))
  }
  for (name in names(x)) {
    if (!is.data.frame(x[[name]]) && !is.numeric(x[[name]])) return(fault(name, "a data frame", x[[name]]))
    if (is.data.frame(x[[name]]) && !all(vapply(unclass(x[[name]]), is.numeric, NA))) {
      return(fault(name, "a data frame of numbers", x[[name]]))
    }
    variances <- attr(x[[name]], "postVar")
    for (one in if (is.list(variances)) variances else if (is.array(variances)) list(variances)) {
      if (length(dim(one)) != 3L || dim(one)[3L] != NROW(x[[name]])) {
        return(fault("postVar", "an array with a matrix for each level", one, "attribute"))
      }
    }
  }
}

covariances_fault <- function(x) { # nolint: cyclocomp_linter.
  if (!is.list(x) || !length(x) || is.null(names(x))) {
    return(list(field = "The content", rule = "a list of covariance matrices", found = x))
  }
  for (name in names(x)) {
    one <- x[[name]]
    q <- nrow(one)
    whole <- is.matrix(one) && is_square(unclass(one), q) && q > 0L && !anyNA(one) && !is.null(rownames(one)) &&
      is.numeric(attr(one, "stddev")) && length(attr(one, "stddev")) == q && is_square(attr(one, "correlation"), q)
    if (!whole) return(fault(name, "a covariance matrix with standard deviations and correlations", one))
  }
}

# For each class with methods: the first fault of an object, or `NULL`.
object_faults <- list( # nolint: cyclocomp_linter.
  lmm = fit_fault,
  summary.lmm = result_test(
    c(
      call = "call", formula = "formula", REML = "flag", criterion = "number", AICtab = "named",
      coefficients = "matrix", ddf = "text", vcov = "numbers", correlation = "numbers", varcor = "list",
      sigma = "number", residuals = "numbers",
      nobs = "count", ngrps = "counts", x_names = "texts", kept = "numbers", convergence = "list",
      convergence_line = "text"
    ),
    further = function(x) {
      if (!inherits(x$varcor, "VarCorr.lmm") || !is.null(covariances_fault(unclass(x$varcor)))) {
        return(fault("varcor", "what `VarCorr()` gives", x$varcor))
      }
      if (!is.null(x$residual) && !residual_whole(x$residual)) {
        return(fault("residual", "`NULL`, or the parameters of residuals that are not alike", x$residual))
      }
      k <- nrow(x$coefficients)
      if (!is_square(x$correlation, k)) {
        fault("correlation", sprintf("a matrix of %1$d x %1$d numbers", k), x$correlation)
      }
    }
  ),
  VarCorr.lmm = result_test(attributes = c(sc = "number"), further = covariances_fault),
  ranef.lmm = result_test(further = groups_fault),
  coef.lmm = result_test(further = groups_fault),
  profile.lmm = result_test(c(par = "factor", zeta = "numbers", value = "numbers"), c(fits = "list")),
  lmm_bootstrap = result_test(
    c(
      estimate = "named", replicates = "matrix", index = "numbers", nsim = "count", interrupted = "flag",
      certified = "flags", type = "text", fit = "list", call = "call"
    ),
    further = function(x) {
      if (!is.null(x$drawn) && !is.list(x$drawn)) return(fault("drawn", "`NULL` or a list", x$drawn))
      if (ncol(x$replicates) != length(x$estimate)) {
        return(fault("replicates", sprintf("a matrix with %s", counted(length(x$estimate), "column")), x$replicates))
      }
      kept_fault(x$fit, "fit")
    }
  ),
  lmm_confint = result_test(attributes = c(dim = "numbers", dimnames = "list", method = "text", criterion = "texts"),
    further = function(x) {
      if (!is.double(x)) list(field = "The content", rule = "a matrix of numbers", found = x)
    }
  ),
  influence.lmm = result_test(
    c(
      fixed.effects = "named", var.cov.comps = "named", vcov = "numbers", groups = "text", deleted = "texts",
      converged = "flags", function.evals = "numbers", sd = "named", status = "texts", rows = "numbers", nobs = "count",
      formula = "formula"
    ),
    further = function(x) {
      m <- length(x$deleted)
      p <- length(x$fixed.effects)
      if (!is_square(x$vcov, p) || !all(is.finite(x$vcov))) {
        return(fault("vcov", sprintf("a matrix of %1$d x %1$d numbers", p), x$vcov))
      }
      if (NCOL(x[[paste0("sd[-", x$groups, "]")]]) != length(x$sd)) {
        return(fault("sd", "one number for each column of the values without a group", x$sd))
      }
      for (name in paste0(c("fixed.effects", "var.cov.comps", "sd", "se"), "[-", x$groups, "]")) {
        one <- x[[name]]
        if (!is.matrix(one) || !is.numeric(one) || nrow(one) != m) {
          return(fault(name, sprintf("a matrix with %s", counted(m, "row")), one))
        }
      }
      for (name in c("status", "converged", "rows")) {
        if (length(x[[name]]) != m) return(fault(name, sprintf("of length %d", m), x[[name]]))
      }
      name <- paste0("vcov[-", x$groups, "]")
      if (length(x[[name]]) != m) fault(name, "a list of matrices")
    }
  ),
  contest = result_test(attributes = c(L = "numbers", rhs = "numbers", heading = "texts"),
    further = function(x) {
      for (name in names(x)) if (!is.numeric(x[[name]])) return(fault(name, "numbers", x[[name]], "column"))
    }
  ),
  ranova_lmm = result_test(
    c(npar = "numbers", logLik = "numbers", AIC = "numbers", LRT = "numbers", Df = "numbers", "Pr(>Chisq)" = "numbers",
      Reference = "texts"),
    c(REML = "flag", formula = "formula")
  ),
  lmm_comparison = result_test(
    c(npar = "numbers", AIC = "numbers", BIC = "numbers", logLik = "numbers", Chisq = "numbers", Df = "numbers",
      "Pr(>Chisq)" = "numbers"),
    c(REML = "flag", formulas = "texts")
  ),
  icc_lmm = result_test(c(
    table = "table", sigma2 = "number", fixed = "number", level = "number", method = "text", REML = "flag",
    formula = "formula", notes = "words"
  )),
  lmm_shrinkage = result_test(
    c(group = "texts", level = "texts", effect = "texts", n = "numbers", complete = "numbers", none = "numbers",
      partial = "numbers", factor = "numbers"),
    c(formula = "formula", REML = "flag", sigma = "number", sd = "named"), parts = TRUE
  ),
  lmm_robust = result_test(
    c(coefficients = "matrix", vcov = "numbers", type = "text", clusters = "list", fit = "list", call = "call"),
    further = function(x) {
      found <- kept_fault(x$fit, "fit")
      if (is.null(found) && !(is_text(x$clusters$name) && length(x$clusters$codes) == x$fit$nobs)) {
        found <- fault("clusters", "the clusters of the rows", x$clusters)
      }
      found
    }
  ),
  lmm_convergence = result_test(c(
    status = "text", evaluations = "count", iterations = "count", starts = "count", decrement = "number",
    gradient = "number", kkt = "number", eigenvalues = "numbers", hessian = "numbers", structure = "text",
    timing = "counts", terms = "table", parameters = "count", criterion = "number", REML = "flag"
  )),
  lmm_plan = result_test(c(
    formula = "formula", nobs = "count", p = "count", n_theta = "count", groups = "table", structure = "text",
    order = "count", fill = "count", dense = "flag", bytes = "count", limit = "count", fits = "flag",
    work = "count", threads = "count", evaluations = "count", seconds = "counts"
  ), further = function(x) {
    if (!is.null(x$residual) && !(is.list(x$residual) && is_text(x$residual$text))) {
      return(fault("residual", "`NULL`, or the residuals that were planned", x$residual))
    }
    columns_fault(x$groups, c(group = "labels", levels = "sizes", effects = "sizes"), "groups", parts = FALSE)
  }),
  lmm_refits = result_test(
    c(
      parameters = "matrix", theta = "numbers", criterion = "numbers", certified = "flags", fit = "list", call = "call"
    ),
    further = function(x) {
      k <- length(x$criterion)
      if (nrow(x$parameters) != k || length(x$certified) != k) {
        return(fault("parameters", sprintf("a matrix with %s", counted(k, "row")), x$parameters))
      }
      kept_fault(x$fit, "fit")
    }
  ),
  varcomp_anova = result_test(c(
    table = "table", components = "table", coefficients = "matrix", formula = "formula", notes = "words"
  ), further = function(x) {
    numbers <- c("Df", "Sum Sq", "Mean Sq", "Error MS", "Error Df", "F value", "Pr(>F)")
    or_else(
      columns_fault(x$table, c(stats::setNames(rep("numbers", length(numbers)), numbers), "E(Mean Sq)" = "labels"),
                    "table"),
      columns_fault(x$components, c(group = "labels", moments = "numbers", ML = "numbers", REML = "numbers"),
                    "components")
    )
  })
)
