#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Idle connections: calls to the scoring server, first alone, then while others
# keep connections open that they do not use (docs/benchmarks.md). Ends with 1
# if a bound is missed.
#
#   tools/runs/idle.sh MODEL SNAPSHOT [OUT] [options of larr_load]
#
# OUT (out/idle) receives alone.json, crowded.json and the server's log.
# CONNECTIONS=N sets how many are idle (10,000), RATE=R (50) the calls a second.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/runs/server.sh
begin_run idle "$@"
connections=${CONNECTIONS:-10000}

ulimit -n $((connections + 1000))
start_server "$model" "$snapshot" "$out"
load() { "${client_core[@]}" "$bin/larr_load" --server "$address" --snapshot "$snapshot" --rate "${RATE:-50}" "$@"; }
resident_kb() { awk '/^VmRSS/ {print $2}' "/proc/$server/status"; }

load --json "$out/alone.json" "${options[@]}"
before=$(resident_kb)
"${client_core[@]}" tools/runs/idle_connections.py "$address" "$connections" > "$out/opened" 2> "$out/closed" & idle=$!
trap 'kill $idle $server 2> /dev/null; wait || true' EXIT
until [ -s "$out/opened" ]; do
  kill -0 $idle || { tail -n 3 "$out/closed" >&2; exit 1; }
  sleep 0.2
done
load --json "$out/crowded.json" "${options[@]}"
after=$(resident_kb)
kill $idle
wait $idle || true

python3 - "$out" "$connections" $((after - before)) <<'PYTHON'
import json
import pathlib
import sys

out, connections, grown_kb = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
alone, crowded = (json.loads((out / f"{name}.json").read_text())["points"][0] for name in ("alone", "crowded"))
closed = int((out / "closed").read_text().split()[-1])
failed = crowded["calls"] - crowded["codes"].get("OK", 0)
each = grown_kb / connections
print(f"{connections} idle connections, {crowded['calls']} calls at {crowded['rate']:.0f}/s; "
      f"p99 {alone['latency_ms']['p99']:.1f} ms alone, {crowded['latency_ms']['p99']:.1f} ms beside them")
bounds = [("failed calls", failed, failed == 0), ("connections closed by the server", closed, closed == 0),
          ("kB a connection", each, each <= 50)]
for name, value, met in bounds:
    print(f"{'met   ' if met else 'MISSED'} {name}: {value:.3g}")
sys.exit(0 if all(met for *_, met in bounds) else 1)
PYTHON
