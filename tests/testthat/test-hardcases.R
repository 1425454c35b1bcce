# Input on which mixed-model programs answer wrongly, crash or say something useless.
#
# Source of every number: a dense likelihood in base R with Newton polish, made for these cases (40-digit arithmetic
# agrees to 2.5e-12 in the criterion). Printed there to 7 digits, hence the tolerance 1e-6; where a comment says so, the
# number follows from another by scale. Where lme4 or nlme differ, they stopped early or lost digits.

quiet <- function(expr) suppressMessages(expr)

expect_refused <- function(expr, class, ...) {
  error <- tryCatch(quiet(expr), error = identity)
  expect_three_lines(error, paste0("ferrite_error_", class))
  for (text in c(...)) expect_match(conditionMessage(error), text, fixed = TRUE)
}

expect_fit <- function(fit, sd, sigma, beta, criterion, tolerance = 1e-6) {
  expect_close(random_sd(fit), sd, tolerance)
  expect_close(fit$sigma, sigma, tolerance)
  expect_close(fit$beta, beta, tolerance)
  expect_lt(fit$criterion, criterion + 2e-6)
  expect_close(fit$criterion, criterion, 1e-8)
}

test_that("a predictor in units of 1e6 changes nothing but its unit", {
  data <- transform(sleep_data(), x = x * 1e6)
  fit <- expect_no_warning(lmm(y ~ x + (x | g), data))
  # criterion 1743.628272 + 2 log(1e6)
  expect_fit(fit, c(24.74045, 5.922133e-06), 25.59182, c(251.4051, 1.046729e-05), 1771.259293)
})

test_that("a correlated slope on a calendar year is the fit of the unshifted predictor", {
  fit <- lmm(y ~ x + (x | g), transform(sleep_data(), x = x + 2000))
  expect_fit(fit, c(11842.67, 5.922133), 25.59182, c(-20683.17, 10.46729), 1743.628272)
})

test_that("an offset of 1e9 in the response loses no digits", {
  fit <- lmm(y ~ x + (x | g), transform(sleep_data(), y = y + 1e9))
  expect_fit(fit, c(24.74045, 5.922133), 25.59182, c(1e9 + 251.4051, 10.46729), 1743.628272)
  expect_close(fit$beta[[1]] - 1e9, 251.4051)
})

test_that("an offset of 1e15 gives the fit of the rounded data", {
  data <- transform(sleep_data(), y = y + 1e15)
  fit <- lmm(y ~ x + (x | g), data)
  same <- lmm(y ~ x + (x | g), transform(data, y = y - 1e15))
  expect_close(fit$criterion, same$criterion, 1e-8)
  expect_close(random_sd(fit), random_sd(same), 1e-6)
  expect_close(fit$beta[["x"]], same$beta[["x"]], 1e-6)
})

test_that("a response in units of 1e-9 scales the estimates", {
  fit <- lmm(y ~ x + (x | g), transform(sleep_data(), y = y * 1e-9))
  expect_fit(fit, c(24.74045, 5.922133) * 1e-9, 25.59182e-9, c(251.4051, 10.46729) * 1e-9, -5633.854366)
})

test_that("a response of 1e150 does not overflow", {
  fit <- lmm(y ~ x + (1 | g), transform(sleep_data(), y = y * 1e150))
  expect_fit(fit, 3.712383e151, 3.099123e151, c(2.514051e152, 1.046729e151), 124744.509051)
})

test_that("a variance of zero is exactly zero, and a message says that the fit is singular", {
  # Dyestuff2 (Box and Tiao 1973, table 5.1.4): simulated yields of 6 batches. Closed form: MSB < MSW.
  yield <- c(
    7.298, 3.846, 2.434, 9.566, 7.99, 5.22, 6.556, 0.608, 11.788, -0.892, 0.11, 10.386, 13.434, 5.51, 8.166,
    2.212, 4.852, 7.092, 9.288, 4.98, 0.282, 9.014, 4.458, 9.446, 7.198, 1.722, 4.782, 8.106, 0.758, 3.758
  )
  data <- data.frame(yield, batch = rep(LETTERS[1:6], each = 5))
  expect_message(fit <- lmm(yield ~ 1 + (1 | batch), data), "`batch`", class = "ferrite_message_singular")
  expect_identical(random_sd(fit), 0)
  expect_fit(fit, 0, 3.715684, 5.6656, 161.8282778)
  expect_identical(fit$convergence$status, "on_boundary")
})

test_that("a singular slope of the oats data is found", {
  fit <- quiet(lmm(yield ~ nitro + (nitro | Block), as.data.frame(nlme::Oats)))
  expect_lt(fit$criterion, 604.541394 + 1e-6)
  expect_close(random_sd(fit), c(14.46674, 3.784868), 1e-4)
  expect_close(fit$beta, c(81.87222, 73.66667))
})

test_that("groups of one or two observations are fitted", {
  data <- transform(sleep_data(), g = (2 * (seq_along(y) - 1)) %/% 3)
  fit <- lmm(y ~ x + (1 | g), data)
  expect_fit(fit, 42.60321, 24.05173, c(240.8791, 12.84108), 1851.195128)
  expect_identical(fit$factors[[1]]$n_levels, 120L)
})

test_that("one group only is refused", {
  expect_refused(lmm(y ~ x + (1 | g), transform(sleep_data(), g = "a")), "groups", "`g` has 1")
})

test_that("one level for each observation is refused", {
  expect_refused(lmm(y ~ x + (1 | g), transform(sleep_data(), g = 1:180)), "unidentified", "180 levels for 180")
})

test_that("unused levels, characters and NA levels of the grouping factor are handled", {
  data <- sleep_data()
  reference <- list(37.12383, 30.99123, c(251.4051, 10.46729), 1786.465085)
  unused <- transform(data, g = factor(g, levels = c("never", levels(g))))
  fit <- lmm(y ~ x + (1 | g), unused)
  do.call(expect_fit, c(list(fit), reference))
  expect_identical(fit$factors[[1]]$n_levels, 18L)
  do.call(expect_fit, c(list(lmm(y ~ x + (1 | g), transform(data, g = as.character(g)))), reference))
  do.call(expect_fit, c(list(lmm(y ~ x + (1 | g), transform(data, g = as.numeric(as.character(g)) / 7))), reference))
  do.call(expect_fit, c(list(lmm(y ~ x + (1 | g), transform(data, g = addNA(replace(g, g == "372", NA))))), reference))
})

test_that("a logical grouping factor is fitted with a notice that two levels are few", {
  data <- transform(sleep_data(), g = seq_along(y) > 100)
  expect_message(fit <- lmm(y ~ x + (1 | g), data), "2 levels", class = "ferrite_message_levels")
  expect_fit(fit, 3.736203, 47.64162, c(251.5796, 10.46729), 1893.553931, 2e-6)
})

test_that("rows with NA in the grouping factor are dropped", {
  fit <- lmm(y ~ x + (1 | g), transform(sleep_data(), g = replace(g, c(5, 50), NA)))
  expect_fit(fit, 36.93114, 31.11475, c(251.3695, 10.42234), 1767.950748)
  expect_identical(fit$nobs, 178L)
  expect_identical(as.integer(fit$na.action), c(5L, 50L))
})

test_that("a response without residual variation is refused", {
  data <- transform(sleep_data(), y = 2 + 3 * x + 3 * as.integer(g))
  expect_refused(lmm(y ~ x + (1 | g), data), "perfect_fit", "`y`")
  expect_refused(lmm(y ~ x + (1 | g), transform(data, y = 2 + 3 * x)), "perfect_fit", "`y`")
})

test_that("a constant response is refused", {
  expect_refused(lmm(y ~ x + (1 | g), transform(sleep_data(), y = 5)), "constant_response", "`y` are 5")
  expect_refused(lmm(y ~ x + (1 | g), transform(sleep_data(), y = 0)), "constant_response", "`y` are 0")
})

test_that("dependent columns are dropped with their names, the coefficient is NA", {
  data <- transform(sleep_data(), x2 = x, seven = 7)
  expect_message(fit <- lmm(y ~ x + x2 + (1 | g), data), "`x2`", class = "ferrite_message_rank")
  expect_fit(fit, 37.12383, 30.99123, c(251.4051, 10.46729, NA), 1786.465085)
  expect_named(fit$beta, c("(Intercept)", "x", "x2"))
  expect_message(fit <- lmm(y ~ seven + (1 | g), data), "`seven`", class = "ferrite_message_rank")
  expect_fit(fit, 35.75385, 44.25907, c(298.5079, NA), 1904.326517)
})

test_that("as many fixed effects as observations are refused", {
  data <- transform(sleep_data()[1:10, ], g = rep(1:2, 5), z = factor(1:10))
  expect_refused(lmm(y ~ z + (1 | g), data), "no_residual_df", "10 observations")
})

test_that("a grouping factor that is a fixed effect as well is refused", {
  expect_refused(lmm(y ~ g + (1 | g), sleep_data()), "unidentified", "`(1 | g)`")
})

test_that("a fixed factor of one level is named", {
  expect_refused(lmm(y ~ x + f + (1 | g), transform(sleep_data(), f = factor("a"))), "levels", "`f`")
})

test_that("missing and infinite responses are named", {
  data <- sleep_data()
  expect_refused(lmm(y ~ x + (1 | g), transform(data, y = NA_real_)), "rows", "`y` is missing in all 180 rows")
  expect_refused(lmm(y ~ x + (1 | g), transform(data, y = replace(y, 7, Inf))), "nonfinite", "`y`", "row 7")
  expect_refused(lmm(y ~ x + (1 | g), transform(data, x = replace(x, 8, -Inf))), "nonfinite", "`x`", "row 8")
  expect_refused(lmm(y ~ 1 + (x | g), transform(data, x = replace(x, 8, -Inf))), "nonfinite", "`x`", "row 8")
  fit <- lmm(y ~ x + (1 | g), transform(data, y = replace(y, 7, NaN)))
  expect_fit(fit, 36.92735, 31.02156, c(251.3747, 10.43687), 1776.806255)
})

test_that("weights of zero, NA and two do what they say; negative ones are refused", {
  data <- transform(sleep_data(), w = rep(c(0, 1), c(3, 177)))
  expect_message(fit <- lmm(y ~ x + (1 | g), data, weights = w), class = "ferrite_message_zero_weights")
  same <- lmm(y ~ x + (1 | g), data[-(1:3), ])
  expect_identical(fit$nobs, 177L)
  expect_equal(fit$criterion, same$criterion)
  expect_equal(fit$beta, same$beta)
  expect_refused(lmm(y ~ x + (1 | g), data, weights = 2 * w - 1), "weights", "rows 1, 2 and 3")
  fit <- lmm(y ~ x + (1 | g), data, weights = replace(rep(1, 180), 1, NA))
  expect_fit(fit, 37.48947, 30.85297, c(252.3235, 10.32227), 1775.517133)
  expect_identical(fit$nobs, 179L)
  # all weights 2: the same model with sigma sqrt(2) times as large
  fit <- lmm(y ~ x + (1 | g), data, weights = rep(2, 180))
  expect_fit(fit, 37.12383, 43.82822, c(251.4051, 10.46729), 1786.465085)
})

test_that("formulas that are no mixed model say what to write", {
  data <- sleep_data()
  expect_refused(lmm(y ~ x, data), "formula", "lm(y ~ x)")
  expect_error(str2lang("y ~ x + (x g)"))
  expect_refused(lmm("y ~ x + (x g)", data), "formula", "y ~ x + (x g)")
  expect_refused(lmm(y ~ x + (1 | nosuch), data), "variable", "`nosuch`")
  expect_refused(lmm(y ~ nosuch + (1 | g), data), "variable", "`nosuch`")
  expect_refused(lmm(y ~ x + (1 | g) + (1 | g), data), "unidentified", "`(1 | g)`")
  expect_refused(lmm(y ~ x + (0 | g), data), "formula", "`(0 | g)`")
  # as lme4 reads it: the bar takes all to its left
  expect_message(bare <- lmm(y ~ x + 1 | g, data), class = "ferrite_message_formula")
  expect_equal(deviance(bare), deviance(lmm(y ~ 1 + (x | g), data)), tolerance = 1e-10)
  expect_refused(lmm(y ~ x + (x | g) + (1 | g), data), "unidentified", "`(Intercept)`")
  expect_refused(lmm(y ~ x + (1 | g / x), data), "unidentified", "180 levels for 180 observations")
})

test_that("a response that is no number is refused, a logical one fitted as 0 and 1 with a notice", {
  data <- sleep_data()
  expect_refused(lmm(y ~ x + (1 | g), transform(data, y = as.character(y))), "response", "`y`", "character")
  expect_refused(lmm(y ~ x + (1 | g), transform(data, y = factor(y > 300))), "response", "`y`", "factor")
  expect_message(fit <- lmm(y ~ x + (1 | g), transform(data, y = y > 300)), class = "ferrite_message_logical_response")
  expect_fit(fit, 0.2191317, 0.3786058, c(0.05454545, 0.08417508), 196.862477)
})

test_that("a character predictor is a factor", {
  fit <- lmm(y ~ x + (1 | g), transform(sleep_data(), x = ifelse(x < 5, "a", "b")))
  expect_fit(fit, 36.84952, 34.10817, c(271.6302, 53.75543), 1813.826638)
  expect_named(fit$beta, c("(Intercept)", "xb"))
})

test_that("a single row is refused", {
  expect_refused(lmm(y ~ x + (1 | g), sleep_data()[1, ]), "rows", "1 row")
})

test_that("weights that lie too far apart are refused, or the fit is right", {
  data <- sleep_data()
  for (big in 10^c(8, 20, 40, 100, 300)) {
    for (w in list(replace(rep(1, 180), 3, big), rep(c(1, big), each = 90), big^seq(0, 1, length.out = 180))) {
      fit <- tryCatch(suppressMessages(lmm(y ~ x + (x | g), data, weights = w)), error = identity)
      if (inherits(fit, "error")) {
        expect_s3_class(fit, "ferrite_error_weights")
        expect_match(conditionMessage(fit), "further apart", fixed = TRUE)
        expect_gt(big, 1e8)
      } else {
        # only the ratios of weights matter
        again <- suppressMessages(lmm(y ~ x + (x | g), data, weights = w / sqrt(big)))
        expect_equal(again$criterion, fit$criterion, tolerance = 1e-8)
        expect_lt(big, 1e31)
      }
    }
  }
})
