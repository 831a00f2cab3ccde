// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/safetensors_header.h"

#include <absl/status/status.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using Json = nlohmann::json;

// No header of a real model comes near it; a wrong length does at once.
constexpr uint64_t kMaxHeaderBytes = 100u << 20;
// {name: {field: [numbers]}}
constexpr int kMaxDepth = 3;

struct Dtype {
  std::string_view name;
  TensorType type;
  size_t bytes;
};
constexpr std::array<Dtype, 6> kDtypes{{{"F32", TensorType::kF32, 4},
                                        {"F16", TensorType::kF16, 2},
                                        {"BF16", TensorType::kBF16, 2},
                                        {"I64", TensorType::kI64, 8},
                                        {"I32", TensorType::kI32, 4},
                                        {"U8", TensorType::kU8, 1}}};

const Dtype& DtypeOf(TensorType type) {
  return *std::find_if(kDtypes.begin(), kDtypes.end(),
                       [&](const Dtype& dtype) { return dtype.type == type; });
}

// Whether strides and size of the shape can be told in 63 bits, a size of 0
// among them or not.
bool Fits(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 ||
        __builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count))
      return false;
  }
  return count <= std::numeric_limits<int64_t>::max() / 8;
}

size_t BytesOf(const TensorEntry& entry) {
  size_t bytes = SizeOf(entry.type);
  for (const int64_t size : entry.shape) bytes *= static_cast<size_t>(size);
  return bytes;
}

// Nothing unless it is an array of integers from 0 on.
std::optional<std::vector<int64_t>> Integers(const Json& value,
                                             const char* field) {
  const auto found = value.find(field);
  if (found == value.end() || !found->is_array()) return std::nullopt;
  std::vector<int64_t> integers;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned()) return std::nullopt;
    const auto integer = item.get<uint64_t>();
    if (integer > std::numeric_limits<int64_t>::max()) return std::nullopt;
    integers.push_back(static_cast<int64_t>(integer));
  }
  return integers;
}

// One tensor of the header; offsets count from `data`.
absl::StatusOr<TensorEntry> ParseEntry(const Json& value,
                                       const std::string& where, size_t data,
                                       size_t file_bytes) {
  const auto wrong = [&](const std::string& what) {
    return absl::DataLossError(fmt::format("{}: {}", where, what));
  };
  const auto dtype = value.is_object() ? value.find("dtype") : value.end();
  if (dtype == value.end() || !dtype->is_string())
    return wrong("`dtype` is not a string");
  const auto dtype_name = dtype->get<std::string>();
  const auto* const known =
      std::find_if(kDtypes.begin(), kDtypes.end(),
                   [&](const Dtype& one) { return one.name == dtype_name; });
  if (known == kDtypes.end()) {
    return Invalid(
        "{}: dtype {} is not supported; convert it to F32, F16 or BF16", where,
        dtype_name);
  }
  auto shape = Integers(value, "shape");
  const auto offsets = Integers(value, "data_offsets");
  if (!shape.has_value()) return wrong("`shape` is no list of sizes");
  if (!offsets.has_value() || offsets->size() != 2)
    return wrong("`data_offsets` are not two bytes' places");
  TensorEntry entry{.type = known->type, .shape = *std::move(shape)};
  const auto from = static_cast<size_t>((*offsets)[0]);
  const auto to = static_cast<size_t>((*offsets)[1]);
  if (from > to || !Fits(entry.shape) || to - from != BytesOf(entry)) {
    return wrong(fmt::format("offsets [{}] do not fit dtype {} and shape {}",
                             fmt::join(*offsets, ", "), dtype_name,
                             ShapeText(entry.shape)));
  }
  if (to > file_bytes - data) {
    return wrong(
        fmt::format("ends at byte {} of {}: the file is truncated; copy or "
                    "download it again",
                    to, file_bytes - data));
  }
  entry.begin = data + from;
  entry.end = data + to;
  return entry;
}

absl::Status CheckTiling(const SafetensorsHeader& header, std::string_view name,
                         size_t data, size_t file_bytes) {
  std::vector<std::pair<size_t, size_t>> pieces;
  for (const auto& [tensor, entry] : header.tensors)
    pieces.emplace_back(entry.begin, entry.end);
  std::sort(pieces.begin(), pieces.end());
  size_t next = data;
  for (const auto& [from, to] : pieces) {
    if (from != next) {
      return absl::DataLossError(fmt::format(
          "{}: tensors overlap or leave a gap at byte {}", name, next));
    }
    next = to;
  }
  if (next != file_bytes) {
    return absl::DataLossError(fmt::format(
        "{}: {} bytes follow the last tensor", name, file_bytes - next));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view NameOf(TensorType type) { return DtypeOf(type).name; }

size_t SizeOf(TensorType type) { return DtypeOf(type).bytes; }

std::string ShapeText(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(
    std::string_view file, std::string_view name) {
  const auto damaged = [&](const std::string& what) {
    return absl::DataLossError(fmt::format("{}: {}", name, what));
  };
  uint64_t length = 0;
  if (file.size() < sizeof(length)) {
    return damaged(fmt::format("{} bytes are too few for a safetensors file",
                               file.size()));
  }
  memcpy(&length, file.data(), sizeof(length));
  if (length > kMaxHeaderBytes || length + sizeof(length) > file.size()) {
    return damaged(fmt::format("the header claims {} bytes, the file has {}",
                               length, file.size()));
  }
  const std::string_view text = file.substr(sizeof(length), length);
  // What is deeper is dropped, so that brackets alone cost no memory.
  const Json json = Json::parse(
      text.begin(), text.end(),
      [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; },
      /*allow_exceptions=*/false);
  if (!json.is_object()) return damaged("the header is not a JSON object");
  const size_t data = sizeof(length) + length;
  SafetensorsHeader header;
  for (const auto& [key, value] : json.items()) {
    if (key != "__metadata__") {
      LARR_ASSIGN_OR_RETURN(
          header.tensors[key],
          ParseEntry(value, fmt::format("{}: tensor '{}'", name, key), data,
                     file.size()));
      continue;
    }
    if (!value.is_object()) return damaged("__metadata__ is not an object");
    for (const auto& [field, item] : value.items())
      header.metadata[field] = item.is_string() ? item.get<std::string>() : "";
  }
  LARR_RETURN_IF_ERROR(CheckTiling(header, name, data, file.size()));
  return header;
}

}  // namespace larr
