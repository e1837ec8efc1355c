#!/usr/bin/env bash
# Builds the executable of the release before this one (scripts/upgrade/previous) from the history of this repository, once, and prints its path.
# What third parties wrote and this release has built already is not built again: it is linked from the target directory.
#
#   scripts/upgrade/build.sh [target directory of this release]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$root"
mkdir -p "${1:-target}"
target=$(cd "${1:-target}" && pwd -P)
commit=$(grep -v '^#' scripts/upgrade/previous)
built=$target/previous/$commit/leadflow
say() { printf 'upgrade: %s\n' "$*" >&2; }

if [ ! -x "$built" ]; then
  if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
    say "the release before this one is commit $commit (scripts/upgrade/previous), which the history here does not have; fetch all of it: git fetch --unshallow"
    exit 1
  fi
  say "building commit $commit, the release before this one"
  work=$target/previous/building
  rm -rf "$work"
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/source" "$work/target/debug" "$(dirname "$built")"
  git archive "$commit" | tar -x -C "$work/source"
  if [ -d "$target/debug/deps" ]; then
    # Links cost nothing; what cargo itself writes to is copied.
    cp -a --link "$target/debug/deps" "$target/debug/build" "$work/target/debug/"
    cp -a "$target/debug/.fingerprint" "$work/target/debug/"
    (cd "$work/target/debug" && rm -rf .fingerprint/leadflow* build/leadflow* deps/*leadflow*)
  fi
  (cd "$work/source" && CARGO_TARGET_DIR=$work/target "${CARGO:-cargo}" build --locked -p leadflow >&2)
  mv "$work/target/debug/leadflow" "$built"
fi
printf '%s\n' "$built"
