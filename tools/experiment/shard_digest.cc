// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/shard_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_paths.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr::experiment {
namespace {

namespace fs = std::filesystem;
using config::v1::TrainingSpec;

constexpr size_t kDigits = 12;

std::string Short(const std::string& text) {
  return Sha256(text).substr(0, kDigits);
}

// The files below `root`, or `root` itself, sorted by their relative path.
absl::StatusOr<std::vector<fs::path>> Files(const fs::path& root) {
  std::error_code error;
  if (fs::is_regular_file(root, error)) return std::vector{root};
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator at(root, error), end;
       !error && at != end; at.increment(error)) {
    if (at->is_regular_file(error)) files.push_back(at->path());
  }
  if (error || files.empty())
    return absl::NotFoundError(
        fmt::format("there are no files in {}", root.string()));
  std::sort(files.begin(), files.end());
  return files;
}

// Names and sizes: what tells one table from another without reading it.
absl::StatusOr<std::string> Sizes(const fs::path& root) {
  LARR_ASSIGN_OR_RETURN(const auto files, Files(root));
  std::string text;
  for (const fs::path& file : files) {
    std::error_code error;
    text += fmt::format("{} {}\n", file.lexically_relative(root).string(),
                        fs::file_size(file, error));
  }
  return text;
}

// What a simulated city was made from; empty for other data.
std::string CityOptions(const fs::path& folder) {
  const auto text = ReadFile(folder / "city.json");
  if (!text.ok()) return "";
  const auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
  return json.is_object() && json.contains("options") ? json["options"].dump()
                                                      : "";
}

}  // namespace

absl::StatusOr<std::string> ShardDigests::Dataset(const fs::path& path) {
  std::string& known = known_[path.string()];
  if (!known.empty()) return known;
  config::v1::DatasetSpec spec;
  const absl::Status loaded = LoadTextProto(path, spec);
  if (!loaded.ok())
    return absl::Status(loaded.code(),
                        fmt::format("{} (`./larr experiment` makes the city)",
                                    std::string(loaded.message())));
  std::string text = ToTextProto(spec);
  const std::string city = CityOptions(path.parent_path());
  text += city;
  for (const std::string& table :
       {spec.impressions().path(), spec.users().path(), spec.pois().path()}) {
    if (table.empty() || !city.empty()) continue;
    LARR_ASSIGN_OR_RETURN(
        const std::string sizes,
        Sizes((path.parent_path() / table).lexically_normal()));
    text += table + "\n" + sizes;
  }
  return known = Short(text);
}

absl::StatusOr<std::string> ShardDigests::BaseModel(const fs::path& path) {
  std::string& known = known_[path.string()];
  if (!known.empty()) return known;
  LARR_ASSIGN_OR_RETURN(const auto files, Files(path));
  std::string text;
  for (const fs::path& file : files) {
    LARR_ASSIGN_OR_RETURN(const std::string hash, Sha256File(file));
    text +=
        fmt::format("{} {}\n", file.lexically_relative(path).string(), hash);
  }
  return known = fmt::format("{}@{}", path.filename().string(), Short(text));
}

absl::StatusOr<ShardDigest> ShardDigests::Of(const Shard& shard) {
  TrainingSpec spec = Resolve(shard.settings, folder_);
  ShardDigest result;
  LARR_ASSIGN_OR_RETURN(result.dataset, Dataset(spec.dataset()));
  spec.set_dataset(result.dataset);
  if (!spec.base_model().empty()) {
    LARR_ASSIGN_OR_RETURN(result.base_model, BaseModel(spec.base_model()));
    spec.set_base_model(result.base_model);
  }
  // A file is its name and its size.
  const auto identify = [](std::string* file) -> absl::Status {
    const fs::path path(*file);
    LARR_ASSIGN_OR_RETURN(const std::string sizes, Sizes(path));
    *file = path.filename().string() + " " + sizes;
    return absl::OkStatus();
  };
  for (std::string* path : PathsOf(spec)) {
    if (path == spec.mutable_dataset() || path == spec.mutable_base_model())
      continue;
    LARR_RETURN_IF_ERROR(identify(path));
  }
  result.digest = Short(ToTextProto(spec));
  spec.clear_align();
  spec.clear_evaluate();
  result.texts = Short(ToTextProto(spec));
  return result;
}

std::string RunId(const ShardDigest& digest) { return "x-" + digest.digest; }

}  // namespace larr::experiment
