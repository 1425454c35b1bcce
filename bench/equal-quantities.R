# What is asked of a fit, and how exactly two builds must agree on it.
#
# A piece is list(kind, value, scale): the difference of two values is divided by their scale, which is that of the
# whole vector (its largest number) unless a piece says otherwise. `exact` values are compared with identical().
#
#   criterion   1e-10 in its own unit up to 1,000, beyond that 1e-13 of its value: a sum of n terms of size one is
#               rounded by its size, and 1e-13 is 450 units in the last place
#   estimate    1e-8: theta, beta (of the larger of value and standard error), sigma, covariances (of the product of
#               the standard deviations), random effects, residual parameters (of the larger of value and one),
#               predictions, refits, deletions, replicates
#   curvature   1e-6: degrees of freedom, tests and second derivatives; differences of nearly equal numbers
#   profile     1e-8 of zeta squared (a difference of criteria; zeta itself is a square root at its zero) and of the
#               parameter; limits 1e-8
#   tests       1e-8: p values by simulation from the same seed
#   count       evaluations: reported, never too far
# Each is multiplied by the `loss` of the case.
#
# How large the differences of rounding are can be seen by equal.R --shuffle: one build with the rows in another order.
# All quantities are then within 0.6 of what is allowed, most within 1e-2.
tolerances <- c(criterion = 1e-10, estimate = 1e-8, curvature = 1e-6, profile = 1e-8, tests = 1e-8, exact = 0,
                count = Inf)

piece <- function(kind, value, scale = NULL) list(kind = kind, value = value, scale = scale)
measure <- function(value, scale) {
  value <- unname(value)
  piece("estimate", value, scale = pmax(abs(value), scale))
}
spread <- function(matrix) sqrt(abs(diag(as.matrix(matrix))))
covariance <- function(matrix) {
  sd <- spread(matrix)
  piece("estimate", unname(as.matrix(matrix)), scale = unname(outer(sd, sd)))
}

# Columns of a table as pieces: numbers of a kind, all else exact.
columns <- function(table, kind, leave = character()) {
  table <- as.data.frame(table)
  table <- table[setdiff(names(table), leave)]
  pieces <- lapply(table, function(column) {
    if (is.double(column)) piece(kind, as.double(column)) else piece("exact", as.vector(column))
  })
  c(pieces, list(rows = piece("exact", row.names(table))))
}

# A function or method of the package, called as a user would; `fit` and `case` are there.
quantities <- list(
  fit = function(fit, case) {
    n <- nrow(fit$vcov)
    found <- list(
      criterion = piece("criterion", fit$criterion, max(1, abs(fit$criterion) / 1000)),
      log_determinants = measure(c(fit$ld_l, fit$ld_rx), 1), pwrss = measure(fit$pwrss, 0),
      theta = measure(fit$theta, max(abs(fit$theta))), sigma = measure(fit$sigma, 0),
      beta = measure(fixef(fit, add.dropped = TRUE), max(sqrt(abs(diag(as.matrix(fit$vcov)))))),
      vcov = covariance(fit$vcov), status = piece("exact", c(fit$convergence$status, fit$convergence$global)),
      counts = piece("exact", as.integer(c(fit$npar, fit$rank, fit$nobs, fit$kept))),
      names = piece("exact", c(names(fixef(fit)), names(fit$theta))),
      evaluations = piece("count", fit$convergence$evaluations), starts = piece("count", fit$convergence$starts)
    )
    for (k in seq_along(fit$random)) found[[paste0("varcov", k)]] <- covariance(fit$random[[k]]$varcov)
    if (!is.null(fit$convergence$hessian)) found$hessian <- {
      size <- sqrt(abs(diag(as.matrix(fit$convergence$hessian))))
      piece("curvature", unname(fit$convergence$hessian), outer(size, size))
    }
    if (!is.null(fit$residual)) {
      found$phi <- measure(fit$residual$phi, 1)
      if (!is.null(fit$residual$rho)) found$rho <- measure(fit$residual$rho, 1)
    }
    found
  },
  inference = function(fit, case) {
    ask <- function(ddf) columns(stats::coef(summary(fit, ddf = ddf)), "curvature")
    found <- list(satterthwaite = try_pieces(ask("Satterthwaite")))
    if (nrow(fit$frame) < 3000) {
      found$kenward_roger <- try_pieces(ask("Kenward-Roger"))
      found$joint <- try_pieces(columns(contest(fit, diag(fit$rank), ddf = "Kenward-Roger"), "curvature"))
    }
    unlist(found, recursive = FALSE)
  },
  anova = function(fit, case) {
    found <- lapply(c(III = "III", I = "I"), function(type) columns(stats::anova(fit, type = type), "curvature"))
    if (nrow(fit$frame) < 1000) {
      found$kenward_roger <- try_pieces(columns(stats::anova(fit, ddf = "Kenward-Roger"), "curvature"))
    }
    unlist(found, recursive = FALSE)
  },
  rows = function(fit, case) {
    effects <- as.data.frame(ranef(fit))
    found <- list(fitted = piece("estimate", unname(stats::fitted(fit))),
                  residuals = piece("estimate", unname(stats::residuals(fit)), max(abs(stats::fitted(fit)))),
                  pearson = piece("estimate", unname(stats::residuals(fit, type = "pearson"))),
                  grp = piece("exact", as.character(effects$grp)))
    for (part in split(effects, list(effects$grpvar, effects$term), drop = TRUE)) {
      label <- paste(part$grpvar[1L], part$term[1L])
      found[[paste("ranef", label)]] <- piece("estimate", part$condval, max(abs(part$condval), abs(part$condsd)))
      found[[paste("condsd", label)]] <- piece("estimate", part$condsd)
    }
    if (nrow(fit$frame) < 1000) {
      found$hat <- try_piece(piece("estimate", unname(stats::hatvalues(fit))))
      found$rstandard <- try_piece(piece("estimate", unname(stats::rstandard(fit))))
    }
    found
  },
  predict = function(fit, case) {
    rows <- case$data[seq(1L, nrow(case$data), length.out = min(25L, nrow(case$data))), , drop = FALSE]
    ask <- function(...) {
      answer <- stats::predict(fit, rows, se.fit = TRUE, allow.new.levels = TRUE, ...)
      list(fit = piece("estimate", unname(as.matrix(answer$fit)), max(abs(as.matrix(answer$fit)[, 1L]), na.rm = TRUE)),
           se = piece("estimate", unname(answer$se.fit)))
    }
    found <- list(all = try_pieces(ask()), fixed = try_pieces(ask(re.form = NA)),
                  interval = try_pieces(ask(re.form = NA, interval = "confidence", ddf = "Satterthwaite")))
    if (nrow(fit$frame) < 400) {
      found$kr <- try_pieces(ask(re.form = NA, interval = "confidence", ddf = "Kenward-Roger"))
    }
    unlist(found, recursive = FALSE)
  },
  simulate = function(fit, case) {
    list(new = piece("estimate", unname(as.matrix(stats::simulate(fit, 2, seed = 11)))),
         kept = piece("estimate", unname(as.matrix(stats::simulate(fit, 1, seed = 12, use.u = TRUE)))))
  },
  refit = function(fit, case) {
    y <- stats::model.response(fit$frame)
    set.seed(21)
    other <- sapply(1:4, function(k) y + k / 2 * stats::sd(y) * stats::rnorm(length(y)))
    many <- refit_many(fit, cbind(y, other), progress = FALSE)
    c(list(criterion = piece("criterion", unname(many$criterion), pmax(1, abs(unname(many$criterion)) / 1000)),
           certified = piece("exact", many$certified)),
      lapply(as.data.frame(many$parameters), function(column) piece("estimate", column)),
      if (!is.null(many$phi)) list(phi = measure(many$phi, 1)),
      if (nrow(fit$frame) < 1000) prefixed("single", quantities$fit(suppressMessages(refit(fit, other[, 1L])), case)))
  },
  deletion = function(fit, case) {
    ask <- function(groups) {
      gone <- stats::influence(fit, groups = groups, progress = FALSE)
      fixed <- grep("^fixed.effects\\[|^var.cov.comps\\[|^sd\\[|^se\\[", names(gone), value = TRUE)
      found <- unlist(lapply(fixed, function(name) {
        lapply(stats::setNames(as.data.frame(gone[[name]]), paste(name, colnames(gone[[name]]))),
               function(column) piece("estimate", column))
      }), recursive = FALSE)
      c(found, list(cook = piece("estimate", unname(stats::cooks.distance(gone))),
                    status = piece("exact", unname(gone$status)),
                    evaluations = piece("count", sum(gone$function.evals))))
    }
    found <- list(levels = try_pieces(ask(fit$factors[[length(fit$factors)]]$name)))
    if (nrow(fit$frame) < 120) found$rows <- try_pieces(ask(NULL))
    unlist(found, recursive = FALSE)
  },
  robust = function(fit, case) {
    unlist(lapply(c(CR2 = "CR2", CR0 = "CR0"), function(type) {
      try_pieces({
        other <- robust(fit, type = type)
        c(list(vcov = covariance(other$vcov)), columns(other$coefficients, "curvature"))
      })
    }), recursive = FALSE)
  },
  component = function(fit, case) {
    if (nrow(fit$frame) > 400) return(list())
    parts <- component(fit, c("b", "u", "L", "RX", "Lambda", "mu", "G", "R"))
    lapply(parts, function(part) piece("estimate", unname(part)))
  },
  criterion = function(fit, case) {
    d <- as.function(fit)
    at <- list(fit$theta * 1.1, fit$theta + 0.05, abs(fit$theta) * 0)
    list(values = try_piece({
      values <- vapply(at, d, 0)
      piece("criterion", values, pmax(1, abs(values) / 1000))
    }))
  },
  plan = function(fit, case) {
    found <- as.data.frame(case$plan())
    columns(found, "estimate", c("seconds", "bytes", "work", "evaluations"))
  },
  profile = function(fit, case) {
    if (length(fit$theta) > 4) return(list())
    found <- stats::profile(fit, progress = FALSE, points = 6L)
    table <- as.data.frame(found)
    limits <- stats::confint(found)
    parts <- lapply(split(table, table$par), function(part) {
      list(zeta = piece("profile", part$zeta * abs(part$zeta)), value = piece("profile", part$value))
    })
    c(unlist(parts, recursive = FALSE), list(limits = measure_limits(limits)))
  },
  bootstrap = function(fit, case) {
    found <- bootstrap(fit, nsim = 25, seed = 31, progress = FALSE)
    limits <- suppressWarnings(stats::confint(found))
    c(lapply(as.data.frame(found$replicates), function(column) piece("estimate", column)),
      list(certified = piece("exact", found$certified), limits = measure_limits(limits)))
  },
  resample = function(fit, case) {
    ask <- function(type) {
      found <- bootstrap(fit, nsim = 5, seed = 32, type = type, progress = FALSE)
      lapply(as.data.frame(found$replicates), function(column) piece("estimate", column))
    }
    unlist(list(residual = try_pieces(ask("residual")), cases = try_pieces(ask("cases"))), recursive = FALSE)
  },
  tests = function(fit, case) {
    set.seed(41)
    columns(ranova(fit, nsim = 400), "tests")
  },
  icc = function(fit, case) {
    set.seed(51)
    columns(icc(fit, nsim = 40), "estimate")
  },
  squares = function(fit, case) columns(varcomp_anova(fit), "curvature")
)
# Those that do not depend on the order of the rows.
free_of_order <- c("fit", "inference", "anova", "profile")

measure_limits <- function(limits) {
  piece("profile", unname(as.matrix(limits)), pmax(1e-300, apply(abs(as.matrix(limits)), 1L, max)))
}
prefixed <- function(name, pieces) stats::setNames(pieces, paste(name, names(pieces)))

# An error is an answer, too: its class is compared.
ended <- function(condition) {
  classes <- grep("^ferrite_", class(condition), value = TRUE)
  piece("exact", c("error", if (length(classes)) classes[1L] else conditionMessage(condition)))
}
try_piece <- function(code) tryCatch(code, error = ended)
try_pieces <- function(code) tryCatch(code, error = function(e) list(error = ended(e)))
