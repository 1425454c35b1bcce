# The cases bootstrap: whole groups of rows drawn with replacement; what is drawn twice is two groups.
#
# Reads   a fit, its clusters (clusters.R).
# Writes  what bootstrap_engine() does: index, theta, beta, sigma, phi, criterion, certified of the refits.
# Used by bootstrap.R, boot-interval.R.
#
# `units` are the levels at which there can be drawing, outermost first: clusters, grouping factors nested in each
# other, rows. Each has `codes` of the rows and `n_levels`; its levels are children of those of the unit above: in
# `order`, `count` of them after the `first`.

#' What is drawn, checked
#'
#' @param resample `NULL`, or `TRUE` and `FALSE` for each of the units.
#' @returns list(units, links, resample, design, series (the number of their link)).
#' @noRd
case_scheme <- function(fit, resample, cluster, call) {
  design <- design_of(fit)
  clusters <- find_clusters(fit, cluster, design, call)
  links <- cluster_links(fit, design)
  units <- case_units(clusters, links, fit$nobs, length(design$factors))
  links <- lapply(links, function(link) {
    # the innermost unit in which its levels lie whole
    link$within <- max(which(vapply(units[-length(units)], function(unit) !is.null(parent_codes(link, unit)), NA)))
    link$same <- links_agree(link, units[[link$within]])
    link
  })
  names <- vapply(units, `[[`, "", "name")
  chosen <- check_resample(resample, names, call)
  if (chosen[length(chosen)] && !is.null(fit$residual$correlation)) {
    bad_resample("Rows are `TRUE`, and residuals are correlated in time.", names,
      "Draw whole series: leave `resample` out.", call
    )
  }
  series <- or_else(fit$residual$correlation$series$name, series_without_name)
  list(
    units = units, links = links, resample = stats::setNames(chosen, names), design = design,
    series = match(series, vapply(links, `[[`, "", "name"))
  )
}

case_units <- function(clusters, links, n, factors) {
  outer <- list(name = clusters$name, codes = clusters$codes, n_levels = clusters$n)
  inner <- links[seq_len(factors)]
  inner <- inner[order(vapply(inner, `[[`, 0L, "n_levels"))]
  inner <- Filter(function(link) link$n_levels > outer$n_levels, inner)
  chain <- c(list(outer), inner)
  nested <- vapply(seq_along(inner), function(k) !is.null(parent_codes(chain[[k + 1L]], chain[[k]])), NA)
  if (!all(nested)) chain <- list(outer)
  chain <- c(chain, list(list(name = "rows", codes = seq_len(n), n_levels = n)))
  above <- list(codes = rep.int(1L, n), n_levels = 1L)
  for (k in seq_along(chain)) {
    parent <- parent_codes(chain[[k]], above)
    count <- tabulate(parent, above$n_levels)
    chain[[k]][c("order", "count", "first")] <- list(
      order(parent, method = "radix"), count, cumsum(count) - count
    )
    above <- chain[[k]]
  }
  chain
}

links_agree <- function(link, unit) link$n_levels == unit$n_levels && !is.null(parent_codes(unit, link))

check_resample <- function(resample, names, call) {
  if (is.null(resample)) return(seq_along(names) == 1L)
  if (!is.logical(resample) || anyNA(resample)) {
    bad_resample(paste0("It is ", a_kind(resample), "."), names, NULL, call)
  }
  given <- names(resample)
  if (!is.null(given)) {
    unknown <- setdiff(given, names)
    if (length(unknown)) bad_resample(paste0("There is no ", quoted_list(unknown), "."), names, NULL, call)
    twice <- given[duplicated(given)]
    if (length(twice)) bad_resample(paste0(quoted_list(twice), " stands twice."), names, NULL, call)
    resample <- unname(resample[names])
    resample[is.na(resample)] <- FALSE
  }
  if (length(resample) != length(names)) {
    bad_resample(paste0("It has ", counted(length(resample), "element"), "."), names, NULL, call)
  }
  if (!any(resample)) bad_resample("Nothing is `TRUE`: every resample would be the data.", names, NULL, call)
  resample
}

bad_resample <- function(found, names, hint, call) {
  abort_ferrite("argument",
    "`resample` must be `TRUE` or `FALSE` for each level at which there can be drawing, outermost first.", found,
    hint = or_else(hint, paste0("The levels: ", quoted_list(names), ". For example `c(",
      paste0("\"", names, "\" = ", seq_along(names) == 1L, collapse = ", "), ")`.")), call = call,
    data = list(argument = "resample", levels = names)
  )
}

#' One resample
#'
#' @returns list(rows; copies: for each unit the number of the copy that a row is in).
#' @noRd
draw_cases <- function(scheme) {
  drawn <- 1L
  copies <- list()
  for (k in seq_along(scheme$units)) {
    unit <- scheme$units[[k]]
    count <- unit$count[drawn]
    parent <- rep.int(seq_along(drawn), count)
    among <- if (scheme$resample[[k]]) 1 + floor(stats::runif(length(parent)) * count[parent]) else sequence(count)
    copies <- c(lapply(copies, `[`, parent), list(seq_along(parent)))
    drawn <- unit$order[unit$first[drawn][parent] + among]
  }
  list(rows = drawn, copies = copies)
}

# The design of a resample: rows of the columns; codes by copies.
resampled_design <- function(scheme, drawn) {
  design <- scheme$design
  rows <- drawn$rows
  codes <- lapply(scheme$links, function(link) {
    copy <- drawn$copies[[link$within]]
    if (link$same) return(copy)
    key <- (copy - 1) * as.double(link$n_levels) + link$codes[rows]
    match(key, unique(key))
  })
  names(codes) <- vapply(scheme$links, `[[`, "", "name")
  cut <- function(blocks) lapply(blocks, block_rows, rows = rows)
  for (k in seq_along(design$factors)) {
    own <- codes[[k]]
    design$factors[[k]][c("codes", "n_levels")] <- list(own, max(own))
  }
  design$terms <- lapply(design$terms, function(term) {
    term$basis <- cut(term$basis)
    term
  })
  design$y <- design$y[rows]
  design$offset <- design$offset[rows]
  design$weights <- design$weights[rows]
  design$x <- cut(design$x)
  if (length(design$residual$scale)) design$residual$scale <- cut(design$residual$scale)
  if (length(design$residual$strata)) design$residual$strata$codes <- design$residual$strata$codes[rows]
  serial <- design$residual$correlation
  if (!is.null(serial)) {
    own <- codes[[scheme$series]]
    design$residual$correlation[c("codes", "n_levels")] <- list(own, max(own))
    if (serial$form != "cs") {
      time <- or_else(serial$time, row_times(serial$codes, serial$n_levels))
      design$residual$correlation$time <- time[rows]
    }
  }
  design
}

block_rows <- function(block, rows) {
  if (is.matrix(block)) block[rows, , drop = FALSE] else if (length(block) == 1L) block else block[rows]
}

#' @returns As `bootstrap_engine()`, with `failures` (classes of the errors of refits).
#' @noRd
case_bootstrap <- function(fit, scheme, nsim, threads, progress, call) {
  control <- fit$control
  control[c("threads", "progress")] <- list(threads, FALSE)
  start <- unname(fit$theta)
  refits <- vector("list", nsim)
  last <- 0L
  meter <- progress_meter(progress)
  on.exit(meter$close())
  tryCatch(
    for (i in seq_len(nsim)) {
      refits[[i]] <- case_refit(fit, resampled_design(scheme, draw_cases(scheme)), start, control, call)
      last <- i
      if (!is.null(meter$report)) meter$report(i, nsim)
    },
    interrupt = function(condition) NULL
  )
  if (!last) raise_interrupt()
  refits <- refits[seq_len(last)]
  failed <- vapply(refits, is.character, NA)
  good <- refits[!failed]
  pick <- function(field) vapply(good, `[[`, 0, field)
  table <- function(field, names) {
    values <- as.double(unlist(lapply(good, `[[`, field)))
    matrix(values, length(good), length(names), byrow = TRUE, dimnames = list(NULL, names))
  }
  list(
    index = which(!failed), theta = table("theta", names(fit$theta)), beta = table("beta", fit$x_names[fit$kept]),
    phi = table("phi", names(fit$residual$phi)), sigma = pick("sigma"), criterion = pick("criterion"),
    certified = vapply(good, `[[`, NA, "certified"), stopped = nsim - last, failures = as.character(refits[failed])
  )
}

# The estimates of a resample, or the class of what went wrong: other columns than in the fit can be estimated, say.
case_refit <- function(fit, design, start, control, call) {
  raw <- tryCatch(
    fit_design(design, fit$REML, start, control, fit$frame, call),
    ferrite_error = function(e) sub("^ferrite_error_", "", class(e)[1L])
  )
  if (is.character(raw)) return(raw)
  if (!identical(as.integer(raw$kept), as.integer(fit$kept))) return("rank")
  list(
    theta = raw$theta, beta = as.double(raw$beta)[fit$kept], phi = raw$residual$phi, sigma = raw$sigma,
    criterion = raw$criterion, certified = raw$status %in% c("converged", "on_boundary")
  )
}

# Acceleration of BCa intervals: the jackknife over the outermost units that are drawn.
case_accelerations <- function(boot) {
  refits <- deletion_engine(boot$fit, boot$drawn$codes)
  if (!all(refits$status %in% c("ok", "stalled"))) return(rep(NA_real_, length(boot$estimate)))
  refits$index <- seq_along(refits$sigma)
  values <- if (is.null(boot$statistic)) default_replicates(boot$fit, refits)
  else statistic_replicates(boot$fit, refits, boot$statistic, boot$estimate, FALSE, NULL)
  apart <- rep(colMeans(values), each = nrow(values)) - values
  colSums(apart^3) / (6 * colSums(apart^2)^1.5)
}
