# The definitions of the three types, each by another route than that of the code.

unbalanced <- function() {
  set.seed(4)
  data <- data.frame(
    g = factor(sample(12, 90, TRUE)), a = factor(sample(c("p", "q", "r"), 90, TRUE)),
    b = factor(sample(c("u", "v"), 90, TRUE, c(0.7, 0.3))), x = rnorm(90, 3)
  )
  data$y <- rnorm(12)[data$g] + (data$a == "q") + 0.3 * data$x * (data$b == "u") + rnorm(90)
  data
}

fit_of <- function(formula, data = unbalanced(), ...) suppressMessages(lmm(formula, data, ...))

# Do the rows of two matrices span the same space?
expect_same_rows <- function(one, other) {
  projection <- function(m) qr.fitted(qr(t(m)), diag(ncol(m)))
  expect_identical(dim(one), dim(other))
  expect_lt(max(abs(projection(one) - projection(other))), 1e-8)
}

test_that("type I: the hypotheses of different terms are orthogonal in the metric of X'X", {
  fit <- fit_of(y ~ a * b + x + (1 | g))
  rows <- hypotheses_of(fit, "I", NULL)
  expect_named(rows, c("a", "b", "x", "a:b"))
  inverse <- solve(crossprod(component(fit, "X")))
  all <- do.call(rbind, rows)
  cross <- all %*% inverse %*% t(all)
  term <- rep(names(rows), vapply(rows, nrow, 0L))
  expect_lt(max(abs(cross[outer(term, term, "!=")])), 1e-10)
  # the last term has nothing after it: its coefficients
  expect_same_rows(rows[["a:b"]], diag(7)[6:7, ] %*% diag(7))
})

test_that("type II: a term is tested in the model without those that contain it", {
  fit <- fit_of(y ~ a * b + (1 | g))
  x <- component(fit, "X")
  rows <- hypotheses_of(fit, "II", NULL)
  # L beta = 0 for all means in the span of the smaller model, b, plus what lies in a:b beyond a + b
  main <- x[, 1:4]
  beyond <- qr.resid(qr(main), x[, 5:6])
  null <- qr.coef(qr(x), cbind(x[, c(1, 4)], beyond))
  expect_lt(max(abs(rows$a %*% null)), 1e-8)
  expect_identical(dim(rows$a), c(2L, 6L))
  expect_same_rows(rows[["a:b"]], diag(6)[5:6, ])
})

test_that("type III: main effects are contrasts of unweighted means of cells", {
  fit <- fit_of(y ~ a * b + (1 | g))
  cells <- expand.grid(a = levels(fit$frame$a), b = levels(fit$frame$b))
  means <- model.matrix(~ a * b, cells)
  margin <- function(name) rowsum(means, cells[[name]]) / table(cells[[name]])[1]
  differences <- function(m) m[-1, , drop = FALSE] - m[rep(1, nrow(m) - 1), , drop = FALSE]
  rows <- hypotheses_of(fit, "III", NULL)
  expect_same_rows(rows$a, differences(margin("a")))
  expect_same_rows(rows$b, differences(margin("b")))
})

test_that("type III: a slope is averaged over the groups", {
  rows <- hypotheses_of(fit_of(y ~ a * x + (1 | g)), "III", NULL)
  average <- c("(Intercept)" = 0, aq = 0, ar = 0, x = 1, "aq:x" = 1 / 3, "ar:x" = 1 / 3)
  expect_equal(drop(rows$x) / rows$x[, "x"], average)
})

test_that("with contrasts that sum to zero type III is that of the coefficients", {
  data <- unbalanced()
  contrasts(data$a) <- contr.sum(3)
  contrasts(data$b) <- contr.helmert(2)
  fit <- fit_of(y ~ a * b + (1 | g), data)
  rows <- hypotheses_of(fit, "III", NULL)
  expect_same_rows(rows$a, diag(6)[2:3, ])
  expect_same_rows(rows$b, diag(6)[4, , drop = FALSE])
  expect_same_rows(rows[["a:b"]], diag(6)[5:6, ])
})

test_that("no type depends on contrasts or on the order of levels", {
  data <- unbalanced()
  other <- data
  other$a <- factor(other$a, levels = c("r", "p", "q"))
  other$b <- relevel(other$b, "v")
  summed <- data
  contrasts(summed$a) <- contr.sum(3)
  for (formula in c(y ~ a * b + (1 | g), y ~ a * b * x + (1 | g), y ~ a / b + (1 | g), y ~ x + x:a + (1 | g))) {
    for (type in c("I", "II", "III")) {
      reference <- anova(fit_of(formula, data), type = type, ddf = "Kenward-Roger")
      for (recoded in list(other, summed)) {
        table <- anova(fit_of(formula, recoded), type = type, ddf = "Kenward-Roger")
        expect_equal(table$`F value`, reference$`F value`, tolerance = 1e-5)
        expect_equal(table$DenDF, reference$DenDF, tolerance = 1e-5)
      }
    }
  }
})

test_that("empty cells are told, and the test is of what can be estimated", {
  data <- subset(unbalanced(), !(a == "r" & b == "v"))
  fit <- fit_of(y ~ a * b + (1 | g), data)
  condition <- expect_message(rows <- hypotheses_of(fit, "III", NULL), class = "ferrite_message_empty_cells")
  expect_three_lines(condition, "ferrite_message_empty_cells")
  expect_match(conditionMessage(condition), "`ar:bv`")
  expect_identical(vapply(rows, nrow, 0L), c(a = 2L, b = 1L, "a:b" = 1L))
})

test_that("a term without a column of its own has no rows", {
  data <- unbalanced()
  data$twice <- 2 * data$x
  rows <- hypotheses_of(fit_of(y ~ a + x + twice + (1 | g), data), "III", NULL)
  expect_identical(nrow(rows$twice), 0L)
  expect_identical(ncol(rows$x), 4L)
})

test_that("character and logical variables count as factors", {
  data <- unbalanced()
  text <- transform(data, a = as.character(a), b = b == "v")
  expect_equal(
    anova(fit_of(y ~ a * b + (1 | g), data))$`F value`, anova(fit_of(y ~ a * b + (1 | g), text))$`F value`
  )
})
