# Functions of other packages that ask a fit for its parts, against the same calls for lmer()'s fit of the same model.

sleep_fits <- function() {
  skip_if_not_installed("lme4")
  formula <- Reaction ~ Days + (Days | Subject)
  list(ours = lmm(formula, lme4::sleepstudy), theirs = lme4::lmer(formula, lme4::sleepstudy))
}

test_that("parameters' functions by Kenward and Roger are those of lmer()", {
  skip_if_not_installed("parameters")
  skip_if_not_installed("pbkrtest")
  fits <- sleep_fits()
  for (name in c("ci_kenward", "se_kenward", "p_value_kenward", "dof_kenward")) {
    ask <- getExportedValue("parameters", name)
    expect_equal(ask(fits$ours), ask(fits$theirs), tolerance = 1e-4, ignore_attr = TRUE, info = name)
  }
  shown <- c("Parameter", "Coefficient", "SE", "CI_low", "CI_high", "df_error", "p")
  tables <- lapply(fits, parameters::model_parameters, ci_method = "kenward", effects = "fixed")
  expect_equal(as.data.frame(tables$ours)[shown], as.data.frame(tables$theirs)[shown], tolerance = 1e-4)
})

test_that("merTools' expectedRank() is that of lmer()", {
  skip_if_not_installed("merTools")
  fits <- sleep_fits()
  expect_equal(merTools::expectedRank(fits$ours), merTools::expectedRank(fits$theirs), tolerance = 1e-4,
    ignore_attr = "row.names")
  expect_identical(getME(fits$ours, "n_rfac"), getME(fits$ours, "n_rfacs"))
  expect_error(getME(fits$ours, "n_r"), class = "ferrite_error_component")
})

test_that("arm's sigma.hat() is that of lmer()", {
  skip_if_not_installed("arm")
  fits <- sleep_fits()
  expect_equal(arm::sigma.hat(fits$ours), arm::sigma.hat(fits$theirs), tolerance = 1e-4)
  crossed <- diameter ~ 1 + (1 | plate) + (1 | sample)
  expect_equal(arm::sigma.hat(lmm(crossed, lme4::Penicillin)), arm::sigma.hat(lme4::lmer(crossed, lme4::Penicillin)),
    tolerance = 1e-4)
})

test_that("performance finds influential rows, and Xu's R2", {
  skip_if_not_installed("performance")
  fits <- sleep_fits()
  checks <- lapply(fits, performance::check_model)
  expect_setequal(names(checks$ours), names(checks$theirs))
  same <- c("Hat", "Cooks_Distance", "Predicted", "Residuals", "Influential")
  expect_equal(checks$ours$INFLUENTIAL[same], checks$theirs$INFLUENTIAL[same], tolerance = 1e-4, ignore_attr = TRUE)
  expect_equal(unname(checks$ours$INFLUENTIAL$Std_Residuals), unname(rstandard(fits$ours)))
  expect_equal(performance::r2_xu(fits$ours), performance::r2_xu(fits$theirs), tolerance = 1e-6)
  expect_equal(weighted.residuals(fits$ours), weighted.residuals(fits$theirs), tolerance = 1e-5)
})

test_that("AIC of model_performance() and limits of tidy() by profiles are those of lmer()", {
  skip_if_not_installed("performance")
  skip_if_not_installed("broom.mixed")
  fits <- sleep_fits()
  tables <- lapply(fits, performance::model_performance)
  for (name in c("AIC", "BIC", "RMSE", "Sigma")) {
    expect_equal(tables$ours[[name]], tables$theirs[[name]], tolerance = 1e-6, info = name)
  }
  limits <- function(fit, effects) {
    found <- NULL
    utils::capture.output(found <- broom.mixed::tidy(fit, effects, conf.int = TRUE, conf.method = "profile"))
    as.matrix(as.data.frame(found)[c("conf.low", "conf.high")])
  }
  expect_equal(limits(fits$ours, "fixed"), limits(fits$theirs, "fixed"), tolerance = 1e-6)
  # variances of REML fits have profiles of the restricted likelihood here; lme4's are of ML always
  ml <- refitML(fits$ours)
  expect_equal(limits(ml, "ran_pars"), limits(fits$theirs, "ran_pars"), tolerance = 1e-3)
})

test_that("car compares coefficients, and draws influence", {
  skip_if_not_installed("car")
  fits <- sleep_fits()
  small <- lapply(fits, function(fit) update(fit, . ~ . - Days))
  said <- utils::capture.output({
    ours <- car::compareCoefs(small$ours, fits$ours, zvals = TRUE, pvals = TRUE)
    theirs <- car::compareCoefs(small$theirs, fits$theirs, zvals = TRUE, pvals = TRUE)
  })
  expect_match(paste(said, collapse = "\n"), "Model 2", fixed = TRUE)
  expect_equal(ours, theirs, tolerance = 1e-5)
  expect_s3_class(coef(fits$ours), "coef.lmm")
  file <- tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  on.exit(unlink(file), add = TRUE)
  car::infIndexPlot(influence(fits$ours, "Subject"), vars = c("dfbetas", "cookd"))
  grDevices::dev.off()
  expect_gt(file.size(file), 4000)
})

test_that("contest(collect = FALSE) is a list, and drop1(ddf = \"lme4\") lme4's table", {
  skip_if_not_installed("lmerTest")
  fits <- sleep_fits()
  theirs <- lmerTest::as_lmerModLmerTest(fits$theirs)
  rows <- diag(2)
  for (joint in c(TRUE, FALSE)) {
    mine <- contest(fits$ours, rows, joint = joint, collect = FALSE)
    yours <- lmerTest::contest(theirs, rows, joint = joint, collect = FALSE)
    expect_type(mine, "list")
    expect_length(mine, length(yours))
    shown <- names(yours[[1]])
    expect_equal(as.data.frame(mine[[1]])[intersect(shown, names(mine[[1]]))],
      yours[[1]][intersect(shown, names(mine[[1]]))], tolerance = 1e-3, ignore_attr = TRUE)
  }
  for (test in c("none", "Chisq")) {
    expect_equal(as.data.frame(drop1(fits$ours, ddf = "lme4", test = test)),
      as.data.frame(drop1(theirs, ddf = "lme4", test = test)), tolerance = 1e-5, ignore_attr = TRUE)
  }
  expect_identical(drop1(fits$ours, ddf = "lme4"), drop1(fits$ours, test = "none"))
  expect_error(drop1(fits$ours, ddf = "lme4", test = "F"), class = "ferrite_error_argument")
})

test_that("easystats works with a grouping factor of any name", {
  skip_if_not_installed("insight")
  skip_if_not_installed("parameters")
  skip_if_not_installed("performance")
  skip_if_not_installed("ggeffects")
  skip_if_not_installed("lme4")
  data <- as.data.frame(lme4::sleepstudy)
  plain <- lmm(Reaction ~ Days + (Days | Subject), data)
  names(data)[3] <- "Subject ID"
  odd <- lmm(Reaction ~ Days + (Days | `Subject ID`), data)
  expect_named(insight::get_data(odd), names(data))
  expect_equal(insight::get_random(odd)[["Subject ID"]], data[["Subject ID"]])
  expect_equal(lapply(insight::get_variance(odd), unname), lapply(insight::get_variance(plain), unname))
  rows <- function(fit, ...) as.data.frame(parameters::model_parameters(fit, ...))[c("Coefficient", "CI_low")]
  expect_equal(rows(odd), rows(plain))
  expect_equal(rows(odd, effects = "random", group_level = TRUE), rows(plain, effects = "random", group_level = TRUE))
  expect_equal(as.data.frame(performance::model_performance(odd)), as.data.frame(performance::model_performance(plain)))
  expect_equal(performance::icc(odd), performance::icc(plain))
  expect_equal(
    as.data.frame(ggeffects::ggpredict(odd, "Days")), as.data.frame(ggeffects::ggpredict(plain, "Days")),
    ignore_attr = TRUE
  )
  by_group <- lapply(list(odd, plain), function(fit) {
    terms <- c("Days", if (identical(fit, odd)) "Subject ID [308,309]" else "Subject [308,309]")
    as.data.frame(ggeffects::ggpredict(fit, terms, type = "random"))
  })
  expect_equal(by_group[[1]], by_group[[2]], ignore_attr = TRUE)
})
