#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds, as BUILD_DIR/otel-collector/otel-collector, an OpenTelemetry collector of the parts that
# tests/client/traces_test.py needs (tests/client/otel_collector). It needs Go, and a few minutes and 700 MB the first
# time. Without it that test is skipped: says so loudly, and exits with 0.
#
#   scripts/otel_collector.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source=tests/client/otel_collector
program=$(realpath -m "${1:-build}/otel-collector/otel-collector")
if [[ -x "$program" && ! "$source/go.sum" -nt "$program" && ! "$source/main.go" -nt "$program" ]]; then
  echo "collector: $program is built"
  exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
build() {
  command -v go > /dev/null || { echo "there is no go"; return 1; }
  (cd "$source" && GOTOOLCHAIN=local timeout 900 go build -trimpath -ldflags='-s -w' -o "$program" .)
}
start=$SECONDS
if build > "$log" 2>&1; then
  echo "collector: $program built in $((SECONDS - start)) s"
  exit 0
fi
tail -n 5 "$log" >&2
cat >&2 << TEXT
************************************************************************************************
collector: OpenTelemetry's could not be built (above).
The test 'traces' does NOT try the server with it.
************************************************************************************************
TEXT
exit 0
