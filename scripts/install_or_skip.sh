# SPDX-License-Identifier: Apache-2.0
# For scripts that install what some tests need, and go on without it: not to be run, but sourced, with
#
#   what      what is installed, as its messages name it
#   without   what is then not tested

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# install NAME COMMAND...: the command's output is shown if it fails.
install() {
  local name=$1 start=$SECONDS
  shift
  if "$@" > "$log" 2>&1; then
    echo "$what: $name installed in $((SECONDS - start)) s"
    return 0
  fi
  tail -n 5 "$log" >&2
  cat >&2 << TEXT
************************************************************************************************
$what: $name could not be installed (above).
$without
************************************************************************************************
TEXT
  return 1
}
