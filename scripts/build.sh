#!/usr/bin/env bash
# Release build into build/: leaves build/bin/heed-server and build/bin/heed.
#
#   scripts/build.sh [--target=NAME]... [CMAKE_ARGUMENT]...
#
#   --target=NAME    build only this; again for more (default: everything)
#   CMAKE_ARGUMENT   for cmake's configure step, as -DHEED_BENCH=OFF
#   JOBS=N           compilers at a time (default: one for each core, each with 1 GiB of memory)
#   BUILD_DIR=DIR    build there instead
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_dir=${BUILD_DIR:-build}
configure=(-DHEED_TESTS=ON -DHEED_BENCH=ON)  # said each time, so that a build without them does not stay so
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

cmake -S . -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release --log-level=NOTICE "${configure[@]}"
echo "build: into $build_dir, $jobs at a time"
start=$SECONDS
cmake --build "$build_dir" --parallel "$jobs" ${targets[@]:+--target "${targets[@]}"}
echo "build: done in $((SECONDS - start)) s"
