#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs client/python as a user does, with pip into a virtual environment of its own, and what its tests need:
# pytest and mypy. Where the packages that it takes cannot be had the test is skipped: says so loudly, and exits with 0.
#
#   scripts/python_client.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-build}/python-client
stamp=$venv/installed

# Again only after a change of what is installed.
if [[ -e "$stamp" ]] && [[ -z "$(find client/python client/service_config.json proto -newer "$stamp" -type f -print -quit)" ]]; then
  echo "python client: installed"
  exit 0
fi
log=$(mktemp)
source=$(mktemp -d)
trap 'rm -rf "$log" "$source"' EXIT
start=$SECONDS
# A copy, since building leaves files behind in the folder.
mkdir -p "$source/client"
cp -r client/python client/service_config.json "$source/client/"
cp -r proto CMakeLists.txt LICENSE "$source/"
if python3 -m venv --clear "$venv" > "$log" 2>&1 &&
  timeout 300 "$venv/bin/python3" -m pip install --quiet "$source/client/python[test]" >> "$log" 2>&1; then
  touch "$stamp"
  echo "python client: installed in $((SECONDS - start)) s"
  exit 0
fi
tail -n 5 "$log" >&2
# What is wrong with the package itself is no reason to skip.
if timeout 60 python3 -m pip download --quiet --no-deps --dest "$source" grpcio > /dev/null 2>&1; then
  echo "python client: client/python could not be installed (above)" >&2
  exit 1
fi
rm -rf "$venv"
cat >&2 << TEXT
************************************************************************************************
python client: its packages (grpcio, protobuf, grpcio-tools, pytest, mypy) could not be downloaded (above).
The test 'python_client' is SKIPPED: the Python client is not tried.
************************************************************************************************
TEXT
