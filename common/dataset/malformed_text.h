// SPDX-License-Identifier: Apache-2.0
//
// Texts of a dataset that are not UTF-8: refused or repaired where a cell is
// read, as the spec's `malformed_text` says. What is read is UTF-8 from here
// on: it becomes tokens, and strings of messages, which take nothing else.
//
// Errors: kInvalidArgument  names file, column and row (from 1), and the fix
#pragma once

#include <absl/status/status.h>

#include <string>

#include "common/dataset/cell_place.h"
#include "common/features/row.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr {

absl::Status MakeUtf8(const config::v1::DatasetSpec& spec,
                      const CellPlace& place, std::string& text);
// The same for a value that is a string; another one stays as it is.
absl::Status MakeUtf8(const config::v1::DatasetSpec& spec,
                      const CellPlace& place, Value& value);

}  // namespace larr
