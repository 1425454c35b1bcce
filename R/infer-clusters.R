# Clusters: sets of rows such that a fit has no correlation between rows of different sets.
#
# Reads   a fit, its design, and what the user gave as `cluster`.
# Writes  list(name, codes (of the rows), n, labels (`NULL` for connected sets)); working_model(): what their covariance
#         matrices are taken from; whitened_clusters(): L, X and residuals of each.
# Raises  `ferrite_error_cluster`.
# Used by infer-robust.R, infer-resample.R, interop-generics.R.

#' @param cluster `NULL`, a name, a one-sided formula, or a value for each row.
#' @noRd
find_clusters <- function(fit, cluster, design, call) {
  links <- cluster_links(fit, design)
  found <- if (is.null(cluster)) default_clusters(links, call) else given_clusters(fit, cluster, links, call)
  if (found$n < 2L) {
    fail_cluster("There must be at least 2 clusters.",
      paste0(found$name, " makes one cluster of all ", counted(fit$nobs, "row"), "."),
      "Leave `cluster` out, or give a variable with more values.", call
    )
  }
  found
}

fail_cluster <- function(problem, found, hint, call, data = list()) {
  abort_ferrite("cluster", problem, found, hint = hint, call = call, data = data)
}

# What ties rows together: grouping factors, and series of correlated residuals.
cluster_links <- function(fit, design) {
  links <- lapply(design$factors, function(factor) factor[c("name", "codes", "n_levels", "levels")])
  serial <- design$residual$correlation
  if (is.null(serial)) return(links)
  series <- fit$residual$correlation$series
  own <- list(
    name = or_else(series$name, series_without_name), codes = serial$codes, n_levels = serial$n_levels,
    levels = or_else(series$levels, "1")
  )
  if (any(vapply(links, function(link) identical(link$name, own$name), NA))) links else c(links, list(own))
}

series_without_name <- "the series of residuals"

# The level of `outer` in which each level of `inner` lies; `NULL` if one lies in several.
parent_codes <- function(inner, outer) {
  up <- integer(inner$n_levels)
  up[inner$codes] <- outer$codes
  if (all(up[inner$codes] == outer$codes)) up
}

default_clusters <- function(links, call) {
  sizes <- vapply(links, function(link) as.integer(link$n_levels), 0L)
  outer <- links[[which.min(sizes)]]
  nested <- vapply(links, function(link) !is.null(parent_codes(link, outer)), NA)
  if (all(nested)) {
    if (outer$n_levels < 2L) one_cluster(links, call)
    return(list(name = outer$name, codes = outer$codes, n = outer$n_levels, labels = outer$levels))
  }
  codes <- connected_sets(lapply(links, `[[`, "codes"))
  if (max(codes) < 2L) one_cluster(links, call)
  names <- vapply(links, `[[`, "", "name")
  list(name = paste("connected sets of", plain_list(names)), codes = codes, n = max(codes), labels = NULL)
}

one_cluster <- function(links, call) {
  names <- quoted_list(vapply(links, `[[`, "", "name"))
  fail_cluster("Rows of different clusters must share no level of any grouping factor and no series.",
    if (length(links) > 1L) paste0("The levels of ", names, " are all connected by shared rows: there is one cluster.")
    else paste0("All rows are in one series."),
    no_clusters_hint, call, list(factors = vapply(links, `[[`, "", "name"))
  )
}

no_clusters_hint <- paste(
  "No variable can split them. Without clusters there are `summary(fit, ddf = \"Kenward-Roger\")` and, for other",
  "distributions than the normal, `bootstrap(fit, type = \"residual\")`."
)

#' Connected sets of rows
#'
#' @param codes List of codes; rows with the same code in any of them are connected.
#' @returns Numbers of the sets, in the order of their first rows.
#' @noRd
connected_sets <- function(codes) {
  set <- codes[[1L]]
  sizes <- vapply(codes, max, 0L)
  repeat {
    lowest <- set
    for (k in seq_along(codes)) lowest <- smallest_by(lowest, codes[[k]], sizes[k])[codes[[k]]]
    if (identical(lowest, set)) break
    # a set takes the number of the set that it was joined to, and that one's in turn
    joined <- smallest_by(lowest, set, sizes[1L])
    repeat {
      further <- joined[joined]
      if (identical(further, joined)) break
      joined <- further
    }
    set <- joined[lowest]
  }
  match(set, unique(set))
}

# The smallest value at each code; codes without rows keep their own number.
smallest_by <- function(values, codes, n) {
  out <- seq_len(n)
  order <- order(values, decreasing = TRUE, method = "radix")
  out[codes[order]] <- values[order]
  out
}

# The user's clusters ------------------------------------------------------------------------------------------------

given_clusters <- function(fit, cluster, links, call) {
  found <- cluster_values(fit, cluster, call)
  if (anyNA(found$codes)) {
    missing <- which(is.na(found$codes))
    fail_cluster("Every row of the fit must be in a cluster.",
      paste0(found$name, " is missing in ", row_list(fit$frame, missing), "."),
      "Give a variable without missing values.", call
    )
  }
  for (link in links) {
    if (is.null(parent_codes(link, found))) split_level(link, found, links, call)
  }
  found
}

split_level <- function(link, found, links, call) {
  first <- match(seq_len(link$n_levels), link$codes)
  row <- which(found$codes[first][link$codes] != found$codes)[1L]
  level <- link$codes[row]
  inside <- unique(found$labels[found$codes[link$codes == level]])
  sets <- max(connected_sets(lapply(links, `[[`, "codes")))
  fail_cluster("Each level of every grouping factor must lie in one cluster.",
    sprintf("Level \"%s\" of `%s` has rows in the clusters %s.", link$levels[level], link$name, plain_list(inside, 3L)),
    if (sets > 1L) "Leave `cluster` out: the smallest clusters that hold whole levels are used."
    else no_clusters_hint,
    call, list(factor = link$name, level = link$levels[level])
  )
}

# list(name, codes, n, labels) of a formula, a name or a vector; codes may be missing.
cluster_values <- function(fit, cluster, call) {
  if (inherits(cluster, "formula")) return(formula_clusters(fit, cluster, call))
  if (is_text(cluster) && nzchar(cluster)) {
    return(text_clusters(fit, cluster, call))
  }
  values <- cluster
  padded <- fit$nobs + length(fit$na.action)
  good <- is.atomic(values) && is.null(dim(values)) && length(values) %in% c(fit$nobs, padded) && !is.null(values)
  if (!good) {
    fail_cluster("`cluster` must be a variable: `~ g`, its name, or a value for each row.",
      if (is.atomic(values) && is.null(dim(values)))
        paste0("It has ", counted(length(values), "value"), "; the fit has ", counted(fit$nobs, "row"), ".")
      else paste0("It is ", a_kind(values), "."),
      "Leave `cluster` out for the outermost grouping factor.", call
    )
  }
  if (length(values) > fit$nobs) values <- values[-fit$na.action]
  coded_clusters(list(values), "`cluster`", call)
}

# A name, or several joined by `:`.
text_clusters <- function(fit, text, call) {
  names <- if (text %in% names(fit$frame)) text else strsplit(text, ":", fixed = TRUE)[[1L]]
  named_clusters(fit, names, environment(fit$formula), call)
}

formula_clusters <- function(fit, cluster, call) {
  names <- if (length(cluster) == 2L) interaction_names(cluster[[2L]])
  if (is.null(names)) {
    fail_cluster("`cluster` must name one variable, or several joined by `:`.",
      paste0("It is `", code_text(cluster), "`."), "Write, for example, `cluster = ~ school`.", call
    )
  }
  named_clusters(fit, names, environment(cluster), call)
}

# a:b -> c("a", "b"); `NULL` for anything else.
interaction_names <- function(expression) {
  if (is.symbol(expression)) return(as.character(expression))
  if (!is.call(expression) || !identical(expression[[1L]], quote(`:`))) return(NULL)
  left <- interaction_names(expression[[2L]])
  right <- interaction_names(expression[[3L]])
  if (length(left) && length(right)) c(left, right)
}

named_clusters <- function(fit, names, env, call) {
  values <- lapply(names, cluster_variable, fit = fit, env = env, call = call)
  coded_clusters(values, paste(names, collapse = ":"), call)
}

coded_clusters <- function(values, name, call) {
  coded <- lapply(values, code_variable, name = name, call = call)
  if (length(coded) == 1L) {
    one <- coded[[1L]]
    return(list(name = name, codes = one$codes, n = length(one$levels), labels = one$levels))
  }
  codes <- lapply(coded, `[[`, "codes")
  whole <- !Reduce(`|`, lapply(codes, is.na))
  crossed <- cross_coded(coded, whole)
  list(
    name = name, codes = replace(rep(NA_integer_, length(whole)), whole, crossed$codes),
    n = length(crossed$parts[[1L]]), labels = do.call(paste, c(crossed$parts, sep = ":"))
  )
}

# A variable at the rows of the fit: of the model, of its data, or of the session.
cluster_variable <- function(name, fit, env, call) {
  if (name %in% names(fit$frame)) return(fit$frame[[name]])
  data <- tryCatch(eval(fit$call$data, environment(fit$formula)), error = function(e) NULL)
  if (is.data.frame(data) && name %in% names(data)) {
    at <- match(rownames(fit$frame), rownames(data))
    if (!anyNA(at)) return(data[[name]][at])
  }
  value <- get0(name, env, mode = "any", inherits = TRUE)
  padded <- fit$nobs + length(fit$na.action)
  if (is.atomic(value) && !is.null(value) && length(value) %in% c(fit$nobs, padded)) {
    return(if (length(value) > fit$nobs) value[-fit$na.action] else value)
  }
  known <- unique(c(names(fit$frame)[vapply(fit$frame, function(v) is.null(dim(v)), NA)], names(data)))
  fail_cluster("`cluster` must be a variable of the model or of its data.",
    paste0("There is no `", name, "` with a value for each row."),
    c(name_hint(name, setdiff(known, c("(weights)", "(offset)")), "Variables"), "Or give its values.")[1L], call
  )
}

# Their covariance matrices --------------------------------------------------------------------------------------------

# Columns over the rows, sorted by cluster; covariances relative to sigma^2.
working_model <- function(fit, design, clusters) {
  n <- fit$nobs
  order <- order(clusters$codes, method = "radix")
  sorted <- function(m) m[order, , drop = FALSE]
  terms <- lapply(seq_along(fit$random), function(k) {
    factor <- design$factors[[design$terms[[k]]$factor]]
    basis <- sorted(dense_blocks(design$terms[[k]]$basis, n))
    covariance <- unname(fit$random[[k]]$varcov) / fit$sigma^2
    # a cluster has one level of a factor that has as many levels as there are clusters
    list(basis = basis, spread = basis %*% covariance, covariance = covariance,
         codes = if (factor$n_levels != clusters$n) factor$codes[order])
  })
  serial <- residual_blocks(fit)
  if (!is.null(serial)) serial[c("codes", "time")] <- list(serial$codes[order], serial$time[order])
  list(
    x = sorted(dense_blocks(design$x, n)[, fit$kept, drop = FALSE]), e = (design$y - fixed_part(fit, design))[order],
    deviation = residual_sd(fit)[order], terms = terms, serial = serial,
    ends = cumsum(tabulate(clusters$codes, clusters$n))
  )
}

#' All clusters after division by their factors
#'
#' A cluster of many rows is turned into the space of its columns first.
#' @param keep Whether the factors are wanted.
#' @returns List of list(root: L or `NULL`; x, e: both after L'^-1).
#' @noRd
whitened_clusters <- function(working, keep, limit, call) {
  ends <- working$ends
  begins <- c(0L, ends[-length(ends)]) + 1L
  kept <- 0
  out <- vector("list", length(ends))
  for (j in seq_along(ends)) {
    rows <- begins[j]:ends[j]
    part <- if (length(rows) > 40L && is.null(working$serial)) reduced_cluster(rows, working)
    size <- if (is.null(part)) length(rows) else nrow(part$v)
    # besides the factors that are kept, a few matrices as large as this one
    if (8 * (kept + 6 * size^2) > limit) clusters_too_large(size, kept + 6 * size^2, limit, call)
    kept <- kept + keep * size^2
    if (is.null(part)) part <- whole_cluster(rows, working)
    root <- chol(part$v)
    white <- backsolve(root, cbind(part$x, part$e), transpose = TRUE)
    last <- ncol(white)
    out[[j]] <- list(root = if (keep) root, x = white[, -last, drop = FALSE], e = white[, last])
  }
  out
}

clusters_too_large <- function(size, numbers, limit, call) {
  abort_ferrite("too_large", "The covariance matrices of the clusters must fit in memory.",
    sprintf("With a cluster of %s they need %s or more where %s are allowed.", counted(size, "row"),
      bytes_text(8 * numbers), bytes_text(limit)),
    hint = "Use the model's covariance matrix, smaller clusters, or raise `lmm_control(memory = )`.", call = call,
    data = list(bytes = 8 * numbers, limit = limit)
  )
}

whole_cluster <- function(rows, working) {
  n <- length(rows)
  v <- matrix(0, n, n)
  deviation <- working$deviation[rows]
  if (is.null(working$serial)) {
    v[seq.int(1L, n * n, n + 1L)] <- deviation^2
  } else {
    codes <- working$serial$codes[rows]
    v <- outer(codes, codes, `==`) * working$serial$correlation(working$serial$time[rows]) * tcrossprod(deviation)
  }
  for (term in working$terms) {
    own <- tcrossprod(term$spread[rows, , drop = FALSE], term$basis[rows, , drop = FALSE])
    if (!is.null(term$codes)) {
      codes <- term$codes[rows]
      own <- own * outer(codes, codes, `==`)
    }
    v <- v + own
  }
  list(v = v, x = working$x[rows, , drop = FALSE], e = working$e[rows])
}

# Where rows have the same residual variance, X, Z and V act in the span of the columns of X and Z alone: outside of it
# the adjustment is the identity and X is zero. `NULL` if that span is not small.
reduced_cluster <- function(rows, working) {
  deviation <- working$deviation[rows]
  strata <- match(deviation, unique(deviation))
  levels <- lapply(working$terms, function(term) {
    if (is.null(term$codes)) rep.int(1L, length(rows)) else match(term$codes[rows], unique(term$codes[rows]))
  })
  widths <- vapply(working$terms, function(term) ncol(term$basis), 0L) * vapply(levels, max, 0L)
  x <- working$x[rows, , drop = FALSE]
  if (2 * max(strata) * (ncol(x) + sum(widths)) > length(rows)) return(NULL)
  z <- Map(function(term, level, width) {
    basis <- term$basis[rows, , drop = FALSE]
    q <- ncol(basis)
    wide <- matrix(0, length(rows), width)
    for (i in seq_len(q)) wide[cbind(seq_along(rows), (level - 1L) * q + i)] <- basis[, i]
    wide
  }, working$terms, levels, widths)
  columns <- cbind(x, do.call(cbind, z))
  pieces <- lapply(seq_len(max(strata)), function(s) {
    own <- which(strata == s)
    decomposition <- qr(columns[own, , drop = FALSE], LAPACK = TRUE)
    size <- min(length(own), ncol(columns))
    turned <- qr.R(decomposition)
    turned[, decomposition$pivot] <- turned
    list(
      columns = turned, e = qr.qty(decomposition, working$e[rows][own])[seq_len(size)],
      variance = rep(deviation[own[1L]]^2, size)
    )
  })
  columns <- do.call(rbind, lapply(pieces, `[[`, "columns"))
  v <- diag(unlist(lapply(pieces, `[[`, "variance")), nrow(columns))
  at <- ncol(x)
  for (k in seq_along(z)) {
    own <- columns[, at + seq_len(widths[k]), drop = FALSE]
    covariance <- working$terms[[k]]$covariance
    v <- v + own %*% kronecker(diag(widths[k] / ncol(covariance)), covariance) %*% t(own)
    at <- at + widths[k]
  }
  list(v = v, x = columns[, seq_len(ncol(x)), drop = FALSE], e = unlist(lapply(pieces, `[[`, "e")))
}
