#!/usr/bin/env bash
# Holds README.md's tables of flags and metrics to what the programs say themselves.
#
#   check_readme.sh TREE BIN_DIR            fails, with a diff, where a table differs
#   check_readme.sh TREE BIN_DIR --write    writes the tables into README.md
#
# A table stands between the lines "<!-- table: NAME -->" and "<!-- end of table -->"; its rows come from the --help of
# BIN_DIR's programs and from the table of server/telemetry/metrics.cc.
set -euo pipefail
export LC_ALL=C
(($# >= 2)) || { echo "usage: check_readme.sh TREE BIN_DIR [--write]" >&2; exit 2; }
bin_dir=$(cd "$2" && pwd)
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "  --name=<unit>   text (default: value)", one line for each flag.
ServerFlags() {
  echo '| flag | default | is |'
  echo '| --- | --- | --- |'
  "$bin_dir/heed-server" --help | awk '
    /^  --/ {
      flag = $1
      text = $0
      sub(/^  [^ ]+ +/, "", text)
      value = ""
      if (match(text, / \(default: .*\)$/)) {
        value = "`" substr(text, RSTART + 11, RLENGTH - 12) "`"
        text = substr(text, 1, RSTART - 1)
      }
      if (value == "`empty`") value = "empty"
      gsub(/</, "", flag); gsub(/>/, "", flag); gsub(/[|]/, "\\|", text)
      printf "| `%s` | %s | %s |\n", flag, value, text
    }'
}

# "  --name=VALUE    text", the text wrapped below itself; "Title:" lines begin a section.
Flags() {  # COMMAND...
  "$bin_dir/heed" "$@" --help | awk '
    function Flush() {
      if (flag != "") { gsub(/[|]/, "\\|", flag); gsub(/[|]/, "\\|", text); printf "| `%s` | %s |\n", flag, text }
      flag = ""
    }
    /^  --/ { Flush(); flag = $1; text = $0; sub(/^  [^ ]+ */, "", text); next }
    flag != "" && /^          / { sub(/^ +/, ""); text = text (text == "" ? "" : " ") $0; next }
    { Flush() }
    END { Flush() }'
}
# Of the connection: every command takes them, and one table shows them.
ConnectionFlags() {
  echo '| flag | is |'
  echo '| --- | --- |'
  Flags models | grep -E '^[|] `--(server|connect_timeout|tls|tls_ca|tls_cert|tls_key|token_file|insecure_token)[=`]'
}
ClientFlags() {  # COMMAND...
  echo '| flag | is |'
  echo '| --- | --- |'
  ConnectionFlags | grep -F '`' > "$work/connection"
  Flags "$@" | grep -vxFf "$work/connection"
}
# Those of its own: the flags of search are the same as translate's.
BenchFlags() {
  echo '| flag | is |'
  echo '| --- | --- |'
  Flags translate > "$work/translate"
  Flags bench translate | grep -vxFf "$work/translate"
}
# Likewise: the flags of computation are classify's, those of load bench translate's.
BenchClassifyFlags() {
  echo '| flag | is |'
  echo '| --- | --- |'
  { Flags classify nodes; Flags bench translate; } > "$work/known"
  Flags bench classify | grep -vxFf "$work/known"
}

# {Metric::kX, "name", kType, {"label", ...}, "help", ...}, on as many lines as clang-format likes.
MetricTable() {
  echo '| metric | type | labels | is |'
  echo '| --- | --- | --- | --- |'
  tr '\n' ' ' < server/telemetry/metrics.cc | sed 's/" *"//g' |
    grep -oE '\{Metric::k[A-Za-z]+, *"[a-z_]+", *k[A-Za-z]+, *\{[^}]*\}, *"[^"]*"' |
    sed -E 's/^\{Metric::k[A-Za-z]+, *"([a-z_]+)", *k([A-Za-z]+), *\{([^}]*)\}, *"([^"]*)"$/| `\1` | \2 | \3 | \4 |/' |
    awk -F ' [|] ' '{
      gsub(/"/, "", $3)
      printf "%s | %s | %s | %s\n", $1, tolower($2), $3, $4
    }'
}

Table() {
  case "$1" in
    server-flags) ServerFlags ;;
    metrics) MetricTable ;;
    connection-flags) ConnectionFlags ;;
    translate-flags) ClientFlags translate ;;
    classify-flags) ClientFlags classify nodes ;;
    graph-put-flags) ClientFlags graph put ;;
    graph-update-flags) ClientFlags graph update ;;
    bench-flags) BenchFlags ;;
    bench-classify-flags) BenchClassifyFlags ;;
    models-flags) ClientFlags models ;;
    models-load-flags) ClientFlags models load ;;
    health-flags) ClientFlags health ;;
    ask-flags) ClientFlags ask ;;
    chat-flags) ClientFlags chat ;;
    run-flags) ClientFlags run ;;
    bench-soak-flags) ClientFlags bench soak ;;
    top-flags) ClientFlags top ;;
    *) echo "readme: README.md asks for an unknown table '$1'" >&2; return 1 ;;
  esac
}

for name in server-flags metrics connection-flags translate-flags classify-flags graph-put-flags graph-update-flags bench-flags \
  bench-classify-flags models-flags models-load-flags health-flags ask-flags chat-flags run-flags \
  bench-soak-flags top-flags; do
  grep -qxF "<!-- table: $name -->" README.md || { echo "readme: README.md has no table '$name'" >&2; exit 1; }
  Table "$name" > "$work/$name.table"
  (($(wc -l < "$work/$name.table") >= 4)) || { echo "readme: found no rows for '$name'" >&2; exit 1; }
done

awk -v work="$work" '
  /^<!-- end of table -->$/ { inside = 0 }
  !inside { print }
  /^<!-- table: .* -->$/ {
    inside = 1
    path = work "/" $3 ".table"
    while ((getline line < path) > 0) print line
  }' README.md > "$work/README.md"

if [[ "${3:-}" == --write ]]; then
  cp "$work/README.md" README.md
elif ! diff -u --label README.md --label "what the programs say" README.md "$work/README.md"; then
  echo "readme: run tests/layering/check_readme.sh . build/bin --write" >&2
  exit 1
fi
