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
