# Three estimates for each level, against closed forms and against lm().

by_effect <- function(table, effect, group = table$group[1]) {
  table <- as.data.frame(table)
  table[table$effect == effect & table$group == group, ]
}

test_that("the balanced one-way layout follows from its analysis of variance", {
  # Source: table of estrone, MSB = 28.3161, MSE = 0.325436; the factor is 1 - MSE / MSB
  squares <- summary(aov(y ~ person, estrone))[[1]][["Mean Sq"]]
  table <- shrinkage(lmm(y ~ 1 + (1 | person), estrone))
  expect_s3_class(table, c("lmm_shrinkage", "data.frame"), exact = TRUE)
  means <- unname(c(tapply(estrone$y, estrone$person, mean)))
  grand <- mean(estrone$y)
  factor <- 1 - squares[2] / squares[1]
  expect_identical(table$level, levels(estrone$person))
  expect_identical(table$n, rep(16L, 5))
  expect_equal(table$complete, rep(grand, 5), tolerance = 1e-12)
  expect_equal(table$none, means, tolerance = 1e-12)
  expect_equal(table$factor, rep(factor, 5), tolerance = 1e-7)
  expect_equal(table$partial, grand + factor * (means - grand), tolerance = 1e-8)
})

test_that("Dyestuff: closed forms of the reference", {
  # Davies and Goldsmith (1972), 6.4: tau^2 = 1764.05, sigma^2 = 2451.25, mean 1527.5, shrinkage 0.7825267267
  data <- from_package("lme4", "Dyestuff")
  table <- shrinkage(lmm(Yield ~ 1 + (1 | Batch), data))
  expect_equal(table$factor, rep(0.7825267267000849, 6), tolerance = 1e-7)
  expect_equal(table$partial[1] - 1527.5, -17.60685135, tolerance = 1e-6)
})

test_that("the unbalanced one-way layout, with and without weights", {
  data <- estrone[-c(1:9, 20:23, 70), ]
  data$w <- 1 + (seq_len(nrow(data)) %% 3) / 2
  for (weighted in c(FALSE, TRUE)) {
    fit <- if (weighted) lmm(y ~ 1 + (1 | person), data, weights = w) else lmm(y ~ 1 + (1 | person), data)
    w <- if (weighted) data$w else rep(1, nrow(data))
    size <- c(tapply(w, data$person, sum))
    mean <- c(tapply(w * data$y, data$person, sum)) / size
    tau2 <- c(VarCorr(fit)$person)
    factor <- tau2 / (tau2 + sigma(fit)^2 / size)
    table <- shrinkage(fit)
    expect_identical(table$n, tabulate(data$person))
    expect_equal(table$factor, unname(factor), tolerance = 1e-12)
    expect_equal(table$none, unname(mean), tolerance = 1e-12)
    expect_equal(table$complete, rep(sum(w * data$y) / sum(w), 5), tolerance = 1e-12)
    expect_equal(table$partial, unname(fixef(fit) + factor * (mean - fixef(fit))), tolerance = 1e-8)
  }
})

test_that("a line for each group", {
  data <- sleep_data()[-c(2:10, 15, 16, 101), ]
  fit <- lmm(y ~ x + (x | g), data)
  table <- shrinkage(fit)
  lines <- lapply(split(data, data$g), function(rows) lm(y ~ x, rows))
  for (effect in c("(Intercept)", "x")) {
    own <- by_effect(table, effect)
    expect_equal(own$partial, coef(fit)$g[[effect]], tolerance = 1e-12)
    expect_equal(own$complete, rep(unname(coef(lm(y ~ x, data))[effect]), 18), tolerance = 1e-10)
    expect_equal(own$none[-1], unname(vapply(lines[-1], function(l) coef(l)[[effect]], 0)), tolerance = 1e-10)
  }
  # one row, at x = 0: the intercept is that row, the slope is not there
  expect_equal(table$none[table$level == "308"], c(data$y[1], NA))
  covariance <- unname(VarCorr(fit)$g)[1:2, 1:2]
  for (level in c("309", "371")) {
    z <- cbind(1, data$x[data$g == level])
    f <- covariance %*% solve(covariance + sigma(fit)^2 * solve(crossprod(z)))
    expect_equal(table$factor[table$level == level], diag(f), tolerance = 1e-9)
    own <- table[table$level == level, ]
    expect_equal(own$partial, unname(fixef(fit) + drop(f %*% (own$none - fixef(fit)))), tolerance = 1e-8)
  }
})

test_that("uncorrelated terms of one factor are taken together", {
  fit <- lmm(y ~ x + (x || g), sleep_data())
  table <- shrinkage(fit)
  expect_equal(table$none, shrinkage(lmm(y ~ x + (x | g), sleep_data()))$none)
  covariance <- diag(unlist(lapply(VarCorr(fit), c)))
  f <- covariance %*% solve(covariance + sigma(fit)^2 * solve(crossprod(cbind(1, 0:9))))
  expect_equal(table$factor[c(1, 19)], diag(f), tolerance = 1e-9)
})

test_that("common fixed effects stay common, those of the groups belong to the groups", {
  data <- transform(as.data.frame(nlme::Orthodont), Subject = factor(as.character(Subject)))
  data <- data[-c(2, 30:32, 77), ]
  fit <- lmm(distance ~ age + Sex + (1 | Subject), data)
  table <- shrinkage(fit)
  own <- coef(lm(distance ~ 0 + Subject + age, data))
  expect_equal(table$none, unname(own[paste0("Subject", table$level)]), tolerance = 1e-10)
  female <- startsWith(table$level, "F")
  expect_equal(table$partial - coef(fit)$Subject[["(Intercept)"]], ifelse(female, fixef(fit)[["SexFemale"]], 0))
  pooled <- coef(lm(distance ~ age + Sex, data))
  expect_equal(table$complete, unname(pooled[1] + female * pooled[3]), tolerance = 1e-10)
  toward <- unname(fixef(fit)[1] + female * fixef(fit)[3])
  # the weight of the own estimate, up to the common slope, which the mixed model estimates with other weights
  expect_equal(table$partial, toward + table$factor * (table$none - toward), tolerance = 2e-3)
})

test_that("a group that does not determine its line is compared with the lines of its kind", {
  data <- transform(as.data.frame(nlme::Orthodont), Subject = factor(as.character(Subject)))
  alone <- which(data$Subject == "F01" & data$age != 10)
  fit <- lmm(distance ~ age * Sex + (age | Subject), data[-alone, ])
  table <- shrinkage(fit)
  one <- table[table$level == "F01", ]
  expect_identical(is.na(one$none), c(TRUE, TRUE))
  expect_equal(one$complete, table$complete[table$level == "F02"])
  by_sex <- fixef(fit)[1:2] + fixef(fit)[3:4]
  expect_equal(one$partial, unname(by_sex + unlist(ranef(fit)$Subject["F01", ])), tolerance = 1e-10)
  # the same with a fixed part whose columns are mixtures of the random ones
  shifted <- lmm(distance ~ I(age - 11) + (age | Subject), data[-alone, ])
  plain <- lmm(distance ~ age + (age | Subject), data[-alone, ])
  expect_equal(shrinkage(shifted)$partial, shrinkage(plain)$partial, tolerance = 1e-5)
})

test_that("balanced nested and crossed designs shrink towards the outer level, exactly", {
  data <- from_package("lme4", "Pastes")
  fit <- lmm(strength ~ 1 + (1 | batch / cask), data)
  mu <- fixef(fit)[[1]]
  table <- shrinkage(fit)
  batch <- by_effect(table, "(Intercept)", "batch")
  expect_equal(batch$partial, mu + batch$factor * (batch$none - mu), tolerance = 1e-9)
  v <- vapply(VarCorr(fit), c, 0)
  expect_equal(batch$factor, rep(v[["batch"]] / (v[["batch"]] + v[["cask:batch"]] / 3 + sigma(fit)^2 / 6), 10),
    tolerance = 1e-9)
  cask <- by_effect(table, "(Intercept)", "cask:batch")
  outer <- batch$partial[match(sub("^.*:", "", cask$level), batch$level)]
  expect_equal(cask$partial, outer + cask$factor * (cask$none - outer), tolerance = 1e-9)
  expect_equal(cask$factor, rep(v[["cask:batch"]] / (v[["cask:batch"]] + sigma(fit)^2 / 2), 30), tolerance = 1e-9)
  crossed <- lmm(diameter ~ 1 + (1 | plate) + (1 | sample), from_package("lme4", "Penicillin"))
  table <- shrinkage(crossed)
  expect_equal(table$partial, fixef(crossed) + table$factor * (table$none - fixef(crossed)), ignore_attr = TRUE,
    tolerance = 1e-9)
})

test_that("a random part coded otherwise than the fixed part", {
  fit <- lmm(score ~ Machine + (0 + Machine | Worker), nlme::Machines)
  table <- shrinkage(fit)
  cells <- with(nlme::Machines, tapply(score, list(as.character(Worker), Machine), mean))
  expect_equal(table$none, unname(cells[cbind(table$level, sub("Machine", "", table$effect))]))
  machine <- with(nlme::Machines, c(tapply(score, Machine, mean)))
  expect_equal(table$complete, unname(machine[sub("Machine", "", table$effect)]))
  # columns of the terms of one factor that depend on each other: term by term
  both <- lmm(score ~ Machine + (1 | Worker) + (0 + Machine || Worker), nlme::Machines)
  expect_false(anyNA(shrinkage(both)$none))
})

test_that("a variance of zero pools completely", {
  table <- shrinkage(shared_fit("singular"))
  expect_identical(table$factor, numeric(6))
  expect_equal(table$partial, table$complete)
})

test_that("no fixed effects, an offset, dropped columns", {
  data <- transform(estrone, o = 3 + 0 * y)
  bare <- shrinkage(lmm(y ~ 0 + (1 | person), estrone))
  expect_identical(bare$complete, numeric(5))
  expect_equal(bare$partial, bare$factor * bare$none, tolerance = 1e-9)
  offset <- shrinkage(lmm(y ~ 1 + offset(o) + (1 | person), data))
  expect_equal(offset$none, bare$none - 3)
  dropped <- shared_fit("dropped")
  clean <- shrinkage(lmm(distance ~ age + (1 | Subject), nlme::Orthodont))
  expect_equal(as.data.frame(shrinkage(dropped)), as.data.frame(clean), tolerance = 1e-6)
})

test_that("groups and effects can be chosen, others are named", {
  fit <- shared_fit("nested")
  expect_identical(unique(shrinkage(fit, "Worker")$group), "Worker")
  expect_identical(unique(shrinkage(shared_fit("slope"), effect = "age")$effect), "age")
  condition <- expect_error(shrinkage(fit, "worker"), class = "ferrite_error_argument")
  expect_three_lines(condition, "ferrite_error_argument")
  expect_match(conditionMessage(condition), "Did you mean `Worker`")
  expect_error(shrinkage(fit, effect = "age"), class = "ferrite_error_argument")
  expect_error(shrinkage(fit, group = 1), class = "ferrite_error_argument")
  expect_error(shrinkage(fit, term = "a"), class = "ferrite_error_argument")
  expect_error(shrinkage(lm(y ~ 1, estrone)), class = "ferrite_error_argument")
})

test_that("few levels are printed all, many as those that move most", {
  table <- shrinkage(lmm(y ~ 1 + (1 | person), estrone))
  text <- printed(table)
  expect_match(text, "person, (Intercept): 5 levels of 16 rows", fixed = TRUE)
  expect_match(text, "14.175 13.545  13.552  0.989", fixed = TRUE)
  short <- printed(table, n = 2)
  expect_match(short, "... and 3 more levels", fixed = TRUE)
  expect_match(short, "4     16")
  expect_output(print(table[table$none > 14, ]), "3 levels")
  expect_output(print(table[c("level", "none")]), "13.54")
  frame <- as.data.frame(table)
  expect_identical(class(frame), "data.frame")
  expect_setequal(names(attributes(frame)), c("names", "row.names", "class"))
  skip_if_not_installed("knitr")
  expect_match(knitr::knit_print(table), "[|]level *[|] *n[|] *complete[|]")
})

test_that("five thousand groups take well under a second", {
  set.seed(9)
  g <- sample.int(5000L, 20000L, TRUE)
  data <- data.frame(g = g, x = rnorm(20000), z = rnorm(20000))
  data$y <- rnorm(5000)[g] + data$x * (1 + 0.5 * rnorm(5000)[g]) + rnorm(20000)
  fit <- lmm(y ~ x + z + (x | g), data)
  time <- system.time(table <- shrinkage(fit))
  expect_lt(time[["user.self"]], 1)
  # the common slope of z by the lines of all groups taken out of y and z; then one group by hand
  line <- function(v, at) lm.fit(cbind(1, data$x[at]), v[at])
  rows <- split(seq_along(g), g)
  rest <- function(v) unlist(lapply(rows, function(at) line(v, at)$residuals))
  slope <- sum(rest(data$z) * rest(data$y)) / sum(rest(data$z)^2)
  own <- line(data$y - slope * data$z, rows[["77"]])$coefficients
  expect_equal(table$none[table$level == "77"], unname(own), tolerance = 1e-8)
  expect_output(print(table), "levels that\\s+partial pooling moves")
})
