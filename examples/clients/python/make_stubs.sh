#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generates the Python stubs of the scoring service into a folder, with the
# protoc and grpc_python_plugin of Debian's protobuf-compiler(-grpc).
set -euo pipefail
if [ $# -ne 1 ]; then
  echo "use: make_stubs.sh FOLDER" >&2
  exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../../.."
stubs=(-I protos -I third_party/googleapis "--python_out=$out")
protoc "${stubs[@]}" google/rpc/status.proto google/rpc/error_details.proto larr/storage/v1/entity.proto
protoc "${stubs[@]}" "--grpc_python_out=$out" \
  "--plugin=protoc-gen-grpc_python=$(command -v grpc_python_plugin)" larr/scoring/v1/scoring_service.proto
