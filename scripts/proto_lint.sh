#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks proto/ with buf: the lint rules of proto/buf.yaml, and that nothing breaks those who call what was accepted
# before: the newest tagged version of this repository, or without a tag the descriptors in proto/accepted.binpb.
#
#   scripts/proto_lint.sh [BUILD_DIR]               checks; exit code 77 where buf cannot be had. BUILD_DIR: build
#   scripts/proto_lint.sh --accept [BUILD_DIR]      writes proto/accepted.binpb: from now on this is what must not break
#   scripts/proto_lint.sh --selftest [BUILD_DIR]    whether the check sees a removed field and a bad name
#
# buf comes as an npm package with the binary in it and is put into BUILD_DIR/tools, pinned. It needs npm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=1.75.0
mode=check
if [[ "${1:-}" == --* ]]; then
  mode=${1#--}
  shift
fi
tools=$(realpath -m "${1:-build}/tools/buf")
buf=$tools/node_modules/.bin/buf
baseline=proto/accepted.binpb

# Installs buf, where it is not there in this version.
install_buf() {
  [[ "$("$buf" --version 2>&1)" == "$version" ]] && return 0
  command -v npm > /dev/null || { echo "proto_lint: there is no npm" >&2; return 1; }
  mkdir -p "$tools"
  timeout 180 npm install --silent --no-audit --no-fund --prefix "$tools" "@bufbuild/buf@$version" > "$tools/log" 2>&1 ||
    { tail -n 5 "$tools/log" >&2; return 1; }
  [[ "$("$buf" --version 2>&1)" == "$version" ]]
}

# What `buf breaking` compares with.
against() {
  local tag
  tag=$(git tag --list 'v*' --sort=-v:refname 2> /dev/null | head -n 1)
  if [[ -n "$tag" ]]; then
    echo ".git#tag=$tag,subdir=proto"
  elif [[ -e "$baseline" ]]; then
    echo "$baseline"
  fi
}

check() {  # FOLDER
  local before
  before=$(against)
  [[ -n "$before" ]] || { echo "proto_lint: there is no $baseline to compare with; write it with --accept" >&2; return 1; }
  "$buf" lint "$1" && "$buf" breaking "$1" --against "$before"
}

selftest() {
  local copy
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' RETURN
  local edit
  for edit in 's/service SequenceService/service Sequences/' '/optional int32 answer_row_count/d'; do
    rm -rf "$copy/proto" && cp -r proto "$copy/proto"
    sed -i "$edit" "$copy/proto/heed/v1/sequences.proto"
    if check "$copy/proto" > /dev/null 2>&1; then
      echo "proto_lint: does not see '$edit'" >&2
      return 1
    fi
  done
  check proto
}

if ! install_buf; then
  cat >&2 << TEXT
************************************************************************************************
proto_lint: @bufbuild/buf $version could not be had from npm (above): proto/ is NOT linted.
************************************************************************************************
TEXT
  exit 77
fi
case "$mode" in
  check) check proto && echo "proto_lint: clean" ;;
  selftest) selftest && echo "proto_lint: sees what it is for" ;;
  accept) "$buf" build proto --exclude-source-info -o "$baseline" && echo "proto_lint: wrote $baseline" ;;
  *) echo "proto_lint: unknown argument '--$mode'; usage: scripts/proto_lint.sh [--accept|--selftest] [BUILD_DIR]" >&2; exit 2 ;;
esac
