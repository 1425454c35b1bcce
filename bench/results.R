# RESULTS.md from table.csv, scaling.csv and inference.csv beside this file, and the small tables that the vignette on
# performance brings along: Rscript bench/results.R

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
for (file in c("cases.R", "exponent.R")) source(file.path(here, file))
read <- function(name) {
  path <- file.path(here, paste0(name, ".csv"))
  if (file.exists(path)) utils::read.csv(path, check.names = FALSE)
}
rows <- read("table")
stopifnot(nrow(rows) > 0L)

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

# A target: list(text, measured value, met).
check_target <- function(id, target) {
  number <- as.double(target[[3L]])
  own <- value(id, "ferrite")
  if (target[[1L]] == "seconds") return(list(paste("at most", time_text(number)), own, own <= number, time_text(own)))
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
       ratio, ratio >= number, ratio_text(ratio))
}
targets <- do.call(rbind, lapply(intersect(names(bench_cases), rows$case), function(id) {
  do.call(rbind, lapply(bench_cases[[id]]$targets, function(target) {
    one <- check_target(id, target)
    data.frame(id = id, Case = bench_cases[[id]]$title, Target = one[[1L]],
               Measured = if (is.na(one[[2L]])) "not measured" else one[[4L]],
               Met = if (is.na(one[[2L]])) "?" else if (one[[3L]]) "yes" else "**no**")
  }))
}))

peers <- intersect(c("lm", "lme4", "nlme", "glmmTMB", "gpboost", "mixedlm-rs", "statsmodels"), rows$peer)
reason <- function(case, peer) {
  found <- rows[rows$case == case & rows$peer == peer, ]
  if (!nrow(found)) return("")
  if (found$verdict == "differs") return(sprintf("not shown: off by %.2g", found$difference))
  if (found$verdict == "not run") return(if (startsWith(found$note, "over ")) found$note else "-")
  ratio <- found$seconds / ours_for(case, peer)
  off <- if (found$verdict == "near") sprintf(", off by %.2g", found$difference) else ""
  paste0("**", ratio_text(ratio), "** (", time_text(found$seconds), off, ")")
}
ids <- unique(rows$case)
times <- data.frame(Case = rows$title[match(ids, rows$case)], ferrite = time_text(vapply(ids, value, 0, "ferrite")))
for (peer in peers) times[[peer]] <- vapply(ids, reason, "", peer = peer)

memory <- data.frame(Case = times$Case,
                     data = sprintf("%.0f", vapply(ids, value, 0, "ferrite", "data_mb")))
for (peer in c("ferrite", setdiff(peers, "statsmodels"))) {
  mb <- vapply(ids, value, 0, peer, "memory_mb")
  memory[[peer]] <- ifelse(is.na(mb), "-", sprintf("%.0f", mb))
}
large <- vapply(ids, value, 0, "ferrite", "data_mb") > 5

behind <- function() {
  slower <- rows[!rows$peer %in% c("ferrite", "ferrite ML", "lm") & !is.na(rows$seconds) & rows$verdict != "differs", ]
  slower$ratio <- slower$seconds / mapply(ours_for, slower$case, slower$peer)
  slower <- slower[slower$ratio < 1, ]
  missed <- targets[targets$Met == "**no**", ]
  lines <- c(
    if (nrow(missed)) sprintf("* Target missed: %s: %s, measured %s.", missed$Case, missed$Target, missed$Measured),
    if (nrow(slower)) sprintf("* %s is faster: %s, %s against our %s.", slower$peer, slower$title,
                              time_text(slower$seconds), time_text(slower$seconds / slower$ratio))
  )
  if (length(lines)) lines else "* Nowhere in this table."
}

scaling_lines <- function() {
  scaling <- read("scaling")
  if (is.null(scaling)) return(NULL)
  curves <- split(scaling, factor(scaling$curve, unique(scaling$curve)))
  cells <- do.call(rbind, lapply(curves, function(own) {
    data.frame(`What grows` = own$label[1L], from = format(min(own$size), big.mark = ","),
               to = format(max(own$size), big.mark = ",", scientific = FALSE), `time at the largest` =
                 time_text(own$seconds[which.max(own$size)]), exponent = sprintf("%.2f", exponent(own)),
               `of the sums` = sprintf("%.2f", exponent(own, "crossprod")),
               `of the search` = sprintf("%.2f", exponent(own, "optimise")), check.names = FALSE)
  }))
  c("## How the time grows", "",
    "Exponent: slope of log(time) on log(size) over the upper half of the sizes; 1 is linear.", "", table_lines(cells),
    "", "![Scaling](scaling.png)", "")
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
busy <- max(rows$load, na.rm = TRUE)
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
  "GPBoost by ML, compared with our fit of the same model by ML. \"Off by\": its criterion less ours, where they agree to 1e-5",
  "of their size and no better. Where GPBoost's lies below ours (slopes): lme4's deviance function at our estimates gives",
  "our value to 1e-8 (1e6 rows), so that it is no better optimum.",
  "\"-\": not possible, not installed or not tried (notes in the CSV).", "",
  table_lines(times), "", "![Times](table.png)", "",
  "## Memory", "", "MB: the data, and the peak during the first call beyond what there was before it.", "",
  table_lines(memory[large, ]), "",
  "## Where we are not ahead", "", behind(), "",
  scaling_lines(), inference_lines(),
  "## How it is measured", "",
  "Each package on each case in a fresh process, on the same rows from a fixed seed; the quick ones in two rounds. One",
  "call or two warm up; the median is of at least 7 runs, of 21 below 0.3 s and 300 below 20 ms, of fewer where the",
  "budget ends (column `runs`). Before a time is shown the criterion (minus twice the log-likelihood, REML or ML) must",
  "agree with ours to 0.01 + 1e-5 of its size (column `difference`). Packages in Python are given arrays and a",
  "finished model matrix; GPBoost fits intercepts and slopes without correlation. Threads: for those that use them.")
writeLines(text, file.path(here, "RESULTS.md"))

# What vignettes/performance.Rmd shows: small tables that it brings along.
vignette <- file.path(here, "..", "vignettes")
shown <- rows[rows$verdict != "not run", ]
shown <- shown[c("case", "title", "peer", "seconds", "runs", "verdict", "memory_mb", "data_mb", "threads", "load", "cpu",
                 "cores", "r", "date")]
shown[c("seconds", "memory_mb", "data_mb")] <- signif(shown[c("seconds", "memory_mb", "data_mb")], 4)
utils::write.csv(shown, file.path(vignette, "performance-table.csv"), row.names = FALSE)
scaling <- read("scaling")
if (length(scaling)) {
  shown <- scaling[c("curve", "label", "size", "seconds", "crossprod", "optimise", "evaluations")]
  shown[-(1:3)] <- signif(shown[-(1:3)], 4)
  utils::write.csv(shown, file.path(vignette, "performance-scaling.csv"), row.names = FALSE)
}
