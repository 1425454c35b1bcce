test_that("the same seed gives the responses of lme4, for models of many shapes", {
  for (name in setdiff(names(shape_fits()), "weighted")) { # lme4 1.1-31 leaves the weights out
    pair <- shape_fits()[[name]]
    ours <- simulate(pair$ours, 3, seed = 1)
    expect_identical(names(ours), c("sim_1", "sim_2", "sim_3"))
    expect_lt(largest_difference(ours, simulate(pair$theirs, 3, seed = 1)), 1e-6, label = name)
    ours <- simulate(pair$ours, 3, seed = 1, use.u = TRUE)
    expect_lt(largest_difference(ours, simulate(pair$theirs, 3, seed = 1, use.u = TRUE)), 1e-6, label = name)
    if (name == "offset") next # lme4 leaves the offset out for new data
    rows <- pair$data[c(5, 9, 20, 21), ]
    ours <- simulate(pair$ours, 2, seed = 1, newdata = rows)
    expect_lt(largest_difference(ours, simulate(pair$theirs, 2, seed = 1, newdata = rows)), 1e-6, label = name)
  }
})

test_that("moments are those of the model", {
  # 10,000 draws: the standard error of a variance is 1.4 percent of it
  for (name in c("slope", "weighted", "crossed", "singular")) {
    fit <- shared_fit(name)
    rows <- c(1, 2, fit$nobs)
    drawn <- t(as.matrix(simulate(fit, 10000, seed = 11)[rows, ]))
    v <- component(fit, "V")[rows, rows]
    expect_lt(max(abs(colMeans(drawn) - predict(fit, re.form = NA)[rows]) / sqrt(diag(v))), 0.03, label = name)
    expect_lt(max(abs(cov(drawn) - v)) / max(v), 0.05, label = name)
    drawn <- t(as.matrix(simulate(fit, 10000, seed = 12, use.u = TRUE)[rows, ]))
    r <- component(fit, "R")[rows, rows]
    expect_lt(max(abs(colMeans(drawn) - fitted(fit)[rows]) / sqrt(diag(r))), 0.03, label = name)
    expect_lt(max(abs(cov(drawn) - r)) / max(r), 0.05, label = name)
  }
})

test_that("effects that stay do, others are drawn", {
  fit <- shared_fit("slope")
  drawn <- t(as.matrix(simulate(fit, 10000, seed = 3, re.form = ~ (1 | Subject))[1:2, ]))
  rows <- model.frame(fit)[1:2, ]
  expect_lt(max(abs(colMeans(drawn) - predict(fit, rows, re.form = ~ (1 | Subject)))), 0.06)
  expected <- tcrossprod(rows$age) * VarCorr(fit)$Subject[2, 2] + diag(sigma(fit)^2, 2)
  expect_lt(max(abs(cov(drawn) - expected)) / max(expected), 0.05)
  expect_identical(simulate(fit, 2, seed = 1, re.form = NULL), simulate(fit, 2, seed = 1, use.u = TRUE))
  expect_identical(simulate(fit, 2, seed = 1, re.form = ~0), simulate(fit, 2, seed = 1))
})

test_that("rows of a new level share its effects, whatever the levels", {
  fit <- shared_fit("slope")
  new <- data.frame(age = c(9, 9, 9), Sex = "Male", Subject = c("a", "a", "M01"), row.names = c("x", "y", "z"))
  drawn <- simulate(fit, 10000, seed = 5, newdata = new)
  expect_identical(rownames(drawn), c("x", "y", "z"))
  columns <- c(1, 9)
  shared <- drop(columns %*% VarCorr(fit)$Subject %*% columns)
  covariance <- cov(t(as.matrix(drawn)))
  expected <- diag(sigma(fit)^2, 3) + shared * rbind(c(1, 1, 0), c(1, 1, 0), c(0, 0, 1))
  expect_lt(max(abs(covariance - expected)) / max(expected), 0.05)
  # known effects stay, those of the new level are drawn
  expect_error(simulate(fit, newdata = new, use.u = TRUE), class = "ferrite_error_new_levels")
  drawn <- t(as.matrix(simulate(fit, 10000, seed = 6, newdata = new, use.u = TRUE, allow.new.levels = TRUE)))
  expected <- diag(sigma(fit)^2, 3) + shared * rbind(c(1, 1, 0), c(1, 1, 0), 0)
  expect_lt(max(abs(cov(drawn) - expected)) / max(expected), 0.05)
  expect_lt(max(abs(colMeans(drawn) - predict(fit, new, allow.new.levels = TRUE))), 0.06)
  # crossings are told apart by their parts
  nested <- shared_fit("nested")
  grid <- data.frame(Machine = c("A", "A", "B"), Worker = c("n1", "n1", "n1"))
  drawn <- t(as.matrix(simulate(nested, 10000, seed = 7, newdata = grid)))
  variances <- vapply(nested$random, function(term) drop(term$varcov), 0)
  names(variances) <- vapply(nested$random, function(term) term$group, "")
  expect_lt(abs(cov(drawn)[1, 3] / variances[["Worker"]] - 1), 0.1)
  expect_lt(abs(cov(drawn)[1, 2] / sum(variances) - 1), 0.1)
})

test_that("weights of new rows count", {
  fit <- shared_fit("weighted")
  new <- data.frame(age = c(8, 10), Subject = c("a", "b"))
  drawn <- simulate(fit, 10000, seed = 9, newdata = new, weights = c(4, 0.25))
  expected <- c(VarCorr(fit)$Subject) + sigma(fit)^2 / c(4, 0.25)
  expect_lt(max(abs(apply(drawn, 1, var) / expected - 1)), 0.05)
  expect_warning(simulate(fit, newdata = new), class = "ferrite_warning_weights")
})

test_that("seeds follow the conventions of stats::simulate()", {
  fit <- shared_fit("nested")
  set.seed(4)
  before <- .Random.seed
  drawn <- simulate(fit, 2, seed = 8)
  expect_identical(.Random.seed, before)
  expect_equal(attr(drawn, "seed"), 8, ignore_attr = TRUE)
  expect_identical(attr(attr(drawn, "seed"), "kind"), as.list(RNGkind()))
  free <- simulate(fit)
  expect_identical(attr(free, "seed"), before)
  expect_false(identical(.Random.seed, before))
  set.seed(4)
  expect_identical(simulate(fit), free)
  set.seed(8)
  expect_equal(simulate(fit, 2), drawn, ignore_attr = TRUE)
})

test_that("rows that na.exclude set aside are NA, and incomplete new rows too", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[c(3, 50)] <- NA
  padded <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  plain <- lmm(distance ~ age + (1 | Subject), data, na.action = na.omit)
  drawn <- simulate(padded, 2, seed = 1)
  expect_identical(dim(drawn), c(108L, 2L))
  expect_identical(which(is.na(drawn$sim_2)), c(3L, 50L))
  expect_equal(drawn[-c(3, 50), ], simulate(plain, 2, seed = 1), ignore_attr = TRUE)
  new <- data.frame(age = c(NA, 9, 9), Subject = c("M01", "M01", NA))
  expect_identical(is.na(simulate(plain, newdata = new)$sim_1), c(TRUE, FALSE, TRUE))
  expect_identical(dim(simulate(plain, newdata = new, na.action = na.omit)), c(1L, 1L))
})

test_that("wrong arguments are named", {
  fit <- shared_fit("slope")
  expect_error(simulate(fit, 0), class = "ferrite_error_argument")
  expect_error(simulate(fit, seed = "a"), class = "ferrite_error_argument")
  expect_error(simulate(fit, use.u = TRUE, re.form = NA), class = "ferrite_error_argument")
  expect_error(simulate(fit, draws = 3), class = "ferrite_error_argument")
  expect_error(simulate(fit, re.form = ~ (1 | Dog)), class = "ferrite_error_re_form")
  condition <- expect_error(simulate(fit, newdata = data.frame(age = 9, Sex = "Male")), class = "ferrite_error_newdata")
  expect_identical(condition$missing, "Subject")
})
