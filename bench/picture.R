# table.png and scaling.png from the CSV: Rscript bench/picture.R [--folder DIR]

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
source(file.path(here, "exponent.R"))
args <- commandArgs(trailingOnly = TRUE)
folder <- if ("--folder" %in% args) args[[match("--folder", args) + 1L]] else here

# Okabe and Ito's colours; every peer has its own symbol as well.
look <- data.frame(
  peer = c("ferrite", "lm", "lme4", "nlme", "glmmTMB", "gpboost", "mixedlm-rs", "statsmodels"),
  colour = c("#0072B2", "#000000", "#D55E00", "#CC79A7", "#E69F00", "#009E73", "#56B4E9", "#767676"),
  symbol = c(19L, 4L, 17L, 15L, 18L, 25L, 23L, 8L)
)

seconds_text <- function(x) {
  ifelse(x < 1e-3, paste0(signif(x * 1e6, 2), " us"), ifelse(x < 1, paste0(signif(x * 1e3, 2), " ms"),
                                                                paste0(signif(x, 2), " s")))
}

table_picture <- function(rows) {
  rows <- rows[rows$peer %in% look$peer & !is.na(rows$seconds) & rows$verdict != "differs", ]
  cases <- rev(unique(rows$case))
  titles <- rows$title[match(cases, rows$case)]
  graphics::par(mar = c(4, 21, 2.6, 1), cex = 0.9, las = 1, lend = 1)
  span <- range(rows$seconds) * c(0.6, 2)
  graphics::plot.default(NA, xlim = span, ylim = c(0.5, length(cases) + 0.5), log = "x", axes = FALSE, ann = FALSE)
  ticks <- 10^seq(floor(log10(span[1L])), ceiling(log10(span[2L])))
  graphics::abline(v = ticks, col = "grey90")
  graphics::abline(h = seq_along(cases), col = "grey90")
  graphics::axis(1, ticks, seconds_text(ticks), tick = FALSE, line = -0.5)
  graphics::axis(2, seq_along(cases), titles, tick = FALSE, line = -0.8)
  graphics::mtext("Whole call, median; log scale", 1, 2.2)
  for (i in rev(seq_len(nrow(look)))) {
    own <- rows[rows$peer == look$peer[i], ]
    y <- match(own$case, cases)
    graphics::points(own$seconds, y, pch = look$symbol[i], col = look$colour[i], bg = look$colour[i],
                     cex = if (i == 1L) 1.5 else 1.1)
  }
  own <- rows[rows$peer == "ferrite", ]
  graphics::text(own$seconds, match(own$case, cases), seconds_text(own$seconds), pos = 1, offset = 0.45, cex = 0.75,
                 col = look$colour[1L])
  used <- look[look$peer %in% rows$peer, ]
  graphics::legend("top", used$peer, pch = used$symbol, col = used$colour, pt.bg = used$colour, ncol = nrow(used),
                   bty = "n", inset = c(0, -0.075), xpd = NA, x.intersp = 0.7, cex = 0.95)
}

# Each: curve, what its panel says above, and below the axis.
panels <- list(
  c("rows", "Rows, (1 | g)", "rows; 1,000 groups"), c("groups", "Groups, (1 | g)", "groups of 4 rows"),
  c("p", "Fixed effects", "columns of X; 1e5 rows"), c("crossed", "Crossed, dense", "levels L x L / 5, at random"),
  c("rows, slope", "Rows, (x | g)", "rows; 1,000 groups"), c("groups, slope", "Groups, (x | g)", "groups of 4 rows"),
  c("theta", "Variance parameters", "elements of theta; 1,000 groups"),
  c("crossed, sparse", "Crossed, sparse", "levels L x L, 7 neighbours")
)

scaling_picture <- function(rows) {
  graphics::par(mfrow = c(2, 4), mar = c(3.6, 4.4, 3.6, 0.6), oma = c(0, 0, 3.4, 0), cex = 0.85, las = 1,
                mgp = c(2.1, 0.45, 0), tcl = -0.3)
  for (panel in panels) scaling_panel(rows[rows$curve == panel[1L], ], panel[2L], panel[3L])
  graphics::par(fig = c(0, 1, 0, 1), oma = rep(0, 4), mar = rep(0, 4), new = TRUE)
  graphics::plot.default(NA, xlim = 0:1, ylim = 0:1, axes = FALSE, ann = FALSE)
  graphics::legend("top", c("whole call of lmm()", "one evaluation of the criterion and its gradient", "slope 1: linear"),
                   col = c(shade, "grey70"), pch = c(19, 17, NA), lty = c(1, 1, 2), lwd = c(2, 2, 1), bty = "n",
                   horiz = TRUE, text.width = c(0.14, 0.32, 0.1), inset = c(0, -0.005), cex = 1.05)
}
shade <- c("#0072B2", "#D55E00")

# Decades, with 2 and 5 between them where there are few.
log_ticks <- function(span) {
  decades <- 10^seq(floor(log10(span[1L])), ceiling(log10(span[2L])))
  ticks <- if (diff(log10(span)) < 2.2) sort(c(decades, 2 * decades, 5 * decades)) else decades
  ticks[ticks >= span[1L] * 0.99 & ticks <= span[2L] * 1.01]
}

size_text <- function(x) {
  if (x < 1e4) format(x) else sub("e\\+0?", "e", format(x, scientific = TRUE))
}

# Time against size, both logarithmic, a dashed line of slope 1 through the last point of either curve. The exponents stand
# in the title, in the colours of their curves.
scaling_panel <- function(rows, title, label) {
  if (!nrow(rows)) return(graphics::plot.new())
  rows <- rows[order(rows$size), ]
  times <- list(rows$seconds, rows$optimise / rows$evaluations)
  ends <- range(rows$size)
  span <- range(unlist(times)) * c(0.6, 1.6)
  graphics::plot.default(NA, xlim = ends, ylim = span, log = "xy", axes = FALSE, xlab = label, ylab = "")
  ticks <- log_ticks(span)
  graphics::abline(h = ticks, col = "grey93")
  graphics::axis(2, ticks, seconds_text(ticks), lwd = 0, lwd.ticks = 1)
  ticks <- log_ticks(ends)
  graphics::axis(1, ticks, vapply(ticks, size_text, ""), lwd = 0, lwd.ticks = 1)
  graphics::box(col = "grey60")
  for (k in 1:2) {
    last <- utils::tail(times[[k]], 1L)
    if (k == 1L || last > 2 * times[[k]][1L]) graphics::lines(ends, last * ends / ends[2L], col = "grey70", lty = 2)
    graphics::lines(rows$size, times[[k]], col = shade[k], lwd = 2)
    graphics::points(rows$size, times[[k]], col = shade[k], pch = c(19, 17)[k])
  }
  graphics::mtext(title, 3, 1.7, font = 2, cex = 0.95)
  # Beside one another: the exponent of the call, that of an evaluation.
  graphics::mtext(paste("exponent", exponent_text(rows, between = " \u00b1 ")), 3, 0.4, adj = 0, cex = 0.78, col = shade[1L])
  graphics::mtext(exponent_text(rows, "evaluation", " \u00b1 "), 3, 0.4, adj = 1, cex = 0.78, col = shade[2L])
}

draw <- function(name, width, height, plot) {
  source <- file.path(folder, paste0(name, ".csv"))
  if (!file.exists(source)) return(invisible())
  grDevices::png(file.path(folder, paste0(name, ".png")), width, height, res = 110)
  on.exit(grDevices::dev.off())
  plot(utils::read.csv(source))
}

draw("table", 1100, 700, table_picture)
draw("scaling", 1400, 760, scaling_picture)
