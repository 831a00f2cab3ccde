#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Experiments on the simulated city, by a coordinator of their own: `./larr
# experiment` builds, and then is this (docs/experiments.md).
#
#   tools/experiment/run.sh NAME...|all [--size=experiment] [options of larrctl]
#
# Everything is in out/experiment/SIZE: city, artifacts, coordinator, report.
# Results go to experiments/results/SIZE. Stop it when you like, or kill it: the
# same command goes on.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${LARR_BIN_DIR:-build/bin}
size=experiment
names=() options=()
while [ $# -gt 0 ]; do
  case $1 in
    --size=*) size=${1#*=} ;;
    --size) size=${2:?--size needs a value}; shift ;;
    --*=*) options+=("$1") ;;
    --*) options+=("$1" "${2:?$1 needs a value}"); shift ;;
    *) names+=("$1") ;;
  esac
  shift
done
if [ ${#names[@]} -eq 0 ]; then
  awk 'NR > 2 { if (!sub(/^# ?/, "")) exit; print }' "$0" >&2
  exit 2
fi

out=$PWD/out/experiment/$size
mkdir -p "$out"
larrctl() { "$bin/larrctl" experiment "$@" --size "$size"; }
larrctl list "${names[@]}" > /dev/null  # Names and files, before the first minute.

# One at a time: the second waits for the first to end.
exec 9> "$out/lock"
flock --nonblock 9 || { echo "waiting for the other ./larr experiment of this size" >&2; flock 9; }

"$bin/larr_city" --size "$size" --out "$out/city" 9>&-

# Another city: of ten million impressions, at the size `experiment`.
case " ${names[*]} " in *" all "* | *" scale-city "*)
  large=$size; if [ "$size" = experiment ]; then large=scale; fi
  "$bin/larr_city" --size "$large" --out "$out/city-large" 9>&- ;;
esac

# The vectors of the sentence encoder, where it is installed.
case " ${names[*]} " in *" all "* | *" sentence-encoder "*)
  vectors=$out/sentence_vectors.parquet
  if [ ! -f "$vectors" ] && [ -d .deps/sentence ]; then
    "$bin/larrctl" dataset texts "$out/city/dataset.textproto" --out "$out/texts.parquet"
    experiments/encoders/sentence_vectors.py "$out/texts.parquet" "$vectors.partial"
    mv "$vectors.partial" "$vectors"
  fi ;;
esac

# Not in our process group, so that Ctrl-C reaches larrctl alone, which then
# stops the stage in order; it ends when we do, however that is.
cat > "$out/coordinator.textproto" <<CONFIG
server { listen: "127.0.0.1:0" port_file: "$out/port" }
state_dir: "$out/coordinator"
artifact_root: "$out/artifacts"
stage_program: "$(realpath "$bin")/larr_stage"
CONFIG
start_coordinator() {
  rm -f "$out/port"
  setsid setpriv --pdeathsig TERM "$bin/larr_coordinator" --config "$out/coordinator.textproto" \
    2>> "$out/coordinator.log" 9>&- &
  coordinator=$!
  until [ -s "$out/port" ] && "$bin/larr_health" "$(head -n 1 "$out/port")" 2> /dev/null; do
    kill -0 $coordinator 2> /dev/null || return 1
    sleep 0.2
  done
}
# The coordinator of a killed call may still be about to end.
tries=0
until start_coordinator; do
  tries=$((tries + 1))
  if [ $tries -ge 20 ]; then tail -n 3 "$out/coordinator.log" >&2; exit 1; fi
  sleep 1
done
trap 'kill $coordinator 2> /dev/null; wait $coordinator || true' EXIT
setpriv --pdeathsig TERM "$bin/larrctl" --coordinator "$(head -n 1 "$out/port")" \
  experiment run "${names[@]}" --size "$size" "${options[@]}" 9>&- &
running=$!
trap 'kill -INT $running 2> /dev/null || true' INT TERM
status=0
while :; do
  wait $running && status=0 || status=$?  # Ended by a trap, too.
  kill -0 $running 2> /dev/null || break
done

# Of all that is there, so that one experiment does not hide the others.
report=(--out "$out/report")
if [ "$size" = experiment ]; then report+=(--markdown docs/results.md); fi
larrctl report "${report[@]}" || exit 1
exit $status
