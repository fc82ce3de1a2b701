#!/bin/sh
# Makes a Debian machine ready for hugenode: libvirt with QEMU, 2 MiB hugepages and a message broker;
# for the tests also a container engine with a broker image, and the Python programs the tests compare with.
#
#   provision.sh demo [--check]    what the demo needs
#   provision.sh test [--check]    that, and what the integration tests need besides
#
# As root it does what is missing and prints a table of what stands. With --check, and without root, it changes
# nothing: the table then says what is missing and the command that mends it.
#   ready    stood already          done      was missing, stands now
#   MISSING  not there              FAILED    was tried and did not succeed
#
# HUGENODE_PAGES            2 MiB pages the pool shall hold at least (demo 512, test 1024); a larger pool is kept
# HUGENODE_RABBITMQ_IMAGE   broker image of the tests (hugenode-rabbitmq:3-local)
#
# Safe to run again: what stands is left alone. With systemd the daemons are started as units and nothing is
# enabled beyond what the packages do themselves; without it they are started by hand and live until the machine stops.
# Exit status 0 means that every line of the table says «ready» or «done».
set -u

here=$(cd "$(dirname "$0")" && pwd)
usage() { echo "usage: $0 demo|test [--check]" >&2; exit 2; }

packages='dbus iproute2 procps libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 rabbitmq-server'
case ${1:-} in
  demo) mode=demo want_pages=${HUGENODE_PAGES:-512} ;;
  test) mode='test' want_pages=${HUGENODE_PAGES:-1024}
    packages="$packages ca-certificates iptables docker.io debootstrap python3-oslo.messaging python3-libvirt"
    # For node-libvirt's transports: certificates, an sshd and SASL passwords of the tests' own.
    packages="$packages openssl openssh-client openssh-server netcat-openbsd sasl2-bin libsasl2-modules" ;;
  *) usage ;;
esac
check_only=no
case ${2:-} in '') ;; --check) check_only=yes ;; *) usage ;; esac
case $want_pages in '' | *[!0-9]*) echo "$0: HUGENODE_PAGES is not a number: $want_pages" >&2; exit 2 ;; esac

root=no; [ "$(id -u)" = 0 ] && root=yes
may_act=no; [ $root = yes ] && [ $check_only = no ] && may_act=yes
systemd=no; [ -d /run/systemd/system ] && systemd=yes
# dpkg's and the daemons' folders are not on every user's path.
PATH=$PATH:/usr/sbin:/sbin
logs=/var/log; [ -w $logs ] || logs=${TMPDIR:-/tmp}

table=$(mktemp) || exit 1
ticker=
policy=
trap 'rm -f "$table" $policy; [ -z "$ticker" ] || kill "$ticker" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

began=$(date +%s)
say() { printf 'provision: [%3d s] %s\n' "$(($(date +%s) - began))" "$*" >&2; }
row() {
  printf '%-16s %-8s %s\n' "$1" "$2" "$3" >>"$table"
  [ "$2" != 'done' ] || say "$1: $3"
}

# wait_for SECONDS COMMAND...: true as soon as the command is, false after the seconds.
wait_for() {
  until=$(($(date +%s) + $1)); shift
  while ! "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt $until ] || return 1
    sleep 0.3
  done
}

# --- packages -------------------------------------------------------------------------------
missing_packages() {
  for p in $packages; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || printf '%s ' "$p"
  done
}

# The package log in a line now and then, so that nobody takes a quiet minute for a hang.
tick() {
  while sleep 5 >/dev/null 2>&1; do
    say "packages: $(grep -c '^Unpacking ' "$apt_log") of $(awk '/newly installed/ {print $1 + $3; exit}' "$apt_log") unpacked, $(grep -c '^Setting up ' "$apt_log") set up"
  done
}

# The files are not synced one by one: a machine that dies in the middle is provisioned again anyway.
apt_install() {
  # shellcheck disable=SC2086  # a list of words
  apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
    install -y --no-install-recommends "$@" $lacking </dev/null >>"$apt_log" 2>&1
}
apt_update() { say "packages: fetching the package lists"; apt-get -o DPkg::Lock::Timeout=300 update >>"$apt_log" 2>&1; }

# The tests start an sshd of their own, with keys of their own, on loopback. Debian's package would open one to the
# world, now and at each boot, as saslauthd's would: a machine that had none gets the programs, not the services.
hold_back_services() {
  held_back=
  for p in openssh-server sasl2-bin; do
    case " $lacking" in *" $p "*) held_back="$held_back $(echo $p | sed 's/openssh-server/ssh/; s/sasl2-bin/saslauthd/')" ;; esac
  done
  { [ -z "$held_back" ] || [ -e /usr/sbin/policy-rc.d ]; } && return
  policy=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\ncase $1 in ssh* | saslauthd*) exit 101 ;; esac\n' >$policy
  chmod 755 $policy
}
let_go_of_services() {
  for s in $held_back; do
    if [ $systemd = yes ]; then systemctl disable --now "$s.service" >>"$apt_log" 2>&1
    else update-rc.d "$s" disable >>"$apt_log" 2>&1; fi
  done
  [ -z "$policy" ] || rm -f $policy
  policy=
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then row packages MISSING "not a Debian machine; needed are: $packages"; return; fi
  lacking=$(missing_packages)
  if [ -z "$lacking" ]; then row packages ready "$(echo "$packages" | wc -w) installed"; return; fi
  if [ $may_act = no ]; then row packages MISSING "apt-get install --no-install-recommends ${lacking% }"; return; fi
  export DEBIAN_FRONTEND=noninteractive
  apt_log=$logs/hugenode-provision-apt.log
  : >"$apt_log"
  # The lists at hand often suffice; where they are too old, the archive no longer has what they name.
  updated=no
  apt_install --simulate || { apt_update; updated=yes; }
  say "packages: installing $lacking"
  : >"$apt_log"
  tick & ticker=$!
  hold_back_services
  apt_install || { [ $updated = no ] && apt_update && apt_install; }
  let_go_of_services
  kill $ticker 2>/dev/null; wait $ticker 2>/dev/null; ticker=
  left=$(missing_packages)
  if [ -z "$left" ]; then row packages 'done' "installed: ${lacking% }"
  else row packages FAILED "see $apt_log; still lacking: ${left% }"; fi
}

# --- /dev/kvm ---------------------------------------------------------------------------------
# libvirt asks QEMU what it can do with the right to open any file, sees KVM, then finds that QEMU's own user may
# not open /dev/kvm, and throws the answer away: each start of a guest, emulated ones too, asks again (44 s, libvirt
# 9.0, against 0.4 s). So a bare device node is given what udev gives it where there is one: group kvm, mode 0660.
kvm_opens() {
  if [ $root = yes ] && id libvirt-qemu >/dev/null 2>&1; then
    setpriv --reuid libvirt-qemu --regid kvm --clear-groups test -r /dev/kvm -a -w /dev/kvm
  else [ "$(stat -c '%G' /dev/kvm)" = kvm ] && [ "$(stat -c '%a' /dev/kvm | cut -c2)" = 6 ]; fi
}
open_kvm() {
  mend='chgrp kvm /dev/kvm && chmod 0660 /dev/kvm'
  if [ ! -e /dev/kvm ]; then row kvm ready "none: guests run emulated"
  elif kvm_opens; then row kvm ready "/dev/kvm is open to QEMU's user (a nested one may still not boot guests)"
  elif [ $may_act = yes ] && [ "$(stat -c '%u %g %a' /dev/kvm)" = '0 0 600' ] && getent group kvm >/dev/null; then
    if chgrp kvm /dev/kvm && chmod 0660 /dev/kvm; then row kvm 'done' "/dev/kvm was root's alone, is now group kvm, mode 0660"
    else row kvm FAILED "$mend"; fi
  else row kvm MISSING "QEMU's user cannot open /dev/kvm, which makes each guest start slow: $mend"; fi
}

# --- hugepages: before libvirtd, which looks for the mount only when it starts ----------------
pool=/sys/kernel/mm/hugepages/hugepages-2048kB
per_node() {
  for n in /sys/devices/system/node/node*/hugepages/hugepages-2048kB; do
    [ -d "$n" ] || continue
    id=${n#/sys/devices/system/node/}
    printf '%s: %s of %s free; ' "${id%%/*}" "$(cat "$n/free_hugepages")" "$(cat "$n/nr_hugepages")"
  done
}

# For the next boot. vm.nr_hugepages counts pages of the default size, so it is right only where that is 2 MiB.
persist_pool() {
  [ $systemd = yes ] || return 0
  grep -q '^Hugepagesize: *2048 kB' /proc/meminfo || { echo "not persisted: the default page size is not 2 MiB; "; return; }
  echo "vm.nr_hugepages = $want_pages" >/etc/sysctl.d/60-hugenode-hugepages.conf
  echo "also at boot: /etc/sysctl.d/60-hugenode-hugepages.conf; "
}

reserve_hugepages() {
  if [ ! -d $pool ]; then row hugepages MISSING "this kernel has no 2 MiB pages"; return; fi
  had=$(cat $pool/nr_hugepages)
  if [ "$had" -ge "$want_pages" ]; then row hugepages ready "$(per_node)"; return; fi
  if [ $may_act = no ]; then row hugepages MISSING "$had of $want_pages: echo $want_pages > $pool/nr_hugepages"; return; fi
  # A quarter of what is free now stays with the machine itself.
  most=$((had + $(awk '/^MemAvailable:/ {print int($2 * 3 / 4 / 2048)}' /proc/meminfo)))
  if [ "$want_pages" -gt "$most" ]; then
    row hugepages FAILED "$want_pages pages asked, $had there, this machine can spare $most: HUGENODE_PAGES=$most sh $0 $mode"; return
  fi
  # A refusal shows in the number that is read back.
  { echo 1 >/proc/sys/vm/compact_memory; } 2>/dev/null
  { echo "$want_pages" >$pool/nr_hugepages; } 2>/dev/null
  got=$(cat $pool/nr_hugepages)
  if [ "$got" -lt "$want_pages" ]; then
    # Back to what it was: half a pool helps nobody. (Pages that are in use stay whatever is written.)
    echo "$had" >$pool/nr_hugepages
    row hugepages FAILED "only $got of $want_pages could be had, $had kept: memory is too fragmented; boot with hugepages=$want_pages"; return
  fi
  row hugepages 'done' "pool ENLARGED from $had to $got pages, $(((got - had) * 2)) MiB; $(persist_pool)back: echo $had > $pool/nr_hugepages"
}

# The folder where 2 MiB pages are mounted, whoever mounted it.
mounted_at() { awk '$3 == "hugetlbfs" && ("," $4 ",") ~ /,pagesize=2M,/ {print $2; exit}' /proc/mounts; }

mount_hugetlbfs() {
  at=$(mounted_at)
  if [ -n "$at" ]; then row hugetlbfs ready "$at, $(awk -v at="$at" '$2 == at {print $4; exit}' /proc/mounts), kept as it is"; return; fi
  # /dev/hugepages may hold pages of another size already.
  at=/dev/hugepages; grep -q " $at hugetlbfs " /proc/mounts && at=/dev/hugepages2M
  how="mount -t hugetlbfs -o pagesize=2M,mode=1770,gid=kvm hugetlbfs $at"
  if [ $may_act = no ]; then row hugetlbfs MISSING "mkdir -p $at && $how"; return; fi
  # Systemd's own mount, where it is merely not up, comes back at each boot without our help.
  if [ $systemd = yes ] && [ $at = /dev/hugepages ] && systemctl start dev-hugepages.mount 2>/dev/null && [ -n "$(mounted_at)" ]; then
    row hugetlbfs 'done' "systemd's dev-hugepages.mount started"; return
  fi
  # Group kvm is QEMU's: it must pass through to the folder libvirt makes below, nobody else needs to.
  gid=$(getent group kvm | cut -d: -f3)
  if [ -z "$gid" ]; then row hugetlbfs FAILED "there is no group kvm: it comes with the packages above"; return; fi
  options=pagesize=2M,mode=1770,gid=$gid
  mkdir -p $at
  if ! mount -t hugetlbfs -o "$options" hugetlbfs $at; then row hugetlbfs FAILED "refused: $how"; return; fi
  kept=
  if [ $systemd = yes ] && ! grep -q "[[:space:]]${at}[[:space:]]" /etc/fstab 2>/dev/null; then
    echo "hugetlbfs $at hugetlbfs $options,nofail 0 0" >>/etc/fstab
    kept=', also in /etc/fstab'
  fi
  row hugetlbfs 'done' "mounted at $at, mode 1770, group kvm$kept"
}

# --- daemons ----------------------------------------------------------------------------------
# Each is started first and waited for later, so that the slow ones come up side by side:
#   start NAME PROGRAM UNIT ANSWERS BY_HAND, then await NAME PROGRAM UNIT ANSWERS
started=' '
start() {
  name=$1 program=$2 unit=$3 answers=$4 by_hand=$5
  [ $may_act = yes ] || return 0
  command -v "$program" >/dev/null || return 0
  "$answers" >/dev/null 2>&1 && return 0
  say "starting $name"
  started="$started$name "
  # No job or socket of the caller's may stay open in a daemon, or a pipe behind this script never ends.
  if [ $systemd = yes ]; then systemctl start --no-block "$unit" >/dev/null 2>&1
  else (cd / && "$by_hand") </dev/null >>"$logs/hugenode-provision-$name.log" 2>&1; fi
}

await() {
  name=$1 program=$2 unit=$3 answers=$4
  how="sh $0 $mode"; [ $systemd = no ] || how="systemctl start $unit"
  case $started in
    *" $name "*)
      if wait_for 90 "$answers"; then row "$name" 'done' "$("$answers" 2>/dev/null | tail -n 1)"
      else row "$name" FAILED "did not answer within 90 s; see $logs"; fi ;;
    *)
      if "$answers" >/dev/null 2>&1; then row "$name" ready "$("$answers" 2>/dev/null | tail -n 1)"
      elif ! command -v "$program" >/dev/null; then row "$name" MISSING "$program is not installed"
      elif [ $root = yes ]; then row "$name" MISSING "not running: $how"
      else row "$name" MISSING "not running, or not open to $(id -un): as root, $how"; fi ;;
  esac
}

# A process of that name that is not a zombie: where process 1 reaps nothing, the dead stay listed.
alive() { pgrep -x -r D,R,S "$1" >/dev/null; }

dbus_answers() { dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId >/dev/null && echo "system bus answers"; }
dbus_by_hand() { mkdir -p /run/dbus; rm -f /run/dbus/pid; dbus-uuidgen --ensure; dbus-daemon --system --fork; }

virtlogd_answers() {
  if [ $systemd = yes ]; then systemctl is-active --quiet virtlogd.socket && echo "socket unit active"
  else alive virtlogd && [ -S /run/libvirt/virtlogd-sock ] && echo "running"; fi
}
virtlogd_by_hand() { virtlogd -d; }

libvirtd_answers() { v=$(timeout 20 virsh -c qemu:///system version) && printf '%s\n' "$v" | awk '/^Running hypervisor/ {h = $3 " " $4} /^Using library/ {l = $3 " " $4} END {print l ", " h}'; }
libvirtd_by_hand() { alive libvirtd || libvirtd -d; }

rabbitmq_answers() { ss -Hltn 'sport = :5672' | grep -q . && echo "listening on 5672"; }
# Erlang sizes a table by the file limit; an unlimited one costs gigabytes.
# shellcheck disable=SC3045  # not POSIX, but every /bin/sh of Debian's has -n
rabbitmq_by_hand() { (ulimit -n 65536; exec rabbitmq-server -detached); }

docker_answers() { v=$(timeout 20 docker info --format '{{.ServerVersion}}, {{.Driver}}, cgroups v{{.CgroupVersion}}' 2>/dev/null) && [ -n "$v" ] && echo "$v"; }
docker_by_hand() {
  alive dockerd && return                              # it is still coming up
  rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
  mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # A bridge wider than the way out loses big packets.
  link=$(ip -o route show default 2>/dev/null | awk '{for (i = 1; i < NF; i++) if ($i == "dev") {print $(i + 1); exit}}')
  mtu=$(cat "/sys/class/net/$link/mtu" 2>/dev/null || echo 1500)
  [ "$mtu" -le 1500 ] || mtu=1500
  # In a session of its own, so that it outlives this script's terminal.
  setsid dockerd --mtu "$mtu" &
}

# A libvirtd that started before the mount refuses hugepage guests until it is started again. One that found the
# mount has made a folder of its own there. Restarting it loses nothing, but is left to people while guests run.
found_mount() { [ -d "$(mounted_at)/libvirt/qemu" ]; }
restart_libvirtd() {
  if [ $systemd = yes ]; then systemctl restart libvirtd.service; return; fi
  pid=$(cat /run/libvirtd.pid 2>/dev/null)
  [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = libvirtd ] || return 1
  kill "$pid" && wait_for 20 eval "! [ -d /proc/$pid ] || grep -q '^State:.Z' /proc/$pid/status" && (cd / && libvirtd -d) </dev/null >/dev/null 2>&1
}
check_libvirt_hugepages() {
  at=$(mounted_at)
  mend="restart libvirtd when no guest runs, it started before the mount"
  if [ -z "$at" ]; then row 'libvirt + pages' MISSING "no hugetlbfs mount"
  elif ! libvirtd_answers >/dev/null 2>&1; then
    if [ $root = no ]; then row 'libvirt + pages' MISSING "cannot be told without root"
    else row 'libvirt + pages' MISSING "libvirtd does not answer"; fi
  elif found_mount; then row 'libvirt + pages' ready "libvirtd found the mount"
  elif [ $root = no ]; then row 'libvirt + pages' ready "libvirtd answers; its folder is not visible to $(id -un)"
  elif [ $may_act = no ]; then row 'libvirt + pages' MISSING "$mend: sh $0 $mode"
  elif [ -n "$(virsh -c qemu:///system list --name | tr -d '[:space:]')" ]; then row 'libvirt + pages' MISSING "$mend: guests run now"
  else
    say "restarting libvirtd: it started before the mount, and no guest runs"
    if restart_libvirtd && wait_for 60 libvirtd_answers && found_mount; then row 'libvirt + pages' 'done' "libvirtd started again, found the mount"
    else row 'libvirt + pages' FAILED "libvirtd started again, but did not find the mount; see $logs"; fi
  fi
}

# --- what is not Debian's ---------------------------------------------------------------------
check_node() {
  v=$(node --version 2>/dev/null | tr -d v); major=${v%%.*}
  if [ -n "$major" ] && [ "$major" -ge 20 ] && command -v npm >/dev/null; then row node ready "$v (npm ci brings the version the project runs on)"
  else row node MISSING "Node 20 or newer with npm; found: ${v:-none}"; fi
}

build_image() {
  image=${HUGENODE_RABBITMQ_IMAGE:-hugenode-rabbitmq:3-local}
  if ! docker_answers >/dev/null 2>&1; then row 'broker image' MISSING "the container engine does not answer"
  elif docker image inspect "$image" >/dev/null 2>&1; then row 'broker image' ready "$image"
  elif [ $may_act = no ]; then row 'broker image' MISSING "sh $here/rabbitmq-image.sh"
  else
    say "broker image: building $image"
    if sh "$here/rabbitmq-image.sh"; then row 'broker image' 'done' "$image"
    else row 'broker image' FAILED "see the lines above; again: sh $here/rabbitmq-image.sh"; fi
  fi
}

[ $root = yes ] || [ $check_only = yes ] || say "not root: nothing is changed, only said"

install_packages
open_kvm
reserve_hugepages
mount_hugetlbfs
[ "$mode" = demo ] || start dockerd dockerd docker.service docker_answers docker_by_hand
start dbus dbus-daemon dbus.service dbus_answers dbus_by_hand
await dbus dbus-daemon dbus.service dbus_answers
start virtlogd virtlogd virtlogd.socket virtlogd_answers virtlogd_by_hand
await virtlogd virtlogd virtlogd.socket virtlogd_answers
start libvirtd libvirtd libvirtd.service libvirtd_answers libvirtd_by_hand
start rabbitmq rabbitmq-server rabbitmq-server.service rabbitmq_answers rabbitmq_by_hand
if [ "$mode" = 'test' ]; then
  await dockerd dockerd docker.service docker_answers
  build_image
fi
await libvirtd libvirtd libvirtd.service libvirtd_answers
check_libvirt_hugepages
await rabbitmq rabbitmq-server rabbitmq-server.service rabbitmq_answers
check_node

[ $may_act = no ] || say "finished"
cat "$table"
! grep -qE '^.{16} (MISSING|FAILED)' "$table" && { [ $root = yes ] || [ $check_only = yes ]; }
