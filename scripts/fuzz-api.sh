#!/usr/bin/env bash
# Thousands of made-up requests, after the OpenAPI document that the bff serves: no answer may be our fault, and none may be
# outside the document. Runs against a system of its own, on ports of its own.
#
#   scripts/fuzz-api.sh LEADFLOW     the executable
#
# EXAMPLES=… random requests for each operation and caller (beside those that follow from the document), SEED=… what they
# are made from: the same by default, so that a failure is due to the change and comes again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

leadflow=$1
tools=$(cd "${LEADFLOW_HOME:-.leadflow}/tools" && pwd -P)
# The servers that are here already serve the private system, too.
[ ! -x "$tools/nats-server" ] || export LEADFLOW_NATS_SERVER=${LEADFLOW_NATS_SERVER:-$tools/nats-server}
[ ! -x "$tools/postgres/bin/postgres" ] || export LEADFLOW_PG_BIN=${LEADFLOW_PG_BIN:-$tools/postgres/bin}

. scripts/private.sh
private "${FIRST_PORT:-27200}" "$leadflow down"

# Limits and deadlines have tests of their own; here they would only hide the answers that are looked for.
export READS_PER_MINUTE=1000000 WRITES_PER_MINUTE=1000000 SIGN_INS_PER_MINUTE=1000000 PROVIDER_EVENTS_PER_MINUTE=1000000 PASSWORDS_PER_QUARTER_HOUR=100000 \
  BFF_CALL_TIMEOUT_MS=20000 INGEST_ACK_TIMEOUT_MS=20000 INGEST_SUPPLIER_POSTS_PER_SECOND=100000

"$leadflow" up >"$home/up.txt" || {
  cat "$home/up.txt"
  exit 1
}
export FUZZ_PASSWORD="a long walk by the sea 71"
"$leadflow" admin create --email admin@fuzz.example <<<"$FUZZ_PASSWORD" >>"$home/up.txt"
"$tools/schemathesis/bin/python" scripts/fuzz-api/run.py
