# THE SEAM: the only caller of Rust. Names do not cross: the engine speaks in indices, this file gives the names back.
#
# Reads   a design (design.R) and settings.
# Writes  the engine's result as a list, or a classed condition in the user's names.
# A failure record list(class, message, data) becomes `ferrite_error_<class>`.

# Codes of the combinations of several codes: list(codes, parents), first code slowest.
cross_codes <- function(codes, sizes) {
  raw <- .Call(wrap__cross_codes, unname(codes), as.integer(sizes))
  list(codes = raw$codes, parents = matrix(raw$parents, ncol = length(codes)))
}

#' Fit the model of a design
#'
#' @param design From `build_design()`.
#' @param start `NULL` or starting values of theta.
#' @param frame The model frame, for the names of rows and variables in a message.
#' @returns The engine's list.
#' @noRd
fit_design <- function(design, REML, start, control, frame, call) { # nolint: object_name_linter.
  start <- check_start(start, theta_names(design$terms), call)
  options <- list(
    reml = REML, threads = control$threads, start = start, max_evaluations = control$max_evaluations,
    tolerance = control$tolerance, memory = control$memory, phi = NULL
  )
  meter <- progress_meter(control$progress)
  on.exit(meter$close())
  raw <- call_engine(.Call(wrap__fit_lmm, engine_design(design), options, meter$report))
  if (!is.null(raw$failure)) raise_failure(raw$failure, design, frame, call)
  if (!is.null(design$scale)) {
    check_centre(raw$residual$phi, design, call)
    vanished <- vanished_scale(raw, design)
    if (!is.null(vanished)) raise_failure(list(class = "residual_scale", data = vanished), design, frame, call)
  }
  raw
}

# A design as the engine reads it.
engine_design <- function(design) {
  list(
    y = design$y, x = design$x, offset = design$offset, weights = design$weights,
    factors = lapply(design$factors, function(factor) list(codes = factor$codes, n_levels = factor$n_levels)),
    terms = lapply(design$terms, function(term) {
      list(factor = term$factor, basis = term$basis, structure = term$structure)
    }),
    residual = design$residual
  )
}

# Can the variances of a design be told apart? That it cannot be summed is no answer either.
is_identified <- function(design) {
  control <- lmm_control()
  options <- list(
    reml = TRUE, threads = control$threads, start = NULL, max_evaluations = control$max_evaluations,
    tolerance = control$tolerance, memory = control$memory, phi = NULL
  )
  is.null(call_engine(.Call(wrap__check_identified, engine_design(design), options))$failure)
}

# An error from under the seam (a panic that was caught) is a failure like any other.
call_engine <- function(result) {
  tryCatch(result, error = function(e) {
    list(failure = list(class = "internal", message = conditionMessage(e), data = list()))
  })
}

check_start <- function(start, names, call) {
  if (is.null(start)) return(NULL)
  start <- read_start(start, names, call)
  good <- is.numeric(start) && length(start) == length(names) && all(is.finite(start))
  if (good) return(as.double(start))
  abort_ferrite(
    "start", paste0("`start` must be ", counted(length(names), "finite number"), ", one for each element of theta."),
    if (is.numeric(start)) paste0("It has ", length(start), if (!all(is.finite(start))) ", not all finite", ".")
    else paste0("It is ", a_kind(start), "."),
    hint = paste0("Their order: ", plain_list(names, 8L), "."), call = call, data = list(names = names)
  )
}

# A progress bar that appears when work has lasted a second; `report` is what the engine calls, `NULL` when silent.
progress_meter <- function(show) {
  if (!isTRUE(show)) return(list(report = NULL, close = function() NULL))
  bar <- NULL
  begin <- proc.time()[["elapsed"]]
  list(
    report = function(done, total) {
      if (!is.finite(done / total)) return(invisible())
      if (is.null(bar) && proc.time()[["elapsed"]] - begin < 1) return(invisible())
      if (is.null(bar)) bar <<- utils::txtProgressBar(max = 1, style = 3)
      utils::setTxtProgressBar(bar, min(1, done / total))
    },
    close = function() if (!is.null(bar)) close(bar)
  )
}

# Failures --------------------------------------------------------------------------------------------------------

# Numbers of which the squares are zero or infinite.
check_squares <- function(y, name, call) {
  size <- max(abs(y))
  if (size > 1e-150 && size < 1e150) return(invisible())
  abort_ferrite("response", "The squares of the response must be numbers that double precision can hold.",
    sprintf("The largest value of `%s` is %s.", name, format(size, digits = 3L)),
    hint = "Measure it in another unit, for example multiply or divide it by a power of ten.", call = call
  )
}

raise_failure <- function(failure, design, frame, call) {
  data <- failure$data
  response <- names(frame)[1L]
  fail <- function(problem, ..., hint) {
    abort_ferrite(failure$class, problem, ..., hint = hint, call = call, data = as.list(data))
  }
  lost <- failure$class %in% c("rank_random", "not_positive_definite") && weight_span(design$weights) > 1e12
  if (lost) far_weights(design$weights, call)
  if (failure$class == "not_positive_definite") {
    check_squares(design$y, response, call)
    if (!is.null(design$weights) && max(design$weights) < 1e-150) far_weights(design$weights, call)
  }
  if (identical(data$kind, "time")) check_times(design$residual$correlation$time, design$correlation, frame, call)
  switch(
    failure$class,
    interrupted = raise_interrupt(),
    nonfinite = fail(
      "All values in the model must be finite.", nonfinite_text(data, design, frame),
      hint = "Correct the values, or set them to NA to drop the rows."
    ),
    constant_response = fail(
      "The response must vary.", constant_text(response, design),
      hint = "Check how the response was read or computed."
    ),
    perfect_fit = fail_perfect(data, response, fail),
    scale = fail(
      "Variances must be numbers that double precision can hold (1e-308 to 1e308).",
      if (data$term == 0) paste0("The residual variance of `", response, "` is out of that range.")
      else paste0("That of `", design$terms[[data$term]]$effects[data$column], "` in `", design$terms[[data$term]]$text,
                  "` is out of that range."),
      hint = "Measure the variable in another unit, for example divide it by a power of ten."
    ),
    no_residual_df = fail(
      "There must be more observations than fixed effects.",
      paste0("There are ", counted(data$n, "observation"), " and ", counted(data$rank, "fixed effect"), "."),
      hint = "Remove terms from the fixed part, or check that no identifier is a fixed factor."
    ),
    unidentified = fail_unidentified(data, design, frame, call),
    tied_times = fail_tied(data, design, frame, fail),
    residual_scale = if (data$column == 0) fail_correlation(data, design, fail)
    else fail_dispersion(data, design, frame, fail),
    rank_random = fail(
      "The columns of a random term must be linearly independent.", rank_text(data, design),
      hint = "Remove that column from the random term."
    ),
    too_large = fail(
      "The fit must fit in memory.",
      paste0("It needs ", gigabytes(data$bytes), " where ", gigabytes(data$limit), " are allowed."),
      hint = "Remove a crossed grouping factor of many levels, or raise `lmm_control(memory = )`."
    ),
    fail(
      "The engine must return a fit.", paste0("It said: ", failure$message),
      hint = "This is a fault of the package: please report it with the data and the call."
    )
  )
}

# After Ctrl-C: how much of `noun` is done, for what keeps it.
warn_interrupted <- function(done, total, noun, hint, call) {
  warn_ferrite("interrupted", paste0("All ", noun, "s should be finished."),
    sprintf("The work was interrupted after %s of %s.", big_number(done), counted(total, noun)),
    hint = hint, call = call, data = list(done = done, total = total)
  )
}

# Ctrl-C in the engine is Ctrl-C in R.
raise_interrupt <- function() {
  signalCondition(structure(class = c("interrupt", "condition"), list(message = "", call = NULL)))
  invokeRestart("abort")
}

# sigma is zero to rounding, is lost in the rounding of larger random effects, or tends to zero.
fail_perfect <- function(data, response, fail) {
  made <- paste0("The ", if (identical(data$reason, "fixed")) "fixed effects" else "fixed and random effects")
  ratio <- or_else(data$ratio, 0)
  tends <- identical(data$reason, "vanishes")
  found <- if (tends) {
    paste0("The likelihood does not fall as that of `", response, "` tends to zero: the random effects take all that ",
           "the fixed effects leave.")
  } else if (ratio < 3.2e-7) {
    paste0(made, " reproduce `", response, "` exactly, or to within 3e-7 of its spread.")
  } else {
    paste0(made, " reproduce `", response, "` to within ", format(ratio, digits = 1L), " of its spread, where ",
           "rounding hides the maximum of the likelihood.")
  }
  fail(
    "The residual variance must be greater than zero.", found,
    hint = if (tends) "Remove or simplify the term that has an effect for each row of a level."
    else "Check whether the response was computed from the other variables, or remove the term that determines it."
  )
}

nonfinite_text <- function(data, design, frame) {
  column <- data$column
  term <- if (isTRUE(data$term > 0)) design$terms[[data$term]]
  values <- switch(
    data$kind,
    response = design$y, weights = design$weights, offset = design$offset,
    fixed = block_column(design$x, column),
    if (!is.null(term)) block_column(term$basis, column)
  )
  rows <- if (is.null(values)) data$row else which(!is.finite(values))
  name <- switch(
    data$kind,
    response = names(frame)[1L], weights = "weights", offset = "offset",
    source_of(frame, rows[1L], if (data$kind == "fixed") design$x_names[column] else term$effects[column])
  )
  bad <- if (is.null(values)) "not finite" else describe_nonfinite(values[rows])
  paste0("`", name, "` is ", bad, " in ", row_list(frame, rows), ".")
}

describe_nonfinite <- function(values) {
  if (all(is.nan(values))) "NaN" else if (anyNA(values)) "not finite" else "infinite"
}

# The variable of the frame that makes a column nonfinite in a row; the column's own name when none does.
source_of <- function(frame, row, column) {
  bad <- vapply(frame[-1L], function(v) is.numeric(v) && !all(is.finite(as.matrix(v)[row, ])), NA)
  c(names(frame)[-1L][bad], column, "a random term")[1L]
}

constant_text <- function(response, design) {
  value <- format(design$y[1L], digits = 15)
  if (length(unique(design$y)) == 1L) {
    return(paste0("All ", length(design$y), " values of `", response, "` are ", value, "."))
  }
  paste0("`", response, "`", if (!is.null(design$offset)) " less the offset", " does not vary beyond rounding.")
}

rank_text <- function(data, design) {
  term <- design$terms[[data$term]]
  column <- if (length(data$column)) term$effects[data$column] else term$effects[1L]
  paste0("In `", term$text, "` the column `", column, "` is zero or can be made from the other columns.")
}
