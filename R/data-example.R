# Documentation of the data set in data/.

#' Estrone in the blood of five women, measured sixteen times each
#'
#' Eighty measurements of the hormone estrone: sixteen for each of five women. Fears, Benichou and Gail used them to
#' show that the Wald test of a variance can fail, however clear the difference between the groups is. The story is told
#' in `vignette("ferrite", "ferrite")`.
#'
#' @format A data frame with 80 rows and the columns
#'   * `person`: the woman, a factor with levels 1 to 5;
#'   * `rep`: the number of the measurement within the woman, 1 to 16;
#'   * `estrone`: the measured concentration in pg/mL, a whole number;
#'   * `y`: `10 * log10(estrone)`, the response of all analyses below. On this scale the women differ
#'     less in their spread.
#' @details
#' The layout is balanced, so everything that `lmm(y ~ 1 + (1 | person), estrone)` estimates follows by hand from the
#' analysis of variance, with a = 5 women and n = 16 measurements each:
#'
#' | quantity | formula | value |
#' |---|---|---|
#' | mean | average of all | 14.1751 |
#' | mean square between women, MSB | n times the variance of the means | 28.3161 |
#' | mean square within women, MSE | average of the variances | 0.325436 |
#' | variance within, both criteria | MSE | 0.325436 |
#' | variance between, REML | (MSB - MSE) / n | 1.74942 |
#' | variance between, ML | ((a - 1) / a MSB - MSE) / n | 1.39546 |
#' | intraclass correlation, REML | between / (between + within) | 0.843152 |
#' | standard error of the mean, REML | sqrt(MSB / (a n)) | 0.594938 |
#' | F statistic, 4 and 75 degrees of freedom | MSB / MSE | 87.0097 |
#'
#' @section How this copy was made:
#' The numbers were not read from a file of the authors. They were written down from knowledge of the printed table and
#' then checked against figures that others have published for these data: the total and the residual sum of squares
#' 137.672 and 24.40768, the ML variances 0.325 and 1.395 with their standard errors 0.053 and 0.895 (program to
#' Pawitan's book), and an intraclass correlation above 84 percent (Gail and others 1996). All printed digits are
#' reproduced, and no change of one value by 1 to 3 units reproduces them. Two things are not confirmed in this way and
#' matter to no analysis here: the order of the sixteen values of a woman, and the numbering of the women. So do not use
#' `rep` as time.
#' @source Fears, Benichou and Gail (1996) A reminder of the fallibility of the Wald statistic. *The American
#'   Statistician* 50(3), 226-227. Also in Pawitan (2001) *In All Likelihood*, Oxford University Press.
#' @references Gail, Fears, Hoover and others (1996) *Cancer Epidemiology, Biomarkers & Prevention* 5, 835.
#' @examples
#' with(estrone, tapply(y, person, mean))
#' fit <- lmm(y ~ 1 + (1 | person), estrone)
#' VarCorr(fit) # standard deviations 1.32266 and 0.57047
#' anova(aov(y ~ person, estrone))
"estrone"
