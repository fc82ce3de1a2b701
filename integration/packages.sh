#!/bin/sh
# The npm packages of package-lock.json: installed unless they are there already.
set -eu
cd "$(dirname "$0")/.."
# npm leaves this file behind when it is done: older than the lock, it is of another set of packages.
installed=node_modules/.package-lock.json
if [ ! -e $installed ] || [ -n "$(find package-lock.json -newer $installed)" ]; then
  echo 'packages: installing the packages of package-lock.json' >&2
  # An older npm warns of every package that wants a newer Node than the machine's; the project brings that Node.
  npm ci --loglevel=error
fi
