# Whether two builds give the same results: Rscript bench/equal.R <library> <other library> [options]
#
# The same script runs on the same inputs with the ferrite of each library, in a process of its own, once with the
# threads that are asked for and once with one thread. Printed: the largest difference of each kind of quantity, over
# what is allowed (equal-quantities.R), and its case. Ends with status 1 when one is beyond that, when two numbers of
# threads differ in any bit, or when one build errs, warns or ends in another way.
#
#   --threads N    2; with 1 the comparison of threads is left out
#   --cases REGEX  only the cases whose names match (equal-cases.R)
#   --jobs N       processes at a time (1)
#   --all          a line for each difference, not only for those beyond what is allowed
#   --keep DIR     leave the results there; those of the first library are used again (a base is run once)
#   --perturb E    the other build gets responses that differ by E standard deviations: the comparison must fail
#   --shuffle      the other build gets the rows in another order: what rounding does, where the order is free
# The packages lme4 and nlme must be installed. Takes some minutes for each library.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
given <- commandArgs(trailingOnly = TRUE)
option <- function(name, default) {
  at <- match(paste0("--", name), given)
  if (is.na(at)) default else given[at + 1L]
}
flag <- function(name) paste0("--", name) %in% given

# --- one build --------------------------------------------------------------------------------------------------------

# The value and what was signalled on the way.
listen <- function(code) {
  heard <- character()
  hear <- function(condition, restart) {
    heard <<- c(heard, grep("^ferrite_", class(condition), value = TRUE)[1L])
    invokeRestart(restart)
  }
  value <- withCallingHandlers(code, message = function(m) hear(m, "muffleMessage"),
                               warning = function(w) hear(w, "muffleWarning"))
  list(value = value, heard = heard)
}

run_case <- function(case, threads, perturb, shuffle) {
  started <- proc.time()[["elapsed"]]
  data <- eval(case$data, case$space)
  row.names(data) <- NULL
  if (perturb > 0) {
    name <- all.vars(case$formula)[1L]
    set.seed(99)
    y <- data[[name]]
    if (is.numeric(y)) data[[name]] <- y + perturb * stats::sd(y) * stats::rnorm(length(y))
  }
  if (shuffle) {
    set.seed(98)
    data <- data[sample.int(nrow(data)), , drop = FALSE]
  }
  case$data <- data
  space <- new.env(parent = globalenv())
  space$data <- data
  formula <- case$formula
  environment(formula) <- space
  control <- as.list(case$args$control)[-1L]
  control$threads <- threads
  case$args$control <- as.call(c(quote(lmm_control), control))
  call <- as.call(c(list(quote(lmm), formula, quote(data)), case$args))
  case$plan <- function() {
    call[[1L]] <- quote(lmm_plan)
    eval(call, space)
  }
  fitted <- tryCatch(listen(eval(call, space)), error = identity)
  if (inherits(fitted, "error")) {
    return(list(pieces = list("fit: end" = ended(fitted)), seconds = 0, loss = case$loss))
  }
  ask <- if (shuffle) intersect(case$ask, free_of_order) else case$ask
  pieces <- list("fit: signals" = piece("exact", fitted$heard))
  for (name in ask) {
    set.seed(1)
    found <- listen(try_pieces(quantities[[name]](fitted$value, case)))
    found$value[[" signals"]] <- piece("exact", if (length(found$heard)) sort(unique(found$heard)) else character())
    names(found$value) <- make.unique(paste0(name, ": ", names(found$value)))
    pieces <- c(pieces, found$value)
  }
  list(pieces = pieces, seconds = proc.time()[["elapsed"]] - started, loss = case$loss)
}

time_of <- function(case) deparse(case$args$correlation[[2L]][[2L]][[2L]])

run_build <- function(output, threads, pattern, perturb, shuffle) {
  chosen <- cases[grepl(pattern, names(cases))]
  # series by the order of the rows are other series in another order
  if (shuffle) chosen <- Filter(function(case) is.null(case$args$correlation) || time_of(case) != "1", chosen)
  results <- lapply(chosen, run_case, threads = threads, perturb = perturb, shuffle = shuffle)
  saveRDS(results, output)
}

# --- two builds -------------------------------------------------------------------------------------------------------

difference <- function(a, b) {
  if (a$kind != b$kind || !identical(dim(a$value), dim(b$value)) || length(a$value) != length(b$value)) return(Inf)
  if (a$kind == "exact" || !is.numeric(a$value)) return(if (identical(a$value, b$value)) 0 else Inf)
  x <- as.double(a$value)
  y <- as.double(b$value)
  same <- is.na(x) & is.na(y) | !is.na(x) & !is.na(y) & x == y
  if (all(same)) return(0)
  if (any(!is.finite(x[!same]) | !is.finite(y[!same]))) return(Inf)
  scale <- if (is.null(a$scale)) max(abs(x[is.finite(x)])) else rep_len(as.double(a$scale), length(x))[!same]
  gap <- abs(x - y)[!same] / scale
  # a scale of zero: no unit, so the difference itself
  gap[!is.finite(gap)] <- abs(x - y)[!same][!is.finite(gap)]
  max(gap)
}

compare <- function(one, other, losses, shuffle = FALSE) {
  names_of <- if (shuffle) intersect else union
  rows <- lapply(names_of(names(one), names(other)), function(name) {
    a <- one[[name]]$pieces
    b <- other[[name]]$pieces
    each <- names_of(names(a), names(b))
    gap <- vapply(each, function(key) {
      if (is.null(a[[key]]) || is.null(b[[key]])) Inf else difference(a[[key]], b[[key]])
    }, 0)
    kind <- vapply(each, function(key) (if (is.null(a[[key]])) b[[key]] else a[[key]])$kind, "")
    allowed <- tolerances[kind] * losses[[name]]
    over <- ifelse(gap == 0, 0, ifelse(is.infinite(allowed), 0, gap / allowed))
    data.frame(case = name, quantity = each, kind = kind, difference = gap, allowed = allowed, over = over,
               of = sub(":.*", "", each))
  })
  do.call(rbind, rows)
}

shown <- function(piece) {
  if (is.null(piece)) return("nothing")
  paste(utils::head(format(unlist(piece$value), digits = 15), 4L), collapse = " ")
}

report <- function(one, other, losses, all, shuffle) {
  table <- compare(one, other, losses, shuffle)
  lines <- lapply(split(table, list(table$of, table$kind), drop = TRUE), function(part) {
    worst <- part[which.max(if (part$kind[1L] == "count") part$difference else part$over), ]
    data.frame(
      quantity = worst$of, kind = worst$kind, compared = nrow(part), differ = sum(part$difference > 0),
      largest = worst$difference, allowed = worst$allowed, over = worst$over,
      where = if (worst$difference > 0) paste0(worst$case, " / ", sub("^[^:]*: ", "", worst$quantity)) else ""
    )
  })
  lines <- do.call(rbind, lines)
  lines <- lines[order(match(lines$quantity, names(quantities)), match(lines$kind, names(tolerances))), ]
  figures <- c("largest", "allowed", "over")
  lines[figures] <- lapply(lines[figures], function(x) format(signif(x, 2)))
  old <- options(width = 200)
  on.exit(options(old))
  print(lines, row.names = FALSE, right = FALSE)
  told <- if (all) table[table$difference > 0, ] else table[table$over > 1, ]
  told <- told[order(-told$over), ]
  if (nrow(told)) cat("\n", if (all) "All differences:" else "Beyond what is allowed:", "\n", sep = "")
  for (i in seq_len(min(nrow(told), if (all) Inf else 60))) {
    row <- told[i, ]
    cat(sprintf("  %-40s %-38s %9.2g", row$case, row$quantity, row$difference))
    if (is.infinite(row$difference)) {
      cat("  ", shown(one[[row$case]]$pieces[[row$quantity]]), " | ", shown(other[[row$case]]$pieces[[row$quantity]]))
    }
    cat("\n")
  }
  evaluations <- table[table$kind == "count" & endsWith(table$quantity, "evaluations"), ]
  count <- function(results) {
    sum(unlist(mapply(function(case, key) results[[case]]$pieces[[key]]$value, evaluations$case, evaluations$quantity)),
        na.rm = TRUE)
  }
  cat(sprintf("\nEvaluations %g and %g; seconds %.0f and %.0f\n", count(one), count(other),
              sum(vapply(one, `[[`, 0, "seconds")), sum(vapply(other, `[[`, 0, "seconds"))))
  c(beyond = sum(table$over > 1), compared = nrow(table))
}

same_bits <- function(one, other, label) {
  table <- compare(one, other, vapply(one, function(x) 1, 0))
  bad <- table[table$difference > 0, ]
  cat(sprintf("%s, threads: %d of %d quantities differ\n", label, nrow(bad), nrow(table)))
  for (i in seq_len(min(nrow(bad), 30))) {
    cat(sprintf("  %-40s %-38s %9.2g\n", bad$case[i], bad$quantity[i], bad$difference[i]))
  }
  nrow(bad)
}

main <- function() {
  libraries <- given[seq_len(2L)]
  if (anyNA(libraries) || any(startsWith(libraries, "--"))) {
    stop("two libraries, please; see the head of this file", call. = FALSE)
  }
  threads <- as.integer(option("threads", "2"))
  folder <- option("keep", tempfile("equal"))
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  counts <- unique(c(threads, 1L))
  runs <- expand.grid(build = 1:2, threads = counts)
  runs$file <- file.path(folder, paste0(c("old", "new")[runs$build], runs$threads, ".rds"))
  commands <- mapply(function(build, count, file) {
    changed <- c(if (flag("perturb")) paste("--perturb", option("perturb", "0")), if (flag("shuffle")) "--shuffle")
    other <- if (build == 2L) changed
    path <- paste(c(normalizePath(libraries[build]), Sys.getenv("R_LIBS")), collapse = ":")
    paste(paste0("R_LIBS=", shQuote(path)),
          shQuote(file.path(R.home("bin"), "Rscript")), shQuote(file.path(here, "equal.R")), "--child", shQuote(file),
          "--with", count, "--cases", shQuote(option("cases", "")), paste(other, collapse = " "))
  }, runs$build, runs$threads, runs$file)
  commands <- commands[runs$build == 2L | !file.exists(runs$file)]
  jobs <- as.integer(option("jobs", "1"))
  status <- unlist(parallel::mclapply(commands, system, mc.cores = jobs, mc.preschedule = FALSE))
  if (any(status != 0L)) stop("a build did not run to the end", call. = FALSE)
  results <- lapply(runs$file, readRDS)
  chosen <- names(results[[1L]])
  source(file.path(here, "equal-quantities.R"), local = globalenv())
  losses <- vapply(results[[1L]], `[[`, 0, "loss")
  cat(length(chosen), "cases;", normalizePath(libraries[1L]), "and", normalizePath(libraries[2L]), "\n\n")
  counted <- report(results[[1L]], results[[2L]], losses, flag("all"), flag("shuffle"))
  threads_differ <- if (length(counts) > 1L) {
    same_bits(results[[1L]], results[[3L]], "first build") + same_bits(results[[2L]], results[[4L]], "other build")
  } else 0
  cat(sprintf("\n%d of %d quantities beyond what is allowed\n", counted[["beyond"]], counted[["compared"]]))
  if (counted[["beyond"]] > 0 || threads_differ > 0) quit(status = 1L)
}

if (flag("child")) {
  library(ferrite)
  source(file.path(here, "equal-quantities.R"))
  source(file.path(here, "equal-cases.R"))
  run_build(option("child"), as.integer(option("with", "2")), option("cases", ""), as.double(option("perturb", "0")),
            flag("shuffle"))
} else {
  main()
}
