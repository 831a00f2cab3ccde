// SPDX-License-Identifier: Apache-2.0
//
// Texts of a dataset that are not UTF-8: refused or repaired where a cell is
// read, as the spec's `malformed_text` says. What is read is UTF-8 from here
// on: it becomes tokens, and strings of messages, which take nothing else.
//
// Errors: kInvalidArgument  names file, column and row (from 1), and the fix
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>

#include "common/dataset/data_files.h"
#include "common/features/row.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr {

// Where a cell was read, for a message.
struct CellPlace {
  const DataFile& file;
  const std::string& column;
  int64_t row;  // from 1
};

absl::Status MakeUtf8(const config::v1::DatasetSpec& spec,
                      const CellPlace& place, std::string& text);
// The same for a value that is a string; another one stays as it is.
absl::Status MakeUtf8(const config::v1::DatasetSpec& spec,
                      const CellPlace& place, Value& value);

}  // namespace larr
