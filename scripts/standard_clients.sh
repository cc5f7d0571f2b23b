#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs, into a virtual environment of its own, the public client packages that tests/client/standard_clients_test.py
# and tests/client/rest_clients_test.py call the server with: Triton's and KServe's; and the validators of OpenAPI and
# JSON schemas. Of KServe's package only what its inference client needs: the package is also a framework for servers,
# twice as large. What cannot be had is not tried by the tests, which are skipped without Triton's: says so loudly, and
# exits with 0.
#
#   scripts/standard_clients.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-build}/standard-clients
what="standard clients"
without="The tests 'standard_clients' and 'rest_clients' do NOT try the server with this package."
source scripts/install_or_skip.sh

pip_install() { timeout 300 "$venv/bin/python3" -m pip install --quiet "$@"; }

triton() {
  python3 -m venv --clear "$venv" && pip_install 'tritonclient[grpc,http]>=2.41,<3' numpy
}

kserve() {
  pip_install --no-deps 'kserve>=0.13,<1' || return 1
  local needed
  mapfile -t needed < <("$venv/bin/python3" - << 'PYTHON'
import importlib.metadata
import re

needed = "cloudevents fastapi grpcio httpx numpy orjson pandas protobuf psutil pydantic python-dateutil pyyaml".split()
for requirement in importlib.metadata.requires("kserve"):
    if re.match(r"[\w.-]+", requirement)[0].lower() in needed and "extra ==" not in requirement:
        print(requirement)
PYTHON
  )
  pip_install "${needed[@]}"
}

validators() { pip_install 'openapi-spec-validator>=0.7,<1' 'jsonschema>=4.18,<5'; }

has() { "$venv/bin/python3" -c "$1" 2> /dev/null; }

if has 'import numpy, tritonclient.grpc, tritonclient.http'; then
  echo "standard clients: Triton's is installed"
elif ! install "Triton's" triton; then
  rm -rf "$venv"
  exit 0
fi
if has 'import importlib.metadata as m; m.version("kserve"); import fastapi, httpx, orjson, pandas'; then
  echo "standard clients: KServe's is installed"
elif ! install "KServe's" kserve; then
  "$venv/bin/python3" -m pip uninstall --quiet --yes kserve > /dev/null 2>&1 || true
fi
if has 'import jsonschema, openapi_spec_validator'; then
  echo "standard clients: the validators are installed"
else
  install "the validators" validators || true
fi
exit 0
