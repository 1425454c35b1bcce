# The rules of the house, held against the installed package: rooms, who calls Rust, who sees data, who prints.

# Rooms in the order in which they are loaded. The checks in front of every method come last, when there are methods.
rooms <- c(
  "util", "data", "formula", "design", "engine", "fit", "extract", "infer", "predict", "plot", "report", "interop"
)

collated <- function() {
  field <- utils::packageDescription("ferrite")$Collate
  scan(text = field, what = "", quiet = TRUE, quote = "'\"")
}

# The files of R/ where the sources are at hand, as in a working copy.
source_files <- function() {
  folder <- testthat::test_path("..", "..", "R")
  skip_if_not(file.exists(file.path(folder, "util-load.R")), "the sources are not at hand")
  list.files(folder, pattern = "[.]R$", full.names = TRUE)
}

files_with <- function(word) {
  files <- source_files()
  has <- vapply(files, function(file) word %in% all.names(parse(file, keep.source = FALSE)), NA)
  basename(files)[has]
}

names_in <- function(f) all.names(body(asNamespace("ferrite")[[f]]))

callers_of <- function(name) {
  space <- asNamespace("ferrite")
  functions <- Filter(function(f) is.function(space[[f]]), ls(space, all.names = TRUE))
  sort(Filter(function(f) name %in% names_in(f), functions))
}

# Files that stand in no room, or are loaded before a room that they follow.
misplaced <- function(files) {
  room <- match(sub("-.*", "", files), rooms)
  named <- grepl("^[a-z]+(-[a-z0-9]+)+[.]R$", files)
  files[!named | is.na(room) | room < cummax(ifelse(is.na(room), 0L, room))]
}

test_that("every file of R/ stands in a room, and the rooms are loaded in their order", {
  files <- collated()
  expect_identical(files[length(files)], "util-load.R")
  expect_identical(misplaced(files[-length(files)]), character())
  expect_setequal(sub("-.*", "", files), rooms)
  expect_identical(misplaced(c("util-a.R", "sweep.R", "fit-b.R", "data-c.R", "fitting-d.R")),
    c("sweep.R", "data-c.R", "fitting-d.R"))
  expect_setequal(basename(source_files()), files)
})

test_that("calls of Rust and model matrices stand in the files of their rooms", {
  expect_match(files_with(".Call"), "^engine-", all = TRUE)
  expect_setequal(files_with("model.matrix"), c("design-columns.R", "extract-model.R", "infer-anova.R",
    "infer-compare.R", "infer-drop1.R"))
})

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
