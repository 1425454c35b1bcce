# The slope of log(time) on log(size) over the upper half of the sizes.
exponent <- function(rows, column = "seconds") {
  rows <- rows[order(rows$size), ]
  upper <- utils::tail(seq_len(nrow(rows)), max(3L, ceiling(nrow(rows) / 2)))
  slope <- stats::lm.fit(cbind(1, log(rows$size[upper])), log(rows[[column]][upper]))$coefficients[[2L]]
  round(slope, 2)
}
