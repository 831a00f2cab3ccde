#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hostile input by libFuzzer under ASan and UBSan (docs/fuzzing.md).
#
#   tools/runs/fuzz.sh TARGET|all [RUNS] [options of libFuzzer]
#
# TARGET is a folder of tests/fuzz/corpus. Makes RUNS (10,000,000) inputs, from
# the corpus of the tree and what earlier runs found, which build/fuzz/corpus
# keeps; then makes the tree's corpus the least one that reaches as much.
# An input that fails ends the run with 1, and is in build/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/../.."
targets=(score_request manifest safetensors ctr_model)

if [ $# -lt 1 ]; then
  sed -n 's/^# \{0,1\}//; 3,11p' "$0" >&2
  exit 2
fi
if [ "$1" != all ]; then targets=("$1"); fi
runs=${2:-10000000}
shift $(($# > 1 ? 2 : 1))

mkdir -p build/fuzz/found
cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DLARR_SANITIZE=fuzzer > build/fuzz.log
ninja -C build/fuzz "${targets[@]/#/larr_fuzz_}"
python3 tests/fuzz/make_seeds.py build/fuzz/seeds

# The names of fields and features, which mutations hardly hit upon.
{
  grep -hoE '[A-Za-z_0-9]+ = [0-9]+;' protos/larr/config/v1/{model,dataset}.proto | sed 's/ = .*//'
  grep -hoE '"[A-Za-z_0-9.]+"' tests/services/scoring/scoring_world.cc tests/fuzz/make_seeds.py | tr -d '"'
} | sort -u | sed 's/.*/"&"/' > build/fuzz/names.dict

# Short stacks and a small quarantine: twice as many inputs a second.
export ASAN_OPTIONS=malloc_context_size=1:quarantine_size_mb=8
for target in "${targets[@]}"; do
  found=build/fuzz/corpus/$target kept=tests/fuzz/corpus/$target seeds=build/fuzz/seeds/$target
  program=build/fuzz/tests/fuzz/larr_fuzz_$target log=build/fuzz/$target.log
  mkdir -p "$found"
  "$program" -runs="$runs" -max_len=1024 -entropic=0 -timeout=10 -rss_limit_mb=2048 -dict=build/fuzz/names.dict \
    -artifact_prefix="build/fuzz/found/$target-" -print_final_stats=1 "$@" "$found" "$kept" "$seeds" > "$log" 2>&1 ||
    { grep -aE 'ERROR|SUMMARY|does not hold|runtime error|Test unit written' "$log" >&2; exit 1; }
  least=build/fuzz/least/$target
  rm -rf "$least"
  mkdir -p "$least"
  "$program" -set_cover_merge=1 -use_counters=0 "$least" "$kept" "$seeds" "$found" > "build/fuzz/$target.merge.log" 2>&1
  # The tree keeps its seeds, and what once made a run fail.
  find "$kept" -type f ! -name 'seed-*' ! -name 'failed-*' -delete
  for seed in "$seeds"/*; do cp "$seed" "$kept/seed-$(basename "$seed")"; done
  cp -n "$least"/* "$kept"
  echo "$target: $(awk '/number_of_executed_units/ {print $2}' "$log") inputs, $(find "$kept" -type f | wc -l) kept"
done
