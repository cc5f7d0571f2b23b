#!/usr/bin/env bash
# Sets up, builds and runs every test; ends with ctest's summary. Arguments go to ctest: scripts/test.sh -R layering
#
#   PRESET=asan      the whole suite under the address and undefined-behaviour sanitizers, in build-asan/
#   PRESET=tsan      the same under the thread sanitizer, in build-tsan/
#   TEST_JOBS=N      tests at a time (default 2)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${PRESET:-release}
scripts/setup.sh
build_dir=build
[[ "$preset" == release ]] || build_dir=build-$preset
scripts/standard_clients.sh "$build_dir"
scripts/python_client.sh "$build_dir"
scripts/promtool.sh "$build_dir"
if [[ "$preset" == release ]]; then
  scripts/build.sh
else
  cmake --preset "$preset" --log-level=NOTICE
  cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}"
fi
ctest --preset "$preset" --parallel "${TEST_JOBS:-2}" "$@"
