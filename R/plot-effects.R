# Tables of random effects: caterpillar, quantiles, shrinkage.
#
# Reads   a fit and the options of a plot.
# Writes  tables as plot_data() describes them, a row for each level and effect.

caterpillar_data <- function(fit, options) caterpillar_table(as.data.frame(ranef(fit)), options)

# Without conditional variances the intervals are points.
caterpillar_table <- function(effects, options) {
  table <- wanted_effects(effects, options)
  half <- stats::qnorm((1 + options$level) / 2) * or_else(table$condsd, 0)
  table$lower <- table$condval - half
  table$upper <- table$condval + half
  table$position <- rank_within(table$condval, effect_panels(table))
  rownames(table) <- NULL
  with_labels(table, "Random effects", sprintf("Random effect with %g %% interval", 100 * options$level), NULL,
    level = options$level
  )
}

# Ranks of values within their panel, ties in the order of the table.
rank_within <- function(values, panel) {
  codes <- as.integer(panel)
  order <- order(codes, values)
  size <- tabulate(codes)
  out <- numeric(length(values))
  out[order] <- seq_along(values) - rep(cumsum(c(0, size))[seq_along(size)], size)
  out
}

# Under the model the conditional mean of an effect has its variance minus the conditional one, whatever the size of
# the group; divided by the root of that, groups of different sizes can be compared with one normal distribution.
ranef_qq_data <- function(fit, options) {
  table <- as.data.frame(ranef(fit))
  table$variance <- effect_variances(fit)
  table <- wanted_effects(table, options)
  spread <- sqrt(pmax(table$variance - table$condsd^2, 0))
  spread[spread <= 1e-7 * sqrt(table$variance)] <- 0
  # a level whose rows say nothing about an effect that varies is left out
  known <- spread > 0 | table$variance == 0
  table <- table[known, , drop = FALSE]
  spread <- spread[known]
  table$standardised <- ifelse(spread > 0, table$condval / spread, 0)
  table$variance <- NULL
  panel <- effect_panels(table)
  rank <- rank_within(table$standardised, panel)
  n <- tabulate(panel)[panel]
  tail <- (1 - options$level) / 2
  table$theoretical <- stats::qnorm((rank - plotting_shift(n)) / (n + 1 - 2 * plotting_shift(n)))
  table$lower <- stats::qnorm(stats::qbeta(tail, rank, n + 1 - rank))
  table$upper <- stats::qnorm(stats::qbeta(1 - tail, rank, n + 1 - rank))
  table[spread == 0, c("lower", "upper")] <- NA_real_
  table <- table[order(as.integer(panel), rank), , drop = FALSE]
  rownames(table) <- NULL
  with_labels(table, "Normal quantile plot of random effects", "Standard normal quantile",
    "Standardised random effect", level = options$level
  )
}

# What ppoints() subtracts from the rank, for samples of size n.
plotting_shift <- function(n) ifelse(n <= 10, 3 / 8, 1 / 2)

# Var(b) of every row of as.data.frame(ranef(fit)).
effect_variances <- function(fit) {
  unlist(lapply(factor_names(fit), function(group) {
    terms <- Filter(function(term) identical(term$group, group), fit$random)
    lapply(terms, function(term) rep(diag(term$varcov), each = nrow(term$b)))
  }), use.names = FALSE)
}
