# Two builds in one run: Rscript bench/pair.R <library> <other library> [options]
#
# Each case has two fresh processes, one with the ferrite of each library, that are asked in turn (A B, B A, A B ...): a
# drift of the machine meets both, and only one works at a time. Printed for each case: shortest and median time of a
# call of each, the other over the first, the share of turns in which the other took longer, and the peak of memory of
# the first call beyond what was there before it. `slower` marks a case whose median and shortest time are more than 5 %
# above, in four of five turns. At the end are the targets that compare a build with itself.
#
#   --cases REGEX  only these; `--cases list` names them
#   --rounds N     turns of each build (9)
#   --seconds S    no new turn of a case after these (120)
#   --threads N    2
#   --processor    seconds of the processor, of all threads together, and not of the clock: on a machine with other work
#   --large        also the cases of 5e6 rows
#   --csv FILE     the table as a file

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
source(file.path(here, "cases.R"))
source(file.path(here, "machine.R"))
given <- commandArgs(trailingOnly = TRUE)
option <- function(name, default) {
  at <- match(paste0("--", name), given)
  if (is.na(at)) default else given[at + 1L]
}

# --- cases: make() the data, formula and args of the fit; `after` is timed in place of the fit if it is there ---------

fit_case <- function(case) {
  list(title = case$title, make = case$make, formula = case$formula, large = !case$quick)
}
pair_cases <- lapply(bench_cases, fit_case)
pair_cases$sleepstudy$calls <- 100L

slopes <- function(columns) {
  function() {
    n <- shrunk(2e5, 2000)
    levels <- shrunk(2e4, 40)
    set.seed(6)
    g <- sample.int(levels, n, replace = TRUE)
    x <- matrix(stats::rnorm(n * (columns - 1)), n, dimnames = list(NULL, paste0("x", seq_len(columns - 1))))
    effects <- matrix(stats::rnorm(levels * columns), levels)
    data.frame(y = rowSums(cbind(1, x) * effects[g, ]) + stats::rnorm(n), x, g = as_factor(g))
  }
}
slopes_formula <- function(columns) {
  x <- paste0("x", seq_len(columns - 1), collapse = " + ")
  stats::as.formula(paste0("y ~ ", x, " + (", x, " | g)"), globalenv())
}
for (columns in 6:7) {
  pair_cases[[paste0("columns_", columns)]] <- list(
    title = sprintf("2e5 rows, 2e4 groups, one factor with %d columns", columns), make = slopes(columns),
    formula = slopes_formula(columns)
  )
}
series <- function(...) {
  wanted <- list(...)
  function() do.call(series_of, c(list(shrunk(1e4), 100), wanted))
}
pair_cases$strata <- list(
  title = "1e6 rows, 1e4 groups, (1 | g), 3 strata", make = series(strata = TRUE), formula = y ~ x + (1 | g),
  args = list(dispersion = ~ s)
)
pair_cases$ar1 <- list(
  title = "1e6 rows, 1e4 groups, (1 | g), AR(1)", make = series(ar = 0.5), formula = y ~ x + (1 | g),
  args = list(correlation = quote(ar1(~ t | g)))
)
pair_cases$covariate <- list(
  title = "1e6 rows, 1e4 groups, (1 | g), sd exp(v d)", make = series(covariate = TRUE), formula = y ~ x + (1 | g),
  args = list(dispersion = ~ v)
)
sleep_case <- function(title, call, calls = 1L, REML = TRUE) { # nolint: object_name_linter.
  list(title = title, make = function() of_lme4("sleepstudy"), formula = Reaction ~ Days + (Days | Subject),
       args = list(REML = REML), after = call, calls = calls)
}
pair_cases <- c(pair_cases, list(
  bootstrap = sleep_case("sleepstudy, bootstrap of 1,000", function(fit, data) {
    ferrite::bootstrap(fit, nsim = 1000, seed = 1, progress = FALSE)
  }),
  influence = sleep_case("sleepstudy, deletion of subjects", function(fit, data) {
    stats::influence(fit, groups = "Subject", progress = FALSE)
  }, 10L),
  deletion = sleep_case("sleepstudy, deletion of rows", function(fit, data) stats::influence(fit, progress = FALSE)),
  profile = sleep_case("sleepstudy, profile", function(fit, data) stats::profile(fit, progress = FALSE), REML = FALSE),
  summary = sleep_case("sleepstudy, summary with Satterthwaite", function(fit, data) summary(fit), 50L),
  refits = sleep_case("sleepstudy, 1,000 refits", function(fit, data) {
    set.seed(1)
    ferrite::refit_many(fit, data$Reaction + matrix(stats::rnorm(180000, 0, 20), 180), progress = FALSE)
  }),
  kenward_roger = list(
    title = "InstEval, 2,000 rows, Kenward-Roger", formula = y ~ service + (1 | s) + (1 | d),
    make = function() {
      data <- of_lme4("InstEval")
      set.seed(1)
      data[sort(sample(nrow(data), 2000)), ]
    },
    after = function(fit, data) summary(fit, ddf = "Kenward-Roger")
  ),
  satterthwaite = list(
    title = "1e6 rows, 1e4 groups, (x | g), Satterthwaite", formula = y ~ x + (x | g),
    make = function() one_factor(1e6, 1e4, TRUE), after = function(fit, data) summary(fit)
  ),
  conditional = list(
    title = "5e5 rows, 125,000 groups, (x | g), ranef with sd", formula = y ~ x + (x | g),
    make = function() one_factor(5e5, 125000, TRUE), after = function(fit, data) ferrite::ranef(fit)
  )
))

# A build compared with itself: time or memory of a case over those of another, or over the size of the data.
own_targets <- list(
  list("nested", "group_1e5", "nested over the single factor", 1.5),
  list("columns_7", "columns_6", "7 columns over 6", 1.5),
  list("one_5e6", "data", "memory of 5e6 rows / 5e5 groups beyond the data, over the data", 1)
)

# --- a worker ---------------------------------------------------------------------------------------------------------

# What a process is sent: functions without this file's environment.
worker_start <- function(path, case, threads) {
  bench <<- new.env(parent = globalenv())
  bench$data <- readRDS(path)
  formula <- case$formula
  environment(formula) <- bench
  loadNamespace("ferrite")
  control <- bquote(ferrite::lmm_control(threads = .(threads), progress = FALSE))
  bench$call <- as.call(c(quote(ferrite::lmm), list(formula, quote(data), control = control), case$args))
  bench$fit_once <- function() suppressWarnings(suppressMessages(eval(bench$call, bench)))
  bench$once <- bench$fit_once
  if (!is.null(case$after)) {
    bench$after <- case$after
    bench$fit <- bench$fit_once()
    bench$once <- function() suppressWarnings(suppressMessages(bench$after(bench$fit, bench$data)))
  }
  status <- function(field) {
    if (!file.exists("/proc/self/status")) return(NA_real_)
    line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
    as.double(gsub("[^0-9]", "", line)) / 1024
  }
  gc(FALSE)
  before <- status("VmRSS")
  try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
  begin <- as.double(Sys.time())
  result <- bench$once()
  first <- as.double(Sys.time()) - begin
  peak <- status("VmHWM") - before
  # R compiles a function when it has seen it twice
  for (k in seq_len(if (first < 1) 3L else 0L)) bench$once()
  list(
    memory = peak, first = first, data = as.double(utils::object.size(bench$data)) / 2^20,
    criterion = if (inherits(result, "lmm")) result$criterion else NA_real_,
    evaluations = if (inherits(result, "lmm")) result$convergence$evaluations else NA_real_
  )
}
worker_turn <- function(calls, processor) {
  gc(FALSE)
  if (processor) {
    begin <- proc.time()
    for (k in seq_len(calls)) bench$once()
    return(sum((proc.time() - begin)[c("user.self", "sys.self")]) / calls)
  }
  vapply(seq_len(calls), function(k) {
    begin <- as.double(Sys.time())
    bench$once()
    as.double(Sys.time()) - begin
  }, 0)
}

process_with <- function(library) {
  old <- Sys.getenv("R_LIBS", NA)
  Sys.setenv(R_LIBS = paste(c(normalizePath(library), if (!is.na(old)) old), collapse = ":"))
  on.exit(if (is.na(old)) Sys.unsetenv("R_LIBS") else Sys.setenv(R_LIBS = old))
  parallel::makePSOCKcluster(1L)
}
ask <- function(process, f, ...) {
  environment(f) <- globalenv()
  parallel::clusterCall(process, f, ...)[[1L]]
}

measure_pair <- function(id, libraries, rounds, limit, threads, processor) {
  case <- pair_cases[[id]]
  data <- case$make()
  if (is.null(data)) return(NULL)
  path <- tempfile(fileext = ".rds")
  saveRDS(data, path, compress = FALSE)
  rm(data)
  on.exit(unlink(path))
  sent <- case[c("formula", "args")]
  sent$after <- case$after
  if (!is.null(sent$after)) environment(sent$after) <- globalenv()
  environment(sent$formula) <- globalenv()
  processes <- lapply(libraries, process_with)
  on.exit(for (process in processes) parallel::stopCluster(process), add = TRUE)
  starts <- lapply(processes, ask, f = worker_start, path, sent, threads)
  calls <- if (is.null(case$calls)) 1L else case$calls
  turns <- list(list(), list())
  begun <- proc.time()[["elapsed"]]
  for (k in seq_len(rounds)) {
    for (who in if (k %% 2L) 1:2 else 2:1) turns[[who]][[k]] <- ask(processes[[who]], worker_turn, calls, processor)
    if (proc.time()[["elapsed"]] - begun > limit) break
  }
  times <- lapply(turns, unlist)
  above <- mapply(function(a, b) stats::median(b) > stats::median(a), turns[[1L]], turns[[2L]])
  least <- vapply(times, min, 0)
  middle <- vapply(times, stats::median, 0)
  memory <- vapply(starts, `[[`, 0, "memory")
  data.frame(
    case = id, title = case$title, calls = calls * length(turns[[1L]]), min_a = least[1L], min_b = least[2L],
    median_a = middle[1L], median_b = middle[2L], min_ratio = least[2L] / least[1L], ratio = middle[2L] / middle[1L],
    above = mean(above), memory_a = memory[1L], memory_b = memory[2L], data = starts[[1L]]$data,
    evaluations_a = starts[[1L]]$evaluations, evaluations_b = starts[[2L]]$evaluations,
    criterion = starts[[2L]]$criterion - starts[[1L]]$criterion
  )
}

heading <- c("case", "calls", "min A", "min B", "median A", "median B",
             "B/A min", "B/A", "B>A", "MB A", "MB B", "evals", "crit B-A")
layout <- "%-14s %5s %9s %9s %9s %9s %8s %7s %5s %7s %7s %9s %9s  %s\n"
time_text <- function(seconds) {
  if (seconds < 0.1) sprintf("%.3f ms", 1000 * seconds) else sprintf("%.3f s", seconds)
}
print_row <- function(row) {
  slower <- row$ratio > 1.05 && row$min_ratio > 1.05 && row$above >= 0.8
  faster <- row$ratio < 0.95 && row$min_ratio < 0.95 && row$above <= 0.2
  evaluations <- if (is.na(row$evaluations_a)) "" else paste0(row$evaluations_a, "/", row$evaluations_b)
  cat(sprintf(layout, row$case, row$calls, time_text(row$min_a), time_text(row$min_b), time_text(row$median_a),
              time_text(row$median_b), sprintf("%.3f", row$min_ratio), sprintf("%.3f", row$ratio),
              sprintf("%.0f%%", 100 * row$above), sprintf("%.0f", row$memory_a), sprintf("%.0f", row$memory_b),
              evaluations,
              if (is.na(row$criterion)) "" else sprintf("%.1e", row$criterion),
              if (slower) "slower" else if (faster) "faster" else ""))
}

print_targets <- function(table) {
  for (target in own_targets) {
    one <- table[table$case == target[[1L]], ]
    other <- table[table$case == target[[2L]], ]
    if (!nrow(one) || target[[2L]] != "data" && !nrow(other)) next
    values <- if (target[[2L]] == "data") c(one$memory_a, one$memory_b) / one$data
    else unlist(one[c("min_a", "min_b", "median_a", "median_b")] / other[c("min_a", "min_b", "median_a", "median_b")])
    cat(sprintf("%s: A %.2f, B %.2f", target[[3L]], values[1L], values[2L]),
        if (length(values) == 4L) sprintf(" (shortest; by medians %.2f, %.2f)", values[3L], values[4L]),
        sprintf("; target %.2g\n", target[[4L]]), sep = "")
  }
}

main <- function() {
  pattern <- option("cases", "")
  if (pattern == "list") {
    cat(sprintf("%-14s %s\n", names(pair_cases), vapply(pair_cases, `[[`, "", "title")), sep = "")
    return(invisible())
  }
  libraries <- given[seq_len(2L)]
  if (anyNA(libraries) || any(startsWith(libraries, "--"))) {
    stop("two libraries, please; see the head of this file", call. = FALSE)
  }
  large <- "--large" %in% given
  ids <- names(Filter(function(case) large || !isTRUE(case$large), pair_cases))
  if (nzchar(pattern)) ids <- grep(pattern, names(pair_cases), value = TRUE)
  cat("A:", normalizePath(libraries[1L]), "\nB:", normalizePath(libraries[2L]))
  cat("\nload at the start:", load_now(), "\n\n")
  cat(do.call(sprintf, c(list(layout), as.list(heading), "")))
  rows <- lapply(ids, function(id) {
    row <- measure_pair(id, libraries, as.integer(option("rounds", "9")), as.double(option("seconds", "120")),
                        as.integer(option("threads", "2")), "--processor" %in% given)
    if (!is.null(row)) print_row(row)
    row
  })
  table <- do.call(rbind, rows)
  cat("\n")
  print_targets(table)
  cat("load at the end:", load_now(), "\n")
  if (!is.na(match("--csv", given))) utils::write.csv(table, option("csv", ""), row.names = FALSE)
}
main()
