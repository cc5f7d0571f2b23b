#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds and runs tests; ends with ctest's summary.
#
#   scripts/test.sh [LABEL | --all] [CTEST_ARGUMENT]...
#
#   LABEL            unit (default; less than a minute), integration, soak, fuzz or tools; docs/testing.md says what each holds
#   --all            every test
#   CTEST_ARGUMENT   for ctest: scripts/test.sh -R layering; without a label it chooses among all tests
#   PRESET=asan      under the address and undefined-behavior sanitizers, in build-asan/
#   PRESET=tsan      under the thread sanitizer, in build-tsan/
#   TEST_JOBS=N      tests at a time (default 2)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

label=
case "${1:-unit}" in
  unit | integration | soak | fuzz | tools)
    label=${1:-unit}
    shift $(($# > 0))
    ;;
  --all) shift ;;
  -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
  -*) ;;
  *) echo "test: there is no label '$1'; see scripts/test.sh --help" >&2; exit 2 ;;
esac

preset=${PRESET:-release}
build_dir=build
[[ "$preset" == release ]] || build_dir=build-$preset
scripts/setup.sh
targets=()
if [[ "$label" == unit ]]; then
  targets=(--target=unit_tests)
else
  scripts/standard_clients.sh "$build_dir"
  scripts/python_client.sh "$build_dir"
  scripts/translation_clients.sh "$build_dir"
  scripts/page_tests.sh "$build_dir"
  scripts/promtool.sh "$build_dir"
  scripts/wheel_tools.sh "$build_dir"
fi
PRESET=$preset scripts/build.sh "${targets[@]}"
ctest --preset "$preset" --parallel "${TEST_JOBS:-2}" ${label:+-L "^$label\$"} "$@"
