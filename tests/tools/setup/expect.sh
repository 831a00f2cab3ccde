# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests beside it: checks, and their count.
checks=0
expect() {  # expect WHAT WANTED GOT
  checks=$((checks + 1))
  [[ $2 == "$3" ]] && return
  printf 'FAILED: %s\n  wanted: %q\n  got:    %q\n' "$1" "$2" "$3" >&2
  exit 1
}
