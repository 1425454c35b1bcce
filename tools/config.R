# Writes src/Makevars from its template. Run by configure.
#
# Settings, as environment variables, for people who work on the package:
#   DEBUG=1              unoptimised build with symbols; the target directory stays
#   FERRITE_TARGET_DIR   build there and keep it, so that the next install is short

source("tools/msrv.R")

windows <- .Platform$OS.type == "windows"
debug <- nzchar(Sys.getenv("DEBUG"))
shared <- gsub("\\", "/", Sys.getenv("FERRITE_TARGET_DIR"), fixed = TRUE)
vendored <- file.exists("src/rust/vendor.tar.xz")

# CRAN allows two jobs. A source package brings its crates along and must not reach for the network.
flags <- c("-j 2", "--locked", if (vendored) "--offline", if (!debug) "--release")

# On Linux: what is not called goes, only R's entry point is exported, and, where glibc can read them, relocations are
# packed. A linker that does not know the last leaves them as they are.
linux <- Sys.info()[["sysname"]] == "Linux" && !debug
libc <- if (linux) tryCatch(suppressWarnings(system2("getconf", "GNU_LIBC_VERSION", stdout = TRUE, stderr = FALSE)),
                            error = function(e) character())
libc <- sub("^glibc ", "", grep("^glibc [0-9.]+$", libc, value = TRUE))
link <- c(
  if (linux) c("-Wl,--gc-sections", "-Wl,--exclude-libs,ALL"),
  if (length(libc) && numeric_version(libc) >= "2.36") "-Wl,-z,pack-relative-relocs"
)

values <- c(
  CARGO_FLAGS = paste(flags, collapse = " "),
  LIBDIR = if (debug) "debug" else "release",
  TARGET_DIR = if (nzchar(shared)) shared else "$(CURDIR)/rust/target",
  LINK_FLAGS = paste(link, collapse = " "),
  # Objects that R's checks would scan go before they look; a directory of one's own stays.
  CLEAN_TARGET = if (debug || nzchar(shared)) "" else "\"$(TARGET_DIR)\"",
  # Debugging information and names of internal functions; R's checks want to see those of the functions called.
  STRIP = if (debug) "" else "-S -x"
)

template <- if (windows) "src/Makevars.win.in" else "src/Makevars.in"
lines <- readLines(template)
for (name in names(values)) {
  lines <- gsub(paste0("@", name, "@"), values[[name]], lines, fixed = TRUE)
}
writeLines(lines, sub("\\.in$", "", template))
