# Reaction times (ms) of 18 subjects on ten days of three hours in bed; measurements of Belenky et al. (2003),
# J. Sleep Res. 12, 1-12. Data set `sleepstudy` of lme4, with short names: y = Reaction, x = Days, g = Subject.
sleep_data <- function() {
  y <- c(
    249.56, 258.7047, 250.8006, 321.4398, 356.8519, 414.6901, 382.2038, 290.1486, 430.5853, 466.3535,
    222.7339, 205.2658, 202.9778, 204.707, 207.7161, 215.9618, 213.6303, 217.7272, 224.2957, 237.3142,
    199.0539, 194.3322, 234.32, 232.8416, 229.3074, 220.4579, 235.4208, 255.7511, 261.0125, 247.5153,
    321.5426, 300.4002, 283.8565, 285.133, 285.7973, 297.5855, 280.2396, 318.2613, 305.3495, 354.0487,
    287.6079, 285, 301.8206, 320.1153, 316.2773, 293.3187, 290.075, 334.8177, 293.7469, 371.5811,
    234.8606, 242.8118, 272.9613, 309.7688, 317.4629, 309.9976, 454.1619, 346.8311, 330.3003, 253.8644,
    283.8424, 289.555, 276.7693, 299.8097, 297.171, 338.1665, 332.0265, 348.8399, 333.36, 362.0428,
    265.4731, 276.2012, 243.3647, 254.6723, 279.0244, 284.1912, 305.5248, 331.5229, 335.7469, 377.299,
    241.6083, 273.9472, 254.4907, 270.8021, 251.4519, 254.6362, 245.4523, 235.311, 235.7541, 237.2466,
    312.3666, 313.8058, 291.6112, 346.1222, 365.7324, 391.8385, 404.2601, 416.6923, 455.8643, 458.9167,
    236.1032, 230.3167, 238.9256, 254.922, 250.7103, 269.7744, 281.5648, 308.102, 336.2806, 351.6451,
    256.2968, 243.4543, 256.2046, 255.5271, 268.9165, 329.7247, 379.4445, 362.9184, 394.4872, 389.0527,
    250.5265, 300.0576, 269.8939, 280.5891, 271.8274, 304.6336, 287.7466, 266.5955, 321.5418, 347.5655,
    221.6771, 298.1939, 326.8785, 346.8555, 348.7402, 352.8287, 354.4266, 360.4326, 375.6406, 388.5417,
    271.9235, 268.4369, 257.2424, 277.6566, 314.8222, 317.2135, 298.1353, 348.1229, 340.28, 366.5131,
    225.264, 234.5235, 238.9008, 240.473, 267.5373, 344.1937, 281.1481, 347.5855, 365.163, 372.2288,
    269.8804, 272.4428, 277.8989, 281.7895, 279.1705, 284.512, 259.2658, 304.6306, 350.7807, 369.4692,
    269.4117, 273.474, 297.5968, 310.6316, 287.1726, 329.6076, 334.4818, 343.2199, 369.1417, 364.1236
  )
  subjects <- c(308, 309, 310, 330, 331, 332, 333, 334, 335, 337, 349, 350, 351, 352,
                369, 370, 371, 372)
  data.frame(y = y, x = rep(as.double(0:9), 18), g = factor(rep(subjects, each = 10)))
}

# The standard deviations of all random terms, in the order of theta.
random_sd <- function(fit) unlist(lapply(fit$random, function(term) unname(sqrt(diag(term$varcov)))))

# Agreement of each element to the printed digits of its reference value; NA where the reference has NA.
expect_close <- function(value, reference, tolerance = 1e-6) {
  value <- unname(value)
  testthat::expect_identical(is.na(value), is.na(reference))
  error <- abs(value - reference) / ifelse(reference == 0, 1, abs(reference))
  worst <- max(0, error, na.rm = TRUE)
  text <- paste(format(value, digits = 10), "against", format(reference, digits = 10), collapse = ", ")
  testthat::expect(worst <= tolerance, paste0("largest relative error ", format(worst, digits = 3), ": ", text))
}

# The three lines of a classed condition: rule, `x` found, `i` next step.
expect_three_lines <- function(condition, class) {
  testthat::expect_s3_class(condition, class)
  lines <- strsplit(conditionMessage(condition), "\n")[[1]]
  testthat::expect_match(lines[1], "[.]$")
  testthat::expect_true(any(startsWith(lines, "x ")))
  testthat::expect_true(any(startsWith(lines, "i ")))
}

# A file with these lines.
file_of <- function(...) {
  path <- tempfile()
  writeLines(c(...), path)
  path
}

# The design that lmm() hands to the engine; no fit.
design_for <- function(formula, data = NULL, weights = NULL, offset = NULL, subset = NULL, na_action = na.omit,
                       contrasts = NULL) {
  parsed <- parse_formula(formula, if (is.data.frame(data)) names(data), environment(formula))
  extras <- list(weights = weights, offset = offset, subset = subset)
  built <- build_frame(parsed, data, extras, na_action, NULL)
  design <- build_design(built, parsed$random, contrasts, Inf, NULL)
  c(design, list(built = built))
}

# Blocks as one matrix, by the definition of a block.
matrix_of <- function(blocks, n) {
  do.call(cbind, lapply(blocks, function(b) if (is.matrix(b)) b else rep_len(b, n)))
}

# Small data with factors, several groups and an ordering that is not that of the labels.
front_data <- function() {
  data <- expand.grid(a = factor(c("z", "b", "c"), levels = c("z", "b", "c")), b = c("u", "v", "t", "s"), rep = 1:4,
                      stringsAsFactors = FALSE)
  n <- nrow(data)
  data$x <- sin(seq_len(n))
  data$z <- cos(3 * seq_len(n))
  data$f <- factor(rep(c("lo", "mid", "hi"), length.out = n), levels = c("lo", "mid", "hi"))
  data$f <- data$f[order(data$x)]
  data$o <- factor(rep(1:4, each = 3, length.out = n), ordered = TRUE)
  data$g <- rep(c(10, 9.5, 2), each = 5, length.out = n)
  data$y <- data$x + data$z + seq_len(n) %% 5
  data[order(data$z), ]
}
