#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests what build_progress.sh makes of ninja's words.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source tests/tools/setup/expect.sh
source tools/setup/build_progress.sh

says() { printf '%s\n' "$@" | show_progress; }

terminal=
expect "the first and the last step at once, none between" \
  $'25 % of 4 steps: a.cc.o\n100 % of 4 steps: x' \
  "$(says '[1/4] Building CXX object a/a.cc.o' '[2/4] Building CXX object b.cc.o' \
          '[3/4] Linking c' '[4/4] Linking CXX executable bin/x')"
expect "an error as it is" $'100 % of 1 steps: a.o\nFAILED: a.o\na.cc:1: error: no\nninja: build stopped.' \
  "$(says "ninja: Entering directory \`build'" '[1/1] Building a.o' 'FAILED: a.o' 'a.cc:1: error: no' \
          'ninja: build stopped.')"


expect "seconds, then minutes" "89 s 2 min 7 min" "$(duration 89) $(duration 90) $(duration 400)"
# `read` that takes 100 s.
read() { builtin read "$@" && SECONDS=$((SECONDS + 100)); }
expect "the time left at the speed so far" \
  $'25 % of 4 steps, about 5 min left: a.o\n50 % of 4 steps, about 3 min left: b.o' \
  "$(says '[1/4] a.o' '[2/4] b.o')"
unset -f read

terminal=yes
expect "on a terminal one line, drawn again" \
  $'\r\e[K50 % of 2 steps: a.o\r\e[K100 % of 2 steps: x\r\e[K' \
  "$(says '[1/2] Building a/a.o' '[2/2] Linking x')"

echo "$checks passed, 0 failed"
