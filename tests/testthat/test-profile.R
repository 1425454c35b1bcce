# profile(): values at given rises of the criterion.
#
# Closed forms: in a balanced one-way layout with a groups of n rows and sums of squares SSB, SSW,
# the profile of the mean by ML is zeta^2 = a log(1 + a n (mean - mu)^2 / SSB), and that of sigma by REML is
# zeta^2 = nu (log(sigma^2 / MSW) + MSW / sigma^2 - 1), nu = a (n - 1), as long as sigma^2 is below MSB.

rail <- function(...) lmm(travel ~ 1 + (1 | Rail), nlme::Rail, ...)
rail_squares <- function() {
  table <- summary(aov(travel ~ factor(as.character(Rail)), nlme::Rail))[[1]]
  list(ssb = table[1, 2], msw = table[2, 3], nu = table[2, 1])
}

test_that("profiles of the balanced one-way layout are the closed forms, under the right criterion", {
  p <- profile(rail())
  s <- rail_squares()
  mean <- p[p$par == "(Intercept)", ]
  expected <- 66.5 + sign(mean$zeta) * sqrt(s$ssb / 18 * expm1(mean$zeta^2 / 6))
  expect_close(mean$value, expected, 1e-8)
  sigma <- p[p$par == "sigma", ]
  rise <- s$nu * (log(sigma$value^2 / s$msw) + s$msw / sigma$value^2 - 1)
  expect_equal(sqrt(pmax(rise, 0)), abs(sigma$zeta), tolerance = 1e-7)
})

test_that("the table has a row for each point and the estimates at zeta = 0", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, REML = FALSE)
  p <- profile(fit, zeta = 2, points = 4)
  expect_s3_class(p, c("profile.lmm", "data.frame"), exact = TRUE)
  expect_named(p, c("par", "zeta", "value"))
  expect_identical(levels(p$par), c("sd_(Intercept)|Subject", "sigma", "(Intercept)", "age"))
  expect_equal(p$zeta[1:9], seq(-2, 2, 0.5))
  expect_equal(p$value[p$zeta == 0], unname(c(random_sd(fit), sigma(fit), fixef(fit))))
  expect_true(all(tapply(p$value, p$par, function(value) all(diff(value) > 0))))
  expect_s3_class(as.data.frame(p), "data.frame", exact = TRUE)
  expect_s3_class(p[1:3, ], "data.frame", exact = TRUE)
  expect_identical(p["zeta"][[1]], p$zeta)
  expect_identical(nrow(profile(fit, "sigma", points = 3)), 7L)
  expect_match(printed(p), "Profile likelihood: maximum likelihood")
  expect_match(printed(profile(rail())), "REML; coefficients by maximum likelihood")
  expect_match(printed(profile(rail(), "sigma")), "likelihood: REML\n")
})

test_that("a profile ends at the edge of the parameter space, with the zeta that is reached there", {
  p <- profile(shared_fit("singular"))
  sd <- p[p$par == "sd_(Intercept)|batch", ]
  expect_identical(sd$value[1], 0)
  expect_identical(sd$zeta[1], 0)
  # zeta at a standard deviation of zero: the likelihood ratio against the model without it
  data <- subset(nlme::Orthodont, Sex == "Female" & age < 12)
  fit <- lmm(distance ~ age + (1 | Subject), data, REML = FALSE)
  sd <- profile(fit, 1, zeta = 9, points = 9)
  rise <- sqrt(2 * as.numeric(logLik(fit) - logLik(lm(distance ~ age, data))))
  expect_identical(sd$value[1], 0)
  expect_equal(sd$zeta[1], -rise, tolerance = 2e-3)
})

test_that("a profile knows its intervals, whatever its grid", {
  fit <- rail()
  p <- profile(fit, zeta = 1, points = 2)
  expect_equal(confint(p), confint(fit))
  expect_equal(confint(p, "sigma", level = 0.9), confint(fit, "sigma", level = 0.9))
})

test_that("plot() draws a panel for each parameter", {
  p <- profile(rail())
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit(unlink(file))
  expect_identical(withVisible(plot(p))$visible, FALSE)
  expect_silent(plot(profile(shared_fit("singular"), 1), level = 0.9, main = "sd"))
  grDevices::dev.off()
  expect_gt(file.size(file), 3000)
})

test_that("wrong arguments are errors in three lines", {
  fit <- rail()
  wrong <- list(
    quote(profile(fit, "sgma")), quote(profile(fit, 9)), quote(profile(fit, TRUE)), quote(profile(fit, zeta = 0)),
    quote(profile(fit, points = 0)), quote(profile(fit, alpha = 0.1)), quote(plot(profile(fit, 1), level = 95)),
    quote(confint(profile(fit, 1), "sigma"))
  )
  for (call in wrong) expect_three_lines(tryCatch(eval(call), error = identity), "ferrite_error_argument")
  expect_match(conditionMessage(tryCatch(profile(fit, "sgma"), error = identity)), "Did you mean `sigma`")
})
