# A fit owns its data: nothing that changes the user's objects in place changes a fit. References: the fit itself before
# the change, compared byte for byte.

state_of <- function(fit) {
  list(
    lapply(fit$frame, identity), fit$factors, fit$xlevels, summary(fit)$coefficients, residuals(fit),
    update(fit, REML = FALSE)$theta
  )
}

# Is a fit of the data the same after `change` has had its way with them?
stays <- function(data, change, ...) {
  fit <- lmm(distance ~ age + (1 | Subject), data, ...)
  before <- serialize(state_of(fit), NULL)
  change(data)
  identical(serialize(state_of(fit), NULL), before)
}

orthodont_table <- function() {
  data <- as.data.frame(nlme::Orthodont)
  data$Subject <- factor(as.character(data$Subject))
  data.table::as.data.table(data)
}

test_that("edits by reference of data.table do not reach a fit", {
  skip_if_not_installed("data.table")
  set <- data.table::set
  edits <- list(
    function(d) set(d, which(d$distance > 28), "distance", 28),
    function(d) set(d, 1:50, "age", 0),
    function(d) set(d, 1:50, "Subject", 3L),
    function(d) data.table::setattr(d$Subject, "levels", paste0("z", 1:27)),
    function(d) data.table::setattr(d$distance, "unit", "mm"),
    function(d) data.table::setnames(d, "age", "years"),
    function(d) data.table::setorderv(d, "distance")
  )
  for (edit in edits) {
    data <- orthodont_table()
    copy <- data.table::copy(data)
    expect_true(stays(data, edit))
    # the edit was one
    expect_false(identical(serialize(as.list(data), NULL), serialize(as.list(copy), NULL)))
  }
  expect_true(stays(orthodont_table(), edits[[2L]], weights = age))
  expect_true(stays(orthodont_table(), edits[[2L]], offset = age, subset = TRUE))
})

test_that("nor do they from a plain data frame, a list, an environment or variables of the session", {
  skip_if_not_installed("data.table")
  data <- as.data.frame(orthodont_table())
  edit <- function(d) data.table::set(data, 1:50, "age", -1)
  expect_true(stays(data, edit))
  data <- as.data.frame(orthodont_table())
  expect_true(stays(as.list(data), edit))
  data <- as.data.frame(orthodont_table())
  expect_true(stays(list2env(as.list(data)), edit))
  data <- as.data.frame(orthodont_table())
  distance <- data$distance
  age <- data$age
  Subject <- data$Subject # nolint: object_name_linter.
  fit <- lmm(distance ~ identity(age) + (1 | Subject))
  before <- serialize(state_of(fit), NULL)
  edit(NULL)
  expect_identical(age[1:50], rep(-1, 50))
  expect_identical(serialize(state_of(fit), NULL), before)
})

test_that("a compact sequence and columns with classes are copied as they are", {
  n <- 60
  data <- data.frame(x = seq_len(n), g = rep(1:6, each = 10), when = as.Date("2024-01-01") + seq_len(n))
  data$y <- sin(data$x) + data$g
  data$z <- I(data$y^2)
  data$m <- cbind(a = cos(data$x), b = data$x^2)
  fit <- suppressMessages(lmm(y ~ x + when + z + m + (1 | g), data))
  expect_identical(fit$frame[names(fit$frame)], stats::model.frame(y ~ x + when + z + m + g, data)[names(fit$frame)],
    ignore_attr = "terms")
  for (name in names(fit$frame)) expect_identical(fit$frame[[name]], data[[name]])
  named <- stats::setNames(data, names(data))
  rownames(named) <- paste0("row", seq_len(n))
  expect_identical(rownames(lmm(y ~ x + (1 | g), named)$frame), rownames(named))
})
