#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks our locks with clang's thread-safety analysis, as errors: a member that is GUARDED_BY a Mutex is touched only
# with that Mutex held.
#
#   check_thread_safety.sh TREE BUILD_DIR
#
# Looks at the sources of base, files, engine, models, server and client in which the analysis can find anything: those that lock, or
# that reach an annotated header through their includes. Include paths and definitions come from
# BUILD_DIR/compile_commands.json. CLANGXX names the compiler (default clang++). Tested by thread_safety_selftest.sh.
set -euo pipefail
export LC_ALL=C
(($# == 2)) || { echo "usage: check_thread_safety.sh TREE BUILD_DIR" >&2; exit 2; }
build_dir=$(cd "$2" && pwd)
cd "$1"
tree=$PWD
clang=${CLANGXX:-clang++}
command -v "$clang" > /dev/null || { echo "thread_safety: no $clang: run scripts/setup.sh" >&2; exit 2; }
commands=$build_dir/compile_commands.json
[[ -f "$commands" ]] || { echo "thread_safety: no $commands: configure with CMake first" >&2; exit 2; }

# Prints the .cc files that lock or that include, directly or not, a header with annotations; base/mutex.h, which
# defines the annotations, is not one of them.
Relevant() {
  find base files engine models server client -name '*.cc' -o -name '*.h' 2> /dev/null | sort | xargs -r awk '
    FILENAME == "base/mutex.h" { next }
    !(FILENAME in seen) { seen[FILENAME] = 1; files[++count] = FILENAME }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
      split($0, part, "\"")
      includer[part[2]] = includer[part[2]] " " FILENAME
      next
    }
    /GUARDED_BY|REQUIRES|EXCLUDES|ACQUIRE|RELEASE|_CAPABILITY/ { marked[FILENAME] = 1 }
    FILENAME ~ /\.cc$/ && /Mutex|CondVar|[.>]Lock\(/ { marked[FILENAME] = 1 }
    END {
      for (file in marked) queue[++last] = file
      for (next_one = 1; next_one <= last; next_one++) {
        n = split(includer[queue[next_one]], above, " ")
        for (i = 1; i <= n; i++)
          if (!(above[i] in marked)) { marked[above[i]] = 1; queue[++last] = above[i] }
      }
      for (i = 1; i <= count; i++)
        if (files[i] ~ /\.cc$/ && files[i] in marked) print files[i]
    }'
}

# The compile command of a source, as its build directory says it; empty where the build does not know the source. A
# source that is compiled with others (HEED_UNITY) has the command of the file that includes it.
CommandOf() {
  local file=$tree/$1
  grep -qF "\"file\": \"$file\"" "$commands" || file=$(grep -rlF --include=unity_*.cxx "\"$file\"" "$build_dir" | head -n 1)
  [[ -n "$file" ]] || return 0
  awk -v file="$file" '
    /^[ \t]*"command": / { command = $0; sub(/^[ \t]*"command": "/, "", command); sub(/",?$/, "", command) }
    /^[ \t]*"file": / && index($0, "\"" file "\"") { gsub(/\\"/, "\"", command); gsub(/\\\\/, "\\", command); print command; exit }
  ' "$commands"
}

Check() {
  local source=$1 command words word kept=()
  command=$(CommandOf "$source")
  [[ -n "$command" ]] || { echo "$source: not in $commands: not part of the build?" >&2; return 1; }
  eval "words=($command)"  # CMake quotes it for a shell
  local i
  for ((i = 0; i < ${#words[@]}; i++)); do
    word=${words[i]}
    case "$word" in
      -isystem | -I | -D | -include) kept+=("$word" "${words[++i]}") ;;
      -I* | -D* | -std=*) kept+=("$word") ;;  # other options are gcc's: warnings, -fopenmp, optimisation
    esac
  done
  # gcc's own omp.h, for which Debian's clang has no counterpart unless libomp-dev is installed; of its __malloc__ clang
  # knows only the form without arguments.
  local gcc_headers
  gcc_headers=$(g++ -print-file-name=include 2> /dev/null || true)
  "$clang" "${kept[@]}" ${gcc_headers:+-idirafter "$gcc_headers"} '-D__malloc__(...)=__malloc__' \
    -fsyntax-only -Wno-everything -Wthread-safety -Werror=thread-safety "$source"
}
export -f Check CommandOf
export build_dir clang commands tree

mapfile -t relevant < <(Relevant)
((${#relevant[@]} > 0)) || { echo "thread_safety: $tree has no source that locks" >&2; exit 2; }
start=$SECONDS
if ! printf '%s\0' "${relevant[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" bash -c 'Check "$0" || exit 1'; then
  echo "thread_safety: problems above" >&2
  exit 1
fi
echo "thread_safety: ${#relevant[@]} sources are clean, $((SECONDS - start)) s"
