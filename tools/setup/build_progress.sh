#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads what ninja says and shows how far the build is, with an estimate of the
# time left: on a terminal one line that is drawn again and again, elsewhere a
# line every 10 s. What is no step, such as a compiler's words, passes.
set -euo pipefail

interval=10
terminal=
[[ ! -t 1 ]] || terminal=yes

duration() { (($1 < 90)) && echo "$1 s" || echo "$((($1 + 30) / 60)) min"; }

show_progress() {
  local line begin=$SECONDS next=$SECONDS step steps text clear=
  [[ -z $terminal ]] || clear=$'\r\e[K'
  while IFS= read -r line; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]]; then
      step=${BASH_REMATCH[1]} steps=${BASH_REMATCH[2]}
      text="$((100 * step / steps)) % of $steps steps"
      ((SECONDS - begin < 5)) ||
        text+=", about $(duration $(((SECONDS - begin) * (steps - step) / step))) left"
      text+=": ${BASH_REMATCH[3]##*[ /]}"
      if [[ -n $terminal ]]; then
        printf '%s%.79s' "$clear" "$text"
      elif ((SECONDS >= next || step == steps)); then
        printf '%s\n' "$text"
        next=$((SECONDS + interval))
      fi
    elif [[ $line != 'ninja: Entering directory'* ]]; then
      printf '%s%s\n' "$clear" "$line"
    fi
  done
  printf '%s' "$clear"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || show_progress
