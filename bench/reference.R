# Agreement with a folder of reference fits: Rscript bench/reference.R <folder> [csv]
# The folder holds index.json, fits/<id>.json, data/<name>.csv[.gz] with <name>.schema.json (column types, level order).
# Prints for every model the difference of the criterion (ours - theirs) and the largest relative differences.

library(ferrite)

args <- commandArgs(trailingOnly = TRUE)
folder <- args[[1L]]

read_data <- function(name) {
  path <- file.path(folder, "data", paste0(name, ".csv"))
  if (!file.exists(path)) path <- paste0(path, ".gz")
  schema <- jsonlite::fromJSON(file.path(folder, "data", paste0(name, ".schema.json")), simplifyVector = TRUE)
  data <- utils::read.csv(path, colClasses = "character", check.names = FALSE, na.strings = "NA")
  for (column in names(schema$columns)) {
    type <- schema$columns[[column]]
    values <- data[[column]]
    data[[column]] <- switch(type$type,
      factor = factor(values, levels = type$levels), ordered = factor(values, levels = type$levels, ordered = TRUE),
      character = values, logical = as.logical(values), as.numeric(values)
    )
    if (identical(type$ordered, TRUE)) data[[column]] <- factor(values, levels = type$levels, ordered = TRUE)
  }
  data
}

relative <- function(ours, theirs) {
  ours <- as.numeric(ours)
  theirs <- as.numeric(theirs)
  if (length(ours) != length(theirs)) return(Inf)
  if (!length(ours)) return(0)
  max(abs(ours - theirs)) / max(abs(theirs), 1e-8)
}

compare <- function(id) {
  reference <- jsonlite::fromJSON(file.path(folder, "fits", paste0(id, ".json")), simplifyVector = FALSE)
  data <- read_data(reference$data)
  call <- list(quote(lmm), stats::as.formula(reference$formula), data = quote(data), REML = reference$REML)
  if (!is.null(reference$weights)) call$weights <- as.name(reference$weights)
  seconds <- system.time(fit <- suppressMessages(eval(as.call(call))))[["elapsed"]]
  varcov <- lapply(fit$random, function(term) term$varcov)
  theirs <- lapply(reference$varcov, function(m) matrix(unlist(m), nrow = length(m)))
  vcov <- vcov(fit, complete = FALSE)
  data.frame(
    id = id, status = fit$convergence$status, criterion = fit$criterion - reference$criterion,
    beta = relative(stats::na.omit(fixef(fit)), unlist(reference$fixef)),
    vcov = relative(vcov, matrix(unlist(reference$vcov), nrow(vcov))),
    sigma = relative(sigma(fit), reference$sigma), theta = relative(fit$theta, unlist(reference$theta)),
    varcov = max(mapply(relative, varcov, theirs)),
    AIC = AIC(fit) - reference$AIC, BIC = BIC(fit) - reference$BIC,
    singular = isSingular(fit) == reference$singular, evaluations = fit$convergence$evaluations,
    seconds = seconds
  )
}

index <- jsonlite::fromJSON(file.path(folder, "index.json"), simplifyVector = FALSE)
ids <- vapply(index, function(entry) entry$id, "")
table <- do.call(rbind, lapply(ids, function(id) {
  tryCatch(compare(id), error = function(e) {
    cat(id, "FAILED:", conditionMessage(e), "\n")
    NULL
  })
}))
options(width = 200, digits = 3)
print(table, row.names = FALSE)
cat("models:", nrow(table), "of", length(ids), "\n")
worst <- c("criterion", "beta", "vcov", "sigma", "theta", "varcov", "AIC", "BIC")
print(vapply(table[worst], function(x) max(abs(x)), 0))
if (length(args) > 1L) utils::write.csv(table, args[[2L]], row.names = FALSE)
