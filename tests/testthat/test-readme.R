# The session that the README shows against what the package prints, line by line but for spaces at their ends.

test_that("the session of the README is what the package prints", {
  skip_if_not_installed("nlme")
  file <- file.path(testthat::test_path(), "..", "..", "README.md")
  skip_if_not(file.exists(file), "the README is not at hand")
  lines <- readLines(file, encoding = "UTF-8")
  open <- grep("^> library\\(ferrite\\)", lines)
  close <- open + match("```", lines[-seq_len(open)]) - 1L
  session <- lines[open:close]
  space <- new.env(parent = globalenv())
  old <- options(width = 100, digits = 7)
  on.exit(options(old))
  printed <- utils::capture.output(
    for (line in session[startsWith(session, "> ")]) {
      cat(line, "\n", sep = "")
      tryCatch(
        withCallingHandlers({
          shown <- withVisible(eval(parse(text = substring(line, 3L))[[1L]], space))
          if (shown$visible) print(shown$value)
        }, message = function(m) {
          cat(conditionMessage(m), sep = "")
          invokeRestart("muffleMessage")
        }),
        error = function(e) {
          cat("Error in ", deparse(conditionCall(e), 100L), " :\n  ", conditionMessage(e), "\n", sep = "")
        }
      )
    }
  )
  plain <- function(x) {
    x <- sub("[[:space:]]+$", "", unlist(strsplit(enc2utf8(x), "\n", fixed = TRUE)))
    gsub("[\u2018\u2019]", "'", x[nzchar(x)])
  }
  expect_identical(plain(printed), plain(session))
})
