#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests what install.sh decides: what is left to do, and that a part gets its
# name only once complete. Installs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
source tests/tools/setup/expect.sh
source tools/setup/install.sh
deps=$scratch/.deps
missing_debian_packages() { :; }

work() { list_work "$@" | paste -sd ' '; }
finish() { mkdir -p "$deps/$1.partial" && replace "$1" "$2"; }

mkdir -p "$deps/models" "$deps/cargo-target"
expect "an empty .deps needs everything" \
  "wheels:torch wheels:arrow wheels:python wheels:transformers crate sentencepiece model" "$(work)"

for group in torch arrow python transformers; do finish "$group" "$(wheels_hash "$group")"; done
crate_hash >"$deps/cargo-target/.stamp"
finish sentencepiece "$(sentencepiece_hash)"
finish models/smollm2-135m "$(model_hash)"
expect "a complete .deps needs nothing" "" "$(work)"
expect "the benchmarks' peers only if asked for" "wheels:bench" "$(work bench)"

mkdir "$deps/arrow.partial"
touch "$deps/arrow.partial/half"
expect "a part that was cut off before its name changes nothing" "" "$(work)"
rm -r "$deps/arrow.partial"

mv "$deps/torch" "$deps/torch.old"
expect "a part that was cut off between its two names is remade" "wheels:torch" "$(work)"
finish torch "$(wheels_hash torch)"
expect "and then nothing is left of the old one" "gone" "$([[ -e $deps/torch.old ]] || echo gone)"

echo "other" >"$deps/python/.stamp"
expect "a part made from other requirements is remade" "wheels:python" "$(work)"
finish python "$(wheels_hash python)"

missing_debian_packages() { echo mold; }
expect "a missing Debian package is seen" "debian" "$(work)"

# What main says on a machine that lacks everything, and what it then does.
trouble() {
  (
    need_disk_gib=1000000000
    need_memory_gib=2000000000
    as_root() { echo "E: no $1 here"; return 100; }
    sudo() { :; }
    pip() { echo "E: no index"; return 1; }
    find_cargo() { return 1; }
    reach() { echo "E: no ${1##*/} here" >"$deps/tmp/log"; return 1; }
    install_debian_packages() { echo "installed"; }
    install_wheels() { echo "installed"; }
    rm -rf "$deps/torch" "$deps/cargo-target/.stamp"
    main
  ) 2>&1
}
message=$(trouble) && status=0 || status=$?
expect "a machine that lacks something is refused" 1 "$status"
expect "in one message, before anything is installed" "setup: error: nothing was installed; this is missing:
  - N GiB of disk free at $deps; 1000000000 GiB are needed
  - N GiB of memory; 2000000000 GiB are needed
  - Debian's package registry cannot be reached: E: no apt-get here
  - the Python package registry cannot be reached: E: no index
  - the Rust package registry cannot be reached: E: no config.json here" \
  "$(sed -E 's/- [0-9]+ GiB/- N GiB/; s/ registry http[^ ]*/ registry/' <<<"$message")"

unpinned=$(for file in tools/setup/wheels-*.txt tools/setup/sources.txt; do
  grep -E '^[a-z]' "$file" | grep -vE '^[a-z0-9.-]+==[0-9.]+ \\$' || true
  (($(grep -cE '^[a-z]' "$file") == $(grep -cE '^    --hash=sha256:[0-9a-f]{64}$' "$file"))) || echo "$file"
done)
expect "every wheel and source has a version and one hash" "" "$unpinned"

echo "$checks passed, 0 failed"
