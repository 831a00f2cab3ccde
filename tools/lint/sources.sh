# SPDX-License-Identifier: Apache-2.0
# Sourced: lists the C++ files of the tree, tracked or new.
sources() { git ls-files -co --exclude-standard -- '*.h' '*.cc'; }
