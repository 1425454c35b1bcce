# The cases of the benchmark: data from a fixed seed, formula, which peers can fit the model, what is aimed at.
#
# Each case is a list:
#   title      what it is
#   make()     the data frame; NULL when the data are not installed
#   formula    the model, fitted by REML
#   python     what the packages in Python are told: `groups` (factors), `slopes` (columns with a random slope for the
#              first factor). GPBoost has no correlation of intercept and slope and no REML: `ml` is what it fits.
#   skip       peers that are not run, with the reason
#   quick      whether it is part of `--quick`
#   heavy      peers that `--quick` leaves out; what an earlier run recorded for them is kept, with its date
#   targets    list of c(against, "at_most" | "at_least", number): our time over the peer's (or another case's), or the
#              peer's over ours; against `seconds`, `r_side` (seconds that are not the engine's), `memory` (peak beyond
#              the data over the data)
#
# FERRITE_BENCH_SHRINK=1000 divides rows and levels by that: to try the benchmark, not to measure.

shrink <- as.double(Sys.getenv("FERRITE_BENCH_SHRINK", "1"))
shrunk <- function(size, least = 10) max(min(size, least), round(size / shrink))

# factor(codes), for whole numbers from 1, in the time that it takes to count them.
as_factor <- function(codes) {
  used <- tabulate(codes) > 0L
  structure(cumsum(used)[codes], levels = as.character(which(used)), class = "factor")
}

one_factor <- function(n, levels, slope) {
  n <- shrunk(n, 200)
  levels <- shrunk(levels)
  set.seed(1)
  g <- sample.int(levels, n, replace = TRUE)
  x <- stats::rnorm(n)
  y <- 1 + 0.5 * x + stats::rnorm(levels)[g] + stats::rnorm(n)
  if (slope) y <- y + stats::rnorm(levels, 0, 0.5)[g] * x
  data.frame(y = y, x = x, g = as_factor(g))
}

# Levels of two factors -> data; effects of `b` have a standard deviation of 0.7.
two_factors <- function(a, b, levels_a, levels_b) {
  n <- length(a)
  x <- stats::rnorm(n)
  y <- 1 + 0.5 * x + stats::rnorm(levels_a)[a] + stats::rnorm(levels_b, 0, 0.7)[b] + stats::rnorm(n)
  data.frame(y = y, x = x, a = as_factor(a), b = as_factor(b))
}

crossed <- function(n, levels_a, levels_b) {
  n <- shrunk(n, 500)
  levels_a <- shrunk(levels_a, 20)
  levels_b <- shrunk(levels_b)
  set.seed(2)
  a <- sample.int(levels_a, n, replace = TRUE)
  b <- sample.int(levels_b, n, replace = TRUE)
  two_factors(a, b, levels_a, levels_b)
}

nested <- function(n, outer, inner) {
  n <- shrunk(n, 500)
  outer <- shrunk(outer)
  inner <- shrunk(inner, 50)
  set.seed(3)
  b <- sample.int(inner, n, replace = TRUE)
  two_factors(rep_len(seq_len(outer), inner)[b], b, outer, inner)
}

wide <- function(n, p, levels) {
  n <- shrunk(n, 500)
  levels <- shrunk(levels)
  set.seed(4)
  g <- sample.int(levels, n, replace = TRUE)
  x <- matrix(stats::rnorm(n * (p - 1)), n, dimnames = list(NULL, paste0("x", seq_len(p - 1))))
  y <- drop(x %*% rep(0.1, p - 1)) + stats::rnorm(levels)[g] + stats::rnorm(n)
  data.frame(y = y, x, g = as_factor(g))
}

# Each level meets at most seven neighbours, so that what is left of the second factor stays sparse.
neighbours <- function(n, levels) {
  n <- shrunk(n, 500)
  levels <- shrunk(levels, 50)
  set.seed(9)
  a <- sample.int(levels, n, replace = TRUE)
  b <- pmin(levels, pmax(1L, a + sample(-3:3, n, replace = TRUE)))
  y <- stats::rnorm(levels)[a] + stats::rnorm(levels)[b] + stats::rnorm(n)
  data.frame(y = y, a = as_factor(a), b = as_factor(b))
}

# As kb07: 56 subjects, 32 items, each pair once, three factors of two levels that rotate over the pairs.
maximal <- function() {
  if (shrink > 1) {
    d <- crossed(1800, 56, 32)
    d[c("s", "p", "l")] <- lapply(1:3, function(k) sign(stats::rnorm(nrow(d))))
    return(data.frame(rt = 2000 + 100 * d$y, d[c("s", "p", "l")], subj = d$a, item = d$b))
  }
  set.seed(5)
  d <- expand.grid(subj = 1:56, item = 1:32)
  cell <- (d$subj + d$item) %% 8
  d[c("s", "p", "l")] <- lapply(0:2, function(k) 2 * bitwAnd(bitwShiftR(cell, k), 1L) - 1)
  z <- stats::model.matrix(~ s * p * l, d)
  draw <- function(levels, sd) {
    root <- matrix(stats::rnorm(64), 8) + 2 * diag(8)
    scaled <- root / sqrt(rowSums(root^2)) * sd
    matrix(stats::rnorm(8 * levels), levels) %*% t(scaled)
  }
  sd <- c(300, 120, 150, 120, 100, 100, 110, 90)
  d$rt <- drop(2200 + 70 * d$s - 330 * d$p + 80 * d$l + rowSums(z * draw(56, sd)[d$subj, ]) +
                 rowSums(z * draw(32, sd)[d$item, ]) + stats::rnorm(nrow(d), 0, 500))
  d$subj <- as_factor(d$subj)
  d$item <- as_factor(d$item)
  d
}

# Groups of equal length, AR(1) within them, standard deviations 1, 2 and 3 of the strata, sd exp(v / 2).
series_of <- function(groups, length, strata = FALSE, ar = 0, covariate = FALSE) {
  set.seed(11)
  n <- groups * length
  d <- data.frame(g = gl(groups, length), t = rep(seq_len(length), groups), x = stats::rnorm(n), v = stats::runif(n))
  d$s <- factor(sample.int(3L, n, replace = TRUE))
  e <- matrix(stats::rnorm(n), length)
  for (i in seq_len(length)[-1L]) e[i, ] <- ar * e[i - 1L, ] + sqrt(1 - ar^2) * e[i, ]
  sd <- (if (strata) as.integer(d$s) else 1) * (if (covariate) exp(d$v / 2) else 1)
  d$y <- 1 + 0.5 * d$x + stats::rnorm(groups)[d$g] + sd * as.vector(e)
  d
}

of_lme4 <- function(name) {
  if (!requireNamespace("lme4", quietly = TRUE)) return(NULL)
  space <- new.env()
  utils::data(list = name, package = "lme4", envir = space)
  space[[name]]
}

slow <- function(...) {
  reasons <- c(lme4 = "not tried: by far too slow",
               glmmTMB = "not tried: by far too slow", nlme = "no crossed factors",
               statsmodels = "not tried: by far too slow", `mixedlm-rs` = "one grouping factor only")
  reasons[c(...)]
}

crossed_peers <- slow("nlme", "mixedlm-rs")

bench_cases <- list(
  sleepstudy = list(
    title = "sleepstudy, (Days | Subject)", quick = TRUE,
    make = function() of_lme4("sleepstudy"), formula = Reaction ~ Days + (Days | Subject),
    python = list(groups = "Subject", slopes = "Days", ml = Reaction ~ Days + (Days || Subject)),
    targets = list(c("seconds", "at_most", 0.001), c("r_side", "at_most", 0.0006))
  ),
  one_1e6 = list(
    title = "1e6 rows, 1e4 groups, (1 | g)", quick = TRUE,
    make = function() one_factor(1e6, 1e4, FALSE), formula = y ~ x + (1 | g),
    python = list(groups = "g", ml = y ~ x + (1 | g)),
    targets = list(c("lm", "at_most", 1.2), c("lme4", "at_least", 50))
  ),
  slope_1e6 = list(
    title = "1e6 rows, 1e4 groups, (x | g)", quick = TRUE,
    make = function() one_factor(1e6, 1e4, TRUE), formula = y ~ x + (x | g),
    python = list(groups = "g", slopes = "x", ml = y ~ x + (x || g)),
    targets = list(c("lm", "at_most", 1.5), c("lme4", "at_least", 100))
  ),
  slope_5e5 = list(
    title = "5e5 rows, 125,000 groups, (x | g)", quick = TRUE,
    make = function() one_factor(5e5, 125000, TRUE), formula = y ~ x + (x | g),
    python = list(groups = "g", slopes = "x", ml = y ~ x + (x || g)),
    targets = list(c("mixedlm-rs", "at_least", 1.5))
  ),
  insteval = list(
    title = "InstEval, service + (1 | s) + (1 | d) + (1 | dept)", quick = TRUE,
    make = function() of_lme4("InstEval"), formula = y ~ service + (1 | s) + (1 | d) + (1 | dept),
    python = list(groups = c("s", "d", "dept"), ml = y ~ service + (1 | s) + (1 | d) + (1 | dept)),
    skip = crossed_peers, targets = list(c("lme4", "at_least", 25), c("gpboost", "at_least", 13))
  ),
  insteval_dept = list(
    title = "InstEval, service * dept + (1 | s) + (1 | d)", quick = TRUE,
    make = function() of_lme4("InstEval"), formula = y ~ service * dept + (1 | s) + (1 | d),
    python = list(groups = c("s", "d"), ml = y ~ service * dept + (1 | s) + (1 | d)),
    skip = crossed_peers, targets = list(c("lme4", "at_least", 25))
  ),
  maximal = list(
    title = "maximal model, 1,792 rows, 72 thetas, two crossed factors, 8 x 8", quick = TRUE, heavy = "lme4",
    make = maximal, formula = rt ~ s * p * l + (s * p * l | subj) + (s * p * l | item),
    skip = c(crossed_peers, gpboost = "no correlated slopes"), targets = list(c("lme4", "at_least", 100))
  ),
  group_1e5 = list(
    title = "1e6 rows, 1e5 groups, (1 | b): for the next", quick = TRUE,
    make = function() nested(1e6, 1e3, 1e5), formula = y ~ x + (1 | b),
    only = c("lm", "ferrite"), targets = list()
  ),
  nested = list(
    title = "1e6 rows, 1e5 groups in 1e3, (1 | b) + (1 | a)", quick = TRUE,
    make = function() nested(1e6, 1e3, 1e5), formula = y ~ x + (1 | b) + (1 | a),
    python = list(groups = c("b", "a"), ml = y ~ x + (1 | b) + (1 | a)),
    skip = slow("mixedlm-rs"), targets = list(c("group_1e5", "at_most", 1.5))
  ),
  wide = list(
    title = "1e6 rows, p = 50, 1e4 groups, (1 | g)", quick = TRUE,
    make = function() wide(1e6, 50, 1e4), formula = stats::reformulate(c(paste0("x", 1:49), "(1 | g)"), "y"),
    python = list(groups = "g", ml = stats::reformulate(c(paste0("x", 1:49), "(1 | g)"), "y")),
    targets = list(c("lm", "at_most", 1.2))
  ),
  crossed_2e3 = list(
    title = "5e5 rows, 1e4 x 2e3 levels crossed", quick = TRUE,
    make = function() crossed(5e5, 1e4, 2e3), formula = y ~ x + (1 | a) + (1 | b),
    python = list(groups = c("a", "b"), ml = y ~ x + (1 | a) + (1 | b)),
    skip = crossed_peers, targets = list(c("gpboost", "at_least", 4))
  ),
  one_5e6 = list(
    title = "5e6 rows, 5e5 groups, (1 | g)", quick = FALSE,
    make = function() one_factor(5e6, 5e5, FALSE), formula = y ~ x + (1 | g),
    python = list(groups = "g", ml = y ~ x + (1 | g)),
    targets = list(c("lm", "at_most", 2), c("lme4", "at_least", 100), c("memory", "at_most", 1))
  ),
  crossed_1e4 = list(
    title = "5e6 rows, 1e5 x 1e4 levels crossed", quick = FALSE,
    make = function() crossed(5e6, 1e5, 1e4), formula = y ~ x + (1 | a) + (1 | b),
    python = list(groups = c("a", "b"), ml = y ~ x + (1 | a) + (1 | b)),
    skip = c(crossed_peers, slow("lme4", "glmmTMB")), targets = list(c("gpboost", "at_least", 1))
  )
)
