#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Format, structure and clang-tidy. Needs a configured build/release.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/lint/sources.sh

echo "== clang-format" >&2
sources | xargs clang-format --dry-run --Werror || { echo "run ./larr format" >&2; exit 1; }
echo "== structure" >&2
python3 tools/lint/check_tree.py
echo "== clang-tidy" >&2
python3 tools/lint/tidy.py build/release
