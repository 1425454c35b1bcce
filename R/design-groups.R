# Grouping factors: integer codes and levels of one variable, or of several crossed.
#
# Reads   the model frame. Codes come from values and from integer codes, never from pasted labels.
# Writes  list(name, levels, n_levels, variables, expressions, parents, parent_levels, codes); every level occurs.
#         `variables` are names of columns of the frame, `expressions` the same as language: names are never parsed.
# Used by design-columns.R, for the fit and for finding the levels of other rows again.

# The distinct grouping factors of the random terms; each variable is coded once.
grouping_factors <- function(terms, frame, call) {
  variables <- unique(unlist(lapply(terms, `[[`, "variables")))
  coded <- lapply(variables, function(name) {
    x <- .subset2(frame, name)
    # The frame of a fit has no unused levels.
    one <- if (is.factor(x)) list(codes = as.integer(x), levels = factor_labels(x)) else code_variable(x, name, call)
    check_text(one$levels, "data", paste0("The levels of `", name, "`"), call)
    one
  })
  names(coded) <- variables
  lapply(terms, function(term) {
    factor <- if (length(term$variables) == 1L) single_factor(term, coded) else crossed_factor(term, coded)
    check_levels(factor, call)
    factor
  })
}

single_factor <- function(term, coded) {
  one <- coded[[term$variables]]
  list(
    name = term$group, levels = one$levels, n_levels = length(one$levels), variables = term$variables,
    expressions = term$expressions, parents = NULL, parent_levels = `names<-`(list(one$levels), term$variables),
    codes = one$codes
  )
}

# `b:a`: the combinations that occur, first variable slowest.
crossed_factor <- function(term, coded) {
  parts <- coded[term$variables]
  crossed <- cross_codes(lapply(parts, `[[`, "codes"), lengths(lapply(parts, `[[`, "levels")))
  labels <- Map(function(part, j) part$levels[crossed$parents[, j]], parts, seq_along(parts))
  list(
    name = term$group, levels = unique_labels(do.call(paste, c(unname(labels), sep = ":"))),
    n_levels = nrow(crossed$parents), variables = term$variables, expressions = term$expressions,
    parents = crossed$parents,
    parent_levels = lapply(parts, `[[`, "levels"), codes = crossed$codes
  )
}

# Several coded variables crossed in the rows `whole`: list(codes, parts), parts being the labels of each for every
# combination.
cross_coded <- function(coded, whole) {
  crossed <- cross_codes(lapply(coded, function(one) one$codes[whole]), lengths(lapply(coded, `[[`, "levels")))
  parts <- Map(function(one, j) one$levels[crossed$parents[, j]], unname(coded), seq_along(coded))
  list(codes = crossed$codes, parts = parts)
}

# One variable -> list(codes, levels) without unused levels. Levels are in the order of factor().
code_variable <- function(x, name, call) {
  if (is.factor(x)) return(code_factor(x))
  if (!groupable(x)) {
    abort_ferrite(
      "groups", "A grouping variable must be a factor, or a vector that makes one.",
      paste0("`", name, "` is ", a_kind(x), "."), hint = paste0("Use `factor(", name, ")` on a vector of labels."),
      call = call, data = list(variable = name)
    )
  }
  if (!is.null(dim(x))) x <- as.vector(x)
  whole <- if (!is.object(x)) code_whole(x)
  if (!is.null(whole)) return(whole)
  values <- sort(unique(x))
  list(codes = match(unclass(x), unclass(values)), levels = value_labels(values))
}

# Whole numbers that are close together are counted, which is quicker than hashing; NULL where that does not apply.
code_whole <- function(x) {
  if (!is.numeric(x) || !length(x)) return(NULL)
  ends <- range(x)
  span <- ends[2L] - as.double(ends[1L]) + 1
  if (is.na(span) || span > 2 * length(x) + 100 || max(abs(ends)) > 1e9) return(NULL)
  place <- as.integer(x) - as.integer(ends[1L]) + 1L
  if (is.double(x) && any(place + (ends[1L] - 1) != x)) return(NULL)
  used <- tabulate(place, span) > 0L
  values <- which(used) + (as.integer(ends[1L]) - 1L)
  list(
    codes = if (all(used)) place else cumsum(used)[place],
    levels = value_labels(if (is.double(x)) as.double(values) else values)
  )
}

groupable <- function(x) {
  (is.character(x) || is.logical(x) || is.numeric(x) || inherits(x, c("Date", "POSIXct", "difftime"))) && NCOL(x) == 1L
}

code_factor <- function(x) {
  codes <- as.integer(x)
  labels <- factor_labels(x)
  used <- tabulate(codes, length(labels)) > 0L
  if (all(used)) return(list(codes = codes, levels = labels))
  list(codes = cumsum(used)[codes], levels = labels[used])
}

factor_labels <- function(x) {
  labels <- levels(x)
  labels[is.na(labels)] <- "<NA>"
  unique_labels(labels)
}

# Different values never share a label.
value_labels <- function(values) {
  labels <- number_labels(values)
  if (anyDuplicated(labels) && is.double(values)) labels <- exact_labels(values)
  unique_labels(labels)
}

# as.character() with a decimal point, whatever options("OutDec") says: a label stays the same in every session.
number_labels <- function(values) {
  if (!is.double(values) || identical(getOption("OutDec"), ".")) return(as.character(values))
  old <- options(OutDec = ".")
  on.exit(options(old))
  as.character(values)
}

# The numbers that labels are, also those that a factor got under another options("OutDec"); NA for other labels.
read_numbers <- function(labels) {
  suppressWarnings(as.numeric(sub(getOption("OutDec"), ".", labels, fixed = TRUE)))
}

exact_labels <- function(values) sprintf("%.17g", as.double(values))

unique_labels <- function(labels) if (anyDuplicated(labels)) make.unique(labels, sep = "_") else labels

check_levels <- function(factor, call) {
  if (factor$n_levels < 2L) {
    abort_ferrite(
      "groups", "A grouping factor must have at least 2 levels.",
      paste0("`", factor$name, "` has ", factor$n_levels, ": \"", factor$levels, "\"."),
      hint = "Remove its random term, or check the column.",
      call = call, data = list(factor = factor$name, n_levels = factor$n_levels)
    )
  }
  if (factor$n_levels < 3L) {
    inform_ferrite(
      "levels", "A variance among levels should be estimated from more than a few of them.",
      paste0("Grouping factor `", factor$name, "` has ", factor$n_levels,
             " levels, so its variance is very uncertain."),
      hint = "Consider the factor as a fixed effect.",
      call = call, data = list(factor = factor$name, n_levels = factor$n_levels)
    )
  }
}

# Levels found again ----------------------------------------------------------------------------------------------

# Codes of a stored grouping factor over a frame (that of the fit, or of new data); NA where the level is new.
codes_in <- function(factor, frame) {
  codes <- Map(match_levels, frame[factor$variables], factor$parent_levels)
  if (length(codes) == 1L) return(codes[[1L]])
  own <- codes[[1L]]
  stored <- factor$parents[, 1L]
  for (j in seq_along(codes)[-1L]) {
    n <- as.double(length(factor$parent_levels[[j]]))
    keys <- (stored - 1) * n + factor$parents[, j]
    known <- unique(keys)
    own <- match((own - 1) * n + codes[[j]], known)
    stored <- match(keys, known)
  }
  match(own, stored)
}

match_levels <- function(x, levels) {
  if (is.factor(x)) return(match(factor_labels(x), levels)[as.integer(x)])
  if (!is.null(dim(x))) x <- as.vector(x)
  if (is.character(x) || is.logical(x)) return(match(as.character(x), levels))
  values <- unique(x)
  at <- match(number_labels(values), levels)
  if (anyNA(at) && is.double(x)) at <- ifelse(is.na(at), match(exact_labels(values), levels), at)
  at[is.na(values)] <- NA
  at[match(unclass(x), unclass(values))]
}
