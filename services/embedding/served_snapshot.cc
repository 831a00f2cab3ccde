// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/served_snapshot.h"

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
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
  const auto entries = ListFolder(folder);
  if (!entries.ok()) return newest;
  for (const fs::path& path : *entries) {
    if (IsUnfinished(path)) continue;
    const auto manifest = ReadArtifact(path);
    if (!manifest.ok() || manifest->kind() != kSnapshotKind) continue;
    if (manifest->embedder_fingerprint() == fingerprint) newest = path;
  }
  return newest;
}

}  // namespace larr
