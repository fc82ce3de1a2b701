#!/bin/sh
# The NUMA lane from a fresh clone, as `npm run test:numa` starts it: what `npm test` sets up, the lab, then the tests
# whose host is that lab. Arguments go to vitest. Without root nothing is changed: the table says what is missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

sh integration/provision.sh test
sh integration/packages.sh
sh integration/tiny-guest/build.sh
bash integration/numa-lab/build.sh

# By npx, which puts the project's own Node before the machine's.
exec npx vitest run --project numa "$@"
