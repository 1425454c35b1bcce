fixed_text <- function(formula, ...) deparse_one(parse_formula(formula, ...)$fixed)
groups <- function(formula, ...) vapply(parse_formula(formula, ...)$random, `[[`, "", "group")

test_that("fixed and random part are separated", {
  parsed <- parse_formula(y ~ x * z + (x | g) + offset(w) - 1 + (1 | h))
  expect_identical(deparse_one(parsed$fixed), "x * z + offset(w) - 1")
  expect_identical(vapply(parsed$random, `[[`, "", "text"), c("(x | g)", "(1 | h)"))
  expect_identical(parsed$response, quote(y))
  expect_identical(fixed_text(y ~ (1 | g)), "1")
  expect_identical(fixed_text(y ~ 0 + (1 | g)), "0")
  expect_identical(fixed_text(y ~ -1 + x + (1 | g)), "-1 + x")
  expect_identical(fixed_text(y ~ (x + z)^2 + ((1 | g))), "(x + z)^2")
  expect_identical(fixed_text(y ~ (x + (1 | g))), "(x)")
})

test_that("a bar inside a function call is R's `or`", {
  parsed <- parse_formula(y ~ I(a | b) + ifelse(c || d, 1, 0) + (1 | g))
  expect_length(parsed$random, 1)
  expect_identical(deparse_one(parsed$fixed), "I(a | b) + ifelse(c || d, 1, 0)")
})

test_that("`||` is kept for the design to expand", {
  expect_identical(vapply(parse_formula(y ~ (x || g) + (1 | h))$random, `[[`, NA, "uncorrelated"), c(TRUE, FALSE))
})

test_that("nesting expands to crossed factors, the innermost first, under lme4's names", {
  expect_identical(groups(y ~ (1 | a / b)), c("b:a", "a"))
  expect_identical(groups(y ~ (x | a / b / c)), c("c:(b:a)", "b:a", "a"))
  expect_identical(groups(y ~ (1 | a:b)), "a:b")
  expect_identical(groups(y ~ (1 | a:b / c)), c("c:(a:b)", "a:b"))
  expect_identical(groups(y ~ (1 | a / (b / c))), c("c:b:a", "b:a", "a"))
  expect_identical(parse_formula(y ~ (1 | a / b / c))$random[[1]]$variables, c("c", "b", "a"))
  expect_identical(groups(y ~ (1 | factor(g))), "factor(g)")
  expect_identical(groups(y ~ (1 | a:a)), "a")
  expect_identical(groups(y ~ (1 | !a)), "!a")
  expect_identical(vapply(parse_formula(y ~ (x || a / b))$random, `[[`, "", "text"), c("(x || b:a)", "(x || a)"))
})

test_that("names of nested factors are those of lme4", {
  skip_if_not_installed("lme4")
  data <- front_data()
  reference <- lme4::lFormula(y ~ x + (1 | o / b / a) + (1 | f:a), data,
                              control = lme4::lmerControl(check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore"))
  expect_setequal(groups(y ~ x + (1 | o / b / a) + (1 | f:a)), names(reference$reTrms$cnms))
})

test_that("`.` is every column but response and grouping variables", {
  columns <- c("y", "g", "h", "x", "my z")
  expect_identical(fixed_text(y ~ . + (1 | g / h), columns), "(x + `my z`)")
  expect_identical(fixed_text(log(y) ~ . - x + (1 | g), columns), "(h + x + `my z`) - x")
  expect_identical(fixed_text(y ~ .^2 + (1 | g:h), columns), "(x + `my z`)^2")
  expect_identical(deparse_one(parse_formula(y ~ 1 + (. | g:h), columns)$random[[1]]$lhs), "(x + `my z`)")
  expect_identical(fixed_text(y ~ . + (1 | g), c("y", "g")), "1")
  expect_identical(deparse_one(parse_formula(y ~ . + (1 | g), c("y", "x", "g"))$formula), "y ~ x + (1 | g)")
  expect_identical(fixed_text(y ~ log(.) + (1 | g), columns), "log(.)")
  expect_error(parse_formula(y ~ . + (1 | g)), class = "ferrite_error_formula")
})

test_that("text is a formula; what is no formula is an error", {
  expect_identical(groups("y ~ x + (1 | g)"), "g")
  env <- new.env()
  expect_identical(parse_formula("y ~ x + (1 | g)", env = env)$env, env)
  for (wrong in list("y ~ x + (1 | g", NULL, 3, quote(y), TRUE, c("y ~ x", "z"), sleep_data(), mean)) {
    expect_three_lines(tryCatch(parse_formula(wrong), error = identity), "ferrite_error_formula")
  }
})

test_that("every formula without a sound random part says what to write", {
  wrong <- list(
    y ~ x, ~ x + (1 | g), NULL ~ x + (1 | g),
    y ~ x + (1 | g) | h, y ~ (1 | g) + z | h, y ~ x + (1 | g | h), y ~ x + ((1 | g) | h),
    y ~ x * (1 | g), y ~ x:(1 | g), y ~ x - (1 | g), y ~ -(1 | g), y ~ (x * (1 | g)), y ~ x + (1 | 1), y ~ x + (1 | .),
    y ~ x + (1 | a + b), y ~ x + (1 | a * b), y ~ x + (1 | a %in% b), y ~ x + (1 | (a / b):c), y ~ (1 | g) %in% x
  )
  for (formula in wrong) {
    expect_three_lines(tryCatch(parse_formula(formula), error = identity), "ferrite_error_formula")
  }
  expect_error(parse_formula(y ~ x), "lm(y ~ x)", fixed = TRUE)
  expect_error(parse_formula(y ~ x + (1 | g) | h), "`y ~ x + (1 | g)`", fixed = TRUE)
  expect_error(parse_formula(y ~ (1 | a * b)), "`(1 | a)` + `(1 | b)` + `(1 | a:b)`", fixed = TRUE)
})

test_that("a bar without parentheses takes everything to its left, and says so where columns are in it", {
  expect_silent(one <- parse_formula(y ~ 1 | g))
  expect_identical(one$formula[[3L]], quote((1 | g)))
  expect_identical(list(one$fixed, one$random[[1L]]$lhs), list(quote(1), quote(1)))
  for (formula in list(y ~ x | g, y ~ x + 1 | g, y ~ 0 + x | g, y ~ x || g)) {
    condition <- expect_message(parse_formula(formula), class = "ferrite_message_formula")
    expect_three_lines(condition, "ferrite_message_formula")
    expect_identical(suppressMessages(parse_formula(formula))$fixed, quote(1))
  }
  expect_match(conditionMessage(expect_message(parse_formula(y ~ x | g))), "`y ~ 1 + (x | g)`", fixed = TRUE)
})

test_that("a plus in front of a random term says nothing", {
  for (formula in list(y ~ x + + (1 | g), y ~ + (1 | g) + x, y ~ x + (+ (1 | g)))) {
    expect_identical(parse_formula(formula)$random[[1L]]$text, "(1 | g)")
    expect_identical(parse_formula(formula)$fixed, quote(x))
  }
})

# lme4 takes terms in other places for added ones: `- (1 | g)`, `x:(1 | g)`; with lme4 an offset in a random term is one
# of the model. These are errors here.
test_that("formulas are read as lme4 reads them", {
  skip_if_not_installed("lme4")
  d <- sleep_data()
  d$z <- cos(seq_len(180))
  d$h <- gl(3, 1, 180)
  formulas <- list(
    y ~ 1 | g, y ~ x | g, y ~ 0 + x | g, y ~ x + 1 | g, y ~ x || g, y ~ 1 | g / h, y ~ x + + (1 | g), y ~ + (x | g) + x,
    y ~ x + (1 | g) - 1, y ~ 1 + x + (1 | g) + 0, y ~ (1 | g) + offset(z), y ~ (x + (1 | g)) + z, y ~ x + ((1 | g)),
    y ~ x + (z + (1 | g)), y ~ x * z - z + (1 | g), y ~ (x + z)^2 + (1 | g), y ~ x + (x - 1 | g), y ~ -x + (1 | g),
    y ~ x %in% h + (1 | g), log(y) ~ (1 | g) + poly(x, 2), y ~ z + (x | g) + (0 + z | g), y ~ x + (1 | g / h)
  )
  for (formula in formulas) {
    peer <- suppressMessages(lme4::lmer(formula, d))
    own <- suppressMessages(lmm(formula, d))
    # the tolerance is that of lme4's optimiser
    expect_equal(own$criterion, as.double(lme4::REMLcrit(peer)), tolerance = 1e-7, info = deparse(formula))
    expect_identical(names(fixef(own)), names(lme4::fixef(peer)), info = deparse(formula))
  }
})

test_that("a formula of 3,000 terms is parsed", {
  terms <- paste0("a_rather_long_name_of_a_variable_", 1:3000)
  formula <- stats::as.formula(paste("y ~", paste(terms, collapse = " + "), "+ (1 | g)"))
  parsed <- parse_formula(formula)
  expect_identical(all.vars(parsed$fixed), terms)
  expect_length(parsed$random, 1)
})

test_that("without a random term the hint is for the residuals that were asked for", {
  expect_error(lmm(distance ~ age, nlme::Orthodont), "use `lm(", fixed = TRUE, class = "ferrite_error_formula")
  expect_error(lmm(distance ~ age, nlme::Orthodont, dispersion = ~ Sex), "nlme::gls", class = "ferrite_error_formula")
})
