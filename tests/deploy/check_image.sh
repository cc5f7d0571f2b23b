#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the image that scripts/image.sh built, as a container is run, and measures it: in its own mount, process and network
# namespaces, on a read-only root file system, as the image's user without privileges, with the image's own entry point; reached
# from outside over a pair of virtual network devices. Needs root, buildah and iproute2; nothing else of a container engine.
#
#   tests/deploy/check_image.sh [--tag=heed:latest] [--heed=build/bin/heed]
#
# Prints sizes, the time from start to ready, a translation by the client outside, the health check's cost, and how it stops.
# Exit code 1 where something is not as it should be, 77 where it cannot be run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tag=heed:latest
heed=build/bin/heed
for argument in "$@"; do
  case "$argument" in
    --tag=?*) tag=${argument#*=} ;;
    --heed=?*) heed=${argument#*=} ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "check_image: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
skip() { echo "check_image: SKIPPED: $*" >&2; exit 77; }
((EUID == 0)) || skip "needs root for namespaces"
for program in buildah ip unshare setpriv curl pgrep nsenter; do command -v "$program" > /dev/null || skip "there is no $program"; done
[[ -x "$heed" ]] || skip "there is no $heed: scripts/build.sh --target=heed"

start_limit_s=60  # from start to ready
driver=${STORAGE_DRIVER:-vfs}
buildah() { command buildah --storage-driver "$driver" "$@"; }
failures=0
expect() {  # WHAT GOT WANTED
  if [[ "$2" == "$3" ]]; then
    echo "check_image: ok      $1: $2"
  else
    echo "check_image: FAILED  $1: '$2', not '$3'"
    failures=$((failures + 1))
  fi
}
inspect() { buildah inspect --type image --format "$1" "$tag"; }

container=$(buildah from --pull-never "$tag") || skip "there is no image $tag: scripts/image.sh --tag=$tag"
work=$(mktemp -d)
namespace=heed-check-$$
# Two addresses of those that are for examples alone, and that this machine does not use.
for network in 198.51.100 203.0.113 192.0.2; do
  [[ "$(ip -4 address)" == *" $network."* ]] || break
done
address=$network.2
server=
cleanup() {
  [[ -z "$server" ]] || kill -KILL "$server" 2> /dev/null || true
  ip netns del "$namespace" 2> /dev/null || true
  buildah rm "$container" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
root=$(buildah mount "$container")

expect "user" "$(inspect '{{.Docker.Config.User}}')" 10001:10001
expect "stop signal" "$(inspect '{{.Docker.Config.StopSignal}}')" SIGTERM
expect "licence" "$(inspect '{{index .Docker.Config.Labels "org.opencontainers.image.licenses"}}')" Apache-2.0
mapfile -t health < <(inspect '{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}' | sed '/^$/d')
expect "health check" "${health[*]:0:3}" "CMD heed health"
mapfile -t command < <(inspect '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}{{range .Docker.Config.Cmd}}{{println .}}{{end}}' | sed '/^$/d')
expect "set-user-id files" "$(find "$root" -xdev -perm /6000 | wc -l)" 0
expect "files that the user could change" "$(find "$root" -xdev \( -uid 10001 -o -perm -002 \) ! -type l -printf '/%P\n' | sort | xargs)" \
  "/data /data/graphs /data/sessions /tmp"
expect "shells" "$(find "$root" -xdev \( -name sh -o -name bash -o -name dash -o -name busybox \) | wc -l)" 0
echo "check_image: size    $(($(du -s -B1 --apparent-size "$root" | cut -f 1) / 1000000)) MB in $(find "$root" -xdev -type f | wc -l) files; largest:"
find "$root" -xdev -type f -printf '%s /%P\n' | sort -rn | awk 'NR <= 5 { printf "check_image:         %5.1f MB %s\n", $1 / 1e6, $2 }'

ip netns add "$namespace"
ip link add "heed$$" type veth peer name eth0 netns "$namespace"
ip address add "$network.1/30" dev "heed$$"
ip link set "heed$$" up
ip -n "$namespace" address add "$address/30" dev eth0
ip -n "$namespace" link set eth0 up
ip -n "$namespace" link set lo up
mkdir -p "$root/proc" "$root/dev" "$root/sys" "$work/data/graphs"
chown -R 10001:10001 "$work/data"

# Inside the mount namespace: what engines mount, and the image itself read-only.
cat > "$work/enter.sh" << 'TEXT'
set -eu
root=$1 data=$2
shift 2
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
for device in null zero urandom random; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
[ -z "$data" ] || mount --bind "$data" "$root/data"
mount -o remount,bind,ro "$root"
exec env -i PATH=/usr/local/bin "$(command -v setpriv)" --no-new-privs "$(command -v chroot)" --userspec=10001:10001 --groups= "$root" "$@"
TEXT

start() {  # DATA FLAG...: the image's command line; sets `server`, its process id
  local data=$1
  shift
  started=$(date +%s.%N)
  ip netns exec "$namespace" unshare --mount --pid --ipc --uts --fork --kill-child sh "$work/enter.sh" "$root" "$data" \
    "${command[@]}" "$@" 2> "$work/log" &
  local unshare=$! deadline=$((SECONDS + start_limit_s))
  until curl -fs -o /dev/null --max-time 1 "http://$address:8002/readyz"; do
    kill -0 $unshare 2> /dev/null || { cat "$work/log" >&2; echo "check_image: FAILED  it did not start" >&2; exit 1; }
    if ((SECONDS > deadline)); then
      server=$(pgrep -P "$unshare" || true)
      cat "$work/log" >&2
      echo "check_image: FAILED  it was not ready within $start_limit_s s" >&2
      exit 1
    fi
    sleep 0.01
  done
  ready=$(date +%s.%N)
  server=$(pgrep -P "$unshare")
  parent=$unshare
}
stop() {  # sets `code`
  local begin
  begin=$(date +%s.%N)
  kill -TERM "$server"
  code=0
  wait "$parent" || code=$?
  stopped=$(awk "BEGIN { printf \"%.2f\", $(date +%s.%N) - $begin }")
  server=
}
milliseconds() { awk "BEGIN { printf \"%.0f\", 1000 * ($2 - $1) }"; }

start ""
echo "check_image: time    $(milliseconds "$started" "$ready") ms from start to ready ($(grep -c ' state=ready' "$work/log") models)"
expect "process id within" "$(awk '/^NSpid/ { print $NF }' "/proc/$server/status")" 1
expect "user id" "$(awk '/^Uid/ { print $2, $3, $4 }' "/proc/$server/status")" "10001 10001 10001"
expect "capabilities" "$(awk '/^CapEff/ { print $2 }' "/proc/$server/status")" 0000000000000000
expect "no new privileges" "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$server/status")" 1
expect "root is read-only" "$(awk '$2 == "/" { options = $4 } END { print substr(options, 1, 2) }' "/proc/$server/mounts")" ro
expect "health from outside" "$("$heed" health --server=$address:50051 --deadline=5)" SERVING
expect "translation from outside" "$(echo 'Two dogs are playing in the snow.' | "$heed" translate --server=$address:50051)" \
  "Zwei Hunde spielen im Schnee."
probe_start=$(date +%s.%N)
code=0
said=$(nsenter -t "$server" --mount --pid --net -- chroot --userspec=10001:10001 --groups= "/proc/$server/root" "/usr/local/bin/${health[1]}" \
  "${health[@]:2}") || code=$?
echo "check_image: time    $(milliseconds "$probe_start" "$(date +%s.%N)") ms for the health check"
expect "health check within" "$said, exit code $code" "SERVING, exit code 0"
resident=$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$server/status")
echo "check_image: memory  $resident MiB resident"
stop
expect "exit code after SIGTERM" "$code" 0
echo "check_image: time    $stopped s from SIGTERM to the end"

# With the volume that the image is made for.
graph=weights/gat-karate/karate.safetensors
start "$work/data" --graphs=/data/graphs --sessions=/data/sessions --management
"$heed" graph put karate --server=$address:50051 --graph=$graph > /dev/null
stop
start "$work/data" --graphs=/data/graphs --sessions=/data/sessions
expect "a stored graph after a restart" \
  "$("$heed" graph describe --server=$address:50051 --json | grep -o '"name": *"[a-z]*"' | tr -d ' ')" '"name":"karate"'
stop
expect "exit code after SIGTERM" "$code" 0

echo "check_image: $failures failed"
((failures == 0))
