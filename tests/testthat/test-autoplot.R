skip_if_not_installed("ggplot2", "3.4.0")

autoplot_of <- function(...) ggplot2::autoplot(...)

# The data of the layer that a geom draws, as built.
layer_of <- function(plot, geom) {
  at <- which(vapply(plot$layers, function(layer) inherits(layer$geom, geom), NA))[1]
  ggplot2::layer_data(plot, at)
}

drawn <- function(plot) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_silent(print(plot))
}

test_that("every kind is a ggplot that draws, for every shape of model", {
  fits <- list(shared_fit("slope"), shared_fit("nested"), shared_fit("singular"), shared_fit("weighted"),
    shared_fit("uncorrelated"))
  for (fit in fits) for (kind in plot_kinds) {
    plot <- autoplot_of(fit, which = kind)
    expect_s3_class(plot, "ggplot")
    drawn(plot)
  }
})

test_that("what is built are the numbers of plot_data()", {
  fit <- shared_fit("slope")
  table <- plot_data(fit, "residuals")
  points <- layer_of(autoplot_of(fit), "GeomPoint")
  expect_equal(points[c("x", "y")], table[c("fitted", "residual")], ignore_attr = TRUE)
  points <- layer_of(autoplot_of(fit, which = "scale"), "GeomPoint")
  expect_equal(points$y, plot_data(fit, "scale")$root)
  points <- layer_of(autoplot_of(fit, which = "qq"), "GeomPoint")
  expect_equal(points[c("x", "y")], plot_data(fit, "qq")[c("theoretical", "residual")], ignore_attr = TRUE)
  points <- layer_of(autoplot_of(fit, which = "ranef_qq"), "GeomPoint")
  expect_equal(points$y, plot_data(fit, "ranef_qq")$standardised)
  band <- layer_of(autoplot_of(fit, which = "ranef_qq", level = 0.8), "GeomRibbon")
  expect_equal(sort(band$ymin), sort(plot_data(fit, "ranef_qq", level = 0.8)$lower))
  table <- plot_data(fit, "caterpillar")
  lines <- layer_of(autoplot_of(fit, which = "caterpillar"), "GeomLinerange")
  expect_equal(lines$xmin, table$lower)
  expect_equal(lines$xmax, table$upper)
  expect_equal(as.numeric(lines$y), table$position)
  expect_equal(as.integer(lines$PANEL), as.integer(table$term))
})

test_that("levels keep their order in every panel", {
  fit <- shared_fit("crossed")
  table <- plot_data(fit, "shrinkage", effect = "(Intercept)")
  plot <- autoplot_of(fit, which = "shrinkage", effect = "(Intercept)")
  points <- lapply(which(vapply(plot$layers, function(layer) inherits(layer$geom, "GeomPoint"), NA)), function(at) {
    ggplot2::layer_data(plot, at)[c("x", "y", "shape", "PANEL")]
  })
  partial <- do.call(rbind, points)
  partial <- partial[partial$shape == 16, ]
  expect_equal(sort(partial$x), sort(table$partial))
  for (panel in split(partial, partial$PANEL)) expect_false(is.unsorted(panel$x[order(panel$y)]))
  table <- plot_data(fit, "by_group")
  boxes <- layer_of(autoplot_of(fit, which = "by_group"), "GeomBoxplot")
  sizes <- tapply(table$grp, table$grpvar, function(g) stats::median(base::table(g)))
  big <- table[table$grpvar %in% names(sizes)[sizes >= 10], ]
  expect_equal(sort(boxes$xmiddle), sort(as.vector(tapply(big$residual, paste(big$grpvar, big$grp), median))))
})

test_that("observed and fitted values, parameters, profiles and influence", {
  fit <- shared_fit("slope")
  table <- plot_data(fit, "observed", show = 5)
  plot <- autoplot_of(fit, which = "observed", show = 5)
  points <- layer_of(plot, "GeomPoint")
  expect_equal(points[c("x", "y")], table[c("x", "observed")], ignore_attr = TRUE)
  expect_identical(levels(plot$data$panel), unique(table$grp))
  table <- plot_data(fit, "varcomp")
  lines <- layer_of(autoplot_of(fit, which = "varcomp"), "GeomLinerange")
  expect_equal(sort(lines$xmin), sort(table$lower))
  plot <- autoplot_of(shared_fit("singular"), which = "profile")
  expect_equal(range(layer_of(plot, "GeomLine")$y), range(plot_data(shared_fit("singular"), "profile")$zeta))
  bars <- layer_of(autoplot_of(fit, which = "influence", group = "Subject"), "GeomSegment")
  expect_equal(bars$y, plot_data(fit, "influence", group = "Subject")$cooks.distance)
})

test_that("two effects are a plane with an arrow for each level", {
  fit <- shared_fit("slope")
  table <- plot_data(fit, "shrinkage")
  arrows <- layer_of(autoplot_of(fit, which = "shrinkage"), "GeomSegment")
  expect_equal(sort(arrows$xend), sort(table$partial[table$effect == "(Intercept)"]))
  expect_equal(sort(arrows$y), sort(table$none[table$effect == "age"]))
  mixed <- autoplot_of(shared_fit("crossed"), which = "shrinkage")
  expect_named(mixed, c("Dog:Side", "Dog"))
  for (plot in mixed) drawn(plot)
  # few levels by name, many in a cloud, as plot() has them
  data <- data.frame(a = factor(rep(1:100, each = 6)), b = factor(rep(1:6, 100)), t = seq_len(600))
  data$y <- sin(as.integer(data$a)^2) + cos(as.integer(data$b)^2) + sin(78.233 * data$t)
  fit <- lmm(y ~ 1 + (1 | a) + (1 | b), data)
  plots <- autoplot_of(fit, which = "shrinkage")
  expect_named(plots, c("b", "a"))
  expect_identical(nrow(plots$b$data), 6L)
  expect_equal(layer_of(plots$a, "GeomPoint")$y, plots$a$data$partial)
})

test_that("a profile has its own method", {
  profiled <- profile(shared_fit("singular"), which = "sigma")
  plot <- autoplot_of(profiled, level = 0.9)
  drawn(plot)
  ends <- layer_of(plot, "GeomSegment")
  limits <- confint(shared_fit("singular"), "sigma", level = 0.9)
  expect_equal(sort(unique(ends$x)), as.vector(limits), tolerance = 1e-3)
})

test_that("many rows become counts, many levels ranks", {
  n <- 30000
  group <- (seq_len(n) * 37) %% 500
  data <- data.frame(g = factor(group), x = sin(12.9898 * seq_len(n)))
  data$y <- data$x + cos(group) + sin(78.233 * seq_len(n))
  fit <- lmm(y ~ x + (1 | g), data)
  plot <- autoplot_of(fit)
  expect_identical(sum(plot$data$count), as.integer(n))
  drawn(plot)
  plot <- autoplot_of(fit, which = "caterpillar")
  drawn(plot)
  expect_identical(nrow(plot$data), 500L)
  labels <- ggplot2::ggplot_build(plot)$layout$panel_params[[1]]$y$get_labels()
  expect_true(all(c("100", "500") %in% labels))
  drawn(autoplot_of(fit, which = "by_group"))
  drawn(autoplot_of(fit, which = "shrinkage"))
})

test_that("several kinds are a named list; wrong arguments are errors", {
  fit <- shared_fit("slope")
  plots <- autoplot_of(fit, which = c("residuals", "qq"))
  expect_named(plots, c("residuals", "qq"))
  expect_s3_class(plots$qq, "ggplot")
  expect_three_lines(tryCatch(autoplot_of(fit, which = "nothing"), error = identity), "ferrite_error_argument")
  expect_error(autoplot_of(fit, colour = "red"), class = "ferrite_error_argument")
  expect_error(autoplot_of(fit, level = 3), class = "ferrite_error_argument")
  expect_error(autoplot_of(profile(fit, "sigma"), which = 1), class = "ferrite_error_argument")
})
