# confint(): profile and Wald intervals.
#
# Figures of `profile_limits`: 95 % profile intervals by maximum likelihood from a dense likelihood, minimised over all
# other parameters in turn and solved by bisection; lme4 1.1-31 agrees to 5e-5 except for Dyestuff2 (where its lower
# limit of sigma is 0 and its upper one infinite). The first rows follow theta. No figure is that of one program alone.

profile_limits <- list(
  Dyestuff = list(Yield ~ 1 + (1 | Batch), c(12.1965052789661, 38.2301233112571, 1486.45148764445),
    c(84.0634109684649, 67.6576727947205, 1568.54851235555)),
  Dyestuff2 = list(Yield ~ 1 + (1 | Batch), c(0, 2.89284504254721, 4.31283749418182),
    c(2.08404787166005, 4.81583030422489, 7.01836250581818)),
  estrone = list(y ~ 1 + (1 | person), c(0.697024348578669, 0.490061064053377, 12.895747509027),
    c(2.58872584515055, 0.675533191176442, 15.4544836818571)),
  Penicillin = list(diameter ~ 1 + (1 | plate) + (1 | sample),
    c(0.633565186940337, 1.09583147521291, 0.485845559374444, 21.2666082389454),
    c(1.18210332969925, 3.55632239226441, 0.629453426531301, 24.677836205499)),
  Rail = list(travel ~ 1 + (1 | Rail), c(13.9292298259301, 2.82456374041923, 44.9606576238848),
    c(45.5469673797656, 6.37769491360852, 88.0393423761152)),
  sleepstudy = list(Reaction ~ Days + (1 | Subject),
    c(26.0070777853669, 27.8138554268127, 231.992348184945, 8.88655184932566),
    c(52.9359578996334, 34.591053222435, 270.817861512024, 12.0480200698663)),
  sleepstudy = list(Reaction ~ Days + (Days | Subject),
    c(14.3813845224003, -0.481492580464419, 3.80117728436773, 22.8982565148494, 237.68068994598, 7.35865200444193),
    c(37.7160549903073, 0.685018968495426, 8.75339198537791, 28.8579991917358, 265.12951975099, 13.5759199147499))
)

for (k in seq_along(profile_limits)) {
  local({
    entry <- profile_limits[[k]]
    name <- names(profile_limits)[k]
    test_that(paste("profile limits of", name, deparse1(entry[[1]]), "are those of the dense likelihood"), {
      fit <- suppressMessages(lmm(entry[[1]], reference_data(name), REML = FALSE))
      limits <- confint(fit)
      expect_close(limits[, 1], entry[[2]], 1e-6)
      expect_close(limits[, 2], entry[[3]], 1e-6)
    })
  })
}

test_that("rows, columns and attributes are named as promised", {
  fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
  limits <- confint(fit, level = 0.9)
  rows <- c("sd_(Intercept)|Subject", "cor_age.(Intercept)|Subject", "sd_age|Subject", "sigma", "(Intercept)", "age")
  expect_identical(dimnames(limits), list(rows, c("5 %", "95 %")))
  expect_identical(colnames(confint(fit, "sigma")), c("2.5 %", "97.5 %"))
  expect_identical(attr(limits, "method"), "profile")
  expect_identical(unname(attr(limits, "criterion")), rep(c("REML", "ML"), c(4, 2)))
  expect_true(is.matrix(limits))
  expect_match(printed(limits), "Profile likelihood (REML; coefficients by ML)", fixed = TRUE)
  expect_identical(rownames(confint(fit, "theta_")), rows[1:4])
  expect_identical(rownames(confint(fit, "beta_")), rows[5:6])
  expect_identical(rownames(confint(fit, c("age", "sigma"))), rows[c(6, 4)])
  expect_identical(rownames(confint(fit, 2:3)), rows[2:3])
  expect_equal(c(confint(fit, 4)), c(confint(fit)[4, ]), ignore_attr = TRUE)
  double <- lmm(distance ~ age + (age || Subject), nlme::Orthodont)
  expect_identical(rownames(confint(double, "theta_")), rows[c(1, 3, 4)])
})

test_that("variance parameters are profiled under the criterion of the fit", {
  fit <- lmm(y ~ 1 + (1 | person), estrone)
  limits <- confint(fit, "theta_")
  # REML in the balanced layout, sd of 5 women, 16 rows each: 75 log s2 + ssw / s2 + 4 log l + ssb / l, l = s2 + 16 sd^2
  squares <- summary(aov(y ~ person, estrone))[[1]][, 2]
  criterion <- function(s2, sd) {
    l <- s2 + 16 * sd^2
    75 * log(s2) + squares[2] / s2 + 4 * log(l) + squares[1] / l
  }
  lowest <- function(sd) optimize(criterion, c(0.1, 1), sd = sd, tol = 1e-12)$objective
  best <- criterion(squares[2] / 75, sqrt((squares[1] / 4 - squares[2] / 75) / 16))
  for (limit in limits[1, ]) expect_equal(lowest(limit) - best, qchisq(0.95, 1), tolerance = 1e-8)
  for (limit in limits[2, ]) {
    rise <- 75 * (2 * log(limit) - log(squares[2] / 75)) + squares[2] / limit^2 - 75
    expect_equal(rise, qchisq(0.95, 1), tolerance = 1e-8)
  }
})

test_that("limits on the boundary are exact", {
  fit <- shared_fit("singular")
  limits <- confint(fit)
  expect_identical(limits[1, 1], 0)
  expect_gt(limits[1, 2], 2)
  set.seed(3)
  data <- data.frame(g = gl(8, 6), x = rep(0:5, 8))
  data$y <- data$x + rnorm(48) + rnorm(8)[data$g]
  line <- suppressMessages(lmm(y ~ x + (x | g), data))
  expect_true(isSingular(line, 0))
  expect_identical(unname(confint(line, "cor_x.(Intercept)|g")[1, ]), c(-1, 1))
})

test_that("an undefined correlation and a dropped coefficient have NA limits", {
  # without any variation between groups
  data <- data.frame(g = gl(6, 4), x = rep(0:3, 6))
  data$y <- data$x + rep(c(1, -1, -1, 1, -1, 1, 1, -1), 3)
  flat <- suppressMessages(lmm(y ~ x + (x | g), data))
  skip_if_not(all(random_sd(flat) == 0))
  said <- tryCatch(confint(flat, "theta_"), ferrite_message_interval = identity)
  expect_three_lines(said, "ferrite_message_interval")
  limits <- suppressMessages(confint(flat, "theta_"))
  expect_identical(unname(limits[2, ]), c(NA_real_, NA_real_))
  expect_identical(unname(limits[c(1, 3), 1]), c(0, 0))
  dropped <- confint(shared_fit("dropped"), "beta_")
  expect_identical(unname(is.na(dropped[, 1])), c(FALSE, FALSE, TRUE))
  expect_true(all(is.na(confint(shared_fit("dropped"), "I(2 * age)", method = "boot", nsim = 50))))
})

test_that("limits by ML agree with those of lme4", {
  theirs <- lme4_fit(pixel ~ day + (1 | Dog) + (1 | Dog:Side), nlme::Pixel, REML = FALSE)
  ours <- lmm(pixel ~ day + (1 | Dog) + (1 | Dog:Side), nlme::Pixel, REML = FALSE)
  reference <- suppressWarnings(suppressMessages(confint(theirs, oldNames = FALSE, quiet = TRUE)))
  limits <- confint(ours)
  expect_identical(rownames(limits), rownames(reference))
  expect_equal(c(limits), c(reference), tolerance = 1e-3)
})

test_that("Wald intervals are for coefficients only", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  limits <- confint(fit, "beta_", method = "Wald")
  error <- sqrt(diag(vcov(fit)))
  expect_equal(limits[, 2] - limits[, 1], 2 * qnorm(0.975) * error)
  expect_equal(rowMeans(limits), fixef(fit))
  expect_identical(attr(limits, "method"), "Wald")
  said <- tryCatch(confint(fit, method = "Wald"), ferrite_message_interval = identity)
  expect_three_lines(said, "ferrite_message_interval")
  all <- suppressMessages(confint(fit, method = "Wald"))
  expect_identical(unname(is.na(all[, 1])), c(TRUE, TRUE, FALSE, FALSE))
})

test_that("a model without fixed effects has intervals", {
  fit <- lmm(travel - 66.5 ~ 0 + (1 | Rail), nlme::Rail)
  expect_identical(rownames(confint(fit)), c("sd_(Intercept)|Rail", "sigma"))
  expect_identical(nrow(suppressMessages(confint(fit, method = "Wald"))), 2L)
})

test_that("wrong arguments are errors in three lines", {
  fit <- lmm(travel ~ 1 + (1 | Rail), nlme::Rail)
  wrong <- list(
    quote(confint(fit, level = 95)), quote(confint(fit, "Rail")), quote(confint(fit, 4)), quote(confint(fit, 0)),
    quote(confint(fit, method = "wald")), quote(confint(fit, method = "boot", nsim = 0)), quote(confint(fit, oops = 1)),
    quote(confint(fit, method = "boot", type = "bias")), quote(confint(fit, list("sigma")))
  )
  for (call in wrong) expect_three_lines(tryCatch(eval(call), error = identity), "ferrite_error_argument")
  expect_match(conditionMessage(tryCatch(confint(fit, "sd_(Intercept)"), error = identity)), "sd_(Intercept)|Rail",
    fixed = TRUE
  )
})
