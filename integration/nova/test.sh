#!/bin/sh
# The lane beside Nova itself from a fresh clone, as `npm run test:nova` starts it: Debian's python3-nova, which nothing
# else here needs, then generated cases answered by both. Arguments go to vitest. Without root nothing is installed: the
# line says what is missing.
#
# HUGENODE_NOVA_RUNS   cases of each property (200000)
# HUGENODE_NOVA_SEED   repeats the run that printed it
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

package=python3-nova
log=${TMPDIR:-/tmp}/hugenode-nova-apt.log
say() { printf 'nova: %s\n' "$*" >&2; }
installed() { dpkg-query -W -f '${Status}' $package 2>/dev/null | grep -q '^install ok installed'; }

# The lists at hand often suffice; where they are too old, the archive no longer has what they name.
apt() { apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io "$@" </dev/null >>"$log" 2>&1; }
apt_install() { apt install -y --no-install-recommends "$@" $package; }

# Nova's library brings programs with daemons along, open-iscsi among them. None of them is needed, so none is started,
# now or at the next boot.
units() { ! [ -d /run/systemd/system ] || systemctl list-unit-files --state=enabled --no-legend --plain | awk '{print $1}'; }
scripts() { ls /etc/rc[S2-5].d 2>/dev/null | sed -n 's/^S[0-9][0-9]//p'; }
new_ones() { "$1" | sort -u | comm -13 "$before.$1" -; }
hold_back_services() {
  before=$(mktemp)
  units | sort -u >"$before.units"
  scripts | sort -u >"$before.scripts"
  [ -e /usr/sbin/policy-rc.d ] && return
  policy=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
}
let_go_of_services() {
  [ -n "$before" ] || return 0
  for unit in $(new_ones units); do systemctl disable --now "$unit" >>"$log" 2>&1 || :; done
  for script in $(new_ones scripts); do update-rc.d "$script" disable >>"$log" 2>&1 || :; done
  rm -f "$before" "$before".* ${policy:+"$policy"}
  before=
}

if ! installed; then
  if ! command -v apt-get >/dev/null; then say "not a Debian machine; needed is $package"; exit 1; fi
  if [ "$(id -u)" != 0 ]; then say "missing: apt-get install --no-install-recommends $package"; exit 1; fi
  PATH=$PATH:/usr/sbin:/sbin
  export DEBIAN_FRONTEND=noninteractive
  : >"$log"
  before= policy=
  trap let_go_of_services EXIT
  trap 'exit 130' INT TERM
  apt_install --simulate || { say 'fetching the package lists'; apt update || :; }
  say "installing $package, about a hundred packages with what it needs"
  hold_back_services
  apt_install || { say "failed, see $log"; exit 1; }
  let_go_of_services
  trap - EXIT INT TERM
fi

sh integration/packages.sh

# By npx, which puts the project's own Node before the machine's.
exec npx vitest run --project nova "$@"
