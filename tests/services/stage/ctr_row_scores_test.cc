// SPDX-License-Identifier: Apache-2.0
#include "services/stage/ctr_row_scores.h"

#include <catch2/catch.hpp>

#include "services/stage/align.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

using testing::CtrFixture;

std::vector<Impression> TestRows(const Dataset& dataset) {
  auto stream = ImpressionStream::Open(dataset, {.part = Part::kTest}).value();
  std::vector<Impression> rows;
  Impression row;
  while (stream.Next(row).value()) rows.push_back(row);
  return rows;
}

TEST_CASE("a recommender scores rows, with texts and without") {
  const CtrFixture fixture;
  const std::string name = GENERATE("ple", "larr");
  CAPTURE(name);
  auto config = fixture.Config(config::v1::StageConfig::ALIGN);
  config.set_align_name(name);
  StageContext context = fixture.Context(config, name);
  REQUIRE(RunAlign(context).ok());

  const bool has_texts = name == "larr";
  const auto snapshot = Snapshot::Open(fixture.path() / "snapshot").value();
  const Snapshot* texts = has_texts ? snapshot.get() : nullptr;
  const auto model =
      CtrRowScores::Create(fixture.dataset(),
                           LoadCtrModel(fixture.path() / name).value(), texts)
          .value();
  CHECK(model->has_order_task());
  CHECK(model->reads_texts() == has_texts);

  const auto rows = TestRows(fixture.dataset());
  const auto scores = model->Score(rows, true).value();
  CHECK(scores.scalar_type() == torch::kFloat32);
  CHECK(scores.size(0) == 60);
  CHECK(scores.size(1) == 2);

  // What the model itself says of the batch.
  const auto loaded = LoadCtrModel(fixture.path() / name).value();
  const auto batcher =
      CtrBatcher::Create(fixture.dataset(), loaded.description, texts).value();
  for (const Impression& row : rows) batcher->Add(row);
  const auto batch = batcher->Take().value();
  CHECK(torch::equal(scores, loaded.model->Predict(batch)));

  // A batch leaves nothing behind for the next one.
  const auto first = model->Score(std::span(rows).first(7), true).value();
  CHECK(torch::allclose(first, scores.narrow(0, 0, 7), 1e-4, 1e-6));
  const auto without = model->Score(rows, false).value();
  CHECK(torch::equal(scores, without) == !has_texts);

  CHECK(model->scene_features().empty() == !has_texts);
  const auto seen = model->ScoreAndLook(rows).value();
  CHECK(torch::equal(seen.probabilities, scores));
  CHECK(seen.attention.defined() == has_texts);
  if (!has_texts) return;
  const torch::Tensor& weights = seen.attention;
  CHECK(weights.size(0) == 60);
  CHECK(weights.size(1) ==
        static_cast<int64_t>(model->scene_features().size()) + 1);
  CHECK(weights.min().item<double>() > 0);
  CHECK(torch::allclose(weights.sum(1), torch::ones(60)));
}

TEST_CASE("a model of another embedder scores nothing") {
  CtrFixture fixture;
  auto config = fixture.Config(config::v1::StageConfig::ALIGN);
  config.set_align_name("larr");
  StageContext context = fixture.Context(config, "larr");
  REQUIRE(RunAlign(context).ok());
  fixture.WriteSnapshot("other", "another print");
  const auto snapshot = Snapshot::Open(fixture.path() / "other").value();
  CHECK(CtrRowScores::Create(fixture.dataset(),
                             LoadCtrModel(fixture.path() / "larr").value(),
                             snapshot.get())
            .status()
            .code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace larr::stage
