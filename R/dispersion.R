# The argument `dispersion`: the log of the residual standard deviation as a linear function of variables.
#
# Reads   a one-sided formula, no data.
# Writes  list(text, expr, powers), later a terms object.
# Used by residual-structure.R; its columns are made in scale.R.
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
