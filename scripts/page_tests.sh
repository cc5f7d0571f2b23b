#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what tests/page/ opens the page with: Playwright by pip and axe-core by npm, into BUILD_DIR/page-tests, and
# Debian's chromium where this is root and it is missing. What cannot be had is said loudly, and the tests are skipped;
# exits with 0.
#
#   scripts/page_tests.sh [BUILD_DIR]     default: build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-build}/page-tests
python=$folder/venv/bin/python3
axe=$folder/node_modules/axe-core/axe.min.js
what="page tests"
without="The tests of the page in a browser are SKIPPED."
source scripts/install_or_skip.sh

from_debian() {
  ((EUID == 0)) || { echo "only root can install chromium: apt-get install chromium"; return 1; }
  apt-get update && timeout 600 apt-get install -y --no-install-recommends chromium fonts-dejavu-core
}

from_pip() {
  python3 -m venv --clear "$folder/venv" && timeout 300 "$python" -m pip install --quiet 'playwright>=1.48,<2'
}

from_npm() {
  command -v npm > /dev/null || { echo "there is no npm"; return 1; }
  timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" 'axe-core@^4.10'
}

mkdir -p "$folder"
if command -v chromium > /dev/null; then
  echo "page tests: chromium is installed"
else
  install chromium from_debian || true
fi
if "$python" -c 'import playwright' 2> /dev/null; then
  echo "page tests: Playwright is installed"
elif ! install Playwright from_pip; then
  rm -rf "$folder/venv"
fi
if [[ -f "$axe" ]]; then
  echo "page tests: axe-core is installed"
else
  install axe-core from_npm || true
fi
exit 0
