# Fits the estrone model, prints it and renders the report template. Argument: the directory for the report.

out <- commandArgs(trailingOnly = TRUE)[1L]
dir.create(out, recursive = TRUE, showWarnings = FALSE)

library(ferrite)
data(estrone, package = "ferrite")
fit <- lmm(y ~ 1 + (1 | person), estrone)
print(fit)
print(summary(fit))

draft <- file.path(out, "report.Rmd")
unlink(draft)
rmarkdown::draft(draft, template = "lmm-report", package = "ferrite", create_dir = FALSE, edit = FALSE)
report <- rmarkdown::render(draft, output_format = "html_document", params = list(fit = fit), quiet = TRUE,
                            envir = new.env())
cat("Report:", normalizePath(report), "\n")
