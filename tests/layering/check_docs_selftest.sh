#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows that check_docs.sh sees what it is there to see: a tree whose tables are right passes, and each fault, put into
# that tree alone, fails with its message. The programs are scripts that print tables.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
cases=0

LawfulTree() {
  rm -rf "$tree"
  mkdir -p "$tree/docs" "$tree/deploy" "$tree/server/telemetry" "$work/bin"
  cat > "$work/bin/heed-server" << 'TEXT'
#!/bin/sh
if [ "$1" = --print_config ]; then echo '# models = "weights"'; exit; fi
cat << 'HELP'
| flag | default | meaning |
| --- | --- | --- |
| `--models=DIRECTORY` | `weights` | Directory of models. |
| `--listen=HOST:PORT` |  | Where gRPC listens. |
HELP
TEXT
  # The flags of the connection, or those of every command, with one of its own for each.
  cat > "$work/bin/heed" << 'TEXT'
#!/bin/sh
own=$(echo "$*" | tr -d ' -')
cat << HELP
| flag | default | meaning |
| --- | --- | --- |
HELP
[ "$*" = --help_markdown ] || echo '| `--json` | `false` | JSON. |'
cat << HELP
| \`--own_$own=N\` |  | Its own. |
| \`--more_$own=A\\|B\` |  | Two ways. |
HELP
TEXT
  chmod +x "$work/bin/heed-server" "$work/bin/heed"
  cat > "$tree/server/telemetry/metrics.cc" << 'TEXT'
constexpr Row kTable[] = {
    {Metric::kRequests, "heed_requests_total", kCounter, {"method", "model"}, "Requests answered.", 0},
    {Metric::kReady,
     "heed_ready", kGauge, {}, "1 while it "
     "is ready.", 0},
};
TEXT
  {
    echo '# Tables'
    for name in server-flags metrics; do printf '\n<!-- table: %s -->\n<!-- end of table -->\n' "$name"; done
  } > "$tree/README.md"
  for name in connection translate classify graph-put graph-update bench bench-classify languages detect models models-load health ask \
    chat run top score generate read session-open fill tag classify-texts find-answers embed; do
    printf '\n<!-- table: %s -->\n<!-- end of table -->\n' "$name-flags"
  done > "$tree/docs/command-line.md"
  "$here/check_docs.sh" "$tree" "$work/bin" --write
}

Expect() {  # MESSAGE
  local output
  cases=$((cases + 1))
  if output=$("$here/check_docs.sh" "$tree" "$work/bin" 2>&1); then
    echo "docs_selftest: nothing was found where '$1' was expected" >&2
    exit 1
  fi
  grep -qF -- "$1" <<< "$output" || { echo "docs_selftest: expected '$1', got: $output" >&2; exit 1; }
}

LawfulTree
"$here/check_docs.sh" "$tree" "$work/bin"
for row in '| `--models=DIRECTORY` | `weights` | Directory of models. |' '| `heed_requests_total` | counter | method, model | Requests answered. |' \
  '| `heed_ready` | gauge |  | 1 while it is ready. |'; do
  grep -qxF -- "$row" "$tree/README.md" || { echo "docs_selftest: --write wrote no row '$row'" >&2; exit 1; }
done
for row in '| `--own_help_markdown=N` |  | Its own. |' '| `--own_tophelp_markdown=N` |  | Its own. |' \
  '| `--more_tophelp_markdown=A\|B` |  | Two ways. |'; do
  grep -qxF -- "$row" "$tree/docs/command-line.md" || { echo "docs_selftest: --write wrote no row '$row'" >&2; exit 1; }
done
! sed -n '/table: bench-flags/,/end of table/p' "$tree/docs/command-line.md" | grep -qF -- --json ||
  { echo "docs_selftest: the table of bench-flags has a flag of heed translate" >&2; exit 1; }

LawfulTree && sed -i 's/of models[.] |$/of weights. |/' "$tree/README.md" &&
  Expect '-| `--models=DIRECTORY` | `weights` | Directory of weights. |'
LawfulTree && echo >> "$tree/deploy/heed-server.toml" && Expect 'what heed-server says'
LawfulTree && sed -i '/heed_ready/d' "$tree/README.md" && Expect '+| `heed_ready`'
LawfulTree && sed -i 's/Two ways/Three ways/' "$tree/docs/command-line.md" && Expect 'Three ways'
LawfulTree && sed -i '/table: top-flags/,$d' "$tree/docs/command-line.md" && Expect "no page has the table 'top-flags'"
LawfulTree && cp "$tree/README.md" "$tree/docs/again.md" && Expect "the table 'server-flags' is in more than one place"
LawfulTree && printf '<!-- table: other -->\n<!-- end of table -->\n' >> "$tree/README.md" && Expect "an unknown table 'other'"
LawfulTree && sed -i '0,/end of table/{/end of table/d}' "$tree/README.md" && Expect 'a table without its end'
LawfulTree && : > "$tree/server/telemetry/metrics.cc" && Expect 'files metrics.cc with a table of metrics'
echo "docs_selftest: $cases faults were found"
