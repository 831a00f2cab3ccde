// SPDX-License-Identifier: Apache-2.0
#include "services/stage/finished_steps.h"

#include <system_error>

#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace larr::stage {
namespace {

using nlohmann::ordered_json;

constexpr char kSteps[] = "steps.json";

}  // namespace

absl::StatusOr<FinishedSteps> FinishedSteps::Open(
    const std::filesystem::path& folder, const std::string& identity) {
  FinishedSteps steps(folder, Sha256(identity));
  steps.Load();
  std::error_code error;
  if (steps.count_ == 0) std::filesystem::remove_all(folder, error);
  if (error) return FileStatus("cannot empty", folder, error);
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  return steps;
}

void FinishedSteps::Load() {
  const auto text = ReadFile(folder_ / kSteps);
  if (!text.ok()) return;
  auto json = ordered_json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("identity", ordered_json()) != identity_)
    return;
  count_ = json["count"].get<size_t>();
  notes_ = std::move(json["notes"]);
}

absl::Status FinishedSteps::Finish() {
  LARR_ASSIGN_OR_RETURN(const auto files, ListFolder(folder_));
  for (const auto& file : files) LARR_RETURN_IF_ERROR(SyncFile(file));
  const ordered_json json = {
      {"identity", identity_}, {"count", count_ + 1}, {"notes", notes_}};
  LARR_RETURN_IF_ERROR(WriteFileAtomically(folder_ / kSteps, json.dump()));
  ++count_;
  return absl::OkStatus();
}

}  // namespace larr::stage
