#!/usr/bin/env bash
# Makes the certificates beside it anew, for a hundred years: an authority of the tests' own, what it has signed, and one
# that nobody has. The authority's key is thrown away, so nothing else is ever signed by it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

key "$work/authority.pem"
key "$work/server.pem"
openssl pkcs8 -topk8 -nocrypt -in "$work/server.pem" -outform DER -out server-key.der
openssl req -x509 -new -key "$work/authority.pem" -subj "/CN=Authority of the tests" -days 36500 \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -out "$work/authority.crt"

# signed NAME HOST FROM UNTIL
signed() {
  : >"$work/index.txt"
  cat >"$work/ca.cnf" <<CNF
[ca]
default_ca = here
[here]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:$2
CNF
  openssl req -new -key "$work/server.pem" -subj "/CN=$2" -out "$work/$1.csr"
  openssl ca -batch -config "$work/ca.cnf" -cert "$work/authority.crt" -keyfile "$work/authority.pem" \
    -in "$work/$1.csr" -startdate "$3" -enddate "$4" -out "$work/$1.crt" 2>/dev/null
  openssl x509 -in "$work/$1.crt" -outform DER -out "$1.der"
}
signed good hook.example.com 20200101000000Z 21200101000000Z
signed other-host other.example.com 20200101000000Z 21200101000000Z
signed expired hook.example.com 20200101000000Z 20210101000000Z
openssl req -x509 -new -key "$work/server.pem" -subj "/CN=hook.example.com" -days 36500 \
  -addext "basicConstraints=critical,CA:FALSE" -addext "subjectAltName=DNS:hook.example.com" -outform DER -out self-signed.der
openssl x509 -in "$work/authority.crt" -outform DER -out authority.der
