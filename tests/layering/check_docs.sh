#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the generated tables of flags and metrics in README.md and docs/*.md against the programs.
#
#   check_docs.sh TREE BIN_DIR            fails, with a diff, if a table differs
#   check_docs.sh TREE BIN_DIR --write    writes the tables into the pages
#
# A table is between the lines "<!-- table: NAME -->" and "<!-- end of table -->". Every table below is in exactly one
# page. The rows come from the programs in BIN_DIR (--help_markdown) and from the table of metrics in server/
# (metrics.cc). deploy/heed-server.toml is what `heed-server --print_config` prints.
set -euo pipefail
export LC_ALL=C
(($# >= 2)) || { echo "usage: check_docs.sh TREE BIN_DIR [--write]" >&2; exit 2; }
bin_dir=$(cd "$2" && pwd)
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The programs print the tables of their flags themselves.
ServerFlags() { "$bin_dir/heed-server" --help_markdown; }
# Every command takes the flags of the connection, and one table shows them.
ConnectionFlags() { "$bin_dir/heed" --help_markdown; }
ClientFlags() {  # COMMAND...
  "$bin_dir/heed" "$@" --help_markdown
}
# The flags of the first command that the others do not have.
FlagsWithout() {  # COMMAND [-- COMMAND]...
  local -a command=()
  local word known=false
  : > "$work/known"
  for word in "$@" --; do
    if [[ $word != -- ]]; then
      command+=("$word")
      continue
    fi
    if $known; then
      ClientFlags "${command[@]}" | tail -n +3 >> "$work/known"
    else
      ClientFlags "${command[@]}" > "$work/own"
    fi
    known=true
    command=()
  done
  grep -vxFf "$work/known" "$work/own"
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
    bench-flags) FlagsWithout bench translate -- translate ;;
    bench-classify-flags) FlagsWithout bench classify -- classify nodes -- bench translate ;;
    languages-flags) ClientFlags languages ;;
    detect-flags) ClientFlags detect ;;
    models-flags) ClientFlags models ;;
    models-load-flags) ClientFlags models load ;;
    health-flags) ClientFlags health ;;
    ask-flags) ClientFlags ask ;;
    chat-flags) ClientFlags chat ;;
    run-flags) ClientFlags run ;;
    score-flags) ClientFlags score ;;
    generate-flags) FlagsWithout generate -- score ;;
    read-flags) FlagsWithout read -- score ;;
    session-open-flags) ClientFlags session open ;;
    fill-flags) FlagsWithout fill -- score ;;
    tag-flags) FlagsWithout tag -- score ;;
    classify-texts-flags) FlagsWithout classify texts -- score ;;
    find-answers-flags) FlagsWithout find answers -- score ;;
    embed-flags) FlagsWithout embed -- score ;;
    top-flags) ClientFlags top ;;
    *) echo "docs: no program has a table '$1'" >&2; return 1 ;;
  esac
}
known=(server-flags metrics connection-flags translate-flags classify-flags graph-put-flags graph-update-flags bench-flags
  bench-classify-flags languages-flags detect-flags models-flags models-load-flags health-flags ask-flags chat-flags run-flags top-flags
  score-flags generate-flags read-flags session-open-flags fill-flags tag-flags classify-texts-flags find-answers-flags
  embed-flags)

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
# The default configuration file, which packages install.
config=deploy/heed-server.toml
"$bin_dir/heed-server" --print_config > "$work/config"
if [[ "${3:-}" == --write ]]; then
  cmp -s "$work/config" "$config" || cp "$work/config" "$config"
elif ! diff -u --label "$config" --label "what heed-server says" "$config" "$work/config"; then
  differs=1
fi
if ((differs)); then
  echo "docs: run tests/layering/check_docs.sh . build/bin --write" >&2
  exit 1
fi
