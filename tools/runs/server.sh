# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the runs of this folder, which source it: the scoring server on processor
# 0, one thread, until the run ends.

# The folder of our programs.
bin=${LARR_BIN_DIR:-build/bin}

# Before a command: where the server runs, and where its clients do. Anywhere
# if there is but one processor.
server_core=(taskset -c 0) client_core=(taskset -c 1)
taskset -c 1 true 2> /dev/null || server_core=() client_core=()

# begin_run NAME MODEL SNAPSHOT [OUT] [options]: sets `model`, `snapshot` and
# `out` (out/NAME), a folder that it makes, as absolute paths, and the array
# `options`. Without a model or a snapshot it shows what the run says of itself,
# and ends.
begin_run() {
  out=out/$1
  shift
  if [ $# -lt 2 ]; then
    awk 'NR > 2 { if (!sub(/^# ?/, "")) exit; print }' "$0" >&2
    exit 2
  fi
  model=$(realpath "$1") snapshot=$(realpath "$2")
  shift 2
  if [ $# -gt 0 ] && [ "${1#--}" = "$1" ]; then out=$1; shift; fi
  mkdir -p "$out"
  out=$(realpath "$out")
  options=("$@")
}

# start_server MODEL SNAPSHOT OUT: sets `server`, its process, and `address` and
# `admin_address`. OUT, an absolute folder, receives settings and log.
start_server() {
  rm -f "$3/port"
  cat > "$3/scoring.textproto" <<CONFIG
server { listen: "127.0.0.1:0" port_file: "$3/port" }
admin_listen: "127.0.0.1:0"
model_path: "$1"
snapshot_path: "$2"
threads: 1
CONFIG
  "${server_core[@]}" "$bin/larr_scoring" --config "$3/scoring.textproto" 2> "$3/scoring.log" &
  server=$!
  trap 'kill $server 2> /dev/null; wait $server || true' EXIT
  until [ -s "$3/port" ] && "$bin/larr_health" "$(head -n 1 "$3/port")" 2> /dev/null; do
    kill -0 $server || { tail -n 3 "$3/scoring.log" >&2; exit 1; }
    sleep 0.2
  done
  address=$(head -n 1 "$3/port")
  admin_address=$(sed -n 2p "$3/port")
}
