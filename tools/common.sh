#!/bin/sh
# Shared by the commands in tools/, which set `root` and read it with `.`; not a command itself.
# Everything that is built lies outside of the tree and is used again:
#   FERRITE_CACHE   default ${TMPDIR:-/tmp}/ferrite-<user id>; safe to delete
#   FERRITE_LIB     the R library that the commands install into; default: a folder of the cache

set -eu

cache=${FERRITE_CACHE:-${TMPDIR:-/tmp}/ferrite-$(id -u)}
library=${FERRITE_LIB:-$cache/library}
version=$(sed -n 's/^Version: *//p' "$root/DESCRIPTION")
tarball=ferrite_$version.tar.gz
mkdir -p "$cache" "$library"

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
export FERRITE_TARGET_DIR="${FERRITE_TARGET_DIR:-$cache/bridge}"
export R_LIBS="$library${R_LIBS:+:$R_LIBS}"
PATH=$PATH:${HOME:-/nonexistent}/.cargo/bin

say() { printf '== %s\n' "$*"; }
die() { printf 'ferrite: %s\n' "$*" >&2; exit 1; }

# stage DIR: a clean copy of the package, as git sees it: tracked files with their changes, and new ones.
stage() {
  rm -rf "$1" && mkdir -p "$1"
  (
    cd "$root"
    if git -c safe.directory="$root" rev-parse --git-dir >/dev/null 2>&1; then
      git -c safe.directory="$root" ls-files --cached --others --exclude-standard |
        while IFS= read -r file; do if [ -f "$file" ]; then printf '%s\n' "$file"; fi; done
    else
      find . -type f | sed 's|^\./||' | grep -v -E '(^|/)target/|^dist/|^src/rust/vendor(/|\.tar)|^src/\.cargo/|\.(o|so|dll)$'
    fi | tar -cf - -T -
  ) | tar -xf - -C "$1"
}

# vendor_into DIR: the crates of the lock file into a staged copy, packed once a lock file.
vendor_into() {
  key=$(cat "$root/src/rust/Cargo.lock" "$root/tools/vendor.R" | cksum | tr ' ' '-')
  packed=$cache/vendor-$key
  if [ ! -f "$packed.tar.xz" ] || [ ! -f "$packed.authors" ]; then
    say "Packing the crates of src/rust/Cargo.lock"
    (cd "$1" && Rscript --vanilla tools/vendor.R "$packed.tar.xz" "$packed.authors")
  fi
  cp "$packed.tar.xz" "$1/src/rust/vendor.tar.xz"
  cmp -s "$packed.authors" "$root/inst/AUTHORS" ||
    say "inst/AUTHORS is not that of src/rust/Cargo.lock; the package gets a new one: cp $packed.authors inst/AUTHORS"
  cp "$packed.authors" "$1/inst/AUTHORS"
}
