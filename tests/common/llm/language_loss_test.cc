// SPDX-License-Identifier: Apache-2.0
#include "common/llm/language_loss.h"

#include <torch/nn/functional.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using torch::Tensor;

TEST_CASE("A language batch predicts y alone, each token from the row before") {
  const std::vector<Description> descriptions = {
      {{1, 2, 3, 4, 5}, 3}, {{7, 8}, 0}, {{9}, 1}};
  const LanguageBatch batch = MakeLanguageBatch(descriptions);
  CHECK(batch.batch.tokens() == 8);
  CHECK(torch::equal(batch.targets, torch::tensor({4, 5, 8}, torch::kInt64)));
  // The tokens that stand in those rows.
  CHECK(torch::equal(batch.batch.ids.index_select(0, batch.rows),
                     torch::tensor({3, 4, 7}, torch::kInt64)));
}

TEST_CASE("The head's loss and gradients are those of cross entropy") {
  torch::manual_seed(1);
  const auto leaf = [](Tensor x) { return x.requires_grad_(true); };
  // More rows than are held at once.
  const Tensor hidden = leaf(torch::randn({600, 8}));
  const VocabularyTable head{leaf(torch::randn({30, 8})),
                             leaf(torch::randn({5, 8}))};
  const Tensor targets = torch::randint(0, 35, {600});
  const Tensor loss = NextTokenLoss(hidden, head, targets);
  (loss * 0.5).backward();

  const Tensor h = leaf(hidden.detach().clone());
  const Tensor known = leaf(head.known.detach().clone());
  const Tensor special = leaf(head.special.detach().clone());
  const Tensor expected = torch::nn::functional::cross_entropy(
      at::linear(h, torch::cat({known, special})), targets,
      torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
  (expected * 0.5).backward();
  CHECK(loss.item<float>() == Approx(expected.item<float>()));
  CHECK(testing::MaxDifference(hidden.grad(), h.grad()) < 1e-5);
  CHECK(testing::MaxDifference(head.known.grad(), known.grad()) < 1e-4);
  CHECK(testing::MaxDifference(head.special.grad(), special.grad()) < 1e-4);
}

TEST_CASE("The target's slope is rounded once, however sure the model is") {
  for (const float logit : {1.0F, 3.0F, 5.0F, 6.25F, 9.0F}) {
    const Tensor hidden =
        torch::tensor({{logit}}).to(torch::kBFloat16).requires_grad_(true);
    // Logits `logit` and 0, of which the first is the target's.
    const VocabularyTable head{
        torch::tensor({{1.0F}, {0.0F}}).to(torch::kBFloat16),
        torch::empty({0, 1}, torch::kBFloat16)};
    const double weight = 1.0 / 1000;
    NextTokenLoss(hidden, head, torch::tensor({int64_t{0}}), weight).backward();
    const double slope = -weight / (1 + std::exp(logit));
    CHECK(hidden.grad().item<float>() == Approx(slope).epsilon(0.005));
  }
}

TEST_CASE("Rows of the vocabulary that do not learn get no gradient") {
  const Tensor hidden = torch::randn({4, 8}).requires_grad_(true);
  const VocabularyTable head{torch::randn({30, 8}),
                             torch::randn({5, 8}).requires_grad_(true)};
  NextTokenLoss(hidden, head, torch::tensor({1, 2, 31, 34})).backward();
  CHECK(!head.known.grad().defined());
  CHECK(head.special.grad().defined());
}

}  // namespace
}  // namespace larr
