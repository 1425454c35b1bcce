# Fits that the tests of the reading methods share: each is made once, when first asked for.
#
# Figures called "the reference" in these tests: two independent programs agree on them, lme4 1.1-31 and a dense
# likelihood polished by Newton's method (criterion and estimates to 1e-7, variances and theta to 1e-5 relative).
shared_fits <- new.env()

shared_fit <- function(name) {
  if (is.null(shared_fits[[name]])) {
    shared_fits[[name]] <- suppressMessages(switch(name,
      slope = lmm(distance ~ age * Sex + (age | Subject), nlme::Orthodont),
      uncorrelated = lmm(distance ~ age + Sex + (age || Subject), nlme::Orthodont),
      ml = lmm(distance ~ I(age - 11) * Sex + (I(age - 11) | Subject), nlme::Orthodont, REML = FALSE),
      nested = lmm(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines),
      crossed = lmm(pixel ~ day + I(day^2) + (day | Dog) + (1 | Dog:Side), nlme::Pixel),
      singular = lmm(yield ~ 1 + (1 | batch), dyestuff2()),
      dropped = lmm(distance ~ age + I(2 * age) + (1 | Subject), nlme::Orthodont),
      weighted = lmm(distance ~ age + (1 | Subject), nlme::Orthodont, weights = nlme::Orthodont$age / 10)
    ))
  }
  shared_fits[[name]]
}

# Box and Tiao (1973), table 5.1.4: made-up yields of six batches whose batch variance is estimated as zero.
dyestuff2 <- function() {
  data.frame(
    batch = gl(6, 5, labels = LETTERS[1:6]),
    yield = c(
      7.298, 3.846, 2.434, 9.566, 7.99, 5.22, 6.556, 0.608, 11.788, -0.892, 0.11, 10.386, 13.434, 5.51, 8.166,
      2.212, 4.852, 7.092, 9.288, 4.98, 0.282, 9.014, 4.458, 9.446, 7.198, 1.722, 4.782, 8.106, 0.758, 3.758
    )
  )
}

# The same model by lme4, with its optimiser pushed to the end.
lme4_fit <- function(formula, data, ...) {
  testthat::skip_if_not_installed("lme4")
  control <- lme4::lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12), check.conv.singular = "ignore",
    check.rankX = "silent.drop.cols"
  )
  suppressWarnings(lme4::lmer(formula, data, ..., control = control))
}

printed <- function(x, ...) paste(utils::capture.output(print(x, ...)), collapse = "\n")
