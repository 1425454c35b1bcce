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
  expect_error(plot(many, which = "nothing"))
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
