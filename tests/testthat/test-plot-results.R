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
