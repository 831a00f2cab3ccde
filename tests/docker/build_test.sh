#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests docker/build.sh on a tree of its own, with ldd and docker played: what
# lands in the context, and that nothing is made of a program that lacks a
# library.
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
command_is() { printf '#!/bin/sh\n%s\n' "$2" >"bin/$1" && chmod +x "bin/$1"; }

mkdir -p bin docker build/bin .deps/torch
cp "$source_dir/docker/build.sh" docker/
for program in larr_health larrctl larr_coordinator larr_stage larr_embedding larr_scoring; do
  cp /bin/true "build/bin/$program"
done
touch libours.so .deps/torch/libtorch.so
command_is docker "echo \"\$@\" >>$scratch/docker.log"
export PATH=$scratch/bin:$PATH

command_is ldd "echo '	libours.so => $scratch/libours.so (0x1)'
echo '	libtorch.so => $scratch/.deps/torch/libtorch.so (0x2)'
echo '	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x3)'"
docker/build.sh >log 2>&1 || fail "build.sh: $(<log)"
context=out/docker
[[ -e $context/shared/usr/local/lib/larr/libours.so ]] || fail "no library in the shared layer"
[[ -e $context/torch/usr/local/lib/larr/libtorch.so ]] || fail "LibTorch has no layer of its own"
[[ -z $(find "$context" -name 'libc.so.6') ]] || fail "the base image's library was copied"
[[ -x $context/scoring/usr/local/bin/larr_scoring ]] || fail "a program is missing"
(($(grep -c '^build' docker.log) == 6)) || fail "not six images: $(<docker.log)"

rm docker.log
command_is ldd "case \$1 in
*larr_scoring) echo '	libgone.so.1 => not found' ;;
*) echo '	libours.so => $scratch/libours.so (0x1)' ;;
esac"
! docker/build.sh >log 2>&1 || fail "a missing library is not noticed"
grep -q 'missing: .*libgone' log || fail "the library is not named: $(<log)"
[[ ! -e docker.log ]] || fail "images were made all the same"
echo "7 passed, 0 failed"
