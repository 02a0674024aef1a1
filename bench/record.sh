#!/usr/bin/env bash
# What recording costs: the CPU time of one server for each message, with recording off and on in turn.
#
#   bench/record.sh [ROUNDS] [SECONDS] [NAMES] [BODIES] [text|json]      # 9 rounds of 8 s; policies as in [record]: keep, placeholder, hash
#
# 100 pairs at 40 messages a second each are 4 000 messages/s, of 200 bytes, each time others. The server runs on one core,
# the load on another, where there are two. CPU is that of all threads, by /proc/PID/task/*/schedstat. Prints a line for each
# run, and the medians. Linux only; needs curl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1:-9} seconds=${2:-8} names=${3:-placeholder} bodies=${4:-placeholder} says=${5:-text}
http=18901 admin=18902
target=${CARGO_TARGET_DIR:-target}/release

[[ -n ${NO_BUILD:-} ]] || cargo build --release --locked --quiet --bin sigbridge --example load
load=()
[[ $says == text ]] || load=(--json)
work=$(mktemp -d)
cat > "$work/config.toml" <<EOF
[listen]
http = "127.0.0.1:$http"
tcp = "off"
udp = []
[admin]
listen = "127.0.0.1:$admin"
[session]
grace = "1s"
[embedded]
rate_scale = 1000
[record]
folder = "$work/traces"
names = "$names"
bodies = "$bodies"
files = 2
EOF
on_one=() on_other=()
if (($(nproc) > 1)); then on_one=(taskset -c 1) on_other=(taskset -c 0); fi
"${on_one[@]}" "$target/sigbridge" serve --config "$work/config.toml" 2> "$work/log" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
until curl -sf "http://127.0.0.1:$admin/healthz" > /dev/null; do
  kill -0 $server || { cat "$work/log"; exit 1; }
  sleep 0.1
done

# Prints the µs of a message.
run() {
  curl -sf -X POST "http://127.0.0.1:$admin/record/$1" > /dev/null
  "${on_other[@]}" "$target/examples/load" --pid "$server" --url "ws://127.0.0.1:$http/" --idle 0 --pairs 100 --rate 40 \
    --seconds "$seconds" "${load[@]}" |
    sed -n 's/^CPU *\([0-9.]*\) .*/\1/p'
  # The sessions of a run end before the next one begins: those that go on stay recorded, or not.
  sleep 3
}

median() { sort -n | awk '{ a[NR] = $1 } END { print (NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2) }'; }

run stop > /dev/null # warms up
for ((round = 1; round <= rounds; round++)); do
  if ((round % 2)); then off=$(run stop) on=$(run start); else on=$(run start) off=$(run stop); fi
  echo "$off $on" >> "$work/results"
  echo "round $round: $off µs for each message, recorded $on µs"
done
ratio=$(awk '{ print $2 / $1 }' "$work/results" | median)
off=$(cut -d' ' -f1 "$work/results" | median)
on=$(cut -d' ' -f2 "$work/results" | median)
awk -v off="$off" -v on="$on" -v ratio="$ratio" 'BEGIN {
  printf "medians: %.1f µs, recorded %.1f µs; the median ratio of a round is %.3f\n", off, on, ratio
  printf "at 4 000 messages/s recording takes %.1f %% of a core\n", (on - off) * 0.4
}'
curl -sf "http://127.0.0.1:$admin/metrics" | grep trace_records
