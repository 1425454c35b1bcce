# RESULTS.md from table.csv, scaling.csv, residual.csv and inference.csv beside this file, and the small tables that the
# vignette on performance brings along: Rscript bench/results.R [--folder DIR] [--check]
# No figure is typed: all are read from the CSV. --check writes nothing and fails if what stands there is something else.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
for (file in c("cases.R", "exponent.R")) source(file.path(here, file))
args <- commandArgs(trailingOnly = TRUE)
folder <- if ("--folder" %in% args) args[[match("--folder", args) + 1L]] else here
read <- function(name) {
  path <- file.path(folder, paste0(name, ".csv"))
  if (file.exists(path)) utils::read.csv(path, check.names = FALSE)
}
rows <- read("table")
stopifnot(nrow(rows) > 0L)
# Columns that tables of before did not have.
for (name in setdiff(c("planned_mb", "r_side", "recorded"), names(rows))) rows[[name]] <- NA
rows$recorded <- rows$recorded %in% TRUE
rows$note[is.na(rows$note)] <- ""

time_text <- function(s) {
  ifelse(is.na(s), "-", ifelse(s < 1e-3, sprintf("%.2f ms", s * 1e3), ifelse(s < 0.1, sprintf("%.1f ms", s * 1e3),
    ifelse(s < 10, sprintf("%.2f s", s), sprintf("%.0f s", s)))))
}
ratio_text <- function(x) ifelse(x >= 10, sprintf("%.0f", x), ifelse(x >= 2, sprintf("%.1f", x), sprintf("%.2f", x)))
table_lines <- function(cells, align = NULL) {
  if (!nrow(cells)) return("(nothing measured)")
  bar <- function(x) paste0("| ", paste(x, collapse = " | "), " |")
  if (is.null(align)) align <- c("---", rep("--:", ncol(cells) - 1L))
  cells[] <- lapply(cells, function(x) gsub("|", "\\|", x, fixed = TRUE))
  c(bar(names(cells)), paste0("|", paste(align, collapse = "|"), "|"), apply(cells, 1L, bar))
}
value <- function(case, peer, column = "seconds") {
  found <- rows[rows$case == case & rows$peer == peer, ]
  if (nrow(found) && (column != "seconds" || found$verdict != "differs")) found[[column]] else NA
}
# GPBoost is compared with the fit of the same model by the same likelihood.
ours_for <- function(case, peer) value(case, if (peer == "gpboost") "ferrite ML" else "ferrite")

# Why there is no figure: what the row of the peer says, or ours.
reason_of <- function(id, peers) {
  found <- rows[rows$case == id & rows$peer %in% peers & (is.na(rows$seconds) | rows$verdict == "differs"), ]
  if (!nrow(found)) return("not measured")
  why <- ifelse(found$verdict == "differs", sprintf("off by %.2g", found$difference), found$note)
  paste(paste0(found$peer, ": ", ifelse(nzchar(why), why, "not measured")), collapse = "; ")
}

# A target: list(text, measured value, met, measured as text).
check_target <- function(id, target) {
  number <- as.double(target[[3L]])
  own <- value(id, "ferrite")
  if (target[[1L]] == "seconds") return(list(paste("at most", time_text(number)), own, own <= number, time_text(own)))
  if (target[[1L]] == "r_side") {
    own <- value(id, "ferrite", "r_side")
    return(list(paste("of it in R at most", time_text(number)), own, own <= number, time_text(own)))
  }
  if (target[[1L]] == "memory") {
    share <- value(id, "ferrite", "memory_mb") / value(id, "ferrite", "data_mb")
    return(list(sprintf("memory beyond the data at most %g x the data", number), share, share <= number,
                sprintf("%.2f", share)))
  }
  if (target[[2L]] == "at_most") {
    base <- if (target[[1L]] %in% names(bench_cases)) value(target[[1L]], "ferrite") else value(id, target[[1L]])
    name <- if (target[[1L]] %in% names(bench_cases)) "one factor of 1e5 groups" else paste0(target[[1L]], "()")
    return(list(sprintf("at most %g x %s", number, name), own / base, own / base <= number, ratio_text(own / base)))
  }
  ratio <- value(id, target[[1L]]) / ours_for(id, target[[1L]])
  list(if (number == 1) paste("no slower than", target[[1L]]) else sprintf("at least %g x %s", number, target[[1L]]),
       ratio, ratio >= number, paste0(ratio_text(ratio), recorded_text(id, target[[1L]])))
}
recorded_text <- function(id, peer) {
  found <- rows[rows$case == id & rows$peer == peer & rows$recorded, ]
  if (nrow(found)) sprintf(" (%s recorded %s)", peer, found$date) else ""
}
targets <- do.call(rbind, lapply(intersect(names(bench_cases), rows$case), function(id) {
  do.call(rbind, lapply(bench_cases[[id]]$targets, function(target) {
    one <- check_target(id, target)
    data.frame(id = id, Case = bench_cases[[id]]$title, Target = one[[1L]],
               Measured = if (is.na(one[[2L]])) reason_of(id, c("ferrite", "ferrite ML", target[[1L]])) else one[[4L]],
               Met = if (is.na(one[[2L]])) "?" else if (one[[3L]]) "yes" else "**no**")
  }))
}))

peers <- intersect(c("lm", "lme4", "nlme", "glmmTMB", "gpboost", "mixedlm-rs", "statsmodels"), rows$peer)
reason <- function(case, peer) {
  found <- rows[rows$case == case & rows$peer == peer, ]
  if (!nrow(found)) return("")
  if (found$verdict == "differs") return(sprintf("not shown: off by %.2g", found$difference))
  if (found$verdict == "not run") return(absence(found$note))
  ratio <- found$seconds / ours_for(case, peer)
  off <- if (found$verdict == "near") sprintf(", off by %.2g", found$difference) else ""
  if (found$recorded) off <- paste0(off, ", recorded ", found$date)
  if (is.na(ratio)) return(paste0("(", time_text(found$seconds), off, ")"))
  paste0("**", ratio_text(ratio), "** (", time_text(found$seconds), off, ")")
}
absence <- function(note) if (grepl("^(over|failed)", note)) sub(":.*$", "", note) else "-"
ids <- unique(rows$case)
ours <- vapply(ids, function(id) {
  found <- rows[rows$case == id & rows$peer == "ferrite", ]
  if (!nrow(found)) "-" else if (is.na(found$seconds)) absence(found$note) else time_text(found$seconds)
}, "")
times <- data.frame(Case = rows$title[match(ids, rows$case)], ferrite = ours)
for (peer in peers) times[[peer]] <- vapply(ids, reason, "", peer = peer)

memory_lines <- function() {
  large <- ids[vapply(ids, function(id) max(0, rows$data_mb[rows$case == id], na.rm = TRUE), 0) > 5]
  mb <- function(x) ifelse(is.na(x), "-", sprintf("%.0f", x))
  at <- function(column) vapply(large, value, 0, "ferrite", column)
  cells <- data.frame(Case = times$Case[match(large, ids)], data = mb(at("data_mb")), planned = mb(at("planned_mb")),
                      ferrite = mb(at("memory_mb")), share = sprintf("%.2f", at("memory_mb") / at("data_mb")))
  names(cells)[5L] <- "ferrite / data"
  for (peer in setdiff(peers, "statsmodels")) {
    cells[[peer]] <- vapply(large, function(id) {
      found <- rows[rows$case == id & rows$peer == peer, ]
      if (!nrow(found)) "" else if (is.na(found$memory_mb)) absence(found$note) else mb(found$memory_mb)
    }, "")
  }
  cells
}

# Targets that are missed or that nothing shows to be met, and peers that are faster.
behind <- function() {
  slower <- rows[!rows$peer %in% c("ferrite", "ferrite ML", "lm") & !is.na(rows$seconds) & rows$verdict != "differs", ]
  slower$ratio <- slower$seconds / as.double(mapply(ours_for, slower$case, slower$peer))
  slower <- slower[!is.na(slower$ratio) & slower$ratio < 1, ]
  missed <- targets[targets$Met == "**no**", ]
  open <- targets[targets$Met == "?", ]
  lines <- c(
    if (nrow(missed)) sprintf("* Target missed: %s: %s, measured %s.", missed$Case, missed$Target, missed$Measured),
    if (nrow(slower)) sprintf("* %s is faster: %s, %s against our %s.", slower$peer, slower$title,
                              time_text(slower$seconds), time_text(slower$seconds / slower$ratio)),
    if (nrow(open)) sprintf("* Not shown: %s: %s (%s).", open$Case, open$Target, open$Measured)
  )
  absent <- setdiff(names(bench_cases), rows$case)
  if (length(absent)) {
    titles <- vapply(bench_cases[absent], `[[`, "", "title")
    lines <- c(lines, sprintf("* Not run: %s.", titles))
  }
  if (length(lines)) lines else "* Nowhere in this table."
}

scaling_lines <- function() {
  scaling <- read("scaling")
  if (is.null(scaling)) return(NULL)
  curves <- split(scaling, factor(scaling$curve, unique(scaling$curve)))
  cells <- do.call(rbind, lapply(curves, function(own) {
    largest <- own[which.max(own$size), ]
    data.frame(`What grows` = own$label[1L], from = format(min(own$size), big.mark = ",", scientific = FALSE),
               to = format(largest$size, big.mark = ",", scientific = FALSE),
               `whole call` = time_text(largest$seconds), exponent = exponent_text(own),
               `one evaluation` = time_text(largest$optimise / largest$evaluations),
               exponent = exponent_text(own, "evaluation"), `of the sums` = exponent_text(own, "crossprod"),
               check.names = FALSE)
  }))
  c("## How the time grows", "",
    "Exponent: slope of log(time) on log(size) over the upper half of the sizes, with its standard error; 1 is linear.",
    "Times at the largest size.",
    busy_text(scaling), "", table_lines(cells), "", "![Scaling](scaling.png)", "")
}

plan_lines <- function() {
  plan <- read("plan")
  if (is.null(plan$memory_ratio)) return(NULL)
  mb <- function(x) ifelse(x < 10, sprintf("%.1f", x), sprintf("%.0f", x))
  cells <- data.frame(
    Model = sprintf("%s: %s", plan$model, plan$formula), `time planned` = time_text(plan$planned),
    measured = time_text(plan$total), ratio = sprintf("**%.2f**", plan$ratio), `MB planned` = mb(plan$planned_mb),
    measured = mb(plan$peak_mb),
    ratio = ifelse(is.na(plan$memory_ratio), "-", sprintf("**%.2f**", plan$memory_ratio)), check.names = FALSE
  )
  c("## What lmm_plan() predicts (bench/plan.R)", "",
    sprintf("Ratio: predicted over measured. Time within a factor of two: %d of %d; memory: %d of %d.",
            sum(abs(log2(plan$ratio)) <= 1), nrow(plan), sum(abs(log2(plan$memory_ratio)) <= 1, na.rm = TRUE),
            sum(!is.na(plan$memory_ratio))),
    busy_text(plan), "", table_lines(cells), "")
}

busy_text <- function(rows) {
  if (isTRUE(max(rows$load) > rows$cores[1L] + 1.5)) {
    sprintf("**Preliminary**: measured on a busy machine (load up to %.1f on %d cores).", max(rows$load), rows$cores[1L])
  }
}

# Ratios to the plain fit are ours over its, so that 1 is best; ratios to nlme are nlme's over ours.
residual_lines <- function() {
  found <- read("residual")
  if (is.null(found)) return(NULL)
  cells <- data.frame(
    Model = found$work, rows = format(found$rows, big.mark = ",", trim = TRUE),
    ferrite = time_text(found$ferrite), beside = found$peer,
    theirs = time_text(found$theirs), ratio = ratio_text(found$ratio), check.names = FALSE
  )
  c("## Residuals that are not alike (bench/residual.R)", "",
    "Beside the plain fit of as many rows: how many times as long ours takes. Beside nlme: how many times as long nlme takes.",
    "", table_lines(cells), "")
}

inference_lines <- function() {
  inference <- read("inference")
  if (is.null(inference)) return(NULL)
  known <- inference[!is.na(inference$theirs), ]
  cells <- data.frame(Work = known$work, ratio = paste0("**", ratio_text(known$ratio), "**"),
                      ferrite = time_text(known$ferrite), theirs = time_text(known$theirs), peer = known$peer)
  c("## Inference (bench/inference.R)", "", table_lines(cells), "")
}

first <- rows[1L, ]
busy <- max(rows$load[!rows$recorded], na.rm = TRUE)
text <- c(
  "# Results", "",
  "Generated by `bench/results.R` from the CSV beside it; `bench/run` measures anew.", "",
  sprintf("Machine: %s, %d cores, %d GB, %s; R %s, BLAS %s; %s; %d threads. %s.", first$cpu, first$cores,
          first$memory_gb, first$system, first$r, first$blas, paste(unique(rows$date), collapse = " and "),
          first$threads, paste(vapply(unique(rows$peer[!is.na(rows$version)]), function(peer) {
            paste(peer, rows$version[rows$peer == peer & !is.na(rows$version)][1L])
          }, ""), collapse = ", ")), "",
  if (is.finite(busy) && busy > first$cores + 1.5) {
    c(sprintf("**Preliminary**: the machine was busy with other work (load up to %.1f on %d cores).", busy,
              first$cores), "")
  },
  "## Against the targets", "", table_lines(targets[-1L], c("---", "---", "--:", ":-:")), "",
  "## Times of the whole call", "",
  "**Ratio** of the peer's time to ours (the peer's time). Formula and model frame included; medians; REML, but",
  "GPBoost by ML, compared with our fit of the same model by ML. \"Off by\": by how much the criterion is worse than ours,",
  "where they agree to 1e-5 of its size and no better. \"Over\": stopped after that time. \"Recorded\": measured by an earlier",
  "run, on that day. \"-\": not possible, not installed or not tried (notes in the CSV).", "",
  table_lines(times), "", "![Times](table.png)", "",
  "## Memory", "",
  "MB: the data; the workspace that `lmm_plan()` says beforehand; the peaks during the first call beyond what there was",
  "before it, ours and then those of the others.", "",
  table_lines(memory_lines()), "",
  "## Where we are not ahead", "", behind(), "",
  scaling_lines(), plan_lines(), residual_lines(), inference_lines(),
  "## How it is measured", "",
  "Each package on each case in a fresh process, on the same rows from a fixed seed; the quick ones in two rounds. One",
  "call or two warm up; the median is of at least 7 runs, of 21 below 0.3 s and 300 below 20 ms, of fewer where the",
  "budget ends (column `runs`). Before a time is shown the criterion (minus twice the log-likelihood, REML or ML) must",
  "agree with ours to 0.01 + 1e-5 of its size (column `difference`). That of GPBoost is taken at its estimates, by our",
  "second derivatives (column `excess`): what it reports is not always the likelihood there. Packages in Python are given",
  "arrays and a finished model matrix; GPBoost fits intercepts and slopes without correlation. Threads: for those that",
  "use them.")

# What vignettes/performance.Rmd shows: small tables that it brings along.
rounded <- function(rows, columns) {
  rows[columns] <- signif(rows[columns], 4)
  rows
}
shown <- rows[rows$verdict != "not run", ]
shown <- shown[c("case", "title", "peer", "seconds", "runs", "verdict", "evaluations", "r_side", "memory_mb",
                 "planned_mb", "data_mb", "threads", "load", "recorded", "cpu", "cores", "r", "date")]
scaling <- read("scaling")
plan <- read("plan")
outputs <- list(`performance-table.csv` = rounded(shown, c("seconds", "r_side", "memory_mb", "planned_mb", "data_mb")))
if (length(scaling)) {
  times <- c("seconds", "crossprod", "optimise")
  outputs$`performance-scaling.csv` <-
    rounded(scaling[c("curve", "label", "size", times, "evaluations", "load", "cpu", "cores", "date")], times)
}
if (length(plan$memory_ratio)) {
  columns <- c("planned", "total", "ratio", "planned_mb", "peak_mb", "memory_ratio")
  outputs$`performance-plan.csv` <- rounded(plan[c("model", "formula", columns, "load", "cpu", "cores", "date")], columns)
}
as_lines <- function(rows) utils::capture.output(utils::write.csv(rows, row.names = FALSE))
outputs <- lapply(outputs, as_lines)
names(outputs) <- file.path(here, "..", "vignettes", names(outputs))
if (folder != here) outputs <- NULL
outputs[[file.path(folder, "RESULTS.md")]] <- text

if ("--check" %in% args) {
  same <- vapply(names(outputs), function(path) {
    file.exists(path) && identical(readLines(path), strsplit(paste(outputs[[path]], collapse = "\n"), "\n")[[1L]])
  }, NA)
  if (!all(same)) {
    stop("not what the CSV in bench say: ", paste(basename(names(outputs)[!same]), collapse = ", "),
         "; run: Rscript bench/results.R", call. = FALSE)
  }
} else {
  for (path in names(outputs)) writeLines(outputs[[path]], path)
}
