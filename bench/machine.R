# What the timings were made on: one row, to stand beside each of them.

load_now <- function() {
  if (!file.exists("/proc/loadavg")) return(NA_real_)
  as.double(strsplit(readLines("/proc/loadavg", n = 1L), " ", fixed = TRUE)[[1L]][1L])
}

machine <- function() {
  from <- function(file, pattern) {
    if (!file.exists(file)) return(NA_character_)
    sub("^[^:]*:\\s*", "", grep(pattern, readLines(file), value = TRUE)[1L])
  }
  kilobytes <- as.double(gsub("[^0-9]", "", from("/proc/meminfo", "^MemTotal:")))
  data.frame(
    cpu = from("/proc/cpuinfo", "^model name"), cores = parallel::detectCores(), memory_gb = round(kilobytes / 2^20),
    r = as.character(getRversion()), blas = basename(extSoftVersion()[["BLAS"]]), system = Sys.info()[["sysname"]],
    date = format(Sys.Date())
  )
}
