// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pair_model.h"

#include <torch/autograd.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "common/llm/text_chunks.h"
#include "services/stage/contrast_start.h"
#include "tests/services/stage/pair_world.h"

namespace larr::stage {
namespace {

using torch::Tensor;

struct Outcome {
  double loss = 0;  // eq. 21
  int64_t tokens = 0;
  int passes = 0;
  std::map<std::string, Tensor> gradients;
};

std::map<std::string, Tensor> TakeGradients(const PairWorld& world) {
  std::map<std::string, Tensor> gradients;
  for (const auto& [name, tensor, is_new] : world.trained) {
    if (!tensor.grad().defined()) continue;
    gradients[name] = tensor.grad().clone();
    tensor.mutable_grad() = Tensor();
  }
  return gradients;
}

Outcome Run(PairWorld& world, int32_t tokens_per_chunk) {
  world.config.set_tokens_per_chunk(tokens_per_chunk);
  Outcome outcome;
  for (const PairKind kind : kPairKinds) {
    const double weight = WeightOf(world.config, kind);
    const auto result = testing::Value(world.model.Backward(
        world.sampler.Batch(kind, 3), weight, [&] { ++outcome.passes; }));
    outcome.loss += weight * result.loss;
    outcome.tokens += result.tokens;
  }
  outcome.gradients = TakeGradients(world);
  return outcome;
}

void CheckSame(const Outcome& one, const Outcome& other) {
  CHECK(one.loss == Approx(other.loss).epsilon(1e-4));
  CHECK(other.gradients.size() > 10);
  REQUIRE(one.gradients.size() == other.gradients.size());
  for (const auto& [name, gradient] : other.gradients) {
    INFO(name);
    const Tensor difference = one.gradients.at(name) - gradient;
    CHECK(gradient.norm().item<double>() > 0);
    CHECK((difference.norm() / gradient.norm()).item<double>() < 1e-4);
  }
}

TEST_CASE("Three kinds of 4,096 pairs in chunks are those of one shot") {
  PairWorld world(DataOf(4096), PairConfig(4096));
  const Outcome whole = Run(world, 1 << 30);
  const Outcome chunked = Run(world, 4096);
  CHECK(whole.passes == 3);
  CHECK(chunked.passes >= whole.tokens / 4096);
  CHECK(chunked.tokens == whole.tokens);
  CheckSame(chunked, whole);
}

TEST_CASE("The kinds' losses add up as eq. 21 weighs them") {
  const bool mean = GENERATE(false, true);
  auto config = PairConfig(12);
  config.set_mean_pooling(mean);
  PairWorld world(DataOf(40), config);
  const Outcome sum = Run(world, 100);
  CHECK(sum.passes > 3);

  // Eq. 10 to 21 in one expression.
  Tensor total = torch::zeros({});
  for (const PairKind kind : kPairKinds) {
    const PairBatch pairs = world.sampler.Batch(kind, 3);
    const auto vectors = [&](const std::vector<std::string>& texts) {
      const auto ids = testing::Value(world.checkpoint.tokenizer.Encode(texts));
      return at::linear(
          at::linear(LastStates(ids, world.decoder,
                                mean ? Pooling::kMean : Pooling::kLastToken),
                     world.coordinates),
          world.projection);
    };
    const Tensor excluded =
        torch::tensor(at::ArrayRef<uint8_t>(pairs.excluded), torch::kUInt8)
            .view({12, 12})
            .to(torch::kBool);
    const double lambda = kind == PairKind::kUserUser ? 1
                          : kind == PairKind::kPoiPoi ? 0.5
                                                      : 2;
    total = total + lambda * SymmetricInfoNce(vectors(pairs.a),
                                              vectors(pairs.b), excluded, 0.05)
                                 .loss;
  }
  total.backward();
  CheckSame(sum, {total.item<double>(), 0, 0, TakeGradients(world)});
}

TEST_CASE("A look without gradients sees what training sees") {
  PairWorld world(DataOf(40), PairConfig(12));
  const PairBatch pairs = world.sampler.Batch(PairKind::kUserPoi, 1);
  const auto seen = testing::Value(world.model.Evaluate(pairs));
  CHECK(TakeGradients(world).empty());
  const auto trained = testing::Value(world.model.Backward(pairs, 2, [] {}));
  CHECK(seen.loss == Approx(trained.loss).epsilon(1e-6));
  CHECK(torch::equal(seen.ranks, trained.ranks));
  CHECK(seen.tokens == trained.tokens);
}

}  // namespace
}  // namespace larr::stage
