# The guard of every method: the object is whole, and the arguments that mean the same everywhere can be used.
#
# Reads   the object that a method was given: fields, types and sizes, in time that does not grow with the rows.
# Raises  `ferrite_error_object`, which names the field: an edited object, one cut short, one of another version.
# Used by util-load.R, which puts the checks in front of every method of the classes of this package when the package is
#         built, and in front of those for generics of other packages when it registers them. No method has to remember
#         them, and none that is written later can forget them.
# Not here: which fields a whole object has (util-fields.R), what a new frame may hold (design-columns.R), arguments
#         that only one method has (with that method).

# `method` with the checks in front of its body. Formals, environment and evaluation stay as they are.
guarded <- function(method, class, generic = "", foreign = FALSE) {
  arguments <- names(formals(method))
  if (generic == "$<-") return(method)
  if (!class %in% names(object_faults) || arguments[1L] == "..." || "check_object" %in% all.names(body(method))) {
    return(method)
  }
  checks <- list(bquote(check_object(.(as.name(arguments[1L])), .(class), sys.call())))
  if (generic %in% c("print", "knit_print")) {
    for (name in intersect(arguments, names(print_checks))) {
      checks <- c(checks, bquote(.(as.name(name)) <- .(print_checks[[name]])(
        .(as.name(name)), .(formals(method)[[name]]), method_call()
      )))
    }
  }
  for (name in intersect(arguments, foreign_flags)) {
    checks <- c(checks, bquote(check_flag(.(as.name(name)), .(name), method_call(), "argument")))
  }
  for (name in if (foreign) intersect(arguments, names(foreign_checks))) {
    argument <- as.name(name)
    checks <- c(checks, bquote(if (!missing(.(argument))) check_foreign(.(argument), .(name), quote(.(call(generic))))))
  }
  body(method) <- as.call(c(quote(`{`), checks, body(method)))
  method
}

# Guards every function of `space` that is a method of a class of this package.
guard_methods <- function(space) {
  for (name in ls(space, all.names = TRUE)) {
    if (!is.function(space[[name]])) next
    fits <- names(object_faults)[endsWith(name, paste0(".", names(object_faults)))]
    if (!length(fits)) next
    class <- fits[which.max(nchar(fits))]
    space[[name]] <- guarded(space[[name]], class, substr(name, 1L, nchar(name) - nchar(class) - 1L))
  }
}

#' Is an object whole?
#'
#' @param class The class whose methods are to read it: a name of `object_faults`.
#' @param call The call of the method.
#' @noRd
check_object <- function(x, class, call) {
  if (class == "lmm" && identical(x, seen$fit)) return(invisible())
  fault <- object_faults[[class]](x)
  if (is.null(fault)) return(if (class == "lmm") remember(x))
  call[[1L]] <- as.name(sub(paste0(".", class), "", code_text(call[[1L]]), fixed = TRUE))
  lost <- inherits(fault$found, "absent")
  abort_ferrite("object", sprintf("%s of an object of class %s must be %s.", fault$field, class, fault$rule),
    if (lost) "It is missing: the object was edited, cut short or made by another version of the package."
    else paste0("It is ", found_kind(fault$found), ": the object was edited or cut short."),
    hint = if (class == "lmm") "Fit the model again with `lmm()`, or read an intact copy with `readRDS()`."
    else "Make it again from the fit, or read an intact copy with `readRDS()`.",
    call = call, data = list(field = gsub("`", "", sub("^The (field|attribute|column) ", "", fault$field)))
  )
}

# The small fit that was found whole last: looking at the same object again takes no time. Kept until memory is
# collected, so that nothing lives longer for it, neither the fit nor the environment of its formula.
seen <- new.env(parent = emptyenv())

remember <- function(fit) {
  if (.row_names_info(.subset2(fit, "frame"), 2L) > 10000L) return(invisible())
  seen$fit <- fit
  if (is.null(seen$armed)) {
    seen$armed <- TRUE
    reg.finalizer(new.env(parent = emptyenv()), forget)
  }
  invisible()
}

forget <- function(...) seen$fit <- seen$armed <- NULL

# a_kind() with the size of what has one.
found_kind <- function(x) {
  if (is.data.frame(x)) return(sprintf("a data frame with %s", counted(.row_names_info(x, 2L), "row")))
  if (is.array(x) && !is.object(x)) return(paste("an array of", paste(dim(x), collapse = " x ")))
  if (is.list(x) && !is.object(x)) return(paste("a list of length", length(x)))
  if (is.atomic(x) && length(x) == 1L && !is.object(x)) return(paste0("`", code_text(x), "`"))
  a_kind(x)
}

# Arguments that mean the same in every method ------------------------------------------------------------------------

# Significant digits, `NULL` for the method's default. A double has 17: more would be noise, and format() refuses 23.
check_digits <- function(digits, default, call) {
  if (is.null(digits)) digits <- default
  if (!is_number(digits) || digits < 1 || digits > 22) {
    bad_setting(digits, "digits", "one whole number from 1 to 22", call, "argument")
  }
  min(as.integer(digits), 17L)
}

# Rows to print, `NULL` for the method's default; `Inf` for all.
check_shown <- function(n, default, call) {
  if (is.null(n)) n <- default
  if (!is.numeric(n) || length(n) != 1L || is.na(n) || n < 0) {
    bad_setting(n, "n", "one number that is not negative (`Inf` for all)", call, "argument")
  }
  floor(n)
}

# Switches of the generics of other packages. `include_random` is none: insight passes text, NA or a formula in it too.
foreign_flags <- c("flatten", "group_level", "include_response", "robust", "two_sd")

print_checks <- list(digits = quote(check_digits), n = quote(check_shown))

# A test that `NULL` passes as well.
none_or <- function(test) function(x) is.null(x) || test(x)

# NA by itself: no interval.
are_coverages <- function(x) {
  identical(is.na(x), TRUE) || (is.numeric(x) && length(x) && !anyNA(x) && all(x > 0 & x < 1))
}

are_positive <- function(x) is.numeric(x) && length(x) && all(x > 0, na.rm = TRUE)

is_adjustment <- function(x) is_word(x) && x %in% stats::p.adjust.methods

# Arguments that the generics of other packages have in common, where they are given: what to say, and the test. Most
# methods pass them on, to code that does not look at them.
foreign_checks <- list(
  bootstrap = list("`TRUE` or `FALSE`", is_flag),
  ci = list("`NULL`, `NA` or numbers between 0 and 1", none_or(are_coverages)),
  ci_method = list("`NULL` or one word", none_or(is_word)),
  ddf = list("`NULL` or one word", none_or(is_word)),
  df_method = list("`NULL` or one word", none_or(is_word)),
  dof = list("`NULL` or positive numbers", none_or(are_positive)),
  drop = list("`NULL` or words", none_or(is_words)),
  envir = list("an environment", is.environment),
  g. = list("one expression as text", is_word),
  keep = list("`NULL` or words", none_or(is_words)),
  method = list("`NULL` or one word", none_or(is_word)),
  p_adjust = list("`NULL` or one word that `p.adjust()` knows", none_or(is_adjustment)),
  parameterNames = list("words, one for each coefficient", is_words),
  scales = list("`NULL` or words", function(x) none_or(is.character)(x) || all(is.na(x))),
  tolerance = list("one number that is not negative", function(x) is_number(x) && x >= 0)
)

check_foreign <- function(x, name, call) {
  check <- foreign_checks[[name]]
  if (!check[[2L]](x)) bad_setting(x, name, check[[1L]], call, "argument")
}
