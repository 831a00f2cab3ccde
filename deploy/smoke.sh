#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the compose deployment up on a tiny city with a tiny language model,
# and uses it as its users do, through the published ports: scoring that waits
# for a model, a training run that publishes one, scores, a refresh that scoring
# moves to, recall, metrics, and a drain. Ends with exit code 0 if all of it
# worked; leaves nothing behind.
#
# usage: docker/build.sh && deploy/smoke.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$PWD/out/smoke
export LARR_DATA=$out/data
compose() { docker-compose --project-name larr-smoke --file deploy/docker-compose.yml "$@"; }
# The command line's own image, which sees the data where the services see it.
larrctl() { docker run --rm --network host --volume "$LARR_DATA:/data:ro" larr/larrctl "$@"; }
say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
fail() { printf 'smoke: FAILED: %s\n' "$*" >&2; exit 1; }

tear_down() {
  local code=$?
  ((code == 0)) || compose logs --no-color --tail 40 >&2 || true
  compose down --volumes --timeout 20 >"$out/down.log" 2>&1 || true
  exit $code
}

# healthy SERVICE: waits until docker calls it so.
healthy() {
  local container state
  container=$(compose ps --quiet "$1")
  for _ in {1..60}; do
    state=$(docker inspect --format '{{.State.Health.Status}}' "$container")
    [[ $state != healthy ]] || return 0
    sleep 1
  done
  fail "$1 is $state after a minute"
}

# Whether scoring says that it takes calls.
ready() { compose exec -T scoring larr_health 127.0.0.1:7030; }

# expect COMMAND...: retries for half a minute; what it printed is in $answer.
expect() {
  for _ in {1..30}; do
    ! answer=$("$@" 2>&1) || return 0
    sleep 1
  done
  fail "$*: $answer"
}

make_data() {
  rm -rf "$out"
  mkdir -p "$LARR_DATA"
  build/bin/larr_city --out "$LARR_DATA/dataset" --pois 60 --users 80 --impressions 40000 2>/dev/null
  cp -r tests/golden/tiny_llama "$LARR_DATA/model"
  cat >"$LARR_DATA/training.textproto" <<'SPEC'
dataset: "/data/dataset/dataset.textproto"
base_model: "/data/model"
pretrain { steps: 4 descriptions_per_step: 4 max_tokens: 256 optimizer { learning_rate: 1e-4 new_parameter_learning_rate: 1e-3 warmup_steps: 1 } }
contrast {
  steps: 4 pairs_per_step: 8 max_tokens: 256 temperature: 0.1
  user_user_weight: 1 poi_poi_weight: 1 user_poi_weight: 1
  optimizer { learning_rate: 1e-4 new_parameter_learning_rate: 1e-3 warmup_steps: 1 }
}
embed { precision: BF16 as_of_date: "2025-04-11" }
align {
  name: "larr" batch_size: 128 learning_rate: 3e-3 epochs: 3
  architecture { kind: LARR embedding_width: 8 expert_widths: [64, 32] encoder_ffn_width: 64 }
}
evaluate { bootstrap_samples: 10 }
publish { max_calibration_error: 1 }
threads: 1
seed: 1
SPEC
}

targets_up() {
  local up
  up=$(docker run --rm --network host --entrypoint promtool larr/prometheus \
    query instant http://127.0.0.1:9090 'sum(up)')
  [[ $up == *"=> 4 @"* ]] || { echo "$up of 4 targets are up"; return 1; }
}

make_data
trap tear_down EXIT

say "coordinator, haproxy and Prometheus; scoring lives, and waits for a model"
compose up -d coordinator haproxy prometheus
healthy coordinator
compose up -d scoring
healthy scoring
! ready 2>/dev/null || fail "scoring is ready without a model"

say "a training run, from texts to a published model"
expect larrctl run list
larrctl run create /data/training.textproto --id first --watch
larrctl model list

say "embedding; scoring is ready"
compose up -d
healthy embedding
expect ready
expect larrctl serving status
larrctl serving status
before=$answer

score() {
  larrctl score --user u000001 --poi p000001,distance_km=0.5 --poi p000002 --poi no-such-poi \
    --context temperature=12.5 --context 'rain=light rain' --context day_type=weekend \
    --context hour=19 --context 'situation=at home' --context city=Guangzhou
}
say "scores"
expect score
echo "$answer"
[[ $answer == *"0 user, 1 POIs; 0 texts"* ]] || fail "not just the unknown POI is missing"

say "a refresh to the newest day, and scoring on its snapshot"
expect larrctl embed list
larrctl embed create --id newest --watch
snapshot=$(larrctl --output=json embed get newest | sed -n 's/.*"snapshot_path": *"\([^"]*\)".*/\1/p')
[[ -n $snapshot ]] || fail "the refresh names no snapshot"
larrctl serving switch --snapshot "$snapshot"
[[ $(larrctl serving status) != "$before" ]] || fail "scoring did not move"
score
larrctl embed search "noodles on a rainy evening" --top-k 3

say "Prometheus sees all four"
expect targets_up

say "SIGTERM drains"
compose stop --timeout 30
for service in coordinator embedding scoring; do
  code=$(docker inspect --format '{{.State.ExitCode}}' "$(compose ps --quiet "$service")")
  [[ $code == 0 ]] || fail "$service ended with exit code $code"
done
say "passed"
