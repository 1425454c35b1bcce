# The cases bootstrap (whole groups of rows drawn with replacement; what is drawn twice is two groups) and the residual
# bootstrap (responses made of resampled random effects and residuals of a fit).
#
# Reads   a fit; for cases its clusters (infer-clusters.R), for residuals its conditional modes and residuals.
# Writes  what bootstrap_engine() does: index, theta, beta, sigma, phi, criterion, certified of the refits.
# Used by infer-bootstrap.R, infer-bootstrap-limits.R.

# Cases ----------------------------------------------------------------------------------------------------------------
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

# Residuals ------------------------------------------------------------------------------------------------------------
#
# Carpenter, Goldstein and Rasbash (2003), section 3.2: conditional modes and residuals vary less than what they
# predict, so they are centred and turned to have exactly the estimated covariance matrix before they are drawn.

#' @returns As `bootstrap_engine()`, with `stopped`.
#' @noRd
residual_bootstrap <- function(fit, nsim, threads, progress, call) {
  fit$control$threads <- threads
  pool <- residual_pool(fit, call)
  n <- fit$nobs
  # as many responses at once as fill 32 MB, and at least twenty rounds for the progress bar
  size <- max(1, min(floor(4e6 / n), ceiling(nsim / 20)))
  meter <- progress_meter(progress)
  on.exit(meter$close())
  rounds <- list()
  done <- 0
  interrupted <- FALSE
  tryCatch(
    while (done < nsim && !interrupted) {
      wanted <- min(size, nsim - done)
      responses <- draw_residual(fit, pool, wanted)
      refits <- refit_engine(fit, responses, call = call)
      interrupted <- refits$stopped > 0
      refits$index <- as.integer(done + refits$index)
      rounds <- c(rounds, list(refits))
      done <- done + wanted
      if (!is.null(meter$report)) meter$report(done, nsim)
    },
    interrupt = function(condition) interrupted <<- TRUE
  )
  if (!length(rounds)) raise_interrupt()
  out <- join_rounds(rounds)
  out$failed <- sum(out$failed)
  out$stopped <- sum(out$stopped) + nsim - done
  out
}

join_rounds <- function(rounds) {
  fields <- names(rounds[[1L]])
  stats::setNames(lapply(fields, function(field) {
    parts <- lapply(rounds, `[[`, field)
    if (is.matrix(parts[[1L]])) do.call(rbind, parts) else unlist(parts)
  }), fields)
}

# What is drawn from: `mean`, `effects` (for each grouping factor: codes, columns of the rows, modes: levels x columns),
# `noise` with mean 0 and variance 1, `deviation` of the residuals, `blocks` of correlated ones.
residual_pool <- function(fit, call) {
  design <- design_of(fit)
  mean <- fixed_part(fit, design)
  deviation <- fit$sigma * residual_sd(fit)
  blocks <- residual_blocks(fit)
  noise <- whiten_rows(fit, (design$y - mean - random_part(fit, design)) / deviation, blocks)
  noise <- noise - mean(noise)
  owner <- vapply(design$terms, `[[`, 0L, "factor")
  effects <- lapply(unique(owner), function(k) {
    own <- which(owner == k)
    list(
      codes = design$factors[[k]]$codes,
      columns = dense_blocks(unlist(lapply(design$terms[own], `[[`, "basis"), recursive = FALSE), fit$nobs),
      modes = reflated_modes(fit$random[own], design$factors[[k]]$name, call)
    )
  })
  list(mean = mean, effects = effects, noise = noise / sqrt(mean(noise^2)), deviation = deviation, blocks = blocks)
}

#' Conditional modes with the estimated covariance matrix
#'
#' S = F F' is the covariance matrix of the centred modes (divisor: the number of levels), Var(b) = H H'; the modes are
#' multiplied by (H F^-1)'. Both factors are lower triangular, so that neither the unit of a covariate nor its origin
#' matters. An effect without variance of its own has a zero column in both.
#' @param terms Random terms of one factor: their effects are drawn together, and are uncorrelated between terms.
#' @noRd
reflated_modes <- function(terms, name, call) {
  modes <- do.call(cbind, lapply(terms, `[[`, "b"))
  modes <- modes - rep(colMeans(modes), each = nrow(modes))
  target <- matrix(0, ncol(modes), ncol(modes))
  at <- 0L
  for (term in terms) {
    own <- at + seq_along(term$effects)
    target[own, own] <- term$varcov
    at <- at + length(own)
  }
  wanted <- semidefinite_root(target)
  found <- semidefinite_root(crossprod(modes) / nrow(modes))
  free <- which(diag(wanted) > 0 & diag(found) > 0)
  # an effect that is all but determined by the earlier ones may stay so
  if (any(diag(found) == 0 & diag(wanted)^2 > 1e-6 * diag(target))) {
    abort_ferrite("bootstrap", "Modes of random effects that are drawn must vary as their covariance matrix does.",
      sprintf("`%s` has %s for %s.", name, counted(nrow(modes), "level"), counted(ncol(modes), "effect")),
      hint = "Use `type = \"parametric\"`, or a simpler random part.", call = call, data = list(factor = name)
    )
  }
  out <- matrix(0, nrow(modes), ncol(modes))
  if (length(free)) {
    inverse <- backsolve(found[free, free, drop = FALSE], diag(length(free)), upper.tri = FALSE)
    out <- modes[, free, drop = FALSE] %*% t(wanted[, free, drop = FALSE] %*% inverse)
  }
  out
}

# Lower triangular F with F F' = S; a column of zeros where an effect has no variance beside the earlier ones.
semidefinite_root <- function(s, tolerance = 1e-10) {
  q <- ncol(s)
  root <- matrix(0, q, q)
  for (i in seq_len(q)) {
    left <- s[i:q, i] - drop(root[i:q, seq_len(i - 1L), drop = FALSE] %*% root[i, seq_len(i - 1L)])
    if (left[1L] > tolerance * s[i, i] && left[1L] > 0) root[i:q, i] <- left / sqrt(left[1L])
  }
  root
}

# n x `count` responses.
draw_residual <- function(fit, pool, count) {
  n <- length(pool$mean)
  values <- matrix(pool$mean, n, count)
  for (effect in pool$effects) {
    levels <- nrow(effect$modes)
    drawn <- matrix(sample.int(levels, levels * count, TRUE), levels)[effect$codes, , drop = FALSE]
    for (k in seq_len(ncol(effect$modes))) values <- values + effect$columns[, k] * effect$modes[drawn, k]
  }
  noise <- matrix(pool$noise[sample.int(n, n * count, TRUE)], n)
  values + pool$deviation * colour_rows(fit, noise, pool$blocks)
}
