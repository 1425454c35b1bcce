test_that("a converged fit is certified", {
  record <- convergence(shared_fit("slope"))
  expect_s3_class(record, "lmm_convergence")
  expect_identical(record$status, "converged")
  expect_lt(record$decrement, 1e-8)
  expect_length(record$eigenvalues, 3L)
  expect_true(all(record$eigenvalues > 0))
  expect_true(is.na(record$kkt))
  expect_match(printed(record), "certified optimum")
})

test_that("a boundary fit says which variance is zero and that leaving it does not pay", {
  record <- convergence(shared_fit("singular"))
  expect_identical(record$status, "on_boundary")
  expect_gte(record$kkt, 0)
  expect_length(record$eigenvalues, 0L)
  expect_match(printed(record), "Hessian eigenvalues: none, no direction is free")
  expect_match(convergence_line(shared_fit("singular")), "batch variance is exactly 0 \\(score .* >= 0\\)")
})

test_that("what is not an optimum is not called one", {
  fit <- shared_fit("slope")
  fit$convergence$status <- "max_evaluations"
  expect_match(convergence_line(fit), "NOT reached: stopped after")
  fit$convergence$status <- "stalled"
  expect_match(convergence_line(fit), "NOT reached: no further progress")
})

test_that("deficient covariance matrices are described", {
  low <- data.frame(group = "g", effects = c("(Intercept)", "x", "(Intercept), x", "(Intercept), x"),
    size = c(1L, 1L, 2L, 2L), rank = c(0L, 0L, 0L, 1L))
  expect_identical(
    boundary_text(low),
    paste("g variance is exactly 0; g x variance is exactly 0; g covariance matrix is exactly 0;",
      "g covariance matrix has rank 1 of 2")
  )
})

test_that("on the boundary the curvatures of the free directions are there", {
  data <- transform(dyestuff2(), other = gl(3, 1, 30))
  data$yield <- data$yield + c(0, 10, 20)[data$other]
  fit <- suppressMessages(lmm(yield ~ 1 + (1 | batch) + (1 | other), data))
  record <- convergence(fit)
  expect_identical(record$status, "on_boundary")
  expect_length(record$eigenvalues, 1L)
  expect_gt(record$eigenvalues, 0)
  expect_match(printed(record), "Hessian eigenvalues: [0-9.]+ \\(of 1 free direction\\)")
})

test_that("the structure has the names of the factors and is indented", {
  record <- convergence(shared_fit("nested"))
  expect_match(record$structure, "^Worker:Machine: 18 blocks of 1 x 1")
  text <- strsplit(printed(record), "\n")[[1]]
  at <- grep("^Structure:", text)
  expect_match(text[at + 1], "^ {21}Worker: 6 blocks")
  expect_match(text[at + 2], "^ {21}workspace")
  expect_identical(named_structure("factor 12: 2 blocks\nworkspace: 1 MB", paste0("f", 1:12)),
    "f12: 2 blocks\nworkspace: 1 MB")
})

test_that("seconds are named and readable", {
  record <- convergence(shared_fit("slope"))
  expect_named(record$timing, c("frame", "design", "crossprod", "optimise", "estimates", "object", "total"))
  expect_equal(sum(record$timing[-7]), record$timing[["total"]])
  expect_true(all(record$timing >= 0))
  expect_match(printed(record), "Seconds: +(< )?[0-9.]+ in all: (< )?[0-9.]+ frame, .* sums, .* search, .* estimates")
  expect_identical(timing_text(c(crossprod = 2.1e-5, optimise = 0.001234, estimates = 12.3456)),
    "< 0.0001 sums, 0.0012 search, 12.3 estimates")
})

test_that("a decrement below rounding is not printed with digits", {
  expect_identical(decrement_text(2e-28, 3), "< 1e-15")
  expect_identical(decrement_text(0, 3), "0")
  expect_identical(decrement_text(0.12345, 3), "0.123")
})
