#' Simulate responses
#'
#' Draws responses from the fitted model: the estimates count as the truth.
#'
#' @param object An object of class `lmm`.
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
#' @param ... No other argument is known.
#' @returns A data frame with a column for each response, `sim_1`, `sim_2` and so on, and the row names of the data.
#'   After `na.action = na.exclude` rows that were set aside are `NA`. The attribute `seed` is the state of the
#'   generator before, or the given seed with its kind. Random effects of all terms are drawn first, then residuals,
#'   as in lme4: the same seed gives the same responses (but for weighted fits, whose weights lme4 1.1 leaves out).
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
#' @importFrom stats simulate
#' @export
simulate.lmm <- function(object, nsim = 1, seed = NULL, use.u = FALSE, re.form = if (use.u) NULL else NA,
                         newdata = NULL, allow.new.levels = FALSE, weights = NULL, na.action = stats::na.pass, ...) {
  call <- method_call()
  refuse_arguments("simulate", ..., call = call)
  nsim <- check_count(nsim, "nsim", call)
  check_flag(use.u, "use.u", call, "argument")
  check_flag(allow.new.levels, "allow.new.levels", call, "argument")
  if (!missing(use.u) && !missing(re.form)) {
    abort_ferrite("argument", "Only one of `use.u` and `re.form` must be given.", "Both are.",
      hint = "`re.form = NULL` is `use.u = TRUE`; `re.form = NA` is `use.u = FALSE`.", call = call
    )
  }
  kept <- chosen_effects(object, re.form, call)
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
  values <- draw_responses(object, rows, kept, mean, weights, nsim, blocks)
  colnames(values) <- paste0("sim_", seq_len(nsim))
  values <- restore_rows(object, rows, values)
  structure(as.data.frame(values), seed = state$record)
}

# n x nsim responses around the means.
draw_responses <- function(fit, rows, kept, mean, weights, nsim, blocks = NULL) {
  effects <- draw_effects(fit, rows, kept, nsim)
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
