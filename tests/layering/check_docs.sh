#!/usr/bin/env bash
# Checks the generated tables of flags and metrics in README.md and docs/*.md against the programs.
#
#   check_docs.sh TREE BIN_DIR            fails, with a diff, if a table differs
#   check_docs.sh TREE BIN_DIR --write    writes the tables into the pages
#
# A table is between the lines "<!-- table: NAME -->" and "<!-- end of table -->". Every table below is in exactly one
# page. The rows come from the --help of the programs in BIN_DIR and from the table of metrics in server/ (metrics.cc).
set -euo pipefail
export LC_ALL=C
(($# >= 2)) || { echo "usage: check_docs.sh TREE BIN_DIR [--write]" >&2; exit 2; }
bin_dir=$(cd "$2" && pwd)
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "  --name=<unit>   text (default: value)", one line for each flag.
ServerFlags() {
  echo '| flag | default | meaning |'
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
# Every command takes the flags of the connection, and one table shows them.
ConnectionFlags() {
  echo '| flag | meaning |'
  echo '| --- | --- |'
  Flags models | grep -E '^[|] `--(server|connect_timeout|tls|tls_ca|tls_cert|tls_key|token_file|insecure_token)[=`]'
}
ClientFlags() {  # COMMAND...
  echo '| flag | meaning |'
  echo '| --- | --- |'
  ConnectionFlags | grep -F '`' > "$work/connection"
  Flags "$@" | grep -vxFf "$work/connection"
}
# The flags that `heed translate` does not have.
BenchFlags() {
  echo '| flag | meaning |'
  echo '| --- | --- |'
  Flags translate > "$work/translate"
  Flags bench translate | grep -vxFf "$work/translate"
}
# The flags that neither `heed classify nodes` nor `heed bench translate` has.
BenchClassifyFlags() {
  echo '| flag | meaning |'
  echo '| --- | --- |'
  { Flags classify nodes; Flags bench translate; } > "$work/known"
  Flags bench classify | grep -vxFf "$work/known"
}

# The file that holds the table of metrics, wherever it is in server/.
MetricsSource() {
  local sources
  mapfile -t sources < <(grep -rlE '\{Metric::k[A-Za-z]+, *$|\{Metric::k[A-Za-z]+, *"' server --include=metrics.cc)
  ((${#sources[@]} == 1)) || { echo "docs: server/ has ${#sources[@]} files metrics.cc with a table of metrics" >&2; return 1; }
  echo "${sources[0]}"
}

# {Metric::kX, "name", kType, {"label", ...}, "help", ...}, on as many lines as clang-format likes.
MetricTable() {
  echo '| metric | type | labels | meaning |'
  echo '| --- | --- | --- | --- |'
  MetricsSource | xargs cat | tr '\n' ' ' | sed 's/" *"//g' |
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
    *) echo "docs: no program has a table '$1'" >&2; return 1 ;;
  esac
}
known=(server-flags metrics connection-flags translate-flags classify-flags graph-put-flags graph-update-flags bench-flags
  bench-classify-flags models-flags models-load-flags health-flags ask-flags chat-flags run-flags bench-soak-flags top-flags)

pages=(README.md)
for page in docs/*.md; do
  [[ ! -f "$page" ]] || pages+=("$page")
done

# Each known table is in exactly one page, and no page has another one.
for name in "${known[@]}"; do
  mapfile -t holders < <(grep -xF "<!-- table: $name -->" "${pages[@]}" /dev/null | cut -d: -f1)
  case ${#holders[@]} in
    0) echo "docs: no page has the table '$name'" >&2; exit 1 ;;
    1) ;;
    *) echo "docs: the table '$name' is in more than one place: ${holders[*]}" >&2; exit 1 ;;
  esac
  Table "$name" > "$work/$name.table"
  (($(wc -l < "$work/$name.table") >= 4)) || { echo "docs: found no rows for the table '$name'" >&2; exit 1; }
done
for page in "${pages[@]}"; do
  while IFS= read -r name; do
    [[ -f "$work/$name.table" ]] || { echo "docs: $page has an unknown table '$name'" >&2; exit 1; }
  done < <(sed -n 's/^<!-- table: \(.*\) -->$/\1/p' "$page")
  (($(grep -c '^<!-- table: .* -->$' "$page") == $(grep -cx '<!-- end of table -->' "$page"))) ||
    { echo "docs: $page has a table without its end, or an end without its table" >&2; exit 1; }
done

differs=0
for page in "${pages[@]}"; do
  awk -v work="$work" '
    /^<!-- end of table -->$/ { inside = 0 }
    !inside { print }
    /^<!-- table: .* -->$/ {
      inside = 1
      path = work "/" $3 ".table"
      while ((getline line < path) > 0) print line
      close(path)
    }' "$page" > "$work/page"
  if [[ "${3:-}" == --write ]]; then
    cmp -s "$work/page" "$page" || cp "$work/page" "$page"
  elif ! diff -u --label "$page" --label "what the programs say" "$page" "$work/page"; then
    differs=1
  fi
done
if ((differs)); then
  echo "docs: run tests/layering/check_docs.sh . build/bin --write" >&2
  exit 1
fi
