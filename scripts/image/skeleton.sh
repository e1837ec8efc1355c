#!/bin/sh
# Writes to the folder $1 what cargo needs to build the dependencies of this workspace: manifests, the lock, and empty crates.
set -eu
to=$1
cd "$(dirname "$0")/../.."
mkdir -p "$to"
cp Cargo.toml Cargo.lock "$to/"
[ ! -d .cargo ] || cp -R .cargo "$to/"
find proto services shared -name Cargo.toml | while read -r manifest; do
  crate=$to/$(dirname "$manifest")
  mkdir -p "$crate/src"
  cp "$manifest" "$crate/"
  from=$(dirname "$manifest")
  # A crate is a program, a library, or both, as its sources say; tests and build scripts that a manifest names must be there.
  [ ! -e "$from/src/main.rs" ] || echo 'fn main() {}' >"$crate/src/main.rs"
  [ ! -e "$from/src/lib.rs" ] || : >"$crate/src/lib.rs"
  [ ! -e "$from/build.rs" ] || echo 'fn main() {}' >"$crate/build.rs"
  for folder in tests benches examples; do
    [ ! -d "$from/$folder" ] || find "$from/$folder" -maxdepth 2 \( -path "$from/$folder/*/main.rs" -o -path "$from/$folder/*.rs" ! -path "$from/$folder/*/*" \)
  done | while read -r file; do
    mkdir -p "$to/$(dirname "$file")"
    echo 'fn main() {}' >"$to/$file"
  done
  sed -n 's/^path = "\(.*\.rs\)"$/\1/p' "$manifest" | while read -r file; do
    mkdir -p "$crate/$(dirname "$file")"
    [ -e "$crate/$file" ] || echo 'fn main() {}' >"$crate/$file"
  done
done
# Nothing in it tells when it was made: a builder that compares times, too, sees that nothing changed.
find "$to" -exec touch -h -d @0 {} +
