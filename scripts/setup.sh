#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian 12 packages that Heed is built and tested with. Installs only what is missing, and needs root or
# sudo only then.
#
#   scripts/setup.sh             to build and test
#   scripts/setup.sh --build     to build the two programs only: neither tests nor checks
#   scripts/setup.sh --check     installs nothing; lists what is missing and exits 1
set -euo pipefail

# To compile and link heed-server and heed.
build_packages=(
  cmake g++ ninja-build pkgconf ccache
  libabsl-dev              # status, strings, containers
  libcli11-dev             # flags and configuration files
  libcld2-dev              # the languages of texts
  libcmark-gfm-dev libcmark-gfm-extensions-dev  # Markdown that heed translates
  libcpp-httplib-dev       # heed top: the server's metrics over HTTP
  libdnnl-dev              # oneDNN: linear layers of many rows
  libedit-dev              # heed chat: lines that can be edited
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libhiredis-dev           # sessions in Redis
  libhwy-dev               # Highway: our own kernels, dispatched at run time
  libicu-dev               # sentence boundaries, characters of tokens, lower case
  libmicrohttpd-dev        # HTTP
  libgnutls28-dev          # its TLS
  libsentencepiece-dev     # tokenisers
  libspdlog-dev            # logs
  libssl-dev               # certificates, hashes of tokens
  libxxhash-dev            # fingerprints of models, checksums of sessions
  zlib1g-dev               # compressed messages
  nlohmann-json3-dev       # config.json, vocab.json, safetensors headers
  prometheus-cpp-dev       # metrics
)
# For ctest, on top of those.
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev
  gettext                  # msgfmt: translated message files are checked
  redis-server             # sessions of several servers
  groff-base               # the manual pages are checked
  clang                    # the thread-safety check of our locks
  clang-format             # scripts/format.sh
  python3-venv             # the public clients that the server is tried with
  python3-yaml             # the manifests of deploy/
)

fail() {
  echo "setup: $*" >&2
  exit 1
}

packages=("${build_packages[@]}" "${test_packages[@]}")
check_only=false
for argument in "$@"; do
  case "$argument" in
    --build) packages=("${build_packages[@]}") ;;
    --check) check_only=true ;;
    *) fail "unknown argument '$argument'; usage: scripts/setup.sh [--build] [--check]" ;;
  esac
done

command -v dpkg-query > /dev/null || fail "this is not Debian (no dpkg-query). Heed is built on Debian 12; elsewhere use" \
  "deploy/Dockerfile, or install the counterparts of: ${packages[*]}"

# dpkg-query exits 1 when it knows nothing of a package, which is an answer, not a failure.
missing=()
installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2> /dev/null |
  awk '$1 == "installed" { print $2 }' | tr '\n' ' ' || true) "
for package in "${packages[@]}"; do
  [[ "$installed" == *" $package "* ]] || missing+=("$package")
done

if ((${#missing[@]} == 0)); then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi
if $check_only; then
  echo "setup: missing: ${missing[*]}" >&2
  exit 1
fi

# Other releases may do, if they have the packages; the versions that we test against are Debian 12's.
release=$(. /etc/os-release 2> /dev/null && echo "${ID:-unknown} ${VERSION_ID:-}" || echo unknown)
[[ "$release" == "debian 12" ]] || echo "setup: warning: this is '$release'; Heed is tested on 'debian 12'" >&2

as_root=()
if ((EUID != 0)); then
  command -v sudo > /dev/null || fail "needs root to install ${missing[*]}: run as root, or install sudo"
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" > "$log" 2>&1
}

echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
start=$SECONDS
if ! apt update; then
  tail -n 15 "$log" >&2
  fail "'apt-get update' failed (above); is the network, or the mirror in /etc/apt, reachable?"
fi
absent=()
for package in "${missing[@]}"; do
  apt-cache show --no-all-versions "$package" > /dev/null 2>&1 || absent+=("$package")
done
((${#absent[@]} == 0)) || fail "apt knows no package ${absent[*]}: these come from Debian 12's 'main'; see /etc/apt"
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  tail -n 15 "$log" >&2
  fail "'apt-get install' failed (above) for: ${missing[*]}"
fi
echo "setup: installed in $((SECONDS - start)) s"
