// SPDX-License-Identifier: Apache-2.0
#include "common/llm/recompute.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "common/llm/language_loss.h"
#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using namespace larr::testing;  // NOLINT
using torch::Tensor;

TEST_CASE("What is recomputed has the same gradients, and runs twice") {
  const Tensor weight = torch::randn({3, 3}).requires_grad_(true);
  int runs = 0;
  const auto body = [&](const Tensor& x) {
    ++runs;
    return at::silu(x.mm(weight)) + x;
  };
  for (const bool through_x : {true, false}) {
    const Tensor x = torch::randn({4, 3}).requires_grad_(through_x);
    body(x).square().sum().backward();
    const Tensor d_weight = weight.grad().clone();
    const Tensor d_x = through_x ? x.grad().clone() : Tensor();
    weight.mutable_grad().reset();
    x.mutable_grad().reset();
    runs = 0;
    const Tensor y = Recompute(body, x, {weight});
    CHECK(torch::equal(y, body(x)));
    y.square().sum().backward();
    CHECK(runs == 3);
    CHECK(torch::equal(weight.grad(), d_weight));
    if (through_x) CHECK(torch::equal(x.grad(), d_x));
    weight.mutable_grad().reset();
  }
}

// Gradients by name of one step on the goldens' texts.
std::map<std::string, Tensor> Gradients(const std::filesystem::path& folder,
                                        torch::ScalarType dtype, int64_t frozen,
                                        int64_t rank, bool recompute) {
  const auto goldens =
      Value(SafetensorsFile::Open(folder / "goldens.safetensors"));
  const Model model = ReadModel(folder, dtype);
  Decoder decoder(model.config, model.weights, model.config.vocab_size - 7,
                  frozen);
  if (rank > 0) decoder.AddAdapters({rank, 2.0 * rank, 3});
  if (recompute) decoder.RecomputeActivations();
  const auto trained = decoder.Train(true);
  std::vector<Description> descriptions;
  for (const TokenIds& ids : AllIds(goldens)) descriptions.push_back({ids, 1});
  const LanguageBatch batch = MakeLanguageBatch(descriptions);
  NextTokenLoss(decoder.Hidden(batch.batch).index_select(0, batch.rows),
                decoder.head(), batch.targets)
      .backward();
  std::map<std::string, Tensor> gradients;
  for (const auto& [name, tensor, is_new] : trained)
    if (tensor.grad().defined()) gradients[name] = tensor.grad();
  return gradients;
}

TEST_CASE("A decoder that recomputes has bit by bit the same gradients") {
  const auto folder = GENERATE(TinyFolder(), FamilyFolder("llama_bias"));
  const auto dtype = GENERATE(torch::kFloat32, torch::kBFloat16);
  const int64_t frozen = GENERATE(0, 1), rank = GENERATE(0, 4);
  INFO(folder << " " << dtype << " frozen " << frozen << " rank " << rank);
  const auto kept = Gradients(folder, dtype, frozen, rank, false);
  const auto again = Gradients(folder, dtype, frozen, rank, true);
  CHECK(kept.size() >= 8);
  REQUIRE(kept.size() == again.size());
  for (const auto& [name, gradient] : kept) {
    INFO(name);
    CHECK(torch::equal(gradient, again.at(name)));
  }
}

}  // namespace
}  // namespace larr
