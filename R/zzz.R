#' @useDynLib ferrite, .registration = TRUE
NULL

.onLoad <- function(libname, pkgname) {
  register_foreign_methods()
}

.onUnload <- function(libpath) {
  library.dynam.unload("ferrite", libpath)
}
