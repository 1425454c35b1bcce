# Names that are no names in R, through every method. Reference: the same model with plain names, to rounding.

plain_names <- c("y", "x", "f", "g", "w", "o", "t", "z", "h")

fuzzed_names <- list(
  spaces = c("my y", "x var", "the sex", "Subject ID", "w w", "off set", "ti me", "z z", "h  h"),
  operators = c("y%", "x:1", "f|f", "g:g", "w~w", "o+o", "t*t", "z^2", "h-h"),
  quotes = c("y\"q", "x'q", "f\\f", "g\"x\"", "w'w", "o\\n", "t\"", "z'", "h\"h'"),
  backticks = c("y`y", "x`", "`f", "g`g", "w`w", "o`o", "t`t", "`z`", "h``"),
  reserved = c("if", "TRUE", "function", "NULL", "NA", "for", "while", "else", "repeat"),
  foreign = c("gr\u00f6\u00dfe", "\u00e2ge", "\u043f\u043e\u043b", "\u4e3b\u4f53", "poids\u20ac", "d\u00e9", "\u03c4",
              "\u03b6", "\u0452"),
  words = c("log", "poly", "c", "data", "weights", "offset", "formula", "sigma", "subset"),
  calls = c("log(y)", "I(x)", "factor(f)", "1 | g", "exp(w)", "offset(o)", "(Intercept)", "0", "1"),
  breaks = c("y\nn", "x\tt", "f\n", "g\n", " w", "o ", "t\r", "z\n\n", "\nh")
)

fuzz_data <- function() {
  data <- as.data.frame(nlme::Orthodont)
  n <- seq_len(108)
  data.frame(
    y = data$distance, x = data$age, f = data$Sex, g = factor(as.character(data$Subject)), w = rep(1:4, 27) / 2,
    o = rep(c(0, 0.1, 0.2), 36), t = rep(1:4, 27), z = round(5 * sin(n), 2), h = gl(4, 27, 108)
  )
}

# A fit with these names; `v` are the names as language.
fuzz_fit <- function(kind, names) {
  data <- stats::setNames(fuzz_data(), names)
  v <- stats::setNames(lapply(names, as.name), plain_names)
  arguments <- switch(kind,
    slope = list(bquote(.(v$y) ~ .(v$x) * .(v$f) + (.(v$x) | .(v$g)))),
    crossed = list(bquote(.(v$y) ~ .(v$x) + .(v$f) + (1 | .(v$g)) + (0 + .(v$z) | .(v$f):.(v$g)))),
    weighted = list(bquote(.(v$y) ~ log(.(v$x)) + offset(.(v$o)) + (.(v$x) || .(v$g))), weights = v$w),
    residuals = list(
      bquote(.(v$y) ~ .(v$x) + (1 | .(v$g))), dispersion = bquote(~ .(v$f)),
      correlation = bquote(ar1(~ .(v$t) | .(v$g)))
    ),
    computed = list(bquote(log(.(v$y)) ~ poly(.(v$x), 2) + .(v$f):.(v$z) + (.(v$h) | .(v$g))), offset = v$o)
  )
  env <- new.env(parent = globalenv())
  env$data_of_it <- data
  arguments[[1L]] <- stats::as.formula(arguments[[1L]], env)
  call <- as.call(c(list(lmm, arguments[[1L]], data = quote(data_of_it)), arguments[-1L]))
  list(
    fit = suppressMessages(eval(call, env)), data = data, v = v,
    names = stats::setNames(as.list(names), plain_names)
  )
}

new_rows <- function(m) {
  new <- m$data[c(1:6, 100), ]
  new[[m$names$x]] <- new[[m$names$x]] + 1
  new
}

change_of <- function(expression) stats::as.formula(expression, globalenv())

# Each method with its result; numbers of these are compared.
fuzz_methods <- list(
  print = function(m) length(utils::capture.output(print(m$fit))) > 0L,
  summary = function(m) summary(m$fit)$coefficients,
  summary_text = function(m) length(utils::capture.output(print(summary(m$fit)))) > 0L,
  kenward_roger = function(m) summary(m$fit, ddf = "Kenward-Roger")$coefficients,
  type_one = function(m) anova(m$fit, type = 1),
  type_two = function(m) anova(m$fit, type = 2),
  type_three = function(m) anova(m$fit, type = 3),
  comparison = function(m) anova(m$fit, update(m$fit, change_of(bquote(. ~ . + .(m$v$t))))),
  ranova = function(m) ranova(m$fit)$LRT,
  drop1 = function(m) drop1(m$fit),
  contest = function(m) contest(m$fit, names(fixef(m$fit))[2L]),
  contest_sum = function(m) contest(m$fit, paste0("2 * ", names(fixef(m$fit))[2L], " - (Intercept) = 1")),
  predict = function(m) predict(m$fit),
  predict_new = function(m) predict(m$fit, new_rows(m), interval = "prediction", se.fit = TRUE),
  predict_one = function(m) predict(m$fit, new_rows(m), re.form = change_of(bquote(~ (1 | .(m$v$g))))),
  predict_none = function(m) predict(m$fit, new_rows(m), re.form = NA),
  predict_level = function(m) {
    new <- new_rows(m)
    new[[m$names$g]] <- factor("new")
    predict(m$fit, new, allow.new.levels = TRUE, interval = "confidence")
  },
  simulate = function(m) simulate(m$fit, 2, seed = 1),
  simulate_new = function(m) simulate(m$fit, 2, seed = 1, newdata = new_rows(m)),
  confint = function(m) confint(m$fit, method = "Wald"),
  confint_one = function(m) confint(m$fit, parm = names(fixef(m$fit))[2L]),
  profile = function(m) as.data.frame(profile(m$fit)),
  bootstrap = function(m) {
    set.seed(1)
    boot <- bootstrap(m$fit, nsim = 5)
    utils::capture.output(print(boot))
    confint(boot)
  },
  influence = function(m) as.data.frame(influence(m$fit, m$names$g)),
  cooks = function(m) cooks.distance(m$fit),
  dfbetas = function(m) dfbetas(m$fit),
  update = function(m) update(m$fit, REML = FALSE),
  update_add = function(m) update(m$fit, change_of(bquote(. ~ . + .(m$v$t)))),
  update_remove = function(m) update(m$fit, change_of(bquote(. ~ . - .(m$v$x)))),
  refit = function(m) refit(m$fit, m$fit$frame[[1L]] + 1),
  refit_many = function(m) as.data.frame(refit_many(m$fit, simulate(m$fit, 2, seed = 3))),
  ranef = function(m) as.data.frame(ranef(m$fit)),
  coef = function(m) as.data.frame(coef(m$fit)),
  VarCorr = function(m) as.data.frame(VarCorr(m$fit)),
  VarCorr_text = function(m) length(utils::capture.output(print(VarCorr(m$fit)))) > 0L,
  tidy = function(m) tidy.lmm(m$fit, effects = c("fixed", "ran_pars", "ran_vals")),
  augment = function(m) augment.lmm(m$fit, data = m$data),
  augment_new = function(m) augment.lmm(m$fit, newdata = new_rows(m)),
  shrinkage = function(m) as.data.frame(shrinkage(m$fit)),
  component = function(m) lapply(c("X", "Z", "Lambda"), function(name) as.matrix(component(m$fit, name))),
  formula = function(m) {
    fixed <- formula(m$fit, fixed.only = TRUE)
    lengths(lapply(list(formula(m$fit), fixed, formula(m$fit, random.only = TRUE)), all.vars))
  },
  frame = function(m) {
    fixed <- model.frame(m$fit, fixed.only = TRUE)
    lapply(list(model.frame(m$fit), fixed, model.frame(m$fit, random.only = TRUE)), dim)
  },
  terms = function(m) lengths(lapply(list(terms(m$fit), terms(m$fit, fixed.only = FALSE)), attr, "term.labels")),
  robust = function(m) summary(robust(m$fit, cluster = change_of(bquote(~ .(m$v$g)))))$coefficients,
  knit = function(m) nchar(knit_text(summary(m$fit))) > 0L,
  plots = function(m) {
    grDevices::pdf(NULL)
    on.exit(grDevices::dev.off())
    kinds <- setdiff(plot_kinds, c("profile", "influence", if (is.null(m$fit$residual)) c("strata", "acf")))
    for (kind in kinds) plot(m$fit, which = kind)
    TRUE
  },
  plot_data = function(m) lapply(c("observed", "varcomp", "caterpillar"), function(kind) plot_data(m$fit, kind))
)

knit_text <- function(x) paste(unlist(knitr::knit_print(x)), collapse = "\n")

# All numbers of a result, in order.
numbers_of <- function(x) {
  if (inherits(x, "lmm")) return(unname(c(x$beta, x$theta, x$sigma, x$criterion)))
  if (is.environment(x) || is.function(x) || is.language(x)) return(NULL)
  if (is.factor(x) || is.character(x)) return(as.double(length(x)))
  if (is.list(x)) return(unlist(lapply(unname(unclass(x)), numbers_of)))
  if (is.numeric(x) || is.logical(x)) as.vector(as.double(x))
}

quietly <- function(expr) suppressMessages(suppressWarnings(expr))

fuzz_results <- function(m, methods) {
  lapply(methods, function(method) tryCatch(numbers_of(quietly(method(m))), error = identity))
}

expect_same_numbers <- function(kind, sets) {
  methods <- fuzz_methods
  if (!requireNamespace("knitr", quietly = TRUE)) methods$knit <- NULL
  reference <- fuzz_results(fuzz_fit(kind, plain_names), methods)
  for (name in names(reference)) expect_false(inherits(reference[[name]], "error"), info = paste(kind, name))
  for (set in sets) {
    own <- fuzz_results(fuzz_fit(kind, fuzzed_names[[set]]), methods)
    for (name in names(methods)) {
      info <- paste(kind, set, name)
      error <- if (inherits(own[[name]], "error")) conditionMessage(own[[name]])
      expect_null(error, info = info)
      if (is.null(error)) expect_equal(own[[name]], reference[[name]], tolerance = 1e-6, info = info)
    }
  }
}

test_that("a correlated slope with an interaction, under all kinds of names", {
  expect_same_numbers("slope", names(fuzzed_names))
})

test_that("crossed grouping factors", {
  skip_on_cran()
  expect_same_numbers("crossed", c("spaces", "operators", "calls"))
})

test_that("weights, an offset and two bars", {
  skip_on_cran()
  expect_same_numbers("weighted", c("backticks", "words", "calls"))
})

test_that("strata and series of residuals", {
  skip_on_cran()
  expect_same_numbers("residuals", c("spaces", "operators", "reserved"))
})

test_that("poly(), a computed response and the argument offset", {
  skip_on_cran()
  expect_same_numbers("computed", c("quotes", "foreign", "breaks"))
})

test_that("names are the same as those of lme4", {
  skip_if_not_installed("lme4")
  for (set in c("spaces", "operators", "quotes", "foreign")) {
    m <- fuzz_fit("slope", fuzzed_names[[set]])
    peer <- lme4::lmer(m$fit$formula, m$data)
    expect_identical(names(fixef(m$fit)), names(lme4::fixef(peer)))
    expect_identical(names(component(m$fit, "theta")), names(lme4::getME(peer, "theta")))
    expect_identical(names(ranef(m$fit)), names(lme4::ranef(peer)))
    new <- new_rows(m)
    expect_equal(predict(m$fit, new), predict(peer, new), tolerance = 1e-4)
  }
})

test_that("names that R gives to weights and offsets in a model frame are refused", {
  data <- fuzz_data()
  for (name in c("(weights)", "(offset)")) {
    named <- stats::setNames(data, replace(names(data), 2L, name))
    formula <- stats::as.formula(bquote(y ~ .(as.name(name)) + (1 | g)))
    expect_three_lines(tryCatch(lmm(formula, named), error = identity), "ferrite_error_variable")
  }
})

test_that("emmeans, insight, parameters and car find the variables under such names", {
  for (package in c("emmeans", "insight", "parameters", "performance", "car")) skip_if_not_installed(package)
  results <- function(m) {
    list(
      as.data.frame(emmeans::emmeans(m$fit, m$names$f)), as.data.frame(insight::get_predicted(m$fit)),
      dim(insight::get_data(m$fit)), insight::get_variance(m$fit), performance::r2(m$fit),
      as.data.frame(parameters::model_parameters(m$fit)), car::Anova(m$fit)
    )
  }
  reference <- quietly(numbers_of(results(fuzz_fit("slope", plain_names))))
  for (set in c("spaces", "foreign", "reserved")) {
    own <- quietly(numbers_of(results(fuzz_fit("slope", fuzzed_names[[set]]))))
    expect_equal(own, reference, tolerance = 1e-6, info = set)
  }
})

test_that("printing names beyond ASCII gives no warning", {
  fit <- fuzz_fit("slope", fuzzed_names$foreign)$fit
  expect_no_warning(utils::capture.output(print(fit), print(summary(fit)), print(VarCorr(fit)), print(ranef(fit))))
})
