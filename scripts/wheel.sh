#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Python wheels heed-server (the two programs, the libraries that they load, most of the models that ship) and
# heed-models (the larger models), for every Linux whose glibc is as new as this machine's.
#
#   scripts/wheel.sh [--out=build/wheels] [--programs=DIR] [--tools=build/wheel-tools] [--server_only]
#
#   --programs=DIR   takes heed-server and heed from there, and builds nothing (default: builds them into build/bin)
#   --server_only    leaves heed-models out
#   JOBS=N           compilers at a time
#
# scripts/check_wheel.sh then installs them in other systems, and tries them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=build/wheels
programs=
tools=build/wheel-tools
server_only=false
for argument in "$@"; do
  case "$argument" in
    --out=?*) out=${argument#*=} ;;
    --programs=?*) programs=${argument#*=} ;;
    --tools=?*) tools=${argument#*=} ;;
    --server_only) server_only=true ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "wheel: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
fail() {
  echo "wheel: $*" >&2
  exit 1
}

# What a wheel may weigh, as Python's package index has it.
max_mb=100
# Models that would take heed-server beyond it.
larger_models=(translator-en-de-rnn translator-en-de-rnn-plain txl-novels xlnet-novels xlnet-subjectivity)

if [[ "$tools" == build/wheel-tools ]]; then
  scripts/wheel_tools.sh
fi
[[ -x "$tools/bin/auditwheel" ]] || fail "there are no tools in $tools: scripts/wheel_tools.sh"
tools=$(realpath -s "$tools")
if [[ -z "$programs" ]]; then
  scripts/setup.sh --build
  scripts/build.sh --target=heed-server --target=heed
  programs=build/bin
fi
for program in heed-server heed; do
  [[ -x "$programs/$program" ]] || fail "there is no program $programs/$program"
done
version=$("$programs/heed-server" --version)
version=${version##* }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
quietly() { "$@" > "$log" 2>&1 || { tail -n 30 "$log" >&2; fail "failed (above): $*"; }; }
# build_wheel FOLDER INTO [COMPRESSION]: of a folder with a pyproject.toml.
build_wheel() {
  cp LICENSE "$1"
  HEED_WHEEL_VERSION=$version quietly "$tools/bin/python3" -m pip wheel --quiet --no-index --no-deps \
    --no-build-isolation --config-settings="--build-option=--compression=${3:-deflated}" --wheel-dir "$2" "$1"
}

mkdir -p "$out"
rm -f "$out"/heed_server-*.whl "$out"/heed_models-*.whl

# heed-server: what pip installs, as files.
server=$work/server
cp -r deploy/wheel/server "$server"
package=$server/heed_server
mkdir -p "$package/bin" "$package/share/heed/models" "$server"/pages/{man,bash,zsh}
for program in heed-server heed; do
  strip -o "$package/bin/$program" "$programs/$program"
  chmod 0755 "$package/bin/$program"
done
for model in weights/*/; do
  name=$(basename "$model")
  [[ "$name" == recipes || " ${larger_models[*]} " == *" $name "* ]] || cp -r "$model" "$package/share/heed/models/$name"
done
"$programs/heed-server" --man > "$server/pages/man/heed-server.1"
"$programs/heed-server" --completion=bash > "$server/pages/bash/heed-server"
"$programs/heed-server" --completion=zsh > "$server/pages/zsh/_heed-server"
"$programs/heed" man > "$server/pages/man/heed.1"
"$programs/heed" completion bash > "$server/pages/bash/heed"
"$programs/heed" completion zsh > "$server/pages/zsh/_heed"

# The copyright of each library that the programs load or were built with, as its Debian package has it, and the licenses
# that these texts refer to.
mkdir "$server/libraries" "$server/common"
mapfile -t loaded < <(ldd "$programs/heed-server" "$programs/heed" | sed -nE 's/^.* => (\/[^ ]+) .*$/\1/p' | sort -u)
# A file of /lib may be known as one of /usr/lib and the other way round.
declare -A owner_of  # by the path without /usr
while IFS=: read -r owner path; do
  owner_of[${path#/usr}]=$owner
done < <(dpkg -S "${loaded[@]}" "${loaded[@]/#/\/usr}" "${loaded[@]#/usr}" 2> /dev/null | sed -E 's/^([^:]+)(:[^:]+)?: /\1:/')
for library in "${loaded[@]}"; do
  owner=${owner_of[${library#/usr}]:-}
  [[ -r "/usr/share/doc/$owner/copyright" ]] || fail "$library: there is no copyright of its Debian package '$owner'"
  cp -L "/usr/share/doc/$owner/copyright" "$server/libraries/$owner"
done
# Those that are in the programs themselves: archives and headers.
for package in $(sed -n '/^build_packages=(/,/^)/p' scripts/setup.sh | grep -oE '[a-z0-9+-]+-dev'); do
  cp -L "/usr/share/doc/$package/copyright" "$server/libraries/$package"
done
common=/usr/share/common-licenses
mapfile -t texts < <(grep -ohE "$common/[A-Za-z]+(-[0-9.]*[0-9])?" "$server"/libraries/* | sort -u)
for text in "${texts[@]}"; do
  [[ ! -r "$text" ]] || cp -L "$text" "$server/common/"
done

# The libraries that not every Linux has come into heed_server.libs. The tag says how new a glibc they need.
build_wheel "$server" "$work/raw" stored
PATH=$tools/bin:$PATH quietly auditwheel repair --wheel-dir "$out" "$work"/raw/heed_server-*.whl

if ! "$server_only"; then
  models=$work/models
  cp -r deploy/wheel/models "$models"
  mkdir -p "$models/heed_server/share/heed/models"
  for name in "${larger_models[@]}"; do
    cp -r "weights/$name" "$models/heed_server/share/heed/models/"
  done
  build_wheel "$models" "$out"
fi

for wheel in "$out"/heed_*.whl; do
  bytes=$(stat -c %s "$wheel")
  ((bytes < max_mb * 1000000)) || fail "$wheel has $bytes bytes: at most $max_mb MB; move a model into larger_models"
  echo "wheel: $wheel ($((bytes / 1000000)) MB)"
done
