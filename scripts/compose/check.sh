#!/usr/bin/env bash
# Runs docker-compose.yml as an operator would, under a project name of its own: every role, three replicas of distribution, the profile
# `sandbox`; README's first sale and its card payment; then takes everything away again. Needs docker with compose, and the ports 8080, 3000 and 8090.
#
#   scripts/compose/check.sh           LEADFLOW_IMAGE names an image that is there; else the image is built
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
say() { printf 'compose: %s\n' "$*"; }
die() {
  printf 'compose: %s\n' "$*" >&2
  exit 1
}
docker compose version >/dev/null 2>&1 || die "docker with its plugin compose is missing; install both."
docker info >/dev/null 2>&1 || die "docker's daemon does not answer; start it."

work=$(mktemp -d "${TMPDIR:-/var/tmp}/leadflow-compose.XXXXXX")
export COMPOSE_PROJECT_NAME=leadflow-check COMPOSE_PROFILES=sandbox
compose() { docker compose --project-directory "$work" "$@"; }
finish() {
  compose --progress quiet down --volumes --timeout 60 >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

git -C "$root" archive HEAD | tar x -C "$work"
cp "$work/deploy/sandbox.env" "$work/deploy/settings.env"
sed -e "s|^POSTGRES_PASSWORD=.*|&$(openssl rand -hex 32)|" -e "s|^SERVICE_TOKEN=.*|&$(openssl rand -hex 32)|" \
  -e "s|^SECRETS_KEY=.*|&$(openssl rand -base64 32)|" -e 's|^STRIPE_SECRET_KEY=.*|&sk_test_sandbox|' \
  -e 's|^STRIPE_WEBHOOK_SECRET=.*|&whsec_sandbox|' "$work/deploy/example.env" >"$work/.env"

begun=$SECONDS
if [ -n "${LEADFLOW_IMAGE:-}" ]; then set -- --no-build; else set -- --build; fi
compose up --detach --scale distribution=3 "$@" >"$work/up.log" 2>&1 || {
  tail -n 20 "$work/up.log" >&2
  die "it does not come up; the log's end is above."
}
# unready: what is not as it should be; every service but `migrate` has a health check.
unready() {
  compose ps --all --format '{{.Name}} {{.State}} {{.Health}} {{.ExitCode}}' | grep -v -e ' running healthy ' -e '-migrate-1 exited  0$' || true
}
for _ in $(seq 150); do
  left=$(unready)
  [ -n "$left" ] || break
  sleep 2
done
[ -z "$left" ] || die "not healthy after $((SECONDS - begun)) s: $left"
say "all is healthy after $((SECONDS - begun)) s"
replicas=$(compose ps --format '{{.Name}}' distribution | wc -l)
[ "$replicas" -eq 3 ] || die "distribution has $replicas replicas"
for index in 1 2 3; do
  compose exec -T --index "$index" distribution /leadflow health distribution >/dev/null || die "replica $index of distribution is not ready"
done
say "three replicas of distribution are ready"

block() { sed -n "/^\`\`\`sh $1\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$root/README.md"; }
block quick-start >"$work/commands.sh"
block pay-by-card >>"$work/commands.sh"
sold=$(timeout 300 bash -euo pipefail "$work/commands.sh" 2>&1) || die "README's commands failed: $sold"
for wanted in '"distributed":true' '"available":75' '"status":"succeeded"'; do
  grep -q "$wanted" <<<"$sold" || die "README's commands do not say $wanted: $sold"
done
say "README's lead was sold and paid, and its card was charged"
for service in accounts billing distribution notifier ingest bff; do
  lines=$(compose logs --no-log-prefix "$service" | grep -c -e '"level":"ERROR"' -e ' ERROR ' || true)
  [ "$lines" -eq 0 ] || die "$service logged $lines errors: docker compose logs $service"
done
compose --progress quiet stop --timeout 60 >/dev/null 2>&1
killed=$(compose ps --all --format '{{.Name}} {{.ExitCode}}' | grep -E '(accounts|billing|distribution|notifier|ingest|bff|sandbox)-[0-9]+ ' | grep -v ' 0$' || true)
[ -z "$killed" ] || die "did not stop by itself: $killed"
say "no role logged an error, and all stopped by themselves"
