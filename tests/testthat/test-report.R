# The template lmm-report, rendered as a user would.

skip_if_not_installed("rmarkdown")
skip_if_not_installed("knitr")

draft_report <- function() {
  testthat::skip_if_not(rmarkdown::pandoc_available("1.14"), "pandoc is not available")
  folder <- tempfile("report")
  dir.create(folder)
  draft <- file.path(folder, "report.Rmd")
  rmarkdown::draft(draft, template = "lmm-report", package = "ferrite", create_dir = FALSE, edit = FALSE)
  draft
}

# The lines of the report, all of it with any white space as one space, and its figures with their sizes in bytes.
render_report <- function(format, params = NULL) {
  draft <- draft_report()
  space <- new.env(parent = globalenv())
  file <- suppressMessages(
    rmarkdown::render(draft, output_format = format, params = params, quiet = TRUE, envir = space)
  )
  lines <- readLines(file, encoding = "UTF-8", warn = FALSE)
  figures <- list.files(dirname(file), "[.]png$", recursive = TRUE, full.names = TRUE)
  text <- gsub("[[:space:]]+", " ", paste(lines, collapse = " "))
  list(lines = lines, text = text, figures = figures, sizes = file.size(figures))
}

markdown <- function(...) render_report(rmarkdown::github_document(html_preview = FALSE), ...)

test_that("a draft renders at once, with the example", {
  report <- markdown()
  expect_match(report$text, "y ~ 1 + (1 | person)", fixed = TRUE)
  expect_match(report$text, "80 observations in 5 levels of `person`", fixed = TRUE)
  expect_match(report$text, "**0.843**", fixed = TRUE)
  expect_match(report$text, "Convergence: certified optimum", fixed = TRUE)
  expect_no_match(report$text, "lies on the boundary")
  expect_setequal(basename(report$figures), c("caterpillar-1.png", "residuals-1.png"))
  expect_true(all(report$sizes > 3000))
})

test_that("HTML holds tables and figures", {
  report <- render_report("html_document")
  expect_match(report$text, "<table", fixed = TRUE)
  expect_match(report$text, "(Intercept)", fixed = TRUE)
  images <- gregexpr("<img[^>]*src=\"data:image/png;base64,", report$text)[[1]]
  expect_length(images, 2)
})

test_that("the fit is an object or a file, and the title any text", {
  fit <- shared_fit("slope")
  path <- tempfile(fileext = ".rds")
  saveRDS(fit, path)
  title <- "Growth: \"jaws\" & 27 children"
  object <- markdown(list(fit = fit, title = title))
  file <- markdown(list(fit = path, title = title))
  expect_identical(object$text, file$text)
  expect_match(object$text, "27 children", fixed = TRUE)
  expect_match(object$text, "no single intraclass correlation", fixed = TRUE)
  expect_error(markdown(list(fit = lm(dist ~ speed, cars))), "must be a fit of lmm")
})

test_that("several factors have their shares", {
  fit <- shared_fit("nested")
  text <- markdown(list(fit = fit))$text
  expect_match(text, "18 levels of `Worker:Machine` and 6 levels of `Worker`", fixed = TRUE)
  variances <- as.data.frame(VarCorr(fit))$vcov
  for (share in sprintf("%.3f", variances / sum(variances))) expect_match(text, share, fixed = TRUE)
})

test_that("a singular fit is explained", {
  expect_match(markdown(list(fit = shared_fit("singular")))$text, "The fit lies on the boundary", fixed = TRUE)
})

test_that("thousands of groups become figures, not tables", {
  set.seed(1)
  g <- rep(1:5000, each = 2)
  data <- data.frame(y = rnorm(5000)[g] + rnorm(10000), g = g)
  report <- markdown(list(fit = lmm(y ~ 1 + (1 | g), data)))
  expect_match(report$text, "10,000 observations in 5,000 levels", fixed = TRUE)
  expect_lt(length(report$lines), 120)
})

test_that("LaTeX source can be made", {
  report <- render_report("latex_document")
  expect_match(report$text, "\\includegraphics", fixed = TRUE)
  expect_match(report$text, "\\begin{longtable}", fixed = TRUE)
})
