# Reference distributions of likelihood ratios whose null hypothesis lies on the boundary: chi-bar-square mixtures.
#
# Reads   what a test adds: parameters, and how many of them are variances that are zero under the hypothesis.
# Writes  the likelihood ratio, p-values and the text of the distribution.
# Used by compare.R, ranova.R.
#
# One new variance with k covariances: the alternatives near the hypothesis are a half-space of dimension k + 1, so the
# ratio is an equal mixture of chi-square with k and with k + 1 degrees of freedom (Self and Liang 1987, cases 5 and 6;
# Stram and Lee 1994). With two or more new variances they are a cone whose shape depends on the design; since one new
# variance must not be negative, it lies in a half-space, and the same mixture bounds the p-value from above.

# The statistic from two criteria (minus twice the log-likelihoods). Searches that end in the same place differ by their
# tolerance (1e-10 each) and by rounding, a few 1e-16 of the criterion; a ratio below 1e-7 does not differ from zero for
# any p-value that can be read (a half at zero, 0.4999 there).
likelihood_ratio <- function(small, large) {
  ratio <- small - large
  if (abs(ratio) < max(1e-7, 1e-12 * abs(large))) 0 else ratio
}

# What is added: `df` parameters, `variances` of them zero under the hypothesis.
mixture_p <- function(statistic, df, variances) {
  x <- max(statistic, 0)
  upper <- function(df) if (df == 0) as.double(x <= 0) else stats::pchisq(x, df, lower.tail = FALSE)
  if (variances < 1L) upper(df) else (upper(df - 1) + upper(df)) / 2
}

# "chi2(1)", "chi2(0:1)" for the equal mixture of 0 and 1 degrees of freedom, "chi2(2:3) bound".
mixture_text <- function(df, variances) {
  if (variances < 1L) return(paste0("chi2(", df, ")"))
  paste0("chi2(", df - 1L, ":", df, ")", if (variances > 1L) " bound")
}

# What the column Reference means, for below a table; nothing when it has ordinary chi-squares only.
mixture_notes <- function(reference) {
  reference <- unique(reference[!is.na(reference)])
  mixed <- grep(":", reference, fixed = TRUE, value = TRUE)
  example <- sub(" bound", "", mixed[1L], fixed = TRUE)
  df <- strsplit(gsub("chi2|[()]", "", example), ":", fixed = TRUE)[[1L]]
  c(
    if (length(mixed)) {
      paste0("A variance of zero is on the boundary. Reference ", example, ": the equal mixture of chi-square with ",
             df[1L], " and ", df[2L], " degrees of freedom (Self and Liang 1987; Stram and Lee 1994).")
    },
    if (any(grepl("bound", reference, fixed = TRUE))) {
      "Bound: several variances are tested at once; the p-value is at most the one shown."
    },
    if (any(grepl("?", reference, fixed = TRUE))) "Nested?: it was not recognised whether the random parts are nested.",
    if ("not nested" %in% reference) "Not nested: there is no likelihood ratio test; compare AIC and BIC."
  )
}
