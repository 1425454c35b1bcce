test_that("a refit is the fit of the model to data with that response", {
  data <- as.data.frame(nlme::Orthodont)
  for (name in c("slope", "uncorrelated", "weighted", "dropped", "ml")) {
    fit <- shared_fit(name)
    data$distance <- simulate(fit, seed = 21)$sim_1
    again <- suppressMessages(refit(fit, data$distance))
    call <- fit$call
    call$data <- quote(data)
    fresh <- suppressMessages(eval(call))
    expect_equal(again$criterion, fresh$criterion, tolerance = 1e-9, info = name)
    expect_equal(again$beta, fresh$beta, tolerance = 1e-6, info = name)
    expect_equal(fitted(again), fitted(fresh), tolerance = 1e-6, info = name)
    expect_identical(again$call, fit$call)
    expect_identical(isREML(again), isREML(fit))
    expect_equal(model.frame(again)[[1]], data$distance)
  }
})

test_that("refitting to its own response changes nothing, and units do what they must", {
  fit <- shared_fit("slope")
  own <- refit(fit, nlme::Orthodont$distance)
  expect_equal(own$criterion, fit$criterion, tolerance = 1e-10)
  tenfold <- refit(fit, 10 * nlme::Orthodont$distance)
  expect_equal(fixef(tenfold), 10 * fixef(fit), tolerance = 1e-7)
  expect_equal(sigma(tenfold), 10 * sigma(fit), tolerance = 1e-7)
  moved <- transform(as.data.frame(nlme::Orthodont), o = age / 10)
  offset <- lmm(distance ~ age + offset(o) + (1 | Subject), moved)
  expect_equal(fixef(refit(offset, moved$distance + 5)), fixef(offset) + c(5, 0), tolerance = 1e-7)
})

test_that("a new response may come as a column, and with the rows that were left out", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[c(3, 50)] <- NA
  padded <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  plain <- lmm(distance ~ age + (1 | Subject), data, na.action = na.omit)
  drawn <- simulate(padded, 2, seed = 1)
  expected <- refit(plain, drawn$sim_1[-c(3, 50)])
  for (response in list(drawn[1], as.matrix(drawn[1]), drawn$sim_1)) {
    expect_equal(refit(padded, response)$theta, expected$theta)
    expect_equal(refit(plain, response)$theta, expected$theta)
  }
  expect_length(residuals(refit(padded, drawn[1])), 108L)
  expect_equal(refit(plain, as.integer(round(drawn$sim_1[-c(3, 50)])))$nobs, 106L)
})

test_that("a response that will not do is an error in three lines", {
  fit <- shared_fit("slope")
  own <- nlme::Orthodont$distance
  for (wrong in list(own[-1], letters, NULL, factor(own), replace(own, 4, NA), cbind(own, own))) {
    condition <- expect_error(refit(fit, wrong), class = "ferrite_error_response")
    expect_three_lines(condition, "ferrite_error_response")
  }
  expect_match(conditionMessage(expect_error(refit(fit, replace(own, 4, NA)))), "row 4", fixed = TRUE)
  expect_error(refit(fit, replace(own, 4, Inf)), class = "ferrite_error_nonfinite")
  expect_error(refit(fit, rep(1, 108)), class = "ferrite_error_constant_response")
  expect_error(refit(fit, own, weights = 1), class = "ferrite_error_argument")
  expect_error(refit(lm(distance ~ age, nlme::Orthodont), own), class = "ferrite_error_argument")
  expect_identical(conditionCall(expect_error(refit(fit, 1)))[[1]], quote(refit))
})

test_that("a refit can be updated from its frame, but not from data with the old response", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  other <- refit(fit, 2 * nlme::Orthodont$distance)
  expect_equal(fixef(update(other, REML = FALSE)), 2 * fixef(fit), tolerance = 1e-7)
  condition <- expect_error(update(other, . ~ . + Sex), class = "ferrite_error_update")
  expect_match(conditionMessage(condition), "refit()", fixed = TRUE)
  doubled <- transform(as.data.frame(nlme::Orthodont), distance = 2 * distance)
  expect_named(fixef(update(other, . ~ . + Sex, data = doubled)), c("(Intercept)", "age", "SexFemale"))
})

test_that("lme4's generic finds the method, and lme4's models are handed on", {
  skip_if_not_installed("lme4")
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  expect_s3_class(lme4::refit(fit, 2 * nlme::Orthodont$distance), "lmm")
  theirs <- lme4_fit(distance ~ age + (1 | Subject), nlme::Orthodont)
  response <- simulate(fit, seed = 2)$sim_1
  both <- list(refit(fit, response), refit(theirs, response))
  expect_equal(fixef(both[[1]]), fixef(both[[2]]), tolerance = 1e-6)
})

test_that("many responses are refitted as each by itself", {
  for (name in c("slope", "uncorrelated", "weighted", "dropped", "nested", "singular")) {
    fit <- shared_fit(name)
    responses <- simulate(fit, 6, seed = 3)
    many <- refit_many(fit, responses)
    one <- lapply(responses, function(y) suppressMessages(refit(fit, y)))
    expect_equal(many$criterion, vapply(one, `[[`, 0, "criterion"), tolerance = 1e-8, ignore_attr = TRUE, info = name)
    expected <- do.call(rbind, lapply(one, default_statistic))
    expect_equal(many$parameters, expected, tolerance = 1e-5, ignore_attr = TRUE, info = name)
    expect_identical(colnames(many$parameters), names(default_statistic(fit)))
    expect_true(all(many$certified))
  }
})

test_that("matrices, data frames and lists give the same table, with one thread or two", {
  fit <- shared_fit("slope")
  responses <- simulate(fit, 20, seed = 5)
  table <- as.data.frame(refit_many(fit, responses, threads = 1))
  expect_identical(table$response, names(responses))
  expect_named(table, c("response", names(default_statistic(fit)), "criterion", "certified"))
  expect_equal(as.data.frame(refit_many(fit, as.matrix(responses), threads = 2)), table, tolerance = 1e-12)
  expect_equal(as.data.frame(refit_many(fit, as.list(responses))), table)
  expect_identical(as.data.frame(refit_many(fit, unname(as.matrix(responses))))$response, 1:20)
  expect_equal(as.data.frame(refit_many(fit, responses$sim_3))[-1], table[3, -1], ignore_attr = TRUE)
})

test_that("a response without a fit is NA, others are not disturbed", {
  fit <- shared_fit("slope")
  responses <- as.matrix(simulate(fit, 3, seed = 5))
  expected <- as.data.frame(refit_many(fit, responses))
  responses[, 2] <- 7
  many <- refit_many(fit, responses)
  table <- as.data.frame(many)
  expect_equal(table[-2, ], expected[-2, ])
  expect_true(all(is.na(table[2, names(default_statistic(fit))])))
  expect_identical(many$certified, c(TRUE, FALSE, TRUE))
  expect_match(printed(many), "1 response without a fit", fixed = TRUE)
  expect_match(printed(many), "3 responses", fixed = TRUE)
})

test_that("the trouble with one of many responses is named", {
  fit <- shared_fit("slope")
  own <- nlme::Orthodont$distance
  fails <- function(responses, text) {
    condition <- expect_error(refit_many(fit, responses), class = "ferrite_error_response")
    expect_three_lines(condition, "ferrite_error_response")
    expect_match(conditionMessage(condition), text, fixed = TRUE)
  }
  fails(list(a = own, b = 1:3), "`b` has 3 values")
  fails(data.frame(a = own, b = "x"), "`b` is a character")
  fails(cbind(a = own, b = replace(own, 2, NA)), "`b` is missing in row 2")
  fails(list(own, letters), "Response 2 is")
  fails(matrix(0, 108, 0), "none")
  fails(NULL, "NULL")
  fails("a", "character")
  expect_error(refit_many(fit), class = "ferrite_error_response")
  expect_error(refit_many(fit, own, threads = 0), class = "ferrite_error_argument")
  expect_error(refit_many(1, own), class = "ferrite_error_argument")
})

test_that("rows that were left out may be part of the responses", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[c(3, 50)] <- NA
  fit <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  drawn <- simulate(fit, 2, seed = 1)
  short <- lapply(drawn, function(y) y[-c(3, 50)])
  expect_equal(as.data.frame(refit_many(fit, drawn)), as.data.frame(refit_many(fit, short)))
  expect_equal(as.data.frame(refit_many(fit, list(sim_1 = drawn[[1]], sim_2 = short[[2]]))),
    as.data.frame(refit_many(fit, short)))
})
