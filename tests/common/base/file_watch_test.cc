// SPDX-License-Identifier: Apache-2.0
#include "common/base/file_watch.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("A file is seen once for each time that it is replaced", "[base]") {
  const testing::TempDir dir;
  FileWatch watch(dir.path() / "arms");
  CHECK(absl::IsNotFound(watch.Changed().status()));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(WriteFileAtomically(watch.path(), "the same").ok());
    CHECK(watch.Changed().value());
    CHECK_FALSE(watch.Changed().value());
  }
  // Gone for a moment, and back as it was: nothing to read again.
  std::filesystem::rename(watch.path(), dir.path() / "aside");
  CHECK_FALSE(watch.Changed().ok());
  std::filesystem::rename(dir.path() / "aside", watch.path());
  CHECK_FALSE(watch.Changed().value());
  watch.Forget();
  CHECK(watch.Changed().value());
}

}  // namespace
}  // namespace larr
