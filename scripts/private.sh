# To be sourced: what is started from here on has ports and a folder of its own, so that it disturbs nobody.
#
#   private FIRST_PORT STOP    sets `home`; runs STOP and removes everything when the script ends

private() {
  local port=$1 stop=$2 name
  for name in LEADFLOW_PG_PORT LEADFLOW_NATS_PORT ACCOUNTS_HTTP_PORT ACCOUNTS_GRPC_PORT BFF_HTTP_PORT BILLING_HTTP_PORT BILLING_GRPC_PORT \
    DISTRIBUTION_HTTP_PORT DISTRIBUTION_GRPC_PORT NOTIFIER_HTTP_PORT NOTIFIER_GRPC_PORT INGEST_HTTP_PORT SANDBOX_HTTP_PORT SANDBOX_SMTP_PORT; do
    export "$name=$port"
    port=$((port + 1))
  done
  home=$(mktemp -d)
  # PostgreSQL runs as another user when root starts it.
  chmod 755 "$home"
  export LEADFLOW_HOME=$home
  # shellcheck disable=SC2064 # as they are now
  trap "$stop >/dev/null 2>&1 || true; rm -rf '$home'" EXIT
}
