// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/served_snapshot.h"

#include "common/base/artifact_folder.h"
#include "common/base/status_macros.h"

namespace larr {

namespace fs = std::filesystem;

absl::StatusOr<std::shared_ptr<const ServedSnapshot>> ServedSnapshot::Load(
    const fs::path& folder) {
  LARR_ASSIGN_OR_RETURN(auto snapshot, Snapshot::Open(folder));
  LARR_ASSIGN_OR_RETURN(auto pois, PoiIndex::Load(*snapshot));
  return std::make_shared<const ServedSnapshot>(
      ServedSnapshot{std::move(snapshot), std::move(pois)});
}

std::optional<fs::path> NewestSnapshot(const fs::path& folder,
                                       std::string_view fingerprint) {
  std::optional<fs::path> newest;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (newest && entry.path() < *newest) continue;
    if (IsUnfinished(entry.path())) continue;
    if (!fs::exists(entry.path() / kManifestName)) continue;
    const auto manifest = ReadArtifact(entry.path());
    if (!manifest.ok() || manifest->kind() != kSnapshotKind) continue;
    if (manifest->embedder_fingerprint() != fingerprint) continue;
    newest = entry.path();
  }
  return newest;
}

}  // namespace larr
