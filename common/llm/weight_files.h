// SPDX-License-Identifier: Apache-2.0
//
// The files of a folder that hold a model's weights, in either public format.
//
// Errors: kNotFound         there are none, or the index names one that is not
//                           there
//         kInvalidArgument  the index names a file outside the folder, or is
//                           no index
//         and those of safetensors.h and torch_archive.h
#pragma once

#include <absl/status/statusor.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/tensors/mapped_file.h"

namespace larr {

// Written where we write weights.
inline constexpr char kModelWeightsFile[] = "model.safetensors";

// The first that is there of `model.safetensors`, the files that
// `model.safetensors.index.json` lists, `pytorch_model.bin`, and the files that
// `pytorch_model.bin.index.json` lists; in a fixed order.
absl::StatusOr<std::vector<std::filesystem::path>> FindWeightFiles(
    const std::filesystem::path& folder);

struct WeightFile {
  std::filesystem::path path;
  std::shared_ptr<const MappedFile> mapping;
  std::map<std::string, torch::Tensor> tensors;  // on the mapping
};

// A `.bin` is read as torch_archive.h says, all else as safetensors.
absl::StatusOr<WeightFile> OpenWeightFile(const std::filesystem::path& path);

}  // namespace larr
