test_that("all plots draw, for few groups, many groups and zero variances", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  kinds <- plot_kinds
  expect_named(plot(shared_fit("crossed"), which = kinds), kinds)
  expect_s3_class(plot(shared_fit("singular"), which = "caterpillar"), "data.frame")
  set.seed(1)
  rows <- data.frame(g = rep(paste0("level", 1:5000), each = 3), age = rep(-1:1, 5000))
  rows$y <- rep(rnorm(5000), each = 3) + rep(rnorm(5000), each = 3) * rows$age + rnorm(15000)
  many <- lmm(y ~ age + (age | g), rows)
  expect_s3_class(plot(many, which = "caterpillar", main = "Many"), "data.frame")
  expect_error(plot(many, which = "nothing"), class = "ferrite_error_argument")
})

test_that("graphical parameters are put back", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  before <- graphics::par(c("mfrow", "mar", "mgp"))
  plot(shared_fit("crossed"), which = c("residuals", "caterpillar"))
  expect_identical(graphics::par(c("mfrow", "mar", "mgp")), before)
})

test_that("labels that would overlap are thinned", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  graphics::plot(1)
  expect_equal(label_positions(5L), 1:5)
  expect_lt(length(label_positions(5000L)), 100L)
})

test_that("long names of levels are cut, with characters that every device has", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("crossed")
  rownames(fit$random[[1]]$b) <- paste("a very long name of a level, number", seq_len(nrow(fit$random[[1]]$b)))
  expect_no_warning(plot(fit, which = "caterpillar"))
  expect_identical(cut_text(c("short", "a very long name"), 9L), c("short", "a v...ame"))
})

test_that("titles fit their panel on a device of 7 inches", {
  grDevices::pdf(NULL, width = 7, height = 7)
  on.exit(grDevices::dev.off())
  graphics::par(mfrow = c(1, 2))
  graphics::plot(1, ann = FALSE)
  title <- fitting_title("Residuals against fitted values", "main", list())
  expect_lt(fitting_title("Residuals against fitted values, all groups", "main", list())$cex.main, 1.2)
  expect_identical(title$main, "Residuals against fitted values")
  plt <- graphics::par("plt")
  room <- 2 * min(mean(plt[1:2]), 1 - mean(plt[1:2])) * graphics::par("fin")[1]
  expect_lt(graphics::strwidth(title$main, "inches", cex = title$cex.main, font = 2), room)
  long <- fitting_title(strrep("very long ", 20), "main", list())
  expect_lt(graphics::strwidth(long$main, "inches", cex = long$cex.main, font = 2), room)
  expect_identical(fitting_title("g", "ylab", list())$cex.lab, graphics::par("cex.lab"))
})

test_that("the margin of a caterpillar has room for its labels and its title", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  graphics::plot.new()
  wide <- strrep("W", 40)
  expect_lte(graphics::strwidth(cut_to_width(wide, 1, cex = 0.7), "inches", cex = 0.7), 1)
  expect_identical(cut_to_width(c("a", "b"), 1, cex = 0.7), c("a", "b"))
})

test_that("panels are arranged by the shape of the device", {
  expect_identical(lapply(1:4, grid_size, device = c(7, 7)), list(c(1, 1), c(1, 2), c(2, 2), c(2, 2)))
  expect_equal(grid_size(6, c(7, 5)), c(2, 3))
  expect_equal(grid_size(6, c(7, 7)), c(3, 2))
  expect_equal(grid_size(12, c(7, 7)), c(4, 3))
  expect_identical(panels_per_page(20L, 12L, c(7, 7)), 12L)
  expect_identical(panels_per_page(8L, 12L, c(4, 2.2)), 2L)
})

test_that("graphical parameters reach the points and the titles", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("crossed")
  expect_silent(plot(fit, which = plot_kinds, main = "M", xlab = "x", col = "red", pch = 3, cex.main = 2, las = 1,
    lwd = 2))
  expect_silent(plot(fit, which = plot_kinds, axes = FALSE, ann = FALSE))
  expect_silent(plot(fit, which = plot_kinds, main = NULL, ylab = "y"))
  wrong <- tryCatch(plot(fit, colour = "red"), error = identity)
  expect_three_lines(wrong, "ferrite_error_argument")
})

test_that("every kind draws for every shape of model, on pages of several sizes", {
  fits <- list(shared_fit("slope"), shared_fit("nested"), shared_fit("singular"), shared_fit("weighted"),
    shared_fit("uncorrelated"))
  for (size in list(c(7, 7), c(9, 3.2), c(4, 4))) {
    grDevices::pdf(NULL, width = size[1], height = size[2])
    for (fit in fits) for (kind in plot_kinds) {
      expect_silent(table <- plot(fit, which = kind))
      expect_identical(table, plot_data(fit, kind), info = kind)
    }
    grDevices::dev.off()
  }
})

# The texts that a plot writes into an uncompressed file.
drawn_texts <- function(...) {
  path <- tempfile(fileext = ".pdf")
  on.exit(unlink(path))
  grDevices::pdf(path, compress = FALSE, useKerning = FALSE)
  plot(...)
  grDevices::dev.off()
  lines <- grep(" Tj$", readLines(path, warn = FALSE), value = TRUE)
  gsub("\\", "", sub("^[^(]*[(](.*)[)] Tj$", "\\1", lines), fixed = TRUE)
}

expect_drawn <- function(texts, wanted) expect_identical(setdiff(wanted, texts), character())

test_that("axes and panels are named from the model", {
  fit <- shared_fit("slope")
  expect_drawn(drawn_texts(fit, which = "residuals"), c("Fitted distance", "Scaled residual"))
  texts <- drawn_texts(fit, which = "observed", show = 6)
  expect_drawn(texts, c("age", "distance", "Observed and fitted by Subject (6 of 27)", "F10", "M10"))
  expect_drawn(drawn_texts(fit, which = "varcomp"), c("Residual", "Correlation", "Standard deviation of age"))
  expect_drawn(drawn_texts(fit, which = "caterpillar", effect = "age"), c("M13", "Subject", "Subject: age"))
  top <- plot_data(fit, "influence", group = "Subject")
  texts <- drawn_texts(fit, which = "influence", group = "Subject")
  expect_drawn(texts, top$deleted[which.max(top$cooks.distance)])
})

test_that("many points are counted in cells, each once", {
  x <- rep(seq(0, 1, length.out = 500), 60)
  y <- rep(c(0, 1, 5), each = 10000)
  cells <- point_cells(x, y)
  expect_identical(sum(cells$count), 30000L)
  expect_identical(range(cells$count), c(100L, 100L))
  expect_setequal(round(cells$y, 6), round((c(0, 11, 59) + c(0.5, 1.5, 0.5)) / 60 * 5, 6))
  expect_identical(sum(point_cells(rep(1, 10), 1:10)$count), 10L)
})

test_that("thinning keeps the ends and the peaks", {
  expect_identical(thinned_ranks(5000L), seq_len(5000L))
  ranks <- thinned_ranks(1e6L)
  expect_equal(ranks[1:500], 1:500)
  expect_identical(length(ranks), 2000L)
  expect_equal(rev(ranks)[1:500], 1e6 - 0:499)
  values <- abs(sin(seq_len(1e5)^2))
  peaks <- thinned_peaks(values)
  expect_true(which.max(values) %in% peaks && length(peaks) == 2000L)
  expect_identical(thinned_peaks(1:10), 1:10)
  cell <- rep(1:2, c(10, 1000))
  expect_identical(tabulate(cell[thinned_cells(cell, 50)]), c(10L, 50L))
})

test_that("wild estimates without pooling do not set the limits of the shrinkage plot", {
  none <- c(seq(0, 1, length.out = 99), 1e6, NA)
  limits <- shrinkage_limits(none, none * 0 + 0.5, 0.5)
  expect_lt(limits[2], 1.1)
  expect_gt(shrinkage_limits(c(0, 0, 0, 0, 7), 0, 0)[2], 7)
})

test_that("names that would cover each other are left out", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  graphics::plot(0:1, 0:1)
  clear <- clear_texts(c(0.5, 0.5, 0.5), c(0.5, 0.501, 0.9), c("one", "two", "three"), 0.7, c(4L, 4L, 4L))
  expect_identical(clear, c(TRUE, FALSE, TRUE))
  expect_length(clear_texts(numeric(), numeric(), character(), 0.7, integer()), 0L)
})

test_that("5,000 groups of 100,000 rows are drawn within seconds", {
  n <- 1e5
  group <- (seq_len(n) * 37) %% 5000
  data <- data.frame(g = factor(group), x = sin(12.9898 * seq_len(n)))
  data$y <- data$x + cos(group) + sin(78.233 * seq_len(n))
  fit <- lmm(y ~ x + (1 | g), data)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  time <- system.time(plot(fit, which = c("residuals", "scale", "qq", "by_group", "ranef_qq", "caterpillar")))
  expect_lt(time[["user.self"]], 10)
})

test_that("every thinning keeps the extremes", {
  set.seed(21)
  data <- data.frame(g = rep(1:60, each = 200), y = stats::rnorm(12000))
  data$y <- data$y + stats::rnorm(60)[data$g]
  # between the rows of any equal steps
  data$y[4003] <- data$y[4003] + 58
  fit <- lmm(y ~ 1 + (1 | g), data)
  table <- plot_data(fit, "strata")
  worst <- which.max(abs(table$residual))
  expect_identical(worst, 4003L)
  shown <- strata_points(table)
  expect_true(nrow(shown) < 6000 && max(shown$residual) == table$residual[worst])
  ends <- function(rows) as.vector(tapply(rows$residual, rows$stratum, range, simplify = TRUE))
  expect_identical(ends(shown), ends(table))
  # beyond the whiskers of a band
  by_group <- plot_data(fit, "by_group")
  far <- farthest_points(level_boxes(by_group)$outliers)
  expect_equal(max(far$x), max(by_group$residual))
  cell <- rep(1:2, c(10, 5000))
  values <- sin(seq_along(cell)^2)
  kept <- thinned_cells(cell, 50L, values)
  expect_true(all(c(which.max(values), which.min(values), 1:10, 5010) %in% kept) && length(kept) < 80)
  skip_if_not_installed("ggplot2", "3.4.0")
  drawn <- ggplot2::layer_data(ggplot2::autoplot(fit, which = "strata"), 1)
  expect_equal(max(drawn$y), max(table$residual))
  drawn <- ggplot2::autoplot(fit, which = "by_group")
  largest <- max(unlist(lapply(seq_along(drawn$layers), function(k) ggplot2::layer_data(drawn, k)$x)))
  expect_equal(largest, max(by_group$residual))
})

test_that("names that differ are cut to names that differ", {
  schools <- sprintf("Gymnasium of the city of Hamburg, class %04d, year 2021", 1:300)
  for (length in c(8L, 12L, 15L, 20L, 30L)) {
    short <- cut_text(schools, length)
    expect_identical(anyDuplicated(short), 0L)
    expect_lte(max(nchar(short)), max(length, 10L))
  }
  expect_identical(cut_text(c("a", "b", "a"), 9L), c("a", "b", "a"))
  twice <- cut_text(c(schools, schools), 20L)
  expect_identical(twice[1:300], twice[301:600])
})

test_that("the band of the autocorrelation and the panels of profiles say what they are", {
  fit <- shared_fit("slope")
  expect_drawn(drawn_texts(fit, which = "acf"), "Lag within Subject (95 % band: 199 responses drawn from the fit)")
  expect_drawn(drawn_texts(fit, which = "profile"), "Profile: sigma")
})

test_that("both renderers know every kind of layer, and draw the numbers of one picture", {
  known <- function(name) {
    calls <- Filter(function(one) is.call(one) && identical(one[[1L]], quote(switch)), as.list(body(name)))
    setdiff(names(calls[[1L]]), "")
  }
  fits <- list(shared_fit("slope"), shared_fit("crossed"), shared_fit("singular"))
  layers <- unlist(lapply(fits, function(fit) {
    unlist(lapply(plot_kinds, function(kind) {
      pictures <- pictures_of(plot_data(fit, kind), kind)
      unlist(lapply(pictures, function(one) lapply(one$panels, `[[`, "layers")), recursive = FALSE)
    }), recursive = FALSE)
  }), recursive = FALSE)
  kinds <- unique(unlist(lapply(layers, function(panel) vapply(panel, `[[`, "", "kind"))))
  expect_gt(length(kinds), 8L)
  expect_setequal(known(draw_layer), known(gg_layer))
  expect_identical(setdiff(kinds, known(draw_layer)), character())
  table <- plot_data(fits[[1]], "caterpillar")
  panels <- caterpillar_picture(table)$panels
  intervals <- do.call(rbind, lapply(panels, function(panel) panel$layers[[2]]$data))
  expect_equal(intervals[c("xmin", "xmax", "y")], table[c("lower", "upper", "position")], ignore_attr = TRUE)
})
