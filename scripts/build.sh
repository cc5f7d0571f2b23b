#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds into build/, as the preset `release` of CMakePresets.json says: leaves build/bin/heed-server and build/bin/heed.
#
#   scripts/build.sh [--target=NAME]... [CMAKE_ARGUMENT]...
#
#   --target=NAME    build only this; again for more (default: everything)
#   CMAKE_ARGUMENT   for cmake's configure step, as -DHEED_BENCH=OFF
#   JOBS=N           compilers at a time (default: one for each core, each with 1 GiB of memory)
#   PRESET=asan      another preset, into the folder that it names
#   BUILD_DIR=DIR    build there instead
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${PRESET:-release}
build_dir=${BUILD_DIR:-build}
[[ "$preset" == release ]] || build_dir=build-$preset
configure=()
if [[ "$preset" == release ]]; then
  configure=(-DHEED_TESTS=ON -DHEED_BENCH=ON)  # said each time, so that a build without them does not stay so
fi
targets=()
while (($# > 0)); do
  case "$1" in
    --target=*) targets+=("${1#--target=}") ;;
    --target)
      (($# > 1)) || { echo "build: --target needs a name" >&2; exit 2; }
      targets+=("$2")
      shift
      ;;
    *) configure+=("$1") ;;
  esac
  shift
done

# gRPC's headers take a compiler to about 1 GiB: on many cores with little memory, fewer at a time.
jobs=${JOBS:-}
if [[ -z "$jobs" ]]; then
  jobs=$(nproc)
  by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  ((by_memory >= jobs)) || jobs=$((by_memory > 1 ? by_memory : 1))
fi

cmake --preset "$preset" -B "$build_dir" --log-level=NOTICE ${configure[@]:+"${configure[@]}"}
echo "build: into $build_dir, $jobs at a time"
start=$SECONDS
cmake --build "$build_dir" --parallel "$jobs" ${targets[@]:+--target "${targets[@]}"}
echo "build: done in $((SECONDS - start)) s"
