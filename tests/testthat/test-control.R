test_that("the defaults are documented numbers", {
  control <- lmm_control()
  expect_s3_class(control, "lmm_control")
  expect_identical(control$threads, 2L)
  expect_identical(control$tolerance, 1e-10)
  expect_identical(control$max_evaluations, 1000L)
  expect_gt(control$memory, 0)
  expect_identical(control$progress, interactive())
})

test_that("every setting is checked, and the message names it", {
  expect_error(lmm_control(threads = 0), "threads", class = "ferrite_error_control")
  expect_error(lmm_control(threads = 1.5), "threads", class = "ferrite_error_control")
  expect_error(lmm_control(tolerance = -1), "tolerance", class = "ferrite_error_control")
  expect_error(lmm_control(tolerance = NA_real_), "tolerance", class = "ferrite_error_control")
  expect_error(lmm_control(max_evaluations = Inf), "max_evaluations", class = "ferrite_error_control")
  expect_error(lmm_control(memory = "1 GB"), "memory", class = "ferrite_error_control")
  expect_error(lmm_control(progress = NA), "progress", class = "ferrite_error_control")
  expect_identical(lmm_control(max_evaluations = 50)$max_evaluations, 50L)
  expect_identical(lmm_control(memory = 1e6)$memory, 1e6)
})

test_that("an unknown setting is an error that offers the nearest name", {
  expect_error(lmm_control(thread_count = 2), "thread_count", class = "ferrite_error_control")
  expect_error(lmm_control(tolerence = 1), "Did you mean `tolerance`", class = "ferrite_error_control")
  expect_error(lmm_control(2, 1e-8, 100, 1e9, TRUE, 7), "without a name", class = "ferrite_error_control")
})

test_that("the number of threads is limited to the cores", {
  expect_lte(lmm_control(threads = 1e6)$threads, max(2L, parallel::detectCores(), na.rm = TRUE))
})

test_that("free memory is read from the system, the container's limit included", {
  meminfo <- file_of("MemTotal: 2000 kB", "MemFree: 100 kB", "MemAvailable:   1000 kB")
  limit <- file_of("512000")
  none <- file_of("max")
  expect_identical(default_memory(meminfo, none), 0.75 * 1024000)
  expect_identical(default_memory(meminfo, limit), 0.75 * 512000)
  expect_identical(default_memory("no such file", "no such file"), 8e9)
  unlink(c(meminfo, limit, none))
})

test_that("lmm() takes settings only from lmm_control(), or a list of them", {
  data <- sleep_data()
  expect_identical(lmm(y ~ x + (1 | g), data, control = list(threads = 1))$control$threads, 1L)
  expect_error(lmm(y ~ x + (1 | g), data, control = NULL), class = "ferrite_error_control")
})

test_that("a spent budget of evaluations is a warning, and the fit says so", {
  data <- sleep_data()
  condition <- expect_warning(
    fit <- lmm(y ~ x + (x | g), data, control = lmm_control(max_evaluations = 3)),
    class = "ferrite_warning_not_converged"
  )
  expect_three_lines(condition, "ferrite_warning_not_converged")
  expect_identical(fit$convergence$status, "max_evaluations")
  expect_match(printed(fit), "NOT reached: stopped after")
})
