# Inference side by side with lme4, lmerTest, pbkrtest and RLRsim in one run: Rscript bench/inference.R [csv]
# A time is the median of a few runs (of one where the peer takes seconds); agreement is checked before it is reported.

suppressMessages({
  library(ferrite)
  library(lme4)
})

seconds <- function(expression, times = 5L) {
  code <- substitute(expression)
  frame <- parent.frame()
  stats::median(vapply(seq_len(times), function(i) system.time(eval(code, frame))[["elapsed"]], 0))
}
rows <- list()
report <- function(work, ours, theirs, peer, agreement) {
  row <- data.frame(work = work, ferrite = ours, peer = peer, theirs = theirs, ratio = theirs / ours, agreement = agreement)
  rows[[length(rows) + 1L]] <<- row
  print(row, digits = 3, row.names = FALSE)
}

set.seed(1)
small <- InstEval[sort(sample(nrow(InstEval), 2000)), ]
ours <- suppressMessages(lmm(y ~ service + (1 | s) + (1 | d), small))
theirs <- lmer(y ~ service + (1 | s) + (1 | d), small)
adjusted <- NULL
time_theirs <- seconds(adjusted <- pbkrtest::vcovAdj(theirs), 1L)
report("Kenward-Roger, InstEval, 2,000 rows", seconds(ferrite:::infer_fixed(ours), 3L), time_theirs, "pbkrtest",
       max(abs(as.matrix(adjusted) / ferrite:::infer_fixed(ours)$kr$vcov_adjusted - 1)))

sleep_ours <- lmm(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE)
sleep_theirs <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE)
limits <- NULL
time_theirs <- seconds(limits <- suppressMessages(confint(sleep_theirs)), 3L)
report("profile intervals, sleepstudy", seconds(confint(sleep_ours), 9L), time_theirs, "lme4",
       max(abs(unclass(confint(sleep_ours))[1:6, ] / limits - 1)))

statistic <- function(fit) c(fixef(fit), sigma(fit))
boot <- NULL
time_theirs <- seconds(boot <- suppressMessages(bootMer(sleep_theirs, statistic, nsim = 1000)), 1L)
mine <- bootstrap(sleep_ours, nsim = 1000)
report("1,000 bootstrap refits, sleepstudy", seconds(bootstrap(sleep_ours, nsim = 1000), 5L), time_theirs, "lme4",
       abs(stats::sd(as.data.frame(mine)[["Days"]]) / stats::sd(boot$t[, 2]) - 1))

one <- lmm(Reaction ~ 1 + (1 | Subject), sleepstudy)
spectrum <- ferrite:::rlrt_spectrum(one, 1L)
x <- model.matrix(~ 1, sleepstudy)
z <- model.matrix(~ 0 + Subject, sleepstudy)
draws <- NULL
time_theirs <- seconds(draws <- RLRsim::RLRTSim(x, z, qr(x), diag(18), nsim = 10000), 3L)
mine <- ferrite:::simulate_rlrt(spectrum$mu, numeric(), 180, 1, nsim = 10000L)
report("RLRT, 10,000 draws", seconds(ferrite:::simulate_rlrt(spectrum$mu, numeric(), 180, 1, nsim = 10000L), 5L), time_theirs,
       "RLRsim", abs(stats::quantile(mine, 0.95)[[1]] / stats::quantile(draws, 0.95)[[1]] - 1))

large <- data.frame(g = gl(1e5, 10), x = rep(0:9, 1e5))
large$y <- 250 + 10 * large$x + rnorm(1e5, 0, 25)[large$g] + rnorm(1e5, 0, 6)[large$g] * large$x + rnorm(1e6, 0, 26)
fit <- lmm(y ~ x + (x | g), large)
report("Kenward-Roger, 1e6 rows, 1e5 groups", seconds(ferrite:::infer_fixed(fit), 3L), NA, "none possible", NA)

table <- do.call(rbind, rows)
print(table, digits = 3, row.names = FALSE)
args <- commandArgs(trailingOnly = TRUE)
if (length(args)) utils::write.csv(table, args[[1L]], row.names = FALSE)
