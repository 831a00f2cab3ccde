// SPDX-License-Identifier: Apache-2.0
//
// A cell of a dataset's file, as errors name it.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/invalid_argument.h"
#include "common/dataset/data_files.h"

namespace larr {

// Refers to what lives for the call.
struct CellPlace {
  const DataFile& file;
  const std::string& column;
  int64_t row;  // of the file, from 1
};

// kInvalidArgument; `what` says what is wrong, and the fix.
inline absl::Status WrongCell(const CellPlace& place, std::string_view what) {
  return Invalid("{}: column `{}`, row {}: {}", place.file.path.string(),
                 place.column, place.row, what);
}

}  // namespace larr
