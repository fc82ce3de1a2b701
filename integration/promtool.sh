#!/bin/sh
# Unpacks promtool out of Debian's package prometheus and prints its path. Nothing is installed and nothing is started.
#
#   promtool.sh [FOLDER]    default /var/cache/hugenode/promtool; what is there already is kept
set -eu

out=${1:-/var/cache/hugenode/promtool}
tool=$out/usr/bin/promtool
say() { printf 'promtool: %s\n' "$*" >&2; }

if [ ! -x "$tool" ]; then
  for needed in apt-get dpkg-deb flock; do
    command -v $needed >/dev/null || { say "missing: $needed"; exit 1; }
  done
  mkdir -p "$out"
  # One at a time; the others then find it unpacked.
  exec 9>"$out/.lock"
  flock 9
  if [ ! -x "$tool" ]; then
    work=$(mktemp -d "$out/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    fetch() { (cd "$work" && apt-get -q -o APT::Sandbox::User=root download prometheus >"$out/apt.log" 2>&1); }
    if ! fetch; then
      say "package lists missing or old: apt-get update"
      { apt-get -q update >"$out/apt.log" 2>&1 && fetch; } || { tail -n 5 "$out/apt.log" >&2; exit 1; }
    fi
    dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool
    mkdir -p "$out/usr/bin"
    mv "$work/usr/bin/promtool" "$tool"
  fi
fi
printf '%s\n' "$tool"
