test_that("an error has rule, finding and next step in three lines, its class, and the user's call", {
  user <- function() abort_ferrite("demo", "It must be so.", "It is not.", hint = "Make it so.", data = list(size = 3))
  error <- tryCatch(user(), error = identity)
  expect_identical(conditionMessage(error), "It must be so.\nx It is not.\ni Make it so.")
  expect_identical(class(error), c("ferrite_error_demo", "ferrite_error", "error", "condition"))
  expect_identical(conditionCall(error), quote(user()))
  expect_identical(error$size, 3)
})

test_that("warnings and messages are classed in the same way", {
  expect_warning(warn_ferrite("demo", "Rule.", "Found."), class = "ferrite_warning_demo")
  expect_message(inform_ferrite("demo", "Rule.", "Found."), "x Found[.]\n$", class = "ferrite_message_demo")
  expect_null(suppressWarnings(warn_ferrite("demo", "Rule.")))
})

test_that("a percent sign in a message is text", {
  expect_error(abort_ferrite("demo", "100%s of %d"), "100%s of %d", fixed = TRUE)
})

test_that("lists are written as a person writes them", {
  expect_identical(quoted_list("a"), "`a`")
  expect_identical(quoted_list(c("a", "b", "c")), "`a`, `b` and `c`")
  expect_identical(plain_list(1:7), "1, 2, 3, 4, 5 and 2 more")
  expect_identical(plain_list(character()), character())
  expect_identical(counted(1, "row"), "1 row")
  expect_identical(counted(12345, "row"), "12,345 rows")
  expect_identical(counted(1e5, "row"), "100,000 rows")
})

test_that("rows have the names that they have in the user's data", {
  frame <- data.frame(x = 1:3, row.names = c("a", "b", "c"))
  expect_identical(row_list(frame, 2L), "row b")
  expect_identical(row_list(frame[-1, , drop = FALSE], 1:2), "rows b and c")
})

test_that("a misspelled name is recognised, a strange one lists what there is", {
  expect_identical(similar_names("Day", c("Days", "Subject", "y")), "Days")
  expect_identical(name_hint("subjct", c("Days", "Subject")), "Did you mean `Subject`?")
  expect_match(name_hint("zzzzzz", c("Days", "Subject")), "`Days` and `Subject`")
  expect_null(name_hint("x", character()))
})

test_that("long code is cut in messages and whole elsewhere", {
  long <- str2lang(paste0("y ~ ", paste0("variable", 1:200, collapse = " + ")))
  expect_identical(nchar(code_text(long)), 80L)
  expect_identical(str2lang(deparse_one(long)), long)
  expect_no_match(code_text(long, 1000), "  ")
})

test_that("a variable that is not found is named also where there are no data", {
  err <- expect_error(lmm(nowhere_1 ~ 1 + (1 | nowhere_2)), class = "ferrite_error_variable")
  expect_match(conditionMessage(err), "nowhere_1", fixed = TRUE)
})
