// SPDX-License-Identifier: Apache-2.0
#include "services/stage/text_model.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "common/llm/pooling.h"
#include "tests/services/stage/pair_world.h"

namespace larr::stage {
namespace {

TEST_CASE("A language model reads texts to their end, and pools as asked") {
  auto config = PairConfig(12);
  const bool mean = GENERATE(false, true);
  config.set_mean_pooling(mean);
  config.set_max_tokens(4);
  const PairWorld world(DataOf(40), config);
  const TextModel model =
      LanguageModel(world.checkpoint.tokenizer, world.decoder, world.config);
  const std::vector<std::string> texts = {
      testing::Slot("POI_name", "a"),
      testing::Slot("POI_name", "a name of many tokens")};
  const auto ids = testing::Value(model.read(texts));
  REQUIRE(ids.size() == 2);
  CHECK(ids[1].size() == 4);
  CHECK(ids[1].back() == ids[0].back());  // the slot's end

  const auto states = model.states(ids);
  CHECK(states.sizes() == torch::IntArrayRef({2, model.width}));
  CHECK(states.requires_grad());
  const auto pooling = mean ? Pooling::kMean : Pooling::kLastToken;
  CHECK(torch::equal(states, LastStates(ids, world.decoder, pooling)));
}

}  // namespace
}  // namespace larr::stage
