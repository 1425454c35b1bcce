# How well lmm_plan() predicts time and memory: Rscript bench/plan.R [--threads N] [--folder DIR] [--only i,j]
#
# Every model is planned and fitted in a process of its own, with a time limit. Writes plan.csv: predicted and measured,
# and their ratios (predicted over measured), and prints the rates that R/fit-plan.R should have (plan_rates).
# Time: of the whole call, the median of three. Memory: the peak of the first call beyond what there was before it; the
# prediction is the workspace and 16 bytes for each row and grouping factor. A peak below 4 MB is no measure (NA).

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
for (file in c("cases.R", "machine.R")) source(file.path(here, file))
args <- commandArgs(trailingOnly = TRUE)
option <- function(name, default) {
  at <- match(paste0("--", name), args)
  if (is.na(at)) default else args[[at + 1L]]
}
threads <- as.integer(option("threads", 2L))
folder <- option("folder", here)
limit <- 600

columns <- function(n, levels, q) {
  n <- shrunk(n, 500)
  levels <- shrunk(levels)
  set.seed(8)
  g <- as_factor(sample.int(levels, n, replace = TRUE))
  levels <- nlevels(g)
  x <- matrix(stats::rnorm(n * q), n, dimnames = list(NULL, paste0("x", seq_len(q))))
  slopes <- 1 + matrix(stats::rnorm(levels * q, 0, 0.5), levels)
  y <- stats::rnorm(n) + stats::rnorm(levels)[g] + rowSums(x * slopes[g, ])
  data.frame(y = y, x, g = g)
}
# Series of equal length with an AR(1), crossed with their times; k strata of the residuals, v a covariate.
serial <- function(series, length, strata) {
  series <- shrunk(series)
  length <- shrunk(length)
  set.seed(10)
  n <- series * length
  d <- expand.grid(t = seq_len(length), g = seq_len(series))
  d$k <- sample.int(strata, n, replace = TRUE)
  d$x <- stats::rnorm(n)
  d$v <- stats::runif(n, 1, 5)
  e <- replicate(series, as.vector(stats::arima.sim(list(ar = 0.5), length)))
  d$y <- 0.3 * d$x + stats::rnorm(series)[d$g] + stats::rnorm(length, 0, 0.5)[d$t] + as.vector(e) * sqrt(d$k)
  d[c("g", "k")] <- lapply(d[c("g", "k")], as_factor)
  d$day <- as_factor(d$t)
  d
}
strata <- list(dispersion = ~ k)
covariate <- list(dispersion = ~ power(v))
lagged <- list(correlation = quote(ar1(~ t | g)))
# Data, formula, and other arguments.
models <- list(
  list(quote(one_factor(2e5, 2e4, FALSE)), y ~ x + (1 | g)),
  list(quote(one_factor(1e6, 1e5, FALSE)), y ~ x + (1 | g)),
  list(quote(one_factor(2e5, 2e4, TRUE)), y ~ x + (x | g)),
  list(quote(one_factor(1e6, 1e5, TRUE)), y ~ x + (x | g)),
  list(quote(columns(1e5, 5e3, 4)), y ~ x1 + x2 + x3 + x4 + (x1 + x2 + x3 + x4 | g)),
  list(quote(wide(2e5, 30, 1e4)), stats::reformulate(c(paste0("x", 1:29), "(1 | g)"), "y")),
  list(quote(nested(5e5, 1e3, 5e4)), y ~ x + (1 | b) + (1 | a)),
  list(quote(of_lme4("InstEval")), y ~ service + (1 | s) + (1 | d)),
  list(quote(of_lme4("InstEval")), y ~ service + (1 | s) + (1 | d) + (1 | dept)),
  list(quote(crossed(1e5, 5e3, 1e3)), y ~ x + (1 | a) + (1 | b)),
  list(quote(crossed(2e5, 8e3, 2e3)), y ~ x + (1 | a) + (1 | b)),
  list(quote(crossed(3e5, 1e4, 3e3)), y ~ x + (1 | a) + (1 | b)),
  list(quote(maximal()), bench_cases$maximal$formula),
  list(quote(crossed(1e5, 1e4, 200)), y ~ x + (1 | a) + (1 | b)),
  list(quote(neighbours(5e4, 5e3)), y ~ 1 + (1 | a) + (1 | b)),
  list(quote(neighbours(3e5, 3e4)), y ~ 1 + (1 | a) + (1 | b)),
  list(quote(serial(1e4, 20, 3)), y ~ x + (1 | g), strata),
  list(quote(serial(1e4, 20, 3)), y ~ x + (1 | g), covariate),
  list(quote(serial(1e4, 20, 3)), y ~ x + (1 | g), lagged),
  list(quote(serial(1e4, 20, 3)), y ~ x + (x | g), c(strata, lagged)),
  list(quote(serial(60, 350, 3)), y ~ x + (1 | g) + (1 | day), strata),
  list(quote(serial(60, 350, 3)), y ~ x + (1 | g) + (1 | day), lagged),
  list(quote(serial(60, 350, 3)), y ~ x + (1 | g) + (1 | day), c(strata, lagged)),
  list(quote(serial(200, 1500, 3)), y ~ x + (1 | g) + (1 | day), lagged)
)
# `do`: lmm() or lmm_plan().
call_of <- function(do, model, data, control) {
  arguments <- c(list(model[[2L]], quote(data), control = quote(control)), unlist(model[-(1:2)]))
  suppressMessages(do.call(do, arguments))
}

status <- function(field) {
  if (!file.exists("/proc/self/status")) return(NA_real_)
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.double(gsub("[^0-9]", "", line)) / 1024
}

measure <- function(model) {
  data <- eval(model[[1L]])
  if (is.null(data)) stop("the data are not installed")
  control <- ferrite::lmm_control(threads = threads, progress = FALSE)
  once <- function() call_of(ferrite::lmm, model, data, control)
  # What R loads and compiles at its first call is not the fit's.
  for (i in 1:2) suppressMessages(ferrite::lmm(distance ~ age + (age | Subject), nlme::Orthodont, control = control))
  invisible(gc())
  before <- status("VmRSS")
  try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
  fit <- once()
  peak <- status("VmHWM") - before
  timing <- vapply(1:3, function(i) once()$convergence$timing, numeric(7L))
  timing <- timing[, order(timing["total", ])[2L]]
  plan <- call_of(ferrite::lmm_plan, model, data, control)
  # As planned_time() of R/fit-plan.R divides the work.
  trailing <- if (plan$order == 0) 0 else if (plan$dense) as.double(plan$order)^3 else 3 * plan$fill^2 / plan$order
  kind <- if (!is.null(plan$residual)) "joint" else if (plan$order == 0) "blocks"
  else if (trailing < plan$work / 2) "update" else if (plan$dense) "dense" else "sparse"
  workspace <- (plan$bytes + if (is.null(plan$residual)) 0 else plan$residual$bytes) / 2^20
  rows <- 16 * plan$nobs * nrow(plan$groups) / 2^20
  row <- data.frame(
    model = deparse(model[[1L]]), formula = substr(paste(deparse(model[[2L]]), collapse = ""), 1, 40),
    residual = if (is.null(plan$residual)) "" else plan$residual$text, kind = kind, n_theta = plan$n_theta,
    phi = if (is.null(plan$residual)) 0L else plan$residual$parameters, work = plan$work, trailing = trailing, evaluations = fit$convergence$evaluations,
    planned_evaluations = plan$evaluations, optimise = timing[["optimise"]], estimates = timing[["estimates"]],
    total = timing[["total"]], planned = plan$seconds[["total"]], workspace_mb = workspace,
    planned_mb = workspace + rows, peak_mb = peak
  )
  row$ratio <- row$planned / row$total
  row$memory_ratio <- if (is.na(peak) || peak < 4) NA_real_ else row$planned_mb / peak
  row$rate <- row$work * row$planned_evaluations / (row$optimise + row$estimates)
  row$load <- load_now()
  row
}

one <- option("one", NULL)
if (!is.null(one)) {
  utils::write.csv(measure(models[[as.integer(one)]]), option("to", ""), row.names = FALSE)
  quit()
}

only <- as.integer(strsplit(option("only", paste(seq_along(models), collapse = ",")), ",", fixed = TRUE)[[1L]])
rows <- do.call(rbind, lapply(only, function(i) {
  to <- tempfile(fileext = ".csv")
  log <- tempfile()
  inputs <- c(file.path(here, "plan.R"), "--one", i, "--to", to, "--threads", threads)
  code <- suppressWarnings(system2(file.path(R.home("bin"), "Rscript"), shQuote(inputs), stdout = log, stderr = log,
                                   timeout = limit))
  if (code != 0L || !file.exists(to)) {
    why <- if (code == 124L) sprintf("over %d s", limit) else paste(utils::tail(readLines(log), 2L), collapse = " ")
    cat(deparse(models[[i]][[1L]]), ": not measured:", why, "\n")
    return(NULL)
  }
  row <- utils::read.csv(to)
  cat(sprintf("%-34s %-42s time %8.4f s planned, %8.4f s measured, ratio %5.2f; memory %6.1f, %6.1f MB, ratio %5.2f\n",
              row$model, row$formula, row$planned, row$total, row$ratio, row$planned_mb, row$peak_mb, row$memory_ratio))
  row
}))
if (is.null(rows)) stop("nothing was measured", call. = FALSE)
# A peak that is no measure has no ratio.
known <- rows$memory_ratio[!is.na(rows$memory_ratio)]
cat("rates, geometric means:\n")
print(signif(tapply(rows$rate, rows$kind, function(x) exp(mean(log(x)))), 2))
joint <- rows$kind == "joint"
if (sum(!joint) > 2L) {
  cat("evaluations: ")
  print(signif(stats::coef(stats::lm(evaluations ~ n_theta, rows[!joint, ])), 2))
}
if (sum(joint) > 2L) {
  cat("evaluations with residuals that are not alike: ")
  print(signif(stats::coef(stats::lm(evaluations ~ I(n_theta + phi), rows[joint, ])), 2))
}
cat(sprintf("time: ratio %.2f (geometric mean), from %.2f to %.2f, within a factor of two %d of %d\n",
            exp(mean(log(rows$ratio))), min(rows$ratio), max(rows$ratio), sum(abs(log2(rows$ratio)) <= 1), nrow(rows)))
if (length(known)) {
  cat(sprintf("memory: ratio %.2f (geometric mean), from %.2f to %.2f, within a factor of two %d of %d\n",
              exp(mean(log(known))), min(known), max(known), sum(abs(log2(known)) <= 1), length(known)))
}
utils::write.csv(cbind(rows, machine()), file.path(folder, "plan.csv"), row.names = FALSE)
