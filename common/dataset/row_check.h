// SPDX-License-Identifier: Apache-2.0
//
// The checks of a dataset that need its rows: one pass over labels, keys and
// the split's column.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>

#include "common/dataset/dataset_spec.h"

namespace larr {

// Rows of each part, in the order of `Part`.
using PartCounts = std::array<int64_t, 6>;

// Refuses labels that are not 0 or 1, orders without a click, probabilities
// outside [0, 1], null, empty or repeated keys of entities, and empty parts.
//
// Errors: kInvalidArgument  names file, column, row (from 1), value and fix.
absl::StatusOr<PartCounts> CheckRows(const Dataset& dataset);

}  // namespace larr
