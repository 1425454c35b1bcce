# How the time of a whole call grows: Rscript bench/scaling.R [--quick] [--threads N]. Writes bench/scaling.csv.
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
keep <- function(sizes, most) if (quick) sizes[sizes <= most] else sizes

slopes <- function(n, levels, q) {
  set.seed(6)
  g <- sample.int(levels, n, replace = TRUE)
  x <- matrix(stats::rnorm(n * (q - 1)), n, dimnames = list(NULL, if (q > 1) paste0("x", seq_len(q - 1))))
  y <- stats::rnorm(n) + stats::rnorm(levels)[g]
  for (j in seq_len(q - 1)) y <- y + x[, j] * (1 + 0.5 * stats::rnorm(levels)[g])
  data.frame(y = y, x, g = factor(g))
}
slope_formula <- function(q) {
  columns <- paste0("x", seq_len(q - 1))[seq_len(q - 1)]
  stats::reformulate(c("1", columns, sprintf("(%s | g)", paste(c("1", columns), collapse = " + "))), "y")
}

# Each: what is varied, the sizes, and how a size becomes data and formula.
curves <- list(
  list(
    name = "rows", label = "rows, (1 | g), 1e3 groups", sizes = keep(c(3e4, 1e5, 3e5, 1e6, 3e6, 1e7), 1e6),
    data = function(n) one_factor(n, 1e3, FALSE), formula = function(n) y ~ x + (1 | g)
  ),
  list(
    name = "rows, slope", label = "rows, (x | g), 1e3 groups", sizes = keep(c(3e4, 1e5, 3e5, 1e6, 3e6, 1e7), 1e6),
    data = function(n) one_factor(n, 1e3, TRUE), formula = function(n) y ~ x + (x | g)
  ),
  list(
    name = "groups", label = "groups of 4 rows, (1 | g)", sizes = keep(c(1e4, 3e4, 1e5, 3e5, 1e6), 3e5),
    data = function(j) one_factor(4 * j, j, FALSE), formula = function(j) y ~ x + (1 | g)
  ),
  list(
    name = "groups, slope", label = "groups of 4 rows, (x | g)", sizes = keep(c(1e4, 3e4, 1e5, 3e5, 1e6), 3e5),
    data = function(j) one_factor(4 * j, j, TRUE), formula = function(j) y ~ x + (x | g)
  ),
  list(
    name = "p", label = "columns of X, 1e5 rows", sizes = keep(c(5, 10, 20, 50, 100, 200), 100),
    data = function(p) wide(1e5, p, 1e3),
    formula = function(p) stats::reformulate(c(paste0("x", seq_len(p - 1)), "(1 | g)"), "y")
  ),
  list(
    name = "theta", label = "elements of theta, one factor", sizes = keep(c(1, 3, 6, 10, 21, 36, 55), 21),
    data = function(m) slopes(2e4, 1e3, (sqrt(8 * m + 1) - 1) / 2),
    formula = function(m) slope_formula((sqrt(8 * m + 1) - 1) / 2)
  ),
  list(
    name = "crossed", label = "levels crossed (L x L / 5, 10 L rows)",
    sizes = keep(c(1e3, 2e3, 4e3, 8e3, 16e3, 32e3), 8e3),
    data = function(l) crossed(10 * l, l, l / 5), formula = function(l) y ~ x + (1 | a) + (1 | b)
  )
)

time_one <- function(curve, size) {
  data <- curve$data(size)
  formula <- curve$formula(size)
  control <- lmm_control(threads = threads, progress = FALSE)
  fit <- suppressMessages(lmm(formula, data, control = control))
  timing <- fit$convergence$timing
  runs <- max(1, min(if (quick) 3 else 7, floor((if (quick) 4 else 30) / max(timing[["total"]], 1e-3))))
  times <- vapply(seq_len(runs), function(i) {
    invisible(gc())
    begin <- as.double(Sys.time())
    fit <<- suppressMessages(lmm(formula, data, control = control))
    timing <<- fit$convergence$timing
    as.double(Sys.time()) - begin
  }, 0)
  row <- data.frame(
    curve = curve$name, label = curve$label, size = size, seconds = stats::median(times), runs = runs,
    frame_design = sum(timing[c("frame", "design")]), crossprod = timing[["crossprod"]],
    optimise = timing[["optimise"]], evaluations = fit$convergence$evaluations, threads = threads, load = load_now()
  )
  print(row[c("curve", "size", "seconds", "crossprod", "optimise", "evaluations")], row.names = FALSE, digits = 3)
  row
}

rows <- do.call(rbind, lapply(curves, function(curve) do.call(rbind, lapply(curve$sizes, time_one, curve = curve))))
utils::write.csv(cbind(rows, machine()), file.path(here, "scaling.csv"), row.names = FALSE)
