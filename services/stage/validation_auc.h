// SPDX-License-Identifier: Apache-2.0
//
// A finished recommender on the validation rows of a dataset that it may not
// have been trained on: how the gate judges the champion.
//
// Threads: one at a time; LibTorch's own work beside it.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace larr::stage {

struct ValidationAuc {
  double ctr_auc = 0;
  int64_t rows = 0;
  int64_t clicks = 0;
  int64_t missing_texts = 0;  // That the snapshot lacks; some may count twice.
};

// `model` with the vectors of `snapshot`, which is not read for a model without
// texts. `dataset`: the file of a DatasetSpec.
// Errors: kInvalidArgument  the dataset lacks what the model reads; its rows
//                           are of one class, or there are none
//         otherwise those of the artifacts and of the dataset
absl::StatusOr<ValidationAuc> ComputeValidationAuc(
    const std::string& dataset, const std::filesystem::path& model,
    const std::filesystem::path& snapshot);

}  // namespace larr::stage
