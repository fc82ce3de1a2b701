#!/bin/sh
# The main job, shown for real on this machine: `npm run demo`. Sets up what is missing, then tells the story.
# Without root nothing is changed: the table says what is missing and what provides it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

sh "$here/provision.sh" demo
sh "$here/packages.sh"
sh "$here/tiny-guest/build.sh"
exec node_modules/node/bin/node integration/demo/main.ts
