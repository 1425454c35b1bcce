# ggplot2: panels of rows, as plot-rows.R draws them.

gg_residuals <- function(table) {
  gg_cloud(table, "fitted", "residual", gg_guide(yintercept = 0)) + gg_trend(table)
}

gg_scale <- function(table) gg_cloud(table, "fitted", "root") + gg_trend(table)

gg_against_fitted <- function(table) {
  gg_cloud(table, "fitted", "observed") +
    ggplot2::geom_abline(intercept = 0, slope = 1, colour = plot_colours[["line"]], linetype = 2L, linewidth = 0.7)
}

gg_trend <- function(table) {
  curve <- trend_curve(table)
  if (nrow(curve) > 1L) ggplot2::geom_line(aes_of(x = "fitted", y = "trend"), curve, colour = plot_colours[["line"]],
    linewidth = 0.9, inherit.aes = FALSE
  )
}

# Points, or cells shaded by the number of points; `under` is drawn first.
gg_cloud <- function(table, x, y, under = NULL) {
  if (nrow(table) <= crowd_size) {
    return(gg_frame(table, x = x, y = y) + under + gg_points(nrow(table)))
  }
  gg_cells(table, point_cells(table[[x]], table[[y]])) + under
}

gg_cells <- function(table, cells) {
  texts <- attr(table, "labels")
  ggplot2::ggplot(cells, aes_of(x = "x", y = "y", fill = "count", width = "width", height = "height")) +
    ggplot2::geom_tile() +
    ggplot2::scale_fill_gradientn("Points per cell", colours = shades, trans = "log10",
      breaks = 10^seq(0, floor(log10(max(2, cells$count)))), limits = c(1, max(2, cells$count))
    ) +
    ggplot2::labs(title = texts$title, x = texts$x, y = texts$y) + gg_theme() +
    ggplot2::theme(legend.key.height = ggplot2::unit(0.3, "cm"), legend.key.width = ggplot2::unit(1.2, "cm"))
}

gg_qq <- function(table) {
  shown <- table[thinned_ranks(nrow(table)), , drop = FALSE]
  gg_frame(table, shown, x = "theoretical", y = "residual") +
    gg_guide(aes_of(x = "theoretical", y = "line"), table[c(1L, nrow(table)), ], line = ggplot2::geom_line) +
    gg_points(nrow(shown))
}

gg_ranef_qq <- function(table) {
  table$panel <- effect_panels(table)
  pieces <- split(seq_len(nrow(table)), table$panel)
  shown <- table[unlist(lapply(pieces, function(at) at[thinned_ranks(length(at))])), , drop = FALSE]
  named <- table[unlist(lapply(pieces, function(at) at[outside_band(table[at, , drop = FALSE])])), , drop = FALSE]
  named$grp <- cut_text(as.character(named$grp), 15L)
  named$side <- ifelse(named$theoretical > 0, 1.15, -0.15)
  zero <- table[is.na(table$lower) & !duplicated(table$panel), , drop = FALSE]
  zero$theoretical <- zero$standardised <- rep(0, nrow(zero))
  zero$grp <- rep("All effects are zero", nrow(zero))
  varying <- setdiff(levels(table$panel), as.character(zero$panel))
  equality <- data.frame(panel = factor(varying, levels(table$panel)), intercept = rep(0, length(varying)),
    slope = rep(1, length(varying))
  )
  gg_frame(table, shown, x = "theoretical", y = "standardised") +
    ggplot2::geom_ribbon(aes_of(ymin = "lower", ymax = "upper"), shown[!is.na(shown$lower), ], fill = "#E4E4E4") +
    gg_guide(aes_of(intercept = "intercept", slope = "slope"), equality, line = ggplot2::geom_abline) +
    gg_points(nrow(shown) / max(1L, nlevels(table$panel))) +
    ggplot2::geom_text(aes_of(label = "grp", hjust = "side"), named, size = 2.8, check_overlap = TRUE) +
    ggplot2::geom_text(aes_of(label = "grp"), zero, size = 3.5, vjust = -1) +
    ggplot2::facet_wrap("panel")
}
