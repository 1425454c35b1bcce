# Tables of parameters with intervals, of profiles, and of influence.
#
# Reads   a fit and the options of a plot.
# Writes  tables as plot_data() describes them.

# Standard deviations and correlations with profile intervals. A correlation that is undefined is left out.
varcomp_data <- function(fit, options) {
  parameters <- parameter_table(fit)
  parameters <- parameters[parameters$kind != "beta", ]
  limits <- confint(fit, "theta_", level = options$level)
  cells <- do.call(rbind, lapply(fit$random, function(term) component_cells(fit, term)))
  serial <- residual_cells(fit)
  table <- data.frame(
    name = parameters$name, grp = c(cells$grp, "Residual", serial$grp), kind = parameters$kind,
    unit = c(cells$unit, "response", serial$unit), label = c(cells$label, "Residual", serial$label),
    estimate = parameters$estimate,
    lower = unname(limits[, 1L]), upper = unname(limits[, 2L])
  )
  table <- table[!is.na(table$estimate), ]
  rownames(table) <- NULL
  with_labels(table, sprintf("Variance components with %g %% intervals", 100 * options$level), NULL, NULL,
    level = options$level, response = response_label(fit)
  )
}

# The components of one random term, by columns of the lower triangle: label and unit. Effects of categories have the
# unit of the response; a slope has a unit of its own, shared by slopes of the same variable.
component_cells <- function(fit, term) {
  cells <- parameter_cells(term)
  row <- cells[, 1L]
  col <- cells[, 2L]
  units <- ifelse(vapply(term$effects, is_slope, NA, term = term, frame = fit$frame), term$effects, "response")
  data.frame(
    grp = term$group,
    unit = ifelse(row == col, units[row], "correlation"),
    label = paste0(term$group, ": ", ifelse(row == col, term$effects[row],
      paste0(term$effects[col], ", ", term$effects[row])))
  )
}

# Whether a column of a random term has a numeric variable in it: named as the variable, or, for a matrix such as
# poly(x, 2), beginning with its name.
is_slope <- function(effect, term, frame) {
  columns <- frame[predictor_names(term$lhs)]
  # as the names of columns spell them: with backticks where needed
  names <- rownames(attr(term$lhs, "factors"))
  numeric <- vapply(columns, is.numeric, NA)
  matrix <- !vapply(lapply(columns, dim), is.null, NA)
  within <- function(parts) any(vapply(parts, grepl, NA, x = paste0(":", effect, ":"), fixed = TRUE))
  within(sprintf(":%s:", names[numeric])) || within(sprintf(":%s", names[numeric & matrix]))
}

profile_data <- function(fit, options) {
  profile_texts(as.data.frame(profile(fit)), options$level)
}

profile_texts <- function(table, level) with_labels(table, "Profile zeta", NULL, "zeta", level = level)

# Exact deletion of rows where it takes a moment, or of the levels that the user asked for; otherwise Cook's distances
# of rows with the covariance parameters held.
influence_data <- function(fit, options) {
  groups <- options$group
  if (is.null(groups) && fit$nobs * random_count(fit) > 1e6) {
    distance <- drop_missing_values(stats::cooks.distance(fit))
    table <- data.frame(deleted = names(distance), rows = 1L, cooks.distance = unname(distance))
    note <- "Cook's distance (covariance parameters held)"
  } else {
    table <- as.data.frame(influence(fit, groups, progress = FALSE))
    note <- "Cook's distance"
  }
  table <- cbind(table[1:2], index = seq_len(nrow(table)), table[-(1:2)])
  unit <- if (is.null(groups)) "row" else paste(groups, collapse = ", ")
  with_labels(table, paste("Influence of each", unit), sprintf("Index of %s", unit), note)
}

drop_missing_values <- function(values) values[!is.na(values)]

# The components of residuals that are not alike.
residual_cells <- function(fit) {
  own <- residual_parameters(fit)
  if (is.null(own)) return(NULL)
  unit <- c(ratio = "ratio", dispersion = "coefficient", rho = "correlation")[own$kind]
  data.frame(grp = "Residual", unit = unname(unit), label = paste0("Residual: ", sub("^[a-z]+_", "", own$name)))
}
