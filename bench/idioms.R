# What users of lme4, lmerTest, nlme and the packages around them write, given to their fits and to ours:
# Rscript bench/idioms.R [--check] [--only REGEX] [--peers FILE.rds] [output.csv]
# Reads idioms.txt (which says how a line is written) and writes idioms.csv and IDIOMS.md beside this file, or all of it
# beside output.csv. The exit status is 1 if an idiom differs or fails and no reason stands beside it, if a reason is
# there for what is the same, if a fit of other data is not found different, or if too few are the same or documented.
# --check writes nothing and also fails if idioms.csv or IDIOMS.md say something else. --peers keeps what the peers
# answered in a file, for the next run. --only: the idioms that match.

share_wanted <- 0.97
seconds_allowed <- 90

# Data in the global environment, a formula, a formula of a smaller model, and the same for lme().
idiom_models <- function() {
  list(
    sleep = list("sleepstudy", "Reaction", Reaction ~ Days + (Days | Subject), Reaction ~ Days + (1 | Subject),
                 lme = list(Reaction ~ Days, ~ Days | Subject), lme0 = list(Reaction ~ Days, ~ 1 | Subject)),
    sleep_ml = list("sleepstudy", "Reaction", Reaction ~ Days + (Days | Subject), Reaction ~ 1 + (Days | Subject),
                    reml = FALSE, lme = list(Reaction ~ Days, ~ Days | Subject),
                    lme0 = list(Reaction ~ 1, ~ Days | Subject)),
    sleep_uc = list("sleepstudy", "Reaction", Reaction ~ Days + (Days || Subject), Reaction ~ Days + (1 | Subject)),
    sleep_int = list("sleepstudy", "Reaction", Reaction ~ Days + (1 | Subject), Reaction ~ 1 + (1 | Subject),
                     lme = list(Reaction ~ Days, ~ 1 | Subject), lme0 = list(Reaction ~ 1, ~ 1 | Subject)),
    dyestuff = list("Dyestuff", "Yield", Yield ~ 1 + (1 | Batch)),
    dyestuff2 = list("Dyestuff2", "Yield", Yield ~ 1 + (1 | Batch)),
    penicillin = list("Penicillin", "diameter", diameter ~ 1 + (1 | plate) + (1 | sample), diameter ~ 1 + (1 | plate)),
    pastes = list("Pastes", "strength", strength ~ 1 + (1 | batch / cask), strength ~ 1 + (1 | batch:cask)),
    cake = list("cake", "angle", angle ~ recipe * temperature + (1 | recipe:replicate),
                angle ~ recipe + temperature + (1 | recipe:replicate)),
    carrots = list("carrots", "Preference", Preference ~ sens2 + Homesize + (1 + sens2 | Consumer),
                   Preference ~ sens2 + Homesize + (1 | Consumer)),
    ham = list("ham", "Informed.liking", Informed.liking ~ Product * Information + Gender + (1 | Consumer),
               Informed.liking ~ Product + Information + (1 | Consumer)),
    machines = list("Machines", "score", score ~ Machine + (1 | Worker / Machine), score ~ Machine + (1 | Worker),
                    lme = list(score ~ Machine, ~ 1 | Worker / Machine), lme0 = list(score ~ Machine, ~ 1 | Worker)),
    orthodont = list("Orthodont", "distance", distance ~ age * Sex + (age | Subject),
                     distance ~ age * Sex + (1 | Subject), lme = list(distance ~ age * Sex, ~ age | Subject),
                     lme0 = list(distance ~ age * Sex, ~ 1 | Subject)),
    oats = list("Oats", "yield", yield ~ nitro * Variety + (1 | Block / Variety),
                yield ~ nitro + Variety + (1 | Block / Variety),
                lme = list(yield ~ nitro * Variety, ~ 1 | Block / Variety),
                lme0 = list(yield ~ nitro + Variety, ~ 1 | Block / Variety)),
    rail = list("Rail", "travel", travel ~ 1 + (1 | Rail), lme = list(travel ~ 1, ~ 1 | Rail))
  )
}
idiom_data <- function() {
  own <- function(names, package) {
    sapply(names, function(name) {
      as.data.frame(get(utils::data(list = name, package = package, envir = environment())))
    }, simplify = FALSE)
  }
  grouped <- c("Machines", "Orthodont", "Oats", "Rail")
  grouped <- sapply(grouped, getExportedValue, ns = "nlme", simplify = FALSE)
  c(own(c("sleepstudy", "Dyestuff", "Dyestuff2", "Penicillin", "Pastes", "cake"), "lme4"),
    own(c("carrots", "ham"), "lmerTest"), grouped)
}
# Other data of the same design: what is computed from the response must then be found different.
perturb <- function(data, response) {
  y <- data[[response]]
  i <- seq_along(y)
  data[[response]] <- y * (1.1 + 0.05 * i / length(y)) + 0.3 * stats::sd(y, na.rm = TRUE) * sin(2.3 * i)
  data
}

# Sections `[package]` with `fit: lme4` (whose fit the peer's is) and `attach:`; idioms `model: R`; below, indented,
# `~` (differs: why), `!` (refused: why), `!!` (by the other package), `>` (what lmm() is given, which must be the same).
read_idioms <- function(path) {
  lines <- readLines(path, encoding = "UTF-8")
  lines <- lines[!grepl("^\\s*(#.*)?$", lines)]
  section <- list()
  idioms <- list()
  for (line in lines) {
    if (grepl("^\\[", line)) {
      section <- list(package = gsub("[][]", "", line))
    } else if (grepl("^(fit|attach): ", line)) {
      section[[sub(":.*", "", line)]] <- strsplit(sub("^\\w+: ", "", line), " ")[[1L]]
    } else if (grepl("^  (~|!|!!|>) ", line)) {
      mark <- c("~" = "differs", "!" = "refused", "!!" = "refused", ">" = "ours")[[sub("^  (\\S+) .*", "\\1", line)]]
      idioms[[length(idioms)]][[mark]] <- sub("^  \\S+ ", "", line)
      if (startsWith(line, "  !!")) idioms[[length(idioms)]]$by_other <- TRUE
    } else if (grepl("^    ", line)) {
      # A reason that goes on.
      last <- length(idioms[[length(idioms)]])
      idioms[[length(idioms)]][[last]] <- paste(idioms[[length(idioms)]][[last]], trimws(line))
    } else {
      head <- strsplit(sub(": .*", "", line), "/", fixed = TRUE)[[1L]]
      tolerance <- as.numeric(sub("tol=", "", grep("^tol=", head, value = TRUE)))
      kind <- setdiff(head[-1L], grep("^tol=", head, value = TRUE))
      idioms[[length(idioms) + 1L]] <- list(
        package = section$package, fit = section$fit, attach = section$attach, model = head[1L],
        kind = if (length(kind)) kind else "value", tolerance = if (length(tolerance)) tolerance else 1e-3,
        idiom = sub("^[^:]*: ", "", line)
      )
    }
  }
  numbers <- stats::ave(seq_along(idioms), vapply(idioms, `[[`, "", "package"), FUN = seq_along)
  for (i in seq_along(idioms)) idioms[[i]]$id <- sprintf("%s-%03d", idioms[[i]]$package, numbers[i])
  known <- c("value", "shape", "design", "print", "random", "draw")
  stopifnot(vapply(idioms, function(one) one$kind %in% known && one$model %in% names(idiom_models()), NA))
  idioms
}

# ---- What an answer is: numbers, text, names and dimensions, without classes, calls and functions.
not_compared <- c("call", "control", "optinfo", "terms", "env", "formula", "model.info", "misc", "dffun")
plain <- function(x, depth = 0L) {
  if (depth > 8L) return("<deep>")
  if (is.null(x)) return(NULL)
  for (kind in plain_kinds) {
    if (kind$is(x)) return(kind$plain(x, depth))
  }
  plain_vector(x)
}
# In this order; what is none of them is a vector.
plain_kinds <- list(
  list(is = is.function, plain = function(x, depth) "<function>"),
  list(is = is.environment, plain = function(x, depth) "<environment>"),
  list(is = function(x) inherits(x, "formula"), plain = function(x, depth) paste(deparse(x, 500L), collapse = " ")),
  list(is = is.language, plain = function(x, depth) "<call>"),
  list(is = function(x) inherits(x, "ggplot"), plain = function(x, depth) plain_ggplot(x)),
  list(is = function(x) inherits(x, "trellis"), plain = function(x, depth) plain_trellis(x)),
  list(
    is = function(x) is.list(x) && inherits(x, c("lmm", "lme")) || methods::is(x, "merMod"),
    plain = function(x, depth) plain_fit(x)
  ),
  list(is = function(x) methods::is(x, "Matrix"), plain = function(x, depth) plain(as.matrix(x), depth)),
  list(is = isS4, plain = function(x, depth) plain_s4(x, depth)),
  list(
    is = function(x) is.factor(x) || inherits(x, c("Date", "POSIXct")),
    plain = function(x, depth) plain_vector(stats::setNames(as.character(x), names(x)))
  ),
  list(is = is.data.frame, plain = function(x, depth) {
    columns <- lapply(as.list(x), function(column) plain(if (is.atomic(column)) unname(column) else column, depth + 1L))
    c(columns, list(`(rows)` = row_labels(attr(x, "row.names"))))
  }),
  list(is = is.list, plain = function(x, depth) {
    parts <- lapply(unclass(x), plain, depth + 1L)
    attributes(parts) <- if (length(names(parts))) list(names = names(parts))
    parts
  }),
  list(is = function(x) length(dim(x)) == 2L && length(colnames(x)) && !anyDuplicated(colnames(x)),
       plain = function(x, depth) {
         columns <- sapply(colnames(x), function(name) as.vector(unclass(x)[, name]), simplify = FALSE)
         c(columns, list(`(rows)` = row_labels(rownames(x))))
       }),
  list(is = function(x) !is.null(dim(x)),
       plain = function(x, depth) list(values = as.vector(unclass(x)), dim = dim(x), dimnames = dimnames(x)))
)
# None for rows that are numbered.
row_labels <- function(labels) {
  if (is.character(labels) && !identical(labels, as.character(seq_along(labels)))) labels
}
plain_vector <- function(x) {
  kept <- attributes(x)[intersect(names(attributes(x)), c("df", "nobs"))]
  x <- unclass(x)
  attributes(x) <- attributes(x)["names"]
  if (length(kept)) list(values = x, attributes = lapply(kept, as.numeric)) else x
}
plain_fit <- function(x) {
  list(logLik = as.numeric(stats::logLik(x)), fixef = nlme::fixef(x), sigma = stats::sigma(x), nobs = stats::nobs(x))
}
plain_s4 <- function(x, depth) {
  parts <- sapply(methods::slotNames(x), function(name) plain(methods::slot(x, name), depth + 1L), simplify = FALSE)
  parts[!vapply(parts, identical, NA, "<environment>")]
}
plain_trellis <- function(x) {
  points <- lapply(x$panel.args, function(panel) {
    lapply(panel[intersect(c("x", "y"), names(panel))], function(at) plain(unname(at)))
  })
  list(panels = unname(dim(x)), levels = lapply(unname(x$condlevels), as.character), points = points)
}
plain_ggplot <- function(x) {
  shown <- c("x", "y", "ymin", "ymax", "xmin", "xmax")
  lapply(seq_along(x$layers), function(i) {
    own <- ggplot2::layer_data(x, i)
    lapply(own[intersect(shown, names(own))], as.numeric)
  })
}

# Where two answers differ: a list of `difference` (the largest that was allowed for numbers) and `found` (text, none if
# the same). All that the peer's answer has must be in ours, at the same place and under the same name; ours may have
# more columns and elements, not more rows.
compare_plain <- function(theirs, ours, tolerance, kind = "value", at = "") {
  if (is.null(theirs)) return(verdict(character(), at))
  if (is.null(ours)) return(verdict("missing", at))
  if (is.list(theirs)) return(compare_lists(theirs, ours, tolerance, kind, at))
  if (length(theirs) != length(ours)) return(verdict(c("length ", length(ours), ", not ", length(theirs)), at))
  if (!is.null(names(theirs)) && !identical(names(theirs), names(ours))) {
    named <- function(x, y) paste(utils::head(setdiff(names(x), names(y)), 3L), collapse = ", ")
    return(verdict(c("names ", named(ours, theirs), ", not ", named(theirs, ours)), at))
  }
  number <- function(x) is.numeric(x) || is.logical(x)
  if (!number(theirs) || !number(ours)) return(verdict(text_difference(theirs, ours), at))
  if (!identical(is.na(as.vector(theirs)), is.na(as.vector(ours)))) return(verdict("missing values elsewhere", at))
  if (kind == "random") {
    difference <- scale_difference(theirs, ours)
  } else {
    difference <- number_difference(as.numeric(theirs), as.numeric(ours))
  }
  off <- kind != "shape" && isTRUE(difference > tolerance)
  verdict(if (off) sprintf("off by %.2g", difference), at, difference)
}
verdict <- function(text, at, difference = NA_real_) {
  found <- if (length(text)) paste0(at, if (nzchar(at)) ": ", paste(text, collapse = ""))
  list(difference = difference, found = as.character(found))
}
compare_lists <- function(theirs, ours, tolerance, kind, at) {
  if (!is.list(ours)) return(verdict(c("a ", class(ours)[1L], ", not a list"), at))
  labels <- names(theirs)
  if (is.null(labels)) {
    if (length(theirs) != length(ours)) return(verdict(c("length ", length(ours), ", not ", length(theirs)), at))
    labels <- seq_along(theirs)
  } else {
    labels <- setdiff(labels, c(not_compared, ""))
  }
  parts <- lapply(labels, function(label) {
    own <- if (is.numeric(label) || label %in% names(ours)) ours[[label]]
    compare_plain(theirs[[label]], own, tolerance, kind, paste0(at, if (nzchar(at)) "$", label))
  })
  found <- as.character(unlist(lapply(parts, `[[`, "found")))
  list(difference = largest(vapply(parts, `[[`, 0, "difference")), found = found)
}
text_difference <- function(theirs, ours) {
  if (is.list(ours) || is.character(theirs) != is.character(ours) && !all(is.na(theirs))) {
    return(c(class(ours)[1L], ", not ", class(theirs)[1L]))
  }
  off <- which(!mapply(identical, tidy_text(theirs), tidy_text(ours)))
  if (length(off)) c(ours[[off[1L]]], ", not ", theirs[[off[1L]]])
}
tidy_text <- function(x) gsub("\\s+", " ", trimws(gsub("[`'\"]", "", as.character(x))))
largest <- function(x) if (all(is.na(x))) NA_real_ else max(x, na.rm = TRUE)
# Relative, each number to itself, but not to less than a hundredth of the largest beside it.
number_difference <- function(theirs, ours) {
  both <- !is.na(theirs)
  theirs <- theirs[both]
  ours <- ours[both]
  if (!length(theirs)) return(NA_real_)
  same <- theirs == ours | abs(theirs - ours) < 1e-8
  size <- suppressWarnings(max(abs(theirs[is.finite(theirs)])))
  max(ifelse(same, 0, abs(theirs - ours) / (abs(theirs) + 0.01 * size)))
}
# Of draws: mean and spread.
scale_difference <- function(theirs, ours) {
  theirs <- theirs[is.finite(theirs)]
  ours <- ours[is.finite(ours)]
  if (length(theirs) < 20L) return(0)
  spread <- stats::sd(theirs) + 1e-8
  max(abs(mean(theirs) - mean(ours)) / spread, abs(log((stats::sd(ours) + 1e-8) / spread)))
}
# Numbers of printed text; `unit` is that of the last digit. Those with fewer than three digits are not looked for.
printed_numbers <- function(text) {
  found <- as.character(unlist(regmatches(text, gregexpr("-?[0-9]+[.]?[0-9]*(e[-+]?[0-9]+)?", text))))
  mantissa <- sub("e.*", "", found)
  decimals <- ifelse(grepl(".", mantissa, fixed = TRUE), nchar(sub(".*[.]", "", mantissa)), 0)
  exponent <- ifelse(grepl("e", found), as.numeric(sub(".*e", "", found)), 0)
  digits <- nchar(sub("^0+", "", gsub("[^0-9]", "", mantissa)))
  data.frame(value = as.numeric(found), unit = 10^(exponent - decimals), digits = digits)
}
compare_printed <- function(theirs, ours) {
  theirs <- printed_numbers(theirs)
  ours <- printed_numbers(ours)
  theirs <- theirs[theirs$digits >= 3L, ]
  absent <- vapply(seq_len(nrow(theirs)), function(i) {
    x <- theirs$value[i]
    allowed <- pmin(0.6 * (theirs$unit[i] + ours$unit), 0.1 * abs(x)) + 1e-4 * abs(x)
    !any(abs(ours$value - x) <= allowed)
  }, NA)
  text <- if (any(absent)) {
    sprintf("%d of %d printed numbers absent: %s", sum(absent), nrow(theirs),
            paste(utils::head(theirs$value[absent], 4L), collapse = ", "))
  }
  list(difference = NA_real_, found = as.character(text))
}

# ---- Running. Everything happens in forks: one for each section and side, and in it one for 25 idioms.
forked <- function(expr, seconds) {
  job <- eval(bquote(parallel::mcparallel(.(substitute(expr)), silent = TRUE)), parent.frame())
  answer <- parallel::mccollect(job, wait = FALSE, timeout = seconds)
  if (is.null(answer)) {
    tools::pskill(job$pid, tools::SIGKILL)
    parallel::mccollect(job, wait = TRUE)
    return(list(error = sprintf("no answer in %g s", seconds), class = "timeout"))
  }
  if (is.null(answer[[1L]])) return(list(error = "the process ended", class = "crash"))
  if (inherits(answer[[1L]], "try-error")) return(list(error = as.character(answer[[1L]]), class = "error"))
  answer[[1L]]
}
fit_model <- function(model, side, peer, smaller = FALSE) {
  reml <- !isFALSE(model$reml)
  formula <- if (smaller) model[[4L]] else model[[3L]]
  environment(formula) <- globalenv()
  call <- if (side == "peer" && peer == "nlme") {
    parts <- if (smaller) model$lme0 else model$lme
    method <- if (reml) "REML" else "ML"
    as.call(list(quote(lme), parts[[1L]], data = as.name(model[[1L]]), random = parts[[2L]], method = method))
  } else {
    as.call(c(list(if (side == "peer") quote(lmer) else quote(lmm), formula, data = as.name(model[[1L]])),
              if (!reml) list(REML = FALSE)))
  }
  suppressMessages(suppressWarnings(eval(call, globalenv())))
}
idiom_text <- function(one, side) {
  text <- if (side != "peer" && !is.null(one$ours)) one$ours else one$idiom
  text <- gsub("\\bFIT0\\b", "fit0", gsub("\\bFIT\\b", "fit", text))
  gsub("\\bLMER\\b", if (side == "peer") "lmer" else "lmm", text)
}
answer_idiom <- function(one, side) {
  said <- list()
  note <- function(kind) {
    function(condition) {
      said[[length(said) + 1L]] <<- list(kind = kind, class = class(condition)[1L], text = conditionMessage(condition))
      invokeRestart(if (kind == "warning") "muffleWarning" else "muffleMessage")
    }
  }
  grDevices::pdf(file <- tempfile(fileext = ".pdf"))
  on.exit(unlink(file))
  started <- proc.time()[[3L]]
  answer <- tryCatch(
    withCallingHandlers({
      set.seed(1)
      output <- utils::capture.output({
        code <- parse(text = idiom_text(one, side), keep.source = FALSE)
        for (part in code) value <- withVisible(eval(part, globalenv()))
        if (one$kind == "print" && value$visible) {
          if (isS4(value$value)) methods::show(value$value) else print(value$value)
        }
        drawable <- c("ggplot", "trellis", "gtable", "gg")
        if (one$kind == "draw" && inherits(value$value, drawable)) print(value$value)
      })
      if (one$kind == "draw") {
        grDevices::dev.off()
        if (!isTRUE(file.size(file) > 0)) stop("nothing was drawn")
      }
      compared <- if (one$kind == "print") output else plain(value$value)
      if (one$kind == "draw" && !inherits(value$value, c("ggplot", "trellis"))) compared <- "drawn"
      list(value = compared)
    }, warning = note("warning"), message = note("message")),
    error = function(condition) list(error = conditionMessage(condition), class = class(condition)[1L])
  )
  answer$said <- said
  answer$seconds <- proc.time()[[3L]] - started
  answer
}
# The same in the state before: variables, options, devices and what is attached.
answer_clean <- function(one, side) {
  before <- as.list(globalenv(), all.names = TRUE)
  settings <- options()
  attached <- search()
  on.exit({
    rm(list = setdiff(ls(globalenv(), all.names = TRUE), names(before)), envir = globalenv())
    list2env(before, globalenv())
    options(settings)
    for (name in setdiff(search(), attached)) detach(name, character.only = TRUE)
    grDevices::graphics.off()
  })
  answer_idiom(one, side)
}
# The answers of one side to the idioms of a section: a fork for 25 idioms of a model; if it ends or takes too long, one
# for each idiom.
answer_section <- function(idioms, side, seconds) {
  first <- idioms[[1L]]
  for (package in c(first$attach, if (side != "peer") "ferrite")) {
    suppressWarnings(suppressPackageStartupMessages(library(package, character.only = TRUE)))
  }
  models <- idiom_models()
  data <- idiom_data()
  for (model in models) {
    own <- data[[model[[1L]]]]
    if (side == "perturbed") own <- perturb(own, model[[2L]])
    assign(model[[1L]], own, globalenv())
  }
  answers <- list()
  for (name in unique(vapply(idioms, `[[`, "", "model"))) {
    model <- models[[name]]
    assign("fit", fit_model(model, side, first$fit), globalenv())
    smaller <- length(model) > 3L && inherits(model[[4L]], "formula")
    if (smaller) assign("fit0", fit_model(model, side, first$fit, smaller = TRUE), globalenv())
    own <- Filter(function(one) one$model == name, idioms)
    for (some in split(own, (seq_along(own) - 1L) %/% 25L)) {
      found <- forked(lapply(some, answer_clean, side), 2 * seconds)
      if (!is.null(found$error)) found <- lapply(some, function(one) forked(answer_clean(one, side), seconds))
      answers[vapply(some, `[[`, "", "id")] <- found
    }
  }
  answers
}
idiom_key <- function(one) paste(one$package, one$fit, one$model, one$kind, one$idiom, sep = "|")
answer_all <- function(idioms, side, seconds = seconds_allowed) {
  if (!length(idioms)) return(list())
  sections <- split(idioms, factor(vapply(idioms, `[[`, "", "package"), unique(vapply(idioms, `[[`, "", "package"))))
  answers <- lapply(sections, function(own) {
    message(side, ": ", own[[1L]]$package, " (", length(own), ")")
    found <- forked(answer_section(own, side, seconds), seconds * length(own))
    if (!is.null(found$error)) stop(own[[1L]]$package, " (", side, "): ", found$error, call. = FALSE)
    found
  })
  answers <- do.call(c, unname(answers))
  answers[vapply(idioms, `[[`, "", "id")]
}

# ---- Judging.
compare_answers <- function(one, theirs, ours) {
  if (one$kind == "print") {
    compared <- compare_printed(theirs$value, ours$value)
  } else {
    compared <- compare_plain(theirs$value, ours$value, if (one$kind == "random") 0.5 else one$tolerance, one$kind)
  }
  # A warning that is R's own, from our side only, is a difference.
  warned <- function(answer) Filter(function(x) x$kind == "warning", answer$said)
  strange <- Filter(function(x) !startsWith(x$class, "ferrite_"), warned(ours))
  if (length(strange) && !length(warned(theirs))) {
    compared$found <- c(compared$found, paste("warns:", strange[[1L]]$text))
  }
  compared
}
judge <- function(one, theirs, ours, perturbed = NULL) {
  row <- list(id = one$id, package = one$package, fit = one$fit, model = one$model, kind = one$kind, idiom = one$idiom,
              instead = text_or(one$ours), outcome = "", reason = "", difference = NA_real_, noticed = NA, found = "")
  reason <- text_or(c(one$differs, one$refused))
  if (!is.null(theirs$error)) {
    row$outcome <- "peer fails"
    row$found <- theirs$error
    return(row)
  }
  if (!is.null(ours$error)) {
    # What is refused is refused by a classed error, unless the line says that another package does it.
    refused <- !is.null(one$refused) && (isTRUE(one$by_other) || startsWith(ours$class, "ferrite_error"))
    row$outcome <- if (refused) "refused" else "error"
    row$reason <- if (refused) reason else ""
    row$found <- sprintf("%s [%s]", ours$error, ours$class)
    return(row)
  }
  compared <- compare_answers(one, theirs, ours)
  row$difference <- compared$difference
  row$found <- paste(utils::head(compared$found, 4L), collapse = "; ")
  same <- !length(compared$found)
  translated <- same && !is.null(one$ours)
  row$outcome <- if (same && !translated) "same" else if (!is.null(one$differs)) "differs by intention" else "differs"
  row$reason <- if (same && !translated) "" else reason
  if (same && !translated && nzchar(reason)) row$found <- paste("stale reason:", reason)
  if (same && length(perturbed)) {
    row$noticed <- !is.null(perturbed$error) || length(compare_answers(one, theirs, perturbed)$found) > 0L
  }
  row
}
text_or <- function(x) if (length(x)) paste(x, collapse = " ") else ""
# Whether an answer has numbers that other data must change: any that is not whole.
has_estimates <- function(x) {
  if (is.list(x)) return(any(vapply(x, has_estimates, NA)))
  is.numeric(x) && any(is.finite(x) & abs(x - round(x)) > 1e-6)
}

run_idioms <- function(idioms, peers = NULL, seconds = seconds_allowed) {
  keys <- vapply(idioms, idiom_key, "")
  kept <- if (!is.null(peers) && file.exists(peers)) readRDS(peers) else list()
  new <- !keys %in% names(kept)
  for (package in unique(vapply(idioms[new], `[[`, "", "package"))) {
    own <- which(new & vapply(idioms, function(one) one$package == package, NA))
    kept[keys[own]] <- unname(answer_all(idioms[own], "peer", seconds))
    if (!is.null(peers)) saveRDS(kept, peers)
  }
  theirs <- unname(kept[keys])
  ours <- unname(answer_all(idioms, "ours", seconds))
  rows <- Map(judge, idioms, theirs, ours)
  # Designs, counts and names are the same for other data; so are plots that are only drawn, and what is random.
  asked <- vapply(seq_along(idioms), function(i) {
    rows[[i]]$outcome == "same" && idioms[[i]]$kind == "value" && has_estimates(theirs[[i]]$value)
  }, NA)
  perturbed <- unname(answer_all(idioms[asked], "perturbed", seconds))
  rows[asked] <- Map(judge, idioms[asked], theirs[asked], ours[asked], perturbed)
  rows <- do.call(rbind, lapply(rows, as.data.frame))
  rows$seconds <- vapply(ours, function(answer) if (length(answer$seconds)) answer$seconds else NA_real_, 0)
  rows
}

# ---- Writing.
documented <- c("same", "differs by intention", "refused")
idiom_faults <- function(rows) {
  name <- function(which) sprintf("%s  %s", rows$id[which], rows$idiom[which])
  list(
    `differs in silence` = name(rows$outcome == "differs"),
    `error without a reason` = name(rows$outcome == "error"),
    `the peer fails` = name(rows$outcome == "peer fails"),
    `reason without a difference` = name(startsWith(rows$found, "stale reason")),
    `other data are not noticed` = name(rows$noticed %in% FALSE)
  )
}
idiom_counts <- function(rows) {
  levels <- c("same", "differs by intention", "refused", "differs", "error", "peer fails")
  counts <- table(factor(rows$package, unique(rows$package)), factor(rows$outcome, levels))
  rbind(counts, all = colSums(counts))
}
idiom_lines <- function(rows) {
  bar <- function(...) paste0("| ", paste(..., sep = " | "), " |")
  escape <- function(x) gsub("|", "\\|", x, fixed = TRUE)
  code <- function(x) ifelse(nzchar(x), paste0("`", escape(x), "`"), "")
  counts <- idiom_counts(rows)
  counts <- counts[, colSums(counts) > 0L | colnames(counts) %in% documented, drop = FALSE]
  share <- mean(rows$outcome %in% documented)
  shown <- rows[rows$outcome != "same", ]
  shown <- shown[order(match(shown$outcome, c("error", "differs", "peer fails", "differs by intention", "refused"))), ]
  listed <- function(outcome) {
    own <- shown[shown$outcome == outcome, ]
    if (!nrow(own)) return(NULL)
    remark <- ifelse(nzchar(own$reason), own$reason, gsub("\\s+", " ", substr(own$found, 1L, 160L)))
    instead <- ifelse(nzchar(own$instead), paste0("Instead: ", code(own$instead), ". "), "")
    c(paste("##", paste0(toupper(substr(outcome, 1L, 1L)), substring(outcome, 2L))), "",
      bar("Package", "Idiom", "Why"), "|---|---|---|",
      bar(own$package, code(own$idiom), paste0(instead, escape(remark))), "")
  }
  c("# Idioms", "",
    "Generated by `bench/idioms.R` from `idioms.csv`. What users of other packages write (`idioms.txt`), given to a",
    "fit of the peer and to the fit of the same model by `lmm()`.", "",
    sprintf("%d idioms; %.1f %% are the same or differ for a reason that is given.", nrow(rows), 100 * share), "",
    "**Same**: all that the peer's answer has (numbers, text, names, dimensions) is in ours, at the same place, under",
    "the same name; numbers agree to 1e-3, or what the line in `idioms.txt` says, relative to each number and at least",
    "to a hundredth of the largest beside it. Ours may have more columns and elements, not more rows, and no warning",
    "of R's own that the peer does not give. Of prints (`print`): every number of three digits or more that the peer",
    "prints is printed. Of draws (`random`): the shape, the mean and the spread. Of pictures (`draw`): the points of",
    "those by lattice and ggplot2; of others, that they are drawn. Classes, calls and functions are not compared.",
    "**Differs by intention**, **refused**: with the reason; what is to be written instead gives the same.",
    "Whether the comparison can fail is tested by a third fit, of other data: each idiom with estimates in it must",
    "then differ.", "",
    bar("Package", paste(colnames(counts), collapse = " | ")),
    paste0("|---|", paste(rep("--:", ncol(counts)), collapse = "|"), "|"),
    bar(rownames(counts), apply(counts, 1L, paste, collapse = " | ")), "",
    unlist(lapply(c("error", "differs", "peer fails", "differs by intention", "refused"), listed)))
}
stored <- function(rows) {
  rows$seconds <- NULL
  rows$difference <- signif(rows$difference, 2L)
  rows$found[rows$outcome == "same" & !startsWith(rows$found, "stale")] <- ""
  rows$found <- substr(gsub("\\s+", " ", rows$found), 1L, 200L)
  rows
}

main <- function(args) {
  here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
  option <- function(name) if (name %in% args) args[[match(name, args) + 1L]]
  values <- unlist(lapply(c("--only", "--peers"), function(name) if (name %in% args) match(name, args) + 0:1))
  output <- args[setdiff(which(!startsWith(args, "--")), values)]
  output <- if (length(output)) output[1L] else file.path(here, "idioms.csv")
  if (!requireNamespace("ferrite", quietly = TRUE)) stop("ferrite is not installed", call. = FALSE)
  idioms <- read_idioms(file.path(here, "idioms.txt"))
  only <- option("--only")
  if (!is.null(only)) {
    idioms <- Filter(function(one) grepl(only, paste(one$id, one$idiom)), idioms)
  }
  rows <- stored(run_idioms(idioms, option("--peers")))
  faults <- idiom_faults(rows)
  for (fault in names(faults)[lengths(faults) > 0L]) {
    message(fault, ":\n", paste0("  ", faults[[fault]], collapse = "\n"))
  }
  share <- mean(rows$outcome %in% documented)
  print(idiom_counts(rows))
  message(sprintf("%.1f %% of %d idioms are the same or documented", 100 * share, nrow(rows)))
  report <- file.path(dirname(output), sub("idioms", "IDIOMS", sub("[.]csv$", ".md", basename(output))))
  changed <- character()
  if ("--check" %in% args) {
    kept <- utils::read.csv(output, colClasses = c(id = "character"))
    words <- vapply(kept, is.character, NA)
    kept[words] <- lapply(kept[words], function(x) ifelse(is.na(x), "", x))
    key <- function(rows) paste(rows$package, rows$model, rows$kind, rows$idiom)
    before <- kept$outcome[match(key(rows), key(kept))]
    changed <- rows$id[is.na(before) | before != rows$outcome]
    if (length(changed)) message("not what ", basename(output), " says: ", paste(changed, collapse = ", "))
    if (!identical(readLines(report), idiom_lines(kept))) {
      message(basename(report), " is not what ", basename(output), " says")
      changed <- c(changed, "report")
    }
  } else {
    utils::write.csv(rows, output, row.names = FALSE)
    writeLines(idiom_lines(rows), report)
  }
  quit(status = as.integer(any(lengths(faults) > 0L) || share < share_wanted || length(changed) > 0L))
}
if (sys.nframe() == 0L) main(commandArgs(trailingOnly = TRUE))
