# Closed forms: mean squares by aov(), expectations by counting replicates.

mean_squares <- function(model) summary(model)[[1]][["Mean Sq"]]

test_that("the one-way layout is that of the book", {
  moments <- varcomp_anova(y ~ 1 + (1 | person), estrone)
  table <- as.data.frame(moments)
  expect_identical(rownames(table), c("person", "Residual"))
  expect_close(table[["Mean Sq"]], c(28.3160798929, 0.325435753583), 1e-9)
  expect_identical(table[["E(Mean Sq)"]], c("sigma^2 + 16 sigma_person^2", "sigma^2"))
  expect_close(table[["F value"]], c(87.00974, NA), 1e-6)
  expect_equal(table$Df, c(4, 75))
  expect_identical(table$Error[1], "Residual")
  expect_close(moments$components$moments, c((28.3160798929 - 0.325435753583) / 16, 0.325435753583), 1e-9)
  expect_close(moments$components$REML, moments$components$moments, 1e-6)
})

test_that("nested layouts are tested against the layer below", {
  pastes <- reference_data("Pastes")
  moments <- varcomp_anova(lmm(strength ~ 1 + (1 | batch / cask), pastes))
  reference <- mean_squares(aov(strength ~ batch / cask, pastes))
  expect_close(moments$table[["Mean Sq"]], reference, 1e-9)
  expect_identical(moments$table[["E(Mean Sq)"]][1], "sigma^2 + 2 sigma_cask:batch^2 + 6 sigma_batch^2")
  expect_close(moments$table[["F value"]][1:2], reference[1:2] / reference[2:3], 1e-9)
  expect_identical(moments$table$Error[1:2], c("cask:batch", "Residual"))
  expect_close(moments$components$moments,
    c((reference[1] - reference[2]) / 6, (reference[2] - reference[3]) / 2, reference[3]), 1e-9)
})

test_that("crossed factors are tested against the residual", {
  penicillin <- reference_data("Penicillin")
  moments <- varcomp_anova(diameter ~ 1 + (1 | plate) + (1 | sample), penicillin)
  reference <- mean_squares(aov(diameter ~ sample + plate, penicillin))
  expect_close(moments$table[["Mean Sq"]], reference, 1e-9)
  expect_identical(moments$table[["E(Mean Sq)"]][1:2], c("sigma^2 + 24 sigma_sample^2", "sigma^2 + 6 sigma_plate^2"))
  expect_close(moments$components$REML, moments$components$moments, 1e-5)
})

test_that("fixed effects find their error stratum", {
  machines <- varcomp_anova(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), nlme::Machines)
  strata <- summary(aov(score ~ Machine + Error(Worker / Machine), nlme::Machines))
  expect_close(machines$table["Machine", "F value"], strata[[2]][[1]][["F value"]][1], 1e-9)
  expect_identical(machines$table["Machine", "E(Mean Sq)"], "sigma^2 + 3 sigma_Worker:Machine^2 + Q(Machine)")
  expect_identical(machines$table["Machine", "Error"], "Worker:Machine")
  oats <- varcomp_anova(yield ~ factor(nitro) * Variety + (1 | Block / Variety), nlme::Oats)
  strata <- summary(aov(yield ~ factor(nitro) * Variety + Error(Block / Variety), nlme::Oats))
  expect_close(oats$table[1:3, "F value"],
    c(strata[[3]][[1]][["F value"]][1], strata[[2]][[1]][["F value"]][1], strata[[3]][[1]][["F value"]][2]), 1e-9)
  expect_identical(oats$table$Error[1:3], c("Residual", "Variety:Block", "Residual"))
})

test_that("where no mean square fits, they are combined with Satterthwaite's degrees of freedom", {
  data <- expand.grid(a = factor(1:3), b = factor(1:4), c = factor(1:5), r = 1:2)
  i <- seq_len(nrow(data))
  data$y <- sin(i) + 2 * cos(as.integer(data$a)) + 3 * sin(as.integer(data$b) * as.integer(data$c)) +
    cos(3 * as.integer(data$a) * as.integer(data$b)) + sin(5 * as.integer(data$a) + 7 * as.integer(data$c))
  moments <- suppressMessages(
    varcomp_anova(y ~ 1 + (1 | a) + (1 | b) + (1 | c) + (1 | a:b) + (1 | a:c) + (1 | b:c), data)
  )
  reference <- mean_squares(aov(y ~ (a + b + c)^2, data))
  table <- moments$table
  expect_close(table[["Mean Sq"]], reference, 1e-9)
  expect_identical(table[["E(Mean Sq)"]][1], "sigma^2 + 8 sigma_a:c^2 + 10 sigma_a:b^2 + 40 sigma_a^2")
  expect_identical(table$Error[1], "a:b + a:c - Residual")
  parts <- reference[c(4, 5, 7)] * c(1, 1, -1)
  expect_close(table[["Error MS"]][1], sum(parts), 1e-9)
  expect_close(table[["Error Df"]][1], sum(parts)^2 / sum(parts^2 / c(6, 8, 84)), 1e-9)
  expect_match(paste(moments$notes, collapse = " "), "Satterthwaite")
})

test_that("expectations in unbalanced layouts with weights are traces of dense projections", {
  penicillin <- reference_data("Penicillin")[-c(2, 3, 11, 40:47, 100), ]
  penicillin$w <- 1 + seq_len(nrow(penicillin)) %% 4
  penicillin$x <- sin(seq_len(nrow(penicillin)))
  moments <- varcomp_anova(diameter ~ x + (1 | plate) + (1 | sample), penicillin, weights = w)
  root <- sqrt(penicillin$w)
  x <- root * model.matrix(~x, penicillin)
  sample <- root * model.matrix(~ 0 + sample, penicillin)
  plate <- root * model.matrix(~ 0 + plate, penicillin)
  onto <- function(m) tcrossprod(qr.Q(qr(m))[, seq_len(qr(m)$rank)])
  steps <- list(onto(x[, 1]), onto(x), onto(cbind(x, sample)), onto(cbind(x, sample, plate)), diag(length(root)))
  y <- root * penicillin$diameter
  for (s in 1:4) {
    p <- steps[[s + 1]] - steps[[s]]
    df <- sum(diag(p))
    expect_equal(moments$table$Df[s], df)
    expect_close(moments$table[["Sum Sq"]][s], sum(y * p %*% y), 1e-7)
    expected <- c(sum(sample * p %*% sample), sum(plate * p %*% plate)) / df
    expect_equal(unname(moments$coefficients[s, 1:2]), expected, tolerance = 1e-8)
  }
  c <- moments$coefficients[2:4, ]
  expect_close(moments$components$moments, unname(solve(c, moments$table[["Mean Sq"]][2:4])), 1e-9)
})

test_that("negative estimates are shown and explained", {
  moments <- varcomp_anova(shared_fit("singular"))
  expect_lt(moments$components$moments[1], 0)
  expect_identical(moments$components$REML[1], 0)
  expect_match(printed(moments), "Negative moment estimate: `batch`")
})

test_that("ML fits show REML estimates, and a large mean costs no digits", {
  shifted <- transform(estrone, y = y + 1e9)
  moments <- varcomp_anova(lmm(y ~ 1 + (1 | person), shifted, REML = FALSE))
  expect_close(moments$table[["F value"]][1], 87.00974, 1e-6)
  expect_close(moments$components$REML, c(1.7494, 0.325436), 1e-4)
})

test_that("uncorrelated slopes are sources, correlated ones are refused", {
  sleep <- sleep_data()
  moments <- varcomp_anova(y ~ x + (x || g), sleep)
  expect_identical(rownames(moments$table), c("x", "g", "x in g", "Residual"))
  expect_identical(moments$table[["E(Mean Sq)"]][1], "sigma^2 + 82.5 sigma_x in g^2 + Q(x)")
  expect_error(varcomp_anova(y ~ x + (x | g), sleep), class = "ferrite_error_varcomp")
  expect_error(varcomp_anova(lm(1 ~ 1)), class = "ferrite_error_argument")
  fail <- expect_error(varcomp_anova(y ~ z + (1 | g), sleep), class = "ferrite_error_variable")
  expect_identical(fail$call[[1]], quote(varcomp_anova))
})

test_that("tables appear in reports", {
  skip_if_not_installed("knitr")
  for (output in list(
    knit_print_moments(varcomp_anova(shared_fit("singular"))), knit_print_icc(icc(shared_fit("slope"))),
    knit_print_ranova(ranova(shared_fit("singular"))),
    knit_print_comparison(compare_models(shared_fit("singular"), shared_fit("singular")))
  )) expect_s3_class(output, "knit_asis")
})
