#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rewrites every source to the house format.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/lint/sources.sh
sources | xargs clang-format -i
