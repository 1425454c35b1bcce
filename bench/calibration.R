# Calibration of tests and intervals by simulation: Rscript bench/calibration.R [data sets] [csv]
#
# Data sets are drawn from balanced designs like Dyestuff (6 x 5, one factor), sleepstudy (18 x 10, slopes) and Penicillin
# (24 x 6, crossed). Reported beside the nominal level: the level of Kenward-Roger t tests of a true coefficient at 5 %, the
# coverage of its 95 % interval, and (one factor and crossed) the level of the test of a variance that is zero, by the exact
# restricted likelihood ratio and by the mixture. Standard error of a level near 5 %: sqrt(.05 * .95 / data sets).
# Where the variance estimate is often zero (Dyestuff: one data set in twenty) the truncation makes any test that uses it
# conservative; with sd_b = 3 it is hardly ever zero and the t test on 5 degrees of freedom is exact.

library(ferrite)

args <- commandArgs(trailingOnly = TRUE)
draws <- if (length(args)) as.integer(args[[1L]]) else 20000L
set.seed(20261120)

designs <- list(
  dyestuff = list(
    data = data.frame(g = gl(6, 5)), formula = y ~ 1 + (1 | g), coefficient = "(Intercept)", truth = 10,
    draw = function(d) 10 + stats::rnorm(6, 0, 0.8)[d$g] + stats::rnorm(30)
  ),
  `dyestuff, sd_b 3` = list(
    data = data.frame(g = gl(6, 5)), formula = y ~ 1 + (1 | g), coefficient = "(Intercept)", truth = 10,
    draw = function(d) 10 + stats::rnorm(6, 0, 3)[d$g] + stats::rnorm(30)
  ),
  sleepstudy = list(
    data = data.frame(g = gl(18, 10), x = rep(0:9, 18)), formula = y ~ x + (x | g), coefficient = "x", truth = 10,
    draw = function(d) {
      250 + 10 * d$x + stats::rnorm(18, 0, 25)[d$g] + stats::rnorm(18, 0, 6)[d$g] * d$x + stats::rnorm(180, 0, 26)
    }
  ),
  penicillin = list(
    data = data.frame(g = gl(24, 6), h = gl(6, 1, 144)), formula = y ~ 1 + (1 | g) + (1 | h),
    coefficient = "(Intercept)", truth = 23,
    draw = function(d) 23 + stats::rnorm(24, 0, 0.85)[d$g] + stats::rnorm(6, 0, 1.9)[d$h] + stats::rnorm(144, 0, 0.55)
  )
)

rejections <- function(design) {
  data <- design$data
  p <- vapply(seq_len(draws), function(i) {
    data$y <- design$draw(data)
    fit <- suppressMessages(lmm(design$formula, data))
    row <- suppressMessages(contest(fit, stats::setNames(1, design$coefficient), rhs = design$truth, joint = FALSE,
                                    ddf = "Kenward-Roger"))
    as.data.frame(row)[["Pr(>|t|)"]]
  }, 0)
  mean(p < 0.05)
}

# The null distribution depends on the design alone, so it is simulated once and every data set is compared with it.
variance_level <- function(data, formula, null, draw) {
  statistics <- vapply(seq_len(draws), function(i) {
    data$y <- draw(data)
    full <- suppressMessages(lmm(formula, data))
    reduced <- if (inherits(null, "formula") && length(all.vars(null)) == 1L) {
      as.numeric(stats::logLik(stats::lm(null, data), REML = TRUE))
    } else {
      as.numeric(stats::logLik(suppressMessages(lmm(null, data))))
    }
    max(0, 2 * (as.numeric(stats::logLik(full)) - reduced))
  }, 0)
  mu <- rep(5, 5)
  exact <- ferrite:::simulate_rlrt(mu, numeric(), 30, 1, nsim = 1e6L)
  c(exact = mean(statistics > stats::quantile(exact, 0.95)), mixture = mean(statistics > stats::qchisq(0.90, 1)))
}

rows <- lapply(names(designs), function(name) {
  seconds <- system.time(level <- rejections(designs[[name]]))[["elapsed"]]
  data.frame(design = name, quantity = "Kenward-Roger t test, level", value = level, nominal = 0.05, seconds = seconds)
})
one_way <- designs$dyestuff
seconds <- system.time(
  levels <- variance_level(one_way$data, y ~ 1 + (1 | g), y ~ 1, function(d) 10 + stats::rnorm(30))
)[["elapsed"]]
rows <- c(rows, list(data.frame(
  design = "dyestuff, zero variance", quantity = c("exact RLRT, level", "mixture LRT, level"), value = unname(levels),
  nominal = 0.05, seconds = seconds
)))
table <- do.call(rbind, rows)
table$draws <- draws
table$z <- (table$value - table$nominal) / sqrt(0.05 * 0.95 / draws)
table$coverage <- ifelse(grepl("t test", table$quantity), 1 - table$value, NA)
print(table, digits = 4, row.names = FALSE)
if (length(args) > 1L) utils::write.csv(table, args[[2L]], row.names = FALSE)
