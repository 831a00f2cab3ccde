#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the images larr/coordinator, embedding, scoring, larrctl, haproxy and
# prometheus out of build/bin, so that what is shipped is what was tested.
#
# usage: ./larr build && docker/build.sh [BASE-IMAGE]
#
# BASE-IMAGE must be Debian 12, as this machine is; default: debian:bookworm-slim.
# Without an image registry: debootstrap --variant=minbase bookworm FOLDER, then
# tar -C FOLDER -c . | docker import - IMAGE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

base=${1:-debian:bookworm-slim}
deps=$(readlink -f .deps)
context=out/docker

# Libraries that a program loads, without glibc's, which the base image has.
libraries() {
  ldd "$1" | awk '/not found/ { print "missing: " $0 > "/dev/stderr"; exit 1 } $2 == "=>" { print $3 }' |
    grep -vE '/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|util|resolv))\.so'
}

# add PROGRAM FOLDER: LibTorch's libraries go to a layer of their own.
add() {
  local loaded library into
  install -D -s "build/bin/$1" "$context/$2/usr/local/bin/$1"
  loaded=$(libraries "build/bin/$1")
  for library in $loaded; do
    into=$2
    [[ $(readlink -f "$library") != "$deps/torch/"* ]] || into=torch
    [[ -e $context/shared/usr/local/lib/larr/${library##*/} ]] ||
      install -D -m 644 "$library" "$context/$into/usr/local/lib/larr/${library##*/}"
  done
}

rm -rf "$context"
add larr_health shared
add larrctl larrctl
add larr_coordinator coordinator
add larr_stage coordinator
add larr_embedding embedding
add larr_scoring scoring

for target in larrctl coordinator embedding scoring haproxy prometheus; do
  docker build --quiet --build-arg BASE="$base" --target "$target" --tag "larr/$target" \
    --file docker/Dockerfile "$context" >/dev/null
  docker image inspect --format "larr/$target: {{.Size}} bytes" "larr/$target"
done
