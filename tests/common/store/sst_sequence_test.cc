// SPDX-License-Identifier: Apache-2.0
#include "common/store/sst_sequence.h"

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("SstSequence writes nothing for no keys and refuses a wrong order",
          "[store]") {
  const testing::TempDir dir;
  SstSequence empty(kText, dir.path());
  CHECK(empty.Finish()->empty());

  SstSequence sequence(kEntity, dir.path());
  REQUIRE(sequence.Put("b", "1").ok());
  CHECK_FALSE(sequence.Put("a", "2").ok());
  REQUIRE(sequence.Put("c", "3").ok());
  const auto files = sequence.Finish();
  REQUIRE(files.ok());
  REQUIRE(files->size() == 1);
  CHECK(std::filesystem::file_size(files->front()) > 0);
}

TEST_CASE("SstSequence names the folder it could not write", "[store]") {
  SstSequence sequence(kText, "/nonexistent/folder");
  const auto status = sequence.Put("a", "1");
  CHECK(std::string(status.message()).find("/nonexistent/folder") !=
        std::string::npos);
}

}  // namespace
}  // namespace larr
