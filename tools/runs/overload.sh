#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Overload of the scoring server: capacity, then 1, 2, 5 and 0.7 times as much,
# the server on processor 0, the load from processor 1 (docs/benchmarks.md).
# Ends with 1 if a bound of docs/benchmarks.md is missed.
#
#   tools/runs/overload.sh MODEL SNAPSHOT [OUT] [options of larr_load]
#
# OUT (out/overload) receives overload.json, overload.html and the server's log.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/runs/server.sh
begin_run overload "$@"

start_server "$model" "$snapshot" "$out"

"${client_core[@]}" "$bin/larr_load" --server "$address" --snapshot "$snapshot" \
  --p99 50 --deadline 200 --steps 1,2,5,0.7 \
  --json "$out/overload.json" --html "$out/overload.html" "${options[@]}"

python3 - "$out/overload.json" <<'PYTHON'
import json
import sys

report = json.load(open(sys.argv[1]))
steps = [point for point in report["points"] if point["name"].endswith("x")]
peak = max(point["goodput"] for point in report["points"])
recovery = report["recovery_seconds"]
bounds = [("recovery", "s", recovery, recovery is not None and recovery < 5)]
for step in steps:
    if step["rate"] < 1.5 * report["capacity"]:
        continue
    p99 = step["latency_ms"]["p99"] if step["latency_ms"] else None
    rejection = step["rejection_ms"]["p50"] if step["rejection_ms"] else None
    share = step["goodput"] / peak
    bounds += [(f"{step['name']} goodput of peak", "", share, share >= 0.9),
               (f"{step['name']} accepted p99", "ms", p99, p99 is not None and p99 <= report["deadline_ms"]),
               (f"{step['name']} rejection median", "ms", rejection, rejection is not None and rejection < 1)]
for name, unit, value, met in bounds:
    print(f"{'met   ' if met else 'MISSED'} {name}: {'none' if value is None else format(value, '.3g')} {unit}".rstrip())
sys.exit(0 if all(met for *_, met in bounds) else 1)
PYTHON
