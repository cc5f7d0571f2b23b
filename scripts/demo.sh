#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows Heed at work on this machine: sets up, builds the two programs, starts a server on free loopback ports,
# translates scripts/demo.txt and a sentence of a kind that the translator does not know, draws an attention, gives one
# long sentence to every translator, measures throughput, classifies the members of a karate club, tells
# scripts/story.txt and asks about it, has a sequence copied, reads some metrics and stops the server.
#
#   MODELS=DIR        directory of model directories (default: weights); the karate club is shown if gat-karate is there,
#                     the story told if ntm-babi is, the sequence copied if ntm-copy is, the long sentence translated if
#                     translator-en-de-rnn and translator-en-de-rnn-plain are
#   MODEL=NAME        the translator to use (default: translator-en-de; the only one of another DIR)
#   BENCH_SECONDS=N   length of the throughput run (default 5)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

models=${MODELS:-weights}
model=${MODEL:-}
[[ -n "$model" || ! -d "$models/translator-en-de" ]] || model=translator-en-de
model_flag=(${model:+"--model=$model"})
bench_seconds=${BENCH_SECONDS:-5}

scripts/setup.sh --build
scripts/build.sh -DHEED_TESTS=OFF -DHEED_BENCH=OFF --target=heed-server --target=heed

work=$(mktemp -d)
log=$work/server.log
server_pid=
Stop() {
  local code=$?
  trap - EXIT INT TERM
  if [[ -n "$server_pid" ]] && kill -0 "$server_pid" 2> /dev/null; then
    kill -KILL "$server_pid"
    wait "$server_pid" 2> /dev/null || true
  fi
  if ((code != 0)) && [[ -s "$log" ]]; then
    echo "demo: failed; the server's log ends with:" >&2
    tail -n 20 "$log" >&2
  fi
  rm -rf "$work"
  exit "$code"
}
trap Stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

Fail() {
  echo "demo: $*" >&2
  exit 1
}
Title() {
  printf '\n\033[1m%s\033[0m\n' "$*"
}
[[ -t 1 ]] || Title() { printf '\n%s\n' "$*"; }

# The address in the server's log line "listening" or "metrics".
Logged() {
  sed -n "s/.* $1 address=\([^ ]*\).*/\1/p" "$log" | head -n 1
}
Milliseconds() {  # of two EPOCHREALTIMEs
  awk -v from="$1" -v to="$2" 'BEGIN { printf "%.1f", (to - from) * 1000 }'
}

Title "Starting build/bin/heed-server --models=$models --management"
start=$EPOCHREALTIME
build/bin/heed-server --models="$models" --listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 --management > "$log" 2>&1 &
server_pid=$!
address=
for ((i = 0; i < 600; i++)); do
  address=$(Logged listening)
  [[ -z "$address" ]] || break
  kill -0 "$server_pid" 2> /dev/null || Fail "the server ended before it listened"
  sleep 0.05
done
[[ -n "$address" ]] || Fail "the server did not say within 30 s where it listens"
state=$(build/bin/heed health --server="$address" --wait --deadline=60) || Fail "the server is not serving: $state"
echo "SERVING on $address after $(Milliseconds "$start" "$EPOCHREALTIME") ms"
build/bin/heed models --server="$address"

# One line out, one line back: the time between is what a caller sees.
Title "Translating scripts/demo.txt, one request at a time"
coproc TRANSLATE { exec build/bin/heed translate --server="$address" "${model_flag[@]}" --in_flight=1; }
translate_pid=$TRANSLATE_PID
exec {to}>&"${TRANSLATE[1]}" {from}<&"${TRANSLATE[0]}"
eval "exec ${TRANSLATE[1]}>&- ${TRANSLATE[0]}<&-"
echo "Hello." >&"$to"  # connects
read -r -t 60 -u "$from" _ || Fail "no translation: see above"
while IFS= read -r source <&3; do
  sent=$EPOCHREALTIME
  echo "$source" >&"$to"
  IFS= read -r -t 60 -u "$from" translation || Fail "no translation of '$source'"
  # printf pads by bytes where the C library knows no UTF-8; the source is ASCII.
  printf '%-62s %7s ms  %s\n' "$source" "$(Milliseconds "$sent" "$EPOCHREALTIME")" "$translation"
done 3< scripts/demo.txt
exec {to}>&-
wait "$translate_pid" || Fail "heed translate failed"

if [[ "$models/$model" == weights/translator-en-de ]]; then
  Title "News, which it was not trained on"
  news="The minister rejected accusations that her party had misled voters."
  printf '%s\n%s\n' "$news" "$(build/bin/heed translate --server="$address" --model="$model" --beam=4 <<< "$news")"
fi

Title "Attention: which source token (column) each target token (row) looks at"
sed -n 8p scripts/demo.txt | build/bin/heed translate --server="$address" "${model_flag[@]}" --attention

recurrent=("$models/translator-en-de-rnn-plain" "$models/translator-en-de-rnn")
if [[ -d "${recurrent[0]}" && -d "${recurrent[1]}" ]]; then
  Title "One long sentence through one vector, through recurrent attention, and through a Transformer"
  long="A man in a blue jacket is standing on a bridge, while two children with red hats are playing with a small brown dog \
in the snow, and an old woman is watching them from a bench."
  echo "$long"
  for name in translator-en-de-rnn-plain translator-en-de-rnn "${model:-translator-en-de}"; do
    printf '%-27s %s\n' "$name" "$(build/bin/heed translate --server="$address" --model="$name" --beam=4 <<< "$long")"
  done
fi

Title "Throughput, 64 requests in flight for $bench_seconds s"
build/bin/heed bench translate --server="$address" "${model_flag[@]}" --concurrency=64 --duration="$bench_seconds"

club=$models/gat-karate/karate.safetensors
if [[ -f "$club" ]]; then
  Title "Zachary's karate club splits: whom does each member follow? (heed classify nodes --graph=$club)"
  build/bin/heed classify nodes --server="$address" --model=gat-karate --graph="$club" |
    awk -F '\t' '
      { members[$2] = members[$2] " " $1 }
      END { for (side in members) printf "%-8s %s\n", side, members[side] }' | sort
  echo "Member 8 had friends on both sides, stood nearer to the officers and went with Mr. Hi. The model looks at"
  build/bin/heed classify nodes --server="$address" --model=gat-karate --graph="$club" --nodes=8 --top=2 --attention
  echo "The same of the club as a graph that the server keeps, after 8 has lost a friend among the officers:"
  build/bin/heed graph put karate --server="$address" --graph="$club" --precompute=gat-karate
  build/bin/heed graph update karate --server="$address" --remove_edges=8:33,33:8
  build/bin/heed classify nodes --server="$address" --model=gat-karate --stored=karate --nodes=8 --top=2
fi

if [[ -d "$models/ntm-babi" ]]; then
  Title "A story, and what the Neural Turing Machine makes of it (heed ask --story=scripts/story.txt)"
  # Each question beside its answer; facts as they are.
  build/bin/heed ask --server="$address" --model=ntm-babi --story=scripts/story.txt > "$work/answers"
  while IFS= read -r sentence <&3; do
    if [[ "$sentence" == *\? ]]; then
      IFS= read -r answer <&4
      printf '  %-40s %s\n' "$sentence" "$answer"
    else
      echo "$sentence"
    fi
  done 3< scripts/story.txt 4< "$work/answers"
  Title "What color is Greg? No fact says so, but he is a swan, and the other swan is gray (heed chat)"
  printf '%s\n' "Lily is a swan." "Brian is a frog." "Lily is gray." "Brian is green." "Greg is a swan." "What color is Greg?" ":why" |
    build/bin/heed chat --server="$address" --model=ntm-babi
  Title "A conversation that the server remembers (heed chat), with the facts that the answer came from"
  printf '%s\n' "John picked up the apple." "John went to the bedroom." "Where is the apple?" ":why" |
    build/bin/heed chat --server="$address" --model=ntm-babi
fi

if [[ -d "$models/txl-novels" ]]; then
  Title "How surprising each word of a sentence is to a Transformer-XL (heed score --tokens)"
  echo "She opened the door and went out." |
    build/bin/heed score --server="$address" --model=txl-novels --tokens --top_k=3
  Title "The same model goes on (heed generate --temperature=0.8 --seed=1)"
  build/bin/heed generate --server="$address" --model=txl-novels --echo --temperature=0.8 --seed=1 --max_tokens=60 \
    "She opened the door and"
fi
if [[ -d "$models/xlnet-novels" ]]; then
  Title "An XLNet fills a gap from both sides (heed fill)"
  echo "She opened the <mask> and went out." | build/bin/heed fill --server="$address" --model=xlnet-novels
fi
if [[ -d "$models/xlnet-subjectivity" ]]; then
  Title "Opinion or plot? (heed classify texts)"
  printf '%s\n' "A warm and funny film." "A boy finds a map and leaves home." > "$work/reviews"
  build/bin/heed classify texts --server="$address" --model=xlnet-subjectivity "$work/reviews" | paste "$work/reviews" -
fi

if [[ -d "$models/ntm-copy" ]]; then
  Title "A sequence, copied out of the memory (heed run --model=ntm-copy --round)"
  printf '%s\n' 10110001 01101110 11100100 00011101 > "$work/rows"
  build/bin/heed run --server="$address" --model=ntm-copy --round "$work/rows" | paste "$work/rows" -
fi

Title "Some metrics"
metrics_address=$(Logged metrics)
# Without curl: bash speaks enough HTTP itself.
exec {http}<> "/dev/tcp/${metrics_address%:*}/${metrics_address##*:}"
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$http"
grep -E '^(heed_requests_total|heed_(source|target)_tokens_total|heed_model_load_seconds|process_resident_memory_bytes)' \
  <&"$http" || Fail "no metrics at $metrics_address"
exec {http}>&-

Title "Stopping"
start=$EPOCHREALTIME
kill -TERM "$server_pid"
code=0
wait "$server_pid" || code=$?
server_pid=
((code == 0)) || Fail "the server ended with exit code $code"
echo "the server finished what it had accepted and ended with exit code 0 after $(Milliseconds "$start" "$EPOCHREALTIME") ms"
