#!/bin/bash
# Stops the lab that start.sh started, by its pid file; whatever was written inside is dropped.
#
#   stop.sh [FOLDER]    default /var/cache/hugenode/numa-lab
set -euo pipefail
run=${1:-/var/cache/hugenode/numa-lab}/run; [ ! -d "$run" ] || run=$(cd "$run" && pwd)
# By the command line too: pids are reused.
ours() { [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qF -- "$run/qemu.pid"; }
if pid=$(cat "$run/qemu.pid" 2>/dev/null) && [ -n "$pid" ] && ours; then
  kill "$pid"
  for _ in $(seq 50); do ours || break; sleep 0.1; done
  if ours; then kill -9 "$pid"; fi
  echo "stopped pid $pid"
else
  echo "not running"
fi
rm -f "$run"/qemu.pid "$run/qmp.sock" "$run/port" "$run"/mon.*
