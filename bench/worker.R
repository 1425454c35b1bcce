# One package on one case in a fresh process: Rscript bench/worker.R <folder> <case> <peer> <budget> <threads>
#
# Reads   <folder>/data.rds. Writes <folder>/result.txt, lines key=value: criterion, evaluations, version, the time of
# the first call, times of the runs, the peak of memory during the first call beyond what was there before it, in MB; of
# ferrite also r_side, what of each run was not the engine's, planned, the memory that lmm_plan() says, in MB, and by ML
# theta and hessian, the second derivatives of the criterion there.
# The first call warms up and is counted only when there is no time for another. Medians are of at least 7 runs, 21 of
# those under 0.3 s and 300 under 0.02 s, or of as many as the budget (seconds) allows.

args <- commandArgs(trailingOnly = TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
source(file.path(here, "cases.R"))
source(file.path(here, "peers.R"))

folder <- args[[1L]]
case <- bench_cases[[args[[2L]]]]
case$fixed <- fixed_part_of(case$formula)
peer <- r_peers[[args[[3L]]]]
budget <- as.double(args[[4L]])
threads <- as.integer(args[[5L]])
data <- readRDS(file.path(folder, "data.rds"))
loadNamespace(peer$package)

status <- function(field) {
  if (!file.exists("/proc/self/status")) return(NA)
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.double(gsub("[^0-9]", "", line)) / 1024
}
seconds <- function() as.double(Sys.time())
run <- function() suppressWarnings(suppressMessages(peer$fit(case, data, threads)))

invisible(gc())
before <- status("VmRSS")
# Resets the kernel's mark of the peak.
try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
begin <- seconds()
fit <- run()
first <- seconds() - begin
peak <- status("VmHWM") - before
facts <- c(criterion = sprintf("%.10g", peer$criterion(fit)), evaluations = peer$evaluations(fit),
           version = as.character(utils::packageVersion(peer$package)), first = first, memory = peak)

for (name in intersect(c("theta", "hessian"), names(peer))) facts[[name]] <- peer[[name]](fit)

rm(fit)
# Some more calls warm up where a call is quick: R compiles a function when it has seen it twice.
last <- first
warm <- if (first < 1) 4L else 0L
times <- numeric()
r_side <- numeric()
side_of <- if (is.null(peer$r_side)) function(fit, seconds) numeric() else peer$r_side
most <- 7
spent <- first
while (length(times) < most && spent + max(last, times) < budget) {
  if (most <= 21) invisible(gc())
  begin <- seconds()
  fit <- run()
  last <- seconds() - begin
  side <- side_of(fit, last)
  rm(fit)
  spent <- spent + last
  if (warm > 0L) {
    warm <- warm - 1L
    most <- if (last < 0.02) 300 else if (last < 0.3) 21 else 7
  } else {
    times <- c(times, last)
    r_side <- c(r_side, side)
  }
}
if (!length(times)) times <- last
facts <- c(facts, times = paste(signif(times, 6), collapse = " "))
if (length(r_side)) facts <- c(facts, r_side = paste(signif(r_side, 6), collapse = " "))
if (!is.null(peer$planned)) {
  facts <- c(facts, planned = tryCatch(peer$planned(case, data, threads), error = function(e) NA))
}
writeLines(paste(names(facts), facts, sep = "="), file.path(folder, "result.txt"))
