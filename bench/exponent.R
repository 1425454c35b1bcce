# The slope of log(time) on log(size) over the upper half of the sizes, with its standard error; columns of scaling.csv, or
# "evaluation", the time of one.
exponent <- function(rows, column = "seconds") {
  rows <- rows[order(rows$size), ]
  time <- if (column == "evaluation") rows$optimise / rows$evaluations else rows[[column]]
  upper <- utils::tail(seq_len(nrow(rows)), max(3L, ceiling(nrow(rows) / 2)))
  line <- stats::lm(log(time[upper]) ~ log(rows$size[upper]))
  c(slope = stats::coef(line)[[2L]], error = suppressWarnings(sqrt(stats::vcov(line)[2L, 2L])))
}

exponent_text <- function(rows, column = "seconds", between = " +- ") {
  found <- exponent(rows, column)
  sprintf("%.2f%s%.2f", found[["slope"]], between, found[["error"]])
}
