// SPDX-License-Identifier: Apache-2.0
//
// Vectors that another program made, as a TextEncoder: a Parquet file with the
// columns `slot` (the keyword's name), `text` (its content) and `vector` (a
// list of floats). Where `slot` is empty, `text` is a whole text with its
// special tokens, as a POI's comprehensive one. `larrctl dataset texts` writes
// the texts of a dataset in this form. All vectors have one width.
//
// Memory: all vectors of the file.
#pragma once

#include <filesystem>
#include <memory>

#include "absl/status/statusor.h"
#include "services/embedding/text_encoder.h"

namespace larr {

// Errors:  kInvalidArgument  names the row of a vector that is empty, null, not
//                            finite or of another width than those before it,
//                            of a null or a text that a row before it has; or
//                            the column that is missing or of another type
//          and those of common/dataset/parquet_reader.h
absl::StatusOr<std::unique_ptr<TextEncoder>> OpenVectorsFile(
    const std::filesystem::path& path);

}  // namespace larr
