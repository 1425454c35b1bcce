# Calls of what is exported and no method, as nobody should write them: wrong values of each argument, data as they
# come from odd files and packages, and formulas put together by chance. Values and outcomes: helper-hostile.R.

# A right call for each function; `fit` and `data` are there. Each argument is put in place in turn.
hostile_base_calls <- function() {
  list(
    lmm = quote(lmm(y ~ x + (1 | g), data)), lmm_plan = quote(lmm_plan(y ~ x + (1 | g), data)),
    lmm_control = quote(lmm_control(threads = 1)), compare_models = quote(compare_models(fit, other)),
    varcomp_anova = quote(varcomp_anova(y ~ 1 + (1 | g), data)), refit_many = quote(refit_many(fit, data$y)),
    getME = quote(getME(fit, "theta")), eliminate = quote(eliminate(fit)), ls_means = quote(ls_means(fit, "f")),
    difflsmeans = quote(difflsmeans(fit)), show_tests = quote(show_tests(anova(fit))),
    get_model = quote(get_model(step)),
    plot_data = quote(plot_data(fit, "qq")), robust = quote(robust(fit)), component = quote(component(fit, "theta")),
    bootstrap = quote(bootstrap(fit, nsim = 2, progress = FALSE)), refit = quote(refit(fit, data$y)),
    refitML = quote(refitML(fit)), ranova = quote(ranova(fit, nsim = 10)), icc = quote(icc(fit)),
    shrinkage = quote(shrinkage(fit)), contest = quote(contest(fit, 1)), convergence = quote(convergence(fit)),
    isREML = quote(isREML(fit)), isSingular = quote(isSingular(fit)), ngrps = quote(ngrps(fit)),
    REMLcrit = quote(REMLcrit(fit)), rePCA = quote(rePCA(fit)), fixef = quote(fixef(fit)), ranef = quote(ranef(fit)),
    VarCorr = quote(VarCorr(fit)),
    simulate = quote(simulate_formula(~ x + (1 | g), newdata = data, newparams = parameters)),
    update = quote(update(fit, . ~ . + f)), predict = quote(predict(fit, data))
  )
}

hostile_arguments <- list(
  update = c("object", "formula.", "evaluate", "data", "REML", "subset", "weights"),
  refit_many = c("object", "Y", "progress", "ncpus"), component = c("fit", "name", "limit"),
  contest = c("fit", "L", "rhs"),
  simulate = c("object", "nsim", "seed", "newdata", "newparams", "re.form"),
  predict = c("object", "newdata", "re.form", "se.fit")
)

# The fit and the data that the calls speak of.
hostile_world <- function() {
  set.seed(3)
  data <- data.frame(
    g = factor(rep(letters[1:8], each = 5)), h = factor(rep(LETTERS[1:5], 8)), f = factor(rep(c("u", "v"), 20)),
    x = stats::rnorm(40), n = 1:40, t = rep(1:5, 8)
  )
  data$y <- 1 + data$x + stats::rnorm(8)[data$g] + stats::rnorm(40)
  fit <- suppressMessages(lmm(y ~ x + f + (1 | g), data))
  list(
    data = data, fit = fit, other = suppressMessages(lmm(y ~ x + (1 | g), data)),
    step = suppressMessages(eliminate(fit)), parameters = list(beta = c(1, 1), theta = 1, sigma = 1),
    # with lme4 loaded, simulate() gives formulas to lme4
    simulate_formula = getFromNamespace("simulate.default", "ferrite")
  )
}

# Each argument of each function with each hostile value, as a value and as a word of its own; and arguments that are
# not known.
hostile_function_calls <- function(values = hostile_values()) {
  calls <- hostile_base_calls()
  unlist(lapply(names(calls), function(name) {
    own <- names(formals(get(name, asNamespace("ferrite"))))
    arguments <- unique(c(hostile_arguments[[name]], setdiff(own, "..."), "zzz", ""))
    grid <- expand.grid(value = names(values), argument = arguments, stringsAsFactors = FALSE)
    Map(function(value, argument) {
      call <- calls[[name]]
      if (argument == "") {
        call[[length(call) + 1L]] <- quote(value)
      } else {
        call <- match.call(get(name, asNamespace("ferrite")), call)
        call[[argument]] <- quote(value)
      }
      list(what = sprintf("%s(%s = <%s>)", name, argument, value), call = call, values = list(value = values[[value]]))
    }, grid$value, grid$argument, USE.NAMES = FALSE)
  }), recursive = FALSE)
}

# What a column may be: functions of a column of 40.
hostile_columns <- function() {
  latin <- "caf\xe9"
  Encoding(latin) <- "UTF-8"
  list(
    missing = function(x) replace(rep_len(x, 40L), 1:40, NA), some = function(x) replace(x, c(1, 9), NA),
    logical_na = function(x) rep(NA, 40L), constant = function(x) rep(x[1L], 40L), zero = function(x) rep(0, 40L),
    infinite = function(x) c(Inf, seq_len(39L)), nan = function(x) c(NaN, seq_len(39L)),
    huge = function(x) 1e300 * seq_len(40L), largest = function(x) rep(c(-1, 1), 20L) * .Machine$double.xmax,
    tiny = function(x) 1e-300 * seq_len(40L), denormal = function(x) rep(c(1, 2), 20L) * 5e-324,
    overflow = function(x) rep(c(.Machine$integer.max, -.Machine$integer.max), 20L),
    text = function(x) as.character(x), latin = function(x) rep(c(latin, "b"), 20L),
    empty_text = function(x) rep("", 40L),
    list = function(x) as.list(x), nested = function(x) I(lapply(seq_len(40L), function(i) 1:3)),
    matrix = function(x) matrix(sin(1:80), 40L), named_matrix = function(x) cbind(a = sin(1:40), a = cos(1:40)),
    wide = function(x) matrix(sin(1:4000), 40L), array = function(x) array(sin(1:160), c(40L, 2L, 2L)),
    frame = function(x) data.frame(a = 1:40, b = 2), no_column = function(x) matrix(0, 40L, 0L),
    factor = function(x) factor(x), na_level = function(x) addNA(factor(replace(as.character(x), 3L, NA))),
    no_level = function(x) factor(rep(NA, 40L)), unused = function(x) factor(rep("a", 40L), levels = c("a", "b", "c")),
    ordered = function(x) ordered(rep(1:4, 10L)),
    broken_factor = function(x) structure(rep(9L, 40L), levels = "a", class = "factor"),
    double_factor = function(x) structure(rep(1.5, 40L), levels = c("a", "b"), class = "factor"),
    date = function(x) as.Date("2020-01-01") + seq_len(40L),
    time = function(x) as.POSIXct("2020-01-01", tz = "UTC") + seq_len(40L),
    lt = function(x) I(as.POSIXlt("2020-01-01", tz = "UTC") + seq_len(40L)),
    difftime = function(x) as.difftime(sin(1:40), units = "hours"),
    complex = function(x) complex(real = 1:40, imaginary = 1),
    raw = function(x) as.raw(1:40), flag = function(x) rep(c(TRUE, FALSE), 20L),
    classed = function(x) structure(as.double(x), class = "zzz"),
    unit = function(x) structure(as.double(seq_along(x)), class = "units", units = "m"),
    named = function(x) stats::setNames(x, seq_along(x)), series = function(x) stats::ts(sin(1:40)),
    series2 = function(x) stats::ts(matrix(sin(1:80), 40L)),
    int64 = function(x) structure(as.double(1:40), class = "integer64"),
    sparse = function(x) Matrix::Matrix(diag(40), sparse = TRUE)[, 1:2], formula = function(x) I(rep(list(y ~ x), 40L)),
    short = function(x) x[1:3], none = function(x) NULL, closure = function(x) I(rep(list(mean), 40L))
  )
}

# What a whole data set may be.
hostile_data <- function() {
  c(
    list(
      no_rows = function(d) d[0L, ], one_row = function(d) d[1L, ], two_rows = function(d) d[1:2, ],
      one_column = function(d) d["y"],
      no_columns = function(d) d[, 0L], twice = function(d) stats::setNames(d, c("g", "h", "f", "x", "x", "t", "y")),
      all_twice = function(d) cbind(d, d), no_names = function(d) stats::setNames(d, NULL),
      na_names = function(d) stats::setNames(d, c(names(d)[1:6], NA)),
      empty_names = function(d) stats::setNames(d, rep("", 7L)),
      matrix = function(d) as.matrix(d[c("x", "y")]), list = function(d) as.list(d),
      uneven = function(d) c(as.list(d)[-7L], list(y = 1:3)),
      environment = function(d) list2env(as.list(d)), no_environment = function(d) new.env(parent = emptyenv()),
      path = function(d) "data.csv", name = function(d) quote(d), missing_rows = function(d) d[c(1:40, NA, 99), ],
      row_names = function(d) `row.names<-`(d, paste("row", 40:1)),
      grouped = function(d) nlme::groupedData(y ~ x | g, d),
      two_frames = function(d) list(d, d), nested = function(d) list(a = d), table = function(d) table(d$g, d$h),
      broken = function(d) structure(list(y = 1:3, x = 1:5, g = 1:2), class = "data.frame", row.names = 1:3),
      no_class = function(d) structure(d, class = "zzz"), array = function(d) array(1, c(2L, 2L, 2L)),
      function_ = function(d) mean, missing_everywhere = function(d) replace(d, TRUE, NA)
    ),
    if (requireNamespace("data.table", quietly = TRUE)) list(
      data_table = function(d) data.table::as.data.table(d),
      keyed = function(d) data.table::as.data.table(d, key = "g"),
      no_data_table = function(d) data.table::data.table()
    ),
    if (requireNamespace("tibble", quietly = TRUE)) list(
      tibble = function(d) tibble::as_tibble(d), no_tibble = function(d) tibble::tibble(),
      nested_tibble = function(d) tibble::tibble(g = 1:3, y = list(d, d, d))
    ),
    if (requireNamespace("dplyr", quietly = TRUE)) list(
      grouped_df = function(d) dplyr::group_by(d, g), rowwise = function(d) dplyr::rowwise(d)
    )
  )
}

# Odd data through what takes data; `fit` was fitted to the data as they should be.
hostile_data_calls <- function() {
  uses <- list(
    quote(lmm(y ~ x + (1 | g), data)), quote(lmm(y ~ x + f + (x | g) + (1 | h), data)),
    quote(lmm(y ~ . + (1 | g), data)),
    quote(lmm(y ~ f * x + offset(x) + (f || g), data, weights = n)),
    quote(lmm(log(y^2) ~ poly(x, 2) + (1 | g:h), data)),
    quote(lmm(y ~ x + (1 | g), data, dispersion = ~ f)), quote(lmm(y ~ x + (1 | g), data, correlation = ar1(~ t | g))),
    quote(lmm(y ~ x + (1 | g), data, subset = x > 0, na.action = na.exclude)), quote(lmm(y ~ x + cs(f | g), data)),
    quote(lmm_plan(y ~ x + (1 | g), data)), quote(varcomp_anova(y ~ 1 + (1 | g), data)), quote(predict(fit, data)),
    quote(predict(fit, data, se.fit = TRUE)), quote(simulate(fit, newdata = data)), quote(update(fit, data = data)),
    quote(simulate_formula(~ x + (1 | g), newdata = data, newparams = parameters)), quote(refit(fit, data$y)),
    quote(refit_many(fit, data$y)),
    quote(bootstrap(fit, nsim = 2, statistic = function(f) data$y[1:2], progress = FALSE)),
    quote(lmm(y ~ x + (1 | g), data, start = data$x)), quote(lmm(data$y ~ data$x + (1 | data$g)))
  )
  changes <- hostile_columns()
  damages <- unlist(lapply(c("y", "x", "g", "f", "n", "t", "h"), function(column) {
    lapply(names(changes), function(name) {
      list(what = paste(column, name), change = function(d) {
        new <- unclass(d)
        new[[column]] <- changes[[name]](d[[column]])
        structure(new, class = "data.frame", row.names = seq_len(40L))
      })
    })
  }), recursive = FALSE)
  whole <- hostile_data()
  damages <- c(damages, lapply(names(whole), function(name) list(what = name, change = whole[[name]])))
  unlist(lapply(uses, function(call) {
    lapply(damages, function(damage) {
      list(what = sprintf("%s with %s", paste(deparse(call), collapse = ""), damage$what), call = call,
        change = damage$change)
    })
  }), recursive = FALSE)
}

# A formula by chance, from the operators and words that formulas have, right or wrong.
hostile_formula <- function(depth = 3L, odd = 0.2) {
  pick <- function(...) sample(list(...), 1L)[[1L]]
  wrong <- stats::runif(1L) < odd
  leaf <- function() {
    if (!wrong) return(pick(quote(x), quote(f), quote(h), quote(n), quote(t), 1))
    pick(
      quote(g), quote(y), quote(zzz), quote(.), 0, -1, 2, NA, NULL, "x", TRUE, quote(`a b`), Inf, as.name("T"),
      quote(pi),
      quote(mean), 1i, quote(...), quote(data)
    )
  }
  if (depth == 0L) return(leaf())
  right <- c("+", "+", "+", "(", "-", "*", "/", ":", "I", "factor", "log", "scale", "-1", "random", "random", "random")
  operator <- sample(if (!wrong) right else c(
    "^", "%in%", "|", "||", "~", "!", "&", "==", "<", "$", "[", "[[", "offset", "poly", "cs", "ar1", "us", "diag",
    "power",
    "function", "if", "{", "<-", "?", "stop", "quote", "%%", "@", "::", "list", "data.frame", "matrix"
  ), 1L)
  inner <- function() hostile_formula(depth - 1L, odd)
  switch(operator,
    "(" = , "!" = , "I" = , "offset" = , "factor" = , "log" = , "{" = , "stop" = , "quote" = , "scale" = , "list" = ,
    "data.frame" = , "matrix" = , "power" = call(operator, inner()),
    cs = , ar1 = , us = , diag = call(operator, call("|", inner(), leaf())),
    random = call("+", inner(),
      call("(", call(pick("|", "||"), leaf(), pick(quote(g), quote(h), quote(g:h), quote(g / h))))),
    poly = call("poly", inner(), 2), `function` = quote(function(x) x), `if` = call("if", TRUE, inner()),
    "-1" = call("-", inner(), 1), "$" = call("$", quote(data), quote(x)), "@" = call("@", quote(data), quote(x)),
    "::" = quote(stats::rnorm),
    call(operator, inner(), inner())
  )
}

hostile_formula_calls <- function(count) {
  uses <- list(
    quote(lmm(formula, data)), quote(lmm(formula, data, dispersion = part)), quote(lmm_plan(formula, data)),
    quote(varcomp_anova(formula, data)), quote(update(fit, formula)),
    quote(simulate_formula(formula, newdata = data, newparams = parameters)),
    quote(predict(fit, re.form = part)), quote(lmm(y ~ x + (1 | g), data, dispersion = part)), quote(update(fit, part)),
    quote(simulate_formula(part, newdata = data, newparams = parameters)), quote(lmm(text, data)),
    quote(update(fit, text))
  )
  lapply(seq_len(count), function(k) {
    left <- if (stats::runif(1L) < 0.9) quote(y) else hostile_formula(1L)
    right <- hostile_formula(sample(4L, 1L))
    if (stats::runif(1L) < 0.7) right <- call("+", right, quote((1 | g)))
    part <- eval(call("~", right), globalenv())
    formula <- eval(call("~", left, right), globalenv())
    use <- uses[[sample(length(uses), 1L, prob = c(5, rep(1, 11L)))]]
    list(what = paste(paste(deparse(use), collapse = ""), "with", paste(deparse(formula), collapse = "")), call = use,
      values = list(formula = formula, part = part, text = paste(deparse(formula), collapse = "")))
  })
}

# As hostile_outcome(), for these calls.
hostile_function_outcome <- function(call, world, limit) {
  space <- list2env(c(world, call$values), parent = globalenv())
  if (!is.null(call$change)) {
    changed <- tryCatch(call$change(world$data), error = function(e) NULL)
    if (is.null(changed)) return(list(kind = "none", message = ""))
    space$data <- changed
  }
  for (name in c("formula", "part")) if (inherits(space[[name]], "formula")) environment(space[[name]]) <- space
  hostile_end(call$call, space, limit)
}

hostile_function_sweep <- function(calls, limit = 10, log = NULL, world = hostile_world()) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  rows <- lapply(calls, function(call) {
    if (!is.null(log)) cat(iconv(call$what, "UTF-8", "UTF-8", "byte"), "\n", file = log)
    c(what = call$what, unlist(hostile_function_outcome(call, world, limit)))
  })
  as.data.frame(do.call(rbind, rows))
}
