# Seeded samples of the calls of helper-hostile-functions.R: the right answer or a condition of this package. Errors of
# R are right only where the generic is R's and the object is none of ours, or where R fails before it calls us.

expect_right_end <- function(calls, size, limit = 20) {
  calls <- calls[sample(length(calls), min(size, length(calls)))]
  swept <- hostile_function_sweep(calls, limit)
  # fixef(1), predict("a"): the generics are those of nlme and stats
  elsewhere <- "no applicable method|update.default|getCall|\\$ operator is invalid|is not subsettable|out of bounds"
  before <- grepl("^(fixef|ranef|VarCorr|predict)\\((object|x) = |^update\\(object = |data\\$", swept$what)
  own <- swept$kind == "own" & before & grepl(elsewhere, swept$message)
  bad <- swept[!swept$kind %in% c("value", "classed", "none") & !own, ]
  expect(!nrow(bad), paste(c("These calls end otherwise:", paste(bad$what, bad$kind, bad$message)), collapse = "\n"))
  table(factor(swept$kind, c("value", "classed")))
}

test_that("exported functions with wrong arguments end in classed conditions", {
  set.seed(21)
  kinds <- expect_right_end(hostile_function_calls(), 250)
  expect_gt(kinds[["classed"]], 100)
})

test_that("odd data end in a fit or in a classed condition", {
  set.seed(22)
  kinds <- expect_right_end(hostile_data_calls(), 200)
  expect_gt(min(kinds), 40)
})

test_that("formulas put together by chance end in a fit or in a classed condition", {
  set.seed(23)
  kinds <- expect_right_end(hostile_formula_calls(250), 250)
  expect_gt(min(kinds), 20)
})

test_that("what sweeps found once is an error that names it", {
  world <- hostile_world()
  data <- world$data
  put <- function(name, column) {
    data <- unclass(data)
    data[[name]] <- column
    structure(data, class = "data.frame", row.names = 1:40)
  }
  fitted <- function(data) lmm(y ~ x + (1 | g), data)
  broken <- structure(rep(9L, 40L), levels = "a", class = "factor")
  for (name in c("y", "x", "g")) {
    expect_error(fitted(put(name, broken)), paste0("`", name, "`: it is a factor with values"),
      class = "ferrite_error_variable"
    )
    expect_error(fitted(put(name, 1:3)), paste0("`", name, "` has 3|`", name, "`: it has 3|where there are 3 rows"),
      class = "ferrite_error_variable"
    )
  }
  expect_error(fitted(put("x", array(1, c(40L, 2L, 2L)))), "array with 3 dimensions", class = "ferrite_error_variable")
  expect_error(fitted(put("x", matrix(0, 40L, 0L))), "no columns", class = "ferrite_error_variable")
  for (column in list(matrix(1:80, 40L), matrix(0, 40L, 0L), as.list(1:40), as.raw(1:40), array(1, c(40L, 2L, 2L)))) {
    expect_error(predict(world$fit, put("x", column)), "`x`", class = "ferrite_error_newdata")
    expect_error(predict(world$fit, put("x", column), se.fit = TRUE), "`x`", class = "ferrite_error_newdata")
  }
  expect_error(lmm(y ~ x + (1 | g), data, na.action = function(x) 1), "returned a numeric",
    class = "ferrite_error_missing")
  expect_error(lmm(y ~ . + (1 | g), stats::setNames(data, c("g", "", names(data)[-(1:2)]))), "without a name",
    class = "ferrite_error_data"
  )
  for (text in list("", NA_character_)) expect_error(lmm(text, data), "formula", class = "ferrite_error_formula")
  expect_error(update(world$fit, ""), "does not read", class = "ferrite_error")
  expect_error(plot_data(1, "qq"), "must be given a fit", class = "ferrite_error_argument")
  expect_error(component(world$fit, "theta", zzz = 1), "`zzz`", class = "ferrite_error_argument")
  expect_error(REMLcrit(world$fit, 1), "without a name", class = "ferrite_error_argument")
  expect_error(contest(world$fit, strrep("a", 9000)), "`a{77}[.]{3}`: ", class = "ferrite_error_contrast")
  expect_error(lmm(y ~ x + (1 | g), put("y", sin(1:40) * 1e-310)), class = "ferrite_error")
})
