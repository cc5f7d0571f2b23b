#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Inside a system that scripts/check_wheel.sh made: installs /wheels in a fresh virtual environment in the home directory, and
# tries what is there. Prints seconds and sizes. Exit code 1 where something is not as it should be.
set -euo pipefail
cd

fail() {
  echo "try_wheel: $*" >&2
  [[ ! -e server.log ]] || tail -n 20 server.log >&2
  exit 1
}
expect() {  # WHAT GOT WANTED
  [[ "$2" == "$3" ]] || fail "$1: '$2', not '$3'"
  echo "  ok  $1: $2"
}
now() { date +%s%N; }
seconds() { awk -v ns="$1" 'BEGIN { printf "%.1f", ns / 1e9 }'; }
mib() { echo "$(($1 / 1048576)) MiB"; }

for compiler in cc gcc g++ clang cmake; do
  ! command -v "$compiler" > /dev/null || fail "this system has $compiler: the wheel must not need it"
done
python3 -m venv heed
. heed/bin/activate
echo "  $(python --version), $(pip --version | cut -d ' ' -f 1-2), no compiler, no network, user $(id -u)"

begin=$(now)
pip install --quiet --no-index --find-links=/wheels heed-server
installed=$(now)
heed-server 2> server.log &
server=$!
translation=$(echo 'Where is the station?' | heed translate --model=translator-en-de --deadline=60) || fail "no translation"
answered=$(now)
expect "heed translate: Where is the station?" "$translation" "Wo ist der Bahnhof?"
echo "  pip install: $(seconds $((installed - begin))) s; to the answer of a server without flags: $(seconds $((answered - installed))) s more; in all $(seconds $((answered - begin))) s"
((answered - begin < 60000000000)) || fail "that is more than a minute"
site=$(echo heed/lib/python3*/site-packages)
echo "  wheel: $(mib "$(stat -c %s /wheels/heed_server-*.whl)"); installed: $(mib "$(du -sbc "$site"/heed_server* | tail -n 1 | cut -f 1)")"

# What both programs have mapped or would load, other than of the wheel.
of_system() { grep -oE '/[^ ]+\.so[^ ]*' | grep -vF "$(realpath heed)/" | sed 's:.*/::' | sort -u | tr '\n' ' '; }
echo "  of the system, heed-server: $(of_system < "/proc/$server/maps")"
ldd "$site/heed_server/bin/heed" > libraries
! grep 'not found' libraries || fail "heed lacks libraries"
echo "  of the system, heed: $(of_system < libraries)"
every_linux='^(ld-linux-x86-64|libc|libm|libgcc_s|libstdc\+\+|libz|libresolv|libnss_[a-z]+)\.so'
for library in $(of_system < "/proc/$server/maps") $(of_system < libraries); do
  [[ "$library" =~ $every_linux ]] || fail "$library is not of the wheel"
done

expect "heed health" "$(heed health)" "SERVING"
heed models | sed 's/^/  /'
kill -TERM "$server"
code=0
wait "$server" || code=$?
expect "exit code after SIGTERM" "$code" 0
code=0
heed-server --modles=x 2> /dev/null || code=$?
expect "exit code after a wrong flag" "$code" 2

for set in portable avx2 avx512; do
  if ! translation=$(HEED_INSTRUCTION_SET=$set python - 2> server.log << 'PYTHON'
import json
import os
import subprocess
import urllib.request

import heed_server

with heed_server.Server(metrics_listen="127.0.0.1:0") as server:
    with urllib.request.urlopen(f"http://{server.metrics_address}/buildinfo") as page:
        assert json.load(page)["instruction_set"] == os.environ["HEED_INSTRUCTION_SET"]
    subprocess.run([heed_server.binary_path("heed"), "translate", f"--server={server.address}", "--model=translator-en-de"],
                   input=b"Where is the station?\n", check=True)
PYTHON
  ); then
    grep -q 'but this machine has' server.log || fail "with HEED_INSTRUCTION_SET=$set"
    echo "  --  HEED_INSTRUCTION_SET=$set: this machine has no such instruction set"
    continue
  fi
  expect "heed_server.Server with HEED_INSTRUCTION_SET=$set" "$translation" "Wo ist der Bahnhof?"
done

pip install --quiet --no-index --find-links=/wheels 'heed-server[models]'
expect "models with heed-server[models]" "$(ls "$site/heed_server/share/heed/models" | wc -l)" 15
heed-server --listen=127.0.0.1:50052 --metrics_listen= 2> server.log &
server=$!
heed health --server=127.0.0.1:50052 --wait --deadline=60 > /dev/null
echo "  heed generate: $(heed generate --server=127.0.0.1:50052 --model=txl-novels --seed=1 'She opened the door and' | head -n 1)"
kill -INT "$server"
code=0
wait "$server" || code=$?
expect "exit code after SIGINT" "$code" 0

pip uninstall --quiet --yes heed-models heed-server
expect "files of Heed after pip uninstall" "$(find heed -mindepth 1 -iname '*heed*' | wc -l)" 0
