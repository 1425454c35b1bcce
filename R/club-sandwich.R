# What clubSandwich asks of a model: coef_test(), conf_int(), Wald_test() and vcovCR() of all its types then work.
#
# Reads   a fit, its clusters (clusters.R) and their covariance matrices (working-clusters.R).
# Writes  X, the residuals after the fixed effects, the covariance matrix of each cluster relative to sigma^2 and its
#         inverse; clubSandwich does the rest.
# Registered by register.R when clubSandwich is loaded. Not here: our own robust tests (robust.R), which need no
# matrices of n rows.

club_sandwich_methods <- function() {
  c(
    listed_methods("clubSandwich", list(
      vcovCR = vcov_cr_lmm, model_matrix = club_matrix, residuals_CS = club_residuals, coef_CS = club_estimates,
      targetVariance = club_variances, weightMatrix = club_weights, v_scale = club_scale
    )),
    list(list("sandwich", "bread", "lmm", club_bread))
  )
}

# Method of clubSandwich::vcovCR(), through which insight and parameters ask for `vcov = "CR2"` too.
vcov_cr_lmm <- function(obj, cluster = NULL, type = "CR2", target = NULL, inverse_var = is.null(target),
                        form = "sandwich", ...) {
  call <- quote(vcovCR())
  type <- choose_one(type, c("CR2", "CR0", "CR1", "CR1p", "CR1S", "CR3", "CR4"), "type", call)
  found <- find_clusters(obj, cluster, design_of(obj), call)
  values <- factor(found$codes, seq_len(found$n), or_else(found$labels, seq_len(found$n)))
  own <- utils::getS3method("vcovCR", "default", envir = asNamespace("clubSandwich"))
  own(obj, cluster = values, type = type, target = target, inverse_var = inverse_var, form = form)
}

club_matrix <- function(obj) kept_matrix(obj)

club_estimates <- function(obj) fixef(obj, complete = FALSE)

club_residuals <- function(obj) {
  design <- design_of(obj)
  design$y - fixed_part(obj, design)
}

# Cluster by cluster, in the order of the levels; rows in the order of the data.
club_variances <- function(obj, cluster) {
  cluster <- droplevels(as.factor(cluster))
  design <- design_of(obj)
  clusters <- list(codes = as.integer(cluster), n = nlevels(cluster))
  working <- working_model(obj, design, clusters)
  begins <- c(0L, working$ends[-length(working$ends)]) + 1L
  parts <- Map(function(first, last) whole_cluster(first:last, working)$v, begins, working$ends)
  stats::setNames(parts, levels(cluster))
}

club_weights <- function(obj, cluster) lapply(club_variances(obj, cluster), function(v) chol2inv(chol(v)))

# The factor that meat is divided and bread multiplied by: for models of lme4 the smallest number of levels.
club_scale <- function(obj) min(ngrps(obj))

club_bread <- function(x, ...) vcov(x, complete = FALSE) * club_scale(x) / x$sigma^2
