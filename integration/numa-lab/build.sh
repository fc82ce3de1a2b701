#!/bin/bash
# Builds the NUMA lab out of Debian packages: a machine with four NUMA nodes, uneven pools of 2 MiB pages, one 1 GiB
# page, and libvirtd with QEMU inside, which start.sh runs in an emulated QEMU on any machine, however few nodes that has.
#
#   build.sh [FOLDER]    default /var/cache/hugenode/numa-lab
#
# FOLDER/debs   downloaded packages (kept: a second build downloads nothing)
# FOLDER/img    vmlinuz, initrd.gz, root.ext4, saved.* (the machine as it stood after its boot, so that a start is a
#               restore of 2 s), packages.txt, BUILD (recipe and timings; by it a second run knows that nothing is to be done)
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
recipe="recipe $({ cat "$here/build.sh"; echo "${LAB_EXTRA_PKGS:-} ${LAB_IMG_MB:-}"; } | sha256sum | cut -c1-16)"
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
t0=$(date +%s.%N); step() { echo "$(date +%s.%N) $t0" | awk -v m="$*" '{printf "%6.1f s  %s\n", $1-$2, m}' | tee -a "$img/BUILD.part" >&2; }
echo "$recipe" > "$img/BUILD.part"
pkgs="linux-image-cloud-amd64 libvirt-daemon libvirt-clients qemu-system-x86 qemu-utils busybox-static numactl ${LAB_EXTRA_PKGS:-}"

# 1. resolve the dependency closure against an empty dpkg status, with this machine's own apt sources, and download it
mkdir -p "$out/debs/partial"; : > "$out/status.empty"
A=(-q -y -o "Dir::State::status=$out/status.empty" -o "Dir::Cache::archives=$out/debs" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
   -o "Dir::Log=$out" -o APT::Install-Recommends=0 -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Keep-Downloaded-Packages=1)
fetch() { apt-get "${A[@]}" --download-only install $pkgs > "$out/apt.log" 2>&1; }
fetch || { echo "package lists missing or old: apt-get update"; apt-get -q update > "$out/apt.log" 2>&1 && fetch; } || { tail -5 "$out/apt.log" >&2; exit 1; }
apt-get "${A[@]}" -s install $pkgs 2>/dev/null | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' | sort > "$img/packages.txt"
step "packages: $(wc -l < "$img/packages.txt"), $(du -sm "$out/debs" | cut -f1) MB downloaded"

# 2. unpack; leave out what only adds weight here
rm -rf "$root"; mkdir -p "$root"
skip=' iso-codes libgstreamer1.0-0 initramfs-tools initramfs-tools-core klibc-utils libklibc libasound2-data udev dmsetup debconf adduser passwd libpam-modules libpam-modules-bin logsave dpkg '
while read -r p v; do
  case "$skip" in *" $p "*) continue;; esac
  f=$(ls "$out/debs/${p}_${v//:/%3a}_"*.deb) && dpkg-deb --fsys-tarfile "$f" | tar -x -C "$root" -p --keep-directory-symlink \
    --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale --exclude=./usr/share/info --exclude=./usr/share/perl5 \
    --exclude='./usr/share/libvirt/cpu_map/arm_*' --exclude='./usr/share/libvirt/cpu_map/ppc64_*' --exclude='./usr/share/qemu/skiboot.lid' \
    --exclude='./usr/share/qemu/openbios*' --exclude='./usr/share/qemu/hppa*' --exclude='./usr/share/qemu/opensbi*' --exclude='./usr/share/qemu/trace-events-all' \
    --exclude='./usr/share/qemu/slof.bin' --exclude='./usr/lib/qemu/*vhost*' \
    --exclude='./usr/bin/qemu-system-x86_64-microvm' --exclude='./usr/bin/qemu-storage-daemon' --exclude='./usr/bin/qemu-nbd' --exclude='./usr/bin/qemu-io'
done < "$img/packages.txt"
step "unpacked: $(du -sm "$root" | cut -f1) MB"

# 3. kernel, and of its modules only what this lab can use
kver=$(basename "$root"/lib/modules/*); mod=$root/lib/modules/$kver; bb=$root/bin/busybox
cp "$root/boot/vmlinuz-$kver" "$img/vmlinuz"; rm -rf "$root/boot"
( cd "$mod"; find kernel -name '*.ko' | grep -E '/(virtio[a-z_-]*|net_failover|failover|tun|tap|macvtap|macvlan|bridge|stp|llc|veth|dummy|fuse|overlay|loop|kvm|kvm-amd|irqbypass|vsock|vmw_vsock_virtio_transport(_common)?|button|evdev|nbd)\.ko$' > "$out/keep.mods"
  find kernel -name '*.ko' | grep -vxFf "$out/keep.mods" | xargs rm -f; find kernel -type d -empty -delete )
"$bb" depmod -b "$root" "$kver"
mods_into() { # DIR module...: copy the modules in load order
  local d=$1 m f; shift; mkdir -p "$d"
  for m; do f=$(find "$mod" -name "$m.ko"); [ -z "$f" ] || { cp "$f" "$d/$m.ko"; echo "$m"; }; done > "$d/list"
}

# 4. the lab's own files
cd "$root"
mkdir -p proc sys dev run tmp mnt root etc/libvirt/qemu etc/libvirt/storage/autostart var/log/libvirt/qemu var/lib/libvirt/images var/lib/libvirt/qemu var/cache/libvirt/qemu usr/local/sbin
chown 64055:108 var/lib/libvirt/qemu var/cache/libvirt/qemu
rm -rf var/run; ln -s /run var/run
for a in $("$bb" --list); do for d in bin sbin usr/bin usr/sbin; do [ -e $d/$a ] || [ -L $d/$a ] && continue 2; done; ln -s /bin/busybox bin/$a; done
ln -sf busybox bin/sh
printf 'root:x:0:0:root:/root:/bin/sh\nlibvirt-qemu:x:64055:108::/var/lib/libvirt:/bin/false\nnobody:x:65534:65534::/:/bin/false\n' > etc/passwd
printf 'root:x:0:\nkvm:x:108:\nlibvirt:x:109:\nlibvirt-qemu:x:64055:\nnogroup:x:65534:\n' > etc/group
echo numalab > etc/hostname; printf '127.0.0.1 localhost numalab\n' > etc/hosts
printf 'passwd: files\ngroup: files\nhosts: files\n' > etc/nsswitch.conf
printf '/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n' > etc/ld.so.conf
cat > etc/libvirt/libvirtd.conf <<'C'
listen_tls = 0
listen_tcp = 1
listen_addr = "0.0.0.0"
tcp_port = "16509"
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
C
cat > etc/libvirt/qemu.conf <<'C'
user = "libvirt-qemu"
group = "kvm"
dynamic_ownership = 1
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = []
C
cat > etc/libvirt/storage/default.xml <<'C'
<pool type='dir'><name>default</name><uuid>6e756d61-6c61-4b00-8000-00000000d001</uuid><target><path>/var/lib/libvirt/images</path></target></pool>
C
ln -sf /etc/libvirt/storage/default.xml etc/libvirt/storage/autostart/default.xml
cat > sbin/lab-init <<'C'
#!/bin/sh
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm /dev/hugepages /dev/hugepages1G
mount -t devpts -o gid=5,mode=620 devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp
mkdir -p /run/libvirt /run/lock
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t hugetlbfs -o pagesize=2M hugetlbfs /dev/hugepages
mount -t hugetlbfs -o pagesize=1G hugetlbfs /dev/hugepages1G 2>/dev/null
hostname numalab
ip link set lo up; ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2
grep -qw lab.kvm=0 /proc/cmdline || modprobe kvm-amd nested=0 2>/dev/null
[ -e /dev/kvm ] && chown 0:108 /dev/kvm && chmod 660 /dev/kvm
modprobe tun 2>/dev/null; modprobe bridge 2>/dev/null; brctl addbr br0 && ip link set br0 up
echo "lab: $(cut -d' ' -f1 /proc/uptime) s: file systems and network up"
nc -ll -p 16510 -e /usr/local/sbin/lab-shell </dev/null >/dev/null 2>&1 &
( while :; do libvirtd --listen --pid-file /run/libvirtd.pid; echo "lab: libvirtd ended, rc $?"; sleep 1; done ) </dev/null >/dev/console 2>&1 &
( until virsh -q -c qemu:///system uri >/dev/null 2>&1; do sleep 0.5; done
  echo "lab: $(cut -d' ' -f1 /proc/uptime) s: libvirtd answers" >/dev/console ) &
while :; do wait; sleep 3600; done
C
cat > usr/local/sbin/lab-shell <<'C'
#!/bin/sh
# One command per connection: line 1 the command in base64, line 2 the number of bytes that follow as its input.
# The answer is its output and then rc=N.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
cd /root; IFS= read -r c; read -r n; c=$(echo "$c" | base64 -d)
if [ "${n:-0}" -gt 0 ]; then head -c "$n" | sh -c "$c" 2>&1; else sh -c "$c" </dev/null 2>&1; fi
echo "rc=$?"
C
chmod 755 sbin/lab-init usr/local/sbin/lab-shell
rm -f sbin/init; ln -s lab-init sbin/init
/sbin/ldconfig -r "$root" 2>/dev/null || true

# 5. a small Linux guest for domains inside the lab (direct kernel boot; balloon and network drivers, obeys the power button)
i=$out/guest; rm -rf "$i"; mkdir -p "$i"/bin "$i"/proc "$i"/sys "$i"/dev "$i"/etc/acpi/PWRF "$i"/var/log "$i"/var/run
cp "$bb" "$i/bin/busybox"; ln -s busybox "$i/bin/sh"
mods_into "$i/mod" virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_balloon failover net_failover virtio_net virtio_blk button evdev
cat > "$i/init" <<'C'
#!/bin/busybox sh
/bin/busybox --install -s /bin; export PATH=/bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for m in $(cat /mod/list); do insmod /mod/$m.ko 2>/dev/null; done
n=$(ls -d /sys/devices/system/node/node* | wc -l)
echo "guest: up at $(cut -d' ' -f1 /proc/uptime) s, $(nproc) cpu, $n node, $(sed -n 's/^MemTotal: *//p' /proc/meminfo)" > /dev/console
acpid -c /etc/acpi 2>/dev/null
mem=$(sed -n 's/.*lab\.eat=\([0-9]*\).*/\1/p' /proc/cmdline); [ -n "$mem" ] && { mount -t tmpfs -o size=100% t /var/run; dd if=/dev/zero of=/var/run/eat bs=1M count=$mem 2>/dev/null; echo "guest: holds $(du -m /var/run/eat | cut -f1) MiB" > /dev/console; }
while :; do sleep 3600; done
C
printf '#!/bin/busybox sh\n/bin/busybox poweroff -f\n' > "$i/etc/acpi/PWRF/00000080"; chmod 755 "$i/init" "$i/etc/acpi/PWRF/00000080"
( cd "$i" && find . | "$bb" cpio -o -H newc -R 0:0 2>/dev/null ) | gzip -6 > var/lib/libvirt/images/guest-initrd.gz
cp "$img/vmlinuz" var/lib/libvirt/images/guest-vmlinuz; chmod 644 var/lib/libvirt/images/guest-*
step "tree ready: $(du -sm "$root" | cut -f1) MB, kernel $kver"

# 6. the lab's initrd (busybox and the modules to reach its disk) and root file system
i=$out/initrd; rm -rf "$i"; mkdir -p "$i"/bin "$i"/proc "$i"/dev "$i"/new; cp "$bb" "$i/bin/busybox"
mods_into "$i/mod" virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net virtio-rng
cat > "$i/init" <<'C'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev; $b mount -t proc proc /proc
for m in $($b cat /mod/list); do $b insmod /mod/$m.ko; done
n=0; while ! [ -b /dev/vda ] && [ $n -lt 100 ]; do $b usleep 50000; n=$((n+1)); done
$b mount -t ext4 -o rw,noatime /dev/vda /new || { echo "lab: no root file system"; $b poweroff -f; }
$b umount /proc; $b mount -o move /dev /new/dev
exec $b switch_root /new /sbin/init
C
chmod 755 "$i/init"; ( cd "$i" && find . | "$bb" cpio -o -H newc -R 0:0 2>/dev/null ) | gzip -6 > "$img/initrd.gz"
pack() { rm -f "$img/root.ext4"; truncate -s "${LAB_IMG_MB:-768}M" "$img/root.ext4"
  mkfs.ext4 -q -F -L numalab -O ^has_journal,^metadata_csum -m 0 -N 16384 -E lazy_itable_init=1 -d "$root" "$img/root.ext4"; }
pack
step "packed: root.ext4 $(du -m "$img/root.ext4" | cut -f1) MB on disk, initrd $(du -k "$img/initrd.gz" | cut -f1) kB, vmlinuz $(du -k "$img/vmlinuz" | cut -f1) kB"

# 7. warm-up: boot once, let libvirtd probe QEMU, keep its capability cache, and save the running machine for quick starts
if [ -z "${LAB_NO_SAVE:-}" ]; then
  cp --sparse=always "$img/root.ext4" "$img/saved.ext4"
  LAB_SAVE=1 "$here/start.sh" "$out" > /dev/null 2> "$out/warm.log" 9>&- || { cat "$out/warm.log" >&2; exit 1; }
  step "warm-up boot: libvirtd answered"
  "$here/guest.sh" "$out" 'virsh -q capabilities >/dev/null; for t in qemu kvm; do virsh -q domcapabilities --virttype $t >/dev/null 2>&1; done; sync; tar -c -C / var/cache/libvirt | gzip -1 | base64' | base64 -d | tar -xz -C "$root"
  "$here/start.sh" "$out" --save; step "machine saved: $(du -m "$img"/saved.state* | cut -f1) MB state, $(du -m "$img/saved.ext4" | cut -f1) MB disk"
  pack
fi

# 8. only packages and image are needed again
rm -rf "$root" "$out/guest" "$out/initrd" "$out"/keep.mods "$out"/status.empty
step "built $out: $(du -sm "$img" | cut -f1) MB of image, $(du -sm "$out/debs" | cut -f1) MB of packages"
mv "$img/BUILD.part" "$img/BUILD"
