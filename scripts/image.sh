#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the container image of deploy/Dockerfile without a container daemon and without a registry: Debian's buildah,
# over a base image that debootstrap makes from this machine's Debian mirror. Needs root and about 5 GB of disk meanwhile.
#
#   scripts/image.sh [--tag=heed:latest] [--save=FILE] [--check] [--rebuild_base]
#
#   --tag=NAME         the image's name (default: heed:latest)
#   --save=FILE        also write a docker-archive, for `docker load`, `podman load`, or `ctr images import`
#   --check            then run it and measure it: tests/deploy/check_image.sh
#   --rebuild_base     make the base image anew; otherwise one that is younger than 7 days is kept
#   --ccache=DIR       keep the compilers' cache there: the next build takes a fraction of the time
#   JOBS=N             compilers at a time
#
# The image is in buildah's storage afterwards (`buildah --storage-driver=vfs images`). The environment's STORAGE_DRIVER
# chooses another driver.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the Dockerfile builds FROM. Debian's own image of that name is made by debootstrap, too.
base=debian:bookworm-slim
release=bookworm

say() { echo "image: $*"; }
fail() {
  echo "image: $*" >&2
  exit 1
}
usage() { sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

tag=heed:latest
save=
check=false
rebuild_base=false
ccache=
for argument in "$@"; do
  case "$argument" in
    --tag=?*) tag=${argument#*=} ;;
    --save=?*) save=${argument#*=} ;;
    --check) check=true ;;
    --rebuild_base) rebuild_base=true ;;
    --ccache=?*) ccache=${argument#*=} ;;
    -h | --help) usage; exit 0 ;;
    *)
      echo "image: unknown argument '$argument'" >&2
      usage >&2
      exit 2
      ;;
  esac
done

((EUID == 0)) || fail "needs root, to make Debian's root file system (you are '$(id -un)'): sudo scripts/image.sh"
missing=()
for program in buildah debootstrap; do command -v "$program" > /dev/null || missing+=("$program"); done
if ((${#missing[@]} > 0)); then
  command -v apt-get > /dev/null || fail "there is no ${missing[*]}, and no apt-get to install it"
  say "installing ${missing[*]}"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; } > /dev/null ||
    fail "could not install ${missing[*]} (apt's words are above)"
fi

export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=chroot
buildah() { command buildah --storage-driver "$STORAGE_DRIVER" "$@"; }  # takes no driver from the environment
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where this machine takes Debian from, and through which proxy: "URI RELEASE COMPONENT" lines; nothing on other systems,
# and then debootstrap's own mirror is taken.
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2> /dev/null |
  sort -u | awk -v release="$release" '$2 == release || index($2, release "-") == 1' || true)
apt-config dump 2> /dev/null | grep -E '^Acquire::(http|https)::Proxy|^Acquire::(Check-Valid-Until|Check-Date|Retries) ' \
  > "$work/apt.conf" || true

age_days() {  # of an image, in whole days
  local created
  created=$(buildah inspect --type image --format '{{.Docker.Created}}' "$1" 2> /dev/null) || return 1
  echo $((($(date +%s) - $(date -d "${created%% +*}Z" +%s)) / 86400))
}

if ! $rebuild_base && age=$(age_days "localhost/$base") && ((age < 7)); then
  say "base: $base of $age days ago is there (--rebuild_base makes it anew)"
else
  start=$SECONDS
  mirror=$(awk -v release="$release" '$2 == release { print $1; exit }' <<< "$sources")
  say "base: $base by debootstrap from ${mirror:-its own mirror}"
  debootstrap --variant=minbase ${mirror:+--include=ca-certificates} "$release" "$work/root" ${mirror:+"$mirror"} \
    > "$work/log" 2>&1 || { tail -n 15 "$work/log" >&2; fail "debootstrap failed (above)"; }
  [[ -z "$sources" ]] || awk '{ print "deb", $1, $2, $3 }' <<< "$sources" > "$work/root/etc/apt/sources.list"
  rm -rf "$work/root/var/cache/apt/archives/"*.deb "$work/root/var/lib/apt/lists/"*
  container=$(buildah from scratch)
  buildah copy -q "$container" "$work/root" / > /dev/null
  buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit -q --rm "$container" "localhost/$base" > /dev/null
  rm -rf "$work/root"
  say "base: made in $((SECONDS - start)) s"
fi

# What the machine says about its mirror and proxy is mounted while packages are installed, and leaves no trace.
volumes=(--volume "$work/apt.conf:/etc/apt/apt.conf.d/90host:ro")
if [[ -n "$ccache" ]]; then
  mkdir -p "$ccache"
  volumes+=(--volume "$(realpath "$ccache"):/root/.cache/ccache")
fi
version=$(sed -nE 's/^project\(heed VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
# Git does not trust a tree of another user, as it is under sudo, unless told to.
revision=$(git -c safe.directory="$PWD" rev-parse HEAD 2> /dev/null || true)
[[ -n "$revision" ]] || say "this is no git tree: the image's label of the revision stays empty"
start=$SECONDS
say "building $tag: packages, then the compilers; about ten minutes of two cores"
# The Docker format, since OCI's has no HEALTHCHECK. Nothing is pulled: both stages are over the base above.
buildah build --pull-never --format docker --isolation chroot --layers=false "${volumes[@]}" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "JOBS=${JOBS:-}" \
  --file deploy/Dockerfile --tag "$tag" . 2>&1 | tee "$work/log" |
  sed -u -nE '/STEP |^setup:|^build:|^image_root:/p; s/^(\[[0-9]*0\/[0-9]+\]) .*/  \1/p' ||
  { tail -n 30 "$work/log" >&2; fail "buildah failed (above)"; }
say "built in $((SECONDS - start)) s"

archive=$work/image.tar
buildah push -q "$tag" "docker-archive:$archive:$tag"
size=$(stat -c %s "$archive")
compressed=$(gzip -6 < "$archive" | wc -c)
say "$tag: $((size / 1000000)) MB, $((compressed / 1000000)) MB compressed"
if [[ -n "$save" ]]; then
  mv "$archive" "$save"
  say "saved: docker load -i $save"
fi

cat << TEXT
image: run it, for one:
  docker load / podman load of --save's file, then
    docker run --rm --read-only --cap-drop=ALL -p 127.0.0.1:50051:50051 -p 127.0.0.1:8002:8002 $tag
  without either: scripts/image.sh --check shows how, in tests/deploy/check_image.sh
TEXT
if $check; then tests/deploy/check_image.sh --tag="$tag"; fi
