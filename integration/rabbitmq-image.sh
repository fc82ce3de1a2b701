#!/bin/sh
# Provides the RabbitMQ image the integration tests start. The default one is built out of Debian packages alone, so
# that no image registry is needed; another one, named by the variable, is pulled. What is there already is kept.
#
#   rabbitmq-image.sh            provide the image unless it exists
#   rabbitmq-image.sh --force    build the default image again
#
# HUGENODE_RABBITMQ_IMAGE   image the tests use                (hugenode-rabbitmq:3-local, built here)
# DEBIAN_MIRROR             archive to install from            (the one this machine's apt uses)
# DEBIAN_SUITE              release to install                 (the one this machine runs)
set -eu

default=hugenode-rabbitmq:3-local
image=${HUGENODE_RABBITMQ_IMAGE:-$default}
# shellcheck disable=SC1091  # the machine's own file
base_suite=${DEBIAN_SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
base=hugenode-debian:$base_suite
force=no; [ "${1:-}" = --force ] && force=yes
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'rabbitmq-image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

docker info >/dev/null 2>&1 || die "the docker daemon does not answer: sh $(dirname "$0")/provision.sh test"

if [ "$image" != $default ]; then
  docker image inspect "$image" >/dev/null 2>&1 && { say "$image is there already"; exit 0; }
  docker pull "$image" >&2 && exit 0
  die "$image is not here and cannot be pulled; without HUGENODE_RABBITMQ_IMAGE one is built from Debian packages"
fi
if [ $force = no ] && docker image inspect "$image" >/dev/null 2>&1; then
  say "$image is there already"
  exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/rabbitmq-image.XXXXXX")
# A debootstrap stopped half-way leaves its mounts behind: nothing below them is to be removed.
clean() { umount -l "$work/root/proc" "$work/root/sys" 2>/dev/null || true; rm -rf --one-file-system "$work"; }
trap clean EXIT
trap 'exit 130' INT TERM

# --- the base: a minimal Debian, unpacked into a folder and imported -----------------------
if [ $force = yes ] || ! docker image inspect "$base" >/dev/null 2>&1; then
  [ "$(id -u)" = 0 ] || die "debootstrap needs root (the base image $base is not there yet)"
  command -v debootstrap >/dev/null || die "debootstrap is not installed: sh $(dirname "$0")/provision.sh test"
  [ -n "$base_suite" ] || die "cannot tell this machine's release; set DEBIAN_SUITE"
  # shellcheck disable=SC2016  # the words in $( ) are apt's own
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(REPO_URI)' \
    'Created-By: Packages' 2>/dev/null | awk -F'|' -v s="$base_suite" '$1=="Debian" && $2==s {print $3; exit}')}
  say "unpacking $base_suite (about half a minute)"
  # With no mirror argument debootstrap takes its own default.
  debootstrap --variant=minbase "$base_suite" "$work/root" ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; die "debootstrap failed"; }
  # The machine's own apt settings (proxy, clock tolerance) hold inside too.
  apt-config dump 2>/dev/null | grep -E '^Acquire::(Check|http|https)' >"$work/root/etc/apt/apt.conf.d/90host" || true
  rm -rf "$work/root"/var/cache/apt/archives/*.deb "$work/root"/var/lib/apt/lists/*
  tar -C "$work/root" -c . | docker import --change 'CMD ["sh"]' - "$base" >/dev/null
  rm -rf --one-file-system "$work/root"
fi

# --- the broker -----------------------------------------------------------------------------
mkdir "$work/context"
cat >"$work/context/rabbitmq.conf" <<'CONF'
# The tests reach the broker through a mapped port, so guest is not limited to loopback.
loopback_users = none
# testcontainers waits for a line of the log: log to standard output only.
log.file = false
log.console = true
log.console.level = info
# A test broker must not stop publishers because the machine's disk or memory is nearly full.
disk_free_limit.absolute = 50MB
# Queue counts in the management API are read by tests that wait for them: as fresh as it gets.
collect_statistics_interval = 1000
CONF
cat >"$work/context/start" <<'START'
#!/bin/sh
# Erlang sizes a table by the file limit; an unlimited one costs gigabytes.
ulimit -n 65536 2>/dev/null || true
cd /var/lib/rabbitmq
export HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server "$@"
START
chmod 755 "$work/context/start"
cat >"$work/context/Dockerfile" <<DOCKERFILE
FROM $base
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \\
 && apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Options::=--force-unsafe-io install -y --no-install-recommends rabbitmq-server \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /usr/share/doc /usr/share/man /usr/share/locale \\
 && echo '[rabbitmq_management].' >/etc/rabbitmq/enabled_plugins
COPY rabbitmq.conf /etc/rabbitmq/rabbitmq.conf
COPY start /usr/local/bin/start-rabbitmq
EXPOSE 5672 15672
CMD ["/usr/local/bin/start-rabbitmq"]
DOCKERFILE

say "installing the broker"
# Debian's engine has no buildx, and its client then needs the builder that came before it.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
# shellcheck disable=SC2086  # no option, or one word
build() { docker build --quiet $1 --tag "$image" "$work/context" >"$work/build.log" 2>&1; }
# On the bridge first; where its packets do not reach the archive, on the host's network.
build '' || { say "no archive from the bridge network, trying the host's"; build --network=host; } ||
  { tail -n 20 "$work/build.log" >&2; die "docker build failed"; }

say "$image: $(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.0f MB", $1/1e6}')"
