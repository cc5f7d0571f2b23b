#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Generates the Python stubs of all services into a folder (default: beside heed_client).
#
#     client/python/generate.sh [FOLDER]
#
# Needs grpcio-tools for the Python that $PYTHON names (default: python3).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
proto=$here/../../proto
python=${PYTHON:-python3}
folder=${1:-$here}
if ! "$python" -c 'import grpc_tools' 2>/dev/null; then
    echo "generate.sh: $python has no grpcio-tools; install it in a virtual environment: $python -m venv VENV && VENV/bin/pip install grpcio-tools && PYTHON=VENV/bin/python $0" >&2
    exit 1
fi
mkdir -p "$folder"
"$python" -m grpc_tools.protoc -I"$proto" --python_out="$folder" --grpc_python_out="$folder" \
    "$proto"/heed/v1/*.proto
echo "stubs are in $folder/heed/v1"
