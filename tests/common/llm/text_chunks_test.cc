// SPDX-License-Identifier: Apache-2.0
#include "common/llm/text_chunks.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "common/llm/pair_loss.h"
#include "common/llm/tokenizer.h"
#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using testing::Value;
using torch::Tensor;

// The tiny model, all of which learns, and pairs of short texts.
struct World {
  testing::Model model =
      testing::ReadModel(testing::TinyFolder(), torch::kFloat32);
  Decoder decoder{model.config, model.weights, model.config.vocab_size, 0};
  std::vector<TrainedTensor> trained = decoder.Train(true);
  std::vector<TokenIds> texts;
  Tensor excluded;
  int64_t tokens = 0;
  int64_t pairs;

  explicit World(int64_t pairs) : pairs(pairs) {
    const auto tokenizer = Value(Tokenizer::Open(testing::TinyFolder()));
    const char* dishes[] = {"soup", "pizza", "curry", "tea", "salad"};
    std::vector<std::string> words;
    for (int64_t i = 0; i < pairs; ++i)
      words.push_back(fmt::format("{} {}", i, dishes[i % 5]));
    for (int64_t i = 0; i < pairs; ++i)
      words.push_back(fmt::format("{} {}", dishes[i % 5], i * 7));
    texts = Value(tokenizer.Encode(words));
    for (const auto& text : texts) tokens += std::ssize(text);
    torch::manual_seed(1);
    excluded = torch::rand({pairs, pairs}) < 0.01;
  }

  // The loss, the gradients by name, and passes back through the model.
  struct Outcome {
    double loss = 0;
    std::map<std::string, Tensor> gradients;
    int passes = 0;
  };
  Outcome Run(int64_t tokens_per_chunk) const {
    Outcome outcome;
    BackwardInChunks(
        texts, tokens_per_chunk,
        [&](std::span<const TokenIds> chunk) {
          return LastStates(chunk, decoder, Pooling::kLastToken);
        },
        [&](const Tensor& vectors) {
          const Tensor loss =
              SymmetricInfoNce(vectors.narrow(0, 0, pairs),
                               vectors.narrow(0, pairs, pairs), excluded, 0.05)
                  .loss;
          outcome.loss = loss.item<double>();
          return loss;
        },
        [&] { ++outcome.passes; });
    for (const auto& [name, tensor, is_new] : trained) {
      if (!tensor.grad().defined()) continue;
      outcome.gradients[name] = tensor.grad().clone();
      tensor.mutable_grad() = Tensor();
    }
    return outcome;
  }
};

TEST_CASE("4,096 pairs in chunks have the loss and gradients of one shot") {
  const World world(4096);
  const auto whole = world.Run(world.tokens);
  const auto chunked = world.Run(4096);
  CHECK(whole.passes == 1);
  CHECK(chunked.passes >= world.tokens / 4096);
  CHECK(chunked.loss == Approx(whole.loss).epsilon(1e-4));
  CHECK(whole.gradients.size() > 10);
  REQUIRE(chunked.gradients.size() == whole.gradients.size());
  for (const auto& [name, gradient] : whole.gradients) {
    INFO(name);
    const Tensor difference = chunked.gradients.at(name) - gradient;
    CHECK(gradient.norm().item<double>() > 0);
    CHECK((difference.norm() / gradient.norm()).item<double>() < 1e-4);
    CHECK(difference.abs().max().item<double>() < 1e-4);
  }
}

TEST_CASE("Chunks hold their tokens, or one text, and give the same vectors") {
  const World world(20);
  std::vector<size_t> sizes;
  std::vector<Tensor> vectors;
  const auto encode = [&](std::span<const TokenIds> chunk) {
    int64_t tokens = 0;
    for (const auto& text : chunk) tokens += std::ssize(text);
    CHECK((tokens <= 30 || chunk.size() == 1));
    sizes.push_back(chunk.size());
    vectors.push_back(LastStates(chunk, world.decoder, Pooling::kLastToken));
    return vectors.back();
  };
  const Tensor all = EncodeInChunks(world.texts, 30, encode);
  CHECK_FALSE(all.requires_grad());
  CHECK(sizes.size() > 5);
  CHECK(testing::MaxDifference(all, LastStates(world.texts, world.decoder,
                                               Pooling::kLastToken)) < 1e-4);
  CHECK(EncodeInChunks(world.texts, 1, [&](std::span<const TokenIds> chunk) {
          CHECK(chunk.size() == 1);
          return torch::zeros({1, 2});
        }).size(0) == 40);

  // With gradients, a chunk's vectors have the bits of the first pass.
  vectors.clear();
  const auto sum = [](const Tensor& x) { return x.square().sum(); };
  BackwardInChunks(world.texts, 30, encode, sum, [] {});
  const size_t chunks = vectors.size() / 2;
  for (size_t i = 0; i < chunks; ++i) {
    CHECK_FALSE(vectors[i].requires_grad());
    CHECK(vectors[chunks + i].requires_grad());
    CHECK(torch::equal(vectors[i], vectors[chunks + i].detach()));
  }
}

}  // namespace
}  // namespace larr
