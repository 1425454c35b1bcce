orthodont <- function() as.data.frame(nlme::Orthodont)
apart <- distance ~ age + Sex + (1 | Subject) # made where no data are

test_that("fits of lapply() can be updated when their data are gone", {
  parts <- split(orthodont(), orthodont()$age > 10)
  fits <- lapply(parts, function(gone) lmm(apart, gone))
  condition <- NULL
  smaller <- withCallingHandlers(lapply(fits, update, . ~ . - Sex), ferrite_message_update = function(m) {
    condition <<- m
    invokeRestart("muffleMessage")
  })
  expect_three_lines(condition, "ferrite_message_update")
  expected <- lapply(parts, function(gone) lmm(distance ~ age + (1 | Subject), gone))
  for (k in 1:2) expect_equal(fixef(smaller[[k]]), fixef(expected[[k]]), tolerance = 1e-7)
})

test_that("new arguments are found though lapply() hands them on", {
  fits <- list(lmm(apart, orthodont()), lmm(distance ~ age + (1 | Subject), orthodont()))
  inner <- function() {
    hidden <- orthodont()[21:90, ]
    heavy <- rep(1:2, 35)
    flag <- FALSE
    lapply(fits, update, data = hidden, weights = heavy, REML = flag)
  }
  changed <- inner()
  expect_identical(vapply(changed, nobs, 1L), c(70L, 70L))
  expect_equal(unname(weights(changed[[2]])[1:3]), c(1, 2, 1))
  expect_false(isREML(changed[[1]]))
  formulas <- list(. ~ . - age, . ~ .)
  expect_length(fixef(Map(update, fits, formulas)[[1]]), 2L)
})

test_that("data of the same name that are others are reported, those with the response are preferred", {
  gone <- orthodont()
  environment(apart) <- environment()
  fits <- lapply(split(orthodont(), orthodont()$age > 10), function(gone) lmm(apart, gone))
  condition <- expect_message(update(fits[[1]], . ~ . - Sex), class = "ferrite_message_update")
  expect_match(conditionMessage(condition), "`gone` has 108 rows; the fit was made from 54", fixed = TRUE)
  changed <- local({
    gone <- transform(gone, distance = distance + 1)
    expect_no_message(update(lmm(apart, gone), . ~ . - Sex))
  })
  expect_equal(fixef(changed)[[1]], fixef(lmm(distance ~ age + (1 | Subject), gone))[[1]] + 1, tolerance = 1e-6)
  fit <- lmm(apart, gone)
  gone$distance[5] <- 30
  condition <- expect_message(update(fit, . ~ . - Sex), class = "ferrite_message_update")
  expect_match(conditionMessage(condition), "another response in 1 row", fixed = TRUE)
  gone$distance <- NULL
  expect_error(suppressMessages(update(fit, . ~ . - Sex)), class = "ferrite_error_variable")
})

test_that("the rows that the fit keeps come with their weights, offset and padding", {
  make <- function() {
    gone <- orthodont()
    gone$distance[3] <- NA
    gone$w <- seq_len(108)
    gone$o <- gone$age
    lmm(apart, gone, weights = w, offset = o, subset = age < 14, na.action = na.exclude)
  }
  fit <- make()
  expect_message(smaller <- update(fit, . ~ . - Sex), class = "ferrite_message_update")
  expect_equal(weights(smaller), weights(fit))
  expect_identical(is.na(residuals(smaller)), is.na(residuals(fit)))
  expect_equal(component(smaller, "offset"), component(fit, "offset"))
  data <- transform(orthodont(), w = seq_len(108))
  data$distance[3] <- NA
  fresh <- lmm(distance ~ age + (1 | Subject), data, weights = w, offset = age, subset = age < 14)
  expect_equal(smaller$criterion, fresh$criterion, tolerance = 1e-8)
  expect_error(update(fit, . ~ . - Sex, subset = age < 12), class = "ferrite_error_update")
  expect_error(update(fit, . ~ . + log(other)), class = "ferrite_error_update")
})

test_that("calls by do.call(), with() and pipes are evaluated again", {
  fit <- do.call("lmm", list(apart, orthodont()))
  expect_length(fixef(update(fit, . ~ . - Sex)), 2L)
  fit <- with(orthodont(), lmm(distance ~ age + (1 | Subject)))
  expect_length(fixef(update(fit, . ~ . - age)), 1L)
  fit <- lmm(distance ~ age + (1 | Subject), subset(orthodont(), age > 8))
  expect_identical(nobs(update(fit, . ~ . + Sex)), 81L)
  expect_identical(nobs(update(fit, weights = NULL)), 81L)
})
