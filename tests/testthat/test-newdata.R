test_that("lists and matrices of new data are taken as data frames", {
  fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  expected <- predict(fit, data.frame(age = c(8, 10)), re.form = NA)
  expect_equal(predict(fit, list(age = c(8, 10)), re.form = NA), expected)
  expect_equal(predict(fit, cbind(age = c(8, 10)), re.form = NA), expected)
})

test_that("a variable of the session does not stand in for a missing column", {
  outside <- nlme::Orthodont$age
  fit <- lmm(distance ~ outside + (1 | Subject), nlme::Orthodont)
  expect_error(predict(fit, nlme::Orthodont[1:3, ]), class = "ferrite_error_newdata")
  power <- 2
  curved <- lmm(distance ~ I(age^power) + (1 | Subject), nlme::Orthodont)
  expect_equal(predict(curved, as.data.frame(nlme::Orthodont)[1:3, ]), fitted(curved)[1:3])
})

test_that("crossings are matched by their parts, not by pasted labels", {
  data <- data.frame(a = rep(c("x:y", "x"), each = 12), b = rep(c("z", "y:z"), 12))
  data$b[data$a == "x:y"] <- "z"
  data$y <- sin(seq_len(24)) + c(a = 1)
  data$k <- rep(1:6, 4)
  fit <- suppressMessages(lmm(y ~ 1 + (1 | a:b) + (1 | k), data))
  expect_equal(predict(fit, data), fitted(fit))
})
