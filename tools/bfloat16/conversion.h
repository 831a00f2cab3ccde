// SPDX-License-Identifier: Apache-2.0
//
// A trained model's folder to one that is served in bfloat16, if rows that it
// was not trained on show that little is lost. Writes an artifact of kind
// `ctr_model`: the same weights, the description with `serve_in_bfloat16`, and
// `bfloat16.json` (ComparisonJson, and "most_loss").
//
// Threads: one at a time.
// Errors:  kInvalidArgument     a setting is wrong, or the model cannot be
//                               split or is converted already
//          kAlreadyExists       the output is there
//          kFailedPrecondition  more is lost than allowed, or the rows do not
//                               tell; or the snapshot is of another embedder
//          otherwise those of the folders that are read.
//          Messages open with the option that is to blame. Nothing is written.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <ostream>

#include "common/dataset/split.h"
#include "tools/bfloat16/comparison.h"

namespace larr::bfloat16 {

struct ConversionOptions {
  std::filesystem::path model;     // Of an align stage.
  std::filesystem::path dataset;   // Its spec.
  std::filesystem::path snapshot;  // May be empty for a model without texts.
  std::filesystem::path output;
  Part part = Part::kValidation;
  int64_t rows = 0;  // 0: all of the part.
  double most_loss = 0.0002;
};

// The table goes to `out`, whether the model is then refused or not.
absl::Status Convert(const ConversionOptions& options, std::ostream& out,
                     const RowsProgress& progress);

}  // namespace larr::bfloat16
