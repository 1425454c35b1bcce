# How a table of shrinkage() looks on the console and in reports: one piece for each grouping factor and effect.

#' @rdname shrinkage
#' @export
print.lmm_shrinkage <- function(x, n = 20, digits = max(3L, getOption("digits") - 3L), ...) {
  check_printed(digits, n)
  pieces <- pooling_pieces(x, n, digits)
  if (is.null(pieces)) {
    print(as.data.frame(x), digits = digits, ...)
    return(invisible(x))
  }
  width <- 0.95 * getOption("width")
  cat(pooling_title(x), "\n", sep = "")
  cat(strwrap(deparse_one(attr(x, "formula")), width, initial = "Formula: ", prefix = strrep(" ", 9L)), sep = "\n")
  for (piece in pieces) {
    cat("\n", paste0(strwrap(piece$heading, width), "\n"), sep = "")
    print_table(piece$table, "level")
    if (length(piece$rest)) cat(piece$rest, "\n", sep = "")
  }
  invisible(x)
}

pooling_title <- function(x) {
  paste("Complete, no and partial pooling, mixed model by", if (attr(x, "REML")) "REML" else "maximum likelihood")
}

# list(heading, table, rest) for each grouping factor and effect; NULL for a table that lost columns or attributes.
pooling_pieces <- function(x, n, digits) {
  wanted <- c("group", "level", "effect", "n", "complete", "none", "partial", "factor")
  if (!nrow(x) || !all(wanted %in% names(x)) || !all(c("formula", "REML", "sd") %in% names(attributes(x)))) {
    return(NULL)
  }
  key <- paste(x$group, x$effect, sep = "\r")
  lapply(unique(key), function(one) pooling_piece(as.data.frame(x)[key == one, ], attr(x, "sd")[[one]], n, digits))
}

pooling_piece <- function(rows, sd, n, digits) {
  levels <- nrow(rows)
  heading <- sprintf("%s, %s: %s of %s, standard deviation %s, shrinkage factor %s", rows$group[1L], rows$effect[1L],
    counted(levels, "level"), span_text(rows$n, 7L, "row"), format(sd, digits = digits),
    span_text(rows$factor, digits))
  spread <- stats::median(abs(rows$none - rows$complete), na.rm = TRUE)
  rest <- character()
  if (levels > n) {
    moved <- order(abs(rows$none - rows$partial), decreasing = TRUE)
    rows <- rows[moved[seq_len(n)], ]
    heading <- paste0(heading, ". The ", n, " levels that partial pooling moves most:")
    rest <- paste("... and", counted(levels - n, "more level"))
  } else {
    heading <- paste0(heading, ".")
  }
  estimates <- lapply(rows[c("complete", "none", "partial")], format_spread, spread = spread, digits = digits)
  table <- cbind(
    level = rows$level, n = format(rows$n), do.call(cbind, estimates), factor = format_spread(rows$factor, 0.1, digits)
  )
  rownames(table) <- rep("", nrow(table))
  list(heading = heading, table = table, rest = rest)
}

# As many decimals as show differences of the size of `spread`.
format_spread <- function(values, spread, digits) {
  decimals <- digits - 2L - floor(log10(spread))
  if (!is.finite(decimals) || decimals > 12L) {
    return(format(values, digits = digits))
  }
  text <- formatC(values, digits = max(0L, decimals), format = "f", big.mark = thousands())
  trimws(sub("^( *)-(0[.]?0*)$", "\\1\\2", text))
}

# "10 rows", "1 to 12 rows (median 4)", "0.7513", "0.1 to 0.9 (median 0.5)"
span_text <- function(values, digits, noun = NULL) {
  text <- function(value) format(signif(value, digits), digits = digits, big.mark = thousands())
  if (diff(range(values)) <= 1e-6 * max(abs(values))) {
    return(if (is.null(noun)) text(values[1L]) else counted(values[1L], noun))
  }
  paste0(text(min(values)), " to ", text(max(values)), if (!is.null(noun)) paste0(" ", noun, "s"),
    " (median ", text(stats::median(values)), ")")
}

# In reports (registered in register.R).
knit_print_shrinkage <- function(x, n = 20L, ...) {
  pieces <- pooling_pieces(x, n, report_digits())
  if (is.null(pieces)) {
    return(knitr::knit_print(as.data.frame(x)))
  }
  parts <- lapply(pieces, function(piece) {
    list(captioned(piece$table, piece$heading, left = 1L), if (length(piece$rest)) piece$rest)
  })
  head <- list(structure(pooling_title(x), role = "title"), structure(deparse_one(attr(x, "formula")), role = "code"))
  as_output(c(head, Filter(length, unlist(parts, recursive = FALSE))))
}
