// SPDX-License-Identifier: Apache-2.0
//
// The snapshot that the service reads, and how it finds it among the folders
// of earlier refreshes.
//
// Threads:  immutable after construction.
// Errors:   those of Snapshot::Open.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/store/snapshot.h"
#include "services/embedding/poi_index.h"

namespace larr {

struct ServedSnapshot {
  std::unique_ptr<const Snapshot> snapshot;
  PoiIndex pois;

  // Shared by the calls in flight while a newer one takes over.
  static absl::StatusOr<std::shared_ptr<const ServedSnapshot>> Load(
      const std::filesystem::path& folder);
};

// The last by name of the snapshots in `folder` that `fingerprint` made;
// nothing if there is none. Names of refreshes begin with the job's creation
// time, which grows from job to job, also where the clock was set back.
// Snapshots of other embedders, other folders and unfinished ones are passed
// over.
std::optional<std::filesystem::path> NewestSnapshot(
    const std::filesystem::path& folder, std::string_view fingerprint);

}  // namespace larr
