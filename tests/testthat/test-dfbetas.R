# What deletions change, by the definitions.

test_that("changes follow their definitions", {
  fit <- shared_fit("slope")
  child <- influence(fit, "Subject")
  without <- suppressMessages(lmm(formula(fit), subset(nlme::Orthodont, Subject != "M13")))
  change <- fixef(without) - fixef(fit)
  expect_equal(dfbeta(child)["M13", ], change, tolerance = 1e-7)
  expect_equal(dfbetas(child)["M13", ], change / sqrt(diag(vcov(without))), tolerance = 1e-7)
  distance <- sum(change * solve(vcov(fit), change)) / 4
  expect_equal(cooks.distance(child, adjust = FALSE)[["M13"]], distance, tolerance = 1e-7)
  expect_equal(cooks.distance(child)[["M13"]], distance * (27 - 4) / 27, tolerance = 1e-7)
  expect_identical(dimnames(dfbeta(child)), list(child$deleted, names(fixef(fit))))
  components <- dfbeta(child, "var.cov")
  expect_identical(colnames(components), c("sigma^2", "v[(Intercept)]", "C[age,(Intercept)]", "v[age]"))
  expect_equal(components["M13", "sigma^2"], sigma(without)^2 - sigma(fit)^2, tolerance = 1e-6)
  expect_equal(components["M13", "C[age,(Intercept)]"], (VarCorr(without)$Subject - VarCorr(fit)$Subject)[1, 2],
    tolerance = 1e-6)
})

test_that("a fit can be given in the place of its influence", {
  fit <- shared_fit("weighted")
  expect_equal(dfbetas(fit), dfbetas(influence(fit)))
  expect_equal(dfbeta(fit, groups = "Subject"), dfbeta(influence(fit, "Subject")))
  expect_identical(dim(dfbeta(fit, "var.cov")), c(108L, 2L))
  expect_error(dfbetas(fit, by = "Subject"), class = "ferrite_error_argument")
})

test_that("a factor of Cook's distance that is not positive is left out", {
  fit <- suppressMessages(lmm(score ~ Machine * w + (1 | Worker), transform(nlme::Machines, w = sin(seq_along(score)))))
  worker <- influence(fit, "Worker")
  condition <- expect_message(distance <- cooks.distance(worker), class = "ferrite_message_cooks_distance")
  expect_three_lines(condition, "ferrite_message_cooks_distance")
  expect_identical(distance, cooks.distance(worker, adjust = FALSE))
  expect_silent(table <- as.data.frame(worker))
  expect_equal(table$cooks.distance, unname(distance))
})

test_that("wrong arguments are named", {
  child <- influence(shared_fit("slope"), "Subject")
  expect_error(dfbeta(child, "random"), class = "ferrite_error_argument")
  expect_error(cooks.distance(child, adjust = "lme4"), class = "ferrite_error_argument")
})
