# Calls that nobody should make, generated: every registered method and exported function with wrong values of each of
# its arguments, and every method with objects whose fields were taken away or replaced.
#
# test-hostile.R makes a seeded sample of them. All of them are swept by hand: source this file, then give what
# hostile_calls() and hostile_damaged_calls() make to hostile_sweep().

# Values of wrong type, length, range or encoding; one of them may be right for some argument.
hostile_values <- function() {
  bad_text <- "caf\xe9"
  Encoding(bad_text) <- "UTF-8"
  list(
    null = NULL, na = NA, na_text = NA_character_, na_real = NA_real_, nan = NaN, inf = Inf, minus = -1, zero = 0,
    half = 0.5, ten = 10, huge = 1e300, several = c(1, 5, 2), some = 1:2, no_number = numeric(),
    empty = "", word = "zzz",
    words = c("a", NA, "a"), no_word = character(), invalid = bad_text, yes = TRUE, no = FALSE, flags = c(TRUE, FALSE),
    no_flag = logical(), no_list = list(), list = list(1, "a"), named = list(a = 1), fun = function(...) stop("mine"),
    mean = mean, name = quote(zzz), call = quote(zzz + 1), one_sided = ~ zzz, two_sided = zzz ~ 1,
    no_frame = data.frame(), frame = data.frame(zzz = 1:3), matrix = matrix(1, 2L, 2L),
    words_matrix = matrix("a", 1L, 2L), array = array(1, 1:3),
    factor = factor("a"), date = as.Date("2020-02-02"), complex = 1i, raw = as.raw(1), space = globalenv(),
    classed = structure(1, class = "zzz"), long = strrep("a", 9000), expression = expression(a)
  )
}

# Objects of every class of this package that has methods: each class with one or more.
hostile_subjects <- function() {
  quiet <- function(expr) suppressMessages(suppressWarnings(expr))
  data <- nlme::Orthodont
  data <- data.frame(
    distance = data$distance, age = data$age, Sex = data$Sex, Subject = factor(as.character(data$Subject))
  )
  data$distance[7L] <- NA
  scalar <- lmm(distance ~ age + Sex + (1 | Subject), data, na.action = na.exclude)
  slope <- lmm(distance ~ age * Sex + (age | Subject), data, REML = FALSE)
  unlike <- lmm(distance ~ age + (1 | Subject), data, dispersion = ~ Sex, correlation = ar1(~ 1 | Subject))
  dropped <- quiet(lmm(distance ~ age + I(2 * age) + (1 | Subject), data))
  robust <- robust(scalar)
  fits <- list(lmm = scalar, lmm = slope, lmm = unlike, lmm = dropped)
  made <- quiet(list(
    summary.lmm = summary(slope), summary.lmm = summary(unlike), VarCorr.lmm = VarCorr(slope),
    VarCorr.lmm = VarCorr(unlike), ranef.lmm = ranef(slope), coef.lmm = coef(slope),
    profile.lmm = profile(scalar, c("sigma", "age"), points = 2), lmm_bootstrap = bootstrap(scalar, nsim = 5, seed = 1),
    lmm_confint = confint(scalar, method = "Wald", parm = "beta_"), influence.lmm = influence(scalar, "Subject"),
    contest = contest(scalar, c(0, 1, 0)), contest = contest(scalar, diag(3), joint = FALSE),
    ranova_lmm = ranova(scalar, nsim = 50), lmm_comparison = compare_models(scalar, slope), icc_lmm = icc(scalar),
    lmm_shrinkage = shrinkage(slope), lmm_robust = robust, lmm_convergence = convergence(slope),
    lmm_plan = lmm_plan(distance ~ age + (1 | Subject), data), varcomp_anova = varcomp_anova(scalar),
    lmm_refits = refit_many(scalar, cbind(a = data$distance, b = rev(data$distance), c = data$age)[, c("a", "b")][
      , "a", drop = FALSE], progress = FALSE)
  ))
  c(fits, made)
}

# list(package, generic, class): the methods registered by NAMESPACE and for packages that are installed.
hostile_methods <- function(foreign = TRUE) {
  space <- asNamespace("ferrite")
  own <- getNamespaceInfo(space, "S3methods")
  # `$<-` takes what R's syntax gives it
  own <- own[own[, 2L] != "default" & own[, 1L] != "varcomp_anova.formula" & own[, 1L] != "$<-", ]
  own <- lapply(seq_len(nrow(own)), function(i) {
    list(package = "ferrite", generic = own[i, 1L], class = own[i, 2L], method = space[[own[i, 3L]]])
  })
  if (!foreign) return(own)
  lists <- c("foreign_methods", "tidy_methods", "insight_methods", "performance_methods", "parameters_methods")
  others <- unlist(lapply(lists, function(f) space[[f]]()), recursive = FALSE)
  others <- Filter(function(entry) {
    requireNamespace(entry[[1L]], quietly = TRUE) && exists(entry[[2L]], asNamespace(entry[[1L]]), inherits = FALSE)
  }, others)
  c(own, lapply(others, function(entry) stats::setNames(entry[1:4], c("package", "generic", "class", "method"))))
}

hostile_generic <- function(entry) {
  if (entry$package == "ferrite") return(get(entry$generic, envir = asNamespace("ferrite")))
  get(entry$generic, envir = asNamespace(entry$package))
}

# Arguments that keep a call short, unless it is these that are wrong.
hostile_defaults <- list(
  bootstrap = list(nsim = 3, progress = FALSE), confint = list(method = "Wald"),
  profile = list(which = "sigma", points = 1),
  ranova = list(nsim = 10), simulate = list(nsim = 1), refit = list(newresp = quote(subject$frame[[1L]])),
  refit_many = list(Y = quote(subject$frame[[1L]])), contest = list(L = 1), influence = list(groups = "Subject"),
  component = list(name = "theta"), plot_data = list(which = "qq"), linearHypothesis = list(hypothesis.matrix = "age"),
  deltaMethod = list(g. = "age"), bootstrap_model = list(iterations = 3), set_coef = list(coefs = 1),
  vcovCR = list(type = "CR0"),
  emm_basis = list(trms = quote(stats::delete.response(subject$terms)), xlev = list(), grid = quote(subject$frame)),
  getME = list(name = "theta")
)

# All calls: list(fun, args (a list of language or values), subject (an object), what (text)).
hostile_calls <- function(subjects = hostile_subjects(), methods = hostile_methods(), values = hostile_values()) {
  by_class <- split(unname(subjects), names(subjects))
  unlist(lapply(methods, function(entry) {
    subject <- by_class[[entry$class]]
    if (is.null(subject)) return(NULL)
    base <- hostile_defaults[[entry$generic]]
    base <- base[names(base) %in% names(formals(entry$method)) | entry$package == "ferrite" & entry$class == "lmm"]
    arguments <- names(formals(entry$method))[-1L]
    # without `...` R itself says which argument is not used
    if ("..." %in% arguments) arguments <- c(setdiff(arguments, "..."), "zzz", "")
    make <- function(k, argument, value) {
      args <- base
      if (argument == "") args <- c(args, list(quote(value)))
      else args[[argument]] <- quote(value)
      list(entry = entry, args = args, subject = subject[[k]], value = values[[value]],
        what = sprintf("%s.%s#%d(%s = <%s>)", entry$generic, entry$class, k, argument, value))
    }
    grid <- expand.grid(value = names(values), argument = arguments, k = seq_along(subject), stringsAsFactors = FALSE)
    Map(make, grid$k, grid$argument, grid$value, USE.NAMES = FALSE)
  }), recursive = FALSE)
}

# Paths to the fields of a list, two levels down, and what may be put there.
hostile_paths <- function(object) {
  top <- as.list(seq_along(unclass(object)))
  below <- lapply(top, function(i) {
    field <- unclass(object)[[i]]
    if (!is.list(field) || !length(field)) return(NULL)
    inner <- seq_len(min(length(field), 15L))
    deeper <- if (is.list(field[[1L]]) && is.null(names(field))) lapply(seq_along(field[[1L]]), function(j) c(i, 1L, j))
    c(lapply(inner, function(j) c(i, j)), deeper)
  })
  c(top, unlist(below, recursive = FALSE))
}

hostile_edits <- list(
  absent = function(x) NULL, null = function(x) list(NULL), text = function(x) "a", empty = function(x) x[0L],
  shorter = function(x) if (is.data.frame(x)) x[1:3, , drop = FALSE] else x[-1L], longer = function(x) c(x, x),
  missing = function(x) replace(x, seq_along(x), NA),
  number = function(x) -7, huge = function(x) 1e9, list = function(x) list(1),
  fun = function(x) mean, flat = function(x) as.vector(unlist(x)),
  infinite = function(x) if (is.numeric(x)) x * Inf else Inf
)

# `object` with an edit at a path; NULL where the edit is none.
hostile_damage <- function(object, path, edit) {
  whole <- unclass(object)
  old <- tryCatch(whole[[path]], error = function(e) NULL)
  new <- tryCatch(hostile_edits[[edit]](old), error = function(e) NULL)
  if (is.null(new) && edit != "absent" || identical(new, old)) return(NULL)
  change <- function(x, path) {
    if (length(path) == 1L) {
      if (edit == "absent") x[[path]] <- NULL
      else if (edit == "null") x[path] <- list(NULL)
      else x[[path]] <- new
    } else {
      x[[path[1L]]] <- change(x[[path[1L]]], path[-1L])
    }
    x
  }
  whole <- tryCatch(change(whole, path), error = function(e) NULL)
  if (is.null(whole)) return(NULL)
  kept <- setdiff(names(attributes(object)), c("names", "dim", "dimnames"))
  attributes(whole) <- c(attributes(whole)["names"], attributes(object)[kept])
  whole
}

# All methods with all damages.
hostile_damaged_calls <- function(subjects = hostile_subjects(), methods = hostile_methods()) {
  methods <- Filter(function(entry) entry$class %in% names(subjects), methods)
  by_class <- split(methods, vapply(methods, `[[`, "", "class"))
  unlist(lapply(seq_along(subjects), function(s) {
    object <- subjects[[s]]
    paths <- if (is.list(object)) hostile_paths(object)
    attached <- setdiff(names(attributes(object)), c("names", "class", "row.names", "dim", "dimnames"))
    damages <- expand.grid(path = seq_along(paths), edit = names(hostile_edits), stringsAsFactors = FALSE)
    whole <- list(NULL, list(), 1, "a", mean, data.frame(), list(a = 1))
    damaged <- c(
      Map(function(path, edit) {
        list(
          what = paste(c(names(unclass(object))[paths[[path]][1L]], paths[[path]][-1L], edit), collapse = ","),
          object = function() hostile_damage(object, paths[[path]], edit)
        )
      }, damages$path, damages$edit),
      lapply(attached, function(name) {
        list(what = paste("attribute", name), object = function() `attr<-`(object, name, NULL))
      }),
      lapply(seq_along(whole)[-1L], function(k) {
        list(what = paste("whole", k), object = function() structure(whole[[k]], class = class(object)))
      })
    )
    unlist(lapply(by_class[[names(subjects)[s]]], function(entry) {
      lapply(damaged, function(damage) {
        list(entry = entry, args = hostile_defaults[[entry$generic]], damage = damage$object, value = NULL,
          what = sprintf("%s.%s#%d on {%s}", entry$generic, entry$class, s, damage$what))
      })
    }), recursive = FALSE)
  }), recursive = FALSE)
}

#' What becomes of a call
#'
#' @returns list(kind, message): "value", "classed" (a condition of this package), "fault" (an error that says that
#'   the package is at fault), "own" (R's own error), "late" (stopped after `limit` seconds), "none" (no such damage).
#' @noRd
hostile_outcome <- function(call, limit = 10) {
  space <- new.env(parent = globalenv())
  space$subject <- if (is.null(call$damage)) call$subject else call$damage()
  if (is.null(space$subject)) return(list(kind = "none", message = ""))
  space$value <- call$value
  space$generic <- hostile_generic(call$entry)
  hostile_end(as.call(c(quote(generic), quote(subject), call$args)), space, limit)
}

# The kind of end and its message, of an expression in an environment. R CMD check lets a vector where R expects one
# logical value end the whole session, also in `unique(y, x)` of a user's formula: here it is an error like all others.
hostile_end <- function(expr, space, limit) {
  check <- Sys.getenv("_R_CHECK_LENGTH_1_LOGIC2_", NA)
  if (!is.na(check)) Sys.setenv("_R_CHECK_LENGTH_1_LOGIC2_" = "true")
  setTimeLimit(elapsed = limit, transient = TRUE)
  on.exit({
    setTimeLimit()
    if (!is.na(check)) Sys.setenv("_R_CHECK_LENGTH_1_LOGIC2_" = check)
  })
  tryCatch({
    utils::capture.output(suppressMessages(suppressWarnings({
      result <- eval(expr, space)
      if (any(startsWith(class(result), "lmm")) || any(endsWith(class(result), "lmm"))) print(result)
    })))
    list(kind = "value", message = "")
  }, error = function(e) {
    text <- iconv(enc2utf8(conditionMessage(e)), "UTF-8", "UTF-8", sub = "byte")
    kind <- if (grepl("reached elapsed time limit", text, fixed = TRUE)) "late"
    else if (!inherits(e, "ferrite_error")) "own"
    else if (grepl("fault of the package", text, fixed = TRUE) || inherits(e, "ferrite_error_internal")) "fault"
    else "classed"
    if (kind == "own" && identical(text, "mine")) kind <- "value"
    list(kind = kind, message = paste(class(e)[1L], text, paste(deparse(conditionCall(e))[1L], collapse = "")))
  })
}

# A data frame with a row for each call: what, kind, message.
hostile_sweep <- function(calls, limit = 10, log = NULL) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  rows <- lapply(calls, function(call) {
    if (!is.null(log)) cat(call$what, "\n", file = log)
    c(what = call$what, unlist(hostile_outcome(call, limit)))
  })
  as.data.frame(do.call(rbind, rows))
}
