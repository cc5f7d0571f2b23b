#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares Heed with its peers on this machine and the same weights: CTranslate2, PyTorch with transformers, ONNX
# Runtime, PyTorch Geometric. Installs those that it can get into a virtual environment, runs them and Heed in turns, and
# writes tables in markdown. A peer that cannot be had is skipped, loudly.
#
#   tests/bench/compare.sh [--cache=DIR] [--python=PROGRAM] [FLAG...]
#
#   --cache=DIR        folder for the virtual environment, the models and the page (default: $HEED_COMPARE_CACHE, else
#                      build/compare); later runs use it again. PyTorch with its libraries takes some 6 GB.
#   --python=PROGRAM   a Python that has the peers: nothing is installed
#   --help             the flags of the comparison itself; --quick is a smoke run
#
# The recipe for random weights of OPUS-MT's size and the graphs need nothing but what is installed. Exit codes: 0, 1 if Heed
# fails, 2 for wrong flags.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${HEED_COMPARE_CACHE:-$root/build/compare}
python=
help=0
flags=()
for argument in "$@"; do
  case $argument in
    --cache=*) cache=${argument#*=} ;;
    --python=*) python=${argument#*=} ;;
    -h | --help) help=1 ;;
    *) flags+=("$argument") ;;
  esac
done
if ((help)); then
  sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  echo
  exec python3 "$root/tests/bench/compare" --help
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# install NAME REQUIREMENTS...: each argument is one choice of requirements, separated by blanks; the first that can be
# installed is taken. What cannot be had is skipped by the comparison.
install() {
  local name=$1 choice start=$SECONDS
  shift
  if [[ -e "$cache/installed-$name" ]]; then
    return
  fi
  echo "compare.sh: installing $name ..." >&2
  for choice in "$@"; do
    # shellcheck disable=SC2086
    if "$python" -m pip install --quiet $choice > "$log" 2>&1; then
      touch "$cache/installed-$name"
      echo "compare.sh: $name installed in $((SECONDS - start)) s" >&2
      return
    fi
    tail -n 3 "$log" >&2
  done
  echo "compare.sh: $name could NOT be installed (above)" >&2
}

mkdir -p "$cache"
if [[ -z "$python" ]]; then
  python=$cache/venv/bin/python3
  if [[ ! -x "$python" ]]; then
    rm -f "$cache"/installed-*
    python3 -m venv --clear "$cache/venv"
  fi
  install pytorch "torch==2.5.1 numpy" "torch numpy"
  install transformers "transformers<5 sentencepiece sacremoses safetensors"
  install ctranslate2 "ctranslate2"
  install onnxruntime "onnxruntime<1.21 onnx optimum-onnx" "onnxruntime onnx optimum-onnx"
  install pytorch-geometric "torch_geometric"
fi
"$python" "$root/tests/bench/compare" --cache="$cache" "${flags[@]}"
