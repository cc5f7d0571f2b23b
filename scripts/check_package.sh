#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages of scripts/package.sh in a Debian of their own (debootstrap, chroot), and tries them: the unit by
# systemd's own checks, the server as the unit starts it, a translation with the packaged heed, removal and purge. Needs
# root, debootstrap, and about 1 GB of disk meanwhile.
#
#   scripts/check_package.sh [--packages=build-package/packages] [--root=DIR]
#
#   --root=DIR    a system that debootstrap made before; otherwise one is made, and removed at the end
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=build-package/packages
base=
for argument in "$@"; do
  case "$argument" in
    --packages=?*) packages=${argument#*=} ;;
    --root=?*) base=${argument#*=} ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "check_package: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
say() { echo "check_package: $*"; }
fail() {
  echo "check_package: $*" >&2
  exit 1
}
((EUID == 0)) || fail "needs root, for debootstrap and chroot"
[[ -n "$base" ]] || command -v debootstrap > /dev/null || fail "no debootstrap: apt-get install debootstrap"
shopt -s nullglob
debs=("$packages"/heed-server_*.deb "$packages"/heed-client_*.deb)
((${#debs[@]} == 2)) || fail "expected a heed-server and a heed-client in $packages: run scripts/package.sh"

work=$(mktemp -d)
server=
Stop() {
  [[ -z "$server" ]] || kill -KILL "$server" 2> /dev/null || true
  ! mountpoint -q "$work/root/proc" || umount --lazy "$work/root/proc"
  rm -rf --one-file-system "$work"
}
trap Stop EXIT
root=$work/root

release=$(. /etc/os-release && echo "$VERSION_CODENAME")
if [[ -n "$base" ]]; then
  cp -a "$base" "$root"
else
  say "debootstrap of $release"
  mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' "Created-By: Packages" "Component: main" |
    awk -v release="$release" '$2 == release { print $1; exit }')
  debootstrap --variant=minbase "$release" "$root" "${mirror:-http://deb.debian.org/debian}" > "$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; fail "debootstrap failed (above)"; }
fi
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/" 2> /dev/null || true
inside() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+"http_proxy=$http_proxy"} "$@"
}
apt() {
  inside apt-get -q -y -o APT::Install-Recommends=false "$@" > "$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; fail "apt-get $* failed (above)"; }
}
# Everything but what any installation changes: the notes, caches and logs of apt and dpkg.
files() {
  (cd "$root" && find . \( -path ./proc -o -path ./run -o -path ./tmp -o -path ./var/cache -o -path ./var/log \
    -o -path ./var/lib/apt -o -path ./var/lib/dpkg \) -prune -o -print | sort)
}

apt update
# What the packages depend on comes first, so that what is left behind is theirs; and systemd, to look at the unit.
dependencies=()
for deb in "${debs[@]}"; do
  mapfile -t more < <(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed -E 's/^ *([^ (|]+).*/\1/')
  dependencies+=("${more[@]}")
done
apt install systemd "${dependencies[@]}"
files > "$work/before"

say "installing ${debs[*]##*/}"
cp "${debs[@]}" "$root/tmp/"
apt install "${debs[@]/#*\//\/tmp\/}"
inside dpkg -s heed-server heed-client | grep -E '^(Package|Status|Version|Installed-Size|Depends)'
unit=heed-server.service
[[ -L "$root/etc/systemd/system/multi-user.target.wants/$unit" ]] || fail "the installation did not enable $unit"

code=0
verified=$(inside systemd-analyze verify --man=no "/usr/lib/systemd/system/$unit" 2>&1) || code=$?
((code == 0)) && [[ -z "$verified" ]] || fail "systemd-analyze verify: exit code $code: $verified"
say "systemd-analyze verify: exit code 0, nothing to say"
inside systemd-analyze security --offline=true "/usr/lib/systemd/system/$unit" 2> /dev/null | tail -n 1

# As the unit starts it: its command, as a user without rights, who may write in the state directory only.
command=$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/$unit")
say "starting: $command"
install -d -o 61184 -g 61184 -m 0700 "$root/var/lib/heed"
port=$((20000 + RANDOM % 20000))
# Free ports, since the machine may have a server on the usual ones.
# shellcheck disable=SC2086
chroot "$root" setpriv --reuid=61184 --regid=61184 --clear-groups --no-new-privs --bounding-set=-all \
  env -i PATH=/usr/bin:/bin sh -c "cd /var/lib/heed && exec $command --listen=127.0.0.1:$port --metrics_listen=" \
  > "$work/server.log" 2>&1 &
server=$!
translation=$(inside heed translate --server="127.0.0.1:$port" --model=translator-en-de --deadline=60 <<< "Where is the station?") ||
  { cat "$work/server.log" >&2; fail "no translation"; }
say "heed translate: Where is the station? -> $translation"
[[ "$translation" == "Wo ist der Bahnhof?" ]] || fail "that is no translation"
inside heed models --server="127.0.0.1:$port"
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=
((code == 0)) || { tail -n 5 "$work/server.log" >&2; fail "the server ended with exit code $code"; }
say "SIGTERM: exit code 0"
[[ -d "$root/var/lib/heed/graphs" && -d "$root/var/lib/heed/sessions" ]] || fail "nothing in the state directory"

left() { files | comm -13 "$work/before" - | sed 's/^\./  /'; }
apt remove heed-server heed-client
left > "$work/left"
say "left after removal:"
cat "$work/left"
# Configuration, the state directory, and what deb-systemd-helper remembers of the unit until the purge.
kept='/etc/heed|/etc/heed/heed-server\.toml|/var/lib/heed(/.*)?'
kept+="|(/var/lib/systemd/deb-systemd-helper-enabled|/etc/systemd/system)/(multi-user\.target\.wants/)?$unit(\.dsh-also)?"
if grep -vE "^  ($kept)\$" "$work/left"; then
  fail "that is more than configuration and state"
fi
apt purge heed-server heed-client
left > "$work/left"
[[ ! -s "$work/left" ]] || { cat "$work/left" >&2; fail "left after the purge (above)"; }
say "nothing is left after the purge"
