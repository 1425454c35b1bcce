# The data of the reference fits, from R's own packages, with ordered grouping factors as plain factors.

plain <- function(data) {
  data <- as.data.frame(data)
  class(data) <- "data.frame"
  for (name in names(data)) {
    if (is.ordered(data[[name]])) data[[name]] <- factor(data[[name]], levels = levels(data[[name]]), ordered = FALSE)
  }
  data
}

from_package <- function(package, name) {
  testthat::skip_if_not_installed(package)
  environment <- new.env()
  utils::data(list = name, package = package, envir = environment)
  if (!is.null(environment[[name]])) environment[[name]] else getExportedValue(package, name)
}

sleepstudy_with <- function(change) {
  data <- from_package("lme4", "sleepstudy")
  change(data)
}

reference_data <- function(name) {
  switch(
    name,
    estrone = estrone,
    cake = from_package("lme4", "cake"),
    ChickWeight = , npk = plain(from_package("datasets", name)),
    Dyestuff = , Dyestuff2 = , Pastes = , Penicillin = , sleepstudy = plain(from_package("lme4", name)),
    sleepstudy_x = sleepstudy_with(function(data) {
      data$Days2 <- 2 * data$Days + 1
      data$w <- 1 + (seq_len(180) %% 4) / 2
      data$off <- 5 * data$Days
      data$half <- factor(ifelse(data$Days < 5, "a", "b"))
      data
    }),
    sleepstudy_na = sleepstudy_with(function(data) {
      data$Reaction[c(3, 17, 88)] <- NA
      data$Days[40:41] <- NA
      data$Subject[101] <- NA
      data
    }),
    MathAchieve = {
      pupils <- plain(from_package("nlme", name))
      schools <- plain(from_package("nlme", "MathAchSchool"))
      means <- tapply(pupils$MEANSES, pupils$School, mean)
      pupils$MEANSES <- as.numeric(means[as.character(pupils$School)])
      pupils
    },
    plain(from_package("nlme", name))
  )
}
