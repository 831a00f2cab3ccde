// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using Json = nlohmann::json;

// No header of a real model comes near it; a wrong length does at once.
constexpr uint64_t kMaxHeaderBytes = 100u << 20;

constexpr std::array<std::pair<std::string_view, torch::ScalarType>, 6> kDtypes{
    {{"F32", torch::kFloat32},
     {"F16", torch::kFloat16},
     {"BF16", torch::kBFloat16},
     {"I64", torch::kInt64},
     {"I32", torch::kInt32},
     {"U8", torch::kUInt8}}};

std::optional<torch::ScalarType> DtypeOf(std::string_view name) {
  for (const auto& [key, dtype] : kDtypes)
    if (key == name) return dtype;
  return std::nullopt;
}

std::string_view NameOf(torch::ScalarType dtype) {
  for (const auto& [key, value] : kDtypes)
    if (value == dtype) return key;
  return "";
}

std::string ShapeText(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Elements of the shape, or nothing if it is negative or does not fit.
std::optional<uint64_t> CountElements(std::span<const int64_t> shape) {
  uint64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 ||
        __builtin_mul_overflow(count, static_cast<uint64_t>(size), &count))
      return std::nullopt;
  }
  return count;
}

using Named = std::pair<std::string, torch::Tensor>;

// The order of the data, and the header that describes it.
std::pair<std::vector<Named>, std::string> Layout(
    const std::map<std::string, torch::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::vector<Named> order(tensors.begin(), tensors.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const Named& a, const Named& b) {
                     return a.second.element_size() > b.second.element_size();
                   });
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : order) {
    const uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", std::string(NameOf(tensor.scalar_type()))},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return {std::move(order), std::move(text)};
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(
    const std::filesystem::path& path) {
  SafetensorsFile file;
  file.path_ = path;
  LARR_ASSIGN_OR_RETURN(file.mapping_, MappedFile::Open(path));
  if (file.mapping_->size() < 8) {
    return absl::DataLossError(
        fmt::format("{}: {} bytes are too few for a safetensors file",
                    path.string(), file.mapping_->size()));
  }
  if (auto status = file.ParseHeader(); !status.ok()) return status;
  return file;
}

absl::Status SafetensorsFile::ParseHeader() {
  const auto damaged = [this](const std::string& what) {
    return absl::DataLossError(fmt::format("{}: {}", path_.string(), what));
  };
  uint64_t length = 0;
  memcpy(&length, mapping_->bytes(), 8);
  if (length > kMaxHeaderBytes || length + 8 > mapping_->size()) {
    return damaged(fmt::format("the header claims {} bytes, the file has {}",
                               length, mapping_->size()));
  }
  const char* begin = mapping_->bytes() + 8;
  const Json header = Json::parse(begin, begin + length, nullptr, false);
  if (!header.is_object()) return damaged("the header is not a JSON object");
  const size_t data = 8 + length;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      for (const auto& [key, text] : value.items())
        metadata_[key] = text.is_string() ? text.get<std::string>() : "";
      continue;
    }
    const auto wrong = [&damaged, &tensor = name](const std::string& what) {
      return damaged(fmt::format("tensor '{}': {}", tensor, what));
    };
    Entry entry;
    std::vector<uint64_t> offsets;
    std::string dtype_name;
    try {
      dtype_name = value.at("dtype").get<std::string>();
      entry.shape = value.at("shape").get<std::vector<int64_t>>();
      offsets = value.at("data_offsets").get<std::vector<uint64_t>>();
    } catch (const Json::exception& error) {
      return wrong(error.what());
    }
    const auto dtype = DtypeOf(dtype_name);
    if (!dtype.has_value()) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: tensor '{}': dtype {} is not supported; convert it to F32, F16 "
          "or BF16",
          path_.string(), name, dtype_name));
    }
    entry.dtype = *dtype;
    const auto count = CountElements(entry.shape);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || !count.has_value() ||
        (offsets[1] - offsets[0]) / c10::elementSize(*dtype) != *count ||
        (offsets[1] - offsets[0]) % c10::elementSize(*dtype) != 0) {
      return wrong(fmt::format("offsets [{}] do not fit dtype {} and shape {}",
                               fmt::join(offsets, ", "), dtype_name,
                               ShapeText(entry.shape)));
    }
    if (offsets[1] > mapping_->size() - data) {
      return wrong(
          fmt::format("ends at byte {} of {}: the file is "
                      "truncated; copy or download it again",
                      offsets[1], mapping_->size() - data));
    }
    entry.begin = data + offsets[0];
    entry.end = data + offsets[1];
    entries_.emplace(name, std::move(entry));
  }
  return CheckTiling(data);
}

absl::Status SafetensorsFile::CheckTiling(size_t data_begin) const {
  std::vector<std::pair<size_t, size_t>> pieces;
  for (const auto& [name, entry] : entries_)
    pieces.emplace_back(entry.begin, entry.end);
  std::sort(pieces.begin(), pieces.end());
  size_t next = data_begin;
  for (const auto& [from, to] : pieces) {
    if (from != next) {
      return absl::DataLossError(
          fmt::format("{}: tensors overlap or leave a gap at byte {}",
                      path_.string(), next));
    }
    next = to;
  }
  if (next != mapping_->size()) {
    return absl::DataLossError(
        fmt::format("{}: {} bytes follow the last tensor", path_.string(),
                    mapping_->size() - next));
  }
  return absl::OkStatus();
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

bool SafetensorsFile::Contains(std::string_view name) const {
  return entries_.find(name) != entries_.end();
}

absl::StatusOr<torch::Tensor> SafetensorsFile::View(
    std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    return absl::NotFoundError(
        fmt::format("{}: no tensor '{}'", path_.string(), name));
  }
  const Entry& entry = found->second;
  return GuardTorch(
      "view of " + path_.string(), [&]() -> absl::StatusOr<torch::Tensor> {
        char* bytes = mapping_->bytes() + entry.begin;
        const auto size = c10::elementSize(entry.dtype);
        if (reinterpret_cast<uintptr_t>(bytes) % size != 0) {
          auto copy = torch::empty(entry.shape, entry.dtype);
          memcpy(copy.data_ptr(), bytes, entry.end - entry.begin);
          return copy;
        }
        return torch::from_blob(
            bytes, entry.shape, [keep = mapping_](void*) {}, entry.dtype);
      });
}

absl::StatusOr<torch::Tensor> SafetensorsFile::View(
    std::string_view name, std::span<const int64_t> shape) const {
  auto tensor = View(name);
  if (!tensor.ok()) return tensor;
  if (!std::ranges::equal(tensor->sizes(), shape)) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: tensor '{}' has shape {}, expected {}", path_.string(), name,
        ShapeText({tensor->sizes().data(), tensor->sizes().size()}),
        ShapeText(shape)));
  }
  return tensor;
}

absl::StatusOr<torch::Tensor> SafetensorsFile::View(
    std::string_view name, std::span<const int64_t> shape,
    torch::ScalarType dtype) const {
  auto tensor = View(name, shape);
  if (!tensor.ok()) return tensor;
  if (tensor->scalar_type() != dtype) {
    return absl::InvalidArgumentError(
        fmt::format("{}: tensor '{}' has dtype {}, expected {}", path_.string(),
                    name, NameOf(tensor->scalar_type()), NameOf(dtype)));
  }
  return tensor;
}

absl::Status WriteSafetensors(
    const std::filesystem::path& path,
    const std::map<std::string, torch::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined() || NameOf(tensor.scalar_type()).empty()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: tensor '{}' has a dtype that is not written",
                      path.string(), name));
    }
  }
  return GuardTorch("writing " + path.string(), [&]() -> absl::Status {
    const auto layout = Layout(tensors, metadata);
    return WriteFileAtomically(
        path, [&](const AppendBytes& append) -> absl::Status {
          const auto& [order, header] = layout;
          const uint64_t length = header.size();
          LARR_RETURN_IF_ERROR(
              append({reinterpret_cast<const char*>(&length), sizeof(length)}));
          LARR_RETURN_IF_ERROR(append(header));
          for (const auto& [name, tensor] : order) {
            const auto plain = tensor.detach().cpu().contiguous();
            LARR_RETURN_IF_ERROR(append(
                {static_cast<const char*>(plain.data_ptr()), plain.nbytes()}));
          }
          return absl::OkStatus();
        });
  });
}

}  // namespace larr
