# bench/table.png and bench/scaling.png from the CSV beside this file: Rscript bench/picture.R

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1L]))
source(file.path(here, "exponent.R"))

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

scaling_picture <- function(rows) {
  panels <- list(
    list(c("rows", "rows, slope"), "Rows, 1e3 groups"), list(c("groups", "groups, slope"), "Groups of 4 rows"),
    list("p", "Columns of X, 1e5 rows"), list("theta", "Elements of theta, 2e4 rows"),
    list("crossed", "Levels L crossed with L / 5")
  )
  graphics::par(mfrow = c(2, 3), mar = c(2.6, 4.6, 2.4, 0.8), cex = 0.85, las = 1, mgp = c(2, 0.5, 0), tcl = -0.3)
  for (panel in panels) scaling_panel(rows[rows$curve %in% panel[[1L]], ], panel[[1L]], panel[[2L]])
  graphics::plot.new()
  graphics::text(-0.15, 0.98, paste(
    "Time of the whole call of lmm(),", "median, both axes logarithmic.", "",
    "Solid: (1 | g); dashed: (x | g).", "Exponent: slope over the upper", "half of the sizes; 1 is linear,",
    "as are the thin grey lines.", sep = "\n"
  ), adj = c(0, 1), cex = 1.05, xpd = NA)
}

# Decades, with 2 and 5 between them where there are few.
log_ticks <- function(span) {
  decades <- 10^seq(floor(log10(span[1L])), ceiling(log10(span[2L])))
  ticks <- if (diff(log10(span)) < 2.2) sort(c(decades, 2 * decades, 5 * decades)) else decades
  ticks[ticks >= span[1L] * 0.99 & ticks <= span[2L] * 1.01]
}

size_text <- function(x) {
  if (x < 1e4) format(x) else sub("e\\+0?", "e", format(x, scientific = TRUE))
}

scaling_panel <- function(rows, curves, label) {
  colours <- c("#0072B2", "#D55E00")
  ends <- range(rows$size)
  graphics::plot.default(NA, xlim = ends, ylim = range(rows$seconds) * c(0.7, 1.5), log = "xy", axes = FALSE,
                         xlab = "", ylab = "", main = label, font.main = 1, cex.main = 1)
  for (base in 10^seq(-10, 2, by = 0.5)) graphics::lines(ends, base * ends, col = "grey92")
  ticks <- log_ticks(range(rows$seconds) * c(0.7, 1.5))
  graphics::axis(2, ticks, seconds_text(ticks), lwd = 0, lwd.ticks = 1)
  ticks <- log_ticks(ends)
  graphics::axis(1, ticks, vapply(ticks, size_text, ""), lwd = 0, lwd.ticks = 1)
  graphics::box(col = "grey60")
  text <- character()
  for (k in seq_along(curves)) {
    own <- rows[rows$curve == curves[k], ]
    graphics::lines(own$size, own$seconds, col = colours[k], lwd = 2, lty = k)
    graphics::points(own$size, own$seconds, col = colours[k], pch = c(19, 17)[k])
    text <- c(text, sprintf("exponent %.2f", exponent(own)))
  }
  used <- seq_along(curves)
  graphics::legend("topleft", text, col = colours[used], pch = c(19, 17)[used], lty = used, lwd = 2, bty = "n",
                   text.col = colours[used])
}

draw <- function(name, width, height, plot) {
  source <- file.path(here, paste0(name, ".csv"))
  if (!file.exists(source)) return(invisible())
  grDevices::png(file.path(here, paste0(name, ".png")), width, height, res = 110)
  on.exit(grDevices::dev.off())
  plot(utils::read.csv(source))
}

draw("table", 1100, 700, table_picture)
draw("scaling", 1150, 720, scaling_picture)
