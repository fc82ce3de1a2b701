#!/bin/bash
# Runs a shell command as root inside the running lab: its output (stdout and stderr together) and its exit status.
#
#   guest.sh FOLDER 'command' [FILE]    FILE becomes the command's standard input
#
# files/lab-shell is the other end: the command in base64, the length of the input, the input; back come the output
# and a last line rc=N, which is taken off here.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,4p' "$0"; exit 2; }
port=$(( $(cat "$1/run/port") + 1 ))
n=0; [ $# -lt 3 ] || n=$(stat -c %s "$3")
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf '%s\n%s\n' "$(printf '%s' "$2" | base64 -w0)" "$n" >&3
[ $# -lt 3 ] || cat "$3" >&3
# The last line may follow text that did not end its own.
cat <&3 | awk '
  { if (NR > 1) print last; last = $0 }
  END {
    at = match(last, /rc=[0-9]+$/)
    if (at > 1) printf "%s", substr(last, 1, at - 1)
    exit (at ? substr(last, at + 3) + 0 : 255)
  }'
