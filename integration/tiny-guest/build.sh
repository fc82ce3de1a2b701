#!/bin/sh
# Builds the smallest Linux guest with a real virtio balloon driver, as an image hugenode can start: a folder with
# kernel, initrd and cmdline (and VERSION, by which a second run knows that nothing is to be done).
# Made from Debian packages that are downloaded and unpacked, not installed; needs no root where it may write.
#
#   build.sh [FOLDER]    default /var/cache/hugenode/images/tiny
#
# KERNEL_PKG   pins the kernel package (else the newest linux-image-cloud-amd64 of the package lists)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-/var/cache/hugenode/images/tiny}
# QEMU runs as a user of its own and reads what is made here.
umask 022
mkdir -p "$(dirname "$out")"
parent=$(cd "$(dirname "$out")" && pwd)
name=$(basename "$out"); out=$parent/$name

say() { printf 'tiny-guest: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

recipe=$(cat "$here/build.sh" "$here/init" "$here/eat" | sha256sum | cut -c1-16)
whole() {
  [ -s "$out/kernel" ] && [ -s "$out/initrd" ] && [ -s "$out/cmdline" ] && grep -qx "recipe $recipe" "$out/VERSION" 2>/dev/null &&
    { [ -z "${KERNEL_PKG:-}" ] || grep -qx "kernel ${KERNEL_PKG#linux-image-}" "$out/VERSION"; }
}
whole && exit 0

# One builder at a time; the others then find it built. Everything is made beside its place and moved there whole.
new=$parent/.$name.new
exec 9>"$parent/.$name.lock"
flock 9
whole && exit 0
rm -rf "$new"
work=$(mktemp -d "${TMPDIR:-/tmp}/tiny-guest.XXXXXX")
trap 'rm -rf "$work" "$new"' EXIT
trap 'exit 130' INT TERM
mkdir "$new"
cd "$work"

newest() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-/ {print $2; exit}'; }
kernel_package=${KERNEL_PKG:-$(newest)}
if [ -z "$kernel_package" ] && [ "$(id -u)" = 0 ]; then
  apt-get -q update >apt.log 2>&1 || { tail -n 5 apt.log >&2; die "apt-get update failed"; }
  kernel_package=$(newest)
fi
[ -n "$kernel_package" ] || die "no linux-image-cloud-amd64 in the package lists: apt-get update"

# apt's own user cannot write into our folder; it would say so and go on.
fetch() { apt-get -q -o APT::Sandbox::User=root download "$@" >apt.log 2>&1; }
say "fetching $kernel_package and busybox-static"
if ! fetch "$kernel_package" busybox-static; then
  # Lists that are too old name packages the archive no longer has.
  [ "$(id -u)" != 0 ] || apt-get -q update >/dev/null 2>&1 || true
  kernel_package=${KERNEL_PKG:-$(newest)}
  fetch "$kernel_package" busybox-static || { tail -n 5 apt.log >&2; die "the packages cannot be fetched"; }
fi
if ! command -v cpio >/dev/null; then
  fetch cpio || { tail -n 5 apt.log >&2; die "cpio is neither installed nor to be had"; }
  mkdir c; dpkg-deb -x cpio_*.deb c; PATH=$work/c/usr/bin:$work/c/bin:$PATH
fi

# Only the members we need: unpacking the whole kernel package costs seconds and a hundred megabytes.
version=${kernel_package#linux-image-} modules=./lib/modules/${kernel_package#linux-image-}/kernel
mkdir k
dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x -C k "./boot/vmlinuz-$version" \
  "$modules/drivers/virtio/virtio.ko" "$modules/drivers/virtio/virtio_ring.ko" "$modules/drivers/virtio/virtio_pci.ko" \
  "$modules/drivers/virtio/virtio_pci_legacy_dev.ko" "$modules/drivers/virtio/virtio_pci_modern_dev.ko" \
  "$modules/drivers/virtio/virtio_balloon.ko" "$modules/drivers/acpi/button.ko" "$modules/drivers/input/evdev.ko" \
  "$modules/crypto/lzo-rle.ko" "$modules/mm/zsmalloc.ko" "$modules/drivers/block/zram/zram.ko"
dpkg-deb --fsys-tarfile busybox-static_*.deb | tar -x -C k ./bin/busybox

r=$work/root
mkdir -p "$r/bin" "$r/mod" "$r/dev" "$r/proc" "$r/sys" "$r/etc/acpi/PWRF"
cp k/bin/busybox "$r/bin/"
for a in sh mount mkdir mkswap swapon swapoff insmod lsmod cat sleep poweroff reboot grep tr dd rm free ps dmesg setsid cttyhack acpid echo ls top; do
  ln -s busybox "$r/bin/$a"
done
cp "$here/init" "$r/init"; cp "$here/eat" "$r/bin/eat"
# What acpid runs when the power button is pressed (virsh shutdown).
printf '#!/bin/busybox sh\necho TINY-GUEST POWEROFF >/dev/ttyS0\npoweroff -f\n' >"$r/etc/acpi/PWRF/00000080"
chmod 755 "$r/init" "$r/bin/eat" "$r/bin/busybox" "$r/etc/acpi/PWRF/00000080"
find k -name '*.ko' -exec cp {} "$r/mod/" \;

# The same bytes each time: fixed times, sorted names, owner 0:0, no inode numbers, no time stamp in the gzip.
find "$r" -exec touch -h -d @0 {} +
(cd "$r" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible -R 0:0) | gzip -9n >"$new/initrd"
cp "k/boot/vmlinuz-$version" "$new/kernel"
echo 'console=ttyS0 quiet' >"$new/cmdline"
{
  printf 'recipe %s\nkernel %s\n' "$recipe" "$version"
  (cd "$new" && sha256sum kernel initrd cmdline)
} >"$new/VERSION"
chmod 644 "$new"/*

# An older image is moved away first: for a moment there is none, but never half of one.
old=$parent/.$name.old
rm -rf "$old"
[ ! -e "$out" ] || mv "$out" "$old"
mv "$new" "$out"
rm -rf "$old"
say "built $out (kernel $version)"
