#!/bin/sh
# The whole test run from a fresh clone, as `npm test` starts it: the machine is provisioned, the packages and the tiny
# guest are there, then every test runs but the soak. Arguments go to vitest (npm test -- integration/broker.test.ts).
# Without root nothing is changed: the table says what is missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

sh "$here/provision.sh" test

sh "$here/packages.sh"
sh "$here/tiny-guest/build.sh"

# By npx, which puts the project's own Node before the machine's.
exec npx vitest run --project unit --project integration "$@"
