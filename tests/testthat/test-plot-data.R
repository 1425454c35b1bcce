labels_of <- function(table) attr(table, "labels")

# 40 groups of 1 to 9 rows, an intercept and a slope, and a factor that varies within groups.
uneven <- function() {
  group <- rep(seq_len(40), rep_len(1:9, 40))
  n <- length(group)
  x <- (seq_len(n) * 7) %% 11
  data <- data.frame(g = factor(sprintf("g%02d", group)), x = x, f = factor(ifelse(seq_len(n) %% 3 == 0, "a", "b")))
  data$y <- 5 + 0.5 * x + 2 * sin(group) + 0.6 * cos(3 * group) * x + sin(12.9898 * seq_len(n)) + (data$f == "a")
  data
}

test_that("residuals, their scale and their quantiles are those of the fit", {
  fit <- shared_fit("weighted")
  r <- residuals(fit, "pearson", scaled = TRUE)
  table <- plot_data(fit, "residuals")
  expect_named(table, c("row", "fitted", "residual", "trend"))
  expect_equal(table$residual, unname(r), tolerance = 1e-12)
  expect_equal(table$fitted, unname(fitted(fit)), tolerance = 1e-12)
  expect_identical(table$row, names(r))
  expect_equal(plot_data(fit, "scale")$root, sqrt(abs(unname(r))), tolerance = 1e-12)
  quantiles <- plot_data(fit, "qq")
  expect_named(quantiles, c("row", "theoretical", "residual", "line"))
  expect_equal(quantiles$residual, unname(sort(r)), tolerance = 1e-12)
  expect_equal(quantiles$theoretical, sort(qqnorm(r, plot.it = FALSE)$x))
})

test_that("texts name the response, with its unit where it has one", {
  expect_identical(labels_of(plot_data(shared_fit("slope"), "residuals"))$x, "Fitted distance")
  data <- as.data.frame(nlme::Orthodont)
  attr(data$distance, "units") <- "mm"
  attr(data$age, "label") <- "Age"
  attr(data$age, "units") <- "years"
  fit <- lmm(distance ~ age + (1 | Subject), data)
  expect_identical(labels_of(plot_data(fit, "residuals"))$x, "Fitted distance (mm)")
  expect_identical(labels_of(plot_data(fit, "observed"))$x, "Age (years)")
})

test_that("intervals and ranks of the caterpillar follow from ranef()", {
  fit <- shared_fit("crossed")
  table <- plot_data(fit, "caterpillar", level = 0.9)
  long <- as.data.frame(ranef(fit))
  expect_equal(table$upper - table$lower, 2 * qnorm(0.95) * long$condsd)
  expect_identical(sort(table$position[table$grpvar == "Dog" & table$term == "day"]), as.numeric(1:10))
  expect_error(plot_data(fit, "caterpillar", level = 2), class = "ferrite_error_argument")
  day <- plot_data(fit, "caterpillar", group = "Dog", effect = "day")
  expect_identical(day$condval, long$condval[long$grpvar == "Dog" & long$term == "day"])
})

test_that("constant fitted values and zero variances are no trouble", {
  fit <- shared_fit("singular")
  expect_identical(nrow(plot_data(fit, "residuals")), 30L)
  expect_identical(unique(plot_data(fit, "residuals")$trend), plot_data(fit, "residuals")$trend[1])
  expect_true(all(plot_data(fit, "caterpillar")$condsd == 0))
  quantiles <- plot_data(fit, "ranef_qq")
  expect_true(all(quantiles$standardised == 0) && all(is.na(quantiles$lower)))
  expect_equal(plot_data(fit, "shrinkage")$partial, rep(fixef(fit)[[1]], 6))
  expect_identical(plot_data(fit, "varcomp")$lower[1], 0)
})

test_that("the line of the quantile plot goes through the quartiles", {
  table <- plot_data(shared_fit("slope"), "qq")
  slope <- unname(diff(quantile(table$residual, c(0.25, 0.75)))) / (2 * qnorm(0.75))
  expect_equal(diff(table$line[c(1, 108)]) / diff(table$theoretical[c(1, 108)]), slope)
  expect_equal(stats::approx(table$theoretical, table$line, qnorm(0.25))$y, quantile(table$residual, 0.25)[[1]])
})

test_that("the trend of many rows is that of neighbourhood means", {
  n <- 8000
  x <- seq_len(n) / n
  y <- x^2 + 0.1 * sin(1e4 * seq_len(n))
  trend <- smooth_trend(x, y)
  expect_lt(max(abs(trend - x^2)[x > 0.1 & x < 0.9]), 0.05)
  expect_identical(order(trend[x > 0.3]), seq_len(sum(x > 0.3)))
  expect_identical(smooth_trend(rep(1, 9000), rep(2, 9000)), rep(2, 9000))
})

test_that("residuals by group have the medians and boxes of base R", {
  fit <- lmm(y ~ x + (1 | g), uneven())
  table <- plot_data(fit, "by_group")
  expect_named(table, c("row", "grpvar", "grp", "residual", "centre", "position"))
  medians <- tapply(table$residual, table$grp, median)
  expect_equal(table$centre, as.vector(medians[table$grp]))
  expect_equal(table$position, as.vector(rank(medians)[table$grp]))
  quartiles <- level_quantiles(table$residual, as.integer(factor(table$grp)), 40L, c(0, 0.25, 0.5, 0.75, 1))
  expect_equal(quartiles, unname(t(simplify2array(tapply(table$residual, table$grp, quantile)))))
  found <- level_boxes(table)
  expect_identical(found$boxes$n, as.vector(table(table$grp)[found$boxes$grp]))
  ends <- vapply(split(table$residual, table$position), function(r) {
    q <- quantile(r, c(0.25, 0.75), names = FALSE)
    near <- r[r >= q[1] - 1.5 * diff(q) & r <= q[2] + 1.5 * diff(q)]
    c(min(near, q[1]), max(near, q[2]))
  }, numeric(2))
  expect_equal(rbind(found$boxes$lower, found$boxes$upper), unname(ends))
  expect_identical(nrow(found$outliers), sum(table$residual < ends[1, table$position] - 1e-12 |
    table$residual > ends[2, table$position] + 1e-12))
  both <- plot_data(shared_fit("crossed"), "by_group")
  expect_identical(unique(both$grpvar), names(ngrps(shared_fit("crossed"))))
  expect_identical(unique(plot_data(shared_fit("crossed"), "by_group", group = "Dog")$grpvar), "Dog")
})

test_that("random effects are standardised by the spread that they should have", {
  fit <- lmm(y ~ x + (1 | g), uneven())
  table <- plot_data(fit, "ranef_qq", level = 0.9)
  long <- as.data.frame(ranef(fit))
  z <- long$condval / sqrt(VarCorr(fit)$g[1] - long$condsd^2)
  expect_equal(table$standardised, sort(z))
  expect_equal(table$theoretical, qnorm(ppoints(40)))
  expect_equal(pnorm(table$lower), qbeta(0.05, 1:40, 40:1))
  expect_equal(pnorm(table$upper), qbeta(0.95, 1:40, 40:1))
  expect_equal(plot_data(shared_fit("slope"), "ranef_qq")$theoretical, rep(qnorm(ppoints(27)), 2))
})

test_that("shrinkage is that of shrinkage(), ranked by the partially pooled estimate", {
  fit <- shared_fit("slope")
  table <- plot_data(fit, "shrinkage", effect = "age")
  direct <- as.data.frame(shrinkage(fit, effect = "age"))
  expect_equal(table[names(direct)], direct, ignore_attr = TRUE)
  expect_equal(table$position, rank(table$partial, ties.method = "first"))
})

test_that("observed and fitted: the covariate is found, levels are chosen at equal steps of rank", {
  fit <- shared_fit("slope")
  table <- plot_data(fit, "observed")
  expect_named(table, c(
    "row", "grpvar", "grp", "x", "series", "observed", "fitted", "line", "population", "position"
  ))
  expect_identical(attr(table, "covariate"), "age")
  expect_identical(length(unique(table$grp)), 12L)
  expect_equal(unique(table$position), round(seq(1, 27, length.out = 12)))
  rows <- match(table$row, rownames(fit$frame))
  expect_equal(table$x, nlme::Orthodont$age[rows])
  expect_equal(table$fitted, unname(fitted(fit))[rows])
  expect_equal(table$line, table$fitted)
  expect_equal(table$population, unname(predict(fit, re.form = NA))[rows])
  effect <- tapply(fitted(fit) - predict(fit, re.form = NA), fit$frame$Subject, mean)
  expect_equal(unique(table$grp), names(sort(effect))[unique(table$position)])
  named <- plot_data(fit, "observed", show = c("M01", "F02"))
  expect_setequal(unique(named$grp), c("M01", "F02"))
  expect_identical(length(unique(plot_data(fit, "observed", show = 100)$grp)), 27L)
  expect_identical(length(unique(plot_data(fit, "observed", show = 1)$grp)), 1L)
})

test_that("a transformed covariate, polynomials, and no covariate at all", {
  data <- uneven()
  log_x <- lmm(y ~ log(x + 1) + (1 | g), data)
  expect_identical(attr(plot_data(log_x, "observed"), "covariate"), "log(x + 1)")
  curve <- lmm(y ~ poly(x, 2) + (1 | g), data)
  table <- plot_data(curve, "observed", show = 40)
  expect_identical(attr(table, "covariate"), "x")
  expect_equal(table$x, data$x[as.integer(table$row)])
  data$x <- data$x + sin(seq_along(data$x))
  expect_null(attr(plot_data(curve, "observed"), "covariate"))
  none <- plot_data(shared_fit("nested"), "observed")
  expect_null(attr(none, "covariate"))
  expect_identical(nrow(none), 54L)
  expect_identical(labels_of(none)$x, "Fitted score")
  expect_true(all(is.na(none$x)) && all(is.na(none$line)))
})

test_that("factors within groups make series, other grouping factors do not bend the lines", {
  data <- uneven()
  data$h <- factor(seq_len(nrow(data)) %% 5)
  fit <- lmm(y ~ x + f + (1 | g) + (1 | h), data)
  table <- plot_data(fit, "observed", show = 40)
  expect_setequal(table$series, c("a", "b"))
  expect_identical(attr(table, "legend"), "f")
  rows <- as.integer(table$row)
  expect_equal(table$line, unname(predict(fit, re.form = ~ (1 | g)))[rows])
  expect_false(isTRUE(all.equal(table$line, table$fitted)))
})

test_that("variance components have the intervals of confint(), and units", {
  fit <- shared_fit("slope")
  table <- plot_data(fit, "varcomp", level = 0.9)
  limits <- confint(fit, "theta_", level = 0.9)
  expect_identical(table$name, rownames(limits))
  expect_identical(c(table$lower, table$upper), as.vector(limits))
  expect_equal(table$estimate[c(1, 3, 4)], c(attr(VarCorr(fit)$Subject, "stddev"), sigma(fit)), ignore_attr = TRUE)
  expect_identical(table$unit, c("response", "correlation", "age", "response"))
  expect_identical(table$label[2], "Subject: (Intercept), age")
  machines <- lmm(score ~ Machine + (0 + Machine | Worker), nlme::Machines)
  expect_identical(unique(plot_data(machines, "varcomp")$unit), c("response", "correlation"))
})

test_that("profiles and influence are the tables of their functions", {
  fit <- shared_fit("singular")
  expect_equal(plot_data(fit, "profile"), as.data.frame(profile(fit)), ignore_attr = TRUE)
  cases <- plot_data(fit, "influence")
  direct <- as.data.frame(influence(fit, progress = FALSE))
  expect_equal(cases[names(direct)], direct, ignore_attr = TRUE)
  groups <- plot_data(shared_fit("slope"), "influence", group = "Subject")
  expect_identical(groups$deleted, rownames(ranef(shared_fit("slope"))$Subject))
  expect_identical(groups$index, 1:27)
})

test_that("Cook's distances of large fits need no refit, and the axis says so", {
  n <- 4000
  data <- data.frame(g = factor(seq_len(n) %% 300), y = sin(12.9898 * seq_len(n)) + cos(seq_len(n) %% 300))
  fit <- lmm(y ~ 1 + (1 | g), data)
  table <- plot_data(fit, "influence")
  expect_equal(table$cooks.distance, unname(cooks.distance(fit)))
  expect_match(labels_of(table)$y, "held")
})

test_that("rows that were set aside are in no table", {
  data <- as.data.frame(nlme::Orthodont)
  data$distance[5] <- NA
  fit <- lmm(distance ~ age + (1 | Subject), data, na.action = na.exclude)
  for (kind in c("residuals", "scale", "qq", "by_group", "influence")) {
    expect_identical(nrow(plot_data(fit, kind)), 107L, info = kind)
  }
  expect_identical(nrow(plot_data(fit, "observed", show = 27)), 107L)
})

test_that("wrong arguments are errors that name what there is", {
  fit <- shared_fit("crossed")
  expect_three_lines(tryCatch(plot_data(fit, "nothing"), error = identity), "ferrite_error_argument")
  wrong <- tryCatch(plot_data(fit, "caterpillar", group = "Dogs"), error = identity)
  expect_three_lines(wrong, "ferrite_error_argument")
  expect_match(conditionMessage(wrong), "Did you mean `Dog`", fixed = TRUE)
  expect_error(plot_data(fit, "caterpillar", effect = "weight"), class = "ferrite_error_argument")
  expect_error(plot_data(fit, "caterpillar", group = 1), class = "ferrite_error_argument")
  expect_error(plot_data(fit, "caterpillar", group = "Dog:Side", effect = "day"), class = "ferrite_error_argument")
  expect_error(plot_data(fit, "observed", show = "no dog"), class = "ferrite_error_argument")
  expect_error(plot_data(fit, "observed", show = 0), class = "ferrite_error_argument")
  expect_error(plot_data(fit, "observed", panels = 3), class = "ferrite_error_argument")
})
