#!/bin/bash
# Stops the lab that start.sh started, by its pid file; whatever was written inside is dropped.
#
#   stop.sh [FOLDER]    default /var/cache/hugenode/numa-lab
set -euo pipefail
run=${1:-/var/cache/hugenode/numa-lab}/run; [ ! -d "$run" ] || run=$(cd "$run" && pwd)
end() { # PIDFILE TEXT: end the process if its command line carries TEXT
  local p; [ -s "$1" ] && p=$(cat "$1") || return 1
  mine() { [ -r "/proc/$p/cmdline" ] && tr '\0' ' ' < "/proc/$p/cmdline" | grep -qF -- "$2"; }
  mine "$@" || { rm -f "$1"; return 1; }
  kill "$p"; for _ in $(seq 50); do mine "$@" || break; sleep 0.1; done; if mine "$@"; then kill -9 "$p"; fi
  rm -f "$1"; echo "stopped pid $p"
}
end "$run/qemu.pid" "$run/qemu.pid" || echo "not running"
rm -f "$run/qmp.sock" "$run/port" "$run"/mon.*
