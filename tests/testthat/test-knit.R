skip_if_not_installed("knitr")

with_format <- function(format, code) {
  old <- knitr::opts_knit$get("out.format")
  knitr::opts_knit$set(out.format = format)
  on.exit(knitr::opts_knit$set(out.format = old))
  as.character(code)
}

test_that("knitr finds the methods", {
  for (object in list(shared_fit("slope"), summary(shared_fit("slope")), VarCorr(shared_fit("slope")),
                      ranef(shared_fit("slope")), coef(shared_fit("slope")))) {
    expect_s3_class(knitr::knit_print(object), "knit_asis")
  }
})

test_that("Markdown has pipe tables", {
  text <- with_format(NULL, knitr::knit_print(shared_fit("slope")))
  expect_match(text, "|Groups", fixed = TRUE)
  expect_match(text, "|age:SexFemale", fixed = TRUE)
  expect_match(text, "Convergence: certified optimum", fixed = TRUE)
})

test_that("HTML and LaTeX have tables of their own, with names escaped", {
  data <- transform(as.data.frame(nlme::Orthodont), a_b = age)
  fit <- lmm(distance ~ a_b + (1 | Subject), data)
  html <- with_format("html", knitr::knit_print(fit))
  expect_match(html, "<table>", fixed = TRUE)
  expect_no_match(html, "|:--", fixed = TRUE)
  latex <- with_format("latex", knitr::knit_print(fit))
  expect_match(latex, "\\begin{tabular}", fixed = TRUE)
  expect_match(latex, "a\\_b", fixed = TRUE)
  expect_match(with_format(NULL, knitr::knit_print(fit)), "a\\_b", fixed = TRUE)
})

test_that("special characters are escaped for each format", {
  expect_identical(escape("a<b&c", "html"), "a&lt;b&amp;c")
  expect_identical(escape("x_1 50%", "latex"), "x\\_1 50\\%")
  expect_identical(escape("x|y*z", "markdown"), "x\\|y\\*z")
})

test_that("a bar in a pipe table is an entity, not a broken column", {
  text <- with_format(NULL, knitr::knit_print(summary(shared_fit("slope"))))
  expect_match(text, "Pr(\\>&#124;t&#124;)", fixed = TRUE)
  expect_no_match(text, "\\&#124;", fixed = TRUE)
})

test_that("the criterion in the table of a summary has its name", {
  reml <- with_format(NULL, knitr::knit_print(summary(shared_fit("slope"))))
  expect_match(reml, "REML criterion|", fixed = TRUE)
  expect_no_match(reml, "-2 log L", fixed = TRUE)
  ml <- with_format(NULL, knitr::knit_print(summary(shared_fit("ml"))))
  expect_match(ml, "-2 log L|", fixed = TRUE)
})
