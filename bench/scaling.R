# How the time of a whole call and of one evaluation grow: Rscript bench/scaling.R [--quick] [--threads N] [--folder DIR].
# Writes scaling.csv. --quick takes less than 3 minutes, all sizes less than 15 on two cores of 2025.
#
# One size is varied, all others are held. The exponent is the slope of log(time) on log(size) over the upper half of
# the sizes, where the fixed cost of a call no longer counts; stages of the fit are kept beside the total.

library(ferrite)

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
source(file.path(here, "cases.R"))
source(file.path(here, "machine.R"))
args <- commandArgs(trailingOnly = TRUE)
quick <- "--quick" %in% args
at <- match("--threads", args)
threads <- if (is.na(at)) min(2L, parallel::detectCores()) else as.integer(args[[at + 1L]])
folder <- if ("--folder" %in% args) args[[match("--folder", args) + 1L]] else here
# Seconds for the runs of one size, and for all of them: a curve ends where that would be exceeded.
each <- if (quick) 1 else 6
most <- if (quick) 170 else 850
# From the first size to the last by about the same factor; a quick run ends earlier.
sizes <- function(from, to, quick_to, count, to_whole = round) {
  all <- to_whole(10^seq(log10(from), log10(to), length.out = count))
  unique(if (quick) all[all <= quick_to] else all)
}
round_two <- function(x) signif(x, 2)

slopes <- function(n, levels, q) {
  n <- shrunk(n, 500)
  levels <- shrunk(levels)
  set.seed(6)
  g <- sample.int(levels, n, replace = TRUE)
  x <- matrix(stats::rnorm(n * (q - 1)), n, dimnames = list(NULL, if (q > 1) paste0("x", seq_len(q - 1))))
  y <- stats::rnorm(n) + stats::rnorm(levels)[g]
  for (j in seq_len(q - 1)) y <- y + x[, j] * (1 + 0.5 * stats::rnorm(levels)[g])
  data.frame(y = y, x, g = as_factor(g))
}
slope_formula <- function(q) {
  columns <- paste0("x", seq_len(q - 1))[seq_len(q - 1)]
  stats::reformulate(c("1", columns, sprintf("(%s | g)", paste(c("1", columns), collapse = " + "))), "y")
}

# Each: what is varied, the sizes, and how a size becomes data and formula.
row_sizes <- sizes(3e4, 1e7, 1.1e6, 8, round_two)
group_sizes <- sizes(1e4, 1e6, 3.5e5, 8, round_two)
curves <- list(
  list(
    name = "rows", label = "rows, (1 | g), 1e3 groups", sizes = row_sizes,
    data = function(n) one_factor(n, 1e3, FALSE), formula = function(n) y ~ x + (1 | g)
  ),
  list(
    name = "rows, slope", label = "rows, (x | g), 1e3 groups", sizes = row_sizes,
    data = function(n) one_factor(n, 1e3, TRUE), formula = function(n) y ~ x + (x | g)
  ),
  list(
    name = "groups", label = "groups of 4 rows, (1 | g)", sizes = group_sizes,
    data = function(j) one_factor(4 * j, j, FALSE), formula = function(j) y ~ x + (1 | g)
  ),
  list(
    name = "groups, slope", label = "groups of 4 rows, (x | g)", sizes = group_sizes,
    data = function(j) one_factor(4 * j, j, TRUE), formula = function(j) y ~ x + (x | g)
  ),
  list(
    name = "p", label = "columns of X, 1e5 rows, 1e3 groups", sizes = sizes(5, 200, 110, 8),
    data = function(p) wide(1e5, p, 1e3),
    formula = function(p) stats::reformulate(c(paste0("x", seq_len(p - 1)), "(1 | g)"), "y")
  ),
  list(
    name = "theta", label = "elements of theta, one factor, 2e4 rows",
    sizes = Filter(function(m) !quick || m <= 36, c(1, 3, 6, 10, 15, 21, 36, 55, 78)),
    data = function(m) slopes(2e4, 1e3, (sqrt(8 * m + 1) - 1) / 2),
    formula = function(m) slope_formula((sqrt(8 * m + 1) - 1) / 2)
  ),
  list(
    name = "crossed", label = "levels L x L / 5 crossed at random, 10 L rows", sizes = sizes(1e3, 4e4, 8.2e3, 8, round_two),
    data = function(l) crossed(10 * l, l, l / 5), formula = function(l) y ~ x + (1 | a) + (1 | b)
  ),
  list(
    name = "crossed, sparse", label = "levels L x L crossed with at most 7 neighbours, 5 L rows",
    sizes = sizes(1e3, 2e5, 4e4, 8, round_two),
    data = function(l) neighbours(5 * l, l), formula = function(l) y ~ 1 + (1 | a) + (1 | b)
  )
)

seconds <- function() as.double(Sys.time())
begun <- seconds()

time_one <- function(curve, size) {
  data <- curve$data(size)
  formula <- curve$formula(size)
  control <- lmm_control(threads = threads, progress = FALSE)
  fit <- NULL
  once <- function() {
    begin <- seconds()
    fit <<- suppressMessages(lmm(formula, data, control = control))
    seconds() - begin
  }
  first <- once()
  # R compiles what it has seen twice.
  if (first < 1) for (i in 1:2) first <- once()
  runs <- if (first > each) 0 else max(3, min(25, floor(each / max(first, 1e-3))))
  stages <- list(fit$convergence$timing)
  times <- first
  for (i in seq_len(runs)) {
    invisible(gc(full = FALSE))
    times[i] <- once()
    stages[[i]] <- fit$convergence$timing
  }
  stages <- apply(do.call(rbind, stages), 2L, stats::median)
  row <- data.frame(
    curve = curve$name, label = curve$label, size = size, seconds = stats::median(times), runs = length(times),
    frame_design = sum(stages[c("frame", "design")]), crossprod = stages[["crossprod"]],
    optimise = stages[["optimise"]], evaluations = fit$convergence$evaluations, threads = threads, load = load_now()
  )
  cat(sprintf("%5.0f s  %-16s %9.0f  %8.4f s  %d evaluations, median of %d\n", seconds() - begun, curve$name, size,
              row$seconds, row$evaluations, row$runs))
  row
}

# The curves take turns, so that none is left out when the time ends.
left <- lapply(curves, `[[`, "sizes")
rows <- list()
while (any(lengths(left) > 0L)) {
  for (k in which(lengths(left) > 0L)) {
    begin <- seconds()
    rows[[length(rows) + 1L]] <- time_one(curves[[k]], left[[k]][1L])
    took <- seconds() - begin
    growth <- if (length(left[[k]]) > 1L) (left[[k]][2L] / left[[k]][1L])^1.5 else 1
    left[[k]] <- left[[k]][-1L]
    if (length(left[[k]]) && seconds() - begun + took * growth > most) {
      cat(sprintf("%s: no time for %s\n", curves[[k]]$name, paste(left[[k]], collapse = ", ")))
      left[[k]] <- numeric()
    }
  }
}
rows <- do.call(rbind, rows)
rows <- rows[order(match(rows$curve, vapply(curves, `[[`, "", "name")), rows$size), ]
utils::write.csv(cbind(rows, machine()), file.path(folder, "scaling.csv"), row.names = FALSE)
