#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts promtool, with which the test `deploy` parses the queries of deploy/ and tests its alerts, into BUILD_DIR/tools. It is
# taken out of Debian's package of Prometheus, which is not installed, as that would start a service. Where it cannot be had
# that part of the test is skipped: says so loudly, and exits with 0.
#
#   scripts/promtool.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$(realpath -m "${1:-build}/tools")
if command -v promtool > /dev/null || "$tools/promtool" --version > /dev/null 2>&1; then
  echo "promtool: installed"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As the user that runs this: apt's own user may not write into a directory of ours.
apt() { timeout 300 apt-get -q -o APT::Sandbox::User="$(id -un)" "$@"; }
# With lists of packages of its own, where the machine has none, or old ones: to write the machine's takes root.
fresh=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
download() {
  apt download prometheus || { mkdir -p "$work/lists" "$work/cache" && apt "${fresh[@]}" update && apt "${fresh[@]}" download prometheus; }
}
start=$SECONDS
if (cd "$work" && download && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool) > "$work/log" 2>&1 &&
  mkdir -p "$tools" && mv "$work/usr/bin/promtool" "$tools/" && "$tools/promtool" --version > "$work/version" 2>&1; then
  echo "promtool: in $tools after $((SECONDS - start)) s: $(head -n 1 "$work/version")"
  exit 0
fi
tail -n 5 "$work/log" >&2
rm -f "$tools/promtool"
cat >&2 << TEXT
************************************************************************************************
promtool: Debian's package prometheus could not be had (above).
Of the test 'deploy' the queries' syntax and the alerts' tests are SKIPPED.
************************************************************************************************
TEXT
