frame_for <- function(...) design_for(...)$built

test_that("the frame holds response, fixed, random and grouping variables, weights and offset", {
  data <- front_data()
  built <- frame_for(y ~ log(x + 2) + offset(z) + (poly(x, 2) | a:b), data, weights = rep(2, 48), offset = data$x)
  expect_named(built$frame, c("y", "log(x + 2)", "offset(z)", "poly(x, 2)", "a", "b", "(weights)", "(offset)"))
  expect_identical(row.names(built$frame), row.names(data))
  expect_identical(names(attr(built$terms, "dataClasses")), c("y", "log(x + 2)", "offset(z)", "(weights)"))
})

test_that("a frame is that of lm() for the fixed part", {
  data <- front_data()
  data$x[3] <- NA
  built <- frame_for(y ~ x * f + o + (1 | a), data)
  reference <- stats::model.frame(y ~ x * f + o, data)
  expect_equal(built$frame[names(reference)], reference, ignore_attr = c("terms", "na.action"))
  expect_equal(unclass(built$na.action), unclass(attr(stats::model.frame(y ~ x + a, data), "na.action")))
})

test_that("poly, splines and scale keep what they learnt, for new data", {
  data <- front_data()
  built <- frame_for(y ~ scale(z) + splines::ns(x, 3) + (poly(x, 2) | a), data)
  few <- data[5:9, ]
  x <- stats::model.matrix(stats::delete.response(built$terms), data)
  expect_equal(stats::model.matrix(stats::delete.response(built$terms), few), x[5:9, ], ignore_attr = TRUE)
  z <- stats::model.matrix(built$lhs[[1]], data)
  expect_equal(stats::model.matrix(built$lhs[[1]], few), z[5:9, ], ignore_attr = TRUE)
})

test_that("rows with a missing value in any variable are dropped by the rule that the user chose", {
  data <- front_data()
  data$g[2] <- NA
  data$z[5] <- NaN
  omitted <- frame_for(y ~ x + (z | g), data)
  expect_identical(nrow(omitted$frame), 46L)
  expect_identical(as.integer(omitted$na.action), c(2L, 5L))
  expect_s3_class(omitted$na.action, "omit")
  expect_s3_class(frame_for(y ~ x + (z | g), data, na_action = na.exclude)$na.action, "exclude")
  error <- tryCatch(frame_for(y ~ x + (z | g), data, na_action = na.fail), error = identity)
  expect_three_lines(error, "ferrite_error_missing")
  expect_match(conditionMessage(error), paste0("`z` is missing in row ", row.names(data)[5]))
  expect_error(frame_for(y ~ x + (z | g), data, na_action = na.pass), class = "ferrite_error_missing")
  expect_error(frame_for(y ~ x + (z | g), data, na_action = resolve_na_action(NULL)), class = "ferrite_error_missing")
})

test_that("a frame without missing values is not copied and has no na.action", {
  expect_null(frame_for(y ~ x + (1 | a), front_data())$na.action)
})

test_that("an all-missing column is named, with what makes it missing", {
  data <- front_data()
  data$empty <- NA_real_
  error <- tryCatch(frame_for(y ~ x + empty + (1 | a), data), error = identity)
  expect_three_lines(error, "ferrite_error_rows")
  expect_match(conditionMessage(error), "`empty` is missing in all 48 rows")
  data$big <- replace(data$x, 4, Inf)
  error <- tryCatch(frame_for(y ~ scale(big) + (1 | a), data), error = identity)
  expect_match(conditionMessage(error), paste0("`big` is infinite in row ", row.names(data)[4]))
  data$one <- rep(c(1, NA), 24)
  data$two <- rep(c(NA, 1), 24)
  expect_error(frame_for(y ~ one + two + (1 | a), data), "`one` and `two`", class = "ferrite_error_rows")
  expect_error(frame_for(y ~ x + (1 | a), data, subset = rep(FALSE, 48)), "0 rows", class = "ferrite_error_rows")
  expect_error(frame_for(y ~ x + (1 | a), data[0, ]), "0 rows", class = "ferrite_error_rows")
  expect_error(frame_for(y ~ x + (1 | a), data[1, ]), "1 row", class = "ferrite_error_rows")
})

test_that("a row of weight zero is left out, and na.exclude pads it", {
  data <- front_data()
  data$x[2] <- NA
  w <- replace(rep(1, 48), c(1, 4), 0)
  expect_message(built <- frame_for(y ~ x + (1 | a), data, weights = w), class = "ferrite_message_zero_weights")
  expect_identical(row.names(built$frame), row.names(data)[-c(1, 2, 4)])
  expect_identical(as.integer(built$na.action), 2L)
  built <- suppressMessages(frame_for(y ~ x + (1 | a), data, weights = w, na_action = na.exclude))
  padded <- stats::naresid(built$na.action, built$frame$y)
  expect_identical(which(is.na(padded)), c(1L, 2L, 4L))
  expect_identical(padded[-c(1, 2, 4)], data$y[-c(1, 2, 4)])
})

test_that("weights that are no weights are refused, with rows", {
  data <- front_data()
  refused <- function(w, text) {
    expect_error(frame_for(y ~ x + (1 | a), data, weights = w), text, class = "ferrite_error_weights")
  }
  refused(replace(rep(1, 48), 3, -2), paste("negative in row", row.names(data)[3]))
  refused(replace(rep(1, 48), 3, Inf), "infinite")
  refused(rep(0, 48), "None is positive")
  refused(rep("1", 48), "character")
  refused(1:3, "`weights` has 3")
  refused(cbind(1:48, 1), "class matrix")
})

test_that("offsets of the wrong kind or length are refused", {
  data <- front_data()
  expect_error(frame_for(y ~ x + offset(b) + (1 | a), data), "`offset[(]b[)]`", class = "ferrite_error_offset")
  expect_error(frame_for(y ~ x + (1 | a), data, offset = 1:2), "`offset` has 2", class = "ferrite_error_offset")
  expect_error(frame_for(y ~ x + (1 + offset(x) | a), data), class = "ferrite_error_formula")
  expect_error(frame_for(y ~ x + (0 | a), data), "no|none", class = "ferrite_error_formula")
})

test_that("the response is no predictor", {
  data <- front_data()
  for (formula in list(y ~ x + y + (1 | a), y ~ x:y + (1 | a), y ~ x + (y | a))) {
    expect_three_lines(tryCatch(frame_for(formula, data), error = identity), "ferrite_error_formula")
  }
  expect_no_error(frame_for(log(y + 3) ~ y + (1 | a), data))
})

test_that("unused levels are dropped after rows are", {
  data <- front_data()
  data$a <- factor(data$a, levels = c("never", levels(data$a)))
  built <- suppressMessages(frame_for(y ~ f + (1 | a), data, subset = data$f != "mid" & data$a != "c"))
  expect_identical(levels(built$frame$a), c("z", "b"))
  expect_identical(levels(built$frame$f), c("lo", "hi"))
  contrasts(data$f) <- "contr.sum"
  built <- frame_for(y ~ f + (1 | a), data, subset = data$f != "mid")
  expect_identical(attr(built$frame$f, "contrasts"), "contr.sum")
})

test_that("a variable that is not there is named, with what may be meant", {
  data <- sleep_data()
  names(data) <- c("Reaction", "Days", "Subject")
  error <- tryCatch(frame_for(Reaction ~ Day + (1 | Subject), data), error = identity)
  expect_three_lines(error, "ferrite_error_variable")
  expect_match(conditionMessage(error), "`Day` was not found.*Did you mean `Days`")
  expect_error(frame_for(Reaction ~ Days + (1 | subject), data), "Subject", class = "ferrite_error_variable")
  expect_error(frame_for(Reaction ~ mean + (1 | Subject), data), "`mean`", class = "ferrite_error_variable")
  expect_error(frame_for(Reaction ~ log(nosuch) + (1 | Subject), data), "`nosuch`", class = "ferrite_error_variable")
})

test_that("variables of a wrong kind or length are named", {
  data <- sleep_data()
  data$list <- as.list(1:180)
  short <- 1:7
  holes <- replace(data$x, 3, NA)
  expect_error(frame_for(y ~ list + (1 | g), data), "`list`", class = "ferrite_error_variable")
  expect_error(frame_for(y ~ short + (1 | g), data), "`short` has 7 where there are 180",
               class = "ferrite_error_variable")
  expect_error(frame_for(y ~ x + (1 | g:short), data), "`short`", class = "ferrite_error_variable")
  error <- tryCatch(frame_for(y ~ poly(holes, 2) + (1 | g), data), error = identity)
  expect_three_lines(error, "ferrite_error_variable")
  expect_match(conditionMessage(error), "`holes` is missing in row 3")
  expect_error(frame_for(y ~ sqrt(g) + (1 | g), data), "sqrt", class = "ferrite_error_variable")
})

test_that("a column that is there twice is refused when it is used", {
  data <- sleep_data()
  data <- cbind(data, x = 1)
  expect_error(frame_for(y ~ x + (1 | g), data), "`x` is there several times", class = "ferrite_error_data")
  expect_no_error(frame_for(y ~ 1 + (1 | g), data))
})

test_that("variables may come from the environment, a list, an environment, a tibble", {
  data <- sleep_data()
  same_frame <- function(built) expect_equal(as.list(built$frame), as.list(data), ignore_attr = "terms")
  same_frame(frame_for(y ~ x + (1 | g), data))
  same_frame(with(data, frame_for(y ~ x + (1 | g))))
  same_frame(frame_for(y ~ x + (1 | g), as.list(data)))
  same_frame(frame_for(y ~ x + (1 | g), list2env(data)))
  skip_if_not_installed("tibble")
  same_frame(frame_for(y ~ x + (1 | g), tibble::as_tibble(data)))
})

test_that("what cannot be data is refused", {
  for (wrong in list(1:3, as.matrix(1:3), mean, "data", list(1, 2), y ~ x)) {
    expect_three_lines(tryCatch(check_data(wrong, NULL), error = identity), "ferrite_error_data")
  }
})

test_that("subset is a condition, numbers or names; NA counts as FALSE", {
  data <- front_data()
  expect_identical(check_subset(c(TRUE, NA), data[1:2, ]), c(TRUE, FALSE))
  expect_identical(nrow(frame_for(y ~ x + (1 | a), data, subset = 1:20)$frame), 20L)
  expect_error(check_subset(list(1), data, NULL), class = "ferrite_error_subset")
  expect_null(check_subset(TRUE, data, NULL))
  expect_error(check_subset(c(TRUE, TRUE), data, NULL), class = "ferrite_error_subset")
  expect_error(check_subset(c(1, NA), data, NULL), class = "ferrite_error_subset")
})

test_that("plain columns make the frame that model.frame() makes", {
  data <- front_data()
  data$whole <- seq_len(nrow(data))
  data$flag <- data$x > 0
  data$text <- as.character(data$f)
  parsed <- list(env = environment())
  for (rhs in expression(x + f + o, whole + flag + text + a, 1 + b)) {
    terms <- terms_of(rhs, parsed, NULL, response = quote(y))
    for (rows in list(data, data[data$x > 0, ], `rownames<-`(data, NULL))) {
      expect_identical(plain_frame(terms, rows), stats::model.frame(terms, rows, na.action = NULL))
    }
  }
  data$m <- cbind(data$x, data$z)
  data$day <- as.Date("2024-01-01") + seq_len(nrow(data))
  for (rhs in expression(log(x + 2), m, day, parsed)) {
    expect_null(plain_frame(terms_of(rhs, parsed, NULL, response = quote(y)), data))
  }
})

test_that("variance functions of nlme as weights are told what they are here", {
  formula <- distance ~ age + (1 | Subject)
  expect_error(lmm(formula, nlme::Orthodont, weights = nlme::varIdent(form = ~ 1 | Sex)), "`dispersion = ~ Sex`",
    fixed = TRUE, class = "ferrite_error_dispersion")
  condition <- expect_error(lmm(formula, nlme::Orthodont, weights = nlme::varFixed(~ age)), "`weights = 1 / age`",
    fixed = TRUE, class = "ferrite_error_weights")
  expect_three_lines(condition, "ferrite_error_weights")
})
