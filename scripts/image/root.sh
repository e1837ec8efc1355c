#!/bin/sh
# Lays out the file system of the image in the folder $2: the binary $1 at /leadflow, and what it needs to run.
set -eu
binary=$1
root=$2
mkdir -p "$root/etc/ssl/certs" "$root/tmp"
cp "$binary" "$root/leadflow"
# The loader and the libraries that it names, at the same paths.
ldd "$binary" | sed -n 's/^.*=> \(\/[^ ]*\) .*$/\1/p; s/^\t\(\/[^ ]*\) (.*$/\1/p' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'leadflow:x:65532:65532::/:/leadflow' >"$root/etc/passwd"
echo 'leadflow:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
# Nothing in it tells when it was made.
find "$root" -exec touch -h -d @0 {} +
