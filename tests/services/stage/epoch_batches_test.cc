// SPDX-License-Identifier: Apache-2.0
#include "services/stage/epoch_batches.h"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "common/features/feature_learner.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::stage {
namespace {

using testing::CtrFixture;

constexpr int64_t kRows = 120, kBatch = 50, kStepsPerEpoch = 3;

TEST_CASE("batches of a later step are those of a reader from the start") {
  const CtrFixture fixture;
  const Dataset& dataset = fixture.dataset();
  config::v1::CtrModelDescription description;
  *description.mutable_dataset() = dataset.spec;
  *description.mutable_features() =
      FeatureLearner::Create(dataset.spec).value().Finish();
  std::vector<int64_t> opened;
  const auto open = [&](int64_t epoch, int64_t skip) {
    opened.push_back(epoch);
    return ImpressionStream::Open(dataset,
                                  {.part = Part::kTrain,
                                   .seed = static_cast<uint64_t>(epoch),
                                   .shuffle_rows = 60,
                                   .skip_rows = skip});
  };
  const auto batcher =
      CtrBatcher::Create(dataset, description, nullptr).value();
  EpochBatches all(open, *batcher, kBatch, kStepsPerEpoch, 0);
  std::vector<CtrBatch> batches;
  for (int step = 0; step < 2 * kStepsPerEpoch; ++step)
    batches.push_back(all.Next().value());
  REQUIRE(opened == std::vector<int64_t>{0, 1});
  for (int64_t step = 0; step < 2 * kStepsPerEpoch; ++step)
    REQUIRE(batches[step].rows() ==
            (step % kStepsPerEpoch == 2 ? kRows % kBatch : kBatch));
  REQUIRE_FALSE(torch::equal(batches[0].pairs, batches[3].pairs));

  for (int64_t step = 1; step < 2 * kStepsPerEpoch; ++step) {
    const auto own = CtrBatcher::Create(dataset, description, nullptr).value();
    EpochBatches late(open, *own, kBatch, kStepsPerEpoch, step);
    const CtrBatch batch = late.Next().value();
    REQUIRE(torch::equal(batch.pairs, batches[step].pairs));
    REQUIRE(torch::equal(batch.labels, batches[step].labels));
  }
}

// The POIs of an epoch's rows in their order.
std::vector<std::string> Order(const Dataset& dataset, uint64_t seed,
                               int64_t epoch, int64_t max_rows) {
  config::v1::AlignConfig config;
  config.set_shuffle_rows(60);
  config.set_max_rows(max_rows);
  auto stream = OpenTrainingRows(dataset, config, seed, epoch, 0).value();
  std::vector<std::string> order;
  Impression row;
  while (stream.Next(row).value()) order.push_back(row.request_id + row.poi_id);
  return order;
}

TEST_CASE("each epoch of each seed has an order of rows of its own") {
  const CtrFixture fixture;
  const auto order = [&](uint64_t seed, int64_t epoch, int64_t max_rows = 0) {
    return Order(fixture.dataset(), seed, epoch, max_rows);
  };
  std::set<std::vector<std::string>> orders;
  for (const uint64_t seed : {1, 2, 3})
    for (const int64_t epoch : {0, 1, 2}) orders.insert(order(seed, epoch));
  CHECK(orders.size() == 9);
  CHECK(order(1, 1) == order(1, 1));
  // Else epochs would see other rows.
  CHECK(order(1, 0, 40) == order(1, 1, 40));
}

}  // namespace
}  // namespace larr::stage
