// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/safetensors.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<TensorType, torch::ScalarType>, 6> kDtypes{
    {{TensorType::kF32, torch::kFloat32},
     {TensorType::kF16, torch::kFloat16},
     {TensorType::kBF16, torch::kBFloat16},
     {TensorType::kI64, torch::kInt64},
     {TensorType::kI32, torch::kInt32},
     {TensorType::kU8, torch::kUInt8}}};

torch::ScalarType DtypeOf(TensorType type) {
  for (const auto& [key, dtype] : kDtypes)
    if (key == type) return dtype;
  return torch::ScalarType::Undefined;
}

// Empty for one that the format does not have here.
std::string_view NameOf(torch::ScalarType dtype) {
  for (const auto& [type, value] : kDtypes)
    if (value == dtype) return NameOf(type);
  return "";
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
  LARR_ASSIGN_OR_RETURN(
      file.header_,
      ParseSafetensorsHeader({file.mapping_->bytes(), file.mapping_->size()},
                             path.string()));
  return file;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : header_.tensors) names.push_back(name);
  return names;
}

bool SafetensorsFile::Contains(std::string_view name) const {
  return header_.tensors.find(name) != header_.tensors.end();
}

absl::StatusOr<torch::Tensor> SafetensorsFile::View(
    std::string_view name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end()) {
    return absl::NotFoundError(
        fmt::format("{}: no tensor '{}'", path_.string(), name));
  }
  const TensorEntry& entry = found->second;
  return GuardTorch(
      "view of " + path_.string(), [&]() -> absl::StatusOr<torch::Tensor> {
        char* bytes = mapping_->bytes() + entry.begin;
        const torch::ScalarType dtype = DtypeOf(entry.type);
        if (reinterpret_cast<uintptr_t>(bytes) % SizeOf(entry.type) != 0) {
          auto copy = torch::empty(entry.shape, dtype);
          memcpy(copy.data_ptr(), bytes, entry.end - entry.begin);
          return copy;
        }
        return torch::from_blob(
            bytes, entry.shape, [keep = mapping_](void*) {}, dtype);
      });
}

absl::StatusOr<torch::Tensor> SafetensorsFile::View(
    std::string_view name, std::span<const int64_t> shape) const {
  auto tensor = View(name);
  if (!tensor.ok()) return tensor;
  if (!std::ranges::equal(tensor->sizes(), shape)) {
    return Invalid("{}: tensor '{}' has shape {}, expected {}", path_.string(),
                   name,
                   ShapeText({tensor->sizes().data(), tensor->sizes().size()}),
                   ShapeText(shape));
  }
  return tensor;
}

absl::StatusOr<torch::Tensor> SafetensorsFile::View(
    std::string_view name, std::span<const int64_t> shape,
    torch::ScalarType dtype) const {
  auto tensor = View(name, shape);
  if (!tensor.ok()) return tensor;
  if (tensor->scalar_type() != dtype) {
    return Invalid("{}: tensor '{}' has dtype {}, expected {}", path_.string(),
                   name, NameOf(tensor->scalar_type()), NameOf(dtype));
  }
  return tensor;
}

absl::Status WriteSafetensors(
    const std::filesystem::path& path,
    const std::map<std::string, torch::Tensor>& tensors,
    const std::map<std::string, std::string>& metadata) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined() || NameOf(tensor.scalar_type()).empty()) {
      return Invalid("{}: tensor '{}' has a dtype that is not written",
                     path.string(), name);
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
