#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs client/python with PySpark into a virtual environment of its own, for the test 'spark' and for
# tests/bench/spark_fleet.py. It downloads some 350 MB, so nothing calls it: without it the test is skipped. Needs Java 17.
#
#   scripts/spark_tests.sh [BUILD_DIR]     default: build
#
#   PYSPARK='pyspark>=4,<5'   another version of Spark (default: pyspark>=3.5,<4)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-build}/spark-tests
pyspark=${PYSPARK:-pyspark>=3.5,<4}
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
start=$SECONDS

command -v java > /dev/null || [[ -n "${JAVA_HOME:-}" ]] ||
  { echo "spark tests: there is no java: apt-get install openjdk-17-jre-headless" >&2; exit 1; }
# A copy, since building leaves files behind in the folder.
mkdir -p "$source/client"
cp -r client/python client/service_config.json "$source/client/"
cp -r proto CMakeLists.txt LICENSE "$source/"
[[ -x "$venv/bin/python3" ]] || python3 -m venv "$venv"
"$venv/bin/python3" -m pip uninstall --quiet --yes heed-client 2> /dev/null
"$venv/bin/python3" -m pip install --quiet "$source/client/python[spark]" "$pyspark"
"$venv/bin/python3" -c 'import pyspark; print("spark tests: pyspark", pyspark.__version__)'
echo "spark tests: installed in $((SECONDS - start)) s; run: ctest --preset release -R '^spark$' --verbose"
