# Cluster-robust covariance matrices and their degrees of freedom: clubSandwich 0.5.8 and dense algebra.

# Bell and McCaffrey's estimate, Satterthwaite's df and the F test HTZ by their definitions, with n x n matrices.
dense_robust <- function(fit, codes, type) {
  v <- component(fit, "V")
  x <- component(fit, "X")
  w <- solve(v)
  m <- solve(t(x) %*% w %*% x)
  y <- fit$frame[[1]]
  left <- diag(nrow(x)) - x %*% m %*% t(x) %*% w
  power <- function(b, p) {
    e <- eigen(b, symmetric = TRUE)
    e$vectors %*% (ifelse(e$values > 1e-9 * max(e$values), e$values^p, 0) * t(e$vectors))
  }
  forms <- lapply(split(seq_along(y), codes), function(i) {
    d <- chol(v[i, i])
    b <- d %*% (left[i, ] %*% v %*% t(left[i, ])) %*% t(d)
    a <- if (type == "CR2") t(d) %*% power(b, -0.5) %*% d else diag(length(i))
    m %*% t(x[i, , drop = FALSE]) %*% solve(v[i, i]) %*% a %*% left[i, ]
  })
  scale <- if (type == "CR1") length(forms) / (length(forms) - 1) else 1
  df <- vapply(seq_len(ncol(x)), function(k) {
    g <- vapply(forms, function(form) form[k, ], y)
    p <- t(g) %*% v %*% g
    sum(diag(p))^2 / sum(p^2)
  }, 0)
  list(vcov = scale * Reduce(`+`, lapply(forms, function(form) tcrossprod(form %*% y))), df = df)
}

expect_dense <- function(fit, codes, cluster = NULL) {
  for (type in c("CR0", "CR1", "CR2")) {
    ours <- robust(fit, type, cluster)
    theirs <- dense_robust(fit, codes, type)
    expect_lt(max(abs(ours$vcov - theirs$vcov)) / max(abs(theirs$vcov)), 1e-9)
    expect_equal(unname(ours$coefficients[, "df"]), theirs$df, tolerance = 1e-9)
  }
}

unbalanced_sleep <- function() {
  skip_if_not_installed("lme4")
  lme4::sleepstudy[-c(1:3, 22:28, 50, 61, 62, 100:107), ]
}

test_that("estimates, degrees of freedom and tests are those of clubSandwich on fits of lme4", {
  skip_if_not_installed("clubSandwich")
  skip_if_not_installed("lme4")
  # data of any kind: slopes, nested factors, several rows a level, clusters that are reduced to a few rows
  i <- seq_len(260)
  made <- data.frame(g = rep(1:8, c(45, 60, 41, 3, 10, 50, 50, 1)), x = sin(i), h = factor(i %% 4))
  made$z <- cos(made$g)
  made$y <- made$x * cos(3 * made$g) + 2 * sin(5 * made$g) + sin(7 * i) * (1 + made$x^2)
  models <- list(
    list(Reaction ~ Days + (Days | Subject), lme4::sleepstudy),
    list(Reaction ~ Days + I(Days^2) + (1 | Subject), unbalanced_sleep()),
    list(distance ~ age * Sex + (1 | Subject), as.data.frame(nlme::Orthodont)),
    list(distance ~ age * Sex + (age || Subject), as.data.frame(nlme::Orthodont)[-c(2, 30, 31), ]),
    list(Yield ~ 1 + (1 | Batch), lme4::Dyestuff[-c(1, 2, 3, 9, 17), ]),
    list(score ~ Machine + (1 | Worker / Machine), as.data.frame(nlme::Machines)[-c(1, 5, 20, 30), ]),
    list(y ~ x + z + (1 | g / h), made)
  )
  for (model in models) {
    theirs <- suppressMessages(lme4_fit(model[[1]], model[[2]]))
    ours <- suppressMessages(lmm(model[[1]], model[[2]]))
    for (type in c("CR0", "CR1", "CR2")) {
      reference <- clubSandwich::vcovCR(theirs, type = type)
      table <- robust(ours, type)
      label <- paste(deparse(model[[1]]), type)
      expect_lt(max(abs(vcov(ours, type = type) - as.matrix(reference))) / max(abs(reference)), 1e-6, label = label)
      expect_identical(table$vcov, vcov(ours, type = type))
      tests <- clubSandwich::coef_test(theirs, vcov = reference, test = "Satterthwaite")
      expect_equal(unname(table$coefficients[, "df"]), tests$df, tolerance = 1e-6, label = label)
      expect_equal(unname(table$coefficients[, "Pr(>|t|)"]), tests$p_Satt, tolerance = 1e-5, label = label)
      p <- nrow(reference)
      if (p < 3) next
      joint <- clubSandwich::Wald_test(theirs, clubSandwich::constrain_zero(2:p), vcov = reference, test = "HTZ")
      own <- contest(table, diag(p)[2:p, ])
      expect_equal(own[["F value"]], joint$Fstat, tolerance = 1e-5, label = label)
      expect_equal(own$DenDF, joint$df_denom, tolerance = 1e-6, label = label)
      expect_equal(own[["Pr(>F)"]], joint$p_val, tolerance = 1e-5, label = label)
    }
  }
})

test_that("weights, variances and correlations of residuals are as in clubSandwich on fits of nlme", {
  skip_if_not_installed("clubSandwich")
  data <- transform(as.data.frame(nlme::Orthodont), w = rep(c(0.5, 2, 7, 1), 27), step = (age - 6) / 2)
  data <- data[-c(1, 7, 30, 31), ]
  control <- nlme::lmeControl(
    msMaxIter = 500, msTol = 1e-12, tolerance = 1e-12, niterEM = 0, opt = "nlminb", returnObject = TRUE
  )
  formula <- distance ~ age * Sex
  pairs <- list(
    list(
      lmm(distance ~ age * Sex + (1 | Subject), data, weights = w),
      nlme::lme(formula, data, ~ 1 | Subject, weights = nlme::varFixed(~ I(1 / w)), control = control)
    ),
    list(
      lmm(distance ~ age * Sex + (1 | Subject), data, dispersion = ~ Sex),
      nlme::lme(formula, data, ~ 1 | Subject, weights = nlme::varIdent(form = ~ 1 | Sex), control = control)
    )
  )
  ovary <- as.data.frame(nlme::Ovary)
  ovary$step <- ave(ovary$Time, ovary$Mare, FUN = seq_along)
  pairs[[3]] <- list(
    lmm(follicles ~ sin(2 * pi * Time) + (1 | Mare), ovary, correlation = ar1(~ step | Mare)),
    nlme::lme(follicles ~ sin(2 * pi * Time), ovary, ~ 1 | Mare, nlme::corAR1(form = ~ step | Mare), control = control)
  )
  for (pair in pairs) {
    for (type in c("CR0", "CR2")) {
      reference <- clubSandwich::vcovCR(pair[[2]], type = type)
      table <- robust(pair[[1]], type)
      expect_lt(max(abs(table$vcov - as.matrix(reference))) / max(abs(reference)), 1e-6)
      df <- clubSandwich::coef_test(pair[[2]], vcov = reference, test = "Satterthwaite")$df
      expect_equal(unname(table$coefficients[, "df"]), df, tolerance = 1e-6)
    }
  }
})

test_that("estimates and degrees of freedom are those of dense matrices", {
  data <- transform(as.data.frame(nlme::Orthodont), w = rep(c(0.5, 2, 7, 1), 27))[-c(1, 7, 30, 31), ]
  expect_dense(lmm(distance ~ age * Sex + (I(age - 11) | Subject), data, weights = w, REML = FALSE), data$Subject)
  # a covariate far from zero
  expect_dense(lmm(distance ~ I(1990 + age) + (1 | Subject), data), data$Subject)
  # larger clusters than the grouping factor; rows in any order
  machines <- as.data.frame(nlme::Machines)[c(54:30, 1:27), ]
  machines$team <- c("a", "b", "c")[1 + as.integer(machines$Worker) %% 3]
  fit <- suppressMessages(lmm(score ~ Machine + (1 | Worker:Machine), machines))
  expect_dense(fit, machines$team, ~ team)
  expect_identical(robust(fit, cluster = "team")$vcov, robust(fit, cluster = machines$team)$vcov)
  # clusters of many rows, with weights of two kinds
  i <- seq_len(150)
  long <- data.frame(g = rep(1:5, c(45, 50, 2, 9, 44)), x = sin(3 * i), w = 1 + i %% 2)
  long$y <- 3 * cos(5 * long$g) + long$x + sin(11 * i)
  expect_dense(suppressMessages(lmm(y ~ x + (x | g), long, weights = w)), long$g)
})

test_that("a balanced one-way layout has the variance of the means, with one df less than groups", {
  fit <- lmm(travel ~ 1 + (1 | Rail), nlme::Rail)
  means <- tapply(nlme::Rail$travel, as.character(nlme::Rail$Rail), mean)
  expect_equal(c(vcov(fit, type = "CR2")), var(means) / 6, tolerance = 1e-10)
  expect_equal(c(vcov(fit, type = "CR0")), var(means) / 6 * 5 / 6, tolerance = 1e-10)
  expect_equal(robust(fit)$coefficients[, "df"], 5, tolerance = 1e-10)
})

test_that("clusters are the outermost factor, or the sets that crossed factors connect", {
  data <- expand.grid(plate = 1:4, sample = 1:3, half = 1:2)
  data$y <- sin(5 * seq_len(24)) + data$plate
  data$plates <- interaction(data$plate, data$half)
  data$samples <- interaction(data$sample, data$half)
  fit <- suppressMessages(lmm(y ~ 1 + (1 | plates) + (1 | samples), data))
  expect_identical(robust(fit)$clusters$n, 2L)
  expect_equal(robust(fit)$vcov, robust(fit, cluster = ~ half)$vcov)
  expect_match(printed(robust(fit)), "Clusters: 2 (connected sets of plates and samples), 12 rows each", fixed = TRUE)
  nested <- shared_fit("nested")
  expect_identical(robust(nested)$clusters$name, "Worker")
  # a chain: every set has to be walked through
  chain <- connected_sets(list(rep(1:50, each = 2), c(1L, rep(2:50, each = 2), 51L)))
  expect_identical(chain, rep(1L, 100))
  expect_identical(connected_sets(list(c(3L, 1L, 3L, 2L), c(1L, 2L, 2L, 3L))), c(1L, 1L, 1L, 2L))
})

test_that("series of correlated residuals are not cut", {
  data <- as.data.frame(nlme::Ovary)
  data$series <- 1 + as.integer(as.character(data$Mare)) %% 2
  data$step <- seq_len(nrow(data))
  fit <- suppressMessages(lmm(follicles ~ sin(2 * pi * Time) + (1 | Mare), data, correlation = ar1(~ step | series)))
  expect_identical(robust(fit)$clusters$n, 2L)
  said <- tryCatch(robust(fit, cluster = ~ Mare), error = identity)
  expect_three_lines(said, "ferrite_error_cluster")
  expect_match(conditionMessage(said), "of `series` has rows in the clusters")
})

test_that("a coefficient that rests on one cluster has no robust variance, and this is said", {
  data <- transform(as.data.frame(nlme::Orthodont), only = as.numeric(Subject == "M13"))
  fit <- lmm(distance ~ age + only + (1 | Subject), data)
  said <- tryCatch(robust(fit), warning = identity)
  expect_three_lines(said, "ferrite_warning_cluster")
  expect_match(conditionMessage(said), "`only` rests on one cluster alone")
  table <- suppressWarnings(robust(fit))
  expect_identical(is.na(table$coefficients[, "Std. Error"]), c("(Intercept)" = FALSE, age = FALSE, only = TRUE))
  reference <- dense_robust(fit, data$Subject, "CR2")
  expect_equal(unname(table$coefficients[1:2, "df"]), reference$df[1:2], tolerance = 1e-9)
  expect_warning(vcov(fit, type = "CR2"), class = "ferrite_warning_cluster")
  expect_true(is.na(contest(table, "only")[["F value"]]))
})

test_that("tables, intervals and contrasts of the robust object agree with each other", {
  fit <- shared_fit("slope")
  table <- robust(fit)
  one <- contest(table, "age:SexFemale", joint = FALSE)
  expect_equal(unlist(one[c(1:4, 7)]), table$coefficients["age:SexFemale", ], ignore_attr = TRUE)
  expect_equal(unlist(one[c("lower", "upper")]), confint(table)["age:SexFemale", ], ignore_attr = TRUE)
  joint <- contest(table, "age:SexFemale")
  expect_equal(joint[["F value"]], one[["t value"]]^2)
  expect_equal(joint$DenDF, one$df)
  expect_equal(joint[["Pr(>F)"]], one[["Pr(>|t|)"]])
  expect_equal(contest(table, "age = 0.5", joint = FALSE)[["t value"]],
    (fixef(fit)[["age"]] - 0.5) / sqrt(vcov(table)["age", "age"]))
  expect_identical(coef(table), table$coefficients)
  expect_named(as.data.frame(table), c("term", "Estimate", "Std. Error", "df", "t value", "Pr(>|t|)"))
  expect_identical(rownames(confint(table, "age", level = 0.9)), "age")
  expect_match(printed(table), "Cluster-robust t tests (CR2) of fixed effects, fit by REML", fixed = TRUE)
  expect_match(printed(table), "Clusters: 27 (Subject), 4 rows each", fixed = TRUE)
  expect_match(printed(joint), "cluster-robust (CR2)", fixed = TRUE)
  few <- lmm(distance ~ age + (1 | Sex), nlme::Orthodont)
  expect_match(printed(robust(few)), "Fewer than 4 degrees of freedom")
})

test_that("dropped coefficients are kept apart", {
  fit <- shared_fit("dropped")
  full <- vcov(fit, type = "CR2")
  expect_identical(dim(full), c(3L, 3L))
  expect_true(all(is.na(full[3, ])))
  expect_identical(full[1:2, 1:2], vcov(fit, complete = FALSE, type = "CR2"))
  expect_identical(vcov(fit, type = "model"), vcov(fit))
  expect_identical(nrow(confint(robust(fit))), 3L)
})

test_that("reports and tidy tables have the same numbers", {
  table <- robust(shared_fit("slope"))
  skip_if_not_installed("generics")
  tidied <- generics::tidy(table, conf.int = TRUE)
  expect_equal(tidied$std.error, unname(table$coefficients[, "Std. Error"]))
  expect_equal(tidied$conf.high, unname(confint(table)[, 2]))
  skip_if_not_installed("knitr")
  expect_match(knitr::knit_print(table), "age:SexFemale")
  skip_if_not_installed("clubSandwich")
  expect_equal(as.matrix(clubSandwich::vcovCR(shared_fit("slope"), type = "CR2")), vcov(table), tolerance = 1e-8)
})

test_that("wrong arguments are errors in three lines that say what to do", {
  fit <- shared_fit("slope")
  crossed <- suppressMessages(lmm(yield ~ 1 + (1 | a) + (1 | b), data.frame(
    yield = sin(1:24), a = rep(1:6, 4), b = rep(1:4, each = 6)
  )))
  said <- tryCatch(vcov(crossed, type = "CR2"), error = identity)
  expect_three_lines(said, "ferrite_error_cluster")
  expect_match(conditionMessage(said), "all connected")
  expect_match(conditionMessage(said), "Kenward-Roger")
  clusters <- list(
    quote(robust(fit, cluster = "Sbject")), quote(robust(fit, cluster = ~ Sex + age)),
    quote(robust(fit, cluster = ~ age)), quote(robust(fit, cluster = 1:3)),
    quote(robust(fit, cluster = list(1))), quote(robust(fit, cluster = rep(1, 108))),
    quote(robust(fit, cluster = c(NA, rep(1:2, c(53, 54))))), quote(robust(crossed, cluster = ~ a)),
    quote(vcov(fit, type = "CR0", cluster = plogis))
  )
  for (call in clusters) expect_three_lines(tryCatch(eval(call), error = identity), "ferrite_error_cluster")
  arguments <- list(
    quote(vcov(fit, type = "CR7")), quote(robust(fit, 2)), quote(robust(fit, data = 1)), quote(robust(1:3)),
    quote(vcov(fit, cluster = ~ Sex)), quote(confint(robust(fit), "aeg")), quote(confint(robust(fit), level = 95)),
    quote(contest(robust(fit), "age", joint = NA))
  )
  for (call in arguments) expect_three_lines(tryCatch(eval(call), error = identity), "ferrite_error_argument")
  expect_three_lines(tryCatch(contest(robust(fit), "aeg"), error = identity), "ferrite_error_contrast")
  small <- fit
  small$control$memory <- 500
  expect_three_lines(tryCatch(robust(small), error = identity), "ferrite_error_too_large")
})
