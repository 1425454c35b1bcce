# Fears, Benichou and Gail (1996), The American Statistician 50, 226-227; see ?estrone for how far this copy is checked.
# One row per woman; estrone in pg/mL.
estrone <- local({
  measured <- rbind(
    c(23, 23, 22, 20, 25, 22, 27, 25, 22, 22, 23, 23, 27, 19, 23, 18),
    c(25, 33, 27, 27, 30, 28, 24, 22, 26, 30, 30, 29, 29, 37, 24, 28),
    c(38, 38, 41, 38, 38, 32, 38, 42, 35, 40, 41, 37, 28, 36, 30, 37),
    c(14, 16, 15, 19, 20, 22, 16, 19, 17, 18, 20, 18, 12, 17, 15, 13),
    c(46, 36, 30, 29, 36, 31, 30, 32, 32, 31, 30, 32, 25, 29, 31, 32)
  )
  estrone <- as.integer(t(measured))
  data.frame(person = gl(5L, 16L), rep = rep(1:16, times = 5L), estrone = estrone, y = 10 * log10(estrone))
})
