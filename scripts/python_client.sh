#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs client/python with pip into a virtual environment of its own, and what its tests need: pytest and mypy. The wheel
# is built from the source distribution, outside of the tree. Where the packages that it takes cannot be had, the test
# python_client is skipped: says so loudly, and exits with 0.
#
#   scripts/python_client.sh [BUILD_DIR]     default: build
#   PYTHON=python3.13                        the Python of the environment (default: python3)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
venv=${1:-build}/python-client
stamp=$venv/installed

# Again only after a change of what is installed. Tests are not.
if [[ -e "$stamp" ]] && [[ -z "$(find client/python client/service_config.json proto -path client/python/tests -prune -o \
    -newer "$stamp" -type f -print -quit)" ]]; then
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
install() {
  local build=$source/venv/bin/python3
  "$python" -m venv "$source/venv" && "$python" -m venv --clear "$venv" &&
    timeout 60 "$build" -m pip install --quiet build &&
    "$build" -c 'import build, sys; print(*build.ProjectBuilder(sys.argv[1]).build_system_requires, sep="\n")' \
      "$source/client/python" > "$source/requirements" &&
    timeout 300 "$build" -m pip install --quiet --no-compile --requirement "$source/requirements" &&
    timeout 120 "$build" -m build --no-isolation --outdir "$source/dist" "$source/client/python" &&
    timeout 300 "$venv/bin/python3" -m pip install --quiet --no-compile "$(ls "$source"/dist/heed_client-*.whl)[test]"
}
if install > "$log" 2>&1; then
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
python client: its packages (grpcio, protobuf, grpcio-tools, pytest, mypy) could not be downloaded
(above). The test 'python_client' is SKIPPED: the Python client is not tried.
************************************************************************************************
TEXT
