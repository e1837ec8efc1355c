#!/usr/bin/env bash
# What a new user does, on ports of its own so that it disturbs nobody: `make up` from a clone, the printed
# curl line, README's commands and those of docs/privacy.md, `make up` again, `make demo`, `make down`. Prints how long it took until everything was ready.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. scripts/private.sh
private "${FIRST_PORT:-27100}" "make down"

fail() {
  printf 'new user: %s\n' "$1" >&2
  exit 1
}

start=$SECONDS
make up | tee "$home/up.txt"
printf '\nnew user: make up was ready after %d s (build and fetched tools included)\n' "$((SECONDS - start))"

grep '^curl ' "$home/up.txt" >"$home/curl.sh" || true
[ -s "$home/curl.sh" ] || fail "up printed no curl line"
answer=$(bash "$home/curl.sh")
printf '%s\n' "$answer"
grep -q '"distributed":true' <<<"$answer" || fail "the printed curl line sold no lead"

# The commands of README's quick start and of paying by card, as they stand there.
commands() {
  sed -n "/^\`\`\`sh $1\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "${2:-README.md}"
}
commands quick-start >"$home/quick.sh"
[ -s "$home/quick.sh" ] || fail "README has no quick start"
commands pay-by-card >"$home/cards.sh"
[ -s "$home/cards.sh" ] || fail "README pays by no card"
commands mails-and-texts >"$home/told.sh"
[ -s "$home/told.sh" ] || fail "README tells nobody"
commands erase-a-person docs/privacy.md >"$home/erased.sh"
[ -s "$home/erased.sh" ] || fail "docs/privacy.md erases nobody"
commands prove-it docs/privacy.md >"$home/proof.sh"
[ -s "$home/proof.sh" ] || fail "docs/privacy.md proves nothing"
leadflow=$(realpath "${CARGO_TARGET_DIR:-target}")/debug
sold=$(API=http://localhost:$BFF_HTTP_PORT SANDBOX=http://127.0.0.1:$SANDBOX_HTTP_PORT \
  PATH=$leadflow:$PATH timeout 300 bash -euo pipefail \
  <(cat "$home/quick.sh" "$home/cards.sh" "$home/told.sh" "$home/erased.sh" "$home/proof.sh")) || fail "README's commands failed: $sold"
printf '%s\n' "$sold"
grep -q '"distributed":true' <<<"$sold" || fail "README's quick start sold no lead"
# The hold counts at once; the capture may come a moment later.
grep -q '"available":75' <<<"$sold" || fail "README's quick start charged nobody"
grep -q '"status":"succeeded"' <<<"$sold" || fail "README's card paid nothing"
grep -q '"type":"RECHARGE"' <<<"$sold" || fail "README's wallet was not filled by itself"
grep -q '"subject":"New lead' <<<"$sold" || fail "README's buyer got no mail"
grep -q '"smsStopped":true' <<<"$sold" || fail "README's buyer got text messages without end"

grep -q '"status":"DONE"' <<<"$sold" || fail "the person of docs/privacy.md was not erased"
grep -q 'the person is named in 0' <<<"$sold" || fail "the person of docs/privacy.md is still named"

start=$SECONDS
make up >"$home/again.txt"
printf 'new user: make up again took %d s\n' "$((SECONDS - start))"
make demo >"$home/demo.txt" || { tail -40 "$home/demo.txt"; fail "the demo failed"; }
tail -2 "$home/demo.txt"
make down
printf 'new user: all of it worked\n'
