# The rates of lmm_plan() and how well it predicts: Rscript bench/plan.R [threads]. Writes bench/plan.csv.
#
# Fits models of each structure; prints the rates that R/plan.R should have (plan_rates) and, with those it has, the
# predicted over the measured time.

library(ferrite)

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
for (file in c("cases.R", "machine.R")) source(file.path(here, file))
args <- commandArgs(trailingOnly = TRUE)
control <- lmm_control(threads = if (length(args)) as.integer(args[[1L]]) else 2L, progress = FALSE)

columns <- function(n, levels, q) {
  set.seed(8)
  g <- factor(sample.int(levels, n, replace = TRUE))
  x <- matrix(stats::rnorm(n * q), n, dimnames = list(NULL, paste0("x", seq_len(q))))
  slopes <- 1 + matrix(stats::rnorm(levels * q, 0, 0.5), levels)
  y <- stats::rnorm(n) + stats::rnorm(levels)[g] + rowSums(x * slopes[g, ])
  data.frame(y = y, x, g = g)
}
chained <- function(n, levels) {
  set.seed(9)
  a <- sample.int(levels, n, replace = TRUE)
  b <- pmin(levels, pmax(1L, a + sample(-3:3, n, replace = TRUE)))
  data.frame(y = stats::rnorm(levels)[a] + stats::rnorm(levels)[b] + stats::rnorm(n), a = factor(a), b = factor(b))
}
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
  list(quote(chained(5e4, 5e3)), y ~ 1 + (1 | a) + (1 | b)),
  list(quote(chained(3e5, 3e4)), y ~ 1 + (1 | a) + (1 | b))
)

rows <- do.call(rbind, lapply(models, function(model) {
  data <- eval(model[[1L]])
  if (is.null(data)) return(NULL)
  plan <- lmm_plan(model[[2L]], data, control = control)
  fits <- lapply(1:3, function(i) suppressMessages(lmm(model[[2L]], data, control = control)))
  timing <- vapply(fits, function(fit) fit$convergence$timing, numeric(7L))
  timing <- timing[, order(timing["total", ])[2L]]
  trailing <- if (plan$order == 0) 0 else if (plan$dense) as.double(plan$order)^3 else 3 * plan$fill^2 / plan$order
  kind <- if (plan$order == 0) "blocks" else if (trailing < plan$work / 2) "update"
  else if (plan$dense) "dense" else "sparse"
  row <- data.frame(
    model = deparse(model[[1L]]), formula = substr(paste(deparse(model[[2L]]), collapse = ""), 1, 40), kind = kind,
    n_theta = plan$n_theta, work = plan$work, trailing = trailing,
    evaluations = fits[[1L]]$convergence$evaluations, planned_evaluations = plan$evaluations,
    optimise = timing[["optimise"]], estimates = timing[["estimates"]], total = timing[["total"]],
    planned = plan$seconds[["total"]]
  )
  row$ratio <- row$planned / row$total
  row$rate <- row$work * row$planned_evaluations / (row$optimise + row$estimates)
  print(row[c("model", "kind", "n_theta", "evaluations", "optimise", "total", "planned", "ratio", "rate")], digits = 3,
        row.names = FALSE)
  row
}))
cat("rates, geometric means:\n")
print(signif(tapply(rows$rate, rows$kind, function(x) exp(mean(log(x)))), 2))
cat("evaluations: ")
print(signif(stats::coef(stats::lm(evaluations ~ n_theta, rows)), 2))
cat("within a factor of two:", sum(abs(log2(rows$ratio)) <= 1), "of", nrow(rows), "\n")
utils::write.csv(cbind(rows, load = load_now(), machine()), file.path(here, "plan.csv"), row.names = FALSE)
