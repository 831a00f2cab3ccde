// SPDX-License-Identifier: Apache-2.0
#include "common/store/snapshot_db.h"

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

TEST_CASE("SnapshotDb does not make a database to read", "[store]") {
  const testing::TempDir dir;
  CHECK_FALSE(SnapshotDb::Open(dir.path(), SnapshotDb::Mode::kRead).ok());
  CHECK(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace larr
