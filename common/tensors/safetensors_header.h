// SPDX-License-Identifier: Apache-2.0
//
// The header of a safetensors file (safetensors.h), without LibTorch: which
// tensors it holds, and where. Whatever the bytes are, a header that was
// accepted names only bytes of the file, and no shape of it overflows.
//
// Units:      dtypes F32, F16, BF16, I64, I32 and U8; others are refused.
// Threads:    values and pure functions.
// Errors:     returned, naming file and tensor:
//             kDataLoss         the file is truncated or its header is damaged
//             kInvalidArgument  a dtype is not supported
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace larr {

enum class TensorType { kF32, kF16, kBF16, kI64, kI32, kU8 };

// As the header writes it, e.g. "BF16".
std::string_view NameOf(TensorType type);
// Bytes of an element.
size_t SizeOf(TensorType type);
// "[2, 3]".
std::string ShapeText(std::span<const int64_t> shape);

struct TensorEntry {
  TensorType type = TensorType::kF32;
  std::vector<int64_t> shape;
  size_t begin = 0;  // Bytes from the start of the file.
  size_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, TensorEntry, std::less<>> tensors;
  // The header's `__metadata__`.
  std::map<std::string, std::string> metadata;
};

// `file` is all of the file, `name` stands for it in errors. Offsets must tile
// the data without gap or overlap, and agree with dtype and shape.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view file,
                                                         std::string_view name);

}  // namespace larr
