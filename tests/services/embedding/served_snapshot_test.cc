// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/served_snapshot.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/testing/snapshot_fixture.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

void Publish(const testing::TempDir& dir, const std::string& name,
             const std::string& fingerprint) {
  auto builder = SnapshotBuilder::Open(
      dir.path() / "work", testing::InfoOf(fingerprint, 4), nullptr);
  REQUIRE(builder.ok());
  REQUIRE((*builder)->Publish(dir.path() / "all" / name, {}).ok());
}

TEST_CASE("NewestSnapshot takes the last of its embedder alone",
          "[embedding]") {
  const testing::TempDir dir;
  const fs::path all = dir.path() / "all";
  CHECK_FALSE(NewestSnapshot(all, "fp").has_value());
  fs::create_directories(all);
  Publish(dir, "20260102", "fp");
  Publish(dir, "20260101", "fp");
  Publish(dir, "20260103", "other");
  // A crash right before the rename: all is there but the name.
  Publish(dir, "20260104", "fp");
  fs::rename(all / "20260104", all / "20260104.partial");
  fs::create_directories(all / "20260105");
  std::ofstream(all / "20260105" / "manifest.textproto") << "nonsense: {";
  CHECK(NewestSnapshot(all, "fp") == all / "20260102");
  CHECK(NewestSnapshot(all, "other") == all / "20260103");
  CHECK_FALSE(NewestSnapshot(all, "third").has_value());
}

TEST_CASE("ServedSnapshot loads vectors and POIs, or says why not",
          "[embedding]") {
  const testing::TempDir dir;
  fs::create_directories(dir.path() / "all");
  Publish(dir, "a", "fp");
  const auto served = ServedSnapshot::Load(dir.path() / "all" / "a");
  REQUIRE(served.ok());
  CHECK((*served)->snapshot->fingerprint() == "fp");
  CHECK((*served)->pois.size() == 0);
  CHECK(absl::IsNotFound(ServedSnapshot::Load(dir.path() / "b").status()));
}

}  // namespace
}  // namespace larr
