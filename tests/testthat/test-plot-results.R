# plot() and autoplot() of what methods return.

test_that("random effects, influence, bootstraps and intraclass correlations draw what they hold", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("slope")
  effects <- plot(ranef(fit))
  expect_equal(effects, plot_data(fit, "caterpillar"), ignore_attr = TRUE)
  expect_identical(unique(as.character(plot(ranef(fit), effect = "age")$term)), "age")
  points <- plot(ranef(fit, condVar = FALSE))
  expect_identical(points$lower, points$condval)
  deleted <- influence(fit, "Subject", progress = FALSE)
  expect_equal(plot(deleted)$cooks.distance, unname(suppressMessages(cooks.distance(deleted))))
  tables <- plot(deleted, which = "dfbetas")
  expect_equal(tables$age$dfbetas, unname(dfbetas(deleted)[, "age"]))
  path <- tempfile(fileext = ".pdf")
  grDevices::pdf(path, compress = FALSE)
  plot(deleted, which = "dfbetas")
  grDevices::dev.off()
  # the second line of a PDF is of bytes that are no text
  drawn <- readLines(path, warn = FALSE)
  expect_false(any(grepl("No distance", drawn, fixed = TRUE, useBytes = TRUE)))
  expect_true(any(grepl("M13", drawn, fixed = TRUE, useBytes = TRUE)))
  boot <- bootstrap(fit, nsim = 60, seed = 1, progress = FALSE)
  bars <- plot(boot, parm = c("sigma", "age"))
  expect_equal(as.vector(tapply(bars$count, bars$statistic, sum)), c(60, 60))
  limits <- confint(boot, "sigma")
  expect_equal(unlist(bars[bars$statistic == "sigma", ][1, c("lower", "upper")]), limits[1, ], ignore_attr = TRUE)
  shares <- icc(shared_fit("nested"))
  expect_equal(plot(shares)$icc, as.data.frame(shares)$icc)
  for (wrong in list(quote(plot(ranef(fit), group = "x")), quote(plot(ranef(fit), level = 2)),
    quote(plot(ranef(fit), foo = 1)), quote(plot(deleted, which = "a")), quote(plot(boot, parm = "nothing")),
    quote(plot(shares, foo = 2)), quote(plot(boot, ask = 3)))) {
    expect_three_lines(tryCatch(eval(wrong), error = identity), "ferrite_error_argument")
  }
})

test_that("what has no meaning for a plot is a classed error before anything is drawn or warned", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("slope")
  effects <- ranef(fit)
  deleted <- influence(fit, "Subject", progress = FALSE)
  few <- bootstrap(fit, nsim = 20, seed = 1, progress = FALSE)
  shares <- icc(shared_fit("nested"))
  wrong <- list(
    quote(plot(fit, type = "foo")), quote(plot(fit, n = 3)), quote(plot(fit, parm = "age")),
    quote(plot(fit, which = NULL)), quote(plot(fit, which = "acf", type = 1)), quote(plot(fit, group = NA)),
    quote(plot_data(fit, "acf", draws = 2)), quote(plot_data(fit, "acf", level = 1)),
    quote(plot(effects, type = 1:99)), quote(plot(effects, n = 3)), quote(plot(effects, parm = 1)),
    quote(plot(effects, which = "cook")), quote(plot(effects, group = NA)), quote(plot(effects, level = NULL)),
    quote(plot(deleted, level = 0.9)), quote(plot(deleted, group = "Subject")), quote(plot(deleted, which = 1)),
    quote(plot(deleted, parm = "age")), quote(plot(few, parm = NA)), quote(plot(few, parm = 99)),
    quote(plot(few, parm = character())), quote(plot(few, type = "x")), quote(plot(few, level = 1)),
    quote(plot(few, which = "cook")), quote(plot(shares, level = 0.9)), quote(plot(shares, type = "zz")),
    quote(plot(shares, "a"))
  )
  for (one in wrong) {
    expect_no_warning(found <- tryCatch(eval(one), error = identity))
    expect_three_lines(found, "ferrite_error_argument")
  }
  skip_if_not_installed("ggplot2", "3.4.0")
  wrong <- list(
    quote(ggplot2::autoplot(fit, type = "a")), quote(ggplot2::autoplot(fit, which = "x")),
    quote(ggplot2::autoplot(effects, effect = 1)), quote(ggplot2::autoplot(effects, n = 3)),
    quote(ggplot2::autoplot(deleted, which = NA)), quote(ggplot2::autoplot(deleted, level = 0.9)),
    quote(ggplot2::autoplot(few, parm = "x")), quote(ggplot2::autoplot(few, type = "x")),
    quote(ggplot2::autoplot(shares, level = 0.9))
  )
  for (one in wrong) {
    expect_no_warning(found <- tryCatch(eval(one), error = identity))
    expect_three_lines(found, "ferrite_error_argument")
  }
})

test_that("a panel that draws its own points takes no type, and says nothing", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("slope")
  for (which in c("caterpillar", "acf", "strata", "varcomp", "shrinkage", "ranef_qq", "qq")) {
    expect_silent(plot(fit, which = which, type = "p"))
  }
})

test_that("with ggplot2 too", {
  skip_if_not_installed("ggplot2", "3.4.0")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("slope")
  deleted <- influence(fit, "Subject", progress = FALSE)
  boot <- bootstrap(fit, nsim = 60, seed = 1, progress = FALSE)
  plots <- list(
    ggplot2::autoplot(ranef(fit)), ggplot2::autoplot(deleted), ggplot2::autoplot(deleted, which = "dfbetas"),
    ggplot2::autoplot(boot), ggplot2::autoplot(icc(shared_fit("nested")))
  )
  for (one in plots) {
    expect_s3_class(one, "ggplot")
    expect_silent(print(one))
  }
  expect_three_lines(tryCatch(ggplot2::autoplot(ranef(fit), x = 1), error = identity), "ferrite_error_argument")
})

test_that("ggplot2: shares keep their order where one has no interval, and lags are marked", {
  skip_if_not_installed("ggplot2", "3.4.0")
  share <- icc(lmm(distance ~ age + (1 | Subject), nlme::Orthodont))
  drawn <- ggplot2::ggplot_build(ggplot2::autoplot(share))$layout$panel_params[[1]]$y$get_labels()
  expect_identical(rev(drawn), paste0(share$table$group, ", ", share$table$type))
  serial <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont, correlation = ar1(~ age | Subject))
  marks <- ggplot2::ggplot_build(ggplot2::autoplot(serial, "acf"))$layout$panel_params[[1]]$x$breaks
  expect_equal(marks, plot_data(serial, "acf")$lag)
})
