# A fit among other processes: saved and read elsewhere, computed with 1 and 2 threads, forked after.

test_that("a saved fit works in a new R process", {
  fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
  file <- tempfile(fileext = ".rds")
  script <- tempfile(fileext = ".R")
  on.exit(unlink(c(file, script)))
  saveRDS(fit, file)
  writeLines(c(
    paste0(".libPaths(", paste(deparse(.libPaths()), collapse = ""), ")"),
    "library(ferrite)",
    paste0("fit <- readRDS(", deparse(file), ")"),
    "cat(format(predict(fit)[[108]], digits = 15), \"\\n\")",
    "cat(format(logLik(fit), digits = 15), \"\\n\")",
    "invisible(capture.output(print(summary(fit))))",
    "cat(nrow(ranef(fit)$Subject), \"\\n\")"
  ), script)
  rscript <- file.path(R.home("bin"), "Rscript")
  out <- suppressWarnings(system2(rscript, c("--vanilla", shQuote(script)), stdout = TRUE, stderr = TRUE))
  expect_null(attr(out, "status"))
  expect_equal(as.numeric(out[[1]]), predict(fit)[[108]], tolerance = 1e-14)
  expect_equal(as.numeric(sub(" .*", "", out[[2]])), as.numeric(logLik(fit)), tolerance = 1e-12)
  expect_identical(trimws(out[[3]]), "27")
})

large <- function() {
  set.seed(20)
  n <- 140000
  data <- data.frame(g = factor(sample(400, n, TRUE)), h = factor(sample(300, n, TRUE)), x = stats::rnorm(n))
  data$y <- data$x + stats::rnorm(400)[data$g] + stats::rnorm(300)[data$h] + stats::rnorm(n)
  data
}

test_that("one and two threads give the same bits, and a fork after them works", {
  data <- large()
  fit <- function(threads) lmm(y ~ x + (1 | g) + (1 | h), data, control = lmm_control(threads = threads))
  one <- fit(1)
  two <- fit(2)
  for (field in c("criterion", "theta", "beta", "sigma", "vcov")) expect_identical(one[[field]], two[[field]])
  numbers <- function(fit) lapply(fit$random, `[`, c("varcov", "b", "u", "condvar"))
  expect_identical(numbers(one), numbers(two))
  skip_on_os("windows")
  forked <- parallel::mclapply(1:2, function(i) fit(2)$criterion, mc.cores = 2)
  expect_identical(unlist(forked), rep(one$criterion, 2))
})
