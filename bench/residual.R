# Residual structures beside the plain fit and beside nlme in one run: Rscript bench/residual.R [csv]
#
# First 1e6 rows in 1e4 groups: the plain random intercept, then strata, AR(1), both, and a function of a covariate. Then
# nlme on ever more groups of 20 rows, up to the last doubling that it fits within 60 s, and ferrite on the same rows. Medians
# of the whole call; a time is reported where our criterion is not above nlme's by more than 1e-6 of its size.

library(ferrite)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
source(file.path(here, "machine.R"))
source(file.path(here, "cases.R"))

limit <- 60
seconds <- function(f, times) {
  stats::median(vapply(seq_len(times), function(i) {
    gc(FALSE)
    system.time(f())[["elapsed"]]
  }, 0))
}

works <- list(
  plain = list(title = "(1 | g)", data = list(), ours = list(), theirs = list()),
  strata = list(
    title = "(1 | g), 3 strata", data = list(strata = TRUE), ours = list(dispersion = ~ s),
    theirs = list(weights = quote(nlme::varIdent(form = ~ 1 | s)))
  ),
  ar1 = list(
    title = "(1 | g), AR(1)", data = list(ar = 0.5), ours = list(correlation = quote(ar1(~ t | g))),
    theirs = list(correlation = quote(nlme::corAR1(form = ~ t | g)))
  ),
  both = list(
    title = "(1 | g), AR(1) and 3 strata", data = list(strata = TRUE, ar = 0.5),
    ours = list(dispersion = ~ s, correlation = quote(ar1(~ t | g))),
    theirs = list(weights = quote(nlme::varIdent(form = ~ 1 | s)), correlation = quote(nlme::corAR1(form = ~ t | g)))
  ),
  covariate = list(
    title = "(1 | g), sd exp(v d)", data = list(covariate = TRUE), ours = list(dispersion = ~ v),
    theirs = list(weights = quote(nlme::varExp(form = ~ v)))
  )
)
call_ours <- function(work, data) {
  arguments <- c(list(y ~ x + (1 | g), quote(data), control = quote(lmm_control(progress = FALSE))), work$ours)
  eval(as.call(c(quote(lmm), arguments)))
}
call_theirs <- function(work, data) {
  eval(as.call(c(quote(nlme::lme), list(y ~ x, quote(data), ~ 1 | g), work$theirs)))
}

rows <- list()
report <- function(...) {
  row <- data.frame(...)
  rows[[length(rows) + 1L]] <<- row
  print(row, digits = 3, row.names = FALSE)
}

plain <- NA_real_
for (work in works) {
  data <- do.call(series_of, c(list(1e4, 100), work$data))
  fit <- call_ours(work, data)
  own <- seconds(function() call_ours(work, data), 9L)
  if (is.na(plain)) plain <- own
  report(
    work = work$title, rows = nrow(data), groups = nlevels(data$g), ferrite = own, peer = "ferrite, (1 | g)", theirs = plain,
    ratio = own / plain, evaluations = fit$convergence$evaluations, difference = NA_real_, load = load_now()
  )
}

for (work in works) {
  groups <- 50L
  last <- NULL
  repeat {
    data <- do.call(series_of, c(list(groups, 20L), work$data))
    setTimeLimit(elapsed = 2 * limit, transient = TRUE)
    time <- tryCatch(system.time(fit <- call_theirs(work, data))[["elapsed"]], error = function(e) Inf)
    setTimeLimit()
    if (time > limit) break
    last <- list(data = data, time = time, criterion = -2 * as.numeric(stats::logLik(fit)))
    groups <- 2L * groups
    # twice the rows take at least twice the time
    if (2 * time > limit || groups > 2e5) break
  }
  if (is.null(last)) next
  fit <- call_ours(work, last$data)
  difference <- (last$criterion - fit$criterion) / abs(last$criterion)
  if (difference < -1e-6) stop(work$title, ": our criterion is above nlme's", call. = FALSE)
  own <- seconds(function() call_ours(work, last$data), 9L)
  report(
    work = work$title, rows = nrow(last$data), groups = nlevels(last$data$g), ferrite = own,
    peer = paste("nlme", utils::packageVersion("nlme")), theirs = last$time, ratio = last$time / own,
    evaluations = fit$convergence$evaluations, difference = difference, load = load_now()
  )
}
table <- cbind(do.call(rbind, rows), machine())
args <- commandArgs(trailingOnly = TRUE)
utils::write.csv(table, if (length(args)) args[[1L]] else file.path(here, "residual.csv"), row.names = FALSE)
