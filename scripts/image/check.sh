#!/usr/bin/env bash
# Builds the image of the last commit, twice, and tells what is in it. Needs docker, podman or buildah (ENGINE names one), some 15 minutes, and 10 GB.
#
#   scripts/image/check.sh [NAME]      NAME of the image, leadflow:check if none is said
#
# It fails unless: the image is not root's, starts leadflow, has a health check and no shell, and leadflow runs in it; a second build without
# any cache gives the same file, byte by byte; and after a change of one source file dependencies are not compiled again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
name=${1:-leadflow:check}
say() { printf 'image: %s\n' "$*"; }
die() {
  printf 'image: %s\n' "$*" >&2
  exit 1
}

engine=${ENGINE:-}
for candidate in docker podman buildah; do
  [ -n "$engine" ] || { command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1 && engine=$candidate; } || true
done
[ -n "$engine" ] || die "neither docker, podman nor buildah works here; install one, or name it in ENGINE."
command -v "$engine" >/dev/null || die "ENGINE names $engine, which is not there."

work=$(mktemp -d "${TMPDIR:-/var/tmp}/leadflow-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
git -C "$root" archive HEAD | tar x -C "$work" --one-top-level=context

# build NAME OPTION...: BUILD_OPTIONS has what this machine's engine needs besides.
build() {
  local image=$1 begun=$SECONDS
  shift
  # The format of Docker has health checks, that of OCI has not.
  case $engine in
    docker) set -- build "$@" ;;
    *) set -- build --format docker --layers "$@" ;;
  esac
  # shellcheck disable=SC2086 # options
  "$engine" "$@" ${BUILD_OPTIONS:-} --tag "$image" "$work/context" >"$work/log" 2>&1 || {
    tail -n 30 "$work/log" >&2
    die "it cannot be built; the log's end is above."
  }
  say "$image: built in $((SECONDS - begun)) s"
}

# files_of IMAGE: where the image's files are laid out.
files_of() {
  local to=$work/files-${1//[^a-z0-9]/-} id
  mkdir -p "$to"
  if [ "$engine" = buildah ]; then
    id=$(buildah from --pull-never "$1")
    cp -a "$(buildah mount "$id")/." "$to/"
    buildah rm "$id" >/dev/null
  else
    id=$("$engine" create "$1")
    "$engine" export "$id" | tar x -C "$to"
    "$engine" rm "$id" >/dev/null
  fi
  printf %s "$to"
}

# config IMAGE: its configuration as JSON without spaces.
config() {
  if [ "$engine" = buildah ]; then set -- buildah inspect --type image "$1"; else set -- "$engine" inspect "$1"; fi
  "$@" | tr -d ' \t\n'
}

build "$name"
files=$(files_of "$name")
config "$name" >"$work/config"
grep -q '"User":"65532:65532"' "$work/config" || die "it is root's."
grep -q '"Entrypoint":\["/leadflow"\]' "$work/config" || die "it does not start leadflow."
grep -q '"Healthcheck":{"Test":\["CMD","/leadflow","health"\]' "$work/config" || die "it has no health check."
[ -z "$(find "$files" -name sh -o -name bash -o -name busybox)" ] || die "it has a shell."
[ -z "$(find "$files" -perm /6000)" ] || die "a file of it gives rights that its user has not."
say "not root, leadflow as entry point, a health check, no shell; $(find "$files" -type f | wc -l) files, $(du -sm --apparent-size "$files" | cut -f1) MB"
if [ "$engine" = buildah ]; then
  # It starts nothing by itself: as its user, and without anything else of this machine.
  set -- env -i "$(PATH=$PATH:/usr/sbin command -v chroot)" --userspec=65532:65532 "$files" /leadflow --version
else
  set -- "$engine" run --rm "$name" --version
fi
"$@" >"$work/version" 2>&1 || die "leadflow does not run in it: $(cat "$work/version")"
say "$(cat "$work/version") runs in it"

build "$name-again" --no-cache
again=$(files_of "$name-again")
diff -r --no-dereference "$files" "$again" >"$work/difference" || die "a second build differs: $(head -n 3 "$work/difference")"
say "a second build without a cache has the same files; leadflow is sha256:$(sha256sum "$again/leadflow" | cut -c1-64)"

echo '// A change.' >>"$work/context/services/leadflow/src/main.rs"
build "$name-changed"
! grep -q 'Compiling tokio ' "$work/log" || die "after a change of one file dependencies are compiled again."
grep -q 'Compiling leadflow ' "$work/log" || die "a change of one file was not built."
say "after a change of one file only LeadFlow's own crates are compiled"
