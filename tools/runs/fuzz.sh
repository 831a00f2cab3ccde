#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Hostile input by libFuzzer under ASan and UBSan (docs/fuzzing.md).
#
#   tools/runs/fuzz.sh TARGET|all [RUNS] [options of libFuzzer]
#
# TARGET is a folder of tests/fuzz/corpus. Makes RUNS (10,000,000) inputs, from
# the corpus of the tree and what earlier runs found, which build/fuzz/corpus
# keeps; then makes the tree's corpus the least one that reaches as much.
# A crash ends the run with 1; its input is in build/fuzz/found.
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
dictionary() {
  {
    grep -hoE '[A-Za-z_0-9]+ = [0-9]+;' protos/larr/config/v1/{model,dataset}.proto | sed 's/ = .*//'
    grep -hoE '"[A-Za-z_0-9.]+"' tests/services/scoring/scoring_world.cc tests/fuzz/make_seeds.py | tr -d '"'
  } | sort -u | sed 's/.*/"&"/'
}
dictionary > build/fuzz/names.dict

for target in "${targets[@]}"; do
  found=build/fuzz/corpus/$target kept=tests/fuzz/corpus/$target
  program=build/fuzz/tests/fuzz/larr_fuzz_$target
  mkdir -p "$found" "$kept"
  # Without crashes first: what ended a run once is in the tree's corpus.
  "$program" -runs="$runs" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -dict=build/fuzz/names.dict \
    -artifact_prefix="build/fuzz/found/$target-" -print_final_stats=1 "$@" \
    "$found" "$kept" "build/fuzz/seeds/$target" 2>&1 | tee "build/fuzz/$target.log" |
    grep -E 'ERROR|SUMMARY|does not hold|runtime error|stat::|BINGO|^Done|#[0-9]+\s+(pulse|INITED|DONE)' || true
  test "${PIPESTATUS[0]}" -eq 0
  rm -rf "$kept.least"
  mkdir "$kept.least"
  "$program" -merge=1 -max_len=4096 "$kept.least" "build/fuzz/seeds/$target" "$kept" "$found" > "build/fuzz/$target.merge.log" 2>&1
  # Inputs that once ended a run stay.
  find "$kept" -name 'crash-*' -exec cp {} "$kept.least" \;
  rm -rf "$kept"
  mv "$kept.least" "$kept"
done
