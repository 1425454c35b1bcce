# A failure record as the engine returns it, raised for a design with these data.
raised <- function(class, data = list(), formula = y ~ x + (x | g), rows = sleep_data(), text = "") {
  design <- design_for(formula, rows)
  failure <- list(class = class, message = text, data = data)
  tryCatch(raise_failure(failure, design, design$built$frame, quote(lmm())), error = identity)
}

test_that("every failure of the engine becomes a classed error in the user's names", {
  cases <- list(
    list("constant_response", list(), "`y`"),
    list("perfect_fit", list(reason = "fixed"), "fixed effects reproduce `y`"),
    list("perfect_fit", list(reason = "random"), "fixed and random effects reproduce `y`"),
    list("perfect_fit", list(reason = "random", ratio = 6e-5), "to within 6e-05 of its spread"),
    list("perfect_fit", list(reason = "vanishes", ratio = 1e-3), "as that of `y` tends to zero"),
    list("no_residual_df", list(n = 10L, rank = 10L), "10 observations and 10 fixed effects"),
    list("unidentified", list(term = 1L, reason = "fixed", parts = c(1, 1, 1)), "`[(]x [|] g[)]`.*fixed part"),
    list("unidentified", list(term = 1L, reason = "flat", parts = c(1, 1, 1)), "`[(]x [|] g[)]`"),
    list("unidentified", list(term = 1L, reason = "few", parts = c(1, 1, 1)), "has 3 parameters.*at most 54"),
    list("rank_random", list(term = 1L, column = 2L), "column `x`"),
    list("too_large", list(bytes = 5e10, limit = 8e9), "50 GB where 8 GB"),
    list("dimension", list(), "report"),
    list("internal", list(), "report")
  )
  for (case in cases) {
    error <- raised(case[[1]], case[[2]])
    expect_three_lines(error, paste0("ferrite_error_", case[[1]]))
    expect_match(conditionMessage(error), case[[3]])
    expect_identical(conditionCall(error), quote(lmm()))
  }
})

test_that("a flat criterion names both terms", {
  parts <- c(1, 1, 1, 2, 1, 1)
  error <- raised("unidentified", list(term = 1L, reason = "flat", parts = parts), y ~ x + (1 | g) + (1 | x))
  expect_match(conditionMessage(error), "`[(]1 [|] g[)]` and `[(]1 [|] x[)]`")
})

test_that("a value that is not finite is named with its variable and the user's rows", {
  data <- sleep_data()
  row.names(data) <- paste0("r", 1:180)
  data$y[c(7, 9)] <- Inf
  text <- conditionMessage(raised("nonfinite", list(kind = "response", column = 1L, row = 7L), rows = data))
  expect_match(text, "`y` is infinite in rows r7 and r9")
  data <- sleep_data()
  data$z <- replace(data$x, 11, -Inf)
  data <- data[-(1:2), ]
  text <- conditionMessage(raised("nonfinite", list(kind = "fixed", column = 4L, row = 9L), y ~ x * z + (1 | g), data))
  expect_match(text, "`z` is .* in row 11")
  where <- list(kind = "random", term = 1L, column = 2L, row = 9L)
  text <- conditionMessage(raised("nonfinite", where, y ~ x + (z | g), data))
  expect_match(text, "`z` is infinite in row 11")
  text <- conditionMessage(raised("nonfinite", list(kind = "random", column = 2L, row = 9L), y ~ x + (z | g), data))
  expect_match(text, "`z` is not finite in row 11")
})

test_that("an error from below the seam is a failure of class internal", {
  expect_identical(call_engine(stop("100%s"))$failure$class, "internal")
  expect_identical(call_engine(stop("100%s"))$failure$message, "100%s")
  expect_identical(call_engine(list(theta = 1)), list(theta = 1))
})

test_that("an interrupt is passed on as an interrupt", {
  caught <- tryCatch(raised("interrupted"), interrupt = function(e) "interrupt")
  expect_identical(caught, "interrupt")
})

test_that("starting values are checked against theta", {
  names <- c("g.(Intercept)", "g.x")
  expect_null(check_start(NULL, names, NULL))
  expect_identical(check_start(1:2, names, NULL), c(1, 2))
  for (wrong in list(1, c(1, NA), "1", c(1, Inf), list(1, 2))) {
    expect_three_lines(tryCatch(check_start(wrong, names, NULL), error = identity), "ferrite_error_start")
  }
})

test_that("combinations of codes are numbered first code slowest, only those that occur", {
  crossed <- cross_codes(list(c(2L, 1L, 2L, 1L), c(1L, 3L, 1L, 2L)), c(2L, 3L))
  expect_identical(crossed$codes, c(3L, 2L, 3L, 1L))
  expect_identical(crossed$parents, cbind(c(1L, 1L, 2L), c(2L, 3L, 1L)))
})

test_that("a silent fit has no progress report", {
  expect_null(progress_meter(FALSE)$report)
  expect_type(progress_meter(TRUE)$report, "closure")
})
