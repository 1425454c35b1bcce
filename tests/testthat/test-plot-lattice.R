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

test_that("qqnorm() and pairs() of a fit are those of nlme's fits", {
  ours <- lmm(distance ~ age + Sex + (age | Subject), nlme::Orthodont)
  theirs <- nlme::lme(distance ~ age + Sex, nlme::Orthodont, ~ age | Subject)
  points_of <- function(plot) lapply(plot$panel.args, function(one) list(unname(c(one$x)), unname(c(one$y))))
  expect_equal(points_of(qqnorm(ours)), points_of(qqnorm(theirs)), tolerance = 1e-4)
  expect_equal(qqnorm(ours)$xlab, qqnorm(theirs)$xlab)
  # broom.mixed's method for the effects of lme() stops nlme's own picture
  theirs_draws <- !isNamespaceLoaded("broom.mixed")
  effects <- points_of(qqnorm(ours, ~ ranef(.)))
  expect_length(effects, 2L)
  if (theirs_draws) expect_equal(effects, points_of(qqnorm(theirs, ~ ranef(.))), tolerance = 1e-3)
  raw <- points_of(qqnorm(ours, ~ resid(.) | Sex))
  expect_length(raw, 2L)
  expect_equal(raw[[1]][[1]], unname(residuals(ours)[nlme::Orthodont$Sex == "Male"]))
  expect_equal(points_of(pairs(ours)), points_of(pairs(theirs)), tolerance = 1e-4)
  effects <- points_of(pairs(ours, ~ ranef(.)))
  if (theirs_draws) expect_equal(effects, points_of(pairs(theirs, ~ ranef(.))), tolerance = 1e-3)
  expect_error(pairs(ours, ~ resid(.)), class = "ferrite_error_argument")
  expect_error(qqnorm(ours, resid(.) ~ age), class = "ferrite_error_argument")
  intercepts <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
  expect_error(pairs(intercepts, ~ ranef(.)), class = "ferrite_error_argument")
})

test_that("words of lme4's plot without a formula mean that of residuals against fitted values", {
  skip_if_not_installed("lme4")
  ours <- lmm(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  theirs <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  mine <- plot(ours, type = c("p", "smooth"))
  yours <- plot(theirs, type = c("p", "smooth"))
  expect_equal(mine$panel.args[[1]][c("x", "y")], lapply(yours$panel.args[[1]][c("x", "y")], unname), tolerance = 1e-5)
  expect_identical(mine$panel.args.common$type, c("p", "smooth"))
  expect_identical(c(mine$xlab, mine$ylab), c(yours$xlab, yours$ylab))
  for (drawn in list(plot(ours, abline = 0), plot(ours, id = 0.05), plot(ours, grid = FALSE))) {
    expect_s3_class(drawn, "trellis")
  }
})

test_that("xyplot() and densityplot() of a profile are lme4's", {
  skip_if_not_installed("lme4")
  profile <- profile(lmm(Yield ~ 1 + (1 | Batch), lme4::Dyestuff, REML = FALSE))
  theirs <- stats::profile(lme4::lmer(Yield ~ 1 + (1 | Batch), lme4::Dyestuff, REML = FALSE), signames = FALSE)
  drawn <- lattice::densityplot(profile)
  densities <- lattice::densityplot(theirs)
  expect_length(drawn$panel.args, 3L)
  # lme4's profile of the random effect ends at zero; sigma and the mean have whole curves
  for (k in 2:3) {
    mine <- drawn$panel.args[[k]]
    yours <- densities$panel.args[[k]]
    at <- stats::approx(yours$x, yours$y, mine$x)$y
    inside <- !is.na(at)
    expect_gt(mean(inside), 0.9)
    expect_equal(mine$y[inside], at[inside], tolerance = 0.02)
    # it is a density: its integral is one
    expect_equal(sum(diff(mine$x) * (mine$y[-1] + mine$y[-length(mine$y)]) / 2), 0.998, tolerance = 2e-3)
  }
  for (drawn in list(lattice::xyplot(profile), lattice::xyplot(profile, absVal = TRUE, conf = 0.95))) {
    expect_s3_class(drawn, "trellis")
    file <- tempfile(fileext = ".pdf")
    grDevices::pdf(file)
    print(drawn)
    grDevices::dev.off()
    expect_gt(file.size(file), 3000)
    unlink(file)
  }
  expect_error(lattice::xyplot(profile, conf = 2), class = "ferrite_error_argument")
  expect_error(lattice::splom(profile), class = "ferrite_error_argument")
})
