#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets of tests/fuzz with libFuzzer and the address and undefined-behaviour sanitizers into
# build-fuzz/, runs them one after the other, and prints a table. Exits 1 if a target found something.
#
#   scripts/fuzz.sh [TARGET]... [--runs=N] [--seconds=N] [--jobs=N]
#
#   TARGET         as tests/fuzz/TARGET_fuzz.cc (default: all)
#   --runs=N       ends a target after N executions,
#   --seconds=N    or after so long, whichever comes first (default: 60 s; 0: no limit, if --runs is given)
#   --jobs=N       processes of one target at a time (default 1)
#   FUZZ_DIR=DIR   keeps corpora, findings and logs there, outside the tree (default: heed-fuzz in $XDG_CACHE_HOME, or in
#                  ~/.cache): what one run found is where the next one begins
#
# A finding is a crash, a promise that is broken (HEED_FUZZ_EXPECT), an input that takes longer than 10 s, or one that
# makes the target take more than 2 GiB in all or 1 GiB at once. Findings lie in FUZZ_DIR/TARGET/findings; one is run again by
#   build-fuzz/bin/fuzz_TARGET FILE
# The next run tries them first: one that is mended goes into the corpus, and counts no more.
#
# Needs, beside scripts/setup.sh's packages: libfuzzer-14-dev libclang-rt-14-dev libomp-14-dev llvm-14
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "fuzz: $*" >&2
  exit 2
}

mapfile -t known < <(cd tests/fuzz && ls ./*_fuzz.cc | sed 's|^\./||; s|_fuzz\.cc$||')
targets=()
runs= seconds=60 jobs=1
for argument in "$@"; do
  case "$argument" in
    --runs=*) runs=${argument#*=} ;;
    --seconds=*) seconds=${argument#*=} ;;
    --jobs=*) jobs=${argument#*=} ;;
    -*) fail "unknown argument '$argument'; usage: scripts/fuzz.sh [TARGET]... [--runs=N] [--seconds=N] [--jobs=N]" ;;
    *)
      [[ " ${known[*]} " == *" $argument "* ]] || fail "there is no target '$argument'; there are: ${known[*]}"
      targets+=("$argument")
      ;;
  esac
done
for number in "$seconds" "$jobs" ${runs:+"$runs"}; do
  [[ "$number" =~ ^[0-9]+$ ]] || fail "'$number' is not a number of at least 0"
done
((jobs > 0)) || fail "--jobs=0: at least one process is needed"
[[ -n "$runs" ]] || ((seconds > 0)) || fail "--seconds=0 without --runs: the first target would never end"
((${#targets[@]} > 0)) || targets=("${known[@]}")

missing=()
for package in libfuzzer-14-dev libclang-rt-14-dev libomp-14-dev llvm-14; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null | grep -q '^installed' || missing+=("$package")
done
((${#missing[@]} == 0)) || fail "needs: apt-get install ${missing[*]}"

cmake --preset fuzz --log-level=NOTICE
cmake --build --preset fuzz --parallel "${JOBS:-$(nproc)}" --target "${targets[@]/#/fuzz_}"

directory=${FUZZ_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/heed-fuzz}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
echo "fuzz: corpora, findings and logs in $directory"

# Debian's libabsl and libprotobuf are not instrumented: what they put into a container that instrumented code then reads
# would look like an overflow of that container.
export ASAN_OPTIONS=detect_container_overflow=0:${ASAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:${UBSAN_OPTIONS:-}
export ASAN_SYMBOLIZER_PATH=${ASAN_SYMBOLIZER_PATH:-/usr/bin/llvm-symbolizer-14}

# The figures of a log: executions, executions a second, seconds, edges covered, features.
Figures() {
  awk '
    /^#[0-9]+/ {
      for (i = 2; i < NF; i++) {
        if ($i == "cov:") cov = $(i + 1)
        if ($i == "ft:") ft = $(i + 1)
      }
      number = $1; gsub(/[#:]/, "", number); if (number + 0 > executions) executions = number + 0
    }
    /^Done [0-9]+ runs in/ { executions = $2; seconds = $5 }
    END { printf "%d %d %d %d %d\n", executions, (seconds > 0 ? executions / seconds : 0), seconds, cov, ft }
  ' "$1"
}

found_any=false
row='%-20s %12s %10s %8s %8s %8s %9s\n'
table=$(printf "$row" target executions exec/s seconds cov ft findings)
for target in "${targets[@]}"; do
  work=$directory/$target
  mkdir -p "$work/corpus" "$work/findings" "$work/files"
  log=$work/log
  limits=(-timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024)
  for file in "$work"/findings/*; do
    [[ -f "$file" ]] || continue
    if HEED_FUZZ_DIR=$work/files build-fuzz/bin/fuzz_"$target" "${limits[@]}" "$file" > "$log" 2>&1; then
      echo "fuzz: $target: mended: $(basename "$file")"
      mv "$file" "$work/corpus/"
    fi
  done
  parallel=()
  ((jobs == 1)) || parallel=("-fork=$jobs")
  echo "fuzz: $target: log in $log"
  start=$SECONDS
  status=0
  HEED_FUZZ_DIR=$work/files build-fuzz/bin/fuzz_"$target" "$work/corpus" tests/fuzz/seeds/"$target" \
    -runs="${runs:--1}" -max_total_time="$seconds" "${limits[@]}" \
    -artifact_prefix="$work/findings/" -print_final_stats=1 "${parallel[@]}" > "$log" 2>&1 || status=$?
  rm -rf "$work/files"
  read -r executions rate took cov ft < <(Figures "$log")
  ((took > 0)) || took=$((SECONDS - start))
  ((rate > 0)) || rate=$((executions / (took > 0 ? took : 1)))
  findings=$(find "$work/findings" -type f | wc -l)
  if ((status != 0 || findings > 0)); then
    found_any=true
    echo "fuzz: $target: found: $(find "$work/findings" -type f | sort | tr '\n' ' ')" >&2
    grep -m 1 -E 'SUMMARY|ERROR: |_fuzz\.cc:[0-9]+: ' "$log" >&2 || tail -n 5 "$log" >&2
  fi
  table+=$'\n'$(printf "$row" "$target" "$executions" "$rate" "$took" "$cov" "$ft" "$findings")
done
echo "$table"
! $found_any
