// SPDX-License-Identifier: Apache-2.0
#include "services/stage/kept_scores.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

std::vector<Impression> TestRows(const testing::CtrFixture& fixture) {
  auto stream =
      ImpressionStream::Open(fixture.dataset(), {.part = Part::kTest}).value();
  std::vector<Impression> rows(10);
  for (Impression& row : rows) REQUIRE(stream.Next(row).value());
  return rows;
}

TEST_CASE("what was kept is found, bit by bit, and by nobody else") {
  const testing::CtrFixture fixture;
  const auto folder = fixture.path() / "scores";
  const KeptScores kept(folder, "origin");
  const auto rows = TestRows(fixture);
  const std::string key = kept.KeyOf("test", rows);
  CHECK_FALSE(kept.Find(key).has_value());
  const BatchScores scores = {{"larr/all", torch::rand({10, 2})},
                              {"ple/all", torch::rand({10, 1})}};
  REQUIRE(kept.Keep(key, scores).ok());

  const auto again = KeptScores(folder, "origin").Find(key);
  REQUIRE(again.has_value());
  REQUIRE(again->size() == 2);
  for (const auto& [name, tensor] : scores)
    CHECK(torch::equal(again->at(name), tensor));
  const KeptScores other(folder, "another origin");
  CHECK_FALSE(other.Find(other.KeyOf("test", rows)).has_value());
}

TEST_CASE("a key tells apart what scores follow from") {
  const testing::CtrFixture fixture;
  const KeptScores kept("nowhere", "origin");
  const auto rows = TestRows(fixture);
  std::set<std::string> keys;
  const auto add = [&](const auto& change) {
    auto changed = rows;
    change(changed);
    return keys.insert(kept.KeyOf("test", changed)).second;
  };
  CHECK(add([](auto&) {}));
  CHECK_FALSE(add([](auto&) {}));
  CHECK(add([](auto& r) { r.pop_back(); }));
  CHECK(add([](auto& r) { std::swap(r[0], r[1]); }));
  CHECK(add([](auto& r) { r[0].user_index = -1; }));
  CHECK(add([](auto& r) { r[0].poi_index = 1 - r[0].poi_index; }));
  CHECK(add([](auto& r) { r[0].values[0] = std::monostate(); }));
  CHECK(add([](auto& r) { r[0].values[0] = int64_t{7}; }));
  CHECK(add([](auto& r) { r[0].values[0] = 7.0; }));
  CHECK(add([](auto& r) { r[0].values[0] = std::string("7"); }));
  CHECK(keys.insert(kept.KeyOf("validation", rows)).second);
}

TEST_CASE("a damaged file is as good as none") {
  const testing::CtrFixture fixture;
  const auto folder = fixture.path() / "scores";
  const KeptScores kept(folder, "origin");
  const std::string key = kept.KeyOf("test", TestRows(fixture));
  REQUIRE(kept.Keep(key, {{"larr/all", torch::rand({10, 2})}}).ok());
  const auto file = folder / (key + ".safetensors");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  CHECK_FALSE(kept.Find(key).has_value());
}

TEST_CASE("a folder that cannot be made is named") {
  const testing::CtrFixture fixture;
  const auto file = fixture.path() / "dataset.textproto";
  const absl::Status status =
      KeptScores(file / "scores", "origin").Keep("key", {});
  CHECK_THAT(status.ToString(), Catch::Contains("dataset.textproto/scores"));
}

}  // namespace
}  // namespace larr::stage
