test_that("all plots draw, for few groups, many groups and zero variances", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  kinds <- c("residuals", "qq", "caterpillar")
  expect_named(plot(shared_fit("crossed"), which = kinds), kinds)
  expect_s3_class(plot(shared_fit("singular"), which = "caterpillar"), "data.frame")
  many <- shared_fit("slope")
  many$random[[1]]$b <- matrix(sin(1:10000), 5000, 2, dimnames = list(paste0("level", 1:5000), c("(Intercept)", "age")))
  many$random[[1]]$condvar <- array(diag(2), c(2, 2, 5000))
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
  expect_identical(cut_text(c("short", "a very long name"), 9L), c("short", "a very..."))
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
})

test_that("graphical parameters reach the points and the titles", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  fit <- shared_fit("crossed")
  kinds <- c("residuals", "qq", "caterpillar")
  expect_silent(plot(fit, which = kinds, main = "M", xlab = "x", col = "red", pch = 3, cex.main = 2, las = 1, lwd = 2))
  expect_silent(plot(fit, which = kinds, axes = FALSE, ann = FALSE))
  expect_silent(plot(fit, which = kinds, main = NULL, ylab = "y"))
})
