test_that("switching the criterion needs no data", {
  fit <- (function(hidden) lmm(distance ~ age + (1 | Subject), hidden))(nlme::Orthodont)
  environment(fit$formula) <- globalenv()
  ml <- update(fit, REML = FALSE)
  expect_false(isREML(ml))
  expect_equal(ml$criterion, lmm(distance ~ age + (1 | Subject), nlme::Orthodont, REML = FALSE)$criterion,
    tolerance = 1e-9)
  expect_equal(update(ml, REML = TRUE)$criterion, fit$criterion, tolerance = 1e-9)
})

test_that("a refit from the frame keeps weights, uncorrelated terms and dropped columns", {
  for (name in c("weighted", "uncorrelated")) {
    expect_equal(update(shared_fit(name), REML = TRUE)$theta, shared_fit(name)$theta, tolerance = 1e-5)
  }
  expect_identical(suppressMessages(update(shared_fit("dropped"), REML = TRUE))$kept, shared_fit("dropped")$kept)
})

test_that("formulas change as update.formula() says", {
  fit <- shared_fit("slope")
  expect_identical(deparse(update(fit, . ~ . - age:Sex)$formula), "distance ~ age + Sex + (age | Subject)")
  smaller <- update(fit, . ~ . - (age | Subject) + (1 | Subject))
  expect_length(smaller$theta, 1L)
  expect_identical(update(fit, . ~ age + (1 | Subject), evaluate = FALSE)[[1]], quote(lmm))
})

test_that("it works inside functions", {
  make <- function() {
    local_data <- subset(as.data.frame(nlme::Orthodont), age > 8)
    lmm(distance ~ age + (1 | Subject), local_data)
  }
  expect_equal(nobs(update(make(), . ~ . + Sex)), 81)
  change <- function(fit) {
    flag <- FALSE
    heavy <- rep(2, 108)
    update(fit, REML = flag, weights = heavy)
  }
  changed <- change(shared_fit("slope"))
  expect_false(isREML(changed))
  expect_identical(unique(weights(changed)), 2)
  expect_false(isREML(update(changed, weights = NULL)))
})

test_that("data that are gone are named", {
  make <- function(form, passed) lmm(form, passed)
  fit <- make(distance ~ age + (1 | Subject), nlme::Orthodont)
  condition <- expect_error(update(fit, . ~ . + Sex), class = "ferrite_error_update")
  expect_match(conditionMessage(condition), "`passed`")
  expect_equal(nobs(update(fit, . ~ . + Sex, data = nlme::Orthodont)), 108)
  expect_error(update(fit, . ~ ., 3), class = "ferrite_error_argument")
})

test_that("crossing the random terms is an error that names what to write", {
  fit <- lmm(distance ~ age + (age | Subject), nlme::Orthodont)
  condition <- expect_error(update(fit, . ~ . * Sex), class = "ferrite_error_formula")
  expect_three_lines(condition, "ferrite_error_formula")
  expect_match(conditionMessage(condition), "`(age | Subject:Sex)`", fixed = TRUE)
  expect_match(conditionMessage(condition), "write `. ~ . + Sex + age:Sex`", fixed = TRUE)
  expect_error(update(fit, . ~ .^2), class = "ferrite_error_formula")
  expect_identical(attr(terms(update(fit, . ~ . + Sex + age:Sex)), "term.labels"), c("age", "Sex", "age:Sex"))
  empty <- lmm(distance ~ 1 + (1 | Subject), nlme::Orthodont)
  expect_error(update(empty, . ~ .:Sex), "Write out", class = "ferrite_error_formula")
  for (change in list(. ~ . + (1 | Sex:Subject), . ~ . + age - (1 | Subject) + (age || Subject), . ~ (.) + log(age))) {
    expect_type(update(empty, change, evaluate = FALSE), "language")
  }
})

test_that("a change that lmm() does not know is a classed error", {
  fit <- shared_fit("slope")
  condition <- expect_error(update(fit, family = binomial), class = "ferrite_error_argument")
  expect_three_lines(condition, "ferrite_error_argument")
  expect_match(conditionMessage(condition), "Gaussian", fixed = TRUE)
  expect_error(update(fit, weigths = age), "Did you mean `weights`", class = "ferrite_error_argument")
})
