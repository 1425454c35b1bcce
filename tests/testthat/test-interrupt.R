# Ctrl-C during work after a fit, in an R session of its own: what is done is kept, and the session goes on.

# Runs `code` in a new session that is sent an interrupt after `after` seconds; what it returned.
interrupted_session <- function(code, after) {
  skip_on_os("windows")
  out <- tempfile(fileext = ".rds")
  script <- tempfile(fileext = ".R")
  on.exit(unlink(c(out, script)))
  writeLines(c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
    "library(ferrite)",
    "set.seed(7)",
    "n <- 6000",
    "d <- data.frame(s = sample(100, n, TRUE), i = sample(60, n, TRUE), x = rnorm(n))",
    "d$y <- d$x + rnorm(100)[d$s] + rnorm(60)[d$i] + rnorm(n)",
    "fit <- lmm(y ~ x + (x | s) + (1 | i), d)",
    "seen <- character()",
    sprintf("system(sprintf('(sleep %g; kill -INT %%d) &', Sys.getpid()))", after),
    "begin <- proc.time()[['elapsed']]",
    "value <- tryCatch(",
    sprintf("  withCallingHandlers(%s, warning = function(w) {", code),
    "    seen <<- c(seen, class(w)[1L])",
    "    invokeRestart('muffleWarning')",
    "  }),",
    "  interrupt = function(e) 'interrupt'",
    ")",
    "took <- proc.time()[['elapsed']] - begin",
    "again <- fixef(lmm(y ~ 1 + (1 | person), estrone))",
    sprintf("saveRDS(list(value = value, seen = seen, took = took, again = again), %s)", deparse(out))
  ), script)
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), stdout = FALSE, stderr = FALSE)
  readRDS(out)
}

test_that("an interrupted bootstrap keeps its replicates and speaks of no failures", {
  got <- interrupted_session("bootstrap(fit, nsim = 100000, progress = FALSE)", 1.5)
  expect_s3_class(got$value, "lmm_bootstrap")
  expect_true(got$value$interrupted)
  expect_identical(got$seen, "ferrite_warning_interrupted")
  expect_equal(unname(got$again), 14.175125, tolerance = 1e-6)
})

test_that("interrupted profiles and intervals keep the parameters that are done", {
  got <- interrupted_session("profile(fit, points = 5000, progress = FALSE)", 2)
  if (identical(got$value, "interrupt")) {
    expect_length(got$seen, 0L)
  } else {
    expect_s3_class(got$value, "profile.lmm")
    expect_identical(got$seen, "ferrite_warning_interrupted")
    expect_true(all(table(got$value$par) %in% c(0L, 10001L)))
  }
  expect_equal(unname(got$again), 14.175125, tolerance = 1e-6)
})

test_that("an interval by the bootstrap of the intraclass correlation says from how many samples it is", {
  got <- interrupted_session("icc(fit, method = 'boot', nsim = 100000)", 1.5)
  expect_identical(got$seen, "ferrite_warning_interrupted")
  expect_true(all(is.finite(got$value$table$lower)))
})
