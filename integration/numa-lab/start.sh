#!/bin/bash
# Starts the NUMA lab that build.sh made, waits until its libvirtd answers, and prints the libvirt URI.
#
#   start.sh [FOLDER [PORT]]    FOLDER: /var/cache/hugenode/numa-lab. PORT: libvirtd on 127.0.0.1, and PORT+1 the lab's
#                               command port (guest.sh); without one, the first two neighbours that nobody listens on
#
# If one already runs from FOLDER, it only prints the URI. What is written inside is dropped at the end, so that every
# start is the same machine. libvirtd has no authentication: every local user is root inside the lab, and there only
# (it reaches no network). Environment, with defaults:
#   LAB_NODES  [2048 1024 1024 2048]  RAM of each NUMA node in MiB; the sum must not exceed 6656
#   LAB_2M     [256 320 192 128]      2 MiB pages reserved on each node
#   LAB_1G     [0 0 0 1]              1 GiB pages reserved on each node
#   LAB_CPUS   [4]                    virtual CPUs (at most 4), dealt to the nodes in turn
#   LAB_KVM    [1]                    0: no /dev/kvm in the lab
#   LAB_COLD=1                        boot even if a saved machine for these settings exists
#   LAB_WAIT   [300]                  seconds to wait for libvirtd
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-/var/cache/hugenode/numa-lab}; img=$out/img; run=$out/run; port=${2:-}
[ -e "$img/root.ext4" ] || { echo "not built: run build.sh $out" >&2; exit 1; }
out=$(cd "$out" && pwd); mkdir -p "$run"; chmod 700 "$run"
now() { date +%s.%N; }
since() { awk -v now="$(now)" -v then="$1" 'BEGIN {printf "%.1f", now-then}'; }
die() { echo "numa-lab: $*" >&2; exit 1; }

# Whether the process in the pid file is our QEMU: pids are reused, command lines tell. Leaves its pid in $pid.
alive() {
  [ -s "$run/qemu.pid" ] && pid=$(cat "$run/qemu.pid" 2>/dev/null) && [ -r "/proc/$pid/cmdline" ] &&
    tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qF "$run/qemu.pid"
}
answers() { # SECONDS
  if command -v virsh >/dev/null; then
    timeout "$1" virsh -q -c "qemu+tcp://127.0.0.1:$port/system" hostname >/dev/null 2>&1
  else
    timeout "$1" "$here/guest.sh" "$out" 'virsh -q -c qemu+tcp://127.0.0.1/system hostname' >/dev/null 2>&1
  fi
}

if command -v zstd >/dev/null; then
  zip="zstd -q -3 -T2" unzip="zstd -q -dc" state=$img/saved.state.zst
else
  zip="gzip -1" unzip="gzip -dc" state=$img/saved.state.gz
fi

# For build.sh: writes the machine that was started with LAB_SAVE to a file, and ends it.
if [ "$port" = --save ]; then
  alive || die "nothing runs"
  printf 'migrate_set_parameter max-bandwidth 100G\nmigrate "exec:%s > %s.part"\nquit\n' "$zip" "$state" > "$run/mon.in"
  for _ in $(seq 1200); do alive || break; sleep 0.1; done
  if alive; then die "saving did not end"; fi
  rm -f "$run"/qemu.pid "$run"/mon.* "$run/port"
  mv "$state.part" "$state"
  mv "$img/saved.key.part" "$img/saved.key"
  exit 0
fi

if alive; then
  port=$(cat "$run/port")
  answers 20 || die "a lab runs (pid $pid) but its libvirtd does not answer: stop.sh first"
  echo "qemu+tcp://127.0.0.1:$port/system"
  exit 0
fi
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
if [ -z "$port" ]; then
  port=26510
  while taken $port || taken $((port+1)); do port=$((port+2)); done
fi

# --- the machine: nodes, their CPUs, distances that grow with the number, pages reserved per node by the kernel --------
read -ra nodes <<< "${LAB_NODES:-2048 1024 1024 2048}"
read -ra small <<< "${LAB_2M:-256 320 192 128}"
read -ra gigantic <<< "${LAB_1G:-0 0 0 1}"
cpus=${LAB_CPUS:-4}
sum=0 numa=() of_2m='' of_1g='' n=${#nodes[@]}
for ((i = 0; i < n; i++)); do
  sum=$((sum + nodes[i])) own=''
  for ((k = i; k < cpus; k += n)); do own+=",cpus=$k"; done
  numa+=(-object "memory-backend-ram,id=m$i,size=${nodes[i]}M" -numa "node,nodeid=$i,memdev=m$i$own")
  [ "${small[i]:-0}" -le 0 ] || of_2m+=${of_2m:+,}$i:${small[i]}
  [ "${gigantic[i]:-0}" -le 0 ] || of_1g+=${of_1g:+,}$i:${gigantic[i]}
done
for ((i = 0; i < n; i++)); do
  for ((k = i + 1; k < n; k++)); do numa+=(-numa "dist,src=$i,dst=$k,val=$((18 + 2*(k-i)))"); done
done
[ "$sum" -le 6656 ] || die "LAB_NODES sum to $sum MiB: more than 6656"
[ "$cpus" -le 4 ] || die "LAB_CPUS: at most 4"
# init_on_alloc=0: zeroing twice makes the reserve take ten seconds. lpj and tsc: an emulated clock cannot be calibrated.
args="console=ttyS0 quiet loglevel=4 panic=-1 nokaslr mitigations=off numa_balancing=disable transparent_hugepage=never"
args+=" audit=0 apparmor=0 net.ifnames=0 random.trust_cpu=on init_on_alloc=0 tsc=reliable lpj=10000000 no_timer_check"
args+=" lab.kvm=${LAB_KVM:-1} hugepagesz=1G${of_1g:+ hugepages=$of_1g} hugepagesz=2M${of_2m:+ hugepages=$of_2m}"
args+=" default_hugepagesz=2M ${LAB_CMDLINE:-}"
machine=(-machine "q35,usb=off,vmport=off,smbus=off" -accel "tcg,thread=multi,tb-size=512" -cpu max
  -smp "$cpus,sockets=$cpus,cores=1,threads=1" -m "${sum}M" "${numa[@]}"
  -uuid 6e756d61-6c61-4b00-8000-000000000001 -kernel "$img/vmlinuz" -initrd "$img/initrd.gz" -append "$args")

# --- booted, or restored where the saved machine is this very one ------------------------------------------------------
key=$( { qemu-system-x86_64 --version; printf '%s\n' "${machine[@]}"; } | sha256sum | cut -c1-64)
disk=$img/root.ext4 keep=snapshot=on how=(-monitor none) mode=booted
if [ -n "${LAB_SAVE:-}" ]; then
  disk=$img/saved.ext4 keep=snapshot=off
  echo "$key" > "$img/saved.key.part"
  rm -f "$run"/mon.in "$run"/mon.out
  mkfifo "$run/mon.in" "$run/mon.out"
  # Held open, so that neither end waits for the other.
  exec 8<>"$run/mon.in" 9<>"$run/mon.out"
  how=(-chardev "pipe,id=h0,path=$run/mon" -mon "chardev=h0,mode=readline")
elif [ -z "${LAB_COLD:-}" ] && [ -s "$state" ] && [ "$(cat "$img/saved.key" 2>/dev/null)" = "$key" ]; then
  disk=$img/saved.ext4 how=(-monitor none -incoming "exec:$unzip $state") mode=restored
fi
began=$(now)
echo "$port" > "$run/port"
: > "$run/console.log"
forward="hostfwd=tcp:127.0.0.1:$port-:16509,hostfwd=tcp:127.0.0.1:$((port+1))-:16510"
TMPDIR=$run nice -n 5 qemu-system-x86_64 -name numalab -nodefaults -no-user-config -display none -no-reboot "${machine[@]}" \
  -drive "if=none,id=d0,file=$disk,format=raw,cache=unsafe,$keep" -device "virtio-blk-pci,drive=d0" \
  -netdev "user,id=n0,ipv6=off,restrict=on,$forward" -device "virtio-net-pci,netdev=n0,romfile=" -device virtio-rng-pci \
  -chardev "file,id=c0,path=$run/console.log" -serial chardev:c0 \
  -chardev "socket,id=q0,path=$run/qmp.sock,server=on,wait=off" -mon "chardev=q0,mode=control" \
  "${how[@]}" -pidfile "$run/qemu.pid" -daemonize

# A first try made before the machine runs may hang: it is given up early and made again.
tries=(0.6 0.6 0.8 1 2 3 5 10 20) i=0
until answers "${tries[i]}"; do
  alive || { tail -n 5 "$run/console.log" >&2; die "QEMU ended; above are the last lines of its console"; }
  [ "$(since "$began" | cut -d. -f1)" -lt "${LAB_WAIT:-300}" ] ||
    die "libvirtd did not answer in ${LAB_WAIT:-300} s; see $run/console.log"
  sleep 0.2
  [ $i -ge 8 ] || i=$((i+1))
done
# A restored machine believes that it is the day on which it was saved.
[ $mode = booted ] || "$here/guest.sh" "$out" "date -s @$(date +%s) >/dev/null" || true
echo "$mode; libvirtd answered after $(since "$began") s" >&2
echo "qemu+tcp://127.0.0.1:$port/system"
