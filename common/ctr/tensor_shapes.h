// SPDX-License-Identifier: Apache-2.0
//
// Which tensors a recommender has, and of which shapes: from its description
// alone, without LibTorch. Loading asks before anything is made, so that a
// description that asks for more than its file holds costs nothing.
//
// Threads:  pure functions.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/ctr/layout.h"
#include "common/tensors/safetensors_header.h"
#include "larr/config/v1/model.pb.h"

namespace larr {

struct TensorShape {
  std::string name;  // Its path, e.g. `ple.level0.expert_weight`.
  std::vector<int64_t> sizes;
  std::string set_by;  // The fields of the description that say so.
};

// Every parameter and buffer, first those that others follow from.
// REQUIRES: a completed architecture that `layout` was made from
std::vector<TensorShape> CtrTensorShapes(
    const config::v1::CtrArchitecture& architecture, const CtrLayout& layout);

// Whether a file holds just these, all F32. `file` stands for it in errors.
// Errors: kInvalidArgument  names file, tensor, both shapes, and the fields
//         that ask for the other one
absl::Status CheckCtrTensors(const SafetensorsHeader& header,
                             std::string_view file,
                             const config::v1::CtrArchitecture& architecture,
                             const CtrLayout& layout);

}  // namespace larr
