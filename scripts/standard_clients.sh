#!/usr/bin/env bash
# Installs, into a virtual environment of its own, the public client package that tests/client/standard_clients_test.py
# calls the server with. Where it cannot be had the test is skipped: says so loudly, and exits with 0.
#
#   scripts/standard_clients.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-build}/standard-clients
packages=('tritonclient[grpc]>=2.41,<3' numpy)

if [[ -x "$venv/bin/python3" ]] && "$venv/bin/python3" -c 'import numpy, tritonclient.grpc' 2> /dev/null; then
  echo "standard clients: installed"
  exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
start=$SECONDS
if python3 -m venv --clear "$venv" > "$log" 2>&1 &&
  timeout 300 "$venv/bin/python3" -m pip install --quiet "${packages[@]}" >> "$log" 2>&1; then
  echo "standard clients: installed in $((SECONDS - start)) s: ${packages[*]}"
  exit 0
fi
tail -n 5 "$log" >&2
rm -rf "$venv"
cat >&2 << TEXT
************************************************************************************************
standard clients: ${packages[*]} could not be installed (above).
The test 'standard_clients' is SKIPPED: the Open Inference Protocol is not tried with its own client.
************************************************************************************************
TEXT
