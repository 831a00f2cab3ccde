// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/rocks/rocks_status.h"
#include "common/simd/bf16.h"
#include "common/store/snapshot_db.h"

namespace larr {
namespace {

using kernels::Bf16;

absl::Status Damaged(const std::filesystem::path& folder,
                     std::string_view what) {
  return absl::DataLossError(fmt::format(
      "{}: {} is damaged; make the snapshot again", folder.string(), what));
}

absl::StatusOr<storage::v1::SnapshotInfo> ReadInfo(
    const SnapshotDb& db, const std::filesystem::path& folder) {
  std::string bytes;
  LARR_RETURN_IF_ERROR(
      FromRocks(db.db->Get({}, db.families[kInfo], kInfoKey, &bytes),
                "reading what " + folder.string() + " says about itself"));
  storage::v1::SnapshotInfo info;
  if (!info.ParseFromString(bytes) || info.dim() <= 0) {
    return Damaged(folder, "record `info`");
  }
  return info;
}

// Visits every key that starts with `prefix`; `visit` gets the rest of the key.
absl::Status ForEachKey(
    const SnapshotDb& db, Family family, std::string_view prefix,
    const std::filesystem::path& folder,
    const std::function<absl::Status(std::string_view, std::string_view)>&
        visit) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(
      db.db->NewIterator(options, db.families[family]));
  for (it->Seek(ToSlice(prefix)); it->Valid(); it->Next()) {
    if (!it->key().starts_with(ToSlice(prefix))) break;
    LARR_RETURN_IF_ERROR(
        visit(ToView(it->key()).substr(prefix.size()), ToView(it->value())));
  }
  return FromRocks(it->status(), "reading " + folder.string());
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Snapshot>> Snapshot::Open(
    const std::filesystem::path& folder, BlockCache cache) {
  LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(folder));
  if (manifest.kind() != kSnapshotKind) {
    return Invalid(
        "{} is a `{}`, not a `{}`; give the folder that the embed stage or a "
        "refresh published",
        folder.string(), manifest.kind(), kSnapshotKind);
  }
  LARR_ASSIGN_OR_RETURN(
      auto db, SnapshotDb::Open(folder, SnapshotDb::Mode::kRead, cache));
  LARR_ASSIGN_OR_RETURN(auto info, ReadInfo(*db, folder));
  if (info.embedder_fingerprint() != manifest.embedder_fingerprint()) {
    return absl::DataLossError(fmt::format(
        "{}: the manifest has embedder fingerprint {}, the vectors have {}; "
        "files of two snapshots were mixed",
        folder.string(), manifest.embedder_fingerprint(),
        info.embedder_fingerprint()));
  }
  return std::unique_ptr<const Snapshot>(new Snapshot(
      folder, manifest.digest(), std::move(info), std::move(db), cache));
}

Snapshot::Snapshot(std::filesystem::path folder, std::string digest,
                   storage::v1::SnapshotInfo info,
                   std::unique_ptr<SnapshotDb> db, BlockCache cache)
    : folder_(std::move(folder)),
      digest_(std::move(digest)),
      info_(std::move(info)),
      db_(std::move(db)),
      cache_(cache) {}

Snapshot::~Snapshot() = default;

absl::StatusOr<int64_t> Snapshot::ReadVectors(
    std::span<const std::string_view> ids, std::span<float> out,
    std::span<uint8_t> present) const {
  const size_t dim = info_.dim();
  assert(out.size() == ids.size() * dim && present.size() == ids.size());
  std::vector<rocksdb::Slice> keys(ids.size());
  std::transform(ids.begin(), ids.end(), keys.begin(), ToSlice);
  std::vector<rocksdb::PinnableSlice> values(ids.size());
  std::vector<rocksdb::Status> statuses(ids.size());
  db_->db->MultiGet({}, db_->families[kText], ids.size(), keys.data(),
                    values.data(), statuses.data());
  std::fill(out.begin(), out.end(), 0.0f);
  int64_t found = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    present[i] = statuses[i].ok();
    if (statuses[i].IsNotFound()) continue;
    LARR_RETURN_IF_ERROR(
        FromRocks(statuses[i], "reading vectors of " + folder_.string()));
    if (values[i].size() != dim * sizeof(Bf16)) {
      return Damaged(folder_,
                     fmt::format("a vector of {} bytes instead of {}",
                                 values[i].size(), dim * sizeof(Bf16)));
    }
    for (size_t d = 0; d < dim; ++d) {
      Bf16 stored;
      std::memcpy(&stored, values[i].data() + d * sizeof(Bf16), sizeof(Bf16));
      out[i * dim + d] = FromBf16(stored);
    }
    ++found;
  }
  return found;
}

absl::StatusOr<std::vector<std::optional<storage::v1::EntityRow>>>
Snapshot::ReadEntities(config::v1::Side side,
                       std::span<const std::string_view> ids) const {
  std::vector<std::string> keys;
  for (const std::string_view id : ids) keys.push_back(EntityKey(side, id));
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(ids.size());
  std::vector<rocksdb::Status> statuses(ids.size());
  db_->db->MultiGet({}, db_->families[kEntity], ids.size(), slices.data(),
                    values.data(), statuses.data());
  std::vector<std::optional<storage::v1::EntityRow>> rows(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    LARR_RETURN_IF_ERROR(
        FromRocks(statuses[i], "reading entities of " + folder_.string()));
    if (!rows[i].emplace().ParseFromArray(values[i].data(),
                                          static_cast<int>(values[i].size()))) {
      return Damaged(folder_, fmt::format("the row of entity '{}'", ids[i]));
    }
  }
  return rows;
}

absl::StatusOr<std::optional<storage::v1::EntityRow>> Snapshot::ReadEntity(
    config::v1::Side side, std::string_view id) const {
  LARR_ASSIGN_OR_RETURN(auto rows, ReadEntities(side, {&id, 1}));
  return std::move(rows[0]);
}

absl::Status Snapshot::ForEachEntity(
    config::v1::Side side,
    const std::function<absl::Status(
        std::string_view, const storage::v1::EntityRow&)>& visit) const {
  storage::v1::EntityRow row;
  return ForEachKey(
      *db_, kEntity, EntityKey(side, ""), folder_,
      [&](std::string_view id, std::string_view value) -> absl::Status {
        if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
          return Damaged(folder_, fmt::format("the row of entity '{}'", id));
        }
        return visit(id, row);
      });
}

absl::Status Snapshot::ForEachPoiDescription(
    const std::function<absl::Status(std::string_view, std::string_view,
                                     std::string_view)>& visit) const {
  return ForEachKey(
      *db_, kDescription, "", folder_,
      [&](std::string_view id, std::string_view value) -> absl::Status {
        if (value.size() < kTextIdBytes) {
          return Damaged(folder_, fmt::format("the text of POI '{}'", id));
        }
        return visit(id, value.substr(0, kTextIdBytes),
                     value.substr(kTextIdBytes));
      });
}

}  // namespace larr
