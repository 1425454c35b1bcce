# Data with series and strata, and the matrices of their models from the definitions.

cycles <- function() {
  data <- as.data.frame(nlme::Ovary)
  # nlme's normalized residuals take the series in the order of their levels to be the order of the rows
  data$Mare <- factor(as.character(data$Mare), levels = unique(as.character(data$Mare)))
  data$step <- stats::ave(seq_len(nrow(data)), data$Mare, FUN = seq_along)
  data
}

growth <- function() {
  data <- as.data.frame(nlme::Orthodont)
  data$Subject <- factor(as.character(data$Subject), levels = unique(as.character(data$Subject)))
  data
}

# Crossed factors, unsorted rows, gaps in time, strata across series, weights.
crossed <- function() {
  set.seed(4)
  data <- expand.grid(station = paste0("s", 1:6), day = 1:12)
  data <- data[sample(nrow(data), 60L), ]
  data$kind <- factor(ifelse(data$station %in% c("s1", "s2"), "old", "new"))
  data$x <- stats::rnorm(60)
  data$w <- stats::runif(60, 0.5, 2)
  data$y <- 1 + data$x + stats::rnorm(6)[data$station] + stats::rnorm(12)[data$day] +
    stats::rnorm(60) * ifelse(data$kind == "old", 2, 1)
  data
}

# The errors' covariance matrix from its definition.
dense_errors <- function(series, sd, rho, time = NULL) {
  distance <- if (is.null(time)) 1 - diag(length(series)) else abs(outer(time, time, "-"))
  outer(sd, sd) * outer(series, series, "==") * rho^distance
}

# Best linear unbiased prediction of a target with covariances `c` with y and variance `v`, covariates x.
dense_blup <- function(fit, x, c, v) {
  y <- component(fit, "y")
  X <- component(fit, "X") # nolint: object_name_linter.
  inverse <- solve(component(fit, "V"))
  phi <- solve(t(X) %*% inverse %*% X)
  beta <- phi %*% t(X) %*% inverse %*% y
  rest <- x - c %*% inverse %*% X
  list(
    fit = drop(x %*% beta + c %*% inverse %*% (y - X %*% beta)),
    variance = v - rowSums((c %*% inverse) * c) + rowSums((rest %*% phi) * rest)
  )
}
