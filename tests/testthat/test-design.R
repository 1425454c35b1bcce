n_of <- function(design) length(design$y)

test_that("y and X are those of lm()", {
  data <- front_data()
  formulas <- list(
    y ~ 1, y ~ x, y ~ x + z, y ~ 0 + x, y ~ -1 + f, y ~ f, y ~ x * f, y ~ o, y ~ x:z, y ~ b * x,
    y ~ I(x^2) + log(x + 2),
    y ~ poly(x, 2) * a, y ~ splines::ns(x, 3), y ~ scale(x), y ~ (x > 0) + z, y ~ f:o, log(y + 3) ~ x %in% f, y ~ rep
  )
  for (formula in formulas) {
    full <- formula
    full[[3L]] <- call("+", formula[[3L]], quote((1 | g)))
    design <- design_for(full, data)
    reference <- stats::lm(formula, data, x = TRUE, y = TRUE)
    expect_equal(matrix_of(design$x, n_of(design)), reference$x, ignore_attr = TRUE, info = deparse_one(formula))
    expect_identical(design$x_names, colnames(reference$x), info = deparse_one(formula))
    expect_equal(design$y, unname(reference$y))
    expect_equal(design$xlevels, if (length(reference$xlevels)) reference$xlevels else design$xlevels)
  }
})

test_that("numeric main effects are passed on without a model matrix", {
  design <- design_for(y ~ x + rep + (x | g), front_data())
  expect_identical(design$x[[1]], 1)
  expect_identical(design$x[[2]], front_data()$x)
  expect_identical(design$x[[3]], as.double(front_data()$rep))
  expect_identical(design$terms[[1]]$basis, list(1, front_data()$x))
})

test_that("a formula without fixed effects has no columns", {
  design <- design_for(y ~ 0 + (1 | g), front_data())
  expect_identical(design$x, list())
  expect_identical(length(design$x_names), 0L)
})

test_that("names that need backticks are spelled as lm() does", {
  data <- front_data()
  names(data)[names(data) == "x"] <- "my x"
  design <- design_for(y ~ `my x` + (`my x` | g), data)
  expect_identical(design$x_names, names(stats::coef(stats::lm(y ~ `my x`, data))))
  expect_identical(design$x[[2]], data$`my x`)
  expect_identical(design$terms[[1]]$effects, c("(Intercept)", "`my x`"))
})

test_that("random terms are those of lme4: factors, codes, columns, order, names", {
  skip_if_not_installed("lme4")
  data <- front_data()
  ignore <- lme4::lmerControl(check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nlev.gtr.1 = "ignore")
  formulas <- list(
    y ~ x + (1 | g), y ~ x + (x | g), y ~ x + (0 + x | b), y ~ f + (f | b), y ~ x + (x * z | g),
    y ~ x + (poly(x, 2) | b),
    y ~ x + (1 | a / b), y ~ x + (1 | a:b), y ~ x + (x | b) + (1 | a), y ~ x + (1 | a) + (1 | b) + (1 | rep:b),
    y ~ x + (1 | a / b / f), y ~ x + (1 | rep) + (0 + x | rep),
    y ~ x + (I(x^2) + o | b)
  )
  for (formula in formulas) {
    design <- suppressMessages(design_for(formula, data))
    reference <- lme4::lFormula(formula, data, control = ignore)$reTrms
    expect_identical(lapply(design$terms, `[[`, "effects"), unname(reference$cnms), info = deparse_one(formula))
    expect_identical(vapply(design$terms, `[[`, "", "group"), names(reference$cnms))
    for (factor in design$factors) {
      expect_identical(factor$levels, levels(reference$flist[[factor$name]]))
      expect_identical(factor$codes, as.integer(reference$flist[[factor$name]]))
    }
    ours <- do.call(rbind, lapply(design$terms, function(term) {
      basis <- matrix_of(term$basis, n_of(design))
      codes <- design$factors[[term$factor]]$codes
      z <- matrix(0, design$factors[[term$factor]]$n_levels * ncol(basis), n_of(design))
      for (j in seq_len(ncol(basis))) z[cbind((codes - 1) * ncol(basis) + j, seq_along(codes))] <- basis[, j]
      z
    }))
    expect_equal(ours, as.matrix(reference$Zt), ignore_attr = TRUE, info = deparse_one(formula))
  }
})

test_that("a grouping factor may be computed in the formula", {
  data <- front_data()
  for (grouping in expression(factor(g), interaction(a, b), z > 0, cut(x, 3))) {
    factor <- suppressMessages(design_for(eval(bquote(y ~ x + (1 | .(grouping)))), data))$factors[[1]]
    reference <- factor(eval(grouping, data))
    expect_identical(factor$levels, levels(reference))
    expect_identical(factor$codes, as.integer(reference))
    expect_identical(factor$name, deparse_one(grouping))
  }
})

test_that("`||` makes one term of each column, also of factors and polynomials", {
  data <- front_data()
  effects <- function(formula) vapply(design_for(formula, data)$terms, `[[`, "", "effects")
  expect_identical(effects(y ~ x + (x || g)), c("(Intercept)", "x"))
  expect_identical(effects(y ~ x + (0 + f || g)), c("flo", "fmid", "fhi"))
  expect_identical(effects(y ~ x + (f || g)), c("(Intercept)", "fmid", "fhi"))
  expect_identical(effects(y ~ x + (poly(x, 2) || g)), c("(Intercept)", "poly(x, 2)1", "poly(x, 2)2"))
  expect_identical(effects(y ~ x + (x * z || g)), c("(Intercept)", "x", "z", "x:z"))
  design <- design_for(y ~ x + (f || g), data)
  expect_equal(do.call(cbind, lapply(design$terms, function(t) matrix_of(t$basis, 48))),
               stats::model.matrix(~ f, data), ignore_attr = TRUE)
  expect_length(design$factors, 1)
})

test_that("terms are ordered by decreasing levels; ties are reversed where the order changes, as in lme4", {
  terms <- design_for(y ~ x + (x || a) + (1 | b) + (0 + x | b), front_data())$terms
  expect_identical(vapply(terms, `[[`, "", "group"), c("b", "b", "a", "a"))
  expect_identical(vapply(terms, `[[`, "", "effects"), c("x", "(Intercept)", "x", "(Intercept)"))
  expect_identical(vapply(terms, `[[`, 1L, "factor"), c(1L, 1L, 2L, 2L))
  skip_if_not_installed("lme4")
  theirs <- lme4::lFormula(y ~ x + (x || a) + (1 | b) + (0 + x | b), front_data())$reTrms$cnms
  expect_identical(unname(unlist(theirs)), vapply(terms, `[[`, "", "effects"))
})

test_that("theta is named as lme4 names it", {
  terms <- list(list(group = "g", effects = c("(Intercept)", "x", "z")), list(group = "h", effects = "(Intercept)"))
  expect_identical(theta_names(terms), c("g.(Intercept)", "g.x.(Intercept)", "g.z.(Intercept)", "g.x", "g.z.x", "g.z",
                                         "h.(Intercept)"))
  skip_if_not_installed("lme4")
  fit <- suppressMessages(lme4::lmer(y ~ 1 + (x + z | b) + (1 | a), front_data()))
  expect_identical(theta_names(design_for(y ~ 1 + (x + z | b) + (1 | a), front_data())$terms),
                   names(lme4::getME(fit, "theta")))
})

test_that("contrasts hold in the fixed and in the random part", {
  data <- front_data()
  design <- design_for(y ~ f + (f | g), data, contrasts = list(f = "contr.sum"))
  reference <- stats::model.matrix(~ f, data, contrasts.arg = list(f = "contr.sum"))
  expect_equal(matrix_of(design$x, 48), reference, ignore_attr = TRUE)
  expect_equal(matrix_of(design$terms[[1]]$basis, 48), reference, ignore_attr = TRUE)
  expect_identical(design$contrasts, list(f = "contr.sum"))
  for (wrong in list("contr.sum", list("contr.sum"), list(x = "contr.sum"), list(nosuch = "contr.sum"))) {
    error <- tryCatch(design_for(y ~ f + x + (1 | g), data, contrasts = wrong), error = identity)
    expect_three_lines(error, "ferrite_error_contrasts")
  }
})

test_that("offsets of formula and argument are added; weights are passed on", {
  data <- front_data()
  design <- design_for(y ~ x + offset(z) + (1 | g), data, offset = rep(2, 48), weights = data$rep)
  expect_equal(design$offset, data$z + 2)
  expect_identical(design$weights, as.double(data$rep))
  expect_identical(design$x_names, c("(Intercept)", "x"))
  expect_null(design_for(y ~ x + (1 | g), data)$offset)
  expect_null(design_for(y ~ x + (1 | g), data)$weights)
})

test_that("a response is one numeric column; a logical one comes with a message", {
  data <- front_data()
  for (formula in list(b ~ x + (1 | g), f ~ x + (1 | g), cbind(y, x) ~ z + (1 | g), as.complex(y) ~ x + (1 | g))) {
    expect_three_lines(tryCatch(design_for(formula, data), error = identity), "ferrite_error_response")
  }
  expect_message(design <- design_for(y > 2 ~ x + (1 | g), data), class = "ferrite_message_logical_response")
  expect_identical(design$y, as.double(data$y > 2))
  expect_equal(design_for(scale(y) ~ x + (1 | g), data)$y, as.vector(scale(data$y)))
  expect_identical(design_for(rep ~ x + (1 | g), data)$y, as.double(data$rep))
})

test_that("a factor of one level is named, in the fixed part and in a random term", {
  data <- front_data()
  data$one <- "same"
  data$yes <- TRUE
  for (formula in list(y ~ one + (1 | g), y ~ x * yes + (1 | g), y ~ x + (one | g))) {
    error <- tryCatch(design_for(formula, data), error = identity)
    expect_three_lines(error, "ferrite_error_levels")
    expect_match(conditionMessage(error), "`one`|`yes`")
  }
})

test_that("a model matrix that cannot fit in memory is refused before it is made", {
  data <- front_data()
  data$id <- as.character(seq_len(48))
  parsed <- parse_formula(y ~ x * id + (1 | g))
  built <- build_frame(parsed, data, list(), na.omit, NULL)
  error <- tryCatch(build_design(built, parsed$random, NULL, 2000, NULL), error = identity)
  expect_three_lines(error, "ferrite_error_too_large")
  expect_match(conditionMessage(error), "`id`|`x:id`")
})

test_that("design_of() rebuilds the design from what a fit keeps", {
  data <- front_data()
  data$x[7] <- NA
  formula <- y ~ x * f + offset(z) + (f || a / b) + (poly(x, 2) | g)
  expect_error(design_for(formula, data), class = "ferrite_error_variable")
  formula <- y ~ x * f + offset(z) + (f || a / b) + (x | g)
  design <- design_for(formula, data, contrasts = list(f = "contr.sum"))
  fit <- list(
    frame = design$built$frame, terms = design$built$terms, contrasts = design$contrasts, x_names = design$x_names,
    factors = lapply(design$factors, function(f) f[names(f) != "codes"]),
    random = lapply(design$terms, function(t) t[names(t) != "basis"])
  )
  again <- design_of(fit)
  for (piece in c("y", "offset", "weights", "x", "x_names")) expect_identical(again[[piece]], design[[piece]])
  expect_identical(lapply(again$factors, `[[`, "codes"), lapply(design$factors, `[[`, "codes"))
  expect_equal(lapply(again$terms, `[[`, "basis"), lapply(design$terms, `[[`, "basis"))
})
