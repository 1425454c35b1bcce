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
  figures <- paste0(c("caterpillar", "residuals", "by-group", "ranef-qq"), "-1.png")
  expect_setequal(basename(report$figures), figures)
  expect_true(all(report$sizes > 3000))
})

test_that("HTML holds tables and figures", {
  report <- render_report("html_document")
  expect_match(report$text, "<table", fixed = TRUE)
  expect_match(report$text, "(Intercept)", fixed = TRUE)
  images <- gregexpr("<img[^>]*src=\"data:image/png;base64,", report$text)[[1]]
  expect_length(images, 4)
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
  for (share in sprintf("%.4f", variances[1:2] / sum(variances))) expect_match(text, share, fixed = TRUE)
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
  expect_lt(length(report$lines), 150)
})

test_that("inference and diagnostics are in it", {
  report <- markdown(list(fit = shared_fit("slope"), level = 0.9))
  for (heading in c("# Fixed effects", "# Variances", "# Random effects", "# Diagnostics")) {
    expect_true(heading %in% report$lines, info = heading)
  }
  for (title in c("Type III Analysis of Variance", "Contrasts of fixed effects", "Intraclass correlation (REML, 90%",
                  "Confidence intervals", "Random terms, each removed", "Convergence: certified optimum")) {
    expect_match(report$text, title, fixed = TRUE)
  }
  expect_no_match(report$text, "This table was not made")
  # F of age:Sex and the lower 90 % limit of age, by the t distribution
  limit <- contest(shared_fit("slope"), "age", joint = FALSE, level = 0.9)$lower
  expect_match(report$text, formatC(limit, digits = 4, format = "f"), fixed = TRUE)
})

test_that("a table that cannot be made is replaced by the reason", {
  draft <- draft_report()
  lines <- readLines(draft)
  writeLines(sub("attempt(ranova(fit))", "attempt(stop(\"Must not be.\\nx It_is.\"))", lines, fixed = TRUE), draft)
  format <- rmarkdown::github_document(html_preview = FALSE)
  file <- rmarkdown::render(draft, format, quiet = TRUE, envir = new.env(parent = globalenv()))
  expect_true("This table was not made. Must not be. It_is." %in% readLines(file))
})

test_that("LaTeX source can be made", {
  report <- render_report("latex_document")
  expect_match(report$text, "\\includegraphics", fixed = TRUE)
  expect_match(report$text, "\\begin{tabular}", fixed = TRUE)
  expect_match(report$text, "95\\% intervals|95 \\\\% intervals")
})

test_that("HTML and PDF can be made in a fresh session", {
  skip_on_cran()
  draft <- draft_report()
  formats <- c("html_document", if (nzchar(Sys.which("pdflatex"))) "pdf_document")
  code <- sprintf(".libPaths(%s); for (f in %s) rmarkdown::render(%s, f, quiet = TRUE)",
                  paste(deparse(.libPaths()), collapse = ""), paste(deparse(formats), collapse = ""), deparse(draft))
  script <- tempfile(fileext = ".R")
  writeLines(code, script)
  log <- suppressWarnings(
    system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), stdout = TRUE, stderr = TRUE)
  )
  expect_true(file.exists(sub("Rmd$", "html", draft)), info = paste(log, collapse = "\n"))
  if (length(formats) < 2) skip("pdflatex is not available")
  skip_if(any(grepl("File `[^']*' not found|Error: LaTeX failed", log)) && any(grepl("[.]sty", log)),
          "pdflatex has not all packages")
  expect_gt(file.size(sub("Rmd$", "pdf", draft)), 10000)
})

test_that("fits with correlation, dispersion or no convergence have what belongs to them", {
  orthodont <- as.data.frame(nlme::Orthodont)
  serial <- markdown(list(fit = lmm(distance ~ age + (1 | Subject), orthodont, correlation = ar1(~ 1 | Subject))))
  expect_true("acf-1.png" %in% basename(serial$figures))
  expect_match(serial$text, "Residuals are correlated", fixed = TRUE)
  expect_match(serial$text, "falls with their distance in time", fixed = TRUE)
  strata <- markdown(list(fit = lmm(distance ~ age + (1 | Subject), orthodont, dispersion = ~Sex)))
  expect_true("strata-1.png" %in% basename(strata$figures))
  expect_match(strata$text, "there is no single intraclass correlation", fixed = TRUE)
  expect_no_match(strata$text, "This table was not made")
  stopped <- suppressWarnings(lmm(distance ~ age * Sex + (age | Subject), orthodont,
    control = lmm_control(max_evaluations = 2)))
  expect_match(markdown(list(fit = stopped))$text, "This fit did not converge", fixed = TRUE)
  expect_no_match(serial$text, "did not converge")
})

test_that("a Word report has Word's tables, whose figures are not broken", {
  draft <- draft_report()
  file <- rmarkdown::render(draft, "word_document", quiet = TRUE, envir = new.env(parent = globalenv()))
  folder <- tempfile("docx")
  utils::unzip(file, "word/document.xml", exdir = folder)
  text <- paste(readLines(file.path(folder, "word", "document.xml"), warn = FALSE, encoding = "UTF-8"), collapse = "")
  expect_gte(lengths(regmatches(text, gregexpr("<w:tbl>", text))), 8L)
  widths <- regmatches(text, gregexpr("<w:tblW w:w=\"[0-9]+\"", text))[[1]]
  widths <- as.numeric(gsub("[^0-9]", "", sub("<w:tblW w:w=", "", widths)))
  expect_true(all(widths <= 9360))
  expect_match(text, "<w:noWrap/>", fixed = TRUE)
})

# The random effects of a fit as they are written for xelatex.
knitr_latex <- function(fit) {
  as.character(as_output(list(captioned(labelled(text_table(ranef(fit)$g, 4L), rownames(ranef(fit)$g), "g"))),
    new_target("latex", TRUE)))
}

test_that("names in any script are in a PDF", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.which("xelatex")) && nzchar(Sys.which("fc-list")), "xelatex is not available")
  data <- data.frame(g = rep(c("\u4e2d\u6587", "\u0420\u043e\u0441\u0441\u0438\u044f", "plain", "d"), each = 4),
    y = sin(1:16))
  lines <- knitr_latex(lmm(y ~ 1 + (1 | g), data))
  expect_no_match(lines, "U+4E2D", fixed = TRUE)
  expect_match(lines, "\\fontspec{", fixed = TRUE)
})
