#' @useDynLib ferrite, .registration = TRUE
NULL

# When the package is built, after all other files were read: the checks of door.R stand in front of every method.
guard_methods(environment())

.onLoad <- function(libname, pkgname) {
  register_foreign_methods()
}

.onUnload <- function(libpath) {
  library.dynam.unload("ferrite", libpath)
}
