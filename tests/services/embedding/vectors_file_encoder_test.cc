// SPDX-License-Identifier: Apache-2.0
#include "services/embedding/vectors_file_encoder.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/testing/temp_dir.h"
#include "tests/testing/vectors_file.h"

namespace larr {
namespace {

using testing::WriteVectors;

TEST_CASE("Vectors are found by slot and text", "[embedding]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "v.parquet";
  WriteVectors(path, {{"menu", "tea", {1, 2}},
                      {"tags", "tea", {3, 4}},
                      {"", "<a>x</a><b>y</b>", {5, 6}}});
  const auto encoder = OpenVectorsFile(path);
  INFO(encoder.status().ToString());
  REQUIRE(encoder.ok());
  CHECK((*encoder)->dim() == 2);
  const std::vector<std::string> texts = {
      "<a>x</a><b>y</b>", "<menu>tea</menu>", "<tags>tea</tags>"};
  for (const auto& text : texts) CHECK((*encoder)->Knows(text));
  CHECK_FALSE((*encoder)->Knows("<menu>cake</menu>"));
  CHECK_FALSE((*encoder)->Knows("tea"));
  CHECK((*encoder)->Encode(texts)->vectors ==
        std::vector<float>{5, 6, 1, 2, 3, 4});
  const std::string unknown = "<menu>cake</menu>";
  CHECK(absl::IsNotFound((*encoder)->Encode({&unknown, 1}).status()));
}

TEST_CASE("The fingerprint is that of the file", "[embedding]") {
  const testing::TempDir dir;
  const auto print = [&](float value) {
    WriteVectors(dir.path() / "v", {{"menu", "tea", {value}}});
    return (*OpenVectorsFile(dir.path() / "v"))->fingerprint();
  };
  const auto one = print(1);
  CHECK(print(2) != one);
  CHECK(print(1) == one);
}

TEST_CASE("A file of vectors that is wrong is refused by its row",
          "[embedding]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "v.parquet";
  const float infinite = std::numeric_limits<float>::infinity();
  const struct {
    std::vector<testing::NamedVector> rows;
    const char* message;
  } cases[] = {
      {{}, "v.parquet has no row"},
      {{{"a", "x", {}}}, "row 1 has an empty vector"},
      {{{"a", "x", {1, 2}}, {"a", "y", {1}}},
       "row 2 has a vector of 1 numbers, those before it have 2"},
      {{{"a", "x", {1, infinite}}}, "row 1 has a number that is not finite"},
      {{{"a", "x", {1}}, {"a", "x", {1}}},
       "row 2 has a slot and text that an earlier row has"},
  };
  for (const auto& [rows, message] : cases) {
    WriteVectors(path, rows);
    const auto status = OpenVectorsFile(path).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(message));
  }
  CHECK(absl::IsNotFound(OpenVectorsFile(dir.path() / "none").status()));
}

TEST_CASE("A file of other columns is refused by the column", "[embedding]") {
  using enum ColumnType;
  const testing::TempDir dir;
  const auto path = dir.path() / "v.parquet";
  testing::WriteParquet(path, {{"slot", kString}, {"vector", kNumberList}}, {});
  CHECK_THAT(OpenVectorsFile(path).status().ToString(),
             Catch::Contains("column `text` does not exist"));
  testing::WriteParquet(
      path, {{"slot", kString}, {"text", kString}, {"vector", kNumber}}, {});
  CHECK_THAT(OpenVectorsFile(path).status().ToString(),
             Catch::Contains("column `vector` is double; it must be "
                             "list<float>"));
  testing::WriteParquet(
      path, {{"slot", kString}, {"text", kString}, {"vector", kNumberList}},
      {{std::string("a"), {}, std::vector<float>{1}}});
  CHECK_THAT(OpenVectorsFile(path).status().ToString(),
             Catch::Contains("row 1 has a null"));
}

}  // namespace
}  // namespace larr
