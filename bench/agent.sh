#!/usr/bin/env bash
# What the agent link costs inside sigbridge: the CPU time of a server for each message, with the embedded RTM in it and with
# RTM behind a link (an agent in a process of its own, which is not counted), in turn.
#
#   bench/agent.sh [ROUNDS] [SECONDS]      # 5 rounds of 8 s
#
# 100 pairs at 40 messages a second each are 4 000 messages/s. CPU is that of all threads, by /proc/PID/task/*/schedstat. Prints
# a line for each run, and the medians. Linux only; needs curl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1:-5} seconds=${2:-8}
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${NO_BUILD:-} ]] || cargo build --release --locked --quiet --bin sigbridge --example load
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

# KIND HTTP ADMIN
serve() {
  cat > "$work/$1.toml" <<TOML
[listen]
http = "127.0.0.1:$2"
tcp = "off"
udp = []
[admin]
listen = "127.0.0.1:$3"
[embedded]
rate_scale = 1000
[upstream]
kind = "$1"
[upstream.agent]
listen = "127.0.0.1:18920"
TOML
  "$target/sigbridge" serve --config "$work/$1.toml" 2> "$work/$1.log" &
  pids+=($!)
  until curl -sf "http://127.0.0.1:$3/healthz" > /dev/null; do sleep 0.1; done
}
serve embedded 18911 18912
serve agent 18913 18914
"$target/sigbridge" agent embedded --url ws://127.0.0.1:18920/agent --rate-scale 1000 2> "$work/link.log" &
pids+=($!)
until curl -sf http://127.0.0.1:18914/metrics | grep -q '^sigbridge_agent_up 1'; do sleep 0.1; done

# Prints the µs of a message.
run() {
  "$target/examples/load" --pid "$1" --url "ws://127.0.0.1:$2/" --idle 0 --pairs 100 --rate 40 --seconds "$seconds" |
    sed -n 's/^CPU *\([0-9.]*\) .*/\1/p'
  sleep 1
}
embedded() { run "${pids[0]}" 18911; }
agent() { run "${pids[1]}" 18913; }
median() { sort -n | awk '{ a[NR] = $1 } END { print (NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2) }'; }

embedded > /dev/null # warms up
agent > /dev/null
for ((round = 1; round <= rounds; round++)); do
  if ((round % 2)); then in=$(embedded) out=$(agent); else out=$(agent) in=$(embedded); fi
  echo "$in $out" >> "$work/results"
  echo "round $round: embedded $in µs for each message, behind a link $out µs"
done
in=$(cut -d' ' -f1 "$work/results" | median)
out=$(cut -d' ' -f2 "$work/results" | median)
ratio=$(awk '{ print $2 / $1 }' "$work/results" | median)
awk -v inside="$in" -v out="$out" -v ratio="$ratio" 'BEGIN {
  printf "medians: embedded %.1f µs, behind a link %.1f µs; the median ratio of a round is %.2f\n", inside, out, ratio
}'
