#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy, as .clang-tidy says, over the tree's sources or over the files named. Slow: minutes for the whole tree.
# Needs clang-tidy and a build (for build/compile_commands.json and the generated protocol headers).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_dir=${BUILD_DIR:-build}
[[ -f "$build_dir/compile_commands.json" ]] || { echo "tidy: no $build_dir/: run scripts/build.sh first" >&2; exit 1; }
command -v clang-tidy > /dev/null || { echo "tidy: no clang-tidy: apt-get install clang-tidy" >&2; exit 1; }

files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(git ls-files 'base/*.cc' 'files/*.cc' 'engine/*.cc' 'models/*.cc' 'server/*.cc' 'client/*.cc')
fi
# -fopenmp makes clang look for its own omp.h; nothing that is checked here depends on it.
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "${JOBS:-$(nproc)}" clang-tidy -p "$build_dir" --quiet --extra-arg=-fno-openmp
