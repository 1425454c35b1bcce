#' Simulate responses
#'
#' Draws responses from the fitted model: the estimates count as the truth. Or from a model that was never fitted, given
#' by a formula, data and parameters.
#'
#' @param object An object of class `lmm`; or a formula such as `~ x + (1 | g)`, whose response, if any, is not used.
#' @param nsim Number of responses, a positive whole number. Default 1.
#' @param seed `NULL` (default): R's generator goes on from where it is. A whole number: as after `set.seed(seed)`, and
#'   the generator is left as it was, as for all methods of [stats::simulate()].
#' @param use.u `FALSE` (default): new random effects in each response. `TRUE`: the predicted random effects of the fit
#'   stay, and only residuals are drawn.
#' @param re.form Which random effects stay, in the words of [predict.lmm()]; the others are drawn. An alternative to
#'   `use.u`: `NA` is `use.u = FALSE`, `NULL` is `use.u = TRUE`, and a formula may keep some of them. If only some
#'   columns of a term stay, the others are drawn independently of them.
#'   Residuals are drawn in any case, with the variances of `dispersion` and the correlations of `correlation`.
#' @param newdata Data frame with the variables of the model for which responses are drawn. Default: the data of the
#'   fit. Rows of the same level share their random effects; residuals of the same series are correlated with each
#'   other, not with those of the fit (for forecasts that follow the observed residuals see [predict.lmm()]).
#' @param allow.new.levels Whether the factors of the random effects that stay may have new levels in `newdata`: effects
#'   of these are drawn. Default `FALSE`, an error. Effects that are all drawn anew may have any levels.
#' @param weights,na.action For new rows, as in [predict.lmm()].
#' @param newparams For a fit: `NULL`, or a list with any of `beta`, `theta` and `sigma` that take the place of the
#'   estimates (effects that stay have the same spherical `u`, as in lme4). For a formula: all three, in the order of
#'   the columns of the model matrix and of lme4's theta; a wrong length is an error that says the order.
#' @param cond.sim `FALSE` leaves out the residuals: means given the random effects. Default `TRUE`.
#' @param family `NULL` or the gaussian family, for lme4's sake.
#' @param ... `ReForm`, `REForm` and `REform`, lme4's old words for `re.form`. No other argument is known.
#' @returns A data frame with a column for each response, `sim_1`, `sim_2` and so on, and the row names of the data.
#'   After `na.action = na.exclude` rows that were set aside are `NA`. The attribute `seed` is the state of the
#'   generator before, or the given seed with its kind. Random effects of all terms are drawn first, then residuals,
#'   as in lme4: the same seed gives the same responses (but for weighted fits, whose weights lme4 1.1 leaves out).
#' @section Beside lme4:
#'   lme4 has a method for formulas. When lme4 is loaded, in whatever order, it is called for formulas; the words and,
#'   with the same seed, the responses are the same.
#' @section Conditions:
#'   `ferrite_error_argument`, `ferrite_error_tied_times` (rows of `newdata` at the same time in one series), and those
#'   of [predict.lmm()].
#' @seealso [refit()] and [refit_many()] to fit the model to the responses; [bootstrap()], which does both in the
#'   engine.
#' @examples
#' fit <- lmm(distance ~ age + (1 | Subject), nlme::Orthodont)
#' responses <- simulate(fit, nsim = 200, seed = 1)
#' # variance of an observation: 2.1147^2 + 1.4316^2 = 6.52
#' mean(apply(responses, 1, var))
#' new <- expand.grid(age = 8:12, Subject = c("a", "b"))
#' simulate(fit, newdata = new, seed = 2)
#' # a model that was never fitted: intercept 10, slope 1, standard deviations 2 and 0.5
#' truth <- list(beta = c(10, 1), theta = 4, sigma = 0.5)
#' simulate(~ age + (1 | Subject), seed = 3, newdata = new, newparams = truth)
#' @importFrom stats simulate
#' @export
simulate.lmm <- function(object, nsim = 1, seed = NULL, use.u = FALSE, re.form = if (use.u) NULL else NA,
                         newdata = NULL, allow.new.levels = FALSE, weights = NULL, na.action = stats::na.pass,
                         newparams = NULL, cond.sim = TRUE, family = NULL, ...) {
  call <- method_call()
  check_flag(use.u, "use.u", call, "argument")
  check_flag(cond.sim, "cond.sim", call, "argument")
  check_family(family, call)
  check_na_rule(na.action, call)
  object <- with_parameters(object, newparams, call)
  nsim <- check_count(nsim, "nsim", call)
  check_flag(allow.new.levels, "allow.new.levels", call, "argument")
  if (!missing(use.u) && !missing(re.form)) {
    abort_ferrite("argument", "Only one of `use.u` and `re.form` must be given.", "Both are.",
      hint = "`re.form = NULL` is `use.u = TRUE`; `re.form = NA` is `use.u = FALSE`.", call = call
    )
  }
  kept <- chosen_effects(object, re_form_of("simulate", re.form, ..., call = call), call)
  if (!is.null(newdata)) newdata <- check_newdata(newdata, call)
  rows <- if (is.null(newdata)) rows_of_fit(object)
  else rows_of_new(object, newdata, kept, TRUE, allow.new.levels, na.action, call, anew = TRUE, serial = TRUE)
  weights <- row_weights(object, weights, newdata, rows, call)
  mean <- mean_of_rows(object, rows, kept)
  blocks <- if (is.null(newdata)) residual_blocks(object) else new_blocks(object, rows$serial, call)

  state <- generator_state(seed, call)
  if (!is.null(seed)) {
    on.exit(restore_generator(state$old))
    set.seed(seed)
  }
  values <- draw_responses(object, rows, kept, mean, weights, nsim, blocks, cond.sim)
  colnames(values) <- paste0("sim_", seq_len(nsim))
  values <- restore_rows(object, rows, values)
  structure(as.data.frame(values), seed = state$record)
}

# n x nsim responses around the means.
draw_responses <- function(fit, rows, kept, mean, weights, nsim, blocks = NULL, residuals = TRUE) {
  effects <- draw_effects(fit, rows, kept, nsim)
  if (!residuals) return(if (is.null(effects)) matrix(mean, rows$n, nsim) else mean + effects)
  noise <- matrix(stats::rnorm(rows$n * nsim), rows$n, nsim)
  values <- mean + fit$sigma * scale_of_rows(fit, rows) / sqrt(weights) * colour_rows(fit, noise, blocks)
  if (is.null(effects)) values else values + effects
}

#' Contributions of random effects that are drawn
#'
#' The effects that do not stay are drawn for each level; of a new level all are.
#'
#' @returns An n x nsim matrix, or `NULL` when nothing is to be drawn.
#' @noRd
draw_effects <- function(fit, rows, kept, nsim) {
  drawn <- Filter(Negate(is.null), lapply(seq_along(fit$random), function(k) drawn_term(fit, k, rows, kept[[k]])))
  if (!length(drawn)) {
    return(NULL)
  }
  sizes <- vapply(drawn, function(one) one$levels * nrow(one$factor), 0)
  u <- matrix(stats::rnorm(sum(sizes) * nsim), ncol = nsim)
  total <- matrix(0, rows$n, nsim)
  at <- 0
  for (i in seq_along(drawn)) {
    one <- drawn[[i]]
    q <- nrow(one$factor)
    b <- one$factor %*% matrix(u[at + seq_len(sizes[i]), ], q)
    for (j in seq_len(q)) {
      own <- matrix(b[j, ], one$levels)
      total[one$rows, ] <- total[one$rows, ] + one$basis[, j] * own[one$groups, , drop = FALSE]
    }
    at <- at + sizes[i]
  }
  total
}

# What is to be drawn of random term k: factor (its covariance is factor factor'), the rows that it concerns, their
# groups, their basis with zeros where a known effect stays. NULL when nothing.
drawn_term <- function(fit, k, rows, kept) {
  term <- fit$random[[k]]
  new <- if (any(kept)) is.na(rows$codes[[term$factor]]) else rep(TRUE, rows$n)
  concerned <- if (all(kept)) which(new) else seq_len(rows$n)
  if (!length(concerned)) {
    return(NULL)
  }
  basis <- dense_blocks(rows$bases[[k]], rows$n)
  basis[!new, kept] <- 0
  groups <- rows$groups[[term$factor]][concerned]
  if (all(kept)) groups <- match(groups, sort(unique(groups)))
  list(
    factor = fit$sigma * templates(fit)[[k]], rows = concerned, groups = groups, levels = max(groups),
    basis = basis[concerned, , drop = FALSE]
  )
}

# The state to go back to, and the record of it for the attribute "seed".
generator_state <- function(seed, call) {
  space <- globalenv()
  if (is.null(space[[".Random.seed"]])) stats::runif(1L)
  old <- space[[".Random.seed"]]
  if (is.null(seed)) {
    return(list(old = old, record = old))
  }
  good <- is.numeric(seed) && length(seed) == 1L && is.finite(seed) && abs(seed) <= .Machine$integer.max
  if (!good) bad_setting(seed, "seed", "`NULL` or one whole number", call, "argument")
  list(old = old, record = structure(seed, kind = as.list(RNGkind())))
}

restore_generator <- function(state) assign(".Random.seed", state, envir = globalenv())

check_family <- function(family, call) {
  if (is.function(family)) family <- tryCatch(family(), error = function(e) NULL)
  name <- if (inherits(family, "family")) family$family else family
  if (is.null(name) || identical(name, "gaussian")) return(invisible())
  bad_setting(name, "family", "`NULL` or `gaussian`", call, "argument")
}

# Other parameters -----------------------------------------------------------------------------------------------------

# The fit at other parameters: list with any of beta, theta, sigma. The spherical random effects stay.
with_parameters <- function(fit, newparams, call) {
  if (is.null(newparams)) return(fit)
  orders <- list(beta = fit$x_names[fit$kept], theta = names(fit$theta), sigma = "sigma")
  newparams <- check_parameters(newparams, orders, FALSE, call)
  values <- utils::modifyList(list(beta = fit$beta[fit$kept], theta = fit$theta, sigma = fit$sigma), newparams)
  new <- at_parameters(fit, values$theta, unname(values$beta), values$sigma)
  factors <- templates(new)
  for (k in seq_along(new$random)) new$random[[k]]$b[] <- tcrossprod(new$random[[k]]$u, factors[[k]])
  new
}

# `orders`: names of the elements of beta and theta, in their order.
check_parameters <- function(newparams, orders, all, call) {
  fail <- function(found, hint) {
    abort_ferrite("argument",
      paste0("`newparams` must be a list of ", if (!all) "any of ", "`beta`, `theta` and `sigma`."),
      found, hint = hint, call = call, data = list(argument = "newparams")
    )
  }
  names <- names(newparams)
  if (is.null(newparams)) fail("It is left out.", "Write, for example, `list(beta = c(10, 1), theta = 2, sigma = 1)`.")
  if (!is.list(newparams) || is.null(names) || anyDuplicated(names)) {
    fail(paste0("It is ", a_kind(newparams), "."), "Write, for example, `list(beta = fixef(fit), sigma = 1)`.")
  }
  unknown <- setdiff(names, names(orders))
  if (length(unknown)) fail(paste0("There is no ", quoted_list(unknown), "."), "Leave it out.")
  lacking <- if (all) setdiff(names(orders), names)
  if (length(lacking)) {
    fail(paste0("It has no ", quoted_list(lacking), "."),
      paste0("The order: ", plain_list(orders[[lacking[1L]]], 8L), "."))
  }
  lapply(stats::setNames(nm = names), function(name) in_order(newparams[[name]], name, orders[[name]], fail))
}

# One vector of parameters, brought into their order when it has their names.
in_order <- function(value, name, order, fail) {
  own <- if (name != "sigma") names(value)
  if (!is.null(own)) {
    if (!setequal(own, order)) {
      fail(sprintf("The names of `%s` are %s.", name, quoted_list(own)),
        paste0("They must be ", quoted_list(order, 8L), ", or left out."))
    }
    value <- value[order]
  }
  good <- is.numeric(value) && length(value) == length(order) && all(is.finite(value))
  if (good && (name != "sigma" || value > 0)) return(as.double(value))
  wanted <- if (name == "sigma") "one positive number" else counted(length(order), "finite number")
  fail(sprintf("`%s` is %s, where %s must be given.", name, a_kind(value), wanted),
    if (length(order)) paste0("The order: ", plain_list(order, 8L), ".") else "There are none.")
}

# A model that was never fitted -----------------------------------------------------------------------------------

# lme4 registers a method for formulas; as the default this one is asked when lme4 is not loaded, and no order of
# loading makes one replace the other.

#' @rdname simulate.lmm
#' @export
simulate.default <- function(object, nsim = 1, seed = NULL, newdata, newparams, weights = NULL, family = NULL, ...) {
  call <- method_call()
  if (!inherits(object, "formula")) {
    abort_ferrite("argument", "`simulate()` must be given a fitted model, or a formula.",
      paste0("It was given ", a_kind(object), "."),
      hint = "Load the package that the model is of, or write `simulate(~ x + (1 | g), newdata = , newparams = )`.",
      call = call
    )
  }
  check_family(family, call)
  fit <- unfitted(object, if (!missing(newdata)) newdata, if (!missing(newparams)) newparams, call)
  values <- tryCatch(simulate.lmm(fit, nsim, seed, weights = weights, ...), ferrite_error = function(e) {
    e$call <- call
    stop(e)
  })
  values
}

# An object of class `lmm` for given parameters; what belongs to a response is NA.
unfitted <- function(formula, data, newparams, call) {
  data <- if (is.null(data)) NULL else check_newdata(data, call)
  if (is.null(data)) {
    abort_ferrite("newdata", "`newdata` must be given with a formula.", "It is left out.",
      hint = "Give a data frame with the variables of the formula.", call = call
    )
  }
  response <- utils::tail(make.unique(c(names(data), all.vars(formula), "response")), 1L)
  data[[response]] <- seq_len(nrow(data)) / 1
  formula <- stats::as.formula(call("~", as.name(response), formula[[length(formula)]]), environment(formula))
  parsed <- parse_formula(formula, names(data), environment(formula), call)
  built <- build_frame(parsed, data, list(weights = NULL, offset = NULL, subset = NULL), stats::na.omit, call)
  control <- lmm_control()
  design <- muffled(build_design(built, parsed$random, NULL, control$memory, call))
  orders <- list(beta = design$x_names, theta = theta_names(design$terms), sigma = "sigma")
  newparams <- check_parameters(newparams, orders, TRUE, call)
  p <- length(design$x_names)
  terms <- lapply(design$terms, function(term) {
    q <- length(term$effects)
    levels <- design$factors[[term$factor]]$n_levels
    list(varcov = numeric(q * q), b = numeric(q * levels), u = numeric(q * levels),
      condvar = numeric(q * q * levels), rank = q)
  })
  nothing <- NA_real_
  raw <- list(
    kept = seq_len(p), beta = newparams$beta, vcov = rep(nothing, p * p), theta = newparams$theta,
    sigma = newparams$sigma, terms = terms, criterion = nothing, ld_l = nothing, ld_rx = nothing, pwrss = nothing,
    residual = NULL, status = "unfitted", evaluations = 0L, iterations = 0L, starts = 0L, decrement = nothing,
    gradient = nothing, kkt = nothing, hessian = rep(nothing, length(newparams$theta)^2), structure = "",
    timing = numeric()
  )
  fit <- new_lmm(raw, design, built, parsed$formula, TRUE, control, call)
  fit$light <- TRUE
  at_parameters(fit, newparams$theta, newparams$beta, newparams$sigma)
}
