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

test_that("factors are matched by level, in whatever order, as text or as factors", {
  fit <- lmm(score ~ Machine + (Machine | Worker), nlme::Machines)
  rows <- data.frame(Machine = c("C", "A"), Worker = c("3", "6"))
  expected <- fitted(fit)[c(which(nlme::Machines$Machine == "C" & nlme::Machines$Worker == "3")[1],
    which(nlme::Machines$Machine == "A" & nlme::Machines$Worker == "6")[1])]
  expect_close(predict(fit, rows), unname(expected))
  shuffled <- transform(rows, Machine = factor(Machine, c("C", "B", "A")), Worker = factor(Worker, c("6", "3")))
  expect_equal(predict(fit, shuffled), predict(fit, rows))
  one <- predict(fit, rows[1, ], se.fit = TRUE)
  expect_equal(one$se.fit, predict(fit, rows, se.fit = TRUE)$se.fit[1])
})

test_that("bases are those of the fit", {
  fit <- lmm(distance ~ splines::ns(age, 2) * Sex + (poly(age, 1) | Subject), nlme::Orthodont)
  rows <- as.data.frame(nlme::Orthodont)[c(4, 2, 90), ]
  expect_equal(predict(fit, rows), fitted(fit)[c(4, 2, 90)], ignore_attr = TRUE)
  expect_equal(predict(fit, rows[2, ], se.fit = TRUE)$se.fit, predict(fit, se.fit = TRUE)$se.fit[2],
    ignore_attr = TRUE, tolerance = 1e-9)
})

test_that("an error in three lines names the columns and levels", {
  fit <- lmm(score ~ Machine + (1 | Worker), nlme::Machines)
  condition <- expect_error(predict(fit, data.frame(machine = "A", Worker = "1")), class = "ferrite_error_newdata")
  expect_three_lines(condition, "ferrite_error_newdata")
  expect_match(conditionMessage(condition), "Did you mean `machine`", fixed = TRUE)
  condition <- expect_error(predict(fit, data.frame(Machine = "A", Worker = c("1", "x", "y"))),
    class = "ferrite_error_new_levels")
  expect_three_lines(condition, "ferrite_error_new_levels")
  expect_match(conditionMessage(condition), "`x` and `y` are new", fixed = TRUE)
  expect_identical(as.character(conditionCall(condition)[[1L]]), "predict")
})

test_that("a variable of another kind is named", {
  data <- transform(as.data.frame(nlme::Orthodont), late = age > 10)
  fit <- lmm(distance ~ late + age + (1 | Subject), data)
  expect_equal(predict(fit, data[2:3, ]), fitted(fit)[2:3])
  new <- data.frame(late = "yes", age = 9, Subject = "M01")
  condition <- expect_error(predict(fit, new), class = "ferrite_error_newdata")
  expect_match(conditionMessage(condition), "`late` is a character vector of length 1; in the fit it was logical",
    fixed = TRUE)
})
