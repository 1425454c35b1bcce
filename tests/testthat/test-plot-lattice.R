# The words of lme4 and nlme for lattice.

skip_if_not_installed("lattice")

slopes <- function() lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)

test_that("a formula gives lattice's plots, with the numbers of the fit", {
  fit <- shared_fit("slope")
  plot <- plot(fit, resid(., type = "pearson") ~ fitted(.) | Subject, abline = 0)
  expect_s3_class(plot, "trellis")
  expect_identical(dim(plot), 27L)
  expect_equal(sort(unlist(lapply(plot$panel.args, `[[`, "y"))), sort(unname(residuals(fit))))
  expect_equal(sort(unlist(lapply(plot$panel.args, `[[`, "x"))), sort(unname(fitted(fit))))
  expect_identical(as.character(plot(fit, Subject ~ resid(.))$call[[1]]), "bwplot")
  expect_s3_class(plot(fit, form = ~ resid(.)), "trellis")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (one in list(plot, plot(fit, distance ~ fitted(.) | Sex, abline = c(0, 1), id = 0.05),
    plot(fit, Subject ~ resid(.), abline = 0), plot(fit, ~ resid(.), grid = TRUE),
    plot(fit, resid(.) ~ age, id = 0.05, idLabels = ~.obs), lattice::qqmath(fit, id = 0.05))) {
    expect_silent(print(one))
  }
})

test_that("rows are named where lme4 names them", {
  skip_if_not_installed("lme4")
  fit <- slopes()
  theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  beyond <- abs(residuals(theirs, "pearson", scaled = TRUE)) > stats::qnorm(0.975)
  ours <- identified_rows(fit, 0.05, NULL, list(), globalenv(), NULL)
  expect_identical(!is.na(ours), unname(beyond))
  expect_identical(ours[beyond], as.character(lme4::sleepstudy$Subject)[beyond])
})

test_that("random effects: a plot for each factor, with lme4's effects", {
  skip_if_not_installed("lme4")
  fit <- slopes()
  theirs <- lattice::dotplot(lme4::ranef(lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)))
  ours <- lattice::dotplot(ranef(fit))
  expect_identical(names(ours), names(theirs))
  effects <- function(plot) sort(unlist(lapply(plot$panel.args, `[[`, "x")))
  expect_equal(effects(ours$Subject), effects(theirs$Subject), tolerance = 1e-3)
  expect_identical(levels(ours$Subject$panel.args[[1]]$y), levels(theirs$Subject$panel.args[[1]]$y))
  quantiles <- lattice::qqmath(ranef(fit))
  expect_equal(effects(quantiles$Subject), effects(ours$Subject))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_silent(print(ours$Subject))
  expect_silent(print(quantiles$Subject))
  expect_silent(print(lattice::dotplot(ranef(shared_fit("crossed"), condVar = FALSE), main = "Title")[[2]]))
})

test_that("wrong input is a classed error", {
  fit <- shared_fit("slope")
  wrong <- list(
    quote(plot(fit, resid(.) ~ 1)), quote(plot(fit, form = 3)), quote(plot(fit, resid(.) ~ fitted(.), id = 3)),
    quote(plot(fit, resid(.) ~ fitted(.), abline = "a")), quote(plot(fit, resid(.) ~ fitted(.), grid = 3)),
    quote(plot(fit, Subject ~ Subject)), quote(plot(fit, foo(.) ~ fitted(.))),
    quote(plot(fit, resid(.) ~ fitted(.), id = 0.05, idLabels = 1:3)), quote(lattice::dotplot(ranef(fit), level = 4)),
    quote(lattice::dotplot(ranef(fit), which = "x")), quote(lattice::dotplot(ranef(fit), transf = 3)),
    quote(lattice::qqmath(ranef(fit), foo = 1)), quote(lattice::qqmath(fit, level = 2)),
    quote(plot(fit, resid(.) ~ fitted(.), foo = 1))
  )
  for (one in wrong) expect_three_lines(tryCatch(eval(one), error = identity), "ferrite_error_argument")
  lost <- tryCatch(plot(fit, resid(.) ~ not_there), error = identity)
  expect_three_lines(lost, "ferrite_error_recover")
})
