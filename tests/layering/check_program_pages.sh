#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks what the programs print about themselves for other programs: completion scripts with the shells, and manual
# pages with groff, without warnings.
#
#   check_program_pages.sh BIN_DIR      skips the checks of zsh or groff where there is none
set -euo pipefail
bin_dir=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$bin_dir:$PATH

heed completion bash > "$work/heed.bash"
heed completion zsh > "$work/_heed"
heed man > "$work/heed.1"
heed-server --completion=bash > "$work/heed-server.bash"
heed-server --completion=zsh > "$work/_heed-server"
heed-server --man > "$work/heed-server.1"

Fail() {
  echo "program_pages: $*" >&2
  exit 1
}

# What bash completes the words to, of which the last one is unfinished.
Complete() {  # PROGRAM WORD...
  bash -c 'source "$1"; shift; compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); function=${1//-/_}
    "_$function"; echo "${COMPREPLY[*]}"' bash "$work/$1.bash" "$@"
}

for script in heed.bash heed-server.bash; do bash -n "$work/$script"; done
[[ $(Complete heed models unl) == unload ]] || Fail "bash does not complete 'heed models unl'"
[[ $(Complete heed-server --max_batch) == --max_batch_rows= ]] || Fail "bash does not complete 'heed-server --max_batch'"
[[ $(Complete heed-server --log_level wa) == warn ]] || Fail "bash does not complete 'heed-server --log_level wa'"
if command -v zsh > /dev/null; then
  for script in _heed _heed-server; do zsh -n "$work/$script"; done
else
  echo "program_pages: SKIPPED: zsh is not installed"
fi

if command -v groff > /dev/null; then
  for page in heed.1 heed-server.1; do
    groff -man -ww -Tascii -P-cbou "$work/$page" > "$work/$page.txt" 2> "$work/warnings"
    [[ ! -s "$work/warnings" ]] || Fail "groff warns about $page: $(head -n 3 "$work/warnings")"
  done
  for word in "SEE ALSO" "heed translate" HEED_SERVER; do grep -q "$word" "$work/heed.1.txt" || Fail "heed.1 has no '$word'"; done
  for word in "SEE ALSO" max_batch_rows SIGTERM; do
    grep -q "$word" "$work/heed-server.1.txt" || Fail "heed-server.1 has no '$word'"
  done
else
  echo "program_pages: SKIPPED: groff is not installed"
fi
echo "program_pages: completion and manual pages are in order"
