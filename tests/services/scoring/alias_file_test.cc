// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/alias_file.h"

#include <catch2/catch.hpp>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

void Write(const AliasFile& file, const std::string& text) {
  REQUIRE(WriteFileAtomically(file.path(), text).ok());
}

TEST_CASE("An alias is returned once for each higher token", "[scoring]") {
  const testing::TempDir dir;
  AliasFile file(dir.path() / "champion.textproto");
  CHECK(absl::IsNotFound(file.Poll().status()));

  Write(file, "model_path: 'a' fencing_token: 3");
  auto alias = file.Poll();
  REQUIRE(alias.ok());
  REQUIRE(alias->has_value());
  CHECK((*alias)->model_path() == "a");
  CHECK_FALSE(file.Poll()->has_value());  // the same file

  Write(file, "model_path: 'b' fencing_token: 2");
  CHECK_FALSE(file.Poll()->has_value());  // from the past
  Write(file, "model_path: 'c' fencing_token: 3");
  CHECK_FALSE(file.Poll()->has_value());  // not newer
  Write(file, "model_path: 'd' fencing_token: 4");
  alias = file.Poll();
  REQUIRE(alias->has_value());
  CHECK((*alias)->model_path() == "d");
}

TEST_CASE("A broken alias is an error until it changes", "[scoring]") {
  const testing::TempDir dir;
  AliasFile file(dir.path() / "champion.textproto");
  Write(file, "model_path 'a'");
  const auto broken = file.Poll();
  CHECK(absl::IsInvalidArgument(broken.status()));
  CHECK_THAT(std::string(broken.status().message()),
             Catch::Contains("champion.textproto"));
  CHECK_FALSE(file.Poll()->has_value());
  Write(file, "model_path: 'a' fencing_token: 1");
  CHECK(file.Poll()->has_value());
}

}  // namespace
}  // namespace larr
