#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that every source file of ours names its license (scripts/add_spdx.py), and, with --selftest, that a file
# without it is found.
#
#   check_spdx.sh TREE | --selftest
set -euo pipefail
add_spdx=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/scripts/add_spdx.py
(($# == 1)) || { echo "usage: check_spdx.sh TREE | --selftest" >&2; exit 2; }
[[ "$1" == --selftest ]] || exec python3 "$add_spdx" --check "$1"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
git init -q .
mkdir -p proto/google/rpc base
printf '// A status of others.\nsyntax = "proto3";\n' > proto/google/rpc/status.proto
printf '// A file.\nint x;\n' > base/a.cc
printf '#!/usr/bin/env bash\n# A script.\ntrue\n' > base/a.sh
printf '# A folder.\n' > base/CMakeLists.txt
git add .
found=$(python3 "$add_spdx" --check "$tree" 2>&1 | cut -d : -f 1 | sort | tr '\n' ' ') || true
[[ "$found" == "base/CMakeLists.txt base/a.cc base/a.sh " ]] || { echo "check_spdx: found: $found" >&2; exit 1; }
python3 "$add_spdx" "$tree" > /dev/null
[[ "$(head -n 2 base/a.sh)" == '#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0' ]] || { head -n 3 base/a.sh >&2; exit 1; }
[[ "$(head -n 1 base/a.cc)" == "// SPDX-License-Identifier: Apache-2.0" ]] || { head -n 3 base/a.cc >&2; exit 1; }
python3 "$add_spdx" --check "$tree"
before=$(cat base/* | cksum)
python3 "$add_spdx" "$tree" > /dev/null
[[ "$(cat base/* | cksum)" == "$before" ]] || { echo "check_spdx: a second run changed something" >&2; exit 1; }
