# Whether the search finds the lowest optimum, and what it costs: Rscript bench/search.R [data sets] [library]
#
# Simulates small and messy data sets (8 to 60 rows, one to three grouping factors, crossed and nested, random slopes,
# unbalanced, tied values, rank one), fits each with lmm(), with lmm() from 20 random starts, and with three optimisers
# of lme4 from two starts, and counts where lmm() is higher than the lowest by more than 1e-6 of its size. Then counts
# evaluations on data sets whose variances are zero or nearly so. Nothing here is a test: tests/testthat/test-search.R
# runs some of it.

local({
  # A sample of `n` codes of `levels` levels, often very unequal.
  codes <- function(n, levels) {
    weight <- if (stats::runif(1L) < 0.5) rep(1, levels) else stats::rexp(levels)
    sample.int(levels, n, replace = TRUE, prob = weight + 0.05)
  }

  ratio <- function() sample(c(0, 0, 0.2, 0.6, 1, 3, 10), 1L)

  # One data set and its formula.
  simulate_case <<- function(seed) {
    set.seed(seed)
    n <- sample(8:60, 1L)
    few <- function(most) sample(2:max(2L, min(most, n %/% 3L)), 1L)
    s <- codes(n, few(10L))
    b <- codes(n, few(8L))
    cc <- codes(n, few(6L))
    x <- if (stats::runif(1L) < 0.5) stats::rnorm(n) else sample(0:3, n, replace = TRUE)
    z <- stats::rnorm(n)
    f <- factor(sample(c("u", "v", "w"), n, replace = TRUE))
    noise <- if (stats::runif(1L) < 0.3) stats::rt(n, 2) else stats::rnorm(n)
    effect <- function(g, k = 1L) matrix(stats::rnorm(max(g) * k), max(g), k)
    line <- effect(s, 2L)
    if (stats::runif(1L) < 0.4) line[, 2L] <- sample(c(-1, 1), 1L) * line[, 1L]
    y <- noise + ratio() * line[s, 1L] + ratio() * line[s, 2L] * x + ratio() * effect(b)[b] + ratio() * effect(cc)[cc]
    y <- switch(sample(4L, 1L), y, signif(y, 3L), round(y), round(y, 1L))
    formula <- sample(list(
      y ~ 1 + (1 | s) + (1 | b), y ~ x + (1 | s) + (1 | b), y ~ 1 + (1 | s / b), y ~ x + (x | s),
      y ~ 1 + (x | s), y ~ 1 + (x | s) + (1 | b), y ~ x + (x | s) + (1 | b), y ~ x + (x || s) + (1 | b),
      y ~ 1 + (1 | s) + (1 | b) + (1 | cc), y ~ x + (x | s) + (z | b), y ~ x + z + (x + z | s),
      y ~ f + (f | s), y ~ 1 + (0 + x | s) + (1 | b), y ~ x + (x | s / b), y ~ 1 + (1 | s), y ~ x + (0 + x | s)
    ), 1L)[[1L]]
    list(seed = seed, formula = formula, data = data.frame(y, x, z, f, s = factor(s), b = factor(b), cc = factor(cc)),
         reml = stats::runif(1L) < 0.7)
  }

  quiet <- function(code) tryCatch(suppressWarnings(suppressMessages(code)), error = function(e) NULL)

  fit_case <<- function(case, ...) {
    quiet(ferrite::lmm(case$formula, case$data, REML = case$reml, control = ferrite::lmm_control(threads = 1L), ...))
  }

  # The lowest criterion of lme4's optimisers, from its own start and from a start far out.
  lme4_case <<- function(case) {
    values <- numeric()
    for (optimizer in c("bobyqa", "nloptwrap", "Nelder_Mead")) {
      control <- lme4::lmerControl(
        optimizer, calc.derivs = FALSE, check.conv.singular = "ignore", check.nobs.vs.nlev = "ignore",
        check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore", check.nlev.gtr.1 = "ignore"
      )
      fit <- quiet(lme4::lmer(case$formula, case$data, REML = case$reml, control = control))
      if (is.null(fit)) next
      values <- c(values, if (case$reml) lme4::REMLcrit(fit) else stats::deviance(fit))
      theta <- lme4::getME(fit, "theta")
      far <- quiet(lme4::lmer(case$formula, case$data, REML = case$reml, control = control,
                              start = rep_len(c(0.1, 3), length(theta))))
      if (!is.null(far)) values <- c(values, if (case$reml) lme4::REMLcrit(far) else stats::deviance(far))
    }
    if (length(values)) min(values) else NA_real_
  }

  # The lowest criterion of lmm() from random starts.
  restart_case <<- function(case, fit, times = 20L) {
    set.seed(case$seed + 1e6)
    values <- vapply(seq_len(times), function(k) {
      start <- stats::rnorm(length(fit$theta)) * sample(c(0.1, 1, 5), 1L)
      other <- fit_case(case, start = start)
      if (is.null(other) || !other$convergence$status %in% c("converged", "on_boundary")) Inf else other$criterion
    }, 0)
    min(values)
  }
})

# Data sets on which variances are zero or nearly so, and structures: what a search costs.
costly_case <- function(seed, kind) {
  set.seed(seed)
  switch(kind,
    `two null variances of four, 1,500 rows` = {
      data <- data.frame(school = factor(rep(1:50, each = 30)), cls = factor(rep(rep(1:5, each = 6), 50)),
                         x = stats::rnorm(1500), z = stats::rnorm(1500))
      u <- matrix(stats::rnorm(100), 50)
      data$y <- 1 + data$x + 0.5 * u[data$school, 1] + 0.3 * u[data$school, 2] * data$x + stats::rnorm(1500)
      list(formula = y ~ x + z + (x + z | school) + (1 | school:cls), data = data)
    },
    `rank one, crossed, 184 rows` = {
      data <- data.frame(s = factor(sample(23, 184, TRUE)), b = factor(sample(9, 184, TRUE)), x = stats::rnorm(184),
                         z = stats::rnorm(184))
      u <- stats::rnorm(23)[data$s]
      data$y <- 1 + data$x + 0.4 * u + 0.4 * u * data$x + stats::rnorm(184)
      list(formula = y ~ x + z + (x + z | s) + (x | b), data = data)
    },
    `four columns, one varies, 300 rows` = {
      data <- data.frame(s = factor(sample(30, 300, TRUE)), x = stats::rnorm(300), z = stats::rnorm(300),
                         w = stats::rnorm(300))
      data$y <- 1 + data$x + 0.5 * stats::rnorm(30)[data$s] + stats::rnorm(300)
      list(formula = y ~ x + z + w + (x + z + w | s), data = data)
    },
    `compound symmetry, 120 rows` = {
      data <- data.frame(herd = factor(sample(letters[1:8], 120, TRUE)), period = factor(sample(6, 120, TRUE)))
      data$y <- stats::rnorm(120) + 0.7 * stats::rnorm(6)[data$period]
      list(formula = y ~ 1 + cs(0 + herd | period), data = data)
    }
  )
}

if (sys.nframe() == 0L) {
  arguments <- commandArgs(TRUE)
  count <- if (length(arguments)) as.integer(arguments[1L]) else 1500L
  if (length(arguments) > 1L) .libPaths(c(arguments[2L], .libPaths()))
  rows <- lapply(seq_len(count), function(seed) {
    case <- simulate_case(seed)
    fit <- fit_case(case)
    if (is.null(fit)) return(NULL)
    data.frame(seed, criterion = fit$criterion, evaluations = fit$convergence$evaluations,
               restarts = restart_case(case, fit), lme4 = lme4_case(case))
  })
  rows <- do.call(rbind, rows)
  above <- function(x, y) x > y + 1e-6 * (1 + abs(y))
  cat(sprintf("%d of %d data sets fitted; evaluations: median %.0f, 90 %% %.0f, most %.0f\n", nrow(rows), count,
              stats::median(rows$evaluations), stats::quantile(rows$evaluations, 0.9), max(rows$evaluations)))
  cat(sprintf("higher than the lowest of 20 restarts: %d (largest %.2g)\n", sum(above(rows$criterion, rows$restarts)),
              max(0, rows$criterion - rows$restarts)))
  cat(sprintf("higher than the lowest of lme4: %d; lme4 higher: %d\n",
              sum(above(rows$criterion, rows$lme4), na.rm = TRUE), sum(above(rows$lme4, rows$criterion), na.rm = TRUE)))
  print(rows[above(rows$criterion, rows$restarts) | (above(rows$criterion, rows$lme4) %in% TRUE), ], digits = 10)
  kinds <- c("two null variances of four, 1,500 rows", "rank one, crossed, 184 rows",
             "four columns, one varies, 300 rows", "compound symmetry, 120 rows")
  for (kind in kinds) {
    evaluations <- vapply(seq_len(60L), function(seed) {
      case <- costly_case(seed, kind)
      fit <- suppressWarnings(suppressMessages(ferrite::lmm(case$formula, case$data)))
      as.double(fit$convergence$evaluations)
    }, 0)
    cat(sprintf("%s: evaluations median %.0f, 90 %% %.0f, most %.0f\n", kind, stats::median(evaluations),
                stats::quantile(evaluations, 0.9), max(evaluations)))
  }
}
