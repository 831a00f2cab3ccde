// SPDX-License-Identifier: Apache-2.0
#include "common/base/sha256.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("A stream's hash is that of the whole", "[base]") {
  Sha256Stream stream;
  stream.Update("a");
  stream.Update("");
  stream.Update("bc");
  CHECK(stream.Finish() == Sha256("abc"));
}

TEST_CASE("Hashing a file can be given up in the middle", "[base]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "file";
  const std::string big(3 << 20, 'x');
  REQUIRE(WriteFileAtomically(path, big).ok());
  int asked = 0;
  CHECK(Sha256File(path, [&] { return ++asked < 0; }).value() == Sha256(big));
  const int often = asked;
  CHECK(often >= 3);
  for (int n = 0; n < often; ++n) {
    int left = n;
    CHECK(absl::IsCancelled(
        Sha256File(path, [&] { return --left < 0; }).status()));
  }
  CHECK(Sha256File(path, {}).value() == Sha256(big));
  CHECK(absl::IsNotFound(Sha256File(dir.path() / "none", {}).status()));
}

}  // namespace
}  // namespace larr
