# How each R package fits a case, and what is read off its fit. A whole call: formula and model frame included.

fixed_part_of <- function(formula) {
  terms <- stats::terms(formula)
  labels <- attr(terms, "term.labels")
  labels <- labels[!grepl("|", labels, fixed = TRUE)]
  stats::reformulate(if (length(labels)) labels else "1", formula[[2L]])
}

# The random part as lme() wants it: one factor, or factors that are nested (the outer one first).
lme_random <- function(formula) {
  labels <- attr(stats::terms(formula), "term.labels")
  bars <- lapply(labels[grepl("|", labels, fixed = TRUE)], str2lang)
  groups <- vapply(bars, function(bar) deparse(bar[[3L]]), "")
  columns <- lapply(bars, function(bar) stats::as.formula(call("~", bar[[2L]])))
  rev(stats::setNames(columns, groups))
}

# Each: fit(case, data, threads), and of the fit criterion(), evaluations(). Criterion: minus twice the log-likelihood.
r_peers <- list(
  lm = list(
    kind = "none", package = "stats",
    fit = function(case, data, threads) stats::lm(case$fixed, data),
    criterion = function(fit) NA, evaluations = function(fit) NA
  ),
  ferrite = list(
    kind = "REML", package = "ferrite",
    fit = function(case, data, threads) {
      ferrite::lmm(case$formula, data, control = ferrite::lmm_control(threads = threads, progress = FALSE))
    },
    criterion = function(fit) fit$criterion, evaluations = function(fit) fit$convergence$evaluations,
    r_side = function(fit, seconds) seconds - sum(fit$convergence$timing[c("crossprod", "optimise", "estimates")]),
    planned = function(case, data, threads) ferrite::lmm_plan(case$formula, data)$bytes / 2^20
  ),
  `ferrite ML` = list(
    kind = "ML", package = "ferrite",
    fit = function(case, data, threads) {
      ferrite::lmm(case$python$ml, data, REML = FALSE,
                   control = ferrite::lmm_control(threads = threads, progress = FALSE))
    },
    criterion = function(fit) fit$criterion, evaluations = function(fit) fit$convergence$evaluations,
    theta = function(fit) paste0(names(fit$theta), "=", format(fit$theta, digits = 15, trim = TRUE), collapse = " "),
    hessian = function(fit) paste(format(fit$convergence$hessian, digits = 15, trim = TRUE), collapse = " ")
  ),
  lme4 = list(
    kind = "REML", package = "lme4",
    fit = function(case, data, threads) lme4::lmer(case$formula, data),
    criterion = function(fit) lme4::REMLcrit(fit), evaluations = function(fit) fit@optinfo$feval
  ),
  nlme = list(
    kind = "REML", package = "nlme",
    fit = function(case, data, threads) {
      eval(bquote(nlme::lme(.(case$fixed), data, random = .(lme_random(case$formula)))))
    },
    criterion = function(fit) -2 * as.numeric(stats::logLik(fit)), evaluations = function(fit) NA
  ),
  glmmTMB = list(
    kind = "REML", package = "glmmTMB",
    fit = function(case, data, threads) {
      glmmTMB::glmmTMB(case$formula, data, REML = TRUE, control = glmmTMB::glmmTMBControl(parallel = threads))
    },
    criterion = function(fit) -2 * as.numeric(stats::logLik(fit)), evaluations = function(fit) fit$fit$evaluations[[1L]]
  )
)

python_peers <- c("gpboost", "mixedlm-rs", "statsmodels")

peer_kind <- function(peer) {
  if (peer %in% names(r_peers)) r_peers[[peer]]$kind else if (peer == "gpboost") "ML" else "REML"
}

# The peers that a case is run against, in order; those that cannot are named with the reason.
peers_of <- function(case, wanted = NULL) {
  all <- c("lm", "ferrite", if (length(case$python)) "ferrite ML", "lme4", "nlme", "glmmTMB",
           if (length(case$python)) python_peers)
  if (length(case$only)) all <- case$only
  if (length(wanted)) all <- intersect(all, c(wanted, "ferrite", if ("gpboost" %in% wanted) "ferrite ML"))
  all
}

# What Python reads: the response, the model matrix and the codes as raw columns, and a text that names them.
export_case <- function(case, data, folder) {
  write <- function(x, name) writeBin(x, file.path(folder, paste0(name, ".bin")))
  write(as.double(data[[deparse(case$formula[[2L]])]]), "y")
  x <- stats::model.matrix(case$fixed, data)
  write(as.double(x), "x")
  for (group in case$python$groups) write(as.integer(data[[group]]) - 1L, paste0("g_", group))
  for (slope in case$python$slopes) write(as.double(data[[slope]]), paste0("s_", slope))
  text <- c(n = nrow(data), p = ncol(x), groups = paste(case$python$groups, collapse = ","),
            slopes = paste(case$python$slopes, collapse = ","))
  writeLines(paste(names(text), text, sep = "="), file.path(folder, "case.txt"))
  NULL
}
