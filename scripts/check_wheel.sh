#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the wheels of scripts/wheel.sh with pip, as a user and without any network, in systems that have Python and
# nothing of Heed's (debootstrap, chroot): no compiler, none of its libraries. Prints the seconds from `pip install` to the
# first answer, what is installed, and each library that comes from the system. Needs root, debootstrap and about 1 GB of
# disk meanwhile.
#
#   scripts/check_wheel.sh [--wheels=build/wheels] [--release=bookworm]... [--root=DIR]...
#
#   --release=NAME    a release of Debian, again for more (default: bookworm and trixie)
#   --root=DIR        a system that has Python with venv; it is copied, and stays as it is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wheels=build/wheels
releases=()
roots=()
for argument in "$@"; do
  case "$argument" in
    --wheels=?*) wheels=${argument#*=} ;;
    --release=?*) releases+=("${argument#*=}") ;;
    --root=?*) roots+=("${argument#*=}") ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "check_wheel: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
((${#releases[@]} + ${#roots[@]} > 0)) || releases=(bookworm trixie)
say() { echo "check_wheel: $*"; }
fail() {
  echo "check_wheel: $*" >&2
  exit 1
}
((EUID == 0)) || fail "needs root, for debootstrap and chroot"
((${#releases[@]} == 0)) || command -v debootstrap > /dev/null || fail "no debootstrap: apt-get install debootstrap"
shopt -s nullglob
files=("$wheels"/heed_server-*.whl "$wheels"/heed_models-*.whl)
((${#files[@]} == 2)) || fail "expected one wheel heed_server and one heed_models in $wheels: run scripts/wheel.sh"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

# check NAME: the system in $work/root. Everything that it starts ends with its process namespace.
check() {
  local root=$work/root
  mkdir -p "$root/wheels" "$root/home/heed"
  cp "${files[@]}" "$root/wheels/"
  cp tests/deploy/try_wheel.sh "$root/home/heed/"
  chown -R 10001:10001 "$root/home/heed"
  say "$1: $(chroot "$root" sh -c '. /etc/os-release; echo "$PRETTY_NAME"'), $(chroot "$root" ldd --version | head -n 1)"
  unshare --net --pid --fork --mount -- sh -c "
    ip link set lo up && mount -t proc proc '$root/proc' &&
      exec chroot --userspec=10001:10001 '$root' env -i PATH=/usr/bin:/bin HOME=/home/heed LC_ALL=C.UTF-8 \
        bash /home/heed/try_wheel.sh" || fail "$1: failed (above)"
  rm -rf --one-file-system "$root"
}

for base in "${roots[@]}"; do
  cp -a "$base" "$work/root"
  check "$base"
done
mirror=$(apt-get indextargets --format '$(SITE)' "Created-By: Packages" "Component: main" | head -n 1)
for release in "${releases[@]}"; do
  say "debootstrap of $release"
  debootstrap --variant=minbase --include=python3,python3-venv "$release" "$work/root" \
    "${mirror:-http://deb.debian.org/debian}" > "$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; fail "debootstrap failed (above)"; }
  check "$release"
done
