#!/usr/bin/env bash
# Format, clippy with warnings denied, dependency rules, docs. Says which step runs and which failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=${LEADFLOW_HOME:-$PWD/.leadflow}
deny=$home/tools/cargo-deny
[ -x "$deny" ] || deny=cargo-deny
failed=()

step() {
  local name=$1
  shift
  printf '\n== lint: %s\n' "$name"
  "$@" || failed+=("$name")
}

# The database of advisories is on the open internet, which not every machine reaches: a database
# that cannot be fetched is said and passed over, an advisory that is found is an error.
advisories() {
  local output status=0
  output=$(timeout 120 "$deny" --locked check advisories 2>&1) || status=$?
  if [ "$status" -ne 0 ] && grep -qE 'failed to (fetch|clone|open|load|obtain)|unable to (fetch|load|open)|advisory database' <<<"$output" &&
    ! grep -qE '(RUSTSEC|GHSA)-' <<<"$output"; then
    echo "advisories: the database cannot be reached from here; skipped"
    return 0
  fi
  if [ "$status" -eq 124 ]; then
    echo "advisories: the database did not answer within 120 s; skipped"
    return 0
  fi
  printf '%s\n' "$output"
  return "$status"
}

step "format" cargo fmt --all --check
step "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
step "dependencies: bans, licences, sources" "$deny" --locked check bans licenses sources
step "dependencies: advisories" advisories
step "docs" env RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace --locked

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nlint: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf '\nlint: all passed\n'
