// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot_db.h"

#include <rocksdb/cache.h>
#include <rocksdb/table.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("Keys tell sides and ids apart", "[store]") {
  const std::set<std::string> keys = {
      EntityKey(config::v1::USER, "1"), EntityKey(config::v1::POI, "1"),
      EntityKey(config::v1::USER, ""), EntityKey(config::v1::USER, "U1")};
  CHECK(keys.size() == 4);
}

TEST_CASE("SnapshotDb locks a pending folder and leaves no info log",
          "[store]") {
  const testing::TempDir dir;
  const auto first = SnapshotDb::Open(dir.path(), SnapshotDb::Mode::kPending);
  REQUIRE(first.ok());
  const auto second = SnapshotDb::Open(dir.path(), SnapshotDb::Mode::kPending);
  CHECK(absl::IsUnavailable(second.status()));
  CHECK(std::string(second.status().message()).find(dir.path().string()) !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir.path() / "LOG"));
}

TEST_CASE("A database is read through the cache that it was opened with",
          "[store]") {
  const auto cache_of = [](BlockCache cache, Family family) {
    return OptionsOf(family, cache)
        .table_factory->GetOptions<rocksdb::BlockBasedTableOptions>()
        ->block_cache;
  };
  const auto main = cache_of(BlockCache::kMain, kText);
  const auto aside = cache_of(BlockCache::kAside, kText);
  CHECK(main != aside);
  CHECK(main == cache_of(BlockCache::kMain, kEntity));
  CHECK(aside == cache_of(BlockCache::kAside, kEntity));
  CHECK(main->GetCapacity() == size_t{256} << 20);
  CHECK(aside->GetCapacity() == size_t{64} << 20);

  const testing::TempDir dir;
  {
    const auto db = SnapshotDb::Open(dir.path(), SnapshotDb::Mode::kPending);
    REQUIRE(db.ok());
    REQUIRE((*db)->db->Put({}, (*db)->families[kText], "key", "value").ok());
    REQUIRE((*db)->db->Flush({}, (*db)->families[kText]).ok());
  }
  const size_t before = main->GetUsage(), before_aside = aside->GetUsage();
  const auto db =
      SnapshotDb::Open(dir.path(), SnapshotDb::Mode::kRead, BlockCache::kAside);
  REQUIRE(db.ok());
  std::string value;
  REQUIRE((*db)->db->Get({}, (*db)->families[kText], "key", &value).ok());
  CHECK(aside->GetUsage() > before_aside);
  CHECK(main->GetUsage() == before);
}

TEST_CASE("SnapshotDb does not make a database to read", "[store]") {
  const testing::TempDir dir;
  CHECK_FALSE(SnapshotDb::Open(dir.path(), SnapshotDb::Mode::kRead).ok());
  CHECK(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace larr
