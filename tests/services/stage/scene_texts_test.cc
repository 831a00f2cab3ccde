// SPDX-License-Identifier: Apache-2.0
#include "services/stage/scene_texts.h"

#include <catch2/catch.hpp>

#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

using testing::CtrFixture;

TEST_CASE("a text is one row of the table however often it comes") {
  const CtrFixture fixture;
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  SceneTexts texts(fixture.dataset().texts,
                   fixture.dataset().spec.scene_features(), *snapshot);
  auto stream =
      ImpressionStream::Open(fixture.dataset(), {.part = Part::kTest}).value();
  std::vector<int32_t> found(texts.slot_count());
  Impression row;
  int rows = 0, unknown = 0;
  while (stream.Next(row).value()) {
    texts.Find(row, found);
    ++rows;
    unknown += row.user_index < 0;
    REQUIRE((found[0] < 0) == (row.user_index < 0));
    REQUIRE(found[1] >= 0);
  }
  REQUIRE(rows == 60);
  REQUIRE(unknown == 15);
  REQUIRE(texts.size() == 1 + 2 + 3);
  REQUIRE(texts.ReadVectors().ok());
  REQUIRE(texts.missing() == 0);
  for (int32_t text = 0; text < texts.size(); ++text)
    REQUIRE(texts.present(text));

  texts.Forget();
  REQUIRE(texts.size() == 0);
  texts.Find(row, found);
  REQUIRE(texts.size() > 0);
  REQUIRE(texts.ReadVectors().ok());
  REQUIRE(texts.present(found[1]));
}

TEST_CASE("values are kept for as long as their partition is") {
  PerEntity<int> values(2);
  const CtrFixture fixture;
  EntitySnapshots users(fixture.dataset(), Table::kUsers);
  std::vector<std::shared_ptr<const EntityPartition>> partitions;
  for (int copy = 0; copy < 4; ++copy)
    for (const std::string& day : users.dates()) {
      EntitySnapshots again(fixture.dataset(), Table::kUsers);
      partitions.push_back(again.At(day).value());
    }
  REQUIRE(partitions.size() == 24);
  bool fresh = false;
  for (size_t i = 0; i < partitions.size(); ++i) {
    auto row = values.At(partitions[i], 1, fresh);
    REQUIRE(fresh);
    row[1] = static_cast<int>(i);
  }
  for (size_t i = 0; i < partitions.size(); ++i) {
    REQUIRE(values.At(partitions[i], 1, fresh)[1] == static_cast<int>(i));
    REQUIRE_FALSE(fresh);
  }
  values.At(partitions[11], 2, fresh);
  REQUIRE(fresh);
  // Another one, perhaps at the address of one that is gone.
  for (int i = 0; i < 20; ++i) {
    partitions[3].reset();
    EntitySnapshots again(fixture.dataset(), Table::kUsers);
    partitions[3] = again.At(users.dates()[0]).value();
    values.At(partitions[3], 1, fresh);
    REQUIRE(fresh);
  }
}

}  // namespace
}  // namespace larr::stage
