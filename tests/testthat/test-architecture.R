# The rules of the house, held against the installed functions: who calls Rust, who sees data, who prints.

names_in <- function(f) all.names(body(asNamespace("ferrite")[[f]]))

callers_of <- function(name) {
  space <- asNamespace("ferrite")
  functions <- Filter(function(f) is.function(space[[f]]), ls(space, all.names = TRUE))
  sort(Filter(function(f) name %in% names_in(f), functions))
}

test_that("only the seam calls Rust", {
  seam <- c(
    "bootstrap_engine", "cross_codes", "deletion_engine", "fit_design", "infer_fixed", "is_identified", "plan_engine",
    "prediction_variance", "profile_engine", "refit_engine", "simulate_rlrt"
  )
  expect_identical(callers_of(".Call"), seam)
})

test_that("formulas are parsed without data, and model matrices come from the files of the design and of hypotheses", {
  for (parser in c("parse_formula", "read_bar", "split_terms")) {
    expect_false(any(c("model.matrix", "model.frame", ".Call") %in% names_in(parser)), info = parser)
  }
  allowed <- c("columns_of", "estimated_columns", "fixed_matrix", "recoded_matrix", "reduced_matrix")
  expect_identical(setdiff(callers_of("model.matrix"), allowed), character())
})

test_that("only print methods and their parts write to the console, and nobody to stdout by message", {
  writers <- union(callers_of("cat"), callers_of("print"))
  expect_identical(writers[!startsWith(writers, "print")], character())
  expect_identical(callers_of("writeLines"), character())
})

test_that("a finished fit is plain data: no pointers", {
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  kinds <- unlist(rapply(unclass(fit), typeof, how = "unlist"))
  expect_false(any(kinds %in% c("externalptr", "weakref")))
})
