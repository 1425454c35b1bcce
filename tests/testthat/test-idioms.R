# The table of idioms of bench/: its comparison finds what differs; some of its idioms, as bench/idioms.R judges them.
# Only where the tests are run from the sources: bench/ is not installed.

bench_idioms <- function() {
  file <- test_path("..", "..", "bench", "idioms.R")
  skip_if_not(file.exists(file), "bench/ is not here")
  skip_on_os("windows")
  for (package in c("lme4", "lmerTest", "nlme", "lattice")) skip_if_not_installed(package)
  bench <- new.env(parent = globalenv())
  sys.source(file, bench)
  bench$all <- bench$read_idioms(file.path(dirname(file), "idioms.txt"))
  bench
}

test_that("the comparison finds values, names, order, length, type and missing values that differ", {
  bench <- bench_idioms()
  found <- function(theirs, ours, tolerance = 1e-3) {
    length(bench$compare_plain(bench$plain(theirs), bench$plain(ours), tolerance)$found) > 0L
  }
  values <- c(a = 251.405, b = 10.467)
  expect_false(found(values, values * (1 + 1e-5)))
  expect_true(found(values, values * c(1, 1.01)))
  expect_true(found(values, unname(values)))
  expect_true(found(values, rev(values)))
  expect_true(found(values, values[1L]))
  expect_true(found(values, NULL))
  expect_true(found(values, c(a = "251.405", b = "10.467")))
  expect_true(found(values, replace(values, 2L, NA)))
  expect_true(found(NA_real_, 1))
  table <- data.frame(x = values, f = factor(c("u", "v")))
  expect_false(found(table, cbind(table, more = 1:2)))
  expect_true(found(table, table[2:1, ]))
  expect_true(found(table, table["x"]))
  expect_true(found(table, transform(table, f = c("u", "w"))))
  expect_true(found(table, `rownames<-`(table, NULL)))
  expect_true(found(matrix(1:6, 2L), matrix(1:6, 3L)))
  expect_true(found(list(p = 1, q = list(r = 2.5)), list(p = 1, q = list(r = 2.6))))
  expect_true(found(y ~ x, y ~ z))
  # What is small beside its neighbours is not blown up; what stands alone is.
  expect_false(found(c(100, 1e-7), c(100, 2e-7)))
  expect_true(found(1e-5, 2e-5))
  printed <- function(theirs, ours) length(bench$compare_printed(theirs, ours)$found) > 0L
  expect_false(printed("sd 24.7407", "Std.Dev. 24.740"))
  expect_true(printed("sd 24.7407", "Std.Dev. 24.840"))
})

test_that("what differs or fails without a reason is a fault, and with one of the other kind too", {
  bench <- bench_idioms()
  one <- list(
    id = "x-001", package = "x", fit = "lme4", model = "sleep", kind = "value", tolerance = 1e-3, idiom = "f(FIT)"
  )
  said <- function(value) list(value = value, said = list())
  failed <- list(error = "no", class = "ferrite_error_x", said = list())
  broken <- list(error = "no", class = "simpleError", said = list())
  outcome <- function(ours, ...) bench$judge(c(one, list(...)), said(1.5), ours, said(9))$outcome
  expect_identical(outcome(said(1.5)), "same")
  expect_identical(outcome(said(1.6)), "differs")
  expect_identical(outcome(said(1.6), differs = "because"), "differs by intention")
  expect_identical(outcome(said(1.6), refused = "because"), "differs")
  expect_identical(outcome(failed), "error")
  expect_identical(outcome(failed, differs = "because"), "error")
  expect_identical(outcome(failed, refused = "because"), "refused")
  expect_identical(outcome(broken, refused = "because"), "error")
  expect_identical(outcome(broken, refused = "because", by_other = TRUE), "refused")
  stale <- bench$judge(c(one, list(differs = "because")), said(1.5), said(1.5), said(9))
  deaf <- bench$judge(one, said(1.5), said(1.5), said(1.5))
  faults <- bench$idiom_faults(rbind(as.data.frame(stale), as.data.frame(deaf)))
  expect_identical(lengths(faults)[["reason without a difference"]], 1L)
  expect_identical(lengths(faults)[["other data are not noticed"]], 1L)
})

test_that("frequent idioms give what lme4 gives, other data do not", {
  bench <- bench_idioms()
  often <- c(
    "fixef(FIT)", "ranef(FIT)$Subject", "as.data.frame(VarCorr(FIT))", "vcov(FIT)", "logLik(FIT)",
    "predict(FIT, re.form = NA)", "residuals(FIT, scaled = TRUE)", "as.data.frame(ranef(FIT))", "sigma(FIT)",
    "update(FIT, . ~ . - Days)"
  )
  idioms <- Filter(function(one) one$package == "lme4" && one$model == "sleep" && one$idiom %in% often, bench$all)
  expect_length(idioms, length(often))
  rows <- suppressMessages(bench$run_idioms(idioms, seconds = 30))
  expect_identical(rows$outcome, rep("same", length(often)), info = paste(rows$idiom, rows$found, collapse = "\n"))
  expect_true(all(rows$noticed))
})
