// SPDX-License-Identifier: Apache-2.0
#include "services/stage/held_out_recall.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/services/stage/pair_world.h"

namespace larr::stage {
namespace {

// 8 of 80 users, and as many POIs.
PairWorld World(ContrastData data) {
  auto config = PairConfig(12);
  config.set_held_out_pairs(50);
  return {std::move(data), config};
}

TEST_CASE("Held-out recall stands beside chance, for each kind and way") {
  const PairWorld world = World(DataOf(80));
  const HeldOutRecall recall(
      world.sampler, {kPairKinds.begin(), kPairKinds.end()}, world.model);
  const auto report = testing::Value(recall.Report("before"));
  CHECK(report.size() == 3);
  for (const PairKind kind : kPairKinds) {
    for (const bool complete : {false, true}) {
      const auto& row =
          report[PairKindName(kind)][complete ? "complete" : "composed"];
      INFO(PairKindName(kind) << complete << row.dump());
      CHECK(row["pairs"] == 8);
      // Weather alone may be the text of several.
      const double candidates = row["candidates"];
      CHECK(candidates <= 8);
      if (complete) CHECK(candidates == 8);
      if (complete) CHECK(row["chance@1"] == 1.0 / 8);
      if (complete) CHECK(row["chance@5"] == 5.0 / 8);
      CHECK(row["chance@10"] == 1.0);
      CHECK(row["recall@10"] == 1.0);
      CHECK(row["recall@1"] <= row["recall@5"]);
      const auto seen = testing::Value(
          world.model.Evaluate(world.sampler.HeldOut(kind, complete)));
      CHECK(row["loss"] == seen.loss);
      CHECK(row["recall@5"] == Recall(seen.ranks, 5));
    }
  }
  const auto composed = testing::Value(recall.Composed());
  CHECK(composed["user_poi"] == report["user_poi"]["composed"]);
}

TEST_CASE("A model that says the same of all texts finds nothing") {
  const PairWorld world = World(DataOf(80));
  const torch::NoGradGuard no_grad;
  world.projection.detach().zero_();
  const auto report = testing::Value(
      HeldOutRecall(world.sampler, {PairKind::kPoiPoi}, world.model)
          .Report("after"));
  const auto& row = report["poi_poi"]["complete"];
  CHECK(row["recall@1"] == 0.0);
  CHECK(row["recall@5"] == 0.0);
  CHECK(row["recall@10"] == 1.0);
}

TEST_CASE("What is no negative is no candidate; few pairs are not reported") {
  auto data = DataOf(80);
  // All POIs have the same tags.
  for (auto& poi : data.pois) poi.texts[3] = data.pois[0].texts[3];
  data.users.resize(15);
  data.pairs.clear();
  const PairWorld world = World(std::move(data));
  const auto report = testing::Value(
      HeldOutRecall(world.sampler, {kPairKinds.begin(), kPairKinds.end()},
                    world.model)
          .Composed());
  CHECK(report.size() == 1);
  const auto& row = report["poi_poi"];
  CHECK(row["candidates"] == 1.0);
  CHECK(row["recall@1"] == 1.0);
  CHECK(row["chance@1"] == 1.0);
}

}  // namespace
}  // namespace larr::stage
