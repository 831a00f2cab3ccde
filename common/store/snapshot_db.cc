// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot_db.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <vector>

#include "common/rocks/rocks_status.h"

namespace larr {
namespace {

constexpr std::array<const char*, kFamilyCount> kNames = {
    "default", "text", "entity", "description"};
constexpr size_t kMainBytes = size_t{256} << 20;
constexpr size_t kAsideBytes = size_t{64} << 20;

char SideByte(config::v1::Side side) {
  return side == config::v1::USER ? 'U' : 'P';
}

}  // namespace

rocksdb::Options OptionsOf(Family family, BlockCache cache) {
  static const auto main = rocksdb::NewLRUCache(kMainBytes);
  static const auto aside = rocksdb::NewLRUCache(kAsideBytes);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache == BlockCache::kMain ? main : aside;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // The low bits of bf16 vectors do not compress.
  options.compression =
      family == kText ? rocksdb::kNoCompression : rocksdb::kLZ4Compression;
  options.info_log = NoInfoLog();
  return options;
}

std::string EntityKey(config::v1::Side side, std::string_view id) {
  return std::string(1, SideByte(side)).append(id);
}

absl::StatusOr<std::unique_ptr<SnapshotDb>> SnapshotDb::Open(
    const std::filesystem::path& folder, Mode mode, BlockCache cache) {
  rocksdb::Options options = OptionsOf(kInfo, cache);
  options.create_if_missing = mode != Mode::kRead;
  options.create_missing_column_families = mode != Mode::kRead;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (int f = 0; f < kFamilyCount; ++f) {
    rocksdb::ColumnFamilyOptions family(
        OptionsOf(static_cast<Family>(f), cache));
    family.disable_auto_compactions = mode == Mode::kIngest;
    descriptors.emplace_back(kNames[f], family);
  }
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status =
      mode == Mode::kRead
          ? rocksdb::DB::OpenForReadOnly(options, folder.string(), descriptors,
                                         &handles, &db)
          : rocksdb::DB::Open(options, folder.string(), descriptors, &handles,
                              &db);
  if (!status.ok()) {
    return FromRocks(status,
                     fmt::format("opening the vectors of {}", folder.string()));
  }
  auto result = std::make_unique<SnapshotDb>();
  result->db.reset(db);
  std::copy(handles.begin(), handles.end(), result->families.begin());
  return result;
}

SnapshotDb::~SnapshotDb() {
  for (rocksdb::ColumnFamilyHandle* handle : families) {
    if (handle != nullptr) db->DestroyColumnFamilyHandle(handle);
  }
}

}  // namespace larr
