library(testthat)
library(ferrite)

test_check("ferrite")
