# Least squares within levels against lm(), and small systems against solve().

within_data <- function() {
  codes <- rep(1:6, c(1, 2, 3, 5, 8, 8))
  n <- length(codes)
  z <- cbind(1, sin(seq_len(n)), cos(2 * seq_len(n)))
  z[codes == 4, 2] <- 2
  list(codes = codes, z = z, y = cbind(seq_len(n) %% 7, sqrt(seq_len(n))))
}

test_that("levels are regressed as lm() does, and undetermined coefficients are known", {
  d <- within_data()
  within <- factor_within(d$z, d$codes, 6L)
  fit <- regress_within(within, d$y)
  can <- estimable_within(within)
  expect_identical(can[1:2, ], matrix(FALSE, 2, 3))
  expect_identical(can[3, ], rep(TRUE, 3))
  # the second column is constant in level 4: only the third is determined
  expect_identical(can[4, ], c(FALSE, FALSE, TRUE))
  for (level in 3:6) {
    rows <- d$codes == level
    own <- lm.fit(d$z[rows, ], d$y[rows, ])
    expect_equal(fit$residual[rows, ], matrix(own$residuals, sum(rows)), tolerance = 1e-10)
    wanted <- which(can[level, ])
    expect_equal(fit$coefficients[level, wanted, ], matrix(own$coefficients, 3)[wanted, ], tolerance = 1e-10)
  }
})

test_that("a column of zeros does not take the others with it", {
  within <- factor_within(cbind(1, c(0, 0, 0, 1, 2, 3)), rep(1:2, each = 3), 2L)
  expect_identical(estimable_within(within), cbind(c(TRUE, TRUE), c(FALSE, TRUE)))
})

test_that("the systems of all levels are solved at once", {
  set.seed(4)
  a <- array(0, c(5, 3, 3))
  b <- array(rnorm(30), c(5, 3, 2))
  for (j in 1:5) a[j, , ] <- crossprod(matrix(rnorm(12), 4)) + diag(3)
  x <- solve_levels(a, b)
  for (j in 1:5) expect_equal(x[j, , ], solve(a[j, , ], b[j, , ]))
  m <- matrix(rnorm(6), 3)
  expect_equal(times_matrix(a, m)[4, , ], a[4, , ] %*% m)
})

test_that("cross-products by level", {
  d <- within_data()
  products <- level_products(d$z, d$codes, 6L)
  rows <- d$codes == 5
  expect_equal(products[5, , ], crossprod(d$z[rows, ]))
  expect_equal(level_squares(factor_within(d$z, d$codes, 6L)$r)[5, , ], crossprod(d$z[rows, ]))
})
