# The arguments `dispersion` and `correlation`: language -> what is asked of the residuals. Touches no data.
#
# Reads   a one-sided formula; the expression ar1(~ time | series), car1(~ time | series) or cs(~ 1 | series), not
#         evaluated; varIdent(), varPower(), corAR1(), corCAR1() and corCompSymm() of nlme will do.
# Writes  list(text, expr, powers), later a terms object; list(form, text, time, group), expressions.
# Used by design-residual.R and design-correlation.R, which make the columns.

# dispersion -----------------------------------------------------------------------------------------------------------
#
# `power(x)` stands for log(abs(x)): a standard deviation proportional to a power of x.

# Formula -> list(text, expr, powers), `NULL` for `~ 1`. `powers`: how each rewritten `power(x)` was written.
read_dispersion <- function(force, call) {
  formula <- tryCatch(force(), error = function(e) {
    bad_dispersion(paste0("It fails: ", sub("\\.$", "", conditionMessage(e)), "."), call)
  })
  if (is.null(formula)) return(NULL)
  if (inherits(formula, "varFunc")) dispersion_of_nlme(formula, call)
  if (!inherits(formula, "formula")) bad_dispersion(paste0("It is ", a_kind(formula), "."), call)
  text <- code_text(formula)
  if (length(formula) == 3L) {
    bad_dispersion(
      paste0("`", text, "` has a left-hand side."), call, paste0("Write `~ ", deparse_one(formula[[3L]]), "`.")
    )
  }
  expr <- formula[[2L]]
  if (identical(expr, 1)) return(NULL)
  if (has_bar(expr)) {
    own <- strip_parens(expr)
    group <- if (is_bar(own)) deparse_one(own[[3L]])
    bad_dispersion(paste0("`", text, "` has a bar."), call, if (length(group)) {
      paste0("For a standard deviation for each level of `", group, "` write `~ ", group, "`.")
    })
  }
  names <- all.names(expr)
  if (any(c("fitted", "resid") %in% names)) {
    bad_dispersion(paste0("`", text, "` is a function of the fit."), call,
      "Functions of fitted values are not supported; use the covariate that drives them."
    )
  }
  if ("." %in% names) bad_dispersion(paste0("`", text, "` has a `.`."), call, "Name the variables.")
  written <- rewrite_power(expr, call)
  list(text = deparse_one(formula), expr = written$expr, powers = written$powers)
}

# power(x) -> log(abs(x)), wherever it stands.
rewrite_power <- function(expr, call) {
  powers <- character()
  walk <- function(expr) {
    if (!is.call(expr)) return(expr)
    if (!identical(expr[[1L]], quote(power))) {
      for (i in seq_along(expr)[-1L]) if (is.call(expr[[i]])) expr[[i]] <- walk(expr[[i]])
      return(expr)
    }
    if (length(expr) != 2L) {
      bad_dispersion(paste0("`", deparse_one(expr), "` has ", length(expr) - 1L, " arguments."), call,
        "Write `power(x)`: its exponent is estimated."
      )
    }
    made <- call("log", call("abs", expr[[2L]]))
    powers[[deparse_one(made)]] <<- deparse_one(expr)
    made
  }
  list(expr = walk(expr), powers = powers)
}

dispersion_of_nlme <- function(object, call) {
  variables <- tryCatch(all.vars(attr(object, "formula")), error = function(e) "x")
  x <- c(setdiff(variables, "."), "x")[1L]
  meant <- switch(class(object)[1L],
    varIdent = paste0("~ ", utils::tail(c("g", variables), 1L)), # nolint: object_name_linter.
    varExp = paste0("~ ", x), # nolint: object_name_linter.
    paste0("~ power(", x, ")")
  )
  bad_dispersion(paste0("It is ", a_kind(object), " of nlme."), call, paste0("Write `dispersion = ", meant, "`."))
}

bad_dispersion <- function(found, call, hint = NULL) {
  abort_ferrite(
    "dispersion", "`dispersion` must be a formula such as `~ g`, `~ x` or `~ power(x)`.", found,
    hint = or_else(hint, "Write `~` and the variables on which the residual standard deviation depends."), call = call
  )
}

# Its terms: always with an intercept, which is sigma.
dispersion_terms <- function(dispersion, parsed, call) {
  formula <- call("~", dispersion$expr)
  attributes(formula) <- list(class = "formula", .Environment = parsed$env)
  terms <- tryCatch(
    stats::terms.formula(formula),
    error = function(e) bad_dispersion(paste0("`", dispersion$text, "`: ", conditionMessage(e), "."), call)
  )
  if (!is.null(attr(terms, "offset"))) {
    bad_dispersion(paste0("`", dispersion$text, "` has an offset."), call,
      "For known ratios of residual variances use `weights`."
    )
  }
  if (!length(attr(terms, "term.labels"))) {
    bad_dispersion(paste0("`", dispersion$text, "` has no variable."), call, "For one residual variance leave it out.")
  }
  attr(terms, "intercept") <- 1L
  terms
}

# correlation ----------------------------------------------------------------------------------------------------------

correlation_words <- c(
  ar1 = "ar1", car1 = "car1", cs = "cs", corAR1 = "ar1", corCAR1 = "car1", corCompSymm = "cs"
)

# Expression of the argument -> list(form, text, time, group), or `NULL`. `force` gives the value of the argument.
read_correlation <- function(expr, force, call) {
  if (!is_correlation_call(expr)) {
    value <- tryCatch(force(), error = function(e) {
      why <- sub("\\.$", "", conditionMessage(e))
      bad_correlation(
        paste0("`", code_text(expr), "` is neither; it fails: ", why, "."), call, unknown_correlation(expr)
      )
    })
    if (is.null(value)) return(NULL)
    expr <- correlation_of_value(value, call)
  }
  word <- called_word(expr)
  arguments <- correlation_arguments(expr, word, call)
  formula <- arguments$form
  form <- correlation_words[[word]]
  shape <- correlation_shape(form)
  if (!is_operator(formula, "~") || length(formula) != 2L) {
    bad_correlation(
      paste0("In `", code_text(expr), "` there is no one-sided formula."), call, paste0("Write `", shape, "`.")
    )
  }
  read <- read_series(formula[[2L]], expr, call)
  if (startsWith(word, "cor") && is.null(read$group)) {
    bad_correlation(
      paste0("`", code_text(expr), "` names no series: lme() would take its groups, and gls() all rows as one."), call,
      paste0("Write `", shape, "`.")
    )
  }
  if (form == "cs") check_cs(read, word, expr, call)
  list(form = form, text = deparse_one(expr), time = if (form != "cs") read$time, group = read$group)
}

called_word <- function(expr) {
  head <- expr[[1L]]
  if (is_operator(head, "::") && identical(head[[2L]], quote(nlme))) head <- head[[3L]]
  if (is.symbol(head)) as.character(head) else ""
}

is_correlation_call <- function(expr) {
  is.call(expr) && match(called_word(expr), names(correlation_words), 0L) > 0L
}

correlation_shape <- function(form) {
  switch(form, cs = "cs(~ 1 | series)", paste0(form, "(~ time | series)"))
}

# A value that was given in a variable: the call itself, or an object of nlme.
correlation_of_value <- function(value, call) {
  if (is_correlation_call(value)) return(value)
  if (inherits(value, "corStruct") && class(value)[1L] %in% names(correlation_words)) {
    if (isTRUE(attr(value, "fixed"))) fixed_correlation(call)
    return(as.call(list(as.name(class(value)[1L]), form = attr(value, "formula"))))
  }
  bad_correlation(
    paste0("It is ", a_kind(value), "."), call,
    if (inherits(value, "formula")) paste0("Write `ar1(", code_text(value), ")`, `car1()` or `cs()`.")
    else if (identical(value, "ar1")) "Write `ar1(~ time | series)`, without quotes."
  )
}

# The formula of the call; nlme's functions have other arguments too.
correlation_arguments <- function(expr, word, call) {
  foreign <- startsWith(word, "cor")
  template <- if (foreign) function(value, form = ~ 1, fixed = FALSE) NULL else function(form) NULL
  matched <- tryCatch(as.list(match.call(template, expr))[-1L], error = function(e) NULL)
  if (isTRUE(matched$fixed) || identical(matched$fixed, as.name("T"))) fixed_correlation(call)
  if (foreign && is.null(matched$form)) matched$form <- quote(~ 1)
  if (is.null(matched$form)) {
    bad_correlation(
      paste0("`", code_text(expr), "` has ", if (length(expr) == 1L) "no formula." else "other arguments."), call,
      paste0("Write `", correlation_shape(correlation_words[[word]]), "`: the correlation is estimated.")
    )
  }
  matched
}

fixed_correlation <- function(call) {
  bad_correlation("The correlation is fixed at a value.", call, "Leave `fixed` out: the correlation is estimated.")
}

# `time | series` -> list(time, group); `NULL` for `1` and for no series.
read_series <- function(expr, whole, call) {
  expr <- strip_parens(expr)
  group <- NULL
  if (is_bar(expr)) {
    group <- tryCatch(read_group(expr[[3L]], deparse_one(whole), call)[[1L]], ferrite_error_formula = function(e) {
      bad_correlation(
        paste0("In `", code_text(whole), "` the series is `", code_text(expr[[3L]]), "`."), call,
        "The series is a variable, or several joined by `:`."
      )
    })
    expr <- strip_parens(expr[[2L]])
  }
  if (is.numeric(expr) && identical(as.double(expr), 1)) return(list(time = NULL, group = group))
  operator <- is_operator(expr, c("+", "-", "*", "/", ":", "^", "%in%", "|", "||"))
  if (operator || !length(all.vars(expr)) || identical(expr, quote(.))) {
    bad_correlation(
      paste0("In `", code_text(whole), "` the time is `", code_text(expr), "`."), call,
      "The time is one variable, or `1` for the order of the rows; wrap arithmetic in `I()`."
    )
  }
  list(time = expr, group = group)
}

check_cs <- function(read, word, expr, call) {
  if (!is.null(read$time) && word == "cs") {
    series <- if (!is.null(read$group)) paste0(" | ", deparse_one(read$group$expr))
    bad_correlation(
      paste0("`", code_text(expr), "` has a time, which compound symmetry does not know."), call,
      paste0("Write `cs(~ 1", series, ")`, or use `ar1()`.")
    )
  }
  if (is.null(read$group)) {
    bad_correlation(
      paste0("`", code_text(expr), "` names no series, so all rows would be alike."), call, "Write `cs(~ 1 | series)`."
    )
  }
}

# A hint for a call that is none of the words.
unknown_correlation <- function(expr) {
  word <- if (is.call(expr)) called_word(expr) else ""
  near <- similar_names(word, names(correlation_words)[1:3])
  if (nzchar(word) && length(near)) return(paste0("Did you mean `", near[1L], "`?"))
  if (is.symbol(expr)) return("To hand it on in a variable, quote it: `quote(ar1(~ time | series))`.")
  "Other correlations of residuals, such as `nlme::corARMA()`, are not supported."
}

bad_correlation <- function(found, call, hint = NULL) {
  abort_ferrite(
    "correlation",
    "`correlation` must be `ar1(~ time | series)`, `car1(~ time | series)` or `cs(~ 1 | series)`, or `NULL`.", found,
    hint = or_else(hint, "See the section on residuals in `?lmm`."), call = call
  )
}
