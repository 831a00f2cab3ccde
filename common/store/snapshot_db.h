// SPDX-License-Identifier: Apache-2.0
//
// The format of a snapshot on disk, and of what a builder has pending: a
// RocksDB database of these column families. For common/store alone.
//
//   default      "info" -> storage.v1.SnapshotInfo; pending: "tokens" -> count
//   text         text id (16 bytes) -> dim x bf16
//   entity       side, id -> storage.v1.EntityRow
//   description  POI id -> text id (16 bytes), comprehensive text
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/store/block_cache.h"
#include "larr/config/v1/dataset.pb.h"

namespace larr {

enum Family { kInfo, kText, kEntity, kDescription, kFamilyCount };

inline constexpr char kInfoKey[] = "info";
inline constexpr char kTokensKey[] = "tokens";

// The options that files of a family are written and read with. No info log:
// it would change the folder.
rocksdb::Options OptionsOf(Family family, BlockCache cache = BlockCache::kMain);

// REQUIRES: side is USER or POI
std::string EntityKey(config::v1::Side side, std::string_view id);

inline rocksdb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
inline std::string_view ToView(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

// An open database. Threads: as rocksdb::DB, safe.
struct SnapshotDb {
  enum class Mode {
    kRead,     // a published folder; writes nothing
    kPending,  // a builder's; created if missing
    kIngest,   // a new snapshot that only takes whole files
  };
  static absl::StatusOr<std::unique_ptr<SnapshotDb>> Open(
      const std::filesystem::path& folder, Mode mode,
      BlockCache cache = BlockCache::kMain);
  ~SnapshotDb();

  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};
};

}  // namespace larr
