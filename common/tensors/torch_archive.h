// SPDX-License-Identifier: Apache-2.0
//
// The dict of tensors in a file of torch.save: a zip archive of a pickle
// (`data.pkl`) and the tensors' bytes (`data/0`, `data/1`, ...). Read by
// mapping, so that opening costs nothing and weights are not held twice. The
// pickle is read as data (pickle.h): no code of the file is run.
//
// Units:      floating point and integer dtypes that LibTorch stores plainly.
// Ownership:  a tensor keeps the mapping alive. Writing into it changes private
//             pages, never the file.
// Errors:     returned, naming the file and, where there is one, the tensor:
//             those of files.h, and
//             kDataLoss         the file is truncated or damaged
//             kInvalidArgument  it is of a PyTorch before 1.6, or holds
//                               anything but tensors by name
#pragma once

#include <absl/status/statusor.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "common/tensors/mapped_file.h"

namespace larr {

struct TorchArchive {
  std::shared_ptr<const MappedFile> mapping;
  // On the mapped bytes; of any stride.
  std::map<std::string, torch::Tensor> tensors;
};

absl::StatusOr<TorchArchive> ReadTorchArchive(
    const std::filesystem::path& path);

}  // namespace larr
