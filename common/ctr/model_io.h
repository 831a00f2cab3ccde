// SPDX-License-Identifier: Apache-2.0
//
// A CTR model's folder: `model.safetensors` and `model.textproto`
// (CtrModelDescription), with which serving needs nothing else.
//
// Errors: kNotFound         a file is missing
//         kDataLoss         a file is damaged
//         kInvalidArgument  the description is wrong, or a tensor is missing,
//                           unknown or of another shape; the message names it
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "common/ctr/ctr_model.h"
#include "common/ctr/model_files.h"
#include "common/tensors/safetensors.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

// A fresh model whose weights follow from `seed`.
absl::StatusOr<std::unique_ptr<CtrModel>> NewCtrModel(
    const config::v1::CtrModelDescription& description, uint64_t seed);

// Every parameter and buffer by its path, e.g. `ple.level0.expert_weight`.
// They share their memory with the model.
std::map<std::string, torch::Tensor> NamedTensors(const CtrModel& model);

// Copies the file's tensors into those of `targets`, which must be all there
// with their shapes.
absl::Status CopyTensors(const SafetensorsFile& file,
                         const std::map<std::string, torch::Tensor>& targets);

// Writes the two files into an existing folder.
absl::Status SaveCtrModel(const std::filesystem::path& folder,
                          const config::v1::CtrModelDescription& description,
                          const CtrModel& model);

struct LoadedCtrModel {
  config::v1::CtrModelDescription description;  // Architecture completed.
  std::unique_ptr<CtrModel> model;
};
// Takes memory only once the file is known to hold what the description says.
absl::StatusOr<LoadedCtrModel> LoadCtrModel(
    const std::filesystem::path& folder);

}  // namespace larr
