# The models on which two builds are compared: list(name, formula, data, args, ask, loss).
#
#   data   made when asked for, from a fixed seed or from R's packages and those of lme4 and nlme
#   args   further arguments of lmm(), as they are written
#   ask    what is asked of the fit beyond `few` (see equal-quantities.R)
#   loss   how many times more rounding than elsewhere the input itself asks for (digits cancel); said where it is not 1

tests <- new.env()
for (file in list.files(file.path(here, "..", "tests", "testthat"), "^helper-.*[.]R$", full.names = TRUE)) {
  sys.source(file, tests)
}
source(file.path(here, "cases.R"))
estrone <- getExportedValue("ferrite", "estrone")
tests$estrone <- estrone

few <- c("fit", "inference", "anova", "rows", "predict")
some <- c(few, "simulate", "refit", "deletion", "robust", "component", "criterion", "plan")
full <- c(some, "profile", "bootstrap", "resample", "tests", "icc", "squares")

cases <- list()
case <- function(name, formula, data, ..., ask = some, loss = 1) {
  stopifnot(is.null(cases[[name]]))
  cases[[name]] <<- list(name = name, formula = formula, data = substitute(data), space = parent.frame(),
                         args = as.list(substitute(list(...)))[-1L], ask = ask, loss = loss)
}
both <- function(name, formula, data, ..., ask = some, loss = 1) {
  call <- match.call()
  call[[1L]] <- quote(case)
  for (REML in c(TRUE, FALSE)) { # nolint: object_name_linter.
    call$name <- paste(name, if (REML) "REML" else "ML")
    call$REML <- REML
    eval(call, parent.frame())
  }
}
from <- function(package, name) tests$plain(tests$from_package(package, name))
of_nlme <- function(name) from("nlme", name)

# --- data of the tests, of lme4, of nlme, of R -----------------------------------------------------------------------

for (id in names(tests$reference_fits)) {
  local({
    reference <- tests$reference_fits[[id]]
    arguments <- list(quote(case), paste("reference", id), reference$formula,
      bquote(tests$reference_data(.(reference$data))),
                      REML = reference$REML)
    if (!is.null(reference$weights)) arguments$weights <- as.name(reference$weights)
    size <- nrow(tests$reference_data(reference$data))
    arguments$ask <- if (size < 400) full else if (size < 1500) some else few
    eval(as.call(arguments))
  })
}
local({
  shapes <- tests$model_shapes()
  for (id in names(shapes)) {
    shape <- shapes[[id]]
    eval(as.call(c(list(quote(case), paste("shape", id), shape[[1L]], bquote(.(shapes)[[.(id)]][[2L]])), shape[-(1:2)],
                   list(ask = if (id %in% c("slope", "nested", "crossed", "weighted", "offset",
                     "dropped")) full else some))))
  }
})
sleep <- function() {
  data <- tests$sleep_data()
  i <- seq_len(nrow(data))
  transform(data, w = 1 + (i %% 7) / 4, o = 20 * sin(i), f = factor(letters[1 + i %% 3]), v = factor(x + 1),
            half = factor(ifelse(x < 5, "a", "b")))
}
both("sleep slope", y ~ x + (x | g), sleep(), ask = full)
both("sleep uncorrelated", y ~ x + (x || g), sleep(), ask = full)
both("sleep intercept", y ~ x + (1 | g), sleep(), ask = full)
both("sleep weights and offset", y ~ x * f + (x | g), sleep(), weights = w, offset = o, ask = full)
case("sleep slope only", y ~ x + (0 + x | g), sleep())
case("sleep no intercept", y ~ 0 + x + (1 | g), sleep(), ask = full)
case("sleep factor without intercept", y ~ 0 + f + (x | g), sleep(), ask = full)
case("sleep factor without intercept, far from zero", y ~ 0 + f + (x | g), transform(sleep(), y = y + 1e6))
case("sleep two separate terms", y ~ x + (1 | g) + (0 + x | g), sleep(), ask = full)
case("sleep quadratic in three", y ~ x + I(x^2) + (x + I(x^2) | g), sleep(), ask = full)
case("sleep splines", y ~ splines::ns(x, 3) + (splines::ns(x, 3) | g), sleep())
case("sleep six columns", y ~ poly(x, 5) + (poly(x, 5) | g), sleep(), ask = few)
case("sleep seven columns", y ~ poly(x, 6) + (poly(x, 6) || g), sleep(), ask = few)
case("sleep subset", y ~ x + (x | g), sleep(), subset = x > 1, ask = full)
case("sleep start", y ~ x + (x | g), sleep(), start = c(2, 0.5, 0.1))
case("sleep start on the boundary", y ~ x + (x | g), sleep(), start = c(0, 0, 0))
case("sleep start far away", y ~ x + (1 | g), sleep(), start = 1e3)
case("sleep few evaluations", y ~ x + (x | g), sleep(), control = lmm_control(max_evaluations = 3), ask = "fit")
case("sleep contrasts", y ~ f * x + (1 | g), sleep(), contrasts = list(f = "contr.sum"), ask = full)
case("sleep factor slope", y ~ f + (f | g), sleep())
case("sleep factor slope, no intercept", y ~ f + (0 + f | g), sleep())
case("sleep factor slope, separate", y ~ f + (f || g), sleep())
case("sleep cell means", y ~ v + (1 | g), sleep(), ask = full)
case("sleep rank", y ~ x + I(2 * x) + f + half + v + (1 | g), sleep())
case("sleep aliased cells", y ~ half * v + (x | g), sleep())
case("Dyestuff", Yield ~ 1 + (1 | Batch), from("lme4", "Dyestuff"), ask = full)
case("Dyestuff2", Yield ~ 1 + (1 | Batch), from("lme4", "Dyestuff2"), ask = full)
case("Pastes nested", strength ~ 1 + (1 | batch / cask), from("lme4", "Pastes"), ask = full)
case("Pastes nested, rows weighted", strength ~ 1 + (1 | batch / cask), transform(from("lme4", "Pastes"),
     w = rep(1:3, 20)),
     weights = w, ask = full)
both("Penicillin", diameter ~ 1 + (1 | plate) + (1 | sample), from("lme4", "Penicillin"), ask = full)
case("Penicillin weights", diameter ~ 1 + (1 | plate) + (1 | sample),
     transform(from("lme4", "Penicillin"), w = 1 + seq_len(144) %% 5), weights = w, ask = full)
case("cake", angle ~ recipe * temperature + (1 | replicate) + (1 | recipe:replicate), from("lme4", "cake"), ask = full)
case("cake singular", angle ~ recipe + temp + (temp | replicate) + (temp | recipe:replicate), from("lme4", "cake"))
case("VerbAgg", r ~ (Anger + Gender + btype + situ)^2 + (1 | id) + (1 | item),
     transform(from("lme4", "VerbAgg"), r = as.numeric(resp)), ask = few)
case("VerbAgg slopes", r ~ Anger + mode + (1 + mode | id) + (1 | item),
     transform(from("lme4", "VerbAgg"), r = as.numeric(resp)), ask = few)
case("InstEval crossed", y ~ service + (1 | s) + (1 | d), from("lme4", "InstEval"), ask = "fit")
case("InstEval three", y ~ service + (1 | s) + (1 | d) + (1 | dept), from("lme4", "InstEval"),
     ask = c("fit", "inference"))
case("InstEval nested", y ~ service + (1 | dept / d), from("lme4", "InstEval"), ask = few)
case("InstEval departments", y ~ service * dept + (1 | d), from("lme4", "InstEval"), ask = "fit")
both("Oxboys", height ~ age + I(age^2) + (age | Subject), of_nlme("Oxboys"), ask = full)
case("Oxboys quadratic", height ~ age + I(age^2) + (age + I(age^2) | Subject), of_nlme("Oxboys"))
both("Orthodont", distance ~ age * Sex + (age | Subject), of_nlme("Orthodont"), ask = full)
case("Orthodont by sex", distance ~ age * Sex + (1 | Sex:Subject), of_nlme("Orthodont"), ask = full)
case("Machines", score ~ Machine + (Machine | Worker), of_nlme("Machines"), ask = full)
case("Machines nested", score ~ Machine + (1 | Worker / Machine), of_nlme("Machines"), ask = full)
both("Rail", travel ~ 1 + (1 | Rail), of_nlme("Rail"), ask = full)
case("BodyWeight", weight ~ Time * Diet + (Time | Rat), of_nlme("BodyWeight"), ask = full)
case("Pixel", pixel ~ day + I(day^2) + (day | Dog) + (1 | Dog:Side), of_nlme("Pixel"), ask = full)
case("Alfalfa", Yield ~ Date * Variety + (1 | Block / Variety), of_nlme("Alfalfa"), ask = full)
case("Oats", yield ~ nitro * Variety + (1 | Block / Variety), of_nlme("Oats"), ask = full)
case("Oats singular", yield ~ nitro + (nitro | Block), of_nlme("Oats"))
case("Assay", logDens ~ sample * dilut + (1 | Block) + (1 | Block:sample) + (1 | Block:dilut), of_nlme("Assay"),
     ask = full)
case("ergoStool", effort ~ Type + (1 | Subject), of_nlme("ergoStool"), ask = full)
case("Dialyzer", rate ~ (pressure + I(pressure^2)) * QB + (pressure | Subject), of_nlme("Dialyzer"))
case("Gasoline", yield ~ endpoint + vapor + (1 | Sample), of_nlme("Gasoline"), ask = full)
case("Soybean", weight ~ Time * Variety + (Time | Plot), of_nlme("Soybean"))
case("Spruce", logSize ~ days + (days | Tree), of_nlme("Spruce"))
case("Wafer", current ~ voltage + I(voltage^2) + (voltage | Wafer) + (voltage | Wafer:Site), of_nlme("Wafer"))
case("Oxide", Thickness ~ Source + (1 | Lot / Wafer), of_nlme("Oxide"), ask = full)
case("RatPupWeight", weight ~ sex * Treatment + Lsize + (1 | Litter), of_nlme("RatPupWeight"), ask = full)
case("ChickWeight", weight ~ Time * Diet + (Time | Chick), from("datasets", "ChickWeight"))
case("npk", yield ~ N * P * K + (1 | block), from("datasets", "npk"), ask = full)
case("warpbreaks", breaks ~ tension + (1 | wool), from("datasets", "warpbreaks"), ask = full)
case("CO2", uptake ~ log(conc) * Type * Treatment + (log(conc) | Plant), from("datasets", "CO2"), ask = full)
case("estrone", estrone ~ 1 + (1 | person), estrone, ask = full)
case("nlme bdf", langPOST ~ IQ.ver.cen + avg.IQ.ver.cen + (IQ.ver.cen | schoolNR), of_nlme("bdf"), ask = few)
case("MathAchieve", MathAch ~ SES * Sex + (SES | School), of_nlme("MathAchieve"), ask = few)

# --- patterns
# ----------------------------------------------------------------------------------------------------------

tooth <- function() transform(tests$growth(), v = factor(age), visit = (age - 6) / 2)
twice <- function() {
  data <- tooth()
  set.seed(11)
  rbind(data, transform(data, distance = distance + stats::rnorm(nrow(data), 0, 0.7)))
}
patterns <- list(
  diag = y ~ x + diag(x | g), `diag hom` = y ~ x + diag(x | g, hom = TRUE), cs = y ~ x + cs(x | g),
    us = y ~ x + us(x | g),
  `diag factor` = y ~ f + diag(0 + f | g), `diag factor hom` = y ~ f + diag(0 + f | g, hom = TRUE),
  `cs factor` = y ~ f + cs(0 + f | g), `cs factor hom` = y ~ f + cs(0 + f | g, hom = TRUE),
  `ar1 factor` = y ~ f + ar1(0 + f | g), `ar1 factor het` = y ~ f + ar1(0 + f | g, hom = FALSE),
  `ar1 halves` = y ~ half + ar1(0 + half | g)
)
for (id in names(patterns)) both(paste("pattern", id), patterns[[id]], sleep(),
  ask = if (grepl("hom|cs$", id)) full else some)
case("pattern ar1 and strata", distance ~ age + ar1(0 + v | Subject), tooth(), dispersion = ~ Sex)
case("pattern cs, repeated", distance ~ age + cs(0 + v | Subject), twice())
case("pattern cs hom and series", distance ~ age + cs(0 + v | Subject, hom = TRUE), tooth(),
     correlation = ar1(~ 1 | Subject))
case("pattern two factors", y ~ x + diag(x | a, hom = TRUE) + (1 | b), tests$crossed_data(), ask = full)
case("pattern weights", y ~ f + cs(0 + f | g), sleep(), weights = w, offset = o)

# --- residual structures
# -----------------------------------------------------------------------------------------------

residual_data <- function() transform(tests$crossed_data(), h = factor(ifelse(x > 0, "p", "n")), p = abs(x) + 0.5)
dispersions <- list(strata = ~ s, product = ~ s:h, sum = ~ s + h, covariate = ~ x, power = ~ power(p),
  mixed = ~ s + power(p))
series <- list(ar1 = quote(ar1(~ t | a)), car1 = quote(car1(~ t | a)), cs = quote(cs(~ 1 | a)))
for (id in names(dispersions)) {
  eval(bquote(both(.(paste("dispersion", id)), y ~ x + (1 | a) + (1 | b), residual_data(),
    dispersion = .(dispersions[[id]]),
                   ask = .(if (id %in% c("strata", "power")) full else some))))
  eval(bquote(case(.(paste("dispersion, one factor,", id)), y ~ x + (x | a), residual_data(),
    dispersion = .(dispersions[[id]]))))
}
for (id in names(series)) {
  eval(bquote(both(.(paste("series", id)), y ~ x + (1 | b), residual_data(), correlation = .(series[[id]]),
                   ask = .(if (id == "ar1") full else some))))
  eval(bquote(case(.(paste("series and strata", id)), y ~ x + (1 | b), residual_data(), correlation = .(series[[id]]),
                   dispersion = ~ s, weights = w)))
}
case("series in the factor", y ~ x + (1 | a) + (1 | b), residual_data(), correlation = ar1(~ t | a), weights = w)
case("series of the slope", distance ~ age + (0 + age | Subject), tooth(), correlation = cs(~ 1 | Subject),
     dispersion = ~ Sex)
both("Ovary ar1", follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), tests$cycles(),
     correlation = ar1(~ step | Mare))
case("Ovary car1", follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare), tests$cycles(),
     correlation = car1(~ Time | Mare))
case("BodyWeight power", weight ~ Time * Diet + (Time | Rat), of_nlme("BodyWeight"), dispersion = ~ power(Time))
case("BodyWeight car1", weight ~ Time * Diet + (1 | Rat), of_nlme("BodyWeight"), correlation = car1(~ Time | Rat))
case("Orthodont strata", distance ~ age * Sex + (age | Subject), tooth(), dispersion = ~ Sex, ask = full)
case("Orthodont series", distance ~ age * Sex + (1 | Subject), tooth(), correlation = ar1(~ visit | Subject),
     dispersion = ~ Sex)
case("Dialyzer power", rate ~ (pressure + I(pressure^2)) * QB + (pressure | Subject), of_nlme("Dialyzer"),
     dispersion = ~ power(pressure))
case("missing days", y ~ x + (1 | station) + (1 | day), tests$crossed(), weights = w, dispersion = ~ kind,
     correlation = ar1(~ day | station), ask = full)
case("series alone", y ~ x + (1 | day), tests$crossed(), correlation = cs(~ 1 | station))
case("series start", y ~ x + (1 | b), residual_data(), correlation = ar1(~ t | a), dispersion = ~ s, start = 0.3)

# --- simulated designs, by path of the engine
# --------------------------------------------------------------------------

design <- function(n, levels, seed = 1, sd = 1, columns = 2L) {
  set.seed(seed)
  g <- lapply(levels, function(k) sample.int(k, n, replace = TRUE))
  x <- matrix(stats::rnorm(n * columns), n, dimnames = list(NULL, paste0("x", seq_len(columns))))
  y <- 1 + 0.5 * x[, 1L] + stats::rnorm(n)
  for (k in seq_along(g)) {
    y <- y + sd * stats::rnorm(levels[k])[g[[k]]] + 0.4 * sd * stats::rnorm(levels[k])[g[[k]]] * x[, 1L]
  }
  names(g) <- letters[seq_along(g)]
  data.frame(y = y, x, lapply(g, as_factor), w = stats::runif(n, 0.2, 3), o = stats::rnorm(n))
}
within_levels <- function(n, sizes, seed = 2) {
  set.seed(seed)
  code <- sample.int(prod(sizes), n, replace = TRUE) - 1L
  inner <- rev(cumprod(rev(sizes)))
  data <- lapply(seq_along(sizes), function(k) code %/% c(inner, 1)[k + 1L] + 1L)
  y <- stats::rnorm(n)
  for (codes in data) y <- y + stats::rnorm(max(codes))[codes]
  x1 <- stats::rnorm(n)
  names(data) <- letters[seq_along(data)]
  data.frame(y = y + x1, x1 = x1, lapply(data, as_factor), w = stats::runif(n, 0.2, 3))
}
both("one factor, k = 1", y ~ x1 + (1 | a), design(600, 50), ask = full)
both("one factor, k = 2", y ~ x1 + (x1 | a), design(600, 50), ask = full)
both("one factor, k = 3", y ~ x1 + x2 + (x1 + x2 | a), design(600, 50))
case("one factor, k = 5", y ~ x1 + (x1 + x2 + x3 + x4 | a), design(1500, 60, columns = 4), ask = few)
case("one factor, k = 6", y ~ x1 + (x1 + x2 + x3 + x4 + x5 | a), design(2000, 60, columns = 6), ask = "fit")
case("one factor, k = 7", y ~ x1 + (x1 + x2 + x3 + x4 + x5 + x6 | a), design(2000, 60, columns = 6), ask = "fit")
case("one factor, weights", y ~ x1 + (x1 | a), design(600, 50), weights = w, offset = o, ask = full)
case("one factor, groups of one row", y ~ x1 + (1 | a), design(300, 290), ask = few)
both("nested in two", y ~ x1 + (1 | a / b), within_levels(800, c(12, 8)), ask = full)
case("nested in two, weights", y ~ x1 + (1 | a / b), within_levels(800, c(12, 8)), weights = w)
case("nested in two, slope inside", y ~ x1 + (x1 | b:a) + (1 | a), within_levels(800, c(12, 8)))
case("nested in two, slope outside", y ~ x1 + (1 | b:a) + (x1 | a), within_levels(800, c(12, 8)))
both("nested in three", y ~ x1 + (1 | a / b / c), within_levels(1500, c(6, 5, 6)), ask = some)
case("nested in three, slopes", y ~ x1 + (x1 | a / b / c), within_levels(1500, c(6, 5, 6)), ask = few)
both("crossed", y ~ x1 + (1 | a) + (1 | b), design(700, c(40, 25)), ask = full)
case("crossed, slopes", y ~ x1 + (x1 | a) + (x1 | b), design(900, c(40, 25)))
case("crossed, slopes apart", y ~ x1 + (x1 || a) + (x1 || b), design(900, c(40, 25)))
case("crossed, weights", y ~ x1 + (1 | a) + (1 | b), design(700, c(40, 25)), weights = w, offset = o)
both("crossed in three", y ~ x1 + (1 | a) + (1 | b) + (1 | c), design(1200, c(40, 25, 10)))
case("crossed in three, slope", y ~ x1 + (x1 | a) + (1 | b) + (1 | c), design(1200, c(40, 25, 10)), ask = few)
case("crossed with cells", y ~ x1 + (1 | a) + (1 | b) + (1 | a:b), design(1500, c(20, 12)))
case("sparse", y ~ 1 + (1 | a) + (1 | b), neighbours(6000, 1500), ask = c("fit", "refit", "predict"))
case("sparse, few rows", y ~ 1 + (1 | a) + (1 | b), neighbours(900, 120), ask = some)
case("sparse, weights", y ~ 1 + (1 | a) + (1 | b), transform(neighbours(3000, 400), w = 1 + seq_len(3000) %% 3),
     weights = w,
     ask = few)
case("maximal", rt ~ s * p * l + (s * p * l | subj) + (s * p * l | item), maximal(), ask = c("fit", "inference"))
case("many columns", stats::reformulate(c(paste0("x", 1:29), "(1 | g)"), "y"), wide(4000, 30, 100), ask = few)
for (seed in 1:12) {
  eval(bquote(case(.(paste("boundary", seed)), y ~ x1 + (x1 | a), design(60, 6, seed = .(seed), sd = .(0.12)),
    ask = few)))
  eval(bquote(case(.(paste("boundary, crossed", seed)), y ~ x1 + (1 | a) + (x1 | b),
    design(80, c(7, 5), seed = .(seed), sd = 0.15),
                   ask = few)))
}
for (seed in 1:4) {
  eval(bquote(case(.(paste("boundary, three", seed)), y ~ x1 + (x1 + x2 | a), design(70, 7, seed = .(seed), sd = 0.2),
    ask = few)))
  eval(bquote(case(.(paste("boundary, deletion and refits", seed)), y ~ x1 + (1 | a) + (1 | b),
                   design(90, c(8, 6), seed = .(seed + 20), sd = 0.1), ask = full)))
}

# --- large
# -------------------------------------------------------------------------------------------------------------

case("large, intercept", y ~ x + (1 | g), one_factor(1e5, 1e3, FALSE), ask = few)
case("large, slope", y ~ x + (x | g), one_factor(1e5, 1e4, TRUE), ask = c("fit", "inference", "predict"))
case("large, weights", y ~ x1 + (x1 | a), design(1e5, 2000), weights = w, offset = o, ask = "fit")
case("large, nested", y ~ x + (1 | b) + (1 | a), nested(1e5, 100, 5000), ask = c("fit", "predict"))
case("large, crossed", y ~ x + (1 | a) + (1 | b), crossed(1e5, 2000, 300), ask = "fit")
case("large, sparse", y ~ 1 + (1 | a) + (1 | b), neighbours(1e5, 1e4), ask = "fit")
case("large, strata", y ~ x + (x | g), transform(one_factor(1e5, 1e3, TRUE), s = factor(rep(1:4, 25000))),
     dispersion = ~ s, ask = "fit")
case("large, series", y ~ x + (1 | g), one_factor(1e5, 1e3, FALSE), correlation = ar1(~ 1 | g), ask = "fit")

# --- hard
# --------------------------------------------------------------------------------------------------------------

hard <- function(...) transform(tests$sleep_data(), ...)
case("hard unit of x", y ~ x + (x | g), hard(x = x * 1e6), ask = some)
case("hard calendar year", y ~ x + (x | g), hard(x = x + 2000), ask = some)
case("hard y at 1e9", y ~ x + (x | g), hard(y = y + 1e9), ask = some)
case("hard y at 1e15", y ~ x + (x | g), hard(y = y + 1e15), ask = "fit")
case("hard unit of y 1e-9", y ~ x + (x | g), hard(y = y * 1e-9))
case("hard unit of y 1e150", y ~ x + (1 | g), hard(y = y * 1e150))
case("hard short groups", y ~ x + (1 | g), transform(tests$sleep_data(), g = (2 * (seq_along(y) - 1)) %/% 3))
case("hard one group", y ~ x + (1 | g), hard(g = "a"), ask = few)
case("hard level a row", y ~ x + (1 | g), hard(g = 1:180), ask = few)
case("hard logical group", y ~ x + (1 | g), hard(g = seq_along(y) > 100))
case("hard missing group", y ~ x + (1 | g), hard(g = replace(g, c(5, 50), NA)))
case("hard perfect", y ~ x + (1 | g), hard(y = 2 + 3 * x), ask = few)
case("hard constant", y ~ x + (1 | g), hard(y = 5), ask = few)
case("hard twice the column", y ~ x + x2 + (1 | g), hard(x2 = 2 * x))
case("hard nearly the column", y ~ x + x2 + (1 | g), hard(x2 = x + 1e-5 * sin(seq_along(x))), loss = 1e4)
case("hard no df", y ~ z + (1 | g), transform(tests$sleep_data()[1:10 * 18, ], z = factor(1:10)), ask = few)
case("hard same factor", y ~ g + (1 | g), hard(), ask = few)
case("hard zero weights", y ~ x + (1 | g), hard(w = rep(c(0, 1, 1), 60)), weights = w)
case("hard weights of 1e12", y ~ x + (x | g), hard(w = ifelse(x > 8, 1e12, 1)), weights = w, ask = few)
case("hard small weights", y ~ x + (x | g), hard(w = ifelse(x > 8, 1e-12, 1)), weights = w, ask = few)
case("hard negative weights", y ~ x + (1 | g), hard(w = -1), weights = w, ask = few)
case("hard infinite y", y ~ x + (1 | g), hard(y = replace(y, 7, Inf)), ask = few)
case("hard twice the term", y ~ x + (1 | g) + (1 | g), hard(), ask = few)
case("hard term in the term", y ~ x + (x | g) + (1 | g), hard(), ask = few)
case("hard logical y", y ~ x + (1 | g), hard(y = y > 300))
case("hard series to one", y ~ 1 + (1 | g), hard(y = cumsum(y)), correlation = ar1(~ x | g), ask = few, loss = 10)
case("hard scale to zero", y ~ x + (1 | g), hard(s = factor(x > 8), y = ifelse(x > 8, 300, y)), dispersion = ~ s,
     ask = few)
case("hard pattern unidentified", distance ~ cs(0 + v | Subject, hom = TRUE), tooth(), ask = few)
