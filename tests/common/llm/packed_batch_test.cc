// SPDX-License-Identifier: Apache-2.0
#include "common/llm/packed_batch.h"

#include <catch2/catch.hpp>
#include <random>

namespace larr {
namespace {

TEST_CASE("Packing loses no token and knows where each text lies") {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<TokenIds> texts(1 + random() % 12);
    int64_t total = 0;
    for (auto& text : texts) {
      text.resize(1 + random() % 40);
      for (auto& id : text) id = static_cast<int32_t>(random() % 1000);
      total += static_cast<int64_t>(text.size());
    }
    const PackedBatch batch = Pack(texts);
    REQUIRE(batch.tokens() == total);
    const auto* ids = batch.ids.const_data_ptr<int64_t>();
    for (size_t i = 0; i < texts.size(); ++i) {
      REQUIRE(batch.length[i] == static_cast<int64_t>(texts[i].size()));
      for (int64_t t = 0; t < batch.length[i]; ++t) {
        REQUIRE(ids[batch.begin[i] + t] == texts[i][t]);
      }
      REQUIRE(batch.last[i].item<int64_t>() ==
              batch.begin[i] + batch.length[i] - 1);
    }
  }
}

TEST_CASE("No texts make an empty batch") {
  const PackedBatch batch = Pack({});
  CHECK(batch.tokens() == 0);
  CHECK(batch.max_length == 0);
}

}  // namespace
}  // namespace larr
