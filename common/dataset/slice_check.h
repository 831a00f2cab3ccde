// SPDX-License-Identifier: Apache-2.0
//
// Whether the slices of a dataset spec can be cut.
//
// Threads: pure functions.
// Errors:  kInvalidArgument  names the slice, the value and the fix
#pragma once

#include <absl/status/status.h>

#include <filesystem>

#include "common/dataset/parquet_reader.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr {

// Names, columns and values, as far as the spec alone tells.
absl::Status CheckSlices(const config::v1::DatasetSpec& spec);

// Whether a slice's values or range fit a file's column.
absl::Status CheckSliceColumn(const config::v1::Slice& slice,
                              const ColumnInfo& column,
                              const std::filesystem::path& file);

}  // namespace larr
