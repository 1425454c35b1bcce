# robust(): tests and limits of the fixed effects with cluster-robust covariance matrices (CR0, CR1, CR2).
#
# Reads   a fit, its clusters (infer-clusters.R).
# Writes  a table of class `lmm_robust`; `pieces`: everything that covariances and degrees of freedom are made of,
#         without an n x n matrix.

#' Tests of fixed effects that are robust to a wrong covariance matrix
#'
#' Standard errors of the coefficients from the residuals of whole clusters, which stay valid where the distribution is
#' not normal, variances differ or the random part is incomplete, with degrees of freedom that hold with few clusters.
#'
#' @param fit An object of class `lmm`; for `contest()`, what `robust()` gave.
#' @param type Kind of estimate: `"CR2"` (default) is free of bias if the model holds, `"CR0"` is the plain sandwich,
#'   `"CR1"` is CR0 times \eqn{J / (J - 1)}.
#' @param cluster `NULL` (default): the levels of the grouping factor in which all others are nested; if there is none,
#'   the sets of rows that the factors connect. Or larger clusters: a formula `~ g` (`~ a:b`), the name of a variable of
#'   the model or of its data, or a value for each row. Each level of every grouping factor, and each series of
#'   correlated residuals, must lie in one cluster.
#' @param ... No other argument is known.
#' @details
#' With \eqn{e_j} the residuals \eqn{y - X\hat\beta} and \eqn{V_j} the fitted covariance matrix of cluster j, the
#' estimate is \deqn{(X'V^{-1}X)^{-1} \Big[\sum_j X_j'V_j^{-1}A_je_je_j'A_jV_j^{-1}X_j\Big] (X'V^{-1}X)^{-1}}
#' where \eqn{A_j = I} for CR0. CR2 takes the symmetric \eqn{A_j} with
#' \eqn{A_j[V_j - X_j(X'V^{-1}X)^{-1}X_j']A_j = V_j} (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018). The
#' estimates of the coefficients are those of the fit. The cost grows with the number of clusters and with the cube of
#' the rows in one; clusters of many rows with independent residuals are reduced to a few rows first.
#'
#' Degrees of freedom are Satterthwaite's, \eqn{2 E^2 / \mathrm{Var}} of the robust variance under the fitted model, one
#' for each coefficient; far fewer than the clusters where a covariate varies in few of them. Below 4 the t distribution
#' is a rough guide. Tests of several contrasts, `contest(robust(fit), L)`, are Hotelling's \eqn{T^2} with the degrees
#' of freedom HTZ of Tipton and Pustejovsky (2015).
#'
#' A coefficient that rests on one cluster alone has no robust variance: its standard error is NA, with a warning.
#'
#' With crossed factors whose levels are all connected there is one cluster, and no robust covariance matrix: an error
#' that says what else there is.
#' @returns `robust()`: an object of class `lmm_robust`, a list with `coefficients` (matrix with `Estimate`,
#'   `Std. Error`, `df`, `t value`, `Pr(>|t|)`), `vcov`, `type`, `clusters` (`name`, `n`, `size`: the range of their
#'   numbers of rows, `codes` of the rows) and `fit`. [vcov()], [coef()] (the table), [confint()], [contest()],
#'   `as.data.frame()` and `tidy()` (of the package generics) work on it. The matrix alone, for
#'   other packages, is `vcov(fit, type = "CR2")`: `emmeans(fit, ~ f, vcov. = vcov(fit, type = "CR2"))`. If clubSandwich
#'   is loaded, its `vcovCR()`, `coef_test()`, `conf_int()` and `Wald_test()` work, with all of its types.
#' @section Conditions:
#'   `ferrite_error_cluster` (crossed factors, one cluster, no such variable, a level in several clusters),
#'   `ferrite_error_argument`, `ferrite_error_too_large`, `ferrite_warning_cluster` (no robust variance).
#' @references Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018)
#'   \doi{10.1080/07350015.2016.1247004}; Tipton and Pustejovsky (2015) \doi{10.3102/1076998615606099}; Liang and Zeger
#'   (1986) \doi{10.1093/biomet/73.1.13}.
#' @seealso [bootstrap()] with `type = "cases"` or `"residual"` for all parameters.
#' @examples
#' # slopes differ among children, and the model does not know it
#' fit <- lmm(distance ~ age * Sex + (1 | Subject), nlme::Orthodont)
#' robust(fit) # age: standard error 0.1016 on 15 df, 1.31 times that of summary(fit)
#' contest(robust(fit), c("SexFemale", "age:SexFemale"))
#' confint(robust(fit))
#' @export
robust <- function(fit, ...) {
  UseMethod("robust")
}

#' @export
robust.default <- function(fit, ...) {
  abort_ferrite("argument", "`robust()` must be given a fit of `lmm()`.", paste0("It was given ", a_kind(fit), "."),
    hint = "Fit a model with `lmm()`.", call = method_call()
  )
}

#' @rdname robust
#' @export
robust.lmm <- function(fit, type = c("CR2", "CR1", "CR0"), cluster = NULL, ...) {
  call <- method_call()
  refuse_arguments("robust", ..., call = call)
  type <- choose_one(type, c("CR2", "CR1", "CR0"), "type", call)
  design <- design_of(fit)
  clusters <- find_clusters(fit, cluster, design, call)
  out <- structure(class = "lmm_robust", list(
    coefficients = matrix(0, 0L, 5L, dimnames = list(NULL, t_columns)), vcov = fit$vcov, type = type,
    clusters = c(clusters[c("name", "n", "codes")], list(size = range(tabulate(clusters$codes)))),
    fit = fit, call = call
  ))
  if (!fit$rank) return(out)
  pieces <- cluster_pieces(fit, clusters, type, design, call)
  rows <- diag(fit$rank)
  dimnames(rows) <- list(pieces$names, pieces$names)
  out$vcov <- robust_matrix(pieces)
  out$coefficients <- robust_t(fit, pieces, rows, 0)
  warn_alone(pieces, "NA is returned", call)
  out
}

# t tests of the rows of L.
robust_t <- function(fit, pieces, rows, rhs) {
  estimate <- drop(rows %*% fit$beta[fit$kept])
  df <- robust_df(pieces, rows)
  error <- sqrt(quadratic_forms(rows, robust_matrix(pieces)))
  error[is.na(df)] <- NA_real_
  t_matrix(rows, estimate, error, df, rhs)
}

pieces_of <- function(x, call) {
  cluster_pieces(x$fit, x$clusters, x$type, design_of(x$fit), call)
}

#' @rdname robust
#' @param L,joint,rhs As in [contest()].
#' @export
contest.lmm_robust <- function(fit, L, joint = TRUE, rhs = 0, level = 0.95, ...) { # nolint: object_name_linter.
  call <- robust_call(method_call())
  refuse_arguments("contest", ..., call = call)
  check_flag(joint, "joint", call, "argument")
  check_level(level, call)
  tested <- restriction_of(fit$fit, if (!missing(L)) L, rhs, call)
  pieces <- pieces_of(fit, call)
  table <- if (joint) robust_joint(fit$fit, pieces, tested) else robust_each(fit$fit, pieces, tested, level)
  structure(
    table, L = tested$L, rhs = tested$rhs, ddf = "Satterthwaite", level = level,
    heading = paste0("cluster-robust (", fit$type, ")"), class = c("contest", "data.frame")
  )
}

robust_joint <- function(fit, pieces, tested) {
  model <- list(beta = fit$beta[fit$kept], vcov_beta = fit$vcov)
  basis <- independent_rows(model, tested$L, tested$rhs)
  test <- robust_f(pieces, basis$L, basis$distance)
  data.frame(
    NumDF = test[["ndf"]], DenDF = test[["ddf"]], "F value" = test[["F"]], "Pr(>F)" = upper_tail(test),
    check.names = FALSE
  )
}

robust_each <- function(fit, pieces, tested, level) {
  with_t_limits(robust_t(fit, pieces, tested$L, tested$rhs), level)
}

# contest.lmm_robust() was called as contest().
robust_call <- function(call) {
  if (is.call(call) && is.symbol(call[[1L]])) {
    call[[1L]] <- as.name(sub("[.]lmm_robust$", "", as.character(call[[1L]])))
  }
  call
}

#' @rdname robust
#' @param object,x An object of class `lmm_robust`.
#' @param parm Names or numbers of coefficients. Default: all.
#' @param level Confidence level, between 0 and 1. Default 0.95.
#' @export
confint.lmm_robust <- function(object, parm = NULL, level = 0.95, ...) {
  call <- robust_call(method_call())
  refuse_arguments("confint", ..., call = call)
  check_level(level, call)
  names <- object$fit$x_names
  picked <- pick_parameters(parm, names, rep("beta", length(names)), "parm", call)
  table <- object$coefficients[match(names[picked], rownames(object$coefficients)), , drop = FALSE]
  half <- stats::qt((1 + level) / 2, table[, "df"]) * table[, "Std. Error"]
  limits <- unname(cbind(table[, 1L] - half, table[, 1L] + half))
  new_confint(limits, names[picked], level, "Wald", rep(if (object$fit$REML) "REML" else "ML", length(picked)),
    paste0("cluster-robust, ", object$type, ", t with Satterthwaite's df")
  )
}

#' @rdname robust
#' @export
vcov.lmm_robust <- function(object, ...) {
  object$vcov
}

#' @export
summary.lmm_robust <- function(object, ...) {
  object
}

#' @rdname robust
#' @param row.names,optional As in [as.data.frame()].
#' @export
as.data.frame.lmm_robust <- function(x, row.names = NULL, optional = FALSE, ...) { # nolint: object_name_linter.
  table <- data.frame(term = or_else(rownames(x$coefficients), character()), x$coefficients, check.names = FALSE)
  rownames(table) <- row_names(row.names, nrow(table), method_call())
  table
}

#' @rdname robust
#' @param digits Significant digits. Default: those of `options("digits")` less 3.
#' @export
print.lmm_robust <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits)
  cat(robust_title(x), "\nFormula: ", deparse_one(x$fit$formula), "\n", robust_clusters(x), "\n\n", sep = "")
  if (nrow(x$coefficients)) print_tests(x$coefficients, digits) else cat("No fixed effects\n")
  cat(paste0(robust_notes(x), "\n"), sep = "")
  invisible(x)
}

robust_title <- function(x) {
  paste0("Cluster-robust t tests (", x$type, ") of fixed effects, fit by ",
         if (x$fit$REML) "REML" else "maximum likelihood")
}

# "Clusters: 27 of Subject, 4 rows each"
robust_clusters <- function(x) {
  size <- x$clusters$size
  paste0("Clusters: ", big_number(x$clusters$n), " (", x$clusters$name, "), ",
         if (size[1L] == size[2L]) paste(counted(size[1L], "row"), "each") else paste(size[1L], "to", size[2L], "rows"))
}

robust_notes <- function(x) {
  table <- x$coefficients
  ratio <- table[, "Std. Error"] / sqrt(diag(x$fit$vcov))
  if (!length(ratio) || all(is.na(ratio))) return(character())
  ratio <- unique(format(range(ratio, na.rm = TRUE), digits = 3L))
  few <- rownames(table)[!is.na(table[, "df"]) & table[, "df"] < 4]
  c(
    paste0("Standard errors are ", paste(ratio, collapse = " to "), " times those of the model"),
    if (length(few)) paste0("Fewer than 4 degrees of freedom, tests are a rough guide: ", quoted_list(few))
  )
}

# Methods for util-load.R ---------------------------------------------------------------------------------------------

knit_print_robust <- function(x, ...) {
  table <- x$coefficients
  as_output(list(
    structure(robust_title(x), role = "title"), structure(paste("Formula:", deparse_one(x$fit$formula)), role = "code"),
    if (nrow(table)) captioned(labelled(test_text(table), rownames(table), "Term"), left = 1L) else "No fixed effects",
    paste0(robust_clusters(x), "."), if (nrow(table)) paste0(robust_notes(x), ".")
  ))
}

tidy_robust <- function(x, conf.int = FALSE, conf.level = 0.95, ...) { # nolint: object_name_linter.
  call <- method_call()
  warn_arguments("tidy", ..., call = call)
  check_flag(conf.int, "conf.int", call, "argument")
  table <- x$coefficients
  out <- data.frame(
    effect = rep("fixed", nrow(table)), term = or_else(rownames(table), character()), estimate = unname(table[, 1L]),
    std.error = unname(table[, 2L]), statistic = unname(table[, 4L]), df = unname(table[, 3L]),
    p.value = unname(table[, 5L])
  )
  if (conf.int) {
    check_level(conf.level, call)
    half <- stats::qt((1 + conf.level) / 2, out$df) * out$std.error
    out$conf.low <- out$estimate - half
    out$conf.high <- out$estimate + half
  }
  as_tidy(out)
}

# CR0, CR1, CR2 --------------------------------------------------------------------------------------------------------
#
# In a cluster V_j = L'L (relative to sigma^2), x = L'^-1 X_j, e = L'^-1 (y_j - X_j beta); over all clusters x = U R by
# QR, so that U'U = I and vcov = sigma^2 R^-1 R'^-1. With t_j the rows that stand for the adjusted cluster,
#   CR    R^-1 [ sum_j s_j s_j' ] R'^-1        s_j = t_j'e_j      CR0: t = U
#   CR2   t = LL' B^(-1/2) U                   B = LL' (I - UU') LL'
# which is A = L'B^(-1/2)L of Bell and McCaffrey (2002) for the working covariance V (Pustejovsky and Tipton 2018), with
# a generalised inverse where a cluster alone determines a combination of coefficients. For the covariances of the terms
# of the sum,   k_j = t_j'U_j      n_j = t_j't_j - k_j k_j'.

robust_types <- c("CR0", "CR1", "CR2")

# The covariance matrix over the estimated coefficients.
robust_covariance <- function(fit, type, cluster, call) {
  if (!fit$rank) return(fit$vcov)
  design <- design_of(fit)
  pieces <- cluster_pieces(fit, find_clusters(fit, cluster, design, call), type, design, call)
  warn_alone(pieces, "its variance is too small", call)
  robust_matrix(pieces)
}

robust_matrix <- function(pieces) {
  factor <- backsolve(pieces$root, t(pieces$scores))
  out <- pieces$scale * tcrossprod(factor)
  dimnames(out) <- list(pieces$names, pieces$names)
  out
}

#' Sums by cluster
#'
#' @returns list(root: R; scores: J x r; k, n: J x r x r; scale: the factor of CR1; alone: columns v with U_jv = 0 in
#'   all clusters but one; names).
#' @noRd
cluster_pieces <- function(fit, clusters, type, design, call) {
  working <- working_model(fit, design, clusters)
  small <- whitened_clusters(working, type == "CR2", fit$control$memory, call)
  x <- do.call(rbind, lapply(small, `[[`, "x"))
  e <- unlist(lapply(small, `[[`, "e"), use.names = FALSE)
  sizes <- vapply(small, function(one) length(one$e), 0L)
  codes <- rep.int(seq_along(sizes), sizes)
  # columns of one length first: with tolerance zero nothing is left out
  lengths <- sqrt(colSums(x^2))
  decomposition <- qr(x / rep(lengths, each = nrow(x)), tol = 0)
  u <- qr.Q(decomposition)
  last <- cumsum(sizes)
  rows <- lapply(seq_along(sizes), function(j) (last[j] - sizes[j] + 1L):last[j])
  alone <- lapply(rows, function(own) own_directions(u[own, , drop = FALSE]))
  t <- u
  if (type == "CR2") {
    for (j in seq_along(sizes)) {
      t[rows[[j]], ] <- adjusted_rows(small[[j]]$root, u[rows[[j]], , drop = FALSE], max(0L, ncol(alone[[j]])))
    }
  }
  j <- length(sizes)
  r <- ncol(u)
  k <- array(0, c(j, r, r))
  for (i in seq_len(r)) k[, i, ] <- level_sums(t[, i] * u, codes)
  n <- level_products(t, codes, j)
  for (i in seq_len(r)) for (h in seq_len(r)) n[, i, h] <- n[, i, h] - rowSums(matrix(k[, i, ] * k[, h, ], j))
  list(
    root = qr.R(decomposition) * rep(lengths, each = r), scores = level_sums(t * e, codes), k = k, n = n,
    scale = if (type == "CR1") j / (j - 1) else 1, alone = do.call(cbind, alone), names = fit$x_names[fit$kept]
  )
}

# Directions in which one cluster has all the information: eigenvalues 1 of U_j'U_j. `NULL` if there is none.
own_directions <- function(u) {
  if (sum(u^2) < 1 - 1e-6) return(NULL)
  turned <- eigen(crossprod(u), symmetric = TRUE)
  own <- turned$values > 1 - 1e-8
  if (any(own)) turned$vectors[, own, drop = FALSE]
}

# Rows t of the adjusted cluster. In `null` directions B has the eigenvalue 0.
adjusted_rows <- function(root, u, null) {
  inner <- tcrossprod(root)
  turned <- eigen(tcrossprod(inner) - tcrossprod(inner %*% u), symmetric = TRUE)
  power <- 1 / sqrt(pmax(turned$values, 0))
  power[length(power) + 1L - seq_len(null)] <- 0
  inner %*% (turned$vectors %*% (power * crossprod(turned$vectors, u)))
}

# Which combinations of coefficients (rows of L) rest on one cluster alone? Its residuals are zero in that direction, so
# that its share is missing in the robust variance.
rest_on_one <- function(pieces, rows) {
  if (is.null(pieces$alone)) return(rep(FALSE, nrow(rows)))
  m <- backsolve(pieces$root, t(rows), transpose = TRUE)
  colSums(crossprod(pieces$alone, m)^2) > 1e-8 * colSums(m^2)
}

warn_alone <- function(pieces, consequence, call) {
  lost <- pieces$names[rest_on_one(pieces, diag(length(pieces$names)))]
  if (!length(lost)) return(invisible())
  warn_ferrite("cluster", "A coefficient must vary in several clusters to have a robust variance.",
    paste0(quoted_list(lost), " rest", if (length(lost) == 1L) "s", " on one cluster alone: ", consequence, "."),
    hint = "Use the standard error of the model, or tests such as `summary(fit, ddf = \"Kenward-Roger\")`.",
    call = call, data = list(coefficients = lost)
  )
}

# vcov(fit, type = , cluster = ).
chosen_variance <- function(fit, type, cluster, call) {
  type <- choose_one(type, c("model", robust_types), "type", call)
  if (type != "model") return(robust_covariance(fit, type, cluster, call))
  if (is.null(cluster)) return(fit$vcov)
  abort_ferrite("argument", "`cluster` must come with a robust `type`.", "`type` is \"model\".",
    hint = "Write, for example, `vcov(fit, type = \"CR2\", cluster = ~ g)`.", call = call,
    data = list(argument = "type")
  )
}

# Degrees of freedom ---------------------------------------------------------------------------------------------------

#' Moments of robust variances under the working model
#'
#' The robust covariance of a, b in R'^-1 (rows of L) is a sum of products of linear forms of y, whose covariances are
#' P_ij = [i = j] a'(n_j + k_j k_j')b - (k_i'a)'(k_j'b).
#' @param rows Matrix over the coefficients.
#' @returns list(own: J x q x q, a'n_j b; along: list of q matrices J x r, k_j'a).
#' @noRd
robust_forms <- function(pieces, rows) {
  m <- backsolve(pieces$root, t(rows), transpose = TRUE)
  j <- dim(pieces$k)[1L]
  r <- nrow(m)
  q <- ncol(m)
  along <- lapply(seq_len(q), function(s) {
    matrix(matrix(aperm(pieces$k, c(1L, 3L, 2L)), j * r) %*% m[, s], j)
  })
  own <- array(0, c(j, q, q))
  for (s in seq_len(q)) {
    half <- matrix(matrix(pieces$n, j * r) %*% m[, s], j)
    own[, s, ] <- half %*% m
  }
  list(own = own, along = along)
}

# Satterthwaite's degrees of freedom of each row: 2 E^2 / Var of its robust variance; NA where that is no variance.
robust_df <- function(pieces, rows) {
  forms <- robust_forms(pieces, rows)
  df <- vapply(seq_len(nrow(rows)), function(s) {
    own <- forms$own[, s, s]
    along <- forms$along[[s]]
    sum(own)^2 / (sum(own^2) + sum(crossprod(along)^2) - sum(rowSums(along^2)^2))
  }, 0)
  df[rest_on_one(pieces, rows)] <- NA
  df
}

#' F test of several rows: Hotelling's T^2 with approximate degrees of freedom
#'
#' The form HTZ of Tipton and Pustejovsky (2015): that of a Wishart matrix whose elements have the same total variance.
#' @param rows Linearly independent.
#' @returns Vector F, ndf, ddf.
#' @noRd
robust_f <- function(pieces, rows, distance) {
  q <- nrow(rows)
  if (any(rest_on_one(pieces, rows))) return(c(F = NA, ndf = q, ddf = NA))
  expected <- colSums(robust_forms(pieces, rows)$own)
  inner <- rows %*% robust_matrix(pieces) %*% t(rows)
  size <- sqrt(diag(matrix(expected, q)))
  turned <- eigen(matrix(expected, q) / outer(size, size), symmetric = TRUE)
  # fewer clusters than rows
  if (min(turned$values) < 1e-10) return(c(F = NA, ndf = q, ddf = NA))
  half <- t(turned$vectors / rep(sqrt(turned$values), each = q)) / rep(size, each = q)
  forms <- robust_forms(pieces, half %*% rows)
  total <- 0
  for (s in seq_len(q)) {
    for (t in seq_len(q)) {
      a <- forms$along[[s]]
      b <- forms$along[[t]]
      both <- sum(forms$own[, s, s] * forms$own[, t, t]) + sum(forms$own[, s, t]^2)
      shared <- crossprod(b, a)
      total <- total + both + sum(shared^2) + sum(shared * t(shared)) -
        sum(rowSums(a^2) * rowSums(b^2)) - sum(rowSums(a * b)^2)
    }
  }
  eta <- q * (q + 1) / total
  statistic <- sum(distance * solve_scaled(inner, distance))
  ddf <- eta - q + 1
  c(F = if (ddf > 0) ddf / (eta * q) * statistic else NA, ndf = q, ddf = ddf)
}
