# Packs the crates of the bridge's lock file into one small archive, for a source package that installs without network.
#
#   Rscript tools/vendor.R <archive> [<authors>]     from the top of the package
#
# Crates that none of R's platforms compile become empty stubs (the lock file names them, so cargo wants to see them);
# of the others tests, examples, benchmarks and test data go; licences stay. One crate is changed: private-gemm-x86 does
# not write the assembler kernels for other numbers than f64, which no linker drops (trim_kernels()). <authors> gets
# the list for inst/AUTHORS with the changes.

manifest <- "src/rust/Cargo.toml"
platforms <- c(
  paste0(c("x86_64", "aarch64"), "-unknown-linux-gnu"),
  paste0(c("x86_64", "aarch64"), "-unknown-linux-musl"),
  paste0(c("x86_64", "aarch64"), "-apple-darwin"),
  "x86_64-pc-windows-gnu", "x86_64-pc-windows-gnullvm", "aarch64-pc-windows-gnullvm",
  "x86_64-unknown-freebsd"
)
# Top-level directories and files of a crate that no build reads.
surplus <- c("tests", "test", "benches", "bench", "benchmark", "examples", "docs", "doc", "test_data", "testdata",
             "tests_data", "fuzz", "assets", "images", "img", "ci", "tools", ".github", ".cirrus.yml", ".travis.yml",
             ".vscode", ".config", "Cargo.lock", "Cargo.toml.orig", ".cargo_vcs_info.json", ".gitignore",
             "CHANGELOG.md", "CHANGELOG", "RELEASES.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "paper.md",
             "paper.bib")

cargo <- function(...) {
  lines <- system2("cargo", c(...), stdout = TRUE, stderr = FALSE)
  if (!is.null(attr(lines, "status"))) {
    stop("`cargo ", paste(c(...), collapse = " "), "` failed", call. = FALSE)
  }
  lines
}

# "name version" and features of every crate that some platform builds.
needed_crates <- function() {
  lines <- unlist(lapply(platforms, function(platform) {
    cargo("tree", "--locked", "--manifest-path", manifest, "-e", "normal,build", "--prefix", "none", "--no-dedupe",
          "--target", platform, "-f", shQuote("{p}|{f}"))
  }))
  lines <- unique(grep(" v[0-9]", lines, value = TRUE))
  id <- sub("^(\\S+) v(\\S+).*$", "\\1 \\2", sub("\\|.*", "", lines))
  features <- strsplit(sub("^[^|]*\\|", "", lines), ",", fixed = TRUE)
  lapply(split(features, id), function(each) unique(unlist(each)))
}

# One value of the [package] table of a manifest that cargo has normalised; arrays may span lines.
package_field <- function(lines, field) {
  ends <- c(which(startsWith(lines, "["))[-1L], length(lines) + 1L)
  lines <- lines[seq_len(ends[1L] - 1L)]
  lines <- lines[seq_along(lines) >= grep("^\\[package\\]", lines)[1L]]
  text <- paste(lines, collapse = "\n")
  value <- regmatches(text, regexpr(paste0("\n", field, " = (\\[[^]]*\\]|\"[^\"]*\")"), text))
  if (length(value) == 0L) {
    return("")
  }
  gsub("\"", "", regmatches(value, gregexpr("\"[^\"]*\"", value))[[1L]])
}

read_manifest <- function(crate) {
  text <- paste(readLines(file.path(crate, "Cargo.toml"), encoding = "UTF-8", warn = FALSE), collapse = "\n")
  # The comment header has brackets of its own.
  lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
  lines[!startsWith(lines, "#")]
}

# A crate with its manifest alone: nothing to build, nothing to link, no targets but an empty library.
make_stub <- function(crate, lines) {
  table <- cumsum(startsWith(lines, "["))
  dropped <- table %in% table[grepl("^\\[\\[(test|bench|example|bin)\\]\\]", lines)]
  lines <- lines[!dropped & !grepl("^(links|build|readme) = ", lines)]
  lines <- append(lines, "build = false", grep("^\\[package\\]", lines)[1L])
  keep <- file.path(crate, c("Cargo.toml", ".cargo-checksum.json"))
  unlink(setdiff(list.files(crate, all.files = TRUE, full.names = TRUE, no.. = TRUE), keep), recursive = TRUE)
  writeLines(lines, file.path(crate, "Cargo.toml"), useBytes = TRUE)
  start <- grep("^\\[lib\\]", lines)
  path <- if (length(start)) sub("^path = \"(.*)\"$", "\\1", grep("^path = ", lines[-seq_len(start)], value = TRUE)[1L])
  if (length(path) == 0L || is.na(path)) path <- "src/lib.rs"
  dir.create(dirname(file.path(crate, path)), recursive = TRUE, showWarnings = FALSE)
  file.create(file.path(crate, path))
}

# Bindings of Windows: one directory a feature, 200 of them, of which three are switched on.
prune_windows <- function(crate, features) {
  root <- file.path(crate, "src", "Windows")
  wanted <- gsub("_", "/", setdiff(features, "default"), fixed = TRUE)
  parts <- strsplit(wanted, "/", fixed = TRUE)
  above <- unlist(lapply(parts, function(part) Reduce(file.path, part, accumulate = TRUE)))
  folders <- list.dirs(root, full.names = FALSE)
  unlink(file.path(root, setdiff(folders[nzchar(folders)], above)), recursive = TRUE)
}

# Each text once, or as often as said, and nothing else: a new version of the crate must be looked at.
replace_text <- function(file, old, new, times = 1L) {
  text <- paste(readLines(file, encoding = "UTF-8", warn = FALSE), collapse = "\n")
  found <- sum(gregexpr(old, text, fixed = TRUE)[[1L]] > 0L)
  if (found != times) {
    stop("`", old, "` occurs ", found, " times in ", file, ", not ", times, ": look at trim_kernels()", call. = FALSE)
  }
  writeLines(gsub(old, new, text, fixed = TRUE), file, useBytes = TRUE)
}

# build.rs writes the kernels of four types of numbers into one section of assembler, 1.9 MB; f64 needs 0.4 of them. The
# tables of the others become empty, and asking for them is a panic. The kernels for f64 are those of the crate.
trim_kernels <- function(crate) {
  build <- file.path(crate, "build.rs")
  for (loop in c("(1..=6)", "(1..=3)", "(1..=1)")) {
    loop <- paste0("\t\tfor m in ", loop, ".rev() {")
    replace_text(build, loop, paste0("\t\tif !matches!(ty, Ty::F64) {\n\t\t\tcontinue;\n\t\t}\n", loop),
                 if (grepl("=3", loop, fixed = TRUE)) 2L else 1L)
  }
  start <- "\tlet (sizeof, cplx) = match dtype {"
  check <- "\tassert!(matches!(dtype, DType::F64), \"this copy of private-gemm-x86 has the kernels for f64 alone\");\n"
  replace_text(file.path(crate, "src", "lib.rs"), start, paste0(check, start))
  "build.rs and src/lib.rs: without the kernels for other numbers than f64"
}

# Cargo compares files with this record; what was removed must not be in it.
reset_checksum <- function(crate) {
  file <- file.path(crate, ".cargo-checksum.json")
  package <- regmatches(text <- readLines(file, warn = FALSE), regexpr("\"package\":\"[0-9a-f]+\"", text))
  writeLines(paste0("{\"files\":{},", package, "}"), file)
}

trim_crate <- function(crate, needed) {
  lines <- read_manifest(crate)
  name <- package_field(lines, "name")
  id <- paste(name, package_field(lines, "version"))
  reset_checksum(crate)
  if (!id %in% names(needed)) {
    make_stub(crate, lines)
    return(NULL)
  }
  unlink(file.path(crate, surplus), recursive = TRUE)
  if (name == "windows-sys") {
    prune_windows(crate, needed[[id]])
  }
  changed <- if (name == "private-gemm-x86") trim_kernels(crate)
  authors <- package_field(lines, "authors")
  c(id = id, license = paste(package_field(lines, "license"), collapse = ""),
    authors = if (any(nzchar(authors))) paste(authors, collapse = ", ") else paste0("The ", name, " developers"),
    url = package_field(lines, "repository")[1L], changed = if (is.null(changed)) "" else changed)
}

# Notices that a crate carries for code ported from elsewhere; the BSD licences want them beside a binary, too.
read_notices <- function(vendor) {
  files <- sort(list.files(vendor, "^COPYING.*BSD$", recursive = TRUE))
  unlist(lapply(files, function(file) {
    c("", strrep("=", 80), file, "", readLines(file.path(vendor, file), encoding = "UTF-8", warn = FALSE))
  }))
}

write_authors <- function(crates, notices, file) {
  entries <- vapply(crates, function(crate) {
    paste0(crate[["id"]], "\n  Authors: ", crate[["authors"]], "\n  License: ", crate[["license"]],
           "\n  ", crate[["url"]], if (nzchar(crate[["changed"]])) paste0("\n  Changed here: ", crate[["changed"]]))
  }, "")
  writeLines(c(
    "The source package of ferrite contains the Rust crates listed here, in src/rust/vendor.tar.xz, and an installed",
    "ferrite contains their compiled code. Each crate's full licence is beside its source in that archive.",
    "Notices of code that they contain in turn are at the end. Written by tools/vendor.R.",
    "", paste(sort(unname(entries)), collapse = "\n\n"), notices
  ), file, useBytes = TRUE)
}

main <- function(archive, authors = NULL) {
  work <- tempfile("vendor")
  vendor <- file.path(work, "vendor")
  cargo("vendor", "--locked", "--manifest-path", manifest, shQuote(vendor))
  needed <- needed_crates()
  crates <- Filter(Negate(is.null), lapply(list.dirs(vendor, recursive = FALSE), trim_crate, needed = needed))
  if (!is.null(authors)) {
    write_authors(crates, read_notices(vendor), authors)
  }
  # Same crates, same bytes: GNU tar can leave out times and owners.
  gnu <- any(grepl("GNU", system2("tar", "--version", stdout = TRUE)))
  steady <- if (gnu) "--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner" else ""
  archive <- file.path(normalizePath(dirname(archive)), basename(archive))
  part <- paste0(archive, ".part")
  status <- system(paste("tar", steady, "-C", shQuote(work), "-cf - vendor | xz -9e -T1 >", shQuote(part)))
  if (status != 0L || !file.rename(part, archive)) {
    stop("could not write ", archive, call. = FALSE)
  }
  unlink(work, recursive = TRUE)
  message("Packed ", length(crates), " crates, ", round(file.size(archive) / 1e6, 2), " MB: ", archive)
}

do.call(main, as.list(commandArgs(trailingOnly = TRUE)))
