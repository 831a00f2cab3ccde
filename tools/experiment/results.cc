// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/results.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::experiment {
namespace {

namespace fs = std::filesystem;

// A mean of what was added.
struct Mean {
  double sum = 0;
  int count = 0;

  void Add(double value) {
    sum += value;
    ++count;
  }
  double Or(double other) const { return count > 0 ? sum / count : other; }
};

bool IsOfTexts(const std::string& stage) {
  return stage == "corpus" || stage == "pretrain" || stage == "contrast" ||
         stage == "embed";
}

// Seconds of a shard's own stages: of its texts, or all others.
double OwnSeconds(const Json& result, bool texts) {
  double seconds = 0;
  for (const Json& stage : result["stages"]) {
    if (!stage.contains("shared_from") &&
        IsOfTexts(stage.value("id", "")) == texts)
      seconds += stage.value("seconds", 0.0);
  }
  return seconds;
}

bool ReadsTexts(const Shard& shard) {
  return shard.settings.align(0).architecture().kind() ==
         config::v1::CtrArchitecture::LARR;
}

bool IsResult(const Json& json) {
  return json.is_object() && json.value("format", 0) == 1 &&
         json.contains("digest") && json.contains("spec") &&
         json.contains("metrics") && json.contains("stages");
}

}  // namespace

absl::StatusOr<Results> Results::Read(const fs::path& folder) {
  Results results(folder);
  std::error_code error;
  if (!fs::exists(folder, error)) return results;
  LARR_ASSIGN_OR_RETURN(const auto files, ListFolder(folder));
  for (const fs::path& file : files) {
    if (file.extension() != ".json") continue;
    LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!IsResult(json))
      return absl::DataLossError(
          fmt::format("{} is not the result of a shard: remove it, and the "
                      "shard is run again",
                      file.string()));
    results.Know(std::move(json));
  }
  return results;
}

void Results::Know(Json result) {
  const std::string digest = result["digest"].get<std::string>();
  std::string& newest = digest_by_text_[result["spec"].get<std::string>()];
  const auto date = [](const Json& json) { return json.value("date", ""); };
  if (newest.empty() || date(by_digest_[newest]) <= date(result))
    newest = digest;
  by_digest_[digest] = std::move(result);
}

const Json* Results::Find(const Shard& shard) const {
  const auto found = digest_by_text_.find(shard.text);
  return found == digest_by_text_.end() ? nullptr : FindDigest(found->second);
}

const Json* Results::FindDigest(const std::string& digest) const {
  const auto found = by_digest_.find(digest);
  return found == by_digest_.end() ? nullptr : &found->second;
}

absl::Status Results::Add(const Json& result) {
  LARR_RETURN_IF_ERROR(MakeFolder(folder_));
  const std::string name = fmt::format(
      "{}-s{}-{}.json", result["arm"].get<std::string>(),
      result["seed"].get<int>(), result["digest"].get<std::string>());
  LARR_RETURN_IF_ERROR(WriteFileAtomically(folder_ / name, ResultText(result)));
  Know(result);
  return absl::OkStatus();
}

double Results::EstimateSeconds(const std::vector<Shard>& shards,
                                const std::vector<std::string>& texts) const {
  std::map<std::string, Mean> by_arm;
  std::set<std::string> known_texts;
  Mean all, text_stages;
  for (const auto& [digest, result] : by_digest_) {
    const std::string arm = result.value("arm", "");
    by_arm[arm].Add(OwnSeconds(result, false));
    all.Add(OwnSeconds(result, false));
    known_texts.insert(result.value("texts", ""));
    if (const double seconds = OwnSeconds(result, true); seconds > 0)
      text_stages.Add(seconds);
  }
  if (all.count == 0) return -1;
  double seconds = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    seconds += by_arm[shards[i].arm].Or(all.Or(0));
    if (ReadsTexts(shards[i]) && !texts[i].empty() &&
        known_texts.insert(texts[i]).second)
      seconds += text_stages.Or(0);
  }
  return seconds;
}

}  // namespace larr::experiment
