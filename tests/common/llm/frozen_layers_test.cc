// SPDX-License-Identifier: Apache-2.0
#include "common/llm/frozen_layers.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/common/llm/golden.h"

namespace larr {
namespace {

// Agreement with transformers is tested in decoder_test.cc.
TEST_CASE(
    "The rows of last tokens are the same when nothing else is computed") {
  const torch::NoGradGuard no_grad;
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const auto model = testing::ReadModel(testing::TinyFolder(), dtype);
    const FrozenLayers layers(model.config, model.weights.layers, 64);
    CHECK(layers.count() == 2);
    const std::vector<TokenIds> texts = {{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}};
    const PackedBatch batch = Pack(texts);
    auto all = torch::embedding(model.weights.embedding, batch.ids)
                   .to(torch::kFloat32);
    auto last = all.clone();
    layers.Run(batch, all);
    layers.Run(batch, last, /*last_only=*/true);
    CHECK(testing::MinCosine(all.index_select(0, batch.last),
                             last.index_select(0, batch.last)) > 0.9999);
  }
}

TEST_CASE("A text longer than the positions is an error") {
  const auto model = testing::ReadModel(testing::TinyFolder(), torch::kFloat32);
  const FrozenLayers layers(model.config, model.weights.layers, 64);
  const PackedBatch batch = Pack(std::vector<TokenIds>{TokenIds(513, 1)});
  auto x = torch::zeros({513, 64});
  CHECK_THROWS_AS(layers.Run(batch, x), c10::Error);
}

}  // namespace
}  // namespace larr
