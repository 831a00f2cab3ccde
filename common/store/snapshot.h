// SPDX-License-Identifier: Apache-2.0
//
// A Snapshot is a published, immutable folder of embeddings: the vector of
// every text, and the row of every user and POI as of one day. The EMBED stage
// and the embedding service write it (snapshot_builder.h); training and
// scoring read it, and both see the same stored bf16 values.
//
//   LARR_ASSIGN_OR_RETURN(const auto snapshot, Snapshot::Open(folder));
//   LARR_ASSIGN_OR_RETURN(const int64_t found,
//                         snapshot->ReadVectors(ids, out, present));
//
// Units:      vectors are float32, exactly the stored bf16; text ids are 16
//             bytes (common/features/text_renderer.h).
// Ownership:  copies in and out; never keeps a caller's memory. Opening writes
//             nothing into the folder, so its hashes stay true.
// Threads:    const methods may be called concurrently without locking.
// Errors:     kDataLoss     stored bytes are damaged
//             kUnavailable  the disk could not be read; retrying may help
//             A text or entity that is not there is not an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/store/block_cache.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/storage/v1/entity.pb.h"
#include "larr/storage/v1/snapshot.pb.h"

namespace larr {

struct SnapshotDb;

inline constexpr char kSnapshotKind[] = "snapshot";
inline constexpr size_t kTextIdBytes = 16;

class Snapshot {
 public:
  // Opens a folder on local disk. Checks the manifest and the files' sizes;
  // `VerifyArtifact` checks their hashes too.
  //
  // Errors:  kNotFound            there is no such folder
  //          kInvalidArgument     it is not a snapshot
  //          kDataLoss            a file is missing, too short or damaged
  static absl::StatusOr<std::unique_ptr<const Snapshot>> Open(
      const std::filesystem::path& folder,
      BlockCache cache = BlockCache::kMain);
  ~Snapshot();

  const std::filesystem::path& folder() const { return folder_; }
  // The artifact's identity: a hash over its files.
  const std::string& digest() const { return digest_; }
  const storage::v1::SnapshotInfo& info() const { return info_; }
  const std::string& fingerprint() const {
    return info_.embedder_fingerprint();
  }
  // Elements of a vector.
  int dim() const { return info_.dim(); }
  BlockCache block_cache() const { return cache_; }

  // Copies the vector of ids[i] into out[i * dim(), (i + 1) * dim()) and sets
  // present[i] to 1. A text that is not stored, and the empty id of a row
  // without the text, leave zeros and a 0. Returns how many were found.
  //
  // REQUIRES: out.size() == ids.size() * dim(), present.size() == ids.size()
  absl::StatusOr<int64_t> ReadVectors(std::span<const std::string_view> ids,
                                      std::span<float> out,
                                      std::span<uint8_t> present) const;

  // The rows of users or POIs as of `info().as_of_date()`, in the order of
  // `ids`.
  // REQUIRES: side is USER or POI
  absl::StatusOr<std::vector<std::optional<storage::v1::EntityRow>>>
  ReadEntities(config::v1::Side side,
               std::span<const std::string_view> ids) const;
  // The row of one.
  absl::StatusOr<std::optional<storage::v1::EntityRow>> ReadEntity(
      config::v1::Side side, std::string_view id) const;

  // Calls `visit` for each entity of a side, in the order of ids' bytes, until
  // it fails; returns its status.
  absl::Status ForEachEntity(
      config::v1::Side side,
      const std::function<absl::Status(
          std::string_view id, const storage::v1::EntityRow&)>& visit) const;

  // Calls `visit` for each POI with its comprehensive text (paper eq. 18) and
  // that text's id, until it fails; returns its status.
  absl::Status ForEachPoiDescription(
      const std::function<absl::Status(std::string_view poi_id,
                                       std::string_view text_id,
                                       std::string_view text)>& visit) const;

 private:
  friend class SnapshotBuilder;
  Snapshot(std::filesystem::path folder, std::string digest,
           storage::v1::SnapshotInfo info, std::unique_ptr<SnapshotDb> db,
           BlockCache cache);

  const std::filesystem::path folder_;
  const std::string digest_;
  const storage::v1::SnapshotInfo info_;
  const std::unique_ptr<SnapshotDb> db_;
  const BlockCache cache_;
};

}  // namespace larr
