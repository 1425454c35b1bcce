# Arguments with a fixed set of values or of one kind, and arguments that are not known: classed errors that name what
# there is.

# One of `choices`, the first when the argument was left out; the beginning of a value is enough, as in match.arg().
choose_one <- function(value, choices, name, call) {
  if (is.null(value) || identical(value, choices)) {
    return(choices[1L])
  }
  found <- if (is.character(value) && length(value) == 1L) pmatch(value, choices) else NA
  if (is.na(found)) bad_choice(value, choices, name, "", call)
  choices[found]
}

# One or more of `choices`, each once.
choose_several <- function(value, choices, name, call) {
  found <- if (is.character(value) && length(value)) pmatch(value, choices, duplicates.ok = TRUE) else NA
  if (anyNA(found)) bad_choice(value, choices, name, "one or more of ", call)
  unique(choices[found])
}

bad_choice <- function(value, choices, name, number, call) {
  quoted <- paste0("\"", choices, "\"")
  last <- length(quoted)
  wrong <- if (is.character(value)) unique(value[is.na(pmatch(value, choices, duplicates.ok = TRUE))])
  near <- similar_names(or_else(wrong, "")[1L], choices)
  abort_ferrite("argument",
    sprintf("`%s` must be %s%s or %s.", name, number, paste(quoted[-last], collapse = ", "), quoted[last]),
    if (length(wrong)) paste0("It is ", plain_list(paste0("\"", wrong, "\"")), ".")
    else paste0("It is ", a_kind(value), "."),
    hint = if (length(near)) sprintf("Did you mean \"%s\"?", near[1L])
    else sprintf("Leave `%s` out to use the default.", name),
    call = call, data = list(argument = name)
  )
}

# The coverage of an interval.
check_level <- function(level, call) {
  if (is.numeric(level) && length(level) == 1L && !is.na(level) && level > 0 && level < 1) {
    return(level)
  }
  bad_setting(level, "level", "one number between 0 and 1", call, "argument")
}

# Arguments of a fit that it does not know; R would say "unused argument". `known`: those of the function.
refuse_unknown <- function(verb, names, known, call) {
  known <- setdiff(known, "...")
  unnamed <- !length(names) || !any(nzchar(names))
  unknown <- names[nzchar(names)]
  abort_ferrite("argument", sprintf("Every argument of `%s()` must be one that it knows.", verb),
    if (unnamed) "There is one more without a name." else sprintf("It does not know %s.", quoted_list(unknown)),
    hint = if (unnamed) "Give all after `data` by their names." else unknown_hint(unknown, known), call = call,
    data = list(argument = unknown)
  )
}

unknown_hint <- function(unknown, known) {
  if (any(unknown %in% names(foreign_arguments))) {
    return(foreign_arguments[[unknown[unknown %in% names(foreign_arguments)][1L]]])
  }
  settings <- intersect(unknown, names(formals(lmm_control)))
  if (length(settings)) return(sprintf("It is a setting: `control = lmm_control(%s = )`.", settings[1L]))
  name_hint(unknown[1L], known, "Arguments")
}

# What users of glm(), lmer(), lme() and glmmTMB() may look for.
foreign_arguments <- c(
  family = "`lmm()` fits Gaussian models only: `lme4::glmer()` fits other families.",
  random = "The random part stands in the formula: `y ~ x + (1 | g)`.",
  fixed = "Give the formula with its random part: `y ~ x + (1 | g)`.",
  method = "Write `REML = TRUE` or `REML = FALSE`.",
  dispformula = "Write `dispersion = ~ g`: it is the log of a standard deviation."
)

# An argument that would be swallowed by `...` is an error: the user would believe that it had an effect.
refuse_arguments <- function(verb, ..., call) {
  extra <- names(list(...))
  if (...length()) {
    shown <- if (is.null(extra)) "an argument without a name" else quoted_list(extra[extra != ""])
    abort_ferrite("argument", sprintf("Every argument of `%s()` must be one that it knows.", verb),
      sprintf("It does not know %s.", shown), hint = sprintf("See `?%s.lmm`.", verb), call = call
    )
  }
}

# Arguments of a method that other packages have and that mean nothing here: one message for all of them, `words` says
# why for each. Others are refused.
set_aside_arguments <- function(verb, ..., words, call) {
  if (!...length()) return(invisible())
  names <- or_else(...names(), "")
  if (!all(names %in% names(words))) refuse_arguments(verb, ..., call = call)
  note_without_effect(names, words[names], call)
}

# "`zeta` has none: limits are found by a search for roots, without a grid."
note_without_effect <- function(names, why, call) {
  inform_ferrite("argument", "An argument should have an effect.",
    sprintf("`%s` has none: %s.", names, why), hint = "Leave it out.", call = call, data = list(argument = names)
  )
}

# `digits` of a print method, and `n`, the number of rows shown.
check_printed <- function(digits, n = 1, call = method_call(sys.call(-1L))) {
  one <- function(x) is.numeric(x) && length(x) == 1L && !is.na(x)
  if (!one(digits) || digits < 1 || digits > 22) {
    bad_setting(digits, "digits", "one number from 1 to 22", call, "argument")
  }
  if (!one(n) || n < 0) bad_setting(n, "n", "one number that is not negative", call, "argument")
}

check_whole <- function(x, name, call, class = "control") {
  good <- is.numeric(x) && length(x) == 1L && is.finite(x) && x >= 1 && x <= .Machine$integer.max && x == round(x)
  if (!good) bad_setting(x, name, "one positive whole number", call, class)
  as.integer(x)
}

check_positive <- function(x, name, call) {
  good <- is.numeric(x) && length(x) == 1L && is.finite(x) && x > 0
  if (!good) bad_setting(x, name, "one positive number", call)
  as.double(x)
}

check_flag <- function(x, name, call, class = "control") {
  if (isTRUE(x) || isFALSE(x)) return(x)
  bad_setting(x, name, "`TRUE` or `FALSE`", call, class)
}

bad_setting <- function(x, name, rule, call, class = "control") {
  abort_ferrite(
    class, paste0("`", name, "` must be ", rule, "."),
    paste0("It is ", if (is.atomic(x) && length(x) == 1L) paste0("`", code_text(x), "`") else a_kind(x), "."),
    hint = paste0("Leave `", name, "` out to use the default."), call = call, data = list(setting = name)
  )
}

# "a data.frame", "a character vector of length 2": what was found, for messages.
a_kind <- function(x) {
  if (is.null(x)) return("`NULL`")
  if (is.function(x)) return("a function")
  if (is.object(x) || !is.atomic(x) || is.array(x)) return(paste("an object of class", class(x)[1L]))
  kind <- class(x)[1L]
  paste0(if (kind == "integer") "an " else "a ", kind, " vector of length ", length(x))
}
