# Data and model matrices for insight.
#
# Reads   a fit; for variables inside of terms, such as `x` of `log(x)`, the data of the call (recover.R).
# Writes  data frames with a row for each row of the fit.

# Method of insight::get_data(): the variables of the model as they are in the data. The model frame has most of them,
# so that `source` makes no difference.
insight_data <- function(x, effects = "all", component = "all", source = "environment", verbose = TRUE,
                         additional_variables = NULL, ...) {
  effects <- choose_one(effects, c("all", "fixed", "random"), "effects", quote(get_data()))
  more <- if (isTRUE(additional_variables)) columns_of_call(x) else if (is.character(additional_variables)) {
    additional_variables
  }
  expressions <- c(data_expressions(x, effects), lapply(more, as.name))
  found <- tryCatch(recover_variables(x, expressions, quote(get_data())), ferrite_error = identity)
  if (is.data.frame(found)) {
    attr(found, "constants") <- NULL
    return(found)
  }
  if (isTRUE(verbose)) {
    warn_ferrite("recover", "The variables inside of the terms should be found again.",
      "They are not: the columns of the model frame are given instead.",
      hint = "Keep the data of the fit where the formula was written.", call = quote(get_data())
    )
  }
  frame_variables(x, effects)
}

# The expressions whose variables are asked for; fixed: with the response, random: without.
data_expressions <- function(fit, effects) {
  fixed <- if (effects != "random") list(fit$formula[[2L]], stats::delete.response(fit$terms))
  others <- list(fit$call$weights, if (effects != "random") fit$call$offset)
  random <- if (effects != "fixed") {
    c(lapply(fit$random, function(term) if (length(attr(term$lhs, "term.labels"))) attr(term$lhs, "variables")),
      unlist(lapply(fit$factors[factor_order(fit)], `[[`, "expressions")))
  }
  if (effects == "random") random <- random[!vapply(random, is.call, NA)]
  Filter(Negate(is.null), c(fixed, random, others))
}

# All columns of the data of the call.
columns_of_call <- function(fit) {
  data <- tryCatch(eval(fit$call$data, environment(fit$formula)), error = function(e) NULL)
  if (is.data.frame(data)) names(data) else character()
}

# The columns of the model frame under plain names.
frame_variables <- function(fit, effects) {
  frame <- fit$frame
  groups <- unlist(lapply(fit$factors[factor_order(fit)], `[[`, "variables"))
  if (effects == "random") frame <- frame[intersect(groups, names(frame))]
  if (effects == "fixed") frame <- stats::model.frame(fit, fixed.only = TRUE)
  attr(frame, "terms") <- NULL
  as.data.frame(lapply(as.list(frame), function(column) if (NCOL(column) == 1L) drop(column) else column),
    optional = TRUE, row.names = attr(frame, "row.names")
  )
}

# Method of insight::get_modelmatrix(): the estimated columns, of the fit's rows or of new data.
insight_matrix <- function(x, data = NULL, ...) {
  frame <- if (is.null(data)) x$frame else new_frame(x$terms, x$xlevels, data, quote(get_modelmatrix()))
  full <- fixed_matrix(x, frame)
  if (length(x$kept) == ncol(full)) return(full)
  kept <- full[, x$kept, drop = FALSE]
  structure(kept, assign = attr(full, "assign")[x$kept], contrasts = attr(full, "contrasts"))
}

# Method of insight::get_datagrid(): a grid of the predictors.
insight_grid <- function(x, ..., include_random = FALSE, include_response = FALSE, data = NULL) {
  check_flag(include_random, "include_random", quote(get_datagrid()), "argument")
  data <- check_data_frame(or_else(data, insight_data(x, verbose = FALSE)), quote(get_datagrid()))
  ask <- function(name, ...) getExportedValue("insight", name)(x, ...)
  drop <- c(
    if (!include_response) ask("find_response"),
    if (!include_random) setdiff(ask("find_random", flatten = TRUE), ask("find_predictors", flatten = TRUE))
  )
  groups <- if (!include_random) intersect(drop, names(data))
  weights <- setdiff(ask("find_weights"), ask("find_predictors", flatten = TRUE))
  grid <- getExportedValue("insight", "get_datagrid")(data[setdiff(names(data), c(drop, weights))], ...)
  # as for models of lme4: the population
  grid[setdiff(groups, ask("find_response"))] <- 0
  attr(grid, "model") <- x
  grid
}
