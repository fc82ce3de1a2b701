#!/bin/bash
# Builds the NUMA lab out of Debian packages: a machine with four NUMA nodes, uneven pools of 2 MiB pages, one 1 GiB
# page, and libvirtd with QEMU inside, which start.sh runs in an emulated QEMU on any machine, however few nodes that has.
#
#   build.sh [FOLDER]    default /var/cache/hugenode/numa-lab
#
# FOLDER/debs   downloaded packages (kept: a second build downloads nothing)
# FOLDER/img    vmlinuz, initrd.gz, root.ext4, saved.* (the machine as it stood after its boot, so that a start is a
#               restore of 2 s), packages.txt, BUILD (recipe and timings; by it a second run knows that it is built)
#
# No package script is run and nothing is installed on this machine: packages are unpacked into a folder, which becomes
# an ext4 file system. About 25 s on two quiet cores, and a hundred megabytes to download with this machine's apt sources.
# Needs apt-get, dpkg-deb, mkfs.ext4, qemu-system-x86_64; virsh and zstd where present; root or fakeroot.
#
#   LAB_EXTRA_PKGS="pkg ..."  more packages inside the lab
#   LAB_IMG_MB=768            size of its root file system (a sparse file)
#   LAB_NO_SAVE=1             no saved machine: every start is then a boot
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
umask 022
mkdir -p "${1:-/var/cache/hugenode/numa-lab}"
out=$(cd "${1:-/var/cache/hugenode/numa-lab}" && pwd); img=$out/img; root=$out/root
say() { printf 'numa-lab: %s\n' "$*" >&2; }

# Of start.sh only the machine counts, and a saved machine that no longer fits is told by start.sh itself.
recipe="recipe $({ cat "$here/build.sh" "$here"/files/*; echo "${LAB_EXTRA_PKGS:-} ${LAB_IMG_MB:-}"; } | sha256sum | cut -c1-16)"
whole() { grep -qsx "$recipe" "$img/BUILD"; }
if whole; then exit 0; fi

# dpkg's and the file system's tools are not on every user's path.
PATH=$PATH:/usr/sbin:/sbin
for t in apt-get dpkg-deb gzip mkfs.ext4 qemu-system-x86_64; do
  command -v $t >/dev/null || { say "missing: $t (apt-get install e2fsprogs qemu-system-x86)"; exit 1; }
done
if [ "$(id -u)" != 0 ] && [ -z "${FAKEROOTKEY:-}" ]; then
  command -v fakeroot >/dev/null || { say "run it as root, or install fakeroot"; exit 1; }
  exec fakeroot -- "$0" "$out"
fi
# One builder at a time; the others then find it built.
exec 9>"$out/.lock"
flock 9
if whole; then exit 0; fi
# The lock must not outlive us in the QEMU of the warm-up.
"$here/stop.sh" "$out" >/dev/null 2>&1 9>&- || true
rm -f "$img"/BUILD "$img"/saved.*; mkdir -p "$img"
say "building $out"
t0=$(date +%s.%N)
echo "$recipe" > "$img/BUILD.part"
step() { awk -v now="$(date +%s.%N)" -v t0="$t0" -v m="$*" 'BEGIN {printf "%6.1f s  %s\n", now-t0, m}' | tee -a "$img/BUILD.part" >&2; }
megabytes() { du -sm "$1" | cut -f1; }

# --- packages: the dependency closure against an empty dpkg status, by this machine's own apt sources -----------------
packages="linux-image-cloud-amd64 libvirt-daemon libvirt-clients qemu-system-x86 busybox-static ${LAB_EXTRA_PKGS:-}"
mkdir -p "$out/debs/partial"; : > "$out/status.empty"
apt() {
  apt-get -q -y -o "Dir::State::status=$out/status.empty" -o "Dir::Cache::archives=$out/debs" -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o "Dir::Log=$out" -o APT::Install-Recommends=0 -o APT::Sandbox::User=root \
    -o Debug::NoLocking=1 -o APT::Keep-Downloaded-Packages=1 "$@"
}
# shellcheck disable=SC2086 # a list of words
fetch() { apt --download-only install $packages > "$out/apt.log" 2>&1; }
if ! fetch; then
  say "package lists missing or old: apt-get update"
  { apt-get -q update > "$out/apt.log" 2>&1 && fetch; } || { tail -n 5 "$out/apt.log" >&2; exit 1; }
fi
# shellcheck disable=SC2086
apt -s install $packages 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' | sort > "$img/packages.txt"
step "packages: $(wc -l < "$img/packages.txt"), $(megabytes "$out/debs") MB"

# --- unpacked, without what only adds weight here --------------------------------------------------------------------
rm -rf "$root"; mkdir -p "$root"
needless=" iso-codes libgstreamer1.0-0 initramfs-tools initramfs-tools-core klibc-utils libklibc libasound2-data udev dmsetup \
 debconf adduser passwd libpam-modules libpam-modules-bin logsave dpkg "
without=()
for path in share/doc share/man share/locale share/info share/perl5 'share/libvirt/cpu_map/arm_*' 'share/libvirt/cpu_map/ppc64_*' \
  share/qemu/skiboot.lid 'share/qemu/openbios*' 'share/qemu/hppa*' 'share/qemu/opensbi*' share/qemu/trace-events-all \
  share/qemu/slof.bin 'lib/qemu/*vhost*' bin/qemu-system-x86_64-microvm bin/qemu-storage-daemon; do
  without+=("--exclude=./usr/$path")
done
while read -r package version; do
  case "$needless" in *" $package "*) continue ;; esac
  # apt writes the colon of an epoch as %3a.
  for deb in "$out/debs/${package}_${version//:/%3a}_"*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" -p --keep-directory-symlink "${without[@]}"
  done
done < "$img/packages.txt"
step "unpacked: $(megabytes "$root") MB"

# --- the kernel, and of its modules only what the lab can use --------------------------------------------------------
kernel=$(basename "$root"/lib/modules/*); modules=$root/lib/modules/$kernel; busybox=$root/bin/busybox
cp "$root/boot/vmlinuz-$kernel" "$img/vmlinuz"
rm -rf "$root/boot"
(
  cd "$modules"
  find kernel -name '*.ko' | grep -vE '/(virtio[a-z_-]*|net_failover|failover|tun|fuse|kvm|kvm-amd|irqbypass|button|evdev)\.ko$' |
    xargs rm -f
  find kernel -type d -empty -delete
)
"$busybox" depmod -b "$root" "$kernel"

# --- the lab's own files ---------------------------------------------------------------------------------------------
cd "$root"
mkdir -p proc sys dev run tmp mnt root etc/libvirt/qemu var/log/libvirt/qemu var/lib/libvirt/images var/lib/libvirt/qemu \
  var/cache/libvirt/qemu usr/local/sbin
chown 64055:108 var/lib/libvirt/qemu var/cache/libvirt/qemu
rm -rf var/run; ln -s /run var/run
# Every busybox command that no package brought.
for applet in $("$busybox" --list); do
  for d in bin sbin usr/bin usr/sbin; do
    if [ -e $d/"$applet" ] || [ -L $d/"$applet" ]; then continue 2; fi
  done
  ln -s /bin/busybox bin/"$applet"
done
ln -sf busybox bin/sh
printf '%s\n' root:x:0:0:root:/root:/bin/sh libvirt-qemu:x:64055:108::/var/lib/libvirt:/bin/false \
  nobody:x:65534:65534::/:/bin/false > etc/passwd
printf '%s\n' root:x:0: kvm:x:108: libvirt:x:109: libvirt-qemu:x:64055: nogroup:x:65534: > etc/group
echo numalab > etc/hostname
echo '127.0.0.1 localhost numalab' > etc/hosts
printf '%s: files\n' passwd group hosts > etc/nsswitch.conf
printf '%s\n' /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu > etc/ld.so.conf
install -m 644 "$here"/files/libvirtd.conf "$here"/files/qemu.conf etc/libvirt/
install -m 755 "$here/files/lab-init" sbin/lab-init
install -m 755 "$here/files/lab-shell" usr/local/sbin/lab-shell
ln -sfn lab-init sbin/init
/sbin/ldconfig -r "$root" 2>/dev/null || true
step "tree ready: $(megabytes "$root") MB, kernel $kernel"

# --- initrd (busybox and the modules to reach the disk) and root file system -----------------------------------------
initrd=$out/initrd
rm -rf "$initrd"; mkdir -p "$initrd"/bin "$initrd"/proc "$initrd"/dev "$initrd"/new "$initrd"/mod
cp "$busybox" "$initrd/bin/busybox"
install -m 755 "$here/files/initrd-init" "$initrd/init"
# In the order in which they have to be loaded.
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover \
  virtio_net virtio-rng; do
  file=$(find "$modules" -name "$module.ko")
  if [ -n "$file" ]; then cp "$file" "$initrd/mod/"; echo "$module" >> "$initrd/mod/list"; fi
done
(cd "$initrd" && find . | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null) | gzip -6 > "$img/initrd.gz"
pack() {
  rm -f "$img/root.ext4"
  truncate -s "${LAB_IMG_MB:-768}M" "$img/root.ext4"
  mkfs.ext4 -q -F -L numalab -O ^has_journal,^metadata_csum -m 0 -N 16384 -E lazy_itable_init=1 -d "$root" "$img/root.ext4"
}
pack
step "packed: root.ext4 $(du -m "$img/root.ext4" | cut -f1) MB, initrd $(du -k "$img/initrd.gz" | cut -f1) kB"

# --- a first boot: libvirtd probes QEMU, its cache of that is kept, and the machine is saved for quick starts ---------
if [ -z "${LAB_NO_SAVE:-}" ]; then
  cp --sparse=always "$img/root.ext4" "$img/saved.ext4"
  LAB_SAVE=1 "$here/start.sh" "$out" > /dev/null 2> "$out/warm.log" 9>&- || { cat "$out/warm.log" >&2; exit 1; }
  step "first boot: libvirtd answered"
  "$here/guest.sh" "$out" 'virsh -q capabilities >/dev/null
    for t in qemu kvm; do virsh -q domcapabilities --virttype $t >/dev/null 2>&1; done
    sync; tar -c -C / var/cache/libvirt | gzip -1 | base64' | base64 -d | tar -xz -C "$root"
  "$here/start.sh" "$out" --save
  step "machine saved: $(du -m "$img"/saved.state* | cut -f1) MB"
  pack
fi

# --- only packages and image are needed again ------------------------------------------------------------------------
cd "$out"
rm -rf "$root" "$initrd" "$out/status.empty"
step "built $out: $(megabytes "$img") MB of image, $(megabytes "$out/debs") MB of packages"
mv "$img/BUILD.part" "$img/BUILD"
