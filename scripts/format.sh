#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formats the tree's C++ and proto files as .clang-format says; --check changes nothing and fails where it would.
# Files on the command line: only those. Needs clang-format.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(-i)
files=()
for argument in "$@"; do
  case "$argument" in
    --check) mode=(--dry-run --Werror) ;;
    -*) echo "format: unknown argument '$argument'; usage: scripts/format.sh [--check] [FILE]..." >&2; exit 2 ;;
    *) files+=("$argument") ;;
  esac
done
command -v clang-format > /dev/null || { echo "format: no clang-format: apt-get install clang-format" >&2; exit 1; }
if ((${#files[@]} == 0)); then
  # Of proto/ our own files; those of others stay as they came.
  mapfile -t files < <(git ls-files '*.cc' '*.h' 'proto/heed/*.proto')
fi
clang-format "${mode[@]}" "${files[@]}"
