#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs, into BUILD_DIR/translation-clients, the public clients of LibreTranslate's and DeepL's APIs that
# tests/client/translation_clients_test.py calls the server with: libretranslatepy and deepl by pip into a virtual
# environment, libretranslate and deepl-node by npm. What cannot be had is not tried by the test, which is skipped
# without those of Python: says so loudly, and exits with 0.
#
#   scripts/translation_clients.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-build}/translation-clients
python=$folder/venv/bin/python3
modules=$folder/node_modules
what="translation clients"
without="The test 'translation_clients' does NOT try the server with them."
source scripts/install_or_skip.sh

from_pip() {
  python3 -m venv --clear "$folder/venv" &&
    timeout 300 "$python" -m pip install --quiet 'libretranslatepy>=2.1,<3' 'deepl>=1.20,<2'
}

from_npm() {
  command -v node > /dev/null && command -v npm > /dev/null || { echo "there is no node, or no npm"; return 1; }
  timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" 'libretranslate@^1.0.1' \
    'deepl-node@^1.15'
}

mkdir -p "$folder"
if "$python" -c 'import deepl, libretranslatepy' 2> /dev/null; then
  echo "translation clients: those of Python are installed"
elif ! install "those of Python" from_pip; then
  rm -rf "$folder/venv"
fi
if [[ -d "$modules/libretranslate" && -d "$modules/deepl-node" ]]; then
  echo "translation clients: those of Node.js are installed"
elif ! install "those of Node.js" from_npm; then
  rm -rf "$modules"
fi
exit 0
