# The table of the benchmark: Rscript bench/table.R [options]; see bench/run.
#
# Every (case, peer) is measured in a fresh process (worker.R, peers.py); those that are quick are measured in a second
# round when all have had their first, so that a drift of the machine shows in the quartiles and not in a ratio.
# A time is reported when the criterion agrees with that of ferrite for the same model, by the same kind of likelihood.
# What does not end well (time, memory, an error) is a row with a note; the run goes on.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
for (file in c("cases.R", "peers.R", "machine.R")) source(file.path(here, file))

option <- function(name, default) {
  at <- match(paste0("--", name), args)
  if (is.na(at)) default else args[[at + 1L]]
}
args <- commandArgs(trailingOnly = TRUE)
quick <- "--quick" %in% args
budget <- as.double(option("budget", if (quick) 10 else 120))
limit <- as.double(option("limit", if (quick) 60 else 1500))
others_limit <- as.double(option("others-limit", if (quick) 60 else 300))
minutes <- as.double(option("minutes", if (quick) 10 else 180))
threads <- as.integer(option("threads", min(2L, parallel::detectCores())))
python <- option("python", Sys.getenv("FERRITE_BENCH_PYTHON", "python3"))
out <- file.path(option("folder", here), "table.csv")
split_names <- function(text) if (is.null(text)) NULL else strsplit(text, ",", fixed = TRUE)[[1L]]
wanted <- split_names(option("peers", if (quick) "lm,ferrite,ferrite ML,lme4,gpboost,mixedlm-rs"))
ids <- split_names(option("cases", NULL))
if (is.null(ids)) ids <- names(Filter(function(case) case$quick || !quick, bench_cases))
stopifnot(ids %in% names(bench_cases))

find_python <- function() {
  lines <- tryCatch(suppressWarnings(system2(python, c(shQuote(file.path(here, "peers.py")), "--installed"),
                                             stdout = TRUE, stderr = FALSE)), error = function(e) character())
  lines <- grep("^[-a-z]+=", lines, value = TRUE)
  stats::setNames(sub("^[^=]+=", "", lines), sub("=.*$", "", lines))
}
in_python <- find_python()
in_r <- names(Filter(function(peer) requireNamespace(peer$package, quietly = TRUE), r_peers))
stopifnot("ferrite" %in% in_r)
if (!any(grepl("^<bytecode", utils::capture.output(print(ferrite::lmm))))) {
  warning("ferrite is installed without byte code: its first calls compile it, in time and memory", immediate. = TRUE)
}
begun <- proc.time()[["elapsed"]]
spent <- function() (proc.time()[["elapsed"]] - begun) / 60
say <- function(...) cat(sprintf("%5.1f min  ", spent()), sprintf(...), "\n", sep = "")

# Seconds that a peer gets before it is stopped: more for those that the targets name.
patience <- function(case, peer) {
  named <- peer %in% c("ferrite", "ferrite ML", "lm", vapply(case$targets, `[[`, "", 1L))
  max(if (named) limit else min(limit, others_limit), budget)
}

# Runs one worker; a list of facts, or a note why there are none.
measure <- function(id, peer, folder, seconds, most) {
  result <- file.path(folder, "result.txt")
  unlink(result)
  inputs <- c(folder, id, peer, format(seconds), threads)
  command <- if (peer %in% python_peers) python else file.path(R.home("bin"), "Rscript")
  script <- file.path(here, if (peer %in% python_peers) "peers.py" else "worker.R")
  log <- file.path(folder, "log.txt")
  set <- paste0(c("OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS="), threads)
  status <- suppressWarnings(system2(command, shQuote(c(script, inputs)), stdout = log, stderr = log, env = set,
                                     timeout = most))
  if (status == 124L) return(list(note = sprintf("over %.0f s", most)))
  if (status %in% c(9L, 137L)) return(list(note = "failed: killed by the system, which is what it does when memory ends"))
  if (status != 0L || !file.exists(result)) {
    why <- grep("\\S", readLines(log, warn = FALSE), value = TRUE)
    why <- utils::tail(why[!grepl("^(Calls:|Execution halted)", why)], 2L)
    return(list(note = paste("failed:", substr(paste(trimws(why), collapse = " "), 1L, 120L))))
  }
  lines <- readLines(result)
  facts <- as.list(stats::setNames(sub("^[^=]+=", "", lines), sub("=.*$", "", lines)))
  for (name in intersect(c("times", "r_side"), names(facts))) {
    facts[[name]] <- as.double(strsplit(facts[[name]], " ", fixed = TRUE)[[1L]])
  }
  facts
}

# NULL when the peer is to be run, else why not.
excluded <- function(case, peer) {
  if (!peer %in% c(in_r, names(in_python))) return("not installed")
  if (peer %in% names(case$skip)) return(case$skip[[peer]])
  one <- length(case$python$groups) == 1L
  if (peer %in% c("mixedlm-rs", "statsmodels") && !one) return("one grouping factor only")
  if (quick && peer %in% case$heavy) return("too slow for a quick run")
  if (spent() > minutes) "time limit of the whole run"
}

row_of <- function(id, case, peer, facts, data_mb) {
  number <- function(x) if (is.null(x)) NA_real_ else suppressWarnings(as.double(x))
  times <- if (length(facts$times)) facts$times else NA_real_
  at <- stats::quantile(times, c(0.25, 0.5, 0.75), names = FALSE, na.rm = TRUE)
  data.frame(
    case = id, title = if (shrink > 1) sprintf("%s, all / %g", case$title, shrink) else case$title, peer = peer,
    version = if (length(facts$version)) facts$version else NA_character_, kind = peer_kind(peer), seconds = at[2L], low = at[1L], high = at[3L],
    runs = if (anyNA(times)) 0L else length(times), first = number(facts$first), criterion = number(facts$criterion),
    evaluations = number(facts$evaluations), memory_mb = number(facts$memory), planned_mb = number(facts$planned),
    data_mb = data_mb, r_side = if (length(facts$r_side)) stats::median(facts$r_side) else NA_real_,
    threads = threads, note = if (length(facts$note)) facts$note else "", load = load_now()
  )
}

# How far a peer's theta lies above our minimum of the criterion, by our second derivatives: for a peer whose figure of the
# likelihood is not the likelihood at its estimates. (GPBoost 1.8.0 with random slopes reports one that is better than the
# maximum; its estimates are those of the maximum.)
excess_of <- function(ours, theirs) {
  if (!length(ours$hessian) || !length(theirs$theta) || !nzchar(theirs$theta)) return(NA_real_)
  named <- function(text) {
    parts <- strsplit(text, " ", fixed = TRUE)[[1L]]
    stats::setNames(as.double(sub("^.*=", "", parts)), sub("=[^=]*$", "", parts))
  }
  here <- named(ours$theta)
  step <- named(theirs$theta)[names(here)] - here
  hessian <- matrix(as.double(strsplit(ours$hessian, " ", fixed = TRUE)[[1L]]), length(here))
  sum(step * (hessian %*% step)) / 2
}

# Difference of the criterion (peer - ferrite), and what that says. GPBoost stops by a relative rule.
judge <- function(rows) {
  own <- stats::setNames(rows$criterion[match(c("ferrite", "ferrite ML"), rows$peer)], c("REML", "ML"))
  rows$difference <- ifelse(is.na(rows$excess), rows$criterion - own[rows$kind], rows$excess)
  near <- abs(rows$difference) <= 0.01 + 1e-5 * abs(rows$criterion)
  exact <- abs(rows$difference) <= 0.01
  rows$verdict <- ifelse(is.na(rows$seconds), "not run", ifelse(rows$kind == "none", "reference", ifelse(
    is.na(rows$difference), "no criterion", ifelse(exact, "agrees", ifelse(near, "near", "differs")))))
  rows
}

run_case <- function(id) {
  case <- bench_cases[[id]]
  case$fixed <- fixed_part_of(case$formula)
  if (spent() > minutes) {
    say("%s: not run, time limit", id)
    return(NULL)
  }
  data <- tryCatch(case$make(), error = function(e) e)
  if (inherits(data, "error")) {
    note <- paste("failed: no data:", conditionMessage(data))
    say("%s: %s", id, note)
    return(judge(cbind(row_of(id, case, "ferrite", list(note = note), NA_real_), excess = NA_real_)))
  }
  if (is.null(data)) {
    say("%s: the data are not installed", id)
    return(NULL)
  }
  folder <- tempfile("bench")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  saveRDS(data, file.path(folder, "data.rds"), compress = FALSE)
  data_mb <- as.double(utils::object.size(data[all.vars(case$formula)])) / 2^20
  peers <- peers_of(case, wanted)
  exported <- TRUE
  if (length(in_python) && any(peers %in% names(in_python))) {
    exported <- tryCatch(is.null(export_case(case, data, folder)), error = function(e) FALSE)
  }
  rm(data)
  invisible(gc())
  facts <- list()
  for (peer in peers) {
    why <- excluded(case, peer)
    if (!length(why) && peer %in% python_peers && !exported) why <- "failed: no memory to write the data for Python"
    facts[[peer]] <- if (length(why)) list(note = why)
    else measure(id, peer, folder, budget, patience(case, peer))
    times <- facts[[peer]]$times
    say("%s, %s: %s", id, peer, if (length(times)) sprintf("%.4g s, median of %d", stats::median(times), length(times))
        else facts[[peer]]$note)
  }
  for (peer in peers) {
    times <- facts[[peer]]$times
    if (length(times) < 3L || stats::median(times) > 2 || spent() > minutes) next
    again <- measure(id, peer, folder, budget, patience(case, peer))
    facts[[peer]]$times <- c(times, again$times)
    facts[[peer]]$r_side <- c(facts[[peer]]$r_side, again$r_side)
  }
  rows <- do.call(rbind, lapply(peers, function(peer) row_of(id, case, peer, facts[[peer]], data_mb)))
  rows$excess <- vapply(peers, function(peer) {
    if (peer == "ferrite ML") NA_real_ else excess_of(facts[["ferrite ML"]], facts[[peer]])
  }, 0)
  judge(rows)
}

# Columns of both, those that one lacks empty.
bind <- function(old, new) {
  for (name in setdiff(names(new), names(old))) old[[name]] <- rep(NA, nrow(old))
  rbind(old[names(new)], new)
}

# Cases measured now replace their rows. What an earlier run says of a heavy peer is kept, as a record with its date.
save_rows <- function(rows) {
  rows <- cbind(rows, recorded = FALSE, machine())
  if (file.exists(out)) {
    old <- utils::read.csv(out, check.names = FALSE)
    id <- rows$case[1L]
    kept <- old[old$case == id & !is.na(old$seconds) & old$cpu %in% rows$cpu[1L], ]
    kept <- kept[quick & kept$peer %in% bench_cases[[id]]$heavy, ]
    if (nrow(kept)) {
      kept$recorded <- TRUE
      rows <- judge(bind(kept, rows[!rows$peer %in% kept$peer, ]))
    }
    rows <- bind(old[old$case != id, ], rows)
  }
  rows <- rows[order(match(rows$case, names(bench_cases))), ]
  utils::write.csv(rows, out, row.names = FALSE)
}

for (id in ids) {
  rows <- run_case(id)
  if (is.null(rows)) next
  save_rows(rows)
  print(rows[c("peer", "kind", "seconds", "runs", "difference", "verdict", "memory_mb", "note")], digits = 4,
        row.names = FALSE)
}
say("done; %s", out)
