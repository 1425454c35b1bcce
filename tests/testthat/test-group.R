codes_of <- function(x) code_variable(x, "x", NULL)

test_that("codes and levels are those of factor(), whatever the kind of variable", {
  kinds <- list(
    c(3L, 1L, 3L, -2L), c(2.5, 1e10, 2.5, -1), c("b", "a", "B", "b"), c(TRUE, FALSE, TRUE, TRUE),
    as.Date(c("2024-03-01", "2023-01-01", "2024-03-01", "2024-03-02")),
    factor(c("v", "u", "v", "w"), levels = c("w", "x", "v", "u")),
    as.POSIXct(c(10, 5, 10, 20), origin = "1970-01-01", tz = "UTC"), ordered(c(2, 1, 2, 3))
  )
  for (x in kinds) {
    reference <- factor(x)
    expect_identical(codes_of(x), list(codes = as.integer(reference), levels = levels(reference)))
  }
})

test_that("numbers that print alike are different levels", {
  x <- c(0.1 + 0.2, 0.3, 0.3)
  coded <- codes_of(x)
  expect_identical(coded$codes, c(2L, 1L, 1L))
  expect_identical(anyDuplicated(coded$levels), 0L)
  expect_identical(match_levels(x, coded$levels), coded$codes)
})

test_that("an NA level is a level", {
  x <- addNA(factor(c("a", NA, "b", NA)))
  expect_identical(codes_of(x), list(codes = c(1L, 3L, 2L, 3L), levels = c("a", "b", "<NA>")))
})

test_that("what cannot be a grouping variable is named", {
  for (x in list(matrix(1:4, 2), complex(3), as.raw(1:3))) {
    expect_three_lines(tryCatch(codes_of(x), error = identity), "ferrite_error_groups")
  }
})

test_that("crossed factors have the levels of `a:b` that occur, first factor slowest", {
  data <- front_data()[-(1:9), ]
  data$b <- factor(data$b)
  design <- design_for(y ~ x + (1 | a:b:o), data)
  reference <- factor(with(data, a:b:o))
  expect_identical(design$factors[[1]]$levels, levels(reference))
  expect_identical(design$factors[[1]]$codes, as.integer(reference))
  expect_identical(dim(design$factors[[1]]$parents), c(nlevels(reference), 3L))
})

test_that("labels never decide: `a:b` with colons in the labels stays apart", {
  data <- data.frame(y = sin(1:12), a = rep(c("p", "p:q"), 6), b = rep(c("q:r", "r", "s"), each = 4))
  design <- suppressMessages(design_for(y ~ 1 + (1 | a:b), data))
  expect_identical(design$factors[[1]]$n_levels, 6L)
  expect_identical(anyDuplicated(design$factors[[1]]$levels), 0L)
  expect_identical(codes_in(design$factors[[1]], data), design$factors[[1]]$codes)
})

test_that("levels are found again in other rows; new ones are NA", {
  data <- front_data()
  design <- design_for(y ~ x + (1 | a / b) + (1 | g), data)
  by_name <- stats::setNames(design$factors, vapply(design$factors, `[[`, "", "name"))
  new <- data[c(4, 1, 9), ]
  expect_identical(codes_in(by_name$`b:a`, new), by_name$`b:a`$codes[c(4, 1, 9)])
  expect_identical(codes_in(by_name$g, new), by_name$g$codes[c(4, 1, 9)])
  new$a <- factor(c("z", "new", NA))
  new$g <- c(10, NA, 11)
  expect_identical(codes_in(by_name$a, new), c(1L, NA, NA))
  expect_identical(is.na(codes_in(by_name$`b:a`, new)), c(FALSE, TRUE, TRUE))
  expect_identical(is.na(codes_in(by_name$g, new)), c(FALSE, TRUE, TRUE))
})

test_that("a factor of one level is an error, one of two a message", {
  data <- front_data()
  data$one <- "a"
  expect_three_lines(tryCatch(design_for(y ~ x + (1 | one), data), error = identity), "ferrite_error_groups")
  expect_message(design_for(y ~ x + (1 | z > 0), data), class = "ferrite_message_levels")
  expect_no_message(design_for(y ~ x + (1 | a), data))
})

test_that("whole numbers are coded by counting, as by hashing", {
  hashed <- function(x) {
    values <- sort(unique(x))
    list(codes = match(x, values), levels = as.character(values))
  }
  for (x in list(c(3L, 1L, 1L, 7L), c(-2L, 5L, -2L), c(3, 1, 100000, 1), 4L, c(0, -1, 1))) {
    if (max(x) < 1e5) expect_identical(code_whole(x), hashed(x))
    expect_identical(code_variable(x, "g", NULL), hashed(x))
  }
  expect_null(code_whole(c(1, 1.5, 2)))
  expect_null(code_whole(c(1L, 2000000000L)))
  expect_null(code_whole(c(1e12, 1e12 + 1)))
  expect_null(code_whole(c("a", "b")))
  expect_identical(code_variable(c(1e12, 1e12 + 1), "g", NULL)$codes, 1:2)
})
