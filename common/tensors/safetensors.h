// SPDX-License-Identifier: Apache-2.0
//
// Named tensors in one file, in the safetensors format: 8 bytes of header
// length (little-endian), a JSON header {name: {dtype, shape, data_offsets}},
// the tensors' bytes. Read by mapping, so that opening costs nothing and
// weights are not held twice.
//
// Units:      dtypes F32, F16, BF16, I64, I32 and U8; others are refused.
// Ownership:  a tensor of View() keeps the mapping alive; the file object may
//             die before it. Writing into such a tensor changes private pages,
//             never the file.
// Threads:    const methods may be called concurrently.
// Errors:     returned, naming file and tensor:
//             those of files.h, and
//             kNotFound         no such tensor
//             kDataLoss         the file is truncated or its header is damaged
//             kInvalidArgument  dtype or shape is not the expected one
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/tensors/mapped_file.h"
#include "common/tensors/safetensors_header.h"

namespace larr {

class SafetensorsFile {
 public:
  // Maps the file and checks its whole header: offsets must tile the data
  // without gap or overlap, and agree with dtype and shape.
  static absl::StatusOr<SafetensorsFile> Open(
      const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::shared_ptr<const MappedFile>& mapping() const { return mapping_; }
  // Sorted.
  std::vector<std::string> names() const;
  bool Contains(std::string_view name) const;
  // The header's `__metadata__`.
  const std::map<std::string, std::string>& metadata() const {
    return header_.metadata;
  }
  const SafetensorsHeader& header() const { return header_; }

  // The tensor on the mapped bytes themselves (copied only if the file put
  // them at an address that its dtype cannot have).
  absl::StatusOr<torch::Tensor> View(std::string_view name) const;
  // As View, but the shape must be `shape`.
  absl::StatusOr<torch::Tensor> View(std::string_view name,
                                     std::span<const int64_t> shape) const;
  // As View, but the dtype must be `dtype`, too.
  absl::StatusOr<torch::Tensor> View(std::string_view name,
                                     std::span<const int64_t> shape,
                                     torch::ScalarType dtype) const;

 private:
  SafetensorsFile() = default;

  std::filesystem::path path_;
  // Shared with every tensor of View().
  std::shared_ptr<const MappedFile> mapping_;
  SafetensorsHeader header_;
};

// Writes the tensors aside, syncs, and renames into place. Largest element
// type first, then by name, so that equal contents give equal bytes. Tensors
// of any device and stride; the file holds their contiguous values.
//
// `metadata` becomes the header's `__metadata__`; `transformers` wants
// {"format": "pt"} there.
absl::Status WriteSafetensors(
    const std::filesystem::path& path,
    const std::map<std::string, torch::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata = {});

}  // namespace larr
