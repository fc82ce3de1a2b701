#!/bin/sh
# The fault lane from a fresh clone, as `npm run test:faults` starts it: what `npm test` sets up, then the tests that
# hurt a broker of their own. LANE=cluster (`npm run test:cluster`): the same over quorum queues, and on a cluster of
# three brokers. Arguments go to vitest; HUGENODE_FAULT_ROUNDS is the number of rounds of whatever has rounds. Without
# root nothing is changed: the table says what is missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

sh integration/provision.sh test
sh integration/packages.sh
sh integration/tiny-guest/build.sh

# By npx, which puts the project's own Node before the machine's.
exec npx vitest run --project "${LANE:-faults}" "$@"
