// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/preflight.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr::demo {
namespace {

constexpr int64_t kGib = 1 << 30;

TEST_CASE("All that is missing is in one message", "[demo]") {
  const Room needed{.disk = 3 * kGib, .memory = 4 * kGib};
  CHECK(CheckRoom(needed, needed, "/out").ok());
  const absl::Status both =
      CheckRoom(needed, {.disk = kGib / 2, .memory = kGib}, "/out");
  CHECK(absl::IsResourceExhausted(both));
  CHECK_THAT(std::string(both.message()),
             Catch::Contains("disk: 3.0 GiB are needed, 0.5 GiB are free at "
                             "/out") &&
                 Catch::Contains("memory: 4.0 GiB are needed, 1.0 GiB"));
  const absl::Status memory =
      CheckRoom(needed, {.disk = 9 * kGib, .memory = kGib}, "/out");
  CHECK_THAT(std::string(memory.message()), !Catch::Contains("disk"));
}

TEST_CASE("A machine has some room", "[demo]") {
  const testing::TempDir dir;
  const auto room = FreeRoom(dir.path());
  INFO(room.status().ToString());
  REQUIRE(room.ok());
  CHECK(room->disk > 0);
  CHECK(room->memory > 0);
  CHECK_FALSE(FreeRoom(dir.path() / "none").ok());
}

TEST_CASE("A folder is as large as its files", "[demo]") {
  const testing::TempDir dir;
  CHECK(SizeOf(dir.path()) == 0);
  CHECK(SizeOf(dir.path() / "none") == 0);
  std::filesystem::create_directory(dir.path() / "a");
  REQUIRE(WriteFileAtomically(dir.path() / "a/x", "12345").ok());
  REQUIRE(WriteFileAtomically(dir.path() / "y", "123").ok());
  CHECK(SizeOf(dir.path()) == 8);
}

}  // namespace
}  // namespace larr::demo
