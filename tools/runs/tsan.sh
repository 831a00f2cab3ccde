#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The scorer's core without gRPC and LibTorch under TSan (docs/fuzzing.md):
# admission, queues, caches, arms, the request log, the switch of bundles.
#
#   tools/runs/tsan.sh [options of ctest]
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=(base_test scoring_input_test scoring_experiments_test bundle_switch_test)

mkdir -p build
cmake -S . -B build/thread -G Ninja -DLARR_SANITIZE=thread > build/thread.log
ninja -C build/thread "${tests[@]}"
pattern=$(IFS='|'; echo "^(${tests[*]})$")
# GCC 12's TSan takes no memory layout with more random bits than it knows.
TSAN_OPTIONS="suppressions=$PWD/tools/runs/tsan.supp halt_on_error=1" \
  setarch -R ctest --test-dir build/thread -R "$pattern" --output-on-failure "$@"
