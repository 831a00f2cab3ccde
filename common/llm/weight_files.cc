// SPDX-License-Identifier: Apache-2.0
#include "common/llm/weight_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/tensors/safetensors.h"
#include "common/tensors/torch_archive.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNames[] = {kModelWeightsFile, "pytorch_model.bin"};

absl::StatusOr<std::vector<fs::path>> ReadIndex(const fs::path& index) {
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(index));
  std::set<std::string> names;
  try {
    const auto json = nlohmann::json::parse(text);
    for (const auto& name : json.at("weight_map"))
      names.insert(name.get<std::string>());
  } catch (const nlohmann::json::exception& error) {
    return Invalid("{}: {}", index.string(), error.what());
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) {
    if (name.empty() || name.find('/') != std::string::npos || name == "..") {
      return Invalid("{}: names '{}'; files must lie in the same folder",
                     index.string(), name);
    }
    files.push_back(index.parent_path() / name);
    if (!fs::exists(files.back())) {
      return absl::NotFoundError(
          fmt::format("{}: names {}, which is not there; copy or download it",
                      index.string(), files.back().string()));
    }
  }
  return files;
}

}  // namespace

absl::StatusOr<std::vector<fs::path>> FindWeightFiles(const fs::path& folder) {
  for (const char* name : kNames) {
    if (fs::exists(folder / name)) return std::vector{folder / name};
    const fs::path index = folder / (std::string(name) + ".index.json");
    if (fs::exists(index)) return ReadIndex(index);
  }
  return absl::NotFoundError(fmt::format(
      "{}: has neither {} nor {}, nor an index of one (.index.json)",
      folder.string(), kNames[0], kNames[1]));
}

absl::StatusOr<WeightFile> OpenWeightFile(const fs::path& path) {
  if (path.extension() == ".bin") {
    LARR_ASSIGN_OR_RETURN(auto archive, ReadTorchArchive(path));
    return WeightFile{path, std::move(archive.mapping),
                      std::move(archive.tensors)};
  }
  LARR_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
  WeightFile out{path, file.mapping(), {}};
  for (const std::string& name : file.names()) {
    LARR_ASSIGN_OR_RETURN(out.tensors[name], file.View(name));
  }
  return out;
}

}  // namespace larr
