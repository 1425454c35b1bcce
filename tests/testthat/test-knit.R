skip_if_not_installed("knitr")

# The text of `code` in a document of this source format, or of R Markdown that pandoc turns into `to`.
with_format <- function(format, code, to = NULL, args = NULL) {
  old <- knitr::opts_knit$get(c("out.format", "rmarkdown.pandoc.to", "rmarkdown.pandoc.args"))
  knitr::opts_knit$set(out.format = format, rmarkdown.pandoc.to = to, rmarkdown.pandoc.args = args)
  on.exit(knitr::opts_knit$set(old))
  as.character(code)
}

# A fit in which every name and label has characters that mean something to some markup.
wild_fit <- function() {
  labels <- c("[x]_1", "*50% & $|#<>\\^~`{}\"'", "gr\u00f6\u00dfe \u03b1 -- ...")
  data <- expand.grid(f = factor(labels, labels), g = factor(c("[1]", "*", "a|b", "$x$", "\\(z\\)", "# 5 %")), k = 1:3)
  data$x <- (seq_len(nrow(data)) * 7) %% 11
  data$y <- sin(seq_len(nrow(data))) + as.integer(data$g) %% 3 * 2
  names(data) <- c("f*[0]", "g|\u03b2", "k", "x^2 <b>#1</b>", "y_1 %")
  wild <- as.formula(paste0("`y_1 %` ~ `x^2 <b>#1</b>` + `f*[0]` + (1 | `g|\u03b2`)"))
  lmm(wild, data)
}

# What a table in Markdown or HTML says, by pandoc: a matrix of cells for each table.
cells_by_pandoc <- function(text, from) {
  testthat::skip_if_not_installed("rmarkdown")
  testthat::skip_if_not(rmarkdown::pandoc_available("2.10"), "pandoc 2.10 is not available")
  testthat::skip_if_not_installed("jsonlite")
  files <- tempfile(fileext = c(".txt", ".json"))
  writeLines(enc2utf8(text), files[1], useBytes = TRUE)
  rmarkdown::pandoc_convert(files[1], to = "html", from = from, output = files[2])
  html <- paste(readLines(files[2], encoding = "UTF-8", warn = FALSE), collapse = " ")
  decode <- function(x) {
    x <- gsub("<[^>]*>", "", x)
    for (mark in names(marks)) x <- gsub(mark, marks[[mark]], x, fixed = TRUE)
    trimws(x)
  }
  marks <- c("&lt;" = "<", "&gt;" = ">", "&quot;" = "\"", "&#39;" = "'", "&amp;" = "&")
  rows <- regmatches(html, gregexpr("<tr.*?</tr>", html, perl = TRUE))[[1]]
  lapply(regmatches(rows, gregexpr("<t[hd].*?</t[hd]>", rows, perl = TRUE)), decode)
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

test_that("the markup is that of the document: raw in R Markdown, bare in other sources", {
  fit <- shared_fit("slope")
  html <- with_format("html", knitr::knit_print(fit))
  expect_match(html, "<table", fixed = TRUE)
  expect_no_match(html, "```", fixed = TRUE)
  expect_match(with_format("latex", knitr::knit_print(fit)), "\\begin{tabular}", fixed = TRUE)
  expect_match(with_format("markdown", knitr::knit_print(fit), "html"), "~~~{=html}", fixed = TRUE)
  expect_match(with_format("markdown", knitr::knit_print(fit), "latex"), "~~~{=latex}", fixed = TRUE)
  for (to in c("gfm", "gfm-yaml_metadata_block", "commonmark")) {
    expect_match(with_format("markdown", knitr::knit_print(fit), to), "\n|Groups|Name|", fixed = TRUE)
  }
  expect_match(with_format("markdown", knitr::knit_print(fit), "docx"), "~~~{=openxml}", fixed = TRUE)
})

test_that("special characters are escaped for each format", {
  expect_identical(escape("a<b&c", "html"), "a&lt;b&amp;c")
  expect_identical(escape("x_1 50% [*", "latex"), "x\\_1 50\\% {[}{*}")
  expect_identical(escape("x|y\\z--", "latex"), "x\\textbar{}y\\textbackslash{}z-{}-")
  expect_identical(escape("y*z [a] \\(", "markdown"), "y\\*z &#91;a&#93; &#92;(")
  expect_identical(escape("\u03b1\u0394\u2264", "latex", unicode = FALSE),
                   "\\ensuremath{\\alpha}\\ensuremath{\\Delta}\\ensuremath{\\leq}")
  expect_identical(escape("\u4e2d", "latex", unicode = FALSE), "\\textless{}U+4E2D\\textgreater{}")
  # in a font of the system that has it, or by its number where there is none
  expect_match(escape("\u00e9\u4e2d", "latex"),
    "^\u00e9([{]\\\\fontspec[{][A-Za-z0-9 -]+[}]\u4e2d[}]|\\\\textless[{][}]U[+]4E2D\\\\textgreater[{][}])$")
})

test_that("names with the characters of markup come out of pandoc as they went in", {
  fit <- wild_fit()
  names <- names(fixef(fit))
  for (object in list(fit, summary(fit), confint(fit, "beta_", method = "Wald"))) {
    pipe <- cells_by_pandoc(with_format("markdown", knitr::knit_print(object), "gfm"),
                            "markdown+autolink_bare_uris+tex_math_single_backslash-smart")
    html <- cells_by_pandoc(with_format("html", knitr::knit_print(object)), "html")
    for (cells in list(pipe, html)) {
      expect_true(all(names %in% vapply(cells, `[`, "", 1)))
      terms <- Filter(function(row) row[1] %in% names, cells)
      expect_length(unique(lengths(terms)), 1)
    }
  }
  levels <- with_format("markdown", knitr::knit_print(ranef(fit)), "gfm")
  found <- vapply(cells_by_pandoc(levels, "gfm"), `[`, "", 1)
  expect_setequal(found, c("g|\u03b2", rownames(ranef(fit)[[1]])))
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

test_that("tables of inference are tables", {
  fit <- shared_fit("slope")
  nested <- shared_fit("nested")
  objects <- list(
    anova(fit), drop1(fit), ranova(nested, nsim = 100), contest(fit, "age"), contest(fit, "age", joint = FALSE),
    icc(nested), varcomp_anova(nested), confint(fit, method = "Wald", parm = "beta_"), convergence(fit),
    profile(fit, "sigma", points = 2), bootstrap(fit, nsim = 20, seed = 1),
    anova(fit, update(fit, . ~ . - (age | Subject) + (1 | Subject))),
    influence(fit, "Subject"), refit_many(fit, simulate(fit, 5, seed = 1)), shrinkage(fit),
    lmm_plan(distance ~ age + (1 | Subject), nlme::Orthodont)
  )
  for (object in objects) {
    for (format in c("html", "latex")) {
      text <- with_format(format, knitr::knit_print(object))
      expect_match(text, if (format == "html") "<table" else "\\begin{tabular}", fixed = TRUE)
    }
    text <- strsplit(with_format(NULL, knitr::knit_print(object)), "\n")[[1]]
    rows <- grep("^[|]", text, value = TRUE)
    expect_gte(length(rows), 3)
    # every table has as many cells in each row
    table <- cumsum(c(TRUE, diff(grep("^[|]", text)) > 1))
    bars <- lengths(regmatches(rows, gregexpr("|", rows, fixed = TRUE)))
    expect_true(all(tapply(bars, table, function(n) length(unique(n)) == 1)))
  }
})

test_that("analysis of variance tables of other packages are left alone", {
  skip_if_not_installed("rmarkdown")
  table <- anova(lm(dist ~ speed, cars))
  expect_false(inherits(knitr::knit_print(table), "knit_asis"))
  skip_if_not_installed("lmerTest")
  table <- anova(lmerTest::lmer(distance ~ age + (1 | Subject), nlme::Orthodont))
  expect_false(inherits(knitr::knit_print(table), "knit_asis"))
})

test_that("figures: estimates and errors have common decimals, tests three, p-values three digits", {
  rows <- with_format(NULL, knitr::knit_print(summary(shared_fit("slope"))))
  expect_match(rows, "|age|0.7844|0.0860|25.00|9.121|", fixed = TRUE)
  expect_match(rows, "|SexFemale|1.0321|1.5957|25.00|0.647|0.5237|", fixed = TRUE)
  expect_identical(fixed_point(c(1, 1e9, -2.5), c(2, 2, 1)), c("1.00", "1.000e+09", "-2.5"))
})

test_that("long tables are cut, wide ones set smaller or in parts in LaTeX", {
  table <- data.frame(a = 1:30 / 3)
  pieces <- long_table(table, "Title", "level", 20L)
  expect_identical(nrow(pieces[[1]]), 20L)
  expect_identical(pieces[[2]], "... and 10 more levels")
  wide <- as.data.frame(matrix(round(sin(1:60), 3), 2))
  text <- render_table(labelled(text_table(wide, 4), c("u", "v"), "level"), new_target("latex", FALSE))
  expect_gt(length(gregexpr("\\begin{tabular}", text, fixed = TRUE)[[1]]), 1)
  for (name in names(wide)) expect_match(text, paste0("& ", name, " "), fixed = TRUE)
  prose <- cbind(item = "a", value = strrep("word ", 60))
  expect_match(render_table(prose, new_target("latex", FALSE)), "p{", fixed = TRUE)
})

test_that("the residuals are in the tables: strata, the correlation, the function of a covariate", {
  data <- plain(nlme::Orthodont)
  data$visit <- (data$age - 6) / 2
  formula <- distance ~ age + (1 | Subject)
  fit <- lmm(formula, data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  power <- lmm(formula, data, dispersion = ~ power(age))
  for (object in list(fit, summary(fit), VarCorr(fit))) {
    text <- knitr::knit_print(object)
    expect_match(text, "|Residual|Male", fixed = TRUE)
    expect_match(text, "Residual correlation: ar1", fixed = TRUE)
    expect_match(text, paste("rho", format(fit$residual$rho, digits = 4)), fixed = TRUE)
  }
  expect_match(knitr::knit_print(VarCorr(power)), "Residual sd: ", fixed = TRUE)
  # many strata: all of them in VarCorr(), the first in the summary
  set.seed(1)
  long <- data.frame(g = gl(36, 20), cell = gl(18, 40))
  long$y <- rnorm(36)[long$g] + rnorm(720)
  many <- suppressMessages(lmm(y ~ 1 + (1 | g), long, dispersion = ~ cell))
  expect_match(knitr::knit_print(VarCorr(many)), "|18", fixed = TRUE)
  expect_match(knitr::knit_print(summary(many)), "6 more strata", fixed = TRUE)
  plan <- lmm_plan(formula, data, dispersion = ~ Sex, correlation = ar1(~ visit | Subject))
  expect_match(knitr::knit_print(plan), "Residuals|dispersion = ", fixed = TRUE)
  expect_match(knitr::knit_print(plan), "6 kinds of rows", fixed = TRUE)
})

test_that("the correlations of a summary are there when they were asked for", {
  fit <- shared_fit("slope")
  expect_no_match(knitr::knit_print(summary(fit)), "Correlation of fixed effects")
  text <- knitr::knit_print(summary(fit, correlation = TRUE))
  expect_match(text, "Correlation of fixed effects", fixed = TRUE)
  expect_match(text, formatC(stats::cov2cor(as.matrix(vcov(fit)))[2, 1], digits = 3, format = "f"), fixed = TRUE)
})
