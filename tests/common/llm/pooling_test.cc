// SPDX-License-Identifier: Apache-2.0
#include "common/llm/pooling.h"

#include <catch2/catch.hpp>

namespace larr {
namespace {

using torch::Tensor;

// Texts of 3, 1 and 2 tokens; the batch sorts them by length.
const std::vector<TokenIds> kTexts = {{1, 2, 3}, {4}, {5, 6}};

// A state that names its token.
Tensor StatesOf(const PackedBatch& batch) {
  return batch.ids.to(torch::kFloat32).unsqueeze(1) *
         torch::tensor({{1.0F, 10.0F}});
}

TEST_CASE("The last token's state, or the mean of a text's tokens") {
  const PackedBatch batch = Pack(kTexts);
  const Tensor states = StatesOf(batch);
  CHECK(torch::equal(
      Pool(states, batch, Pooling::kLastToken),
      torch::tensor({{3.0F, 30.0F}, {4.0F, 40.0F}, {6.0F, 60.0F}})));
  CHECK(torch::equal(
      Pool(states, batch, Pooling::kMean),
      torch::tensor({{2.0F, 20.0F}, {4.0F, 40.0F}, {5.5F, 55.0F}})));
}

TEST_CASE("A mean has the same bits whatever else is in its batch") {
  torch::manual_seed(1);
  const Tensor table = torch::randn({100, 24});
  const auto mean = [&](const std::vector<TokenIds>& texts) {
    const PackedBatch batch = Pack(texts);
    return Pool(at::embedding(table, batch.ids), batch, Pooling::kMean);
  };
  const Tensor alone = mean({kTexts[0]});
  std::vector<TokenIds> many(40, {7, 8, 9, 10, 11});
  many.push_back(kTexts[0]);
  CHECK(torch::equal(alone[0], mean(many)[40]));
}

TEST_CASE("A mean's gradient goes to each of its tokens") {
  const PackedBatch batch = Pack(kTexts);
  const Tensor states = StatesOf(batch).requires_grad_(true);
  Pool(states, batch, Pooling::kMean)[0].sum().backward();
  const Tensor gradient = states.grad().select(1, 0);
  for (int64_t row = 0; row < batch.tokens(); ++row) {
    const bool own = batch.ids[row].item<int64_t>() <= 3;
    CHECK(gradient[row].item<float>() == Approx(own ? 1.0 / 3 : 0));
  }
}

}  // namespace
}  // namespace larr
