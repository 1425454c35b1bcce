# Is there a Rust that is recent enough? Prints the versions in use, or one line that says what is missing.
# The requirement stands once, in DESCRIPTION: "SystemRequirements: Cargo (Rust's package manager), rustc (>= x.y)".

where <- "see https://www.rust-lang.org/tools/install"

stop_install <- function(...) {
  message("ferrite: ", ...)
  quit("no", status = 1L)
}

required <- local({
  field <- read.dcf("DESCRIPTION", fields = "SystemRequirements")[[1L]]
  package_version(sub(".*rustc \\(>= ([0-9.]+)\\).*", "\\1", gsub("\n", " ", field)))
})

# rustup installs here, and does not always change the PATH of a running session.
Sys.setenv(PATH = paste(Sys.getenv("PATH"), file.path(path.expand("~"), ".cargo", "bin"), sep = .Platform$path.sep))

version_of <- function(tool) {
  if (!nzchar(Sys.which(tool))) {
    stop_install(tool, " was not found; Rust ", required, " or later is needed to build this package: ", where)
  }
  line <- suppressWarnings(tryCatch(system2(tool, "--version", stdout = TRUE, stderr = FALSE)[1L],
                                    error = function(e) NA_character_))
  number <- regmatches(line, regexpr("[0-9]+\\.[0-9]+\\.[0-9]+", line))
  if (is.na(line) || length(number) == 0L) {
    stop_install("`", tool, " --version` failed; repair the Rust installation: ", where)
  }
  message("Using ", line)
  package_version(number)
}

invisible(version_of("cargo"))
found <- version_of("rustc")
if (found < required) {
  stop_install("rustc ", found, " is too old; ", required, " or later is needed (`rustup update`), ", where)
}
