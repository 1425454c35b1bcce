# Runs tests/testthat against the installed package and writes "passed failed" into the file that is named.
# An expectation counts as passed or failed; a test that stops counts as failed; a skipped one as neither.

sums <- commandArgs(trailingOnly = TRUE)[1L]
results <- testthat::test_dir("tests/testthat", package = "ferrite", load_package = "installed",
                              reporter = "check", stop_on_failure = FALSE)
counts <- as.data.frame(results)
writeLines(paste(sum(counts$passed), sum(counts$failed) + sum(counts$error)), sums)
