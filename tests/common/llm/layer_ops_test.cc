// SPDX-License-Identifier: Apache-2.0
#include "common/llm/layer_ops.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>

#include "tests/common/llm/golden.h"

namespace larr {
namespace {

using torch::Tensor;

Tensor Leaf(const Tensor& x) { return x.detach().clone().requires_grad_(true); }

TEST_CASE("A row's gradient is the sum of all that came of it") {
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const Tensor table = torch::randn({5, 3}).to(dtype).requires_grad_(true);
    // bfloat16 has no number between 256 and 258.
    Tensor ids = torch::full({4097}, 1, torch::kInt64);
    ids[7] = 3;
    const Tensor rows = ops::Lookup(table, ids);
    CHECK(rows.scalar_type() == torch::kFloat32);
    CHECK(torch::equal(rows[7], table.detach()[3].to(torch::kFloat32)));
    rows.sum().backward();
    CHECK(table.grad().scalar_type() == dtype);
    CHECK(torch::equal(table.grad().to(torch::kFloat32),
                       torch::tensor({0.F, 4096.F, 0.F, 1.F, 0.F})
                           .unsqueeze(1)
                           .expand({5, 3})));
  }
}

TEST_CASE("RmsNorm and its gradients agree with plain operations") {
  torch::manual_seed(1);
  // More rows than one thread takes, a width that is no multiple of a vector.
  const Tensor x = torch::randn({200, 21}), w = torch::randn({21});
  const Tensor mix = torch::randn({200, 21});
  const Tensor x1 = Leaf(x), w1 = Leaf(w), x2 = Leaf(x), w2 = Leaf(w);
  const Tensor out = ops::RmsNorm(x1, w1, 1e-5);
  (out * mix).sum().backward();
  const Tensor plain = x2 * torch::rsqrt(x2.square().mean(1, true) + 1e-5) * w2;
  (plain * mix).sum().backward();
  CHECK(testing::MaxDifference(out, plain) < 1e-5);
  CHECK(testing::MaxDifference(x1.grad(), x2.grad()) < 1e-5);
  CHECK(testing::MaxDifference(w1.grad(), w2.grad()) < 1e-4);
  CHECK(testing::MaxDifference(ops::RmsNorm(x, w, 1e-5), plain) < 1e-5);
}

TEST_CASE("SiluMul and its gradient agree with plain operations") {
  torch::manual_seed(2);
  const Tensor x = torch::randn({150, 2 * 19}) * 4;
  const Tensor mix = torch::randn({150, 19});
  const Tensor x1 = Leaf(x), x2 = Leaf(x);
  const Tensor out = ops::SiluMul(x1);
  (out * mix).sum().backward();
  const Tensor plain = torch::silu(x2.slice(1, 0, 19)) * x2.slice(1, 19);
  (plain * mix).sum().backward();
  CHECK(testing::MaxDifference(out, plain) < 1e-4);
  CHECK(testing::MaxDifference(x1.grad(), x2.grad()) < 1e-4);
}

// Gradients of attention against differences of its values.
TEST_CASE("Attention's gradient is its slope") {
  torch::manual_seed(3);
  LlmConfig config;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 10;
  const auto rotary = MakeRotaryTable(64, 10, 100);
  std::vector<TokenIds> texts = {TokenIds(3, 1), TokenIds(17, 1),
                                 TokenIds(1, 1), TokenIds(9, 1)};
  const PackedBatch batch = Pack(texts);
  const Tensor qkv = torch::randn({batch.tokens(), 80});
  const Tensor mix = torch::randn({batch.tokens(), 40});
  const auto value = [&](const Tensor& x) {
    return (ops::Attention(x, batch, config, rotary) * mix)
        .sum(torch::kFloat64);
  };
  const Tensor leaf = Leaf(qkv);
  value(leaf).backward();
  for (int i = 0; i < 100; ++i) {
    const int64_t at = torch::randint(0, qkv.numel(), {1}).item<int64_t>();
    const auto moved = [&](double by) {
      Tensor other = qkv.clone();
      other.view({-1})[at] += by;
      return value(other).item<double>();
    };
    const double slope = (moved(0.01) - moved(-0.01)) / 0.02;
    CHECK(leaf.grad().view({-1})[at].item<double>() ==
          Approx(slope).margin(2e-3));
  }
}

TEST_CASE("A linear layer and its gradients are LibTorch's") {
  torch::manual_seed(5);
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const double bound = dtype == torch::kFloat32 ? 1e-4 : 0.2;
    for (const bool biased : {false, true}) {
      const Tensor x = torch::randn({50, 40}), w = torch::randn({70, 40});
      const Tensor bias = biased ? torch::randn({70}) : Tensor();
      const Tensor mix = torch::randn({50, 70}).to(dtype);
      const auto run = [&](bool ours) {
        const Tensor x1 = Leaf(x.to(dtype)), w1 = Leaf(w.to(dtype));
        const Tensor b1 = biased ? Leaf(bias.to(dtype)) : Tensor();
        const Tensor y =
            ours ? ops::Linear(x1, w1, b1) : at::linear(x1, w1, b1);
        (y * mix).sum().backward();
        return std::vector<Tensor>{y.detach(), x1.grad(), w1.grad(),
                                   biased ? b1.grad() : torch::zeros({1})};
      };
      const auto ours = run(true), expected = run(false);
      for (size_t i = 0; i < ours.size(); ++i)
        CHECK(testing::MaxDifference(ours[i], expected[i]) < bound);
    }
  }
  // Only what learns has a gradient.
  const Tensor x = torch::randn({4, 8}), w = Leaf(torch::randn({3, 8}));
  ops::Linear(x, w, {}).sum().backward();
  CHECK(w.grad().defined());
  CHECK(!x.grad().defined());
}

TEST_CASE("A transposed product is the product, whichever side is moved") {
  torch::manual_seed(8);
  for (const auto& [m, n, k] :
       {std::tuple(64, 20, 300), std::tuple(64, 300, 20),
        std::tuple(7, 33, 5)}) {
    const Tensor a = torch::randn({m, n}).to(torch::kBFloat16);
    const Tensor b = torch::randn({m, k}).to(torch::kBFloat16);
    const Tensor expected = a.to(torch::kFloat32).t().mm(b.to(torch::kFloat32));
    CHECK(testing::MaxDifference(ops::TransposedProduct(a, b), expected) < 0.3);
  }
}

// Outputs and gradients of each function but the multiplications.
std::vector<Tensor> AllResults() {
  torch::manual_seed(4);
  std::vector<Tensor> results;
  const auto add = [&](const Tensor& out, std::vector<Tensor> leaves) {
    results.push_back(out.detach());
    out.square().sum().backward();
    for (const Tensor& leaf : leaves) results.push_back(leaf.grad());
  };
  const Tensor x = Leaf(torch::randn({500, 32})), w = Leaf(torch::randn({32}));
  add(ops::RmsNorm(x, w, 1e-5), {x, w});
  const Tensor table = Leaf(torch::randn({40, 32}).to(torch::kBFloat16));
  add(ops::Lookup(table, torch::randint(0, 40, {500}, torch::kInt64)), {table});
  const Tensor gate_up = Leaf(torch::randn({500, 64}));
  add(ops::SiluMul(gate_up), {gate_up});
  LlmConfig config;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  const std::vector<TokenIds> texts = {TokenIds(200, 1), TokenIds(7, 1),
                                       TokenIds(60, 1), TokenIds(1, 1)};
  const PackedBatch batch = Pack(texts);
  const Tensor qkv = Leaf(torch::randn({batch.tokens(), 64}));
  add(ops::Attention(qkv, batch, config, MakeRotaryTable(256, 8, 100)), {qkv});
  const Tensor logits = torch::randn({70, 300});
  const Tensor norm = ops::LogSumExp(logits);
  ops::SoftmaxInPlace(logits, norm, 0.5);
  results.insert(results.end(), {norm, logits});
  const Tensor master = torch::randn({9000}), mean = torch::zeros({9000}),
               variance = torch::zeros({9000});
  ops::AdamW({.rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8},
             torch::randn({9000}), master, mean, variance, Tensor());
  results.insert(results.end(), {master, mean, variance});
  return results;
}

TEST_CASE("Results do not depend on the number of threads") {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = AllResults();
  at::set_num_threads(2);
  const auto two = AllResults();
  at::set_num_threads(before);
  REQUIRE(one.size() == two.size());
  for (size_t i = 0; i < one.size(); ++i) {
    INFO(i);
    CHECK(torch::equal(one[i], two[i]));
  }
}

}  // namespace
}  // namespace larr
