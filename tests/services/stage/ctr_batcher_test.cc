// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_batcher.h"

#include <catch2/catch.hpp>
#include <utility>

#include "common/config/left_out_features.h"
#include "common/features/feature_learner.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

using testing::CtrFixture;

config::v1::CtrModelDescription Describe(const Dataset& dataset) {
  config::v1::CtrModelDescription description;
  description.set_name("test");
  *description.mutable_dataset() = dataset.spec;
  FeatureLearner learner = FeatureLearner::Create(dataset.spec).value();
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTrain}).value();
  Impression row;
  while (stream.Next(row).value()) learner.Add(row.rows());
  *description.mutable_features() = learner.Finish();
  description.set_has_order_task(true);
  description.set_embedder_fingerprint("print");
  return description;
}

// Every training row, with the values that a batch should hold.
std::vector<Impression> TrainingRows(const Dataset& dataset) {
  std::vector<Impression> rows;
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTrain}).value();
  Impression row;
  while (stream.Next(row).value()) rows.push_back(row);
  return rows;
}

TEST_CASE("a batch holds each row's own features, texts of its day, labels") {
  const CtrFixture fixture;
  const Dataset& dataset = fixture.dataset();
  const auto description = Describe(dataset);
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  const auto encoder =
      TabularEncoder::Create(dataset.spec, description.features()).value();
  auto batcher =
      CtrBatcher::Create(dataset, description, snapshot.get()).value();
  const auto rows = TrainingRows(dataset);
  for (const Impression& row : rows) batcher->Add(row);
  const CtrBatch batch = batcher->Take().value();
  REQUIRE(batch.rows() == static_cast<int64_t>(rows.size()));
  REQUIRE(batch.rows() == 120);
  REQUIRE(batcher->rows() == 0);

  std::vector<int64_t> ids(encoder.categorical().size());
  std::vector<float> dense(encoder.dense().size());
  for (size_t i = 0; i < rows.size(); ++i) {
    encoder.Encode(rows[i].rows(), ids, dense);
    REQUIRE(torch::equal(batch.ids[i], torch::tensor(ids, torch::kInt64)));
    REQUIRE(torch::equal(batch.dense[i], torch::tensor(dense)));
    REQUIRE(batch.labels[i][0].item<float>() == rows[i].click);
    REQUIRE(batch.labels[i][1].item<float>() == rows[i].order);
    // history of the user, sky, intro of the item.
    for (int slot = 0; slot < 3; ++slot) {
      const int keyword = dataset.texts.scene_features()[slot];
      const FeatureRows parts = rows[i].rows();
      const Row* row = slot == 0   ? parts.user
                       : slot == 1 ? parts.impression
                                   : parts.poi;
      const std::string text =
          row == nullptr ? "" : dataset.texts.Render(keyword, *row);
      const int64_t place = batch.scene.index_Br[i][slot].item<int64_t>();
      CAPTURE(i, slot, text);
      REQUIRE((place < 0) == text.empty());
      if (text.empty()) continue;
      REQUIRE(batch.scene.slots_T[place].item<int64_t>() == slot);
      REQUIRE(torch::equal(batch.scene.texts_TC[place],
                           torch::tensor(testing::VectorOfText(text))));
    }
  }
  // A history for each of two days, two skies, three introductions.
  REQUIRE(batch.scene.texts_TC.size(0) == 2 + 2 + 3);
  REQUIRE(batcher->missing_texts() == 0);
}

TEST_CASE("a model that leaves features out reads rows of the whole dataset") {
  const CtrFixture fixture;
  const Dataset& dataset = fixture.dataset();
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  const auto description = Describe(dataset);
  auto less = description;
  config::v1::AlignConfig align;
  for (const char* name : {"user_id", "orders", "sky"})
    align.add_left_out_features(name);
  *less.mutable_dataset() = WithoutLeftOutFeatures(dataset.spec, align).value();
  auto all = CtrBatcher::Create(dataset, description, snapshot.get()).value();
  auto some = CtrBatcher::Create(dataset, less, snapshot.get()).value();
  for (const Impression& row : TrainingRows(dataset)) {
    all->Add(row);
    some->Add(row);
  }
  const CtrBatch whole = all->Take().value(), part = some->Take().value();
  // Ids: user_id, hour, poi_id, distance, cities. The one number is `orders`.
  CHECK(torch::equal(part.ids, whole.ids.narrow(1, 1, 4)));
  CHECK(part.dense.size(1) == 0);
  // Texts: history, sky, intro.
  for (int64_t i = 0; i < part.rows(); ++i)
    for (const auto& [slot, of_all] : {std::pair{0, 0}, {1, 2}}) {
      const int64_t text = part.scene.index_Br[i][slot].item<int64_t>();
      const int64_t same = whole.scene.index_Br[i][of_all].item<int64_t>();
      REQUIRE((text < 0) == (same < 0));
      if (text < 0) continue;
      REQUIRE(part.scene.slots_T[text].item<int64_t>() == slot);
      REQUIRE(
          torch::equal(part.scene.texts_TC[text], whole.scene.texts_TC[same]));
    }
}

TEST_CASE("a dataset without what the model reads is refused") {
  const CtrFixture fixture;
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  auto description = Describe(fixture.dataset());
  std::string what;
  SECTION("a column") {
    description.mutable_dataset()
        ->mutable_tabular_features(1)
        ->mutable_dense()
        ->set_column("income");
    what = "`income`";
  }
  SECTION("a text") {
    description.mutable_dataset()->add_scene_features("place");
    what = "`place`";
  }
  const absl::Status status =
      CtrBatcher::Create(fixture.dataset(), description, snapshot.get())
          .status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains(what));
}

TEST_CASE("rows of the same user and item have the same pair, others not") {
  const CtrFixture fixture;
  const auto description = Describe(fixture.dataset());
  auto batcher =
      CtrBatcher::Create(fixture.dataset(), description, nullptr).value();
  const auto rows = TrainingRows(fixture.dataset());
  for (const Impression& row : rows) batcher->Add(row);
  const CtrBatch batch = batcher->Take().value();
  REQUIRE_FALSE(batch.scene.texts_TC.defined());
  for (size_t i = 0; i < 30; ++i)
    for (size_t j = 0; j < 30; ++j)
      REQUIRE(
          (batch.pairs[i].item<int64_t>() == batch.pairs[j].item<int64_t>()) ==
          (rows[i].user_id == rows[j].user_id &&
           rows[i].poi_id == rows[j].poi_id));
}

TEST_CASE("a text that the snapshot lacks is missing and counted once") {
  CtrFixture fixture;
  fixture.WriteSnapshot("holes", "print", "rain");
  const auto description = Describe(fixture.dataset());
  const auto snapshot = Snapshot::Open(fixture.path() / "holes").value();
  auto batcher =
      CtrBatcher::Create(fixture.dataset(), description, snapshot.get())
          .value();
  const auto rows = TrainingRows(fixture.dataset());
  for (const Impression& row : rows) batcher->Add(row);
  const CtrBatch batch = batcher->Take().value();
  REQUIRE(batcher->missing_texts() == 1);
  for (size_t i = 0; i < rows.size(); ++i)
    REQUIRE((batch.scene.index_Br[i][1].item<int64_t>() < 0) == (i % 2 == 1));
}

TEST_CASE("a snapshot of another embedder is refused") {
  CtrFixture fixture;
  fixture.WriteSnapshot("other", "another print");
  const auto description = Describe(fixture.dataset());
  const auto snapshot = Snapshot::Open(fixture.path() / "other").value();
  REQUIRE(CtrBatcher::Create(fixture.dataset(), description, snapshot.get())
              .status()
              .code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace larr::stage
