# Exact deletion, against fits to the rows that are left.

# The largest relative difference between an element of `inf` and the fit without those rows.
distance_to_refit <- function(inf, id, fit) {
  minus <- paste0("[-", inf$groups, "]")
  relative <- function(a, b) max(0, abs(a - b) / pmax(abs(b), 1e-6 * max(abs(b))))
  sd <- c(random_sd(fit), sigma(fit))
  max(
    relative(inf[[paste0("fixed.effects", minus)]][id, ], fixef(fit, complete = FALSE)),
    relative(inf[[paste0("vcov", minus)]][[id]], fit$vcov), abs(inf[[paste0("sd", minus)]][id, ] - sd) / sigma(fit)
  )
}

test_that("deletions of groups and of cases are the fits to the other rows", {
  sleep <- transform(sleep_data(), w = 1 + (seq_along(y) %% 4) / 2, off = 5 * x)
  ortho <- transform(as.data.frame(nlme::Orthodont), Subject = factor(as.character(Subject)))
  machines <- as.data.frame(nlme::Machines)
  fits <- list(
    list("g", sleep, function(data) lmm(y ~ x + (x | g), data)),
    list("g", sleep, function(data) lmm(y ~ x + offset(off) + (x || g), data, weights = w)),
    list("Subject", ortho, function(data) lmm(distance ~ age * Sex + (age | Subject), data, REML = FALSE)),
    list("Subject", ortho, function(data) lmm(distance ~ age + I(2 * age) + (1 | Subject), data)),
    list("Worker", machines, function(data) lmm(score ~ Machine + (1 | Worker / Machine), data)),
    list("person", estrone, function(data) lmm(y ~ 1 + (1 | person), data)),
    list("batch", dyestuff2(), function(data) lmm(yield ~ 1 + (1 | batch), data))
  )
  for (case in fits) {
    data <- case[[2]]
    make <- function(data) suppressMessages(case[[3]](data))
    fit <- make(data)
    groups <- influence(fit, case[[1]])
    for (id in groups$deleted) {
      without <- make(data[as.character(data[[case[[1]]]]) != id, ])
      expect_lt(distance_to_refit(groups, id, without), 1e-8, label = paste(case[[1]], id))
    }
    cases <- influence(fit)
    expect_identical(cases$deleted, rownames(data))
    for (row in c(1, 17, nrow(data))) {
      expect_lt(distance_to_refit(cases, row, make(data[-row, ])), 1e-8, label = paste(case[[1]], "row", row))
    }
  }
})

test_that("the words and figures are those of lme4's influence()", {
  skip_if_not_installed("lme4")
  data <- as.data.frame(nlme::Orthodont)
  fit <- lmm(distance ~ age * Sex + (1 | Subject), data)
  other <- suppressMessages(influence(lme4_fit(distance ~ age * Sex + (1 | Subject), data), "Subject"))
  own <- influence(fit, "Subject")
  expect_identical(names(own)[1:10], names(other))
  expect_identical(own$groups, other$groups)
  expect_setequal(own$deleted, as.character(other$deleted))
  expect_identical(names(own$var.cov.comps), names(other$var.cov.comps))
  expect_true(all(own$converged))
  ids <- as.character(other$deleted)
  # lme4 refits with its default optimiser
  expect_equal(dfbeta(own)[ids, ], dfbeta(other), tolerance = 1e-4)
  expect_equal(dfbetas(own)[ids, ], dfbetas(other), tolerance = 1e-3)
  expect_equal(dfbeta(own, "var.cov")[ids, ], dfbeta(other, "var.cov"), tolerance = 1e-2)
  expect_equal(unname(cooks.distance(own)[ids]), unname(cooks.distance(other)), tolerance = 1e-3)
  # its methods work on our object
  expect_equal(unname(cooks.distance(structure(own, class = "influence.merMod"))), unname(cooks.distance(own)))
  two <- lme4_fit(score ~ Machine + (1 | Worker / Machine), nlme::Machines)
  names <- names(influence(shared_fit("nested"), "Worker")$var.cov.comps)
  expect_setequal(sub("Machine:Worker", "Worker:Machine", names),
    sub("Machine:Worker", "Worker:Machine", c("sigma^2", paste0(names(lme4::VarCorr(two)), ":v[(Intercept)]"))))
})

test_that("groups are variables of the model, grouping factors, combinations, or in `data`", {
  fit <- shared_fit("nested")
  data <- model.frame(fit)
  expect_identical(influence(fit, "Worker")$deleted, levels(factor(data$Worker)))
  nested <- influence(fit, "Worker:Machine")
  expect_identical(nested$groups, "Worker:Machine")
  expect_length(nested$deleted, 18L)
  pair <- influence(fit, c("Machine", "Worker"))
  expect_identical(pair$groups, "Machine.Worker")
  expect_true(all(c("A.1", "C.6") %in% pair$deleted))
  expect_equal(sort(cooks.distance(pair)), sort(cooks.distance(nested)), ignore_attr = TRUE)
  expect_identical(unname(pair$rows), rep(3L, 18L))
  other <- data.frame(half = rep_len(c("first", "last", "last", NA), 54), row.names = rownames(data))
  part <- influence(fit, "half", data = other[54:1, , drop = FALSE])
  expect_identical(part$rows, c(first = 14L, last = 27L))
  condition <- expect_error(influence(fit, "worker"), class = "ferrite_error_argument")
  expect_three_lines(condition, "ferrite_error_argument")
  expect_match(conditionMessage(condition), "`Worker`, `score` and `Machine`", fixed = TRUE)
  expect_error(influence(fit, "half"), class = "ferrite_error_argument")
  expect_error(influence(fit, "half", data = other[1:9, , drop = FALSE]), class = "ferrite_error_argument")
  expect_error(influence(fit, "one", data = transform(other, one = 1)), class = "ferrite_error_argument")
  expect_error(influence(fit, 3), class = "ferrite_error_argument")
  expect_error(influence(fit, do.coef = 2), class = "ferrite_error_argument")
  expect_error(influence(fit, threads = 0), class = "ferrite_error_argument")
  expect_error(influence(fit, progress = 1), class = "ferrite_error_argument")
})

test_that("deletions that take a coefficient away are NA and named", {
  data <- transform(estrone, one = as.numeric(seq_len(80) == 7))
  fit <- lmm(y ~ one + (1 | person), data)
  condition <- expect_warning(cases <- influence(fit), class = "ferrite_warning_deletion")
  expect_three_lines(condition, "ferrite_warning_deletion")
  expect_identical(condition$rank, "7")
  expect_identical(cases$status[["7"]], "rank")
  expect_identical(which(!cases$converged), c("7" = 7L))
  for (values in list(dfbeta(cases), dfbetas(cases), as.matrix(cooks.distance(cases)), dfbeta(cases, "var.cov"))) {
    expect_identical(unname(which(rowSums(is.na(values)) > 0)), 7L)
  }
  expect_output(print(cases), "1 deletion without a result")
  expect_warning(influence(shared_fit("nested"), "Machine"), "`A`, `B` and `C` of `Machine`",
    class = "ferrite_warning_deletion")
})

test_that("threads do not change results, and too many covariance matrices are refused", {
  fit <- shared_fit("slope")
  expect_identical(influence(fit, threads = 1), influence(fit, ncores = 2))
  fit$control$memory <- 1e4
  expect_error(influence(fit), class = "ferrite_error_too_large")
})

test_that("the table and its print have a row for each deletion", {
  fit <- shared_fit("slope")
  child <- influence(fit, "Subject")
  table <- as.data.frame(child)
  expect_identical(names(table), c(
    "deleted", "rows", "cooks.distance", paste0("dfbetas_", names(fixef(fit))), "change_sd_(Intercept)|Subject",
    "change_sd_age|Subject", "change_sigma"
  ))
  expect_identical(table$deleted, child$deleted)
  expect_equal(table$cooks.distance, unname(cooks.distance(child)))
  expect_equal(as.matrix(table[4:7]), dfbetas(child), ignore_attr = TRUE)
  without <- suppressMessages(lmm(formula(fit), subset(nlme::Orthodont, Subject != "M13")))
  expect_equal(table$change_sigma[table$deleted == "M13"], sigma(without) - sigma(fit), tolerance = 1e-6)
  text <- printed(child)
  expect_match(text, "each group (Subject), 27 exact refits", fixed = TRUE)
  expect_match(text, "M13 +4 +0.18[0-9]* +-1.0[0-9]* +age")
  expect_match(printed(influence(lmm(y ~ 0 + (1 | person), estrone), "person")), "5 exact refits")
})

test_that("the printed table is as wide as the line", {
  fit <- suppressMessages(lmm(score ~ Machine + (1 + Machine | Worker), as.data.frame(nlme::Machines)))
  text <- strsplit(printed(influence(fit, "Worker")), "\n")[[1]]
  expect_lte(max(nchar(text)), 80L)
  expect_match(text[grep("deleted rows", text)], "dfbetas coefficient change +parameter$")
  # without child M13 sigma falls most, not the variance between children
  child <- influence(lmm(distance ~ age + (1 | Subject), nlme::Orthodont), "Subject")
  expect_match(printed(child), "M13 .*-0.17[0-9]* +sigma\n")
  long <- data.frame(g = gl(5, 4), a_variable_with_a_very_long_name_that_fills_the_line = c(1, 3, 2, 5))
  long$y <- sin(1:20) + rep(c(1, 4, 2, 8, 3), each = 4)
  fit <- lmm(y ~ a_variable_with_a_very_long_name_that_fills_the_line + (1 | g), long)
  expect_lte(max(nchar(strsplit(printed(influence(fit, "g")), "\n")[[1]])), 80L)
  expect_identical(shortened(c("(Intercept)|cask:batch", "x"), 12L), c("(Inte..batch", "x"))
  # a standard deviation that becomes zero moves most
  moved <- parameter_moves(cbind(-2, 0.5, 0.3), c(sd = 2, sigma = 1, "rho_ar1|g" = 0.1))
  expect_equal(moved, cbind(1, 0.2, 0.3))
})

test_that("a fit with na.exclude pads cases, not groups", {
  data <- sleep_data()
  data$y[c(3, 40)] <- NA
  fit <- lmm(y ~ x + (1 | g), data, na.action = na.exclude)
  cases <- influence(fit)
  expect_length(cases$deleted, 178L)
  expect_identical(nrow(as.data.frame(cases)), 178L)
  expect_identical(which(is.na(unname(cooks.distance(cases)))), c(3L, 40L))
  expect_identical(rownames(dfbetas(cases)), rownames(data))
  expect_length(cooks.distance(influence(fit, "g")), 18L)
})
