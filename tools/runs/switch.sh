#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Switches under load: the scoring server on processor 0 at 70 % of its
# capacity, first steady, then while it switches to and fro between two copies
# of a model (docs/benchmarks.md). Ends with 1 if a bound is missed.
#
#   tools/runs/switch.sh MODEL SNAPSHOT [OUT] [options of larr_load]
#
# OUT (out/switch) receives steady.json, switching.json, memory.txt (resident
# kB after each switch) and the server's log. SWITCHES=N sets their number
# (100), CAPACITY=R (calls/s) leaves out the search for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/runs/server.sh
begin_run switch "$@"
switches=${SWITCHES:-100}
rm -rf "$out/other" "$out/memory.txt"
cp -r "$model" "$out/other"

start_server "$model" "$snapshot" "$out"
export LARR_SCORING=$address LARR_SCORING_ADMIN=$admin_address
load() { "${client_core[@]}" "$bin/larr_load" --server "$address" --snapshot "$snapshot" "$@"; }

capacity=${CAPACITY:-}
if [ -z "$capacity" ]; then
  load --find-rate --p99 50 --json "$out/capacity.json" "${options[@]}"
  capacity=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["capacity"])' "$out/capacity.json")
fi
rate=$(python3 -c 'import sys; print(0.7 * float(sys.argv[1]))' "$capacity")

# One a second. What asks for them takes no time from the load.
switch_all() {
  for ((i = 1; i <= switches; ++i)); do
    sleep 1
    if ((i % 2)); then to=$out/other; else to=$model; fi
    "${client_core[@]}" chrt --idle 0 "$bin/larrctl" serving switch --model "$to" > "$out/switch.log" || return 1
    awk '/^VmRSS/ {print $2}' "/proc/$server/status" >> "$out/memory.txt"
  done
}
seconds=$((switches + 2))
echo "steady: $rate calls/s for $seconds s" >&2
load --rate "$rate" --seconds "$seconds" --json "$out/steady.json" "${options[@]}"
echo "the same with $switches switches" >&2
load --rate "$rate" --seconds "$seconds" --json "$out/switching.json" "${options[@]}" & loading=$!
switch_all || { kill $loading; tail -n 3 "$out/switch.log" >&2; exit 1; }
wait $loading

python3 - "$out" "$switches" <<'PYTHON'
import json
import pathlib
import sys

out, switches = pathlib.Path(sys.argv[1]), int(sys.argv[2])
steady, switching = (json.loads((out / f"{name}.json").read_text())["points"][0] for name in ("steady", "switching"))
memory = [int(line) for line in (out / "memory.txt").read_text().split()]
failed = switching["calls"] - switching["codes"].get("OK", 0)
p99 = switching["latency_ms"]["p99"] / steady["latency_ms"]["p99"]
grown = memory[-1] / memory[min(4, len(memory) - 1)]
print(f"{switches} switches, {switching['calls']} calls at {switching['rate']:.0f}/s; "
      f"p99 {steady['latency_ms']['p99']:.1f} ms steady, {switching['latency_ms']['p99']:.1f} ms switching; "
      f"{memory[-1] / 1000:.0f} MB resident at the end")
bounds = [("failed calls", failed, failed == 0), ("p99 over steady p99", p99, p99 <= 1.2),
          ("resident memory over that after 5", grown, grown <= 1.05)]
for name, value, met in bounds:
    print(f"{'met   ' if met else 'MISSED'} {name}: {value:.3g}")
sys.exit(0 if all(met for *_, met in bounds) else 1)
PYTHON
